"""From Delaunay tetrahedra to Voronoi cells, compiled.

Around each Delaunay edge stands a ring of tetrahedra; their circumcentres are the corners of the facet between the cells
of the edge's two ends, a plane convex polygon at right angles to the edge, halfway along it (Voronoi duality; see e.g.
Okabe et al. 2000, sect. 2.2). Each cell is the sum of the pyramids from its site to its facets. All terms are positive and
taken from the site, so nothing cancels: flat tetrahedra and points far from the origin cost no digits.
Only cells at the hull whose corners lie 1e12 of their sizes away, or more, have lost digits (a tetrahedron flat to rounding).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import KERNEL
from armillary.voids.exact import circumcentre_rational
from armillary.voids.footprint import inside

_1, _2, _3, _4, _6 = (np.uint64(k) for k in (1, 2, 3, 4, 6))
# Corners i, j of the six edges, each with the others k, m such that (i, j, k, m) is an even permutation of (0, 1, 2, 3).
_EDGES = np.array([0, 1, 2, 3, 0, 2, 3, 1, 0, 3, 1, 2, 1, 2, 0, 3, 1, 3, 2, 0, 2, 3, 0, 1], dtype=np.uint64)
# The bit of the edge between two corners: [4 i + j].
_BIT = np.array([0, 1, 2, 4, 1, 0, 8, 16, 2, 8, 0, 32, 4, 16, 32, 0], dtype=np.uint8)
_ALL = np.uint8(63)
# Below this volume, in units of the longest edge cubed, a circumcentre has lost three digits: as many as cells of a clump
# whose facets reach far, thin as they are, can spare.
_FLAT = 1e-3
# Below this volume, twice the digits have few left.
_FLATTEST = 1e-19
# Below this volume what a circumcentre is made of may have lost digits to underflow.
_TINY = 1e-200
#: Extents of points between which volumes, and what they are made of, stay in the range of doubles.
CELL_SPANS = 1e-60, 1e60


def circumcentres_from_first(sites: NDArray[np.float64], tetrahedra: NDArray[np.int32]) -> NDArray[np.float64]:
    """Circumcentres (t, 3) of tetrahedra (t, 4) of sites (m, 3), each relative to its first corner."""
    centres = np.empty((len(tetrahedra), 3))
    _centres_from_first(sites.reshape(-1), tetrahedra.view(np.uint32).reshape(-1), centres.reshape(-1))
    for t in np.flatnonzero(np.isnan(centres[:, 0])):
        centres[t] = circumcentre_rational(sites[tetrahedra[t]].reshape(-1))
    return centres


@njit(**KERNEL)
def _centres_from_first(xyz, corners, out):
    """Fill in the circumcentres ``out`` (3 t,) of tetrahedra (4 t,) relative to the first corner of each.

    Those of tetrahedra almost flat in twice the digits; NaN where these do not suffice.
    """
    for t in range(len(corners) // 4):
        at, row = _4 * np.uint64(t), _3 * np.uint64(t)
        a, b = _3 * np.uint64(corners[at]), _3 * np.uint64(corners[at + _1])
        c, d = _3 * np.uint64(corners[at + _2]), _3 * np.uint64(corners[at + _3])
        ux, uy, uz = xyz[b] - xyz[a], xyz[b + _1] - xyz[a + _1], xyz[b + _2] - xyz[a + _2]
        vx, vy, vz = xyz[c] - xyz[a], xyz[c + _1] - xyz[a + _1], xyz[c + _2] - xyz[a + _2]
        wx, wy, wz = xyz[d] - xyz[a], xyz[d + _1] - xyz[a + _1], xyz[d + _2] - xyz[a + _2]
        u2, v2, w2 = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz, wx * wx + wy * wy + wz * wz
        nx, ny, nz = vy * wz - vz * wy, vz * wx - vx * wz, vx * wy - vy * wx
        volume = ux * nx + uy * ny + uz * nz
        scale = 0.5 / volume
        out[row] = (u2 * nx + v2 * (wy * uz - wz * uy) + w2 * (uy * vz - uz * vy)) * scale
        out[row + _1] = (u2 * ny + v2 * (wz * ux - wx * uz) + w2 * (uz * vx - ux * vz)) * scale
        out[row + _2] = (u2 * nz + v2 * (wx * uy - wy * ux) + w2 * (ux * vy - uy * vx)) * scale
        longest = math.sqrt(max(u2, v2, w2))
        size = longest * longest * longest
        if volume < _FLAT * size or volume < _TINY:
            volume, x, y, z = _flat_centre(xyz, a, b, c, d)
            out[row], out[row + _1], out[row + _2] = x, y, z
            if volume < _FLATTEST * size or volume < _TINY:
                out[row] = math.nan


@njit(cache=True, error_model="numpy")
def _flat_centre(xyz, a, b, c, d):
    """Six times the volume, and the circumcentre from the first corner, by numbers that are each the sum of two doubles."""
    u, v, w = _apart(xyz, a, b), _apart(xyz, a, c), _apart(xyz, a, d)
    u2, v2, w2 = _inner(u, u), _inner(v, v), _inner(w, w)
    vw, wu, uv = _outer(v, w), _outer(w, u), _outer(u, v)
    volume = _inner(u, vw)[0]
    x = _inner((u2, v2, w2), (vw[0], wu[0], uv[0]))[0]
    y = _inner((u2, v2, w2), (vw[1], wu[1], uv[1]))[0]
    z = _inner((u2, v2, w2), (vw[2], wu[2], uv[2]))[0]
    return volume, 0.5 * (x / volume), 0.5 * (y / volume), 0.5 * (z / volume)


@njit(cache=True)
def _apart(xyz, a, b):
    return (
        _two_sum(xyz[b], -xyz[a]), _two_sum(xyz[b + _1], -xyz[a + _1]), _two_sum(xyz[b + _2], -xyz[a + _2])
    )


@njit(cache=True)
def _outer(u, v):
    return (
        _add(_times(u[1], v[2]), _times(_minus(u[2]), v[1])), _add(_times(u[2], v[0]), _times(_minus(u[0]), v[2])),
        _add(_times(u[0], v[1]), _times(_minus(u[1]), v[0])),
    )


@njit(cache=True)
def _inner(u, v):
    return _add(_add(_times(u[0], v[0]), _times(u[1], v[1])), _times(u[2], v[2]))


@njit(cache=True)
def _minus(x):
    return -x[0], -x[1]


@njit(cache=True)
def _add(x, y):
    high, low = _two_sum(x[0], y[0])
    other, rest = _two_sum(x[1], y[1])
    high, low = _two_sum(high, low + other)
    return _two_sum(high, low + rest)


@njit(cache=True)
def _times(x, y):
    # Dekker (1971): the rounding error of a product, from factors cut into halves of 26 bits.
    high = x[0] * y[0]
    cut = 134217729.0 * x[0]
    p = cut - (cut - x[0])
    cut = 134217729.0 * y[0]
    q = cut - (cut - y[0])
    low = ((p * q - high) + p * (y[0] - q) + (x[0] - p) * q) + (x[0] - p) * (y[0] - q)
    return _two_sum(high, low + (x[0] * y[1] + x[1] * y[0]))


@njit(cache=True)
def _two_sum(x, y):
    """The sum, and its rounding error (Knuth 1969)."""
    high = x + y
    part = high - x
    return high, (x - (high - part)) + (y - part)


def facets(n_points, sites, tetrahedra, adjacent):
    """The facets of the Voronoi cells of sites 0 ... n_points-1, and what they enclose.

    Parameters
    ----------
    sites : (m, 3); tetrahedra : (t, 4) sites; adjacent : (t, 4) the tetrahedron opposite to each, -1 on the hull.

    Returns
    -------
    first, second : (f,) the two sites of each facet.
    area : (f,) infinite where the facet is unbounded.
    volume : (n_points,) infinite where the cell is unbounded.
    moment : (n_points, 3) volume times the centroid's position from the site; NaN where the cell is unbounded.
    """
    # Euler's relation, for tetrahedra that fill one ball.
    capacity = len(sites) + len(tetrahedra) + np.count_nonzero(adjacent < 0) // 2 + 6
    first, second = np.empty(capacity, dtype=np.int32), np.empty(capacity, dtype=np.int32)
    area, volume, moment = np.empty(capacity), np.zeros(n_points), np.zeros(3 * n_points)
    centres, done = circumcentres_from_first(sites, tetrahedra).reshape(-1), np.zeros(len(tetrahedra), dtype=np.uint8)
    reached, used = 0, 0
    while True:
        reached, used = _facets(
            sites.reshape(-1), tetrahedra.view(np.uint32).reshape(-1), adjacent.reshape(-1), centres, reached, used,
            done, first, second, area, volume, moment,
        )
        if reached == len(done):
            return first[:used], second[:used], area[:used], volume, moment.reshape(-1, 3)
        first, second, area = (np.concatenate((array, array)) for array in (first, second, area))


@njit(**KERNEL)
def _facets(xyz, corners, across, centres, reached, used, done, first, second, area, volume, moment):
    """:func:`facets` of flat arrays, from tetrahedron ``reached`` on, ``used`` of them found before; both where it stopped.

    It stops at the end, or when there may be no room for another six facets. ``done`` (t,) are the edges met, as bits.
    """
    inner = np.uint64(len(volume))
    for t in range(reached, len(done)):
        if used + 6 > len(first):
            return t, used
        start = np.uint64(t)
        at, bits = _4 * start, done[start]
        for e in range(6 if bits != _ALL else 0):
            i, j = _EDGES[_4 * np.uint64(e)], _EDGES[_4 * np.uint64(e) + _1]
            k, m = _EDGES[_4 * np.uint64(e) + _2], _EDGES[_4 * np.uint64(e) + _3]
            a, b = np.uint64(corners[at + i]), np.uint64(corners[at + j])
            if bits & _BIT[_4 * i + j] or (a >= inner and b >= inner):
                continue
            sx, sy, sz = xyz[_3 * a], xyz[_3 * a + _1], xyz[_3 * a + _2]
            ex, ey, ez = xyz[_3 * b] - sx, xyz[_3 * b + _1] - sy, xyz[_3 * b + _2] - sz
            # The polygon's first corner o from site a, and from there p and q, two successive ones.
            row, origin = _3 * start, _3 * np.uint64(corners[at])
            ox, oy, oz = centres[row], centres[row + _1], centres[row + _2]
            ox, oy, oz = ox + (xyz[origin] - sx), oy + (xyz[origin + _1] - sy), oz + (xyz[origin + _2] - sz)
            px, py, pz = 0.0, 0.0, 0.0
            total, mx, my, mz = 0.0, 0.0, 0.0, 0.0
            apex, onward = np.uint64(corners[at + m]), np.int64(across[at + k])
            closed = False
            for _ in range(2):
                while onward >= 0 and not closed:
                    here = np.uint64(onward)
                    there = _4 * here
                    if here == start:
                        closed = True
                        break
                    # Without branches, as which corner is which is anyone's guess.
                    c1, c2 = np.uint64(corners[there + _1]), np.uint64(corners[there + _2])
                    c3 = np.uint64(corners[there + _3])
                    i = np.uint64(c1 == a) + _2 * np.uint64(c2 == a) + _3 * np.uint64(c3 == a)
                    j = np.uint64(c1 == b) + _2 * np.uint64(c2 == b) + _3 * np.uint64(c3 == b)
                    k = np.uint64(c1 == apex) + _2 * np.uint64(c2 == apex) + _3 * np.uint64(c3 == apex)
                    done[here] |= _BIT[_4 * i + j]
                    apex, onward = np.uint64(corners[there + _6 - i - j - k]), np.int64(across[there + k])
                    row, origin = _3 * here, _3 * np.uint64(corners[there])
                    qx = (xyz[origin] - sx) + centres[row] - ox
                    qy = (xyz[origin + _1] - sy) + centres[row + _1] - oy
                    qz = (xyz[origin + _2] - sz) + centres[row + _2] - oz
                    # Twice the triangle's area, times the edge.
                    w = ex * (py * qz - pz * qy) + ey * (pz * qx - px * qz) + ez * (px * qy - py * qx)
                    total += w
                    mx, my, mz = mx + w * (px + qx), my + w * (py + qy), mz + w * (pz + qz)
                    px, py, pz = qx, qy, qz
                if closed:
                    break
                # The hull: go round the other way, to mark the rest of the ring.
                apex, onward = np.uint64(corners[at + _EDGES[_4 * np.uint64(e) + _2]]), np.int64(across[at + m])
            if not closed:
                total = math.inf
            first[used], second[used] = a, b
            area[used] = 0.5 * total / math.sqrt(ex * ex + ey * ey + ez * ez)
            used += 1
            share = total / 12.0
            rest = 1.0 / (3.0 * total) if total != 0.0 else 0.0
            # A pyramid's centroid lies at 3/4 of the way from its apex to that of its base.
            cx = 0.75 * share * (ox + mx * rest)
            cy = 0.75 * share * (oy + my * rest)
            cz = 0.75 * share * (oz + mz * rest)
            if a < inner:
                volume[a] += share
                moment[_3 * a] += cx
                moment[_3 * a + _1] += cy
                moment[_3 * a + _2] += cz
            if b < inner:
                volume[b] += share
                moment[_3 * b] += cx - 0.75 * share * ex
                moment[_3 * b + _1] += cy - 0.75 * share * ey
                moment[_3 * b + _2] += cz - 0.75 * share * ez
    return len(done), used


def neighbour_table(n_points, first, second, names):
    """Facets (f,) as CSR rows of sites 0 ... n_points-1: indptr (n_points + 1,), other site's name and facet of each entry.

    ``names`` (m,) are what to call the sites; entries are sorted by them within each row.
    """
    start = np.zeros(n_points + 2, dtype=np.int64)
    entries = np.count_nonzero(first < n_points) + np.count_nonzero(second < n_points)
    indices, facet = np.empty(entries, dtype=np.int32), np.empty(entries, dtype=np.int32)
    _fill_table(n_points, first, second, names, start, indices, facet)
    return start[: n_points + 1], indices, facet


@njit(**KERNEL)
def _fill_table(n_points, first, second, names, start, indices, facet):
    """Fill in :func:`neighbour_table`; ``start`` (n_points + 2,) comes as 0."""
    inner = np.uint64(n_points)
    for f in range(len(first)):
        for site in (np.uint64(first[np.uint64(f)]), np.uint64(second[np.uint64(f)])):
            if site < inner:
                start[site + _2] += 1
    for site in range(n_points):
        start[site + 2] += start[site + 1]
    for f in range(len(first)):
        a, b = np.uint64(first[np.uint64(f)]), np.uint64(second[np.uint64(f)])
        for site, other in ((a, b), (b, a)):
            if site < inner:
                place = np.uint64(start[site + _1])
                indices[place], facet[place] = names[other], f
                start[site + _1] += 1
    for site in range(n_points):
        for k in range(start[site] + 1, start[site + 1]):
            place = np.uint64(k)
            name, belongs = indices[place], facet[place]
            while place > np.uint64(start[site]) and indices[place - _1] > name:
                indices[place], facet[place] = indices[place - _1], facet[place - _1]
                place -= _1
            indices[place], facet[place] = name, belongs


def edge_cells(n_points, tetrahedra, adjacent, centres, footprint):
    """(n_points,) True for cells that are unbounded or have a vertex outside the region.

    ``adjacent`` (t, 4) is -1 where the face opposite to a vertex lies on the convex hull.
    """
    edge = np.zeros(n_points, dtype=np.bool_)
    _mark_edge_cells(tetrahedra, adjacent, centres, footprint, edge)
    return edge


@njit(**KERNEL)
def _mark_edge_cells(tetrahedra, adjacent, centres, footprint, edge):
    """Mark the ``edge`` (n_points,) cells of :func:`edge_cells`."""
    n_points = len(edge)
    for t in range(len(tetrahedra)):
        outside, hull = False, False
        for i in range(4):
            # What is known already need not be asked.
            outside = outside or (tetrahedra[t, i] < n_points and not edge[tetrahedra[t, i]])
            hull = hull or adjacent[t, i] < 0
        if outside:
            x, y, z = centres[t, 0], centres[t, 1], centres[t, 2]
            outside = not (math.isfinite(x + y + z) and inside(footprint, x, y, z))
        for i in range(4 if outside or hull else 0):
            on_hull = False
            for j in range(4):
                on_hull = on_hull or (j != i and adjacent[t, j] < 0)
            if (outside or on_hull) and tetrahedra[t, i] < n_points:
                edge[tetrahedra[t, i]] = True
