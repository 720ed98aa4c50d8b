"""The exact predicates against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from armillary.voids.exact import (
    NARROW_BITS,
    WIDE_BITS,
    collinear_rational,
    coordinate_bits,
    insphere_exact,
    orient_exact,
)


def determinant(u, v, w):
    return (
        u[0] * (v[1] * w[2] - v[2] * w[1]) - u[1] * (v[0] * w[2] - v[2] * w[0]) + u[2] * (v[0] * w[1] - v[1] * w[0])
    )


def expected(points):
    """Signs of orient and insphere, and whether the first three are collinear, as fractions say."""
    exact = [[Fraction(x) for x in row] for row in points.tolist()]
    u, v, w, x = ([a - b for a, b in zip(exact[k], exact[0], strict=True)] for k in (1, 2, 3, 4))
    square = [sum(k * k for k in edge) for edge in (u, v, w, x)]
    sphere = (
        square[0] * determinant(v, w, x) + square[1] * determinant(w, u, x) + square[2] * determinant(u, v, x)
        - square[3] * determinant(u, v, w)
    )
    side = determinant(u, v, w)
    line = all(u[i] * v[(i + 1) % 3] == u[(i + 1) % 3] * v[i] for i in range(3))
    return (side > 0) - (side < 0), (sphere > 0) - (sphere < 0), line


def five_points(kind, rng):
    if kind == "spread":
        return rng.uniform(-1.0, 1.0, (5, 3)) * 2.0 ** rng.integers(-100, 100, (5, 3))
    if kind == "wide":
        return rng.uniform(-1.0, 1.0, (5, 3)) * 2.0 ** rng.integers(-25, 25, (5, 3))
    if kind == "lattice":
        return rng.integers(-3, 4, (5, 3)) * rng.choice([1.0, 0.1, 1e-7, 3e5])
    if kind == "large":
        return rng.integers(-(2**59), 2**59, (5, 3)).astype(float)
    return rng.choice([0.0, 0.5, 1.0, 1.0 + 2.0**-52, 1.0 - 2.0**-53], (5, 3))


@pytest.mark.parametrize("kind", ["spread", "wide", "lattice", "large", "neighbours"])
def test_signs_are_those_of_fractions(kind):
    rng = np.random.default_rng(1)
    widths, signs = set(), set()
    for _ in range(1500):
        points = five_points(kind, rng)
        base, bits = coordinate_bits(points)
        flat = tuple(points.ravel().tolist())
        ours = orient_exact(base, bits, flat[:12]), insphere_exact(base, bits, flat), collinear_rational(flat[:9])
        assert ours == expected(points), points.tolist()
        widths.add(int(bits > NARROW_BITS) + int(bits > WIDE_BITS))
        signs.add(ours[1])
    assert signs >= {-1, 1}
    assert kind not in ("lattice", "neighbours") or 0 in signs
    assert widths == {"spread": {2}, "wide": {1}}.get(kind, {0})


def test_the_longest_coordinates_of_each_width_do_not_overflow():
    """All bits set, signs that add up: the largest determinants there are."""
    rng = np.random.default_rng(2)
    for bits in (NARROW_BITS, WIDE_BITS):
        for _ in range(300):
            points = rng.choice([-1.0, 1.0, 1.0 - 2.0**-53], (5, 3)) * (2.0**bits - 2.0 ** (bits - 53))
            points[rng.integers(5), rng.integers(3)] = 1.0
            base, needed = coordinate_bits(points)
            assert needed <= bits
            flat = tuple(points.ravel().tolist())
            assert (orient_exact(base, needed, flat[:12]), insphere_exact(base, needed, flat)) == expected(points)[:2]


def test_bits_are_counted_from_the_largest_to_the_smallest():
    assert coordinate_bits(np.array([[1.0, 2.0, 3.0]])) == (0, 2)
    assert coordinate_bits(np.array([[0.0, 0.25, 8.0]])) == (-2, 6)
    base, bits = coordinate_bits(np.array([[1e-300, 0.0, 1e300]]))
    assert bits > 1900
    assert base < -1000
