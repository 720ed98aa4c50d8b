"""From Delaunay tetrahedra to Voronoi cells, compiled.

The Voronoi cell of a site is the sum of signed orthoschemes: for every tetrahedron at the site, and every edge and face of it
at the site, the simplex (site, midpoint of the edge, circumcentre of the face, circumcentre of the tetrahedron), counted
negative where a circumcentre lies on the far side (Voronoi duality; see e.g. Okabe et al. 2000, sect. 2.2). One pass over
the tetrahedra gives every volume; no polytope is built, and no convex hull is computed.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from armillary.voids.footprint import inside


@njit(cache=True)
def circumcentres(points, tetrahedra):
    """Circumcentres (t, 3) of tetrahedra (t, 4); infinite for flat ones."""
    out = np.empty((len(tetrahedra), 3))
    for t in range(len(tetrahedra)):
        a = points[tetrahedra[t, 0]]
        ux, uy, uz = points[tetrahedra[t, 1]] - a
        vx, vy, vz = points[tetrahedra[t, 2]] - a
        wx, wy, wz = points[tetrahedra[t, 3]] - a
        cx, cy, cz = vy * wz - vz * wy, vz * wx - vx * wz, vx * wy - vy * wx
        det = 2.0 * (ux * cx + uy * cy + uz * cz)
        if det == 0.0:
            out[t] = math.inf
            continue
        u2 = ux * ux + uy * uy + uz * uz
        v2 = vx * vx + vy * vy + vz * vz
        w2 = wx * wx + wy * wy + wz * wz
        out[t, 0] = a[0] + (u2 * cx + v2 * (wy * uz - wz * uy) + w2 * (uy * vz - uz * vy)) / det
        out[t, 1] = a[1] + (u2 * cy + v2 * (wz * ux - wx * uz) + w2 * (uz * vx - ux * vz)) / det
        out[t, 2] = a[2] + (u2 * cz + v2 * (wx * uy - wy * ux) + w2 * (ux * vy - uy * vx)) / det
    return out


@njit(cache=True)
def neighbour_table(n_points, tetrahedra):
    """Delaunay neighbours of sites 0 ... n_points-1 as CSR: indptr (n_points + 1,), indices sorted within each row."""
    start = np.zeros(n_points + 2, dtype=np.int64)
    highest = n_points
    for t in range(len(tetrahedra)):
        for i in range(4):
            site = tetrahedra[t, i]
            highest = max(highest, site + 1)
            if site < n_points:
                start[site + 2] += 1
    start = np.cumsum(start)
    star = np.empty(start[-1], dtype=np.int32)
    for t in range(len(tetrahedra)):
        for i in range(4):
            site = tetrahedra[t, i]
            if site < n_points:
                star[start[site + 1]] = t
                start[site + 1] += 1
    # By Euler's relation a vertex of k neighbours has at least k - 2 tetrahedra.
    indptr = np.zeros(n_points + 1, dtype=np.int64)
    indices = np.empty(start[n_points] + 2 * n_points, dtype=np.int32)
    seen_by = np.full(highest, -1, dtype=np.int32)
    used = 0
    for site in range(n_points):
        first = used
        for k in range(start[site], start[site + 1]):
            for i in range(4):
                other = tetrahedra[star[k], i]
                if other != site and seen_by[other] != site:
                    seen_by[other] = site
                    place = used
                    while place > first and indices[place - 1] > other:
                        indices[place] = indices[place - 1]
                        place -= 1
                    indices[place] = other
                    used += 1
        indptr[site + 1] = used
    return indptr, indices[:used].copy()


@njit(cache=True)
def cell_volumes(n_points, points, tetrahedra, centres):
    """Signed-orthoscheme volumes (n_points,) of the Voronoi cells of sites 0 ... n_points-1; meaningless for unbounded cells."""
    volume = np.zeros(n_points)
    pos = np.empty((4, 3))
    for t in range(len(tetrahedra)):
        wanted = False
        for i in range(4):
            wanted = wanted or tetrahedra[t, i] < n_points
            for k in range(3):
                pos[i, k] = points[tetrahedra[t, i], k] - points[tetrahedra[t, 0], k]
        if not wanted or not math.isfinite(centres[t, 0]):
            continue
        cx = centres[t, 0] - points[tetrahedra[t, 0], 0]
        cy = centres[t, 1] - points[tetrahedra[t, 0], 1]
        cz = centres[t, 2] - points[tetrahedra[t, 0], 2]
        for far in range(4):
            i, j, k = (far + 1) & 3, (far + 2) & 3, (far + 3) & 3
            ux, uy, uz = pos[j, 0] - pos[i, 0], pos[j, 1] - pos[i, 1], pos[j, 2] - pos[i, 2]
            vx, vy, vz = pos[k, 0] - pos[i, 0], pos[k, 1] - pos[i, 1], pos[k, 2] - pos[i, 2]
            nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            n2 = nx * nx + ny * ny + nz * nz
            if n2 == 0.0:
                continue
            side = nx * (pos[far, 0] - pos[i, 0]) + ny * (pos[far, 1] - pos[i, 1]) + nz * (pos[far, 2] - pos[i, 2])
            height = nx * (cx - pos[i, 0]) + ny * (cy - pos[i, 1]) + nz * (cz - pos[i, 2])
            if side < 0.0:
                height = -height
            # Twice the signed area of the triangle (vertex, mid-edge, face circumcentre) is half the edge times the
            # signed distance of the circumcentre from it, |edge|/2 cot(opposite angle); n2 = (2 face area)^2 normalizes.
            u2 = ux * ux + uy * uy + uz * uz
            v2 = vx * vx + vy * vy + vz * vz
            uv = ux * vx + uy * vy + uz * vz
            w2 = u2 + v2 - 2.0 * uv
            # Each edge's share: edge^2 * cot(angle opposite) / 8 * height / 3, with cot = dot / sqrt(n2), height / sqrt(n2).
            scale = height / (24.0 * n2)
            share_ij = u2 * (v2 - uv) * scale
            share_ik = v2 * (u2 - uv) * scale
            share_jk = w2 * uv * scale
            if tetrahedra[t, i] < n_points:
                volume[tetrahedra[t, i]] += share_ij + share_ik
            if tetrahedra[t, j] < n_points:
                volume[tetrahedra[t, j]] += share_ij + share_jk
            if tetrahedra[t, k] < n_points:
                volume[tetrahedra[t, k]] += share_ik + share_jk
    return volume


@njit(cache=True)
def edge_cells(n_points, tetrahedra, adjacent, centres, footprint):
    """(n_points,) True for cells that are unbounded or have a vertex outside the region.

    ``adjacent`` (t, 4) is -1 where the face opposite to a vertex lies on the convex hull.
    """
    edge = np.zeros(n_points, dtype=np.bool_)
    for t in range(len(tetrahedra)):
        outside = not (
            math.isfinite(centres[t, 0]) and inside(footprint, centres[t, 0], centres[t, 1], centres[t, 2])
        )
        for i in range(4):
            if tetrahedra[t, i] < n_points and outside:
                edge[tetrahedra[t, i]] = True
            if adjacent[t, i] < 0:
                for j in range(4):
                    if j != i and tetrahedra[t, j] < n_points:
                        edge[tetrahedra[t, j]] = True
    return edge
