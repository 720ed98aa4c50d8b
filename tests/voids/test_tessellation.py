import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, Delaunay, Voronoi

from armillary.errors import CoordinateError
from armillary.model import BoxRegion
from armillary.voids import Tessellation

from .conftest import clustered_box

UNIT = BoxRegion((0.0,) * 3, (1.0,) * 3, periodic=True)


def voronoi_volumes(points):
    """Volumes by a route of its own: convex hulls of the vertices of scipy's Voronoi cells."""
    diagram = Voronoi(points)
    volumes = np.full(len(points), np.inf)
    for i, region in enumerate(diagram.point_region):
        vertices = diagram.regions[region]
        if -1 not in vertices:
            volumes[i] = ConvexHull(diagram.vertices[vertices]).volume
    return volumes


@pytest.mark.parametrize("seed", range(3))
def test_volumes_equal_those_of_convex_hulls(seed):
    points = clustered_box(seed, 400)
    tessellation = Tessellation.of(points)
    expected = voronoi_volumes(points)
    np.testing.assert_array_equal(tessellation.unbounded, np.isinf(expected))
    bounded = np.isfinite(expected)
    assert bounded.sum() > 250
    np.testing.assert_allclose(tessellation.volumes[bounded], expected[bounded], rtol=1e-9)


def test_neighbours_are_those_of_the_triangulation():
    points = np.random.default_rng(2).random((300, 3))
    indptr, indices = Tessellation.of(points).neighbours
    starts, theirs = Delaunay(points).vertex_neighbor_vertices
    for i in range(len(points)):
        assert indices[indptr[i] : indptr[i + 1]].tolist() == sorted(theirs[starts[i] : starts[i + 1]].tolist())


def test_circumcentres_are_as_far_from_all_four_corners():
    tessellation = Tessellation.of(np.random.default_rng(3).random((200, 3)))
    corners = tessellation.points[tessellation.tetrahedra]
    distance = np.linalg.norm(corners - tessellation.circumcentres[:, None], axis=2)
    np.testing.assert_allclose(distance, distance[:, :1] * np.ones(4), rtol=1e-6)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 300))
def test_periodic_volumes_sum_to_the_box(seed, n):
    points = np.random.default_rng(seed).random((n, 3))
    tessellation = Tessellation.of(points, periodic=UNIT)
    assert (tessellation.volumes > 0.0).all()
    assert tessellation.volumes.sum() == pytest.approx(1.0, rel=1e-10)
    assert not tessellation.unbounded.any()


def test_a_periodic_tessellation_does_not_change_when_it_is_shifted():
    points = np.random.default_rng(4).random((250, 3))
    shifted = (points + [0.37, 0.81, 0.5]) % 1.0
    np.testing.assert_allclose(
        Tessellation.of(points, periodic=UNIT).volumes, Tessellation.of(shifted, periodic=UNIT).volumes, rtol=1e-9
    )


