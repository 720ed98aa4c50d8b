"""Exact signs of the two determinants that a Delaunay tessellation is decided by.

    orient(a, b, c, p)      = sign of  (b - a) x (c - a) . (p - a)
    insphere(a, b, c, d, p) = sign of  |u|^2 [v w x] + |v|^2 [w u x] + |w|^2 [u v x] - [u v w] |x|^2,
                              u, v, w, x = b - a, c - a, d - a, p - a

insphere is positive when p lies inside the sphere through a, b, c, d and these are positively oriented. A double is an
integer times a power of two, so both are signs of integers, and LLVM has integers of any width. Where the coordinates of
the whole set need at most 61 bits from the largest to their unit (lattices, catalogues in single precision, most others)
the determinants are written in 64 to 320 bits; up to 125 in 128 to 640; beyond that in Python's own integers.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from llvmlite import ir
from numba import njit, objmode, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from armillary.voids.compiled import KERNEL

#: Bits of coordinates with which no sum below overflows, in words of 64 bits and of 128.
NARROW_BITS, WIDE_BITS = 61, 125

_SIGN = ir.IntType(64)


def coordinate_bits(points: NDArray[np.float64]) -> tuple[int, int]:
    """(base, bits): every coordinate is an integer of at most so many bits, times 2**base."""
    fraction, exponent = np.frexp(points[points != 0.0])
    if len(fraction) == 0:
        return 0, 1
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    lowest = np.frexp((mantissa & -mantissa).astype(np.float64))[1]
    base = int((exponent + lowest).min()) - 54
    return base, int(exponent.max()) - base


# What follows writes LLVM's intermediate representation: `b` is a builder, and the values are integers of any width.


def _integer(b, x, base, width):
    """The double x in units of 2**base."""
    word, wide = ir.IntType(64), ir.IntType(width)
    bits = b.bitcast(x, word)
    exponent = b.and_(b.lshr(bits, word(52)), word(0x7FF))
    normal = b.icmp_unsigned("!=", exponent, word(0))
    mantissa = b.or_(b.and_(bits, word((1 << 52) - 1)), b.select(normal, word(1 << 52), word(0)))
    power = b.sub(b.sub(b.select(normal, exponent, word(1)), word(1075)), base)
    up = b.select(b.icmp_signed(">", power, word(0)), power, word(0))
    down = b.sub(up, power)
    # A mantissa ends in zeros where its unit is below 2**base, and is zero where the shift would exceed a word.
    down = b.select(b.icmp_unsigned(">", down, word(63)), word(63), down)
    size = b.shl(_wider(b, b.lshr(mantissa, down), width), _wider(b, up, width))
    return b.select(b.icmp_signed("<", bits, word(0)), b.sub(wide(0), size), size)


def _wider(b, x, width):
    return x if x.type.width == width else b.sext(x, ir.IntType(width))


def _times(b, x, y, width):
    return b.mul(_wider(b, x, width), _wider(b, y, width))


def _minor(b, u, v, i, j, width):
    return b.sub(_times(b, u[i], v[j], width), _times(b, u[j], v[i], width))


def _dot(b, u, v, width):
    x, y, z = (_times(b, p, q, width) for p, q in zip(u, v, strict=True))
    return b.add(b.add(x, y), z)


def _edges(b, base, p, width):
    """Differences of all vertices from the first."""
    x = [_integer(b, b.extract_value(p, k), base, width) for k in range(p.type.count)]
    return [[b.sub(x[k + i], x[i]) for i in range(3)] for k in range(3, len(x), 3)]


def _sign(b, x):
    zero = x.type(0)
    return b.sub(b.zext(b.icmp_signed(">", x, zero), _SIGN), b.zext(b.icmp_signed("<", x, zero), _SIGN))


def _orient(b, base, p, width):
    u, v, w = _edges(b, base, p, width)
    normal = [_minor(b, u, v, i, j, 2 * width) for i, j in ((1, 2), (2, 0), (0, 1))]
    return _sign(b, _dot(b, normal, w, 3 * width))


def _insphere(b, base, p, width):
    u, v, w, x = _edges(b, base, p, width)
    vw, wu, uv, ux, vx, wx = (_minor(b, p, q, 0, 1, 2 * width) for p, q in ((v, w), (w, u), (u, v), (u, x), (v, x), (w, x)))
    terms = (
        # |.|^2 and [b c d] = b_z (c x d)_z - c_z (b x d)_z + d_z (b x c)_z
        (u, (v[2], b.neg(w[2]), x[2]), (wx, vx, vw)),
        (v, (w[2], b.neg(u[2]), x[2]), (ux, wx, wu)),
        (w, (u[2], b.neg(v[2]), x[2]), (vx, ux, uv)),
        (x, (b.neg(u[2]), b.neg(v[2]), b.neg(w[2])), (vw, wu, uv)),
    )
    total = ir.IntType(5 * width)(0)
    for edge, heights, minors in terms:
        total = b.add(total, _times(b, _dot(b, edge, edge, 2 * width), _dot(b, heights, minors, 3 * width), 5 * width))
    return _sign(b, total)


def _intrinsic(formula, coordinates, width):
    """A function (base, coordinates) -> sign for Numba's kernels."""

    @intrinsic
    def sign(_, base, p):  # noqa: ARG001 - Numba reads their number from the signature
        def write(_, builder, __, arguments):
            return formula(builder, *arguments, width)

        return types.int64(types.int64, types.UniTuple(types.float64, coordinates)), write

    return sign


