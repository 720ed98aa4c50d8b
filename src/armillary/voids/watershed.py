"""Zones and their hierarchy: the watershed of the Voronoi density field (Neyrinck 2008, arXiv:0712.3049).

The density at a galaxy is one over the volume of its Voronoi cell. Zones are the basins of the minima; a link between two zones
is the highest pass, i.e. the largest over adjacent cell pairs of the smaller of the two volumes. Flooding from the top, voids
are recorded in the order in which they flow into a deeper one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import KERNEL
from armillary.voids.zone_sets import ZoneSets


@dataclass(frozen=True)
class ZoneMap:
    """The zones of a set of cells.

    Attributes
    ----------
    zone : (n,) zone of each cell, -1 for cells of volume 0.
    depth : (n,) steps from the core, 0 for cells without a zone.
    core : (k,) cell at the density minimum of each zone, largest first.
    near_edge : (n,) True where a neighbour has volume 0.
    """

    zone: NDArray[np.int64]
    depth: NDArray[np.int64]
    core: NDArray[np.int64]
    near_edge: NDArray[np.bool_]


@dataclass(frozen=True)
class ZoneLinks:
    """Pairs of adjacent zones, ``first < second``; second = k stands for the cells without a zone.

    Attributes
    ----------
    first, second : (p,) zones, in ascending order of (first, second).
    saddle : (p,) linking volume [(Mpc/h)^3]; 0 towards cells without a zone.
    area : (p,) area of the common boundary [(Mpc/h)^2].
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    saddle: NDArray[np.float64]
    area: NDArray[np.float64]


@dataclass(frozen=True)
class Hierarchy:
    """The voids in the order in which they flowed into a deeper one.

    Attributes
    ----------
    sets : the zones that had gathered in each of the v voids, its core zone first.
    joined : (m,) the linking volume at which each of ``sets.zones`` had joined; for core zones the core volume [(Mpc/h)^3].
    core_volume : (v,) the largest cell [(Mpc/h)^3].
    saddle : (v,) linking volume at which it flowed into a deeper void; 0 for the last one.
    """

    sets: ZoneSets
    joined: NDArray[np.float64]
    core_volume: NDArray[np.float64]
    saddle: NDArray[np.float64]


def zones_of(volume: NDArray[np.float64], indptr, indices, origin) -> ZoneMap:
    """Assign every cell of positive ``volume`` (n,) to the zone of its largest neighbour.

    Of equal volumes the one that comes first in the array counts as larger.
    """
    n = len(volume)
    top, depth, near_edge = np.full(n, -1), np.full(n, -1), np.zeros(n, dtype=bool)
    _climb(volume, indptr, indices, origin, top, depth, near_edge)
    core = np.flatnonzero(top == np.arange(n))
    core = core[np.argsort(-volume[core], kind="stable")]
    number = np.full(n + 1, -1)  # one more, for those that climb nowhere (-1)
    number[core] = np.arange(len(core))
    return ZoneMap(number[top], np.maximum(depth, 0), core, near_edge)


# The kernels fill arrays that they are given: to make arrays inside, or call max, takes longer to compile than the loops do.


@njit(**KERNEL)
def _climb(volume, indptr, indices, origin, top, depth, near_edge):
    """Fill in the core that each cell climbs to, the number of steps, and whether it has a neighbour of volume 0.

    ``top`` and ``depth`` come as -1 and stay so for cells of volume 0.
    """
    n = len(volume)
    for i in range(n):
        largest = volume[i]
        if largest <= 0.0:
            continue
        best = i
        for k in range(indptr[i], indptr[i + 1]):
            j = origin[indices[k]]
            if volume[j] <= 0.0:
                near_edge[i] = True
            elif volume[j] > largest or (volume[j] == largest and j < best):
                best, largest = j, volume[j]
        top[i] = best
        if best == i:
            depth[i] = 0
    for i in range(n):
        if top[i] < 0:
            continue
        # Up to the first cell that knows its core, then once more to tell all on the way.
        steps, j = 0, i
        while depth[j] < 0:
            j = top[j]
            steps += 1
        core, steps = top[j], steps + depth[j]
        j = i
        while depth[j] < 0:
            depth[j] = steps
            steps -= 1
            above = top[j]
            top[j] = core
            j = above


