import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.voids.order import canonical_order, insertion_order


@pytest.mark.parametrize("order", [canonical_order, insertion_order])
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), ties=st.booleans())
def test_an_order_does_not_depend_on_the_input_order(order, seed, n, ties):
    rng = np.random.default_rng(seed)
    xyz = rng.integers(0, 3, (n, 3)).astype(float) if ties else rng.random((n, 3))
    shuffled = xyz[rng.permutation(n)]
    np.testing.assert_array_equal(xyz[order(xyz)], shuffled[order(shuffled)])
    assert sorted(order(xyz)) == list(range(n))


def test_minus_zero_is_zero():
    xyz = np.random.default_rng(2).integers(-1, 2, (5000, 3)) * np.random.default_rng(3).random((5000, 1))
    minus, plus = np.where(xyz == 0.0, -0.0, xyz), np.where(xyz == 0.0, 0.0, xyz)
    np.testing.assert_array_equal(insertion_order(minus), insertion_order(plus))


def test_neighbours_on_the_curve_are_neighbours_in_space():
    """On a full lattice of 2^3k points every step of a Hilbert curve has length 1."""
    axis = np.arange(16.0)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    path = lattice[canonical_order(lattice)]
    np.testing.assert_allclose(np.linalg.norm(np.diff(path, axis=0), axis=1), 1.0)


def test_rounds_grow_by_16():
    """The last 15/16 of an insertion order are one pass along the curve, and so on down."""
    xyz = np.random.default_rng(1).random((300_000, 3))
    along = np.argsort(canonical_order(xyz))[insertion_order(xyz)]
    turns = np.flatnonzero(np.diff(along) < 0)
    assert len(turns) == 2
    np.testing.assert_allclose((turns + 1) / len(xyz), [1 / 256, 1 / 16], rtol=0.1)
