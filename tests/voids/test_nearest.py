import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.voids.nearest import largest_around, neighbour_distances
from armillary.voids.order import canonical_order

from .conftest import clustered_box

NOWHERE = np.zeros((1, 3))


def brute(xyz, k):
    separation = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)
    return np.sort(separation, axis=1)[:, k]


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(6, 300), k=st.integers(1, 5), ordered=st.booleans())
def test_neighbour_distances_are_those_of_all_pairs_in_any_order(seed, n, k, ordered):
    xyz = clustered_box(seed, n)
    xyz = xyz[canonical_order(xyz)] if ordered else xyz
    np.testing.assert_allclose(neighbour_distances(xyz, k, NOWHERE), brute(xyz, k), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 8, 9, 16, 17, 64, 65])
def test_full_and_broken_leaves(n):
    xyz = np.random.default_rng(n).random((n, 3))
    np.testing.assert_allclose(neighbour_distances(xyz, 1, NOWHERE), brute(xyz, 1), rtol=1e-12)


def test_copies_are_neighbours_at_no_distance():
    xyz = np.repeat(np.random.default_rng(1).random((20, 3)), 2, axis=0)
    assert (neighbour_distances(xyz, 1, NOWHERE) == 0.0).all()
    assert (neighbour_distances(xyz, 2, NOWHERE) > 0.0).all()


def test_images_are_neighbours_too():
    """Of two positions near opposite faces, and of one alone: its own images count."""
    shifts = np.array([(x, 0.0, 0.0) for x in (0.0, -10.0, 10.0)])
    pair = np.array([[0.5, 5.0, 5.0], [9.0, 5.0, 5.0]])
    np.testing.assert_allclose(neighbour_distances(pair, 1, shifts), 1.5)
    np.testing.assert_allclose(neighbour_distances(pair, 3, shifts), 10.0)


def test_spans_may_be_searched_in_any_way():
    xyz = clustered_box(2, 1000)
    backwards = neighbour_distances(xyz, 3, NOWHERE, lambda search, spans: list(map(search, reversed(spans))))
    np.testing.assert_array_equal(backwards, neighbour_distances(xyz, 3, NOWHERE))


def test_the_largest_sphere_around_is_found_and_the_surface_is_not_inside():
    centre, radius = np.zeros((3, 3)), np.array([2.0, 3.0, 3.0])
    xyz = np.array([[1.0, 0.0, 0.0], [3.0, 0.0, 0.0], [2.99, 0.0, 0.0]])
    assert largest_around(xyz, centre, radius, 1e-8).tolist() == [1, -1, 1]
    assert largest_around(xyz, centre[:0], radius[:0], 1e-8).tolist() == [-1, -1, -1]
