"""The volume of a union of spheres, by integrating exactly along parallel lines, compiled.

Each void is crossed by a lattice of lines; on each line the union is a union of intervals, whose length is exact. The lattice
is two interleaved sets of ``n x n`` lines: their mean is the volume, half their difference the standard error.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True)
def _covered(a, b, n):
    """Length covered by n intervals [a, b]; sorts them in place by their lower end."""
    for i in range(1, n):
        lower, upper = a[i], b[i]
        j = i - 1
        while j >= 0 and a[j] > lower:
            a[j + 1], b[j + 1] = a[j], b[j]
            j -= 1
        a[j + 1], b[j + 1] = lower, upper
    total, reach = 0.0, -math.inf
    for i in range(n):
        if b[i] > reach:
            total += b[i] - max(a[i], reach)
            reach = b[i]
    return total


@njit(cache=True)
def _lattice(centre, radius, first, last, n, offset, members, a, b):
    """Volume of the union of spheres first ... last-1 from one lattice of n x n lines along z, shifted by ``offset``."""
    low_x, high_x, low_y, high_y = math.inf, -math.inf, math.inf, -math.inf
    for i in range(first, last):
        low_x, high_x = min(low_x, centre[i, 0] - radius[i]), max(high_x, centre[i, 0] + radius[i])
        low_y, high_y = min(low_y, centre[i, 1] - radius[i]), max(high_y, centre[i, 1] + radius[i])
    dx, dy = (high_x - low_x) / n, (high_y - low_y) / n
    total = 0.0
    for ix in range(n):
        x = low_x + (ix + offset[0]) * dx
        m = 0
        for i in range(first, last):
            if abs(centre[i, 0] - x) < radius[i]:
                members[m] = i
                m += 1
        for iy in range(n):
            y = low_y + (iy + offset[1]) * dy
            crossed = 0
            for k in range(m):
                i = members[k]
                half2 = radius[i] ** 2 - (centre[i, 0] - x) ** 2 - (centre[i, 1] - y) ** 2
                if half2 > 0.0:
                    half = math.sqrt(half2)
                    a[crossed], b[crossed] = centre[i, 2] - half, centre[i, 2] + half
                    crossed += 1
            total += _covered(a, b, crossed)
    return total * dx * dy


@njit(cache=True)
def union_volumes(centre, radius, start, n):
    """Volumes (v,) of unions of spheres and their standard errors (v,).

    Void k is made of the spheres ``start[k]`` ... ``start[k + 1] - 1``; a single sphere is exact.
    """
    voids = len(start) - 1
    volume, error = np.empty(voids), np.zeros(voids)
    longest = 1
    for k in range(voids):
        longest = max(longest, start[k + 1] - start[k])
    members = np.empty(longest, dtype=np.int64)
    a, b = np.empty(longest), np.empty(longest)
    for k in range(voids):
        if start[k + 1] - start[k] == 1:
            volume[k] = 4.0 / 3.0 * math.pi * radius[start[k]] ** 3
            continue
        first = _lattice(centre, radius, start[k], start[k + 1], n, (0.25, 0.25), members, a, b)
        second = _lattice(centre, radius, start[k], start[k + 1], n, (0.75, 0.75), members, a, b)
        volume[k] = 0.5 * (first + second)
        error[k] = 0.5 * abs(first - second)
    return volume, error
