from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from armillary.cosmology import Cosmology, sky_to_cartesian
from armillary.model import Holes, Membership, VoidCatalog
from armillary.plots.style import METHOD_COLOURS, edge_colour, figure_bytes, new_figure
from armillary.plots.voids import (
    plot_radius_distribution,
    plot_recovery,
    plot_redshift_distribution,
    plot_sky,
    plot_slice,
)
from armillary.voids.cuts import ConeCut
from armillary.voids.slices import slice_voids


def voids_and_galaxies(ax):
    """What a slice draws above the footprint: filled paths, and dots above them."""
    voids = [drawn for drawn in ax.collections if drawn.get_zorder() == 1]
    return voids, [drawn for drawn in ax.collections if drawn.get_zorder() == 2]


def words(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_radius_bins_hold_every_void_once(catalogs):
    ax = plot_radius_distribution(catalogs)
    for line, catalog in zip([c.lines[0] for c in ax.containers], catalogs.values(), strict=True):
        assert line.get_ydata().sum() == len(catalog)
        assert to_hex(line.get_color()) == METHOD_COLOURS[catalog.method]
    assert words(ax)[0].startswith("VoidFinder  (6, median")


def test_radius_distribution_of_nothing_is_an_empty_frame(nothing):
    ax = plot_radius_distribution({"voidfinder": nothing})
    assert not ax.containers
    figure_bytes(ax.figure, "png", dpi=30)


def test_a_picture_goes_where_it_is_told(catalogs):
    figure = new_figure()
    ax = figure.add_subplot()
    assert plot_radius_distribution(catalogs, ax=ax) is ax
    assert ax.figure is figure


def test_a_slice_shows_every_void_it_cuts_in_its_edge_colour(slice_):
    ax = plot_slice(slice_)
    voids, galaxies = voids_and_galaxies(ax)
    drawn = sorted(to_hex(each.get_edgecolor()[0]) for each in voids for _ in each.get_paths())
    assert len(drawn) == len(np.unique(slice_.outline_void))
    _, first = np.unique(slice_.outline_void, return_index=True)
    assert drawn == sorted(edge_colour("voidfinder", edge) for edge in slice_.outline_edge[first])
    dots = sum(len(cloud.get_offsets()) for cloud in galaxies)
    assert dots == len(slice_.galaxies)
    assert ax.get_aspect() == 1.0
    assert ax.get_xlabel() == "x [Mpc/h]"


def test_an_opening_is_part_of_the_same_patch(slice_):
    outer = np.array([[0, 0], [30, 0], [30, 30], [0, 30], [0, 0.0]])
    inner = 10 + outer[::-1] / 3
    members = {**vars(slice_), "outlines": (outer, inner), "outline_void": np.zeros(2, dtype=int),
               "outline_edge": np.zeros(2, dtype=int)}
    ax = plot_slice(SimpleNamespace(**members))
    (voids,), _ = voids_and_galaxies(ax)
    (path,) = voids.get_paths()
    assert len(path.vertices) == 10


def test_galaxies_in_voids_carry_the_colour_of_the_method(slice_):
    inside = np.arange(len(slice_.galaxies)) % 3 == 0
    ax = plot_slice(SimpleNamespace(**{**vars(slice_), "galaxy_in_void": inside}))
    assert [len(cloud.get_offsets()) for cloud in voids_and_galaxies(ax)[1]] == [(~inside).sum(), inside.sum()]
    assert {"galaxy in a void", "other galaxy"} <= set(words(ax))


def test_a_cone_slice_names_distances_and_right_ascensions():
    rng = np.random.default_rng(2)
    ra, dec, distance = rng.uniform(120, 240, 500), rng.uniform(28, 32, 500), 300 * rng.uniform(0.2, 1, 500) ** (1 / 3)
    xyz = sky_to_cartesian(ra, dec, distance)
    centre = sky_to_cartesian(180.0, 30.0, 200.0)[None]
    membership = Membership(np.zeros(500, np.int8), np.ones(500, bool), np.full(500, -1), np.zeros(500))
    catalog = VoidCatalog("voidfinder", centre, np.array([20.0]), np.array([20.0]), np.zeros(1), np.zeros(1, dtype=int),
                          cosmo=Cosmology(), membership=membership, holes=Holes(centre, np.array([20.0]), np.zeros(1, int)))
    ax = plot_slice(slice_voids(catalog, ConeCut(30.0, 180.0), xyz, resolution=2.0))
    said = {text.get_text() for text in ax.texts}
    assert {"200", "180°", "observer"} <= said
    figure_bytes(ax.figure, "png", dpi=30)


def test_redshift_bins_hold_every_galaxy():
    z = np.linspace(0.01, 0.1, 500)
    ax = plot_redshift_distribution(z, z < 0.05)
    assert sum(patch.get_height() for patch in ax.containers[0]) == 500
    assert words(ax)[1] == f"tracers ({(z < 0.05).sum()})"


def test_a_sky_that_straddles_zero_is_drawn_in_one_piece():
    ra = np.concatenate([np.linspace(340, 359, 50), np.linspace(0, 20, 50)])
    ax = plot_sky(ra, np.linspace(-10, 10, 100))
    low, high = sorted(ax.get_xlim())
    assert high - low < 60.0
    assert ax.get_xlim()[0] > ax.get_xlim()[1]
    figure_bytes(ax.figure, "png", dpi=30)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["340°", "350°", "0°", "10°", "20°"]


@pytest.mark.parametrize(("first", "last"), [(0.2, 359.9), (120, 240), (0, 2)])
def test_right_ascensions_on_the_page_are_whole_and_below_360(first, last):
    ax = plot_sky(np.linspace(first, last, 400), np.linspace(-10, 10, 400))
    marks = [int(label.get_text().removesuffix("°")) for label in ax.get_xticklabels()]
    assert 3 <= len(marks) <= 9
    assert all(0 <= mark < 360 for mark in marks)


def test_the_key_of_the_sky_lies_beside_the_data():
    rng = np.random.default_rng(3)
    centre = sky_to_cartesian(rng.uniform(100, 200, 30), rng.uniform(-20, 40, 30), 200.0)
    ones = np.ones(30)
    voids = VoidCatalog("voidfinder", centre, 10 * ones, 10 * ones, 0 * ones, np.zeros(30, dtype=int), cosmo=Cosmology(),
                        holes=Holes(centre, 10 * ones, np.arange(30)))
    ax = plot_sky(rng.uniform(100, 200, 900), rng.uniform(-20, 40, 900), voids=voids)
    figure_bytes(ax.figure, "png", dpi=30)
    assert not ax.get_legend().get_window_extent().overlaps(ax.get_window_extent())


def test_recovery_leaves_empty_bins_out():
    share = SimpleNamespace(edges=np.array([10.0, 15, 20, 25]), total=np.array([4, 0, 2]),
                            share=np.array([0.5, np.nan, 1.0]), low=np.array([0.3, np.nan, 0.6]),
                            high=np.array([0.7, np.nan, 1.0]))
    ax = plot_recovery(share, share, method="zobov")
    for container in ax.containers:
        assert container.lines[0].get_xdata().tolist() == [12.5, 22.5]
        assert container.lines[0].get_ydata().tolist() == pytest.approx([0.5, 1.0])
    assert words(ax) == ["ZOBOV completeness", "ZOBOV purity"]
    figure_bytes(ax.figure, "png", dpi=30)
    assert not ax.get_legend().get_window_extent().overlaps(ax.get_window_extent())