def link_zones(volume, zones: ZoneMap, indptr, indices, origin, area) -> ZoneLinks:
    """The highest pass and the common area of every pair of adjacent zones.

    ``area`` are those of the facets towards the neighbours ``indices``.
    """
    k, places = len(zones.core), _FEWEST_PLACES
    label = np.where(zones.zone < 0, k, zones.zone)
    while places < _PLACES * k:
        places *= 2
    while True:
        key, link = np.full(places, -1), np.zeros((places, 2))
        if _gather_links(volume, label, indptr, indices, origin, area, k + 1, key, link):
            break
        places *= 2
    used = np.flatnonzero(key >= 0)
    used = used[np.argsort(key[used])]
    return ZoneLinks(key[used] // (k + 1), key[used] % (k + 1), link[used, 0], link[used, 1])


#: Places of the table of links for each zone, of which half are used at most: a zone borders on some fifteen others.
_PLACES, _FEWEST_PLACES = 24, 1024


@njit(**KERNEL)
def _gather_links(volume, label, indptr, indices, origin, area, base, keys, link):
    """Fill in the highest pass and the area between each two labels; False when the table is too small.

    ``keys`` (s,) and ``link`` (s, 2) are an open hash table of s places, a power of two, from ``lower label base + higher
    label`` to pass and area. Each facet is counted from its cell with the lower label.
    """
    mask, used = len(keys) - 1, 0
    for i in range(len(volume)):
        last, slot = -1, 0
        for k in range(indptr[i], indptr[i + 1]):
            j = origin[indices[k]]
            if label[i] >= label[j]:
                continue
            key = label[i] * base + label[j]
            if key != last:
                last = key
                # Fibonacci hashing: the higher bits of the product depend on every bit of the key.
                slot = ((key * 0x1E3779B97F4A7C15) >> 20) & mask
                while keys[slot] >= 0 and keys[slot] != key:
                    slot = (slot + 1) & mask
                if keys[slot] < 0:
                    keys[slot] = key
                    used += 1
                    if 2 * used > mask:
                        return False
            low = volume[i]
            if volume[j] < low:
                low = volume[j]
            if low > link[slot, 0]:
                link[slot, 0] = low
            link[slot, 1] += area[k]
    return True


def flood(links: ZoneLinks, core_volume: NDArray[np.float64]) -> Hierarchy:
    """The hierarchy of voids, from the highest pass down, of zones numbered from the largest core down.

    All groups that meet at one saddle volume flow into the one with the largest core at once, and each of the others is
    recorded. Groups that are linked to nothing meet at a saddle of 0, so that each zone is the core of one void, and the
    last void takes every zone.
    """
    k = len(core_volume)
    real = links.second < k
    order = np.flatnonzero(real)[np.argsort(-links.saddle[real], kind="stable")]
    first, second, saddle = links.first[order].tolist(), links.second[order].tolist(), links.saddle[order].tolist()
    volume = np.asarray(core_volume, dtype=np.float64).tolist()
    group = list(range(k))
    # Zones of the group whose core a zone is, in the order in which they joined, and the saddle at which they did.
    members = [[z] for z in range(k)]
    joined = [[volume[z]] for z in range(k)]
    recorded: list[int] = []
    at: list[float] = []

    def meet(groups: Sequence[int], level: float) -> None:
        # The smallest number is the deepest. What is recorded stays as it is: only the winner's lists grow.
        winner, losers = groups[0], groups[1:]
        gathered: list[int] = []
        for g in losers:
            recorded.append(g)
            at.append(level)
            gathered += members[g]
        for z in gathered:
            group[z] = winner
        gathered.sort()
        members[winner] += gathered
        joined[winner] += [level] * len(gathered)

    start = 0
    while start < len(saddle):
        level, meeting = saddle[start], set()
        while start < len(saddle) and saddle[start] == level:
            meeting |= {group[first[start]], group[second[start]]}
            start += 1
        if len(meeting) > 1:
            meet(sorted(meeting), level)
    if k:
        meet(sorted(set(group)), 0.0)
        recorded.append(0)
        at.append(0.0)
    return Hierarchy(
        ZoneSets(_joined_lists(members, recorded, np.int64), np.array([len(members[g]) for g in recorded], dtype=np.int64)),
        _joined_lists(joined, recorded, np.float64), np.array([volume[g] for g in recorded]), np.array(at),
    )


def _joined_lists(lists: Sequence[Sequence], wanted: Sequence[int], dtype: type) -> NDArray:
    return np.array([item for place in wanted for item in lists[place]], dtype=dtype)
