"""From grown spheres to voids: mask cut, duplicates, maximal spheres and the holes that join them, compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.footprint import inside

#: Points on the unit sphere that are tested against the region.
SURFACE_POINTS = 20


def golden_spiral(n: int) -> NDArray[np.float64]:
    """n points (n, 3) spread evenly over the unit sphere along a golden spiral (Vogel 1979)."""
    k = np.arange(n) + 0.5
    cos_theta = 1.0 - 2.0 * k / n
    sin_theta = np.sqrt(1.0 - cos_theta**2)
    phi = math.pi * (1.0 + math.sqrt(5.0)) * k
    return np.stack([np.cos(phi) * sin_theta, np.sin(phi) * sin_theta, cos_theta], axis=1)


def cubic_mesh(largest: float, points_per_volume: float) -> NDArray[np.float64]:
    """Mesh points (n, 3) within ``largest`` [Mpc/h] of the origin, nearest first.

    The step is ``points_per_volume**-0.33`` and the first layer lies at ``-1.05 largest``, as in VAST, so that the
    same holes pass the mask cut.
    """
    step = 1.0 / points_per_volume**0.33
    axis = np.arange(-1.05 * largest, 1.05 * largest, step)
    mesh = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(mesh, axis=1)
    order = np.argsort(distance, kind="stable")
    return mesh[order[distance[order] < largest]]


@njit(cache=True)
def leaves_region(centre, radius, surface, footprint):
    """(m,) True for spheres with a surface point outside the region."""
    out = np.zeros(len(radius), dtype=np.bool_)
    for i in range(len(radius)):
        for k in range(len(surface)):
            if not inside(
                footprint,
                centre[i, 0] + radius[i] * surface[k, 0],
                centre[i, 1] + radius[i] * surface[k, 1],
                centre[i, 2] + radius[i] * surface[k, 2],
            ):
                out[i] = True
                break
    return out


@njit(cache=True)
def outside_fraction(centre, radius, rows, mesh, mesh_radius, scaled, footprint):
    """Fraction of each sphere's volume outside the region, for the spheres ``rows``.

    With ``scaled`` the mesh fills a unit sphere and is scaled to each; otherwise its step is fixed [Mpc/h].
    """
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        row = rows[i]
        factor = radius[row] if scaled else 1.0
        total = outside = 0
        for k in range(len(mesh)):
            if factor * mesh_radius[k] >= radius[row]:
                break
            total += 1
            if not inside(
                footprint,
                centre[row, 0] + factor * mesh[k, 0],
                centre[row, 1] + factor * mesh[k, 1],
                centre[row, 2] + factor * mesh[k, 2],
            ):
                outside += 1
        out[i] = outside / max(total, 1)
    return out


@njit(cache=True)
def first_of_each(touching):
    """(m,) True for the first sphere on each set of four galaxies (m, 4)."""
    n = len(touching)
    size = 16
    while size < 2 * n:
        size *= 2
    table = np.full(size, -1, dtype=np.int64)
    ordered = np.empty_like(touching)
    keep = np.zeros(n, dtype=np.bool_)
    for i in range(n):
        ordered[i] = np.sort(touching[i])
        key = np.uint64(0)
        for k in range(4):
            key = (key ^ np.uint64(ordered[i, k])) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
        slot = np.int64(key & np.uint64(size - 1))
        while table[slot] >= 0 and not np.array_equal(ordered[table[slot]], ordered[i]):
            slot = (slot + 1) & (size - 1)
        if table[slot] < 0:
            table[slot] = i
            keep[i] = True
    return keep


@njit(cache=True)
def lens_volume(r1, r2, d):
    """Volume common to two spheres of radii r1, r2 whose centres are d apart."""
    if d >= r1 + r2:
        return 0.0
    if d <= abs(r1 - r2):
        return 4.0 / 3.0 * math.pi * min(r1, r2) ** 3
    overlap = r1 + r2 - d
    return math.pi * overlap * overlap * (d * d + 2.0 * d * (r1 + r2) - 3.0 * (r1 - r2) ** 2) / (12.0 * d)


@njit(cache=True)
def _separation(a, b, period):
    """Distance of two positions, across the boundary along axes with a period above 0."""
    total = 0.0
    for axis in range(3):
        d = abs(a[axis] - b[axis])
        if period[axis] > 0.0:
            d = min(d, period[axis] - d)
        total += d * d
    return math.sqrt(total)


@njit(cache=True)
def near_duplicates(centre, radius, tolerance, period):
    """(m,) True for spheres within ``tolerance`` in position and in radius of the last one kept before them.

    The spheres come largest first. Only neighbours in this order are compared, as in VAST: the same void grown from two
    cells gives spheres of the same radius, and these follow one another.
    """
    drop = np.zeros(len(radius), dtype=np.bool_)
    last = 0
    for i in range(1, len(radius)):
        close = _separation(centre[i], centre[last], period) <= tolerance
        drop[i] = close and radius[last] - radius[i] <= tolerance
        if not drop[i]:
            last = i
    return drop


@njit(cache=True)
def _cell_of(p, low, cell, shape):
    """Grid coordinates of a position, clipped to the grid."""
    cx = min(max(int((p[0] - low[0]) / cell[0]), 0), shape[0] - 1)
    cy = min(max(int((p[1] - low[1]) / cell[1]), 0), shape[1] - 1)
    cz = min(max(int((p[2] - low[2]) / cell[2]), 0), shape[2] - 1)
    return cx, cy, cz


@njit(cache=True)
def _cells_within(x, reach, low, cell, n, periodic):
    """Range of grid cells along one axis, within ``reach`` of x: clipped to the grid, or each once round a periodic one."""
    first, last = int(math.floor((x - reach - low) / cell)), int(math.floor((x + reach - low) / cell)) + 1
    if periodic:
        return first, min(last, first + n)
    return min(max(first, 0), n - 1), max(min(last, n), 1)


@njit(cache=True)
def _overlaps(centre, radius, i, members, heads, chain, low, cell, shape, period, limit, largest, stop):
    """How many listed spheres share more than ``limit`` of sphere i's volume, at most ``stop``, and the last of them.

    ``members`` are chained by grid cell (``heads``, ``chain``); cells within reach of the sphere are looked at, its own
    radius and the ``largest`` one of the members away.
    """
    own = limit * 4.0 / 3.0 * math.pi * radius[i] ** 3
    reach = radius[i] + largest
    count, which = 0, -1
    x0, x1 = _cells_within(centre[i, 0], reach, low[0], cell[0], shape[0], period[0] > 0.0)
    y0, y1 = _cells_within(centre[i, 1], reach, low[1], cell[1], shape[1], period[1] > 0.0)
    z0, z1 = _cells_within(centre[i, 2], reach, low[2], cell[2], shape[2], period[2] > 0.0)
    for ix in range(x0, x1):
        x = ix % shape[0]
        for iy in range(y0, y1):
            y = iy % shape[1]
            for iz in range(z0, z1):
                z = iz % shape[2]
                member = heads[(x * shape[1] + y) * shape[2] + z]
                while member >= 0:
                    j = members[member]
                    d = _separation(centre[i], centre[j], period)
                    if lens_volume(radius[i], radius[j], d) > own:
                        count += 1
                        which = member
                        if count >= stop:
                            return count, which
                    member = chain[member]
    return count, which


@njit(cache=True)
def merge_holes(centre, radius, min_radius, max_overlap, join_overlap, period, low, cell, shape):
    """Maximal spheres and the void that each sphere belongs to.

    Spheres come largest first. A sphere with radius above ``min_radius`` is maximal unless more than ``max_overlap`` of its
    volume lies in an earlier maximal sphere. Any other sphere joins a void when more than ``join_overlap`` of its volume lies in
    exactly one maximal sphere.

    Returns
    -------
    maximal : (v,) indices of the maximal spheres; void : (m,) void of each sphere, -1 for none.
    """
    n = len(radius)
    heads = np.full(shape[0] * shape[1] * shape[2], -1, dtype=np.int64)
    chain = np.empty(n, dtype=np.int64)
    maximal = np.empty(n, dtype=np.int64)
    void = np.full(n, -1, dtype=np.int64)
    found = 0
    for i in range(n):
        if radius[i] <= min_radius:
            break
        count, _ = _overlaps(
            centre, radius, i, maximal, heads, chain, low, cell, shape, period, max_overlap, radius[0], 1
        )
        if count == 0:
            x, y, z = _cell_of(centre[i], low, cell, shape)
            head = (x * shape[1] + y) * shape[2] + z
            maximal[found] = i
            chain[found] = heads[head]
            heads[head] = found
            void[i] = found
            found += 1
    for i in range(n):
        if void[i] < 0:
            count, which = _overlaps(
                centre, radius, i, maximal, heads, chain, low, cell, shape, period, join_overlap, radius[0], 2
            )
            if count == 1:
                void[i] = which
    return maximal[:found].copy(), void
