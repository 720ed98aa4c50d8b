"""Exact signs of the two determinants that a Delaunay tessellation is decided by.

    orient(a, b, c, p)      = sign of  u . (v x w),   u, v, w = b - a, c - a, p - a
    insphere(a, b, c, d, p) = sign of  |u|^2 [v w x] + |v|^2 [w u x] + |w|^2 [u v x] - [u v w] |x|^2,
                              u, v, w, x = b - a, c - a, d - a, p - a

insphere is positive when p lies inside the sphere through a, b, c, d and these are positively oriented. Coordinates are integers
times one power of two. When they need at most 60 bits (lattices, catalogues in single precision, most others) the
arithmetic is on 64-bit words, 320 bits in all; otherwise on numbers of as many digits as it takes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: The most bits that coordinates may need for arithmetic on fixed words.
FIXED_BITS = 60

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)


class Space(NamedTuple):
    """Points in the form that exact predicates take.

    Attributes
    ----------
    points : (n, 3) coordinates.
    fixed : (n, 3) the same as integers times 2**base, or (1, 3) when they need more than 60 bits.
    base : exponent of the unit.
    digits : 32-bit digits that the arithmetic needs, 0 for fixed words.
    """

    points: NDArray[np.float64]
    fixed: NDArray[np.int64]
    base: int
    digits: int

    @classmethod
    def of(cls, points: NDArray[np.float64]) -> Space:
        """Find the unit of the coordinates and how many bits they need."""
        base, bits = coordinate_bits(points)
        if bits <= FIXED_BITS:
            return cls(points, np.ldexp(points, -base).astype(np.int64), base, 0)
        return cls(points, np.zeros((1, 3), dtype=np.int64), base, (5 * (bits + 1) + 12) // 32 + 3)


@njit(cache=True)
def coordinate_bits(points):
    """(base, bits): every coordinate is an integer of at most so many bits, times 2**base."""
    base, top = 5000, -5000
    for i in range(points.shape[0]):
        for k in range(3):
            if points[i, k] != 0.0:
                fraction, exponent = math.frexp(abs(points[i, k]))
                mantissa = np.int64(fraction * 9007199254740992.0)
                zeros = 0
                while mantissa & 1 == 0:
                    mantissa >>= 1
                    zeros += 1
                base = min(base, exponent - 53 + zeros)
                top = max(top, exponent)
    return base, max(top - base, 1)


@njit(cache=True)
def orient_exact(space, a, b, c, p):
    """Sign of orient(a, b, c, p) for indices of points."""
    if space.digits > 0:
        u, v, w = _big_edge(space, b, a), _big_edge(space, c, a), _big_edge(space, p, a)
        return _big_sign(_big_determinant(u, v, w))
    u, v, w = _edge(space.fixed, b, a), _edge(space.fixed, c, a), _edge(space.fixed, p, a)
    x, y, z = _minor(v[1], v[2], w[1], w[2]), _minor(v[2], v[0], w[2], w[0]), _minor(v[0], v[1], w[0], w[1])
    return _sign192(_sum_of_products(u[0], x, u[1], y, u[2], z))


@njit(cache=True)
def insphere_exact(space, a, b, c, d, p):
    """Sign of insphere(a, b, c, d, p) for indices of points."""
    if space.digits > 0:
        return _big_insphere(space, a, b, c, d, p)
    u, v, w, x = _edge(space.fixed, b, a), _edge(space.fixed, c, a), _edge(space.fixed, d, a), _edge(space.fixed, p, a)
    vw, wu, uv = _minor(v[0], v[1], w[0], w[1]), _minor(w[0], w[1], u[0], u[1]), _minor(u[0], u[1], v[0], v[1])
    ux, vx, wx = _minor(u[0], u[1], x[0], x[1]), _minor(v[0], v[1], x[0], x[1]), _minor(w[0], w[1], x[0], x[1])
    # [a b c] = a_z (b x c)_z - b_z (a x c)_z + c_z (a x b)_z
    total = (_ZERO, _ZERO, _ZERO, _ZERO, _ZERO)
    total = _add_product(total, _square(u), _sum_of_products(v[2], wx, -w[2], vx, x[2], vw), False)
    total = _add_product(total, _square(v), _sum_of_products(w[2], ux, -u[2], wx, x[2], wu), False)
    total = _add_product(total, _square(w), _sum_of_products(u[2], vx, -v[2], ux, x[2], uv), False)
    total = _add_product(total, _square(x), _sum_of_products(u[2], vw, v[2], wu, w[2], uv), True)
    if np.int64(total[4]) < 0:
        return -1
    return 1 if (total[0] | total[1] | total[2] | total[3] | total[4]) != _ZERO else 0


@njit(cache=True)
def collinear_exact(space, a, b, c):
    """True when three points lie on one line."""
    if space.digits > 0:
        u, v = _big_edge(space, b, a), _big_edge(space, c, a)
        return (
            _big_sign(_big_minor(u[0], u[1], v[0], v[1])) == 0
            and _big_sign(_big_minor(u[1], u[2], v[1], v[2])) == 0
            and _big_sign(_big_minor(u[2], u[0], v[2], v[0])) == 0
        )
    u, v = _edge(space.fixed, b, a), _edge(space.fixed, c, a)
    for i in range(3):
        j = (i + 1) % 3
        high, low = _minor(u[i], u[j], v[i], v[j])
        if high != 0 or low != _ZERO:
            return False
    return True


# Fixed words. A 128-bit number is (signed high, low); a 192-bit one three words, high first, in two's complement.


@njit(cache=True)
def _edge(fixed, a, b):
    return fixed[a, 0] - fixed[b, 0], fixed[a, 1] - fixed[b, 1], fixed[a, 2] - fixed[b, 2]


@njit(cache=True)
def _product(x, y):
    """128-bit product of two unsigned words: (high, low)."""
    x0, x1, y0, y1 = x & _LOW, x >> _HALF, y & _LOW, y >> _HALF
    low = x0 * y0
    middle = x1 * y0 + (low >> _HALF)
    other = x0 * y1 + (middle & _LOW)
    return x1 * y1 + (middle >> _HALF) + (other >> _HALF), (other << _HALF) | (low & _LOW)


@njit(cache=True)
def _signed_product(a, b):
    high, low = _product(np.uint64(abs(a)), np.uint64(abs(b)))
    if (a < 0) != (b < 0):
        low = _ZERO - low
        high = ~high + (_ONE if low == _ZERO else _ZERO)
    return np.int64(high), low


@njit(cache=True)
def _minor(ax, ay, bx, by):
    """ax by - ay bx in 128 bits."""
    ph, pl = _signed_product(ax, by)
    qh, ql = _signed_product(ay, bx)
    return np.int64(np.uint64(ph) - np.uint64(qh) - (_ONE if pl < ql else _ZERO)), pl - ql


@njit(cache=True)
def _square(u):
    """|u|^2 in 128 bits."""
    high, low = _signed_product(u[0], u[0])
    for k in (1, 2):
        more_high, more_low = _signed_product(u[k], u[k])
        low = low + more_low
        high = np.int64(np.uint64(high) + np.uint64(more_high) + (_ONE if low < more_low else _ZERO))
    return high, low


@njit(cache=True)
def _negative192(w2, w1, w0):
    w0 = _ZERO - w0
    carry = _ONE if w0 == _ZERO else _ZERO
    w1 = ~w1 + carry
    carry = _ONE if carry == _ONE and w1 == _ZERO else _ZERO
    return ~w2 + carry, w1, w0


@njit(cache=True)
def _times(z, m):
    """Word times a 128-bit number, in 192 bits."""
    high, low = np.uint64(m[0]), m[1]
    if m[0] < 0:
        low = _ZERO - low
        high = ~high + (_ONE if low == _ZERO else _ZERO)
    p1, p0 = _product(np.uint64(abs(z)), low)
    q1, q0 = _product(np.uint64(abs(z)), high)
    w1 = p1 + q0
    w2 = q1 + (_ONE if w1 < p1 else _ZERO)
    if (z < 0) != (m[0] < 0):
        return _negative192(w2, w1, p0)
    return w2, w1, p0


@njit(cache=True)
def _with_carry(a, b, carry):
    """a + b + carry and the carry out."""
    total = a + b
    out = _ONE if total < a else _ZERO
    total = total + carry
    if total < carry:
        out = _ONE
    return total, out


@njit(cache=True)
def _add192(a, b):
    w0, carry = _with_carry(a[2], b[2], _ZERO)
    w1, carry = _with_carry(a[1], b[1], carry)
    return a[0] + b[0] + carry, w1, w0


@njit(cache=True)
def _sum_of_products(z1, m1, z2, m2, z3, m3):
    return _add192(_add192(_times(z1, m1), _times(z2, m2)), _times(z3, m3))


@njit(cache=True)
def _sign192(w):
    if np.int64(w[0]) < 0:
        return -1
    return 1 if (w[0] | w[1] | w[2]) != _ZERO else 0


@njit(cache=True)
def _add_product(total, factor, number, subtract):
    """Add to 320 bits (low first) a 128-bit number >= 0 times a 192-bit one, or subtract it."""
    negative = np.int64(number[0]) < 0
    if negative:
        number = _negative192(number[0], number[1], number[2])
    low, high = factor[1], np.uint64(factor[0])
    d2, d1, d0 = number
    h00, r0 = _product(low, d0)
    h01, l01 = _product(low, d1)
    h02, l02 = _product(low, d2)
    h10, l10 = _product(high, d0)
    h11, l11 = _product(high, d1)
    h12, l12 = _product(high, d2)
    r1, c1 = _sum3(h00, l01, l10)
    r2, c2 = _sum5(h01, l02, h10, l11, c1)
    r3, c3 = _sum5(h02, h11, l12, _ZERO, c2)
    r4 = h12 + c3
    s0, s1, s2, s3, s4 = total
    if negative != subtract:
        # a - b = ~(~a + b)
        s0, s1, s2, s3, s4 = ~s0, ~s1, ~s2, ~s3, ~s4
    s0, carry = _with_carry(s0, r0, _ZERO)
    s1, carry = _with_carry(s1, r1, carry)
    s2, carry = _with_carry(s2, r2, carry)
    s3, carry = _with_carry(s3, r3, carry)
    s4, carry = _with_carry(s4, r4, carry)
    if negative != subtract:
        return ~s0, ~s1, ~s2, ~s3, ~s4
    return s0, s1, s2, s3, s4


@njit(cache=True)
def _sum3(a, b, c):
    total = a + b
    carry = _ONE if total < a else _ZERO
    total = total + c
    return total, carry + (_ONE if total < c else _ZERO)


@njit(cache=True)
def _sum5(a, b, c, d, e):
    total, carry = _sum3(a, b, c)
    total = total + d
    carry += _ONE if total < d else _ZERO
    total = total + e
    return total, carry + (_ONE if total < e else _ZERO)


# Numbers of any length: an array of 32-bit digits in 64-bit words, low first, then 1 if negative.


@njit(cache=True)
def _big(x, base, digits):
    out = np.zeros(digits + 1, dtype=np.uint64)
    if x == 0.0:
        return out
    fraction, exponent = math.frexp(abs(x))
    mantissa = np.uint64(np.int64(fraction * 9007199254740992.0))
    shift = exponent - 53 - base
    if shift < 0:
        mantissa = mantissa >> np.uint64(-shift)
        shift = 0
    word, bit = shift // 32, np.uint64(shift % 32)
    low, high = (mantissa & _LOW) << bit, (mantissa >> _HALF) << bit
    middle = (low >> _HALF) + (high & _LOW)
    out[word] = low & _LOW
    out[word + 1] = middle & _LOW
    out[word + 2] = (middle >> _HALF) + (high >> _HALF)
    out[digits] = _ONE if x < 0.0 else _ZERO
    return out


@njit(cache=True)
def _big_sum(a, b, subtract):
    n = len(a) - 1
    out = np.zeros(n + 1, dtype=np.uint64)
    sign_b = b[n] ^ (_ONE if subtract else _ZERO)
    if a[n] == sign_b:
        carry = _ZERO
        for i in range(n):
            total = a[i] + b[i] + carry
            out[i] = total & _LOW
            carry = total >> _HALF
        out[n] = a[n]
        return out
    i = n - 1
    while i >= 0 and a[i] == b[i]:
        i -= 1
    if i < 0:
        return out
    larger, smaller = (a, b) if a[i] > b[i] else (b, a)
    out[n] = a[n] if a[i] > b[i] else sign_b
    borrow = _ZERO
    for k in range(n):
        out[k] = (larger[k] - smaller[k] - borrow) & _LOW
        borrow = _ONE if larger[k] < smaller[k] + borrow else _ZERO
    return out


@njit(cache=True)
def _big_product(a, b):
    n = len(a) - 1
    out = np.zeros(n + 1, dtype=np.uint64)
    for i in range(n):
        if a[i] == _ZERO:
            continue
        carry = _ZERO
        for j in range(n - i):
            total = a[i] * b[j] + out[i + j] + carry
            out[i + j] = total & _LOW
            carry = total >> _HALF
    out[n] = a[n] ^ b[n]
    return out


@njit(cache=True)
def _big_sign(a):
    n = len(a) - 1
    for i in range(n):
        if a[i] != _ZERO:
            return 1 if a[n] == _ZERO else -1
    return 0


@njit(cache=True)
def _big_edge(space, a, b):
    p, base, n = space.points, space.base, space.digits
    return (
        _big_sum(_big(p[a, 0], base, n), _big(p[b, 0], base, n), True),
        _big_sum(_big(p[a, 1], base, n), _big(p[b, 1], base, n), True),
        _big_sum(_big(p[a, 2], base, n), _big(p[b, 2], base, n), True),
    )


@njit(cache=True)
def _big_minor(ax, ay, bx, by):
    return _big_sum(_big_product(ax, by), _big_product(ay, bx), True)


@njit(cache=True)
def _big_determinant(u, v, w):
    total = _big_product(u[0], _big_minor(v[1], v[2], w[1], w[2]))
    total = _big_sum(total, _big_product(u[1], _big_minor(v[2], v[0], w[2], w[0])), False)
    return _big_sum(total, _big_product(u[2], _big_minor(v[0], v[1], w[0], w[1])), False)


@njit(cache=True)
def _big_square(u):
    total = _big_sum(_big_product(u[0], u[0]), _big_product(u[1], u[1]), False)
    return _big_sum(total, _big_product(u[2], u[2]), False)


@njit(cache=True)
def _big_insphere(space, a, b, c, d, p):
    u, v, w, x = _big_edge(space, b, a), _big_edge(space, c, a), _big_edge(space, d, a), _big_edge(space, p, a)
    total = _big_product(_big_square(u), _big_determinant(v, w, x))
    total = _big_sum(total, _big_product(_big_square(v), _big_determinant(w, u, x)), False)
    total = _big_sum(total, _big_product(_big_square(w), _big_determinant(u, v, x)), False)
    return _big_sign(_big_sum(total, _big_product(_big_square(x), _big_determinant(u, v, w)), True))
