"""From the rows of a finished mesh to tetrahedra that others can read, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from armillary.voids.compiled import KERNEL
from armillary.voids.insertion import DEAD

_0, _1, _4, _8 = (np.uint64(k) for k in (0, 1, 4, 8))


def finite_tetrahedra(links, names, n_own, places, n_places):
    """Tetrahedra that are neither dead nor ghosts and have a vertex of a name below ``n_own``: vertices, adjacent (t, 4).

    Parameters
    ----------
    names : (n,) what to call each point, the first inserted first.
    places : (n,) where each point is, below ``n_places``; the tetrahedra are sorted by the lowest of their vertices' places, so
        that neighbours lie close in memory.
    """
    n_slots = len(links) // 8
    tetrahedra, adjacent = np.empty((n_slots, 4), dtype=np.int32), np.empty((n_slots, 4), dtype=np.int32)
    start, number = np.zeros(n_places + 1, dtype=np.int64), np.empty(n_slots, dtype=np.int32)
    count = _gather_finite(links, names, n_own, places, n_places, start, number, tetrahedra, adjacent)
    return tetrahedra[:count], adjacent[:count]


@njit(**KERNEL)
def _gather_finite(links, names, n_own, places, n_places, start, number, tetrahedra, adjacent):
    """Fill in :func:`finite_tetrahedra`; how many there are. ``start`` (n_places + 1,) comes as 0, ``number`` (slots,) anyhow."""
    n_slots = len(number)
    for t in range(n_slots):
        row, lowest, owned = _8 * np.uint64(t), np.uint64(n_places), False
        if links[row] != DEAD:
            for k in range(4):
                vertex = np.uint64(links[row + np.uint64(k)])
                if vertex == _0:
                    owned = False
                    break
                lowest = min(lowest, np.uint64(places[vertex - _1]))
                owned = owned or names[vertex - _1] < n_own
        number[np.uint64(t)] = -1
        if owned:
            number[np.uint64(t)] = lowest
            start[lowest + _1] += 1
    for k in range(n_places):
        start[k + 1] += start[k]
    count = start[n_places]
    for t in range(n_slots):
        lowest = number[np.uint64(t)]
        if lowest >= 0:
            number[np.uint64(t)] = start[np.uint64(lowest)]
            start[np.uint64(lowest)] += 1
    for t in range(n_slots):
        k = number[np.uint64(t)]
        if k >= 0:
            row = _8 * np.uint64(t)
            for i in range(4):
                tetrahedra[k, i] = names[np.uint64(links[row + np.uint64(i)]) - _1]
                adjacent[k, i] = number[np.uint64(links[row + _4 + np.uint64(i)] >> 2)]
    return count
