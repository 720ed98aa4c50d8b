"""The Delaunay engine: against scipy in general position, against rational arithmetic everywhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, Delaunay

from armillary.errors import CoordinateError
from armillary.voids.delaunay import Growing, delaunay
from armillary.voids.order import extent, insertion_order

from .adversarial import KINDS, examine, simplices, small_set


@pytest.mark.parametrize("kind", KINDS)
def test_small_adversarial_sets_give_delaunay_complexes(kind):
    """A thousand sets in all, each checked exactly, in another order, and in blocks; `make fuzz` does a hundred thousand."""
    first = KINDS.index(kind)
    assert sum(examine(number) for number in range(first, 50 * len(KINDS), len(KINDS))) > 30


@pytest.mark.parametrize("kind", ["general", "lattice", "scaled lattice", "fcc", "cylinder", "sphere", "slab", "nearly equal"])
def test_the_order_of_insertion_does_not_matter(kind):
    """Points and ranks alone decide, ties among cospherical points included."""
    compared = 0
    for number in range(KINDS.index(kind), 30 * len(KINDS), len(KINDS)):
        _, points, rng = small_set(number)
        ranks = rng.permutation(len(points)).astype(np.uint64)
        seen = set()
        for _ in range(3):
            turn = rng.permutation(len(points))
            growing = Growing(*extent(points))
            try:
                parts = np.array_split(turn, [len(turn) // 2]) if len(turn) > 20 else [turn]
                for part in parts:
                    growing.insert(points[part], ranks[part])
            except CoordinateError:
                break
            links = growing.release().reshape(-1, 8)[:, :4].astype(np.int64)
            finite = links[(links[:, 0] != 2**32 - 1) & (links > 0).all(axis=1)] - 1
            seen.add(frozenset(simplices(turn[finite])))
        if seen:
            assert len(seen) == 1
            compared += 1
    assert compared > 15


def test_points_are_inserted_in_an_order_of_their_own():
    """The same tetrahedra in the same rows, whatever the order of the input, but for the names."""
    rng = np.random.default_rng(5)
    points = rng.random((4000, 3))
    turn = rng.permutation(len(points))
    tetrahedra, adjacent = delaunay(points)
    again, beside = delaunay(points[turn])
    np.testing.assert_array_equal(turn[again], tetrahedra)
    np.testing.assert_array_equal(beside, adjacent)
    np.testing.assert_array_equal(turn[insertion_order(points[turn])], insertion_order(points))


@pytest.mark.parametrize("centre", [0.0, 0.2])
def test_a_point_inside_a_sphere_of_points(centre):
    """A cavity of thousands of faces, with more vertices than the table of pairs holds."""
    shell = np.random.default_rng(7).normal(size=(3000, 3))
    shell /= np.linalg.norm(shell, axis=1)[:, None]
    points = np.concatenate((shell, [[centre, 0.0, 0.0]]))
    growing = Growing(*extent(points))
    growing.insert(points, np.arange(len(points), dtype=np.uint64))
    links = growing.release().reshape(-1, 8)
    alive = links[:, 0] != 2**32 - 1
    star = links[alive & (links[:, :4] == len(points)).any(axis=1), :4]
    if centre == 0.0:
        assert len(star) == len(ConvexHull(shell).simplices)  # every facet sees the centre
    assert len(star) > 500
    rows = np.flatnonzero(alive)
    for k in range(4):
        other, corner = np.divmod(links[rows, 4 + k].astype(np.int64), 4)
        np.testing.assert_array_equal(links[other, 4 + corner], 4 * rows + k)
        face, theirs = np.delete(links[rows, :4], k, axis=1), links[other, :4].copy()
        theirs[np.arange(len(rows)), corner] = 2**32 - 1
        np.testing.assert_array_equal(np.sort(face, axis=1), np.sort(theirs, axis=1)[:, :3])
    tetrahedra, _ = delaunay(points)
    assert simplices(tetrahedra) == simplices(links[alive & (links[:, :4] > 0).all(axis=1), :4].astype(np.int64) - 1)
    a, b, c, d = points[tetrahedra].transpose(1, 0, 2)
    volume = np.einsum("ij,ij->i", b - a, np.cross(c - a, d - a)) / 6.0
    assert volume.sum() == pytest.approx(ConvexHull(points).volume, rel=1e-12)


def test_any_form_of_array_will_do():
    points = np.random.default_rng(8).random((60, 3)).astype(np.float32)
    expected, _ = delaunay(points.astype(float))
    fixed = points.astype(float)
    fixed.flags.writeable = False
    strided = np.repeat(points, 2, axis=1)[:, ::2]
    for form in (points, points.tolist(), np.asfortranarray(points), strided, strided[::-1][::-1], fixed):
        np.testing.assert_array_equal(delaunay(form)[0], expected)
    whole_numbers = np.random.default_rng(8).integers(0, 50, (60, 3))
    np.testing.assert_array_equal(delaunay(whole_numbers)[0], delaunay(whole_numbers.astype(float))[0])


@pytest.mark.parametrize("scale", [1e-290, 1e-100, 1e100, 1e290])
def test_scale_does_not_matter(scale):
    points = np.random.default_rng(9).random((50, 3))
    power = 2.0 ** round(np.log2(scale))
    np.testing.assert_array_equal(delaunay(points * power)[0], delaunay(points)[0])


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(5, 300))
def test_general_position_agrees_with_scipy(seed, n):
    rng = np.random.default_rng(seed)
    points = rng.random((n, 3)) if seed % 2 else rng.normal(size=(n, 3)) ** 3
    tetrahedra, adjacent = delaunay(points)
    theirs = Delaunay(points)
    assert simplices(tetrahedra) == simplices(theirs.simplices)
    assert (adjacent < 0).sum() == (theirs.neighbors < 0).sum()


@pytest.mark.parametrize("shape", ["lattice", "fcc", "sphere", "cylinder", "galaxies"])
def test_large_special_sets_are_filled_once(shape):
    """Thousands of cospherical points: volumes add up to the hull, every face has its neighbour, spheres are empty nearby."""
    rng = np.random.default_rng(3)
    if shape in ("lattice", "fcc"):
        axis = np.arange(14.0)
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        if shape == "fcc":
            points = points[points.sum(axis=1) % 2 == 0]
        hull = 13.0**3 if shape == "lattice" else None
    elif shape == "sphere":
        points = rng.normal(size=(4000, 3))
        points /= np.linalg.norm(points, axis=1)[:, None]
        hull = None
    elif shape == "cylinder":
        angle, height = np.meshgrid(np.arange(64) * np.pi / 32.0, np.arange(40.0))
        points = np.c_[np.cos(angle).ravel(), np.sin(angle).ravel(), height.ravel()]
        hull = None
    else:
        points, hull = np.unique((rng.random((5000, 3)) * 300.0).astype(np.float32).astype(float), axis=0), None
    tetrahedra, adjacent = delaunay(points)
    a, b, c, d = points[tetrahedra].transpose(1, 0, 2)
    volume = np.einsum("ij,ij->i", b - a, np.cross(c - a, d - a)) / 6.0
    assert (volume > -1e-12).all()
    assert volume.sum() == pytest.approx(hull or ConvexHull(points).volume, rel=1e-9)
    rows, corner = np.nonzero(adjacent >= 0)
    back = adjacent[adjacent[rows, corner]]
    assert (back == rows[:, None]).any(axis=1).all()


@pytest.mark.parametrize(
    ("points", "word"),
    [
        (np.random.default_rng(0).random((4, 3)), "at least 5"),
        (np.random.default_rng(0).random((9, 2)), r"\(n, 3\)"),
        (np.full((6, 3), np.nan), "NaN or infinite"),
        (np.r_[np.random.default_rng(0).random((6, 3)), [[np.inf, 0.0, 0.0]]], "NaN or infinite"),
        (np.outer(np.arange(9.0), [1.0, 2.0, 3.0]), "coplanar"),
        (np.c_[np.random.default_rng(0).random((20, 2)), np.full(20, 0.1)], "coplanar"),
        (np.repeat(np.random.default_rng(0).random((8, 3)), 2, axis=0), "coincide"),
        (np.ones((9, 3)), "coplanar"),
        (np.random.default_rng(0).random((9, 3)) * 10.0 ** np.arange(-150, 150, 34)[:9, None], "bits"),
        (np.r_[np.random.default_rng(0).random((6, 3)) * 1e290, [[1e-20, 1e-20, 1e-20]]], "bits"),
        (1.7e308 * np.random.default_rng(0).uniform(-1.0, 1.0, (9, 3)), "rescale"),
        ([[0.0, 0.0, 0.0], [-0.0, 0.0, -0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]], "coincide"),
    ],
    ids=["four", "two columns", "NaN", "infinite", "line", "plane", "twice", "one point", "300 orders of magnitude",
         "lost to scaling", "beyond doubles", "minus zero"],
)
def test_what_has_no_tessellation_is_refused(points, word):
    with pytest.raises(CoordinateError, match=word):
        delaunay(points)
