"""Orders of points that depend on their coordinates alone.

Along a Hilbert curve (Skilling 2004, AIP Conf. Proc. 707, 381) neighbours in the order are neighbours in space, so that
work done in it finds its data in the cache. A biased randomized insertion order (Amenta, Choi & Rote 2003) takes the
points in rounds, each along the curve and many times as large as the one before; here chance is a hash of the coordinates, so
that the same points come in the same order however they are given. Rounds grow by 16: few enough that what lies close in space
was mostly made at the same time, and so lies close in memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import INNER, KERNEL

#: Bits of a place on the curve, along each axis.
HILBERT_BITS = 21
_SMALLEST_ROUND = 1024
_HALVINGS_PER_ROUND = 4
_ONE = np.uint64(1)


def canonical_order(xyz: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices (n,) that sort positions (n, 3) along a Hilbert curve, ties by x, y, z."""
    return _sorted(xyz, hilbert_index(xyz))


def insertion_order(xyz: NDArray[np.float64], along: NDArray[np.uint64] | None = None) -> NDArray[np.int64]:
    """Indices (n,) in biased randomized insertion order: rounds of 16 times as many, each along a Hilbert curve.

    ``along`` are the positions' places on the curve (:func:`hilbert_index`), where they are known already.
    """
    along = hilbert_index(xyz) if along is None else along
    last = max(int(np.log2(max(len(xyz), 1) / _SMALLEST_ROUND)), 0) // _HALVINGS_PER_ROUND
    earlier = _halvings(xyz, _HALVINGS_PER_ROUND * last) // np.uint64(_HALVINGS_PER_ROUND)
    return _sorted(xyz, (np.uint64(last) - earlier) << np.uint64(58) | along >> np.uint64(5))


def hilbert_index(xyz: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Places (n,) of positions (n, 3) on the Hilbert curve through their bounding cube: 63 bits."""
    low, high = extent(xyz)
    out = np.empty(len(xyz), dtype=np.uint64)
    _hilbert(xyz, low, float((high - low).max()) or 1.0, out)
    return out


def extent(xyz: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest coordinates (3,) of positions (n, 3); one axis at a time, which NumPy does 20 times as fast."""
    axes = range(xyz.shape[1])
    return np.array([xyz[:, k].min() for k in axes]), np.array([xyz[:, k].max() for k in axes])


def _sorted(xyz, key) -> NDArray[np.int64]:
    order = np.argsort(key)
    ordered = key[order]
    if (ordered[1:] == ordered[:-1]).any():
        x, y, z = np.asarray(xyz).T
        order = np.lexsort((z, y, x, key))
    return order


def _halvings(xyz, most):
    """How often in a row, at most ``most`` times, a coin that each point brings along falls on the same side: (n,)."""
    bits = (np.ascontiguousarray(xyz) + 0.0).view(np.uint64)  # 0 and -0 are the same place
    mixed = np.full(len(bits), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for axis in range(3):
        mixed ^= bits[:, axis]
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(32)
    # The lowest bit that is set, which a float holds exactly.
    mixed |= np.uint64(1 << most)
    return np.frexp((mixed & (~mixed + _ONE)).astype(np.float64))[1].astype(np.uint64) - _ONE


@njit(**KERNEL)
def _hilbert(xyz, low, span, out):
    """Fill in the 63-bit Hilbert indices ``out`` (n,) of positions in the cube of side ``span`` at ``low``."""
    top = _ONE << np.uint64(HILBERT_BITS - 1)
    for i in range(len(xyz)):
        x = np.uint64(min((xyz[i, 0] - low[0]) / span, 1.0) * 2097151.0)
        y = np.uint64(min((xyz[i, 1] - low[1]) / span, 1.0) * 2097151.0)
        z = np.uint64(min((xyz[i, 2] - low[2]) / span, 1.0) * 2097151.0)
        bit = top
        while bit > _ONE:
            below = bit - _ONE
            if x & bit:
                x ^= below
            if y & bit:
                x ^= below
            else:
                swap = (x ^ y) & below
                x ^= swap
                y ^= swap
            if z & bit:
                x ^= below
            else:
                swap = (x ^ z) & below
                x ^= swap
                z ^= swap
            bit >>= _ONE
        y ^= x
        z ^= y
        turn = np.uint64(0)
        bit = top
        while bit > _ONE:
            if z & bit:
                turn ^= bit - _ONE
            bit >>= _ONE
        out[i] = _spread(x ^ turn) << np.uint64(2) | _spread(y ^ turn) << _ONE | _spread(z ^ turn)


@njit(**INNER)
def _spread(v):
    """The 21 low bits of v, three apart."""
    v = (v | v << np.uint64(32)) & np.uint64(0x1F00000000FFFF)
    v = (v | v << np.uint64(16)) & np.uint64(0x1F0000FF0000FF)
    v = (v | v << np.uint64(8)) & np.uint64(0x100F00F00F00F00F)
    v = (v | v << np.uint64(4)) & np.uint64(0x10C30C30C30C30C3)
    return (v | v << np.uint64(2)) & np.uint64(0x1249249249249249)
