import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import find_contours

from armillary.voids.contours import zero_contours


def bordered(value):
    """The values with positive ones all around."""
    return np.pad(value, 1, constant_values=2.0)


def area(curve):
    u, v = curve.T
    return 0.5 * (np.dot(u[:-1], v[1:]) - np.dot(u[1:], v[:-1]))


def rotated(curve):
    """A closed curve from its smallest point on, so that curves that start elsewhere compare equal."""
    points = curve[:-1]
    return np.roll(points, -np.lexsort(points.T[::-1])[0], axis=0)


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 12), columns=st.integers(1, 12))
@settings(max_examples=200)
def test_curves_are_those_of_an_independent_implementation(seed, rows, columns):
    value = bordered(np.random.default_rng(seed).normal(size=(rows, columns)))
    ours = sorted((rotated(curve) for curve in zero_contours(value)), key=lambda curve: (len(curve), *curve[0]))
    theirs = [rotated(curve[::-1, ::-1]) for curve in find_contours(value, 0.0)]
    theirs = sorted(theirs, key=lambda curve: (len(curve), *curve[0]))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_curves_are_closed_and_lie_where_the_values_change_sign(seed):
    value = bordered(np.random.default_rng(seed).normal(size=(9, 7)))
    for curve in zero_contours(value):
        np.testing.assert_array_equal(curve[0], curve[-1])
        for column, row in curve:
            c, r = int(column), int(row)
            across = value[r, c : c + 2] if row == r and column != c else value[r : r + 2, c]
            assert across.min() < 0.0 < across.max()


def test_a_disc_has_its_area_and_a_ring_an_opening():
    y, x = np.mgrid[-20:21, -20:21].astype(float)
    distance = np.hypot(x, y)
    (disc,) = zero_contours(distance - 12.3)
    assert area(disc) == pytest.approx(np.pi * 12.3**2, rel=5e-3)
    outer, inner = sorted(zero_contours(np.abs(distance - 10.2) - 5.1), key=len, reverse=True)
    assert area(outer) == pytest.approx(np.pi * 15.3**2, rel=5e-3)
    assert area(inner) == pytest.approx(-np.pi * 5.1**2, rel=2e-2)


def test_what_is_negative_joins_across_corners_and_nothing_gives_no_curve():
    corner = np.full((4, 4), 1.0)
    corner[1, 1] = corner[2, 2] = -1.0
    assert len(zero_contours(corner)) == 1
    assert zero_contours(np.ones((3, 5))) == []
