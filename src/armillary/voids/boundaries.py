"""The boundary of watershed voids as triangles: the Voronoi facets between their cells and all others.

The facet between two neighbouring cells is the convex polygon of the circumcentres of the tetrahedra around their common
edge, in order of angle around it; it is cut into a fan of triangles.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.model import BoxRegion, VoidSurface
from armillary.voids.tessellation import Tessellation


def zone_boundaries(tessellation: Tessellation, zone: NDArray[np.int64], zone_sets) -> VoidSurface:
    """Triangles around each set of zones.

    Parameters
    ----------
    zone : (n,) zone of each point, -1 for none.
    zone_sets : for each void, the zones that it is made of.
    """
    k = int(zone.max()) + 1 if len(zone) else 0
    label = np.where(zone < 0, k, zone)
    inner, outer, tetrahedron = _facet_records(
        label, tessellation.origin, tessellation.tetrahedra, len(tessellation.points)
    )
    order = np.lexsort((outer, inner))
    inner, outer, tetrahedron = inner[order], outer[order], tetrahedron[order]
    new = np.ones(len(inner), dtype=bool)
    new[1:] = (inner[1:] != inner[:-1]) | (outer[1:] != outer[:-1])
    start = np.append(np.flatnonzero(new), len(inner))
    facet_inner, facet_outer = inner[new], outer[new]
    ring = _rings(tessellation.sites, tessellation.circumcentres, facet_inner, facet_outer, start, tetrahedron)
    side = np.stack((label[facet_inner], label[tessellation.origin[facet_outer]]), axis=1)
    # Each facet is listed under both its zones, so that a void looks only at the facets of its own.
    zones, facets = side.T.ravel(), np.tile(np.arange(len(side)), 2)
    by_zone = np.argsort(zones, kind="stable")
    zone_start = np.searchsorted(zones[by_zone], np.arange(k + 2))
    voids, normals, corners = [], [], []
    inside = np.zeros(k + 1, dtype=bool)
    for void, members in enumerate(zone_sets):
        mine = np.concatenate([facets[by_zone[zone_start[z] : zone_start[z + 1]]] for z in members])
        inside[members] = True
        mine = mine[inside[side[mine, 0]] != inside[side[mine, 1]]]
        normal, vertices = _fans(
            tessellation.sites, tessellation.circumcentres, mine, facet_inner, facet_outer,
            inside[side[mine, 0]], start, ring,
        )
        inside[members] = False
        voids.append(np.full(len(normal), void, dtype=np.int64))
        normals.append(normal)
        corners.append(vertices)
    if not voids:
        return VoidSurface(np.empty(0, dtype=np.int64), np.empty((0, 3)), np.empty((0, 3, 3)))
    return VoidSurface(np.concatenate(voids), np.concatenate(normals), np.concatenate(corners))


def around_centres(surface: VoidSurface, centre: NDArray[np.float64], box: BoxRegion) -> VoidSurface:
    """Those images of the triangles that lie nearest to their void's centre, so that each void is in one piece."""
    offset = surface.vertices.mean(axis=1) - centre[surface.void]
    shift = box.size * np.round(offset / box.size)
    return replace(surface, vertices=surface.vertices - shift[:, None, :])


@njit(cache=True)
def _facet_records(label, origin, tetrahedra, n_points):
    """For every edge between differently labelled cells, once per tetrahedron around it, the three of them.

    The first is the point with the lower label, the second the site at the other end, the third the tetrahedron.
    """
    count = 0
    for t in range(len(tetrahedra)):
        for i in range(4):
            for j in range(4):
                a, b = tetrahedra[t, i], tetrahedra[t, j]
                if a < n_points and label[origin[a]] < label[origin[b]]:
                    count += 1
    inner = np.empty(count, dtype=np.int64)
    outer = np.empty(count, dtype=np.int64)
    tetrahedron = np.empty(count, dtype=np.int64)
    m = 0
    for t in range(len(tetrahedra)):
        for i in range(4):
            for j in range(4):
                a, b = tetrahedra[t, i], tetrahedra[t, j]
                if a < n_points and label[origin[a]] < label[origin[b]]:
                    inner[m], outer[m], tetrahedron[m] = a, b, t
                    m += 1
    return inner, outer, tetrahedron


@njit(cache=True)
def _rings(sites, centres, inner, outer, start, tetrahedron):
    """The tetrahedra of each facet in order of angle around its edge, counter-clockwise seen from the outer cell."""
    ring = np.empty_like(tetrahedron)
    for f in range(len(inner)):
        first, last = start[f], start[f + 1]
        e = sites[outer[f]] - sites[inner[f]]
        least = 0
        for axis in range(3):
            if abs(e[axis]) < abs(e[least]):
                least = axis
        v = np.zeros(3)
        v[least] = 1.0
        p = np.cross(e, v)
        q = np.cross(e, p)
        p /= math.sqrt((p * p).sum())
        q /= math.sqrt((q * q).sum())
        middle = np.zeros(3)
        for k in range(first, last):
            middle += centres[tetrahedron[k]]
        middle /= last - first
        angle = np.empty(last - first)
        for k in range(first, last):
            d = centres[tetrahedron[k]] - middle
            angle[k - first] = math.atan2((d * q).sum(), (d * p).sum())
        ring[first:last] = tetrahedron[first:last][np.argsort(angle)]
    return ring


@njit(cache=True)
def _fans(sites, centres, facets, inner, outer, outward, start, ring):
    """Normals (t, 3) and corners (t, 3, 3) of the triangles of the facets; ``outward`` where the inner cell is in the void."""
    count = 0
    for f in facets:
        count += max(start[f + 1] - start[f] - 2, 0)
    normal = np.empty((count, 3))
    corners = np.empty((count, 3, 3))
    m = 0
    for row in range(len(facets)):
        f = facets[row]
        e = sites[outer[f]] - sites[inner[f]]
        e /= math.sqrt((e * e).sum())
        if not outward[row]:
            e = -e
        for k in range(start[f] + 1, start[f + 1] - 1):
            normal[m] = e
            corners[m, 0] = centres[ring[start[f]]]
            second, third = (k, k + 1) if outward[row] else (k + 1, k)
            corners[m, 1] = centres[ring[second]]
            corners[m, 2] = centres[ring[third]]
            m += 1
    return normal, corners
