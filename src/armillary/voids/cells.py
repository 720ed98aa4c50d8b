"""From Delaunay tetrahedra to Voronoi cells, compiled.

Around each Delaunay edge stands a ring of tetrahedra; their circumcentres are the corners of the facet between the cells
of the edge's two ends, a plane convex polygon at right angles to the edge, halfway along it (Voronoi duality; see e.g.
Okabe et al. 2000, sect. 2.2). Each cell is the sum of the pyramids from its site to its facets. All terms are positive and
taken from the site, so nothing cancels: flat tetrahedra and points far from the origin cost no digits.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.exact import circumcentre_rational
from armillary.voids.footprint import inside

_1, _2, _3, _4, _6 = (np.uint64(k) for k in (1, 2, 3, 4, 6))
# Corners i, j of the six edges, each with the others k, m such that (i, j, k, m) is an even permutation of (0, 1, 2, 3).
_EDGES = np.array([0, 1, 2, 3, 0, 2, 3, 1, 0, 3, 1, 2, 1, 2, 0, 3, 1, 3, 2, 0, 2, 3, 0, 1], dtype=np.uint64)
# The bit of the edge between two corners: [4 i + j].
_BIT = np.array([0, 1, 2, 4, 1, 0, 8, 16, 2, 8, 0, 32, 4, 16, 32, 0], dtype=np.uint8)
_ALL = np.uint8(63)
# Below this volume, in units of the longest edge cubed, a circumcentre has few digits left.
_FLAT = 1e-10


def circumcentres_from_first(sites: NDArray[np.float64], tetrahedra: NDArray[np.int32]) -> NDArray[np.float64]:
    """Circumcentres (t, 3) of tetrahedra (t, 4) of sites (m, 3), each relative to its first corner."""
    centres = _centres_from_first(sites.reshape(-1), tetrahedra.view(np.uint32).reshape(-1)).reshape(-1, 3)
    for t in np.flatnonzero(np.isnan(centres[:, 0])):
        centres[t] = circumcentre_rational(sites[tetrahedra[t]].reshape(-1))
    return centres


@njit(cache=True, error_model="numpy")
def _centres_from_first(xyz, corners):
    """Circumcentres (3 t,) of tetrahedra (4 t,) relative to the first corner of each.

    NaN where rounding hides a circumcentre far away: those of tetrahedra almost flat that lie within a hundred of their sizes
    are as good as any, since all round them are then the same.
    """
    out = np.empty(3 * (len(corners) // 4))
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
        longest, radius = max(u2, v2, w2), out[row] ** 2 + out[row + _1] ** 2 + out[row + _2] ** 2
        if volume < _FLAT * longest * math.sqrt(longest) and not radius <= 1e4 * longest:
            out[row] = math.nan
    return out


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
    expected = len(sites) + len(tetrahedra) + np.count_nonzero(adjacent < 0) // 2
    first, second, area, volume, moment = _facets(
        n_points, sites.reshape(-1), tetrahedra.view(np.uint32).reshape(-1), adjacent.reshape(-1),
        circumcentres_from_first(sites, tetrahedra).reshape(-1), expected,
    )
    return first, second, area, volume, moment.reshape(-1, 3)


@njit(cache=True, error_model="numpy")
def _facets(n_points, xyz, corners, across, centres, capacity):
    """:func:`facets` of flat arrays, ``capacity`` of them to begin with."""
    first, second = np.empty(capacity, dtype=np.int32), np.empty(capacity, dtype=np.int32)
    area = np.empty(capacity)
    volume, moment = np.zeros(n_points), np.zeros(3 * n_points)
    inner = np.uint64(n_points)
    done = np.zeros(len(corners) // 4, dtype=np.uint8)
    used = 0
    for t in range(len(done)):
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
            if used == len(first):
                first, second = np.concatenate((first, first)), np.concatenate((second, second))
                area = np.concatenate((area, area))
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
    return first[:used], second[:used], area[:used], volume, moment


@njit(cache=True)
def neighbour_table(n_points, first, second, names):
    """Facets (f,) as CSR rows of sites 0 ... n_points-1: indptr (n_points + 1,), other site's name and facet of each entry.

    ``names`` (m,) are what to call the sites; entries are sorted by them within each row.
    """
    start = np.zeros(n_points + 2, dtype=np.int64)
    inner = np.uint64(n_points)
    for f in range(len(first)):
        for site in (np.uint64(first[np.uint64(f)]), np.uint64(second[np.uint64(f)])):
            if site < inner:
                start[site + _2] += 1
    for site in range(n_points):
        start[site + 2] += start[site + 1]
    indices = np.empty(start[n_points + 1], dtype=np.int32)
    facet = np.empty(start[n_points + 1], dtype=np.int32)
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
    return start[: n_points + 1], indices, facet


@njit(cache=True)
def edge_cells(n_points, tetrahedra, adjacent, centres, footprint):
    """(n_points,) True for cells that are unbounded or have a vertex outside the region.

    ``adjacent`` (t, 4) is -1 where the face opposite to a vertex lies on the convex hull.
    """
    edge = np.zeros(n_points, dtype=np.bool_)
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
    return edge
