"""Zones and their hierarchy: the watershed of the Voronoi density field (Neyrinck 2008, arXiv:0712.3049).

The density at a galaxy is one over the volume of its Voronoi cell. Zones are the basins of the minima; a link between two zones
is the highest pass, i.e. the largest over adjacent cell pairs of the smaller of the two volumes. Flooding from the top, voids
are recorded in the order in which they flow into a deeper one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray


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
    first, second : (p,) zones.
    saddle : (p,) linking volume [(Mpc/h)^3]; 0 towards cells without a zone.
    area : (p,) area of the common boundary [(Mpc/h)^2].
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    saddle: NDArray[np.float64]
    area: NDArray[np.float64]


@dataclass(frozen=True)
class Flood:
    """One void of the hierarchy: the zones that had gathered when it flowed into a deeper one.

    Attributes
    ----------
    zones : its zones, the core zone first.
    joined : the linking volume at which each joined (the core volume for the core zone) [(Mpc/h)^3].
    core_volume : the largest cell [(Mpc/h)^3].
    saddle : linking volume at which it flowed into a deeper void; 0 for the last one.
    """

    zones: NDArray[np.int64]
    joined: NDArray[np.float64]
    core_volume: float
    saddle: float


def zones_of(volume: NDArray[np.float64], indptr, indices, origin) -> ZoneMap:
    """Assign every cell of positive ``volume`` (n,) to the zone of its largest neighbour.

    Of equal volumes the one that comes first in the array counts as larger.
    """
    order = np.argsort(-volume, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return ZoneMap(*_climb(volume, order, rank, indptr, indices, origin))


@njit(cache=True)
def _climb(volume, order, rank, indptr, indices, origin):
    n = len(volume)
    zone = np.full(n, -1, dtype=np.int64)
    depth = np.zeros(n, dtype=np.int64)
    core = np.empty(n, dtype=np.int64)
    near_edge = np.zeros(n, dtype=np.bool_)
    found = 0
    for i in order:
        if volume[i] <= 0.0:
            break
        best = i
        for k in range(indptr[i], indptr[i + 1]):
            j = origin[indices[k]]
            if rank[j] < rank[best]:
                best = j
            if volume[j] <= 0.0:
                near_edge[i] = True
        if best == i:
            core[found] = i
            zone[i] = found
            found += 1
        else:
            zone[i] = zone[best]
            depth[i] = depth[best] + 1
    return zone, depth, core[:found].copy(), near_edge


def link_zones(volume, zones: ZoneMap, indptr, indices, origin, sites, tetrahedra, centres) -> ZoneLinks:
    """The highest pass and the common area of every pair of adjacent zones."""
    k = len(zones.core)
    label = np.where(zones.zone < 0, k, zones.zone)
    key, low = _crossings(volume, label, indptr, indices, origin, k + 1)
    order = np.lexsort((-low, key))
    key, low = key[order], low[order]
    first_of_key = np.ones(len(key), dtype=bool)
    first_of_key[1:] = key[1:] != key[:-1]
    pairs = key[first_of_key]
    area = _pair_areas(label, origin, sites, tetrahedra, centres, k + 1, pairs)
    return ZoneLinks(pairs // (k + 1), pairs % (k + 1), low[first_of_key], area)


@njit(cache=True)
def _crossings(volume, label, indptr, indices, origin, base):
    n = len(volume)
    count = 0
    for i in range(n):
        for k in range(indptr[i], indptr[i + 1]):
            if label[i] < label[origin[indices[k]]]:
                count += 1
    key = np.empty(count, dtype=np.int64)
    low = np.empty(count)
    m = 0
    for i in range(n):
        for k in range(indptr[i], indptr[i + 1]):
            j = origin[indices[k]]
            if label[i] < label[j]:
                key[m] = label[i] * base + label[j]
                low[m] = min(volume[i], volume[j])
                m += 1
    return key, low


@njit(cache=True)
def _pair_areas(label, origin, sites, tetrahedra, centres, base, pairs):
    """Area of the facets between differently labelled cells, from signed triangles (mid-edge, face centre, vertex).

    In a periodic box a tetrahedron across the boundary is held once per copy that touches the box: each edge is taken
    only from the copies whose first vertex is a point of the box.
    """
    n = len(label)
    area = np.zeros(len(pairs))
    for t in range(len(tetrahedra)):
        mixed = False
        for i in range(1, 4):
            mixed = mixed or label[origin[tetrahedra[t, i]]] != label[origin[tetrahedra[t, 0]]]
        if not mixed or not math.isfinite(centres[t, 0]):
            continue
        for i in range(4):
            for j in range(4):
                a, b = tetrahedra[t, i], tetrahedra[t, j]
                la, lb = label[origin[a]], label[origin[b]]
                # The cell with the lower label counts the facet, from its own (unshifted) copy.
                if a >= n or la >= lb:
                    continue
                pair = np.searchsorted(pairs, la * base + lb)
                area[pair] += _edge_area(sites, tetrahedra[t], centres[t], i, j)
    return area


@njit(cache=True)
def _edge_area(sites, tetrahedron, centre, i, j):
    """Signed area that one tetrahedron contributes to the Voronoi facet dual to its edge (i, j)."""
    a, b = sites[tetrahedron[i]], sites[tetrahedron[j]]
    ex, ey, ez = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    cx, cy, cz = centre[0] - a[0], centre[1] - a[1], centre[2] - a[2]
    edge = math.sqrt(ex * ex + ey * ey + ez * ez)
    total = 0.0
    for k in range(4):
        if k in (i, j):
            continue
        far = 6 - i - j - k
        p, q = sites[tetrahedron[k]], sites[tetrahedron[far]]
        ux, uy, uz = p[0] - a[0], p[1] - a[1], p[2] - a[2]
        nx, ny, nz = ey * uz - ez * uy, ez * ux - ex * uz, ex * uy - ey * ux
        n2 = nx * nx + ny * ny + nz * nz
        if n2 == 0.0:
            continue
        side = nx * (q[0] - a[0]) + ny * (q[1] - a[1]) + nz * (q[2] - a[2])
        height = nx * cx + ny * cy + nz * cz
        if side < 0.0:
            height = -height
        # cot(angle at p) = (a - p) . (b - p) / |n|; the face centre lies |edge|/2 cot from the edge.
        dot = ux * (ux - ex) + uy * (uy - ey) + uz * (uz - ez)
        total += 0.25 * edge * dot * height / n2
    return total


def flood(links: ZoneLinks, core_volume: NDArray[np.float64]) -> list[Flood]:
    """The hierarchy of voids, from the highest pass down.

    All groups that meet at one saddle volume flow into the one with the largest core at once, and each of the others is
    recorded. Groups that are linked to nothing meet at a saddle of 0, so that each zone is the core of one void, and the
    last void takes every zone.
    """
    k = len(core_volume)
    if k == 0:
        return []
    real = links.second < k
    first, second, saddle = links.first[real], links.second[real], links.saddle[real]
    order = np.lexsort((second, first, -saddle))
    first, second, saddle = first[order], second[order], saddle[order]
    group = np.arange(k)
    members: list[list[int]] = [[z] for z in range(k)]
    joined = core_volume.astype(np.float64).copy()
    deepest = np.arange(k)  # zone with the largest core of each group
    voids: list[Flood] = []

    def record(g: int, at: float) -> None:
        zones = np.array(members[g])
        by_join = zones[np.lexsort((zones, -joined[zones]))]
        voids.append(Flood(by_join, joined[by_join].copy(), float(core_volume[deepest[g]]), at))

    start = 0
    while start < len(saddle):
        stop = start
        while stop < len(saddle) and saddle[stop] == saddle[start]:
            stop += 1
        meeting = sorted({int(group[z]) for z in np.concatenate((first[start:stop], second[start:stop]))})
        if len(meeting) > 1:
            # Zones are numbered from the largest core down: the smallest number is the deepest.
            winner = min(meeting, key=lambda g: int(deepest[g]))
            for g in meeting:
                if g != winner:
                    record(g, float(saddle[start]))
                    joined[members[g]] = saddle[start]
            for g in meeting:
                if g != winner:
                    group[members[g]] = winner
                    members[winner].extend(members[g])
                    members[g] = []
        start = stop
    remaining = [g for g in range(k) if members[g]]
    last = min(remaining, key=lambda g: int(deepest[g]))
    for g in remaining:
        if g != last:
            record(g, 0.0)
            joined[members[g]] = 0.0
            members[last].extend(members[g])
    record(last, 0.0)
    return voids