def test_periodic_equals_the_middle_of_27_copies():
    points = np.random.default_rng(6).random((60, 3))
    shifts = np.stack(np.meshgrid([0, -1, 1], [0, -1, 1], [0, -1, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    copies = (points[None] + shifts[:, None]).reshape(-1, 3)
    np.testing.assert_allclose(
        Tessellation.of(points, periodic=UNIT).volumes, Tessellation.of(copies).volumes[:60], rtol=1e-9
    )


def test_a_flat_periodic_box_is_certified_too():
    box = BoxRegion((0.0, 0.0, 0.0), (10.0, 1.0, 2.0), periodic=True)
    points = np.random.default_rng(7).random((40, 3)) * box.size
    assert Tessellation.of(points, periodic=box).volumes.sum() == pytest.approx(20.0, rel=1e-10)


@pytest.mark.parametrize(
    ("points", "word"),
    [
        (np.random.default_rng(0).random((4, 3)), "at least 5"),
        (np.c_[np.random.default_rng(0).random((50, 2)), np.zeros(50)], "coplanar"),
        (np.repeat(np.random.default_rng(0).random((20, 3)), 2, axis=0), "coincide"),
    ],
    ids=["too few", "coplanar", "duplicates"],
)
def test_what_cannot_be_tessellated_is_refused(points, word):
    with pytest.raises(CoordinateError, match=word):
        Tessellation.of(points)


def test_points_outside_the_periodic_box_are_refused():
    with pytest.raises(CoordinateError, match="wrap"):
        Tessellation.of(np.random.default_rng(0).random((20, 3)) + 0.5, periodic=UNIT)


def test_the_upper_face_of_a_periodic_box_is_its_lower_one():
    points = np.random.default_rng(1).random((20, 3))
    points[3, 1] = 1.0
    with pytest.raises(CoordinateError, match="wrap"):
        Tessellation.of(points, periodic=UNIT)
    points[3, 1] = np.nextafter(1.0, 0.0)
    above = Tessellation.of(points, periodic=UNIT)
    points[3, 1] = 0.0
    np.testing.assert_allclose(above.volumes, Tessellation.of(points, periodic=UNIT).volumes, rtol=1e-12)


@pytest.mark.parametrize("n", [5, 6, 8, 12, 20, 30])
def test_a_few_points_fill_a_periodic_box(n):
    for seed in range(4):
        tessellation = Tessellation.of(np.random.default_rng([seed, n]).random((n, 3)), periodic=UNIT)
        assert tessellation.volumes.sum() == pytest.approx(1.0, rel=1e-13)
        assert not tessellation.unbounded.any()


def test_points_in_one_octant_of_a_periodic_box():
    tessellation = Tessellation.of(np.random.default_rng(8).random((200, 3)) * 0.5, periodic=UNIT)
    assert tessellation.volumes.sum() == pytest.approx(1.0, rel=1e-13)


@pytest.mark.parametrize("size", [(30.0, 1.0, 1.0), (10.0, 10.0, 0.5), (0.1, 7.0, 0.3)])
def test_long_and_flat_periodic_boxes(size):
    box = BoxRegion((0.0, -3.0, 1.0), tuple(np.array((0.0, -3.0, 1.0)) + size), periodic=True)
    points = box.low + np.random.default_rng(9).random((150, 3)) * size
    tessellation = Tessellation.of(points, periodic=box)
    assert tessellation.volumes.sum() == pytest.approx(np.prod(size), rel=1e-12)
    assert not tessellation.edge_cells(box).any()


@pytest.mark.parametrize("noise", [0.0, 1e-17, 1e-16, 1e-15, 1e-13, 1e-9])
def test_periodic_lattices_with_noise_at_the_level_of_rounding(noise):
    """Tetrahedra as flat as doubles allow; with 0.1 between points no coordinate is a whole number of any unit."""
    axis = np.arange(6.0) * 0.1 + 0.05
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    points = lattice + noise * np.random.default_rng(0).normal(size=lattice.shape)
    tessellation = Tessellation.of(points, periodic=BoxRegion((0.0,) * 3, (0.6,) * 3, periodic=True))
    np.testing.assert_allclose(tessellation.volumes, 1e-3, rtol=max(1e-12, 100.0 * noise))
    np.testing.assert_allclose(tessellation.centroids, lattice, atol=1e-14 + 10.0 * noise)
    indptr, sites = tessellation.neighbours
    of = np.repeat(np.arange(len(points)), np.diff(indptr))
    edges = sorted(zip(of.tolist(), tessellation.origin[sites].tolist(), strict=True))
    assert edges == sorted((b, a) for a, b in edges)
    images = np.rint((tessellation.sites - points[tessellation.origin]) / 0.6)
    np.testing.assert_allclose(tessellation.sites, points[tessellation.origin] + 0.6 * images, atol=1e-15)


@pytest.mark.parametrize(
    ("points", "word"),
    [
        (np.full((9, 3), np.nan), "NaN"),
        (np.random.default_rng(0).random((4, 3)), "at least 5"),
        (np.repeat(np.random.default_rng(0).random((20, 3)), 2, axis=0), "coincide"),
        (np.random.default_rng(0).random((9, 3)) * 10.0 ** np.arange(-300, -20, 34)[:9, None], "coincide|fill"),
    ],
    ids=["NaN", "too few", "duplicates", "300 orders of magnitude"],
)
def test_what_cannot_be_tessellated_in_a_periodic_box_is_refused(points, word):
    with pytest.raises(CoordinateError, match=word):
        Tessellation.of(points, periodic=UNIT)
