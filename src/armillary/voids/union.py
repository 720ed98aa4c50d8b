"""The volume of a union of spheres, by integrating exactly along parallel lines, compiled.

Each void is crossed by a lattice of lines; on each line the union is a union of intervals, whose length is exact. The lattice
is two interleaved sets of ``n x n`` lines: their mean is the volume, half their difference the standard error.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import INNER, KERNEL


def union_volumes(
    centre: NDArray[np.float64], radius: NDArray[np.float64], start: NDArray[np.int64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Volumes (v,) of unions of spheres and their standard errors (v,).

    Void k is made of the spheres ``start[k]`` ... ``start[k + 1] - 1``; a single sphere is exact.
    """
    first, last = start[:-1], start[1:]
    volume, error = np.empty(len(first)), np.zeros(len(first))
    if not len(first):
        return volume, error
    order = np.lexsort((centre[:, 2], np.repeat(np.arange(len(first)), last - first)))
    centre, radius = centre[order], radius[order]
    low = np.minimum.reduceat(centre[:, :2] - radius[:, None], first)
    step = (np.maximum.reduceat(centre[:, :2] + radius[:, None], first) - low) / n
    longest = int((last - first).max())
    totals = np.empty((len(first), 2))
    _lattices(
        centre, radius, start, n, low, step, np.empty(longest, dtype=np.int64), np.empty((longest, 2)), totals
    )
    totals *= step.prod(axis=1)[:, None]
    volume[:] = totals.mean(axis=1)
    error[:] = 0.5 * np.abs(totals[:, 0] - totals[:, 1])
    single = last - first == 1
    volume[single] = 4.0 / 3.0 * math.pi * radius[first[single]] ** 3
    error[single] = 0.0
    return volume, error


@njit(**KERNEL)
def _lattices(centre, radius, start, n, low, step, members, pieces, totals):
    """Length of the lines inside each void, summed over each of its two lattices of n x n lines along z."""
    for void in range(len(start) - 1):
        for half in range(2):
            offset = 0.25 + 0.5 * half
            total = 0.0
            for ix in range(n):
                x = low[void, 0] + (ix + offset) * step[void, 0]
                m = np.int64(0)  # not a literal, for which what it is passed to would be compiled as well
                for i in range(start[void], start[void + 1]):
                    if abs(centre[i, 0] - x) < radius[i]:
                        members[m] = i
                        m += 1
                for iy in range(n):
                    total += _length(centre, radius, members, m, x, low[void, 1] + (iy + offset) * step[void, 1], pieces)
            totals[void, half] = total


@njit(**INNER)
def _length(centre, radius, members, m, x, y, pieces):
    """Length of the line at (x, y) inside the first m ``members``, which come in order of z; ``pieces`` is scratch.

    An interval that overlaps any piece of those before then overlaps the last piece: it holds the middle of one of that
    piece's intervals. So pieces merge from the last one back.
    """
    found = 0
    for k in range(m):
        i = members[k]
        dx, dy = centre[i, 0] - x, centre[i, 1] - y
        half2 = radius[i] * radius[i] - dx * dx - dy * dy
        if half2 > 0.0:
            reach = math.sqrt(half2)
            a, b = centre[i, 2] - reach, centre[i, 2] + reach
            while found > 0 and pieces[found - 1, 1] >= a:
                found -= 1
                a = min(pieces[found, 0], a)
                b = max(pieces[found, 1], b)
            pieces[found, 0] = a
            pieces[found, 1] = b
            found += 1
    total = 0.0
    for k in range(found):
        total += pieces[k, 1] - pieces[k, 0]
    return total
