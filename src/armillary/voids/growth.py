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
from numpy.typing import NDArray

from armillary.voids.compiled import INNER, KERNEL
from armillary.voids.footprint import Footprint, clearance
from armillary.voids.tessellation import Tessellation

_ROUNDING = 1e-12
#: The part of the clearance that a centre may move without another look: its path is as long as rounding lets it be.
_CERTAIN = 1.0 - 1e-6


def occupied_cells(
    points: NDArray[np.float64], low: NDArray[np.float64], cell: NDArray[np.float64], shape: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(cells,) True where a cell of the search grid holds at least one of the points; the last axis runs fastest."""
    occupied = np.zeros(int(np.prod(shape)), dtype=bool)
    within, key = np.ones(len(points), dtype=bool), np.zeros(len(points))
    for axis in range(3):
        at = np.trunc((points[:, axis] - low[axis]) / cell[axis])
        within &= (at >= 0.0) & (at < shape[axis])
        key = key * shape[axis] + at
    occupied[key[within].astype(np.int64)] = True
    return occupied


def grow_holes(
    tessellation: Tessellation, footprint: Footprint, low: NDArray[np.float64], cell: NDArray[np.float64],
    shape: NDArray[np.int64], occupied: NDArray[np.bool_], first: int, last: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Grow a sphere from the centre of every empty cell with index in [first, last).

    Returns
    -------
    centre : (m, 3) Mpc/h; radius : (m,) Mpc/h; touching : (m, 4) sites on each sphere, the first one a point.
    """
    capacity = last - first - int(np.count_nonzero(occupied[first:last]))
    centre, radius = np.empty((capacity, 3)), np.empty(capacity)
    touching = np.empty((capacity, 4), dtype=np.int32)
    indptr, indices = tessellation.neighbours
    found = _grow_holes(
        tessellation.points, tessellation.sites, tessellation.origin, indptr, indices, footprint, low, cell, shape,
        occupied, first, last, centre, radius, touching,
    )
    return centre[:found].copy(), radius[:found].copy(), touching[:found].copy()


@njit(**INNER)
def _nearest_site(points, sites, origin, indptr, indices, start, px, py, pz):
    """Point nearest to p, by walking the Delaunay graph downhill from ``start`` (it has no false minimum), and p.

    In a periodic box p is carried along to the image that lies nearest to the point returned.
    """
    best = start
    dx, dy, dz = points[best, 0] - px, points[best, 1] - py, points[best, 2] - pz
    d2 = dx * dx + dy * dy + dz * dz
    while True:
        step = -1
        for k in range(indptr[best], indptr[best + 1]):
            j = indices[k]
            dx, dy, dz = sites[j, 0] - px, sites[j, 1] - py, sites[j, 2] - pz
            trial = dx * dx + dy * dy + dz * dz
            if trial < d2:
                d2 = trial
                step = j
        if step < 0:
            return best, px, py, pz
        best = origin[step]
        if step != best:
            px += points[best, 0] - sites[step, 0]
            py += points[best, 1] - sites[step, 1]
            pz += points[best, 2] - sites[step, 2]


@njit(**INNER)
def _first_met(sites, indptr, indices, g1, g2, g3, px, py, pz, ux, uy, uz):
    """The neighbour of ``g1`` that the growing sphere meets first along ``u``, and the step x to it; (-1, inf) for none."""
    first, over, under = -1, 1.0, 0.0
    gx, gy, gz = sites[g1, 0], sites[g1, 1], sites[g1, 2]
    ax, ay, az = 2.0 * (gx - px), 2.0 * (gy - py), 2.0 * (gz - pz)
    for k in range(indptr[g1], indptr[g1 + 1]):
        j = indices[k]
        # With d = g_j - g_1 and a = g_1 - p: |g_j - p|^2 - |g_1 - p|^2 = d . (d + 2 a).
        dx, dy, dz = sites[j, 0] - gx, sites[j, 1] - gy, sites[j, 2] - gz
        d2 = dx * dx + dy * dy + dz * dz
        ahead = ux * dx + uy * dy + uz * dz
        # A galaxy that the sphere touches already, or would by rounding, stops it where it is.
        excess = 0.5 * (d2 + dx * ax + dy * ay + dz * az)
        excess = max(0.0, excess)
        # Fractions compared crosswise; this one test fails for the galaxies behind, and mostly, so that it is cheap.
        if ahead * over > excess * under and j != g2 and j != g3 and ahead * ahead > _ROUNDING * _ROUNDING * d2:
            first, over, under = j, excess, ahead
    return first, over / under


@njit(**INNER)
def _across(x, y, z):
    """A vector across (x, y, z): the start lies between two galaxies and every direction is as good."""
    if abs(x) <= abs(y) and abs(x) <= abs(z):
        return 0.0, -z, y
    if abs(y) <= abs(z):
        return z, 0.0, -x
    return -y, x, 0.0


@njit(nogil=True, **KERNEL)
def _grow_holes(
    points, sites, origin, indptr, indices, footprint, low, cell, shape, occupied, first, last, centre, radius, touching
):
    """Fill ``centre``, ``radius`` and ``touching``; the number of holes."""
    found, start = 0, np.int64(0)  # not a literal, for which what it is passed to would be compiled as well
    for index in range(first, last):
        if occupied[index]:
            continue
        px = low[0] + (index // (shape[1] * shape[2]) + 0.5) * cell[0]
        py = low[1] + (index // shape[2] % shape[1] + 0.5) * cell[1]
        pz = low[2] + (index % shape[2] + 0.5) * cell[2]
        room = clearance(footprint, px, py, pz) * _CERTAIN
        if room < 0.0:
            continue
        start, px, py, pz = _nearest_site(points, sites, origin, indptr, indices, start, px, py, pz)
        g1 = g2 = g3 = met = start
        ax, ay, az = sites[g1, 0], sites[g1, 1], sites[g1, 2]
        bx, by, bz = ax, ay, az
        for step in range(3):
            least = 0.0
            if step == 0:
                ux, uy, uz = px - ax, py - ay, pz - az
            elif step == 1:
                bx, by, bz = sites[g2, 0], sites[g2, 1], sites[g2, 2]
                ux, uy, uz = px - 0.5 * (ax + bx), py - 0.5 * (ay + by), pz - 0.5 * (az + bz)
                bx, by, bz = bx - ax, by - ay, bz - az
                least = _ROUNDING * math.sqrt(bx * bx + by * by + bz * bz)
            else:
                cx, cy, cz = sites[g3, 0] - ax, sites[g3, 1] - ay, sites[g3, 2] - az
                ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
            norm = math.sqrt(ux * ux + uy * uy + uz * uz)
            if norm <= least and step == 1:
                ux, uy, uz = _across(bx, by, bz)
                norm = math.sqrt(ux * ux + uy * uy + uz * uz)
            if norm == 0.0:
                met = -1
                break
            ux, uy, uz = ux / norm, uy / norm, uz / norm
            qx, qy, qz = px - ax, py - ay, pz - az
            height = ux * qx + uy * qy + uz * qz
            if step == 2 and height < 0.0:
                ux, uy, uz = -ux, -uy, -uz
            met, x = _first_met(sites, indptr, indices, g1, g2, g3, px, py, pz, ux, uy, uz)
            if step == 2 and abs(height) <= _ROUNDING * math.sqrt(qx * qx + qy * qy + qz * qz):
                # In the plane of the three either way leads out: the shorter is taken.
                other, y = _first_met(sites, indptr, indices, g1, g2, g3, px, py, pz, -ux, -uy, -uz)
                if y < x:
                    met, x = other, -y
            if met < 0:
                break
            px, py, pz = px + x * ux, py + x * uy, pz + x * uz
            room -= abs(x)
            if room <= 0.0:
                room = clearance(footprint, px, py, pz) * _CERTAIN
                if room < 0.0:
                    met = -1
                    break
            if step == 0:
                g2 = g3 = met
            elif step == 1:
                g3 = met
        if met < 0:
            continue
        dx, dy, dz = ax - px, ay - py, az - pz
        centre[found, 0], centre[found, 1], centre[found, 2] = px, py, pz
        radius[found] = math.sqrt(dx * dx + dy * dy + dz * dz)
        touching[found, 0], touching[found, 1] = g1, g2
        touching[found, 2], touching[found, 3] = g3, met
        found += 1
    return found
