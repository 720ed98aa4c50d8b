"""Cells found in blocks, here or on workers, against those of the whole."""

import contextlib
import functools

import numpy as np
import pytest

from armillary.compute import Processes, RayCluster, Serial
from armillary.errors import CoordinateError, OptionError
from armillary.model import BoxRegion
from armillary.voids import Tessellation
from armillary.voids.voronoi import VoronoiCells

from .conftest import clustered_box

pytestmark = pytest.mark.slow

EXECUTORS = {
    "serial": Serial,
    "processes": functools.partial(Processes, 2),
    "ray": functools.partial(RayCluster, workers=1),
}
AXIS = np.arange(7.0)
LATTICE = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 3)


@pytest.fixture(scope="module")
def opened():
    """An executor by name; each is opened once."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda name: stack.enter_context(EXECUTORS[name]()))


@pytest.fixture(params=EXECUTORS)
def executor(request, opened):
    return opened(request.param)


def rows(indptr, neighbours, areas):
    """Sorted neighbours and areas, point by point; among images of one point by area."""
    of = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((areas, neighbours, of))
    return of, neighbours[order], areas[order]


def assert_same(cells, whole):
    np.testing.assert_array_equal(cells.unbounded, whole.unbounded)
    np.testing.assert_allclose(cells.volumes, whole.volumes, rtol=1e-12)
    np.testing.assert_allclose(cells.centroids, whole.centroids, rtol=1e-12, atol=1e-12 * np.ptp(whole.points))
    indptr, sites = whole.neighbours
    np.testing.assert_array_equal(cells.indptr, indptr)
    _, ours, areas = rows(cells.indptr, cells.neighbours, cells.facet_areas)
    of, theirs, expected = rows(indptr, whole.origin[sites], whole.facet_areas)
    np.testing.assert_array_equal(ours, theirs)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(areas), finite)
    largest = np.zeros(len(whole))
    np.maximum.at(largest, of[finite], expected[finite])
    assert (np.abs(areas[finite] - expected[finite]) <= 1e-11 * largest[of[finite]]).all()


def points_of(kind):
    rng = np.random.default_rng(4)
    return {
        "clustered": lambda: clustered_box(2, 1500),
        "lattice": lambda: LATTICE * 0.1,
        "noisy lattice": lambda: LATTICE * 0.1 + 1e-16 * rng.normal(size=LATTICE.shape),
        "clump": lambda: np.concatenate((rng.random((400, 3)), 0.5 + 1e-4 * rng.random((400, 3)))),
    }[kind]()


@pytest.mark.parametrize("kind", ["clustered", "lattice", "noisy lattice", "clump"])
def test_cells_of_blocks_are_those_of_the_whole(kind):
    points = points_of(kind)
    assert_same(VoronoiCells.of(points, block=200), Tessellation.of(points))


def test_neighbours_are_sorted_and_see_each_other():
    cells = VoronoiCells.of(points_of("clustered"), block=300)
    pairs = np.c_[np.repeat(np.arange(len(cells)), np.diff(cells.indptr)), cells.neighbours]
    np.testing.assert_array_equal(pairs, pairs[np.lexsort(pairs.T[::-1])])
    np.testing.assert_array_equal(pairs, np.unique(pairs[:, ::-1], axis=0))


@pytest.mark.parametrize("kind", ["random", "lattice", "noisy lattice", "octant", "long", "few"])
def test_periodic_cells_of_blocks_are_those_of_the_whole(kind):
    rng = np.random.default_rng(5)
    size = {"lattice": (0.7,) * 3, "noisy lattice": (0.7,) * 3, "long": (30.0, 1.0, 1.0)}.get(kind, (1.0,) * 3)
    points = {
        "random": lambda: rng.random((500, 3)),
        "lattice": lambda: LATTICE * 0.1,
        "noisy lattice": lambda: LATTICE * 0.1 + 0.05 + 1e-16 * rng.normal(size=LATTICE.shape),
        "octant": lambda: rng.random((150, 3)) * 0.5,
        "long": lambda: rng.random((80, 3)) * [30.0, 1.0, 1.0],
        "few": lambda: rng.random((5, 3)),
    }[kind]()
    box = BoxRegion((0.0,) * 3, size, periodic=True)
    cells = VoronoiCells.of(points, periodic=box, block=60)
    assert_same(cells, Tessellation.of(points, periodic=box))
    assert cells.volumes.sum() == pytest.approx(np.prod(size), rel=1e-12)


def test_every_executor_finds_the_same(executor):
    points = points_of("clustered")
    here, progress = VoronoiCells.of(points, block=400), []
    there = VoronoiCells.of(points, block=400, executor=executor, progress=lambda *counts: progress.append(counts))
    for name in ("volumes", "centroids", "indptr", "neighbours", "facet_areas"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert progress[-1] == (4, 4)
    assert [done for done, _ in progress] == sorted({done for done, _ in progress})


def test_progress_without_an_executor():
    progress = []
    VoronoiCells.of(points_of("clustered"), block=500, progress=lambda *counts: progress.append(counts))
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_an_error_in_a_block_is_raised_as_it_is(executor):
    points = np.concatenate((clustered_box(3, 500), clustered_box(3, 500)[:1]))
    with pytest.raises(CoordinateError, match="coincide"):
        VoronoiCells.of(points, block=100, executor=executor)


@pytest.mark.parametrize(
    ("points", "word"),
    [
        (np.random.default_rng(0).random((4, 3)), "at least 5"),
        (np.full((6, 3), np.nan), "NaN or infinite"),
        (np.c_[np.random.default_rng(0).random((50, 2)), np.zeros(50)], "coplanar"),
        (np.outer(np.arange(9.0), [1.0, 2.0, 3.0]), "coplanar"),
        (np.ones((9, 3)), "coplanar"),
        (np.repeat(np.random.default_rng(0).random((20, 3)), 2, axis=0), "coincide"),
        (np.random.default_rng(0).random((9, 3)) * 10.0 ** np.arange(-290, 50, 40)[:9, None], "bits"),
        (np.random.default_rng(0).random((9, 3)) * 1e80, "rescale"),
        (np.random.default_rng(0).random((9, 3)) * 1e-80, "rescale"),
    ],
    ids=["four", "NaN", "plane", "line", "one point", "twice", "300 orders of magnitude", "huge", "minute"],
)
def test_what_has_no_cells_is_refused(points, word):
    with pytest.raises(CoordinateError, match=word):
        VoronoiCells.of(points, block=5)
    with pytest.raises(CoordinateError, match=word):
        Tessellation.of(points)


def test_a_block_of_no_points_is_refused():
    with pytest.raises(OptionError, match="block is 0 points"):
        VoronoiCells.of(points_of("lattice"), block=0)
