import numpy as np
import pytest
from matplotlib.colors import to_rgb

from armillary.plots.still import plot_void_map
from armillary.plots.style import METHOD_COLOURS, figure_bytes
from armillary.voids.surface import union_surface


def test_only_the_near_side_of_each_void_is_painted(spheres, surfaces, galaxies_xyz):
    surface = surfaces["voidfinder"]
    ax = plot_void_map(spheres, surface, galaxies_xyz)
    (painted,) = ax.collections
    triangles = len(painted.get_paths()) - len(galaxies_xyz)
    assert 0.3 * len(surface) < triangles < 0.6 * len(surface)


def test_what_is_near_hides_what_is_far(spheres, surfaces):
    ax = plot_void_map(spheres, surfaces["voidfinder"], azimuth=0.0, elevation=0.0)
    (painted,) = ax.collections
    last = painted.get_paths()[-1].vertices[:3].mean(axis=0)
    vertices = surfaces["voidfinder"].vertices
    nearest = vertices[np.argmax(vertices[:, 0])]
    middle = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    assert np.hypot(*(last - (nearest - middle)[1:])) < 15.0


def test_edge_voids_are_seen_through_and_others_are_not(spheres, surfaces):
    (painted,) = plot_void_map(spheres, surfaces["voidfinder"]).collections
    assert set(np.round(painted.get_facecolor()[:, 3], 2)) == {0.22, 1.0}
    (painted,) = plot_void_map(spheres, surfaces["voidfinder"], colour_by="void").collections
    assert set(painted.get_facecolor()[:, 3]) == {1.0}


def test_the_lit_side_is_up(spheres):
    surface = union_surface([[0.0, 0, 0]], [10.0], resolution=1.0)
    (painted,) = plot_void_map(spheres, surface, elevation=0.0).collections
    middle = np.array([path.vertices[:3].mean(axis=0) for path in painted.get_paths()])
    light = painted.get_facecolor()[:, :3].sum(axis=1)
    assert light[middle[:, 1] > 5].mean() > light[middle[:, 1] < -5].mean()
    assert light.max() <= 3.0
    assert np.abs(np.median(painted.get_facecolor()[:, :3], axis=0) - to_rgb(METHOD_COLOURS["voidfinder"])).max() < 0.35


@pytest.mark.parametrize("dpi", [40])
def test_a_map_without_voids_or_galaxies_is_still_a_picture(nothing, dpi):
    empty = union_surface([[0.0, 0, 0]], [1.0], resolution=0.5)
    ax = plot_void_map(nothing, type(empty)(np.empty((0, 3)), np.empty((0, 3), dtype=int), np.empty(0, dtype=int)))
    assert figure_bytes(ax.figure, "png", dpi=dpi).startswith(b"\x89PNG")