_orient_narrow, _orient_wide = _intrinsic(_orient, 12, 64), _intrinsic(_orient, 12, 128)
_insphere_narrow, _insphere_wide = _intrinsic(_insphere, 15, 64), _intrinsic(_insphere, 15, 128)


@njit(**KERNEL)
def orient_exact(base, bits, p):
    """Sign of orient for 12 coordinates in units of 2**base, of so many bits."""
    if bits <= NARROW_BITS:
        sign = _orient_narrow(base, p)
    elif bits <= WIDE_BITS:
        sign = _orient_wide(base, p)
    else:
        with objmode(sign="int64"):
            sign = orient_rational(p)
    return sign


@njit(**KERNEL)
def insphere_exact(base, bits, p):
    """Sign of insphere for 15 coordinates in units of 2**base, of so many bits."""
    if bits <= NARROW_BITS:
        sign = _insphere_narrow(base, p)
    elif bits <= WIDE_BITS:
        sign = _insphere_wide(base, p)
    else:
        with objmode(sign="int64"):
            sign = insphere_rational(p)
    return sign


def orient_rational(p) -> int:
    """Sign of orient for 12 coordinates, in rational numbers."""
    return _sign_of(_determinant(*_differences(p)))


def insphere_rational(p) -> int:
    """Sign of insphere for 15 coordinates, in rational numbers."""
    u, v, w, x = _differences(p)
    square = [sum(c * c for c in edge) for edge in (u, v, w, x)]
    return _sign_of(
        square[0] * _determinant(v, w, x) + square[1] * _determinant(w, u, x)
        + square[2] * _determinant(u, v, x) - square[3] * _determinant(u, v, w)
    )


def collinear_rational(p) -> bool:
    """True when three points of 9 coordinates lie on one line, in rational numbers."""
    u, v = _differences(p)
    return all(u[i] * v[(i + 1) % 3] == u[(i + 1) % 3] * v[i] for i in range(3))


def circumcentre_rational(p) -> list[float]:
    """Circumcentre of four points of 12 coordinates, relative to the first: rational numbers, rounded once."""
    u, v, w = _differences(p)
    square = [sum(c * c for c in edge) for edge in (u, v, w)]
    volume = 2 * _determinant(u, v, w)
    unit = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    return [
        _rounded(sum(s * _determinant(e, q, r) for s, q, r in zip(square, (v, w, u), (w, u, v), strict=True)) / volume)
        for e in unit
    ]


def _rounded(x: Fraction) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.copysign(math.inf, x)


def _differences(p):
    x = [Fraction(float(c)) for c in p]
    return [[x[k + i] - x[i] for i in range(3)] for k in range(3, len(x), 3)]


def _determinant(u, v, w):
    return (
        u[0] * (v[1] * w[2] - v[2] * w[1]) + u[1] * (v[2] * w[0] - v[0] * w[2]) + u[2] * (v[0] * w[1] - v[1] * w[0])
    )


def _sign_of(x) -> int:
    return (x > 0) - (x < 0)
