"""Growing empty spheres between the wall galaxies (El-Ad & Piran 1997; Hoyle & Vogeley 2002), compiled.

A sphere starts as a point in an empty cell and grows until it touches four galaxies. Its surface keeps touching the
galaxies met so far while the centre moves along u, and it meets galaxy j after

    x_j = (|g_j - p|^2 - |g_1 - p|^2) / (2 u . (g_j - g_1)),      u . (g_j - g_1) > 0,

so the next galaxy is the one with the smallest x; x = 0 where more than the galaxies met so far lie on the sphere.
Since the sphere is empty all along, each galaxy met is a Delaunay neighbour of the first: only those (about 15) are
looked at, and the finished hole is the circumsphere of a Delaunay tetrahedron.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from armillary.voids.footprint import inside

_ROUNDING = 1e-12


@njit(cache=True)
def occupied_cells(points, low, cell, shape):
    """(cells,) True where a cell of the search grid holds at least one of the points; the last axis runs fastest."""
    occupied = np.zeros(shape[0] * shape[1] * shape[2], dtype=np.bool_)
    for i in range(len(points)):
        cx = int((points[i, 0] - low[0]) / cell[0])
        cy = int((points[i, 1] - low[1]) / cell[1])
        cz = int((points[i, 2] - low[2]) / cell[2])
        if 0 <= cx < shape[0] and 0 <= cy < shape[1] and 0 <= cz < shape[2]:
            occupied[(cx * shape[1] + cy) * shape[2] + cz] = True
    return occupied


@njit(cache=True, nogil=True)
def nearest_site(points, sites, origin, indptr, indices, start, p):
    """Point nearest to ``p``, by walking the Delaunay graph downhill from ``start`` (it has no false minimum).

    In a periodic box ``p`` is carried along, in place, to the image that lies nearest to the point returned.
    """
    best = start
    px, py, pz = p[0], p[1], p[2]
    d2 = (points[best, 0] - px) ** 2 + (points[best, 1] - py) ** 2 + (points[best, 2] - pz) ** 2
    while True:
        step = -1
        for k in range(indptr[best], indptr[best + 1]):
            j = indices[k]
            trial = (sites[j, 0] - px) ** 2 + (sites[j, 1] - py) ** 2 + (sites[j, 2] - pz) ** 2
            if trial < d2:
                d2 = trial
                step = j
        if step < 0:
            p[0], p[1], p[2] = px, py, pz
            return best
        best = origin[step]
        if step != best:
            px += points[best, 0] - sites[step, 0]
            py += points[best, 1] - sites[step, 1]
            pz += points[best, 2] - sites[step, 2]


@njit(cache=True, nogil=True)
def _distance2(a, b):
    dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True)
def _first_met(sites, indptr, indices, g1, g2, g3, p, u):
    """The neighbour of ``g1`` that the growing sphere meets first along ``u``, and the step x to it; (-1, inf) for none."""
    first, nearest = -1, math.inf
    gx, gy, gz = sites[g1, 0], sites[g1, 1], sites[g1, 2]
    ax, ay, az = 2.0 * (gx - p[0]), 2.0 * (gy - p[1]), 2.0 * (gz - p[2])
    ux, uy, uz = u[0], u[1], u[2]
    for k in range(indptr[g1], indptr[g1 + 1]):
        j = indices[k]
        if j == g2 or j == g3:
            continue
        # With d = g_j - g_1 and a = g_1 - p: |g_j - p|^2 - |g_1 - p|^2 = d . (d + 2 a).
        dx, dy, dz = sites[j, 0] - gx, sites[j, 1] - gy, sites[j, 2] - gz
        d2 = dx * dx + dy * dy + dz * dz
        ahead = ux * dx + uy * dy + uz * dz
        if ahead <= _ROUNDING * math.sqrt(d2):
            continue
        # A galaxy that the sphere touches already, or would by rounding, stops it where it is.
        x = max(0.5 * (d2 + dx * ax + dy * ay + dz * az) / ahead, 0.0)
        if x < nearest:
            first, nearest = j, x
    return first, nearest


@njit(cache=True, nogil=True)
def _normalize(u):
    norm = math.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2])
    if norm > 0.0:
        u[0] /= norm
        u[1] /= norm
        u[2] /= norm
    return norm


@njit(cache=True, nogil=True)
def grow_hole(sites, indptr, indices, footprint, g1, p, u, touching):
    """Grow one sphere from ``p``, whose nearest galaxy is ``g1``; move ``p`` to its centre and name the four galaxies.

    Returns False when the centre leaves the region on the way, or when no fourth galaxy is met.
    """
    a = sites[g1]
    for axis in range(3):
        u[axis] = p[axis] - a[axis]
    if _normalize(u) == 0.0:
        return False
    g2, x = _first_met(sites, indptr, indices, g1, g1, g1, p, u)
    if g2 < 0 or not _move(footprint, p, u, x):
        return False

    b = sites[g2]
    for axis in range(3):
        u[axis] = p[axis] - 0.5 * (a[axis] + b[axis])
    if _normalize(u) <= _ROUNDING * math.sqrt(_distance2(a, b)):
        _perpendicular(a, b, u)
    g3, x = _first_met(sites, indptr, indices, g1, g2, g2, p, u)
    if g3 < 0 or not _move(footprint, p, u, x):
        return False

    c = sites[g3]
    bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    cx, cy, cz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    u[0], u[1], u[2] = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    if _normalize(u) == 0.0:
        return False
    height = u[0] * (p[0] - a[0]) + u[1] * (p[1] - a[1]) + u[2] * (p[2] - a[2])
    if height < 0.0:
        u[0], u[1], u[2] = -u[0], -u[1], -u[2]
    g4, x = _first_met(sites, indptr, indices, g1, g2, g3, p, u)
    if abs(height) <= _ROUNDING * math.sqrt(_distance2(a, p)):
        u[0], u[1], u[2] = -u[0], -u[1], -u[2]
        other, y = _first_met(sites, indptr, indices, g1, g2, g3, p, u)
        if y < x:
            g4, x = other, y
        else:
            u[0], u[1], u[2] = -u[0], -u[1], -u[2]
    if g4 < 0 or not _move(footprint, p, u, x):
        return False
    touching[0], touching[1], touching[2], touching[3] = g1, g2, g3, g4
    return True


@njit(cache=True, nogil=True)
def _move(footprint, p, u, x):
    for axis in range(3):
        p[axis] += x * u[axis]
    return inside(footprint, p[0], p[1], p[2])


@njit(cache=True, nogil=True)
def _perpendicular(a, b, u):
    """A unit vector across b - a: the start lies between the two galaxies and every direction is as good."""
    least = 0
    for axis in range(3):
        if abs(b[axis] - a[axis]) < abs(b[least] - a[least]):
            least = axis
    i, j = (least + 1) % 3, (least + 2) % 3
    u[least], u[i], u[j] = 0.0, -(b[j] - a[j]), b[i] - a[i]
    _normalize(u)


@njit(cache=True, nogil=True)
def grow_holes(points, sites, origin, indptr, indices, footprint, low, cell, shape, occupied, first, last):
    """Grow a sphere from the centre of every empty cell with index in [first, last).

    Returns
    -------
    centre : (m, 3) Mpc/h; radius : (m,) Mpc/h; touching : (m, 4) sites on each sphere, the first one a point.
    """
    capacity = 1024
    centre = np.empty((capacity, 3))
    radius = np.empty(capacity)
    touching = np.empty((capacity, 4), dtype=np.int32)
    found = 0
    p, u, four = np.empty(3), np.empty(3), np.empty(4, dtype=np.int32)
    start = 0
    for index in range(first, last):
        if occupied[index]:
            continue
        cx = index // (shape[1] * shape[2])
        cy = index // shape[2] % shape[1]
        cz = index % shape[2]
        p[0] = low[0] + (cx + 0.5) * cell[0]
        p[1] = low[1] + (cy + 0.5) * cell[1]
        p[2] = low[2] + (cz + 0.5) * cell[2]
        if not inside(footprint, p[0], p[1], p[2]):
            continue
        start = nearest_site(points, sites, origin, indptr, indices, start, p)
        if not grow_hole(sites, indptr, indices, footprint, start, p, u, four):
            continue
        if found == capacity:
            capacity *= 2
            centre, radius, touching = _longer(centre, radius, touching, capacity)
        centre[found] = p
        radius[found] = math.sqrt(_distance2(sites[four[0]], p))
        touching[found] = four
        found += 1
    return centre[:found].copy(), radius[:found].copy(), touching[:found].copy()


@njit(cache=True, nogil=True)
def _longer(centre, radius, touching, capacity):
    n = len(radius)
    centre2 = np.empty((capacity, 3))
    radius2 = np.empty(capacity)
    touching2 = np.empty((capacity, 4), dtype=np.int32)
    centre2[:n], radius2[:n], touching2[:n] = centre, radius, touching
    return centre2, radius2, touching2
