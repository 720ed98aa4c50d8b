"""From grown spheres to voids: mask cut, duplicates, maximal spheres and the holes that join them."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import INNER, KERNEL
from armillary.voids.footprint import Footprint, points_outside

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
    return _within(axis, largest)


def unit_mesh(steps: int) -> NDArray[np.float64]:
    """Mesh points (n, 3) that fill the unit sphere, ``steps`` along its radius, nearest first."""
    return _within((np.arange(-steps, steps) + 0.5) / steps, 1.0)


def _within(axis: NDArray[np.float64], largest: float) -> NDArray[np.float64]:
    mesh = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(mesh, axis=1)
    order = np.argsort(distance, kind="stable")
    return mesh[order[distance[order] < largest]]


def leaves_region(
    centre: NDArray[np.float64], radius: NDArray[np.float64], surface: NDArray[np.float64], footprint: Footprint
) -> NDArray[np.bool_]:
    """(m,) True for spheres with a surface point outside the region."""
    return points_outside(footprint, centre, radius, surface, enough=1) > 0


def outside_fraction(
    centre: NDArray[np.float64], radius: NDArray[np.float64], mesh: NDArray[np.float64], footprint: Footprint,
    *, scaled: bool, limit: float | None = None,
) -> NDArray[np.float64]:
    """Fraction of each sphere's volume outside the region.

    With ``scaled`` the mesh fills a unit sphere and is scaled to each; otherwise its step is fixed [Mpc/h]. With a ``limit``
    only the side of it on which the fraction lies is certain, and that costs less.
    """
    length = np.linalg.norm(mesh, axis=1)
    total = np.full(len(radius), len(mesh)) if scaled else np.searchsorted(length, radius)
    total = np.maximum(total, 1)
    enough = None
    if limit is not None:
        enough = np.ceil(limit * total).astype(np.int64)
        # The quotient is what is compared, and it is rounded.
        enough -= (enough - 1) / total >= limit
        enough += enough / total < limit
    scale = radius if scaled else np.ones(len(radius))
    return points_outside(footprint, centre, scale, mesh, count=total, enough=enough) / total


def first_of_each(touching: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(m,) True for the first sphere on each set of four galaxies (m, 4)."""
    four = np.sort(touching, axis=1).astype(np.uint64)
    key = np.zeros(len(four), dtype=np.uint64)
    for column in four.T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    order = np.argsort(key)
    same = key[order[1:]] == key[order[:-1]]
    if (four[order[1:]][same] != four[order[:-1]][same]).any():
        # Two sets on one key: sort by the galaxies themselves.
        order = np.lexsort(four.T)
        same = (four[order[1:]] == four[order[:-1]]).all(axis=1)
    keep = np.zeros(len(four), dtype=bool)
    starts = np.flatnonzero(np.r_[True, ~same][: len(four)])
    keep[np.minimum.reduceat(order, starts)] = True
    return keep


def near_duplicates(
    centre: NDArray[np.float64], radius: NDArray[np.float64], tolerance: float, period: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(m,) True for spheres within ``tolerance`` in position and in radius of the last one kept before them.

    The spheres come largest first. Only neighbours in this order are compared, as in VAST: the same void grown from two
    cells gives spheres of the same radius, and these follow one another.
    """

    def close(one, other):
        d2 = 0.0
        for coordinate, length in zip(centre.T, period, strict=True):
            d = np.abs(coordinate[other] - coordinate[one])
            d2 = d2 + (np.minimum(d, length - d) if length > 0.0 else d) ** 2
        return (np.sqrt(d2) <= tolerance) & (radius[one] - radius[other] <= tolerance)

    drop = np.zeros(len(radius), dtype=bool)
    follows = np.arange(1, len(radius))
    done = 0
    for first in follows[close(follows - 1, follows)].tolist():
        # A run of duplicates of the sphere before it; each is compared with that one.
        if first > done:
            done = first
            while done < len(radius) and close(first - 1, done):
                drop[done] = True
                done += 1
    return drop


@njit(**KERNEL)
def lens_volume(r1, r2, d):
    """Volume common to two spheres of radii r1, r2 whose centres are d apart."""
    if d >= r1 + r2:
        return 0.0
    difference = r1 - r2
    if d <= abs(difference):
        smaller = min(r2, r1)
        return 4.0 / 3.0 * math.pi * (smaller * smaller * smaller)
    overlap = r1 + r2 - d
    return math.pi * overlap * overlap * (d * d + 2.0 * d * (r1 + r2) - 3.0 * (difference * difference)) / (12.0 * d)


def merge_holes(
    centre: NDArray[np.float64], radius: NDArray[np.float64], min_radius: float, max_overlap: float, join_overlap: float,
    period: NDArray[np.float64], low: NDArray[np.float64], cell: NDArray[np.float64], shape: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Maximal spheres and the void that each sphere belongs to.

    Spheres come largest first. A sphere with radius above ``min_radius`` is maximal unless more than ``max_overlap`` of its
    volume lies in an earlier maximal sphere. Any other sphere joins a void when more than ``join_overlap`` of its volume lies in
    exactly one maximal sphere.

    Parameters
    ----------
    period : (3,) side lengths of a periodic box, 0 along axes that are not periodic [Mpc/h].
    low, cell, shape : a grid of cells over the centres; with a period it fills the box.

    Returns
    -------
    maximal : (v,) indices of the maximal spheres; void : (m,) void of each sphere, -1 for none.
    """
    at = np.clip(((centre - low) / cell).astype(np.int64), 0, shape - 1)
    key = (at[:, 0] * shape[1] + at[:, 1]) * shape[2] + at[:, 2]
    order = np.argsort(key, kind="stable")
    start = np.searchsorted(key[order], np.arange(int(np.prod(shape)) + 1))
    candidates = int((radius > min_radius).sum())
    cells = _cells_within(centre[:candidates], radius[:candidates] + radius[:1], period, low, cell, shape)
    own = 4.0 / 3.0 * math.pi * radius[order] ** 3
    void, joined = np.full(len(radius), -1, dtype=np.int64), np.zeros(len(radius), dtype=np.int8)
    barred = np.zeros(len(radius), dtype=bool)
    _merge(
        centre, radius, cells, shape, period, start, order, centre[order], radius[order], max_overlap * own,
        join_overlap * own, barred, joined, void,
    )
    maximal = np.flatnonzero(~barred[:candidates])
    void[joined != 1] = -1
    void[maximal] = np.arange(len(maximal))
    return maximal, void


def _cells_within(centre, reach, period, low, cell, shape) -> NDArray[np.int64]:
    """Ranges of grid cells (n, 2, 3) within ``reach`` (n,): clipped to the grid, or each cell once round a periodic one."""
    first = np.floor((centre - reach[:, None] - low) / cell)
    last = np.floor((centre + reach[:, None] - low) / cell) + 1.0
    round_about = np.stack((first, np.minimum(last, first + shape)), axis=1)
    clipped = np.stack((np.clip(first, 0, shape - 1), np.clip(last, 1, shape)), axis=1)
    return np.where(period > 0.0, round_about, clipped).astype(np.int64)


@njit(**KERNEL)
def _merge(centre, radius, cells, shape, period, start, order, there, reach, most, least, barred, joined, void):
    """Tell of each sphere whether it is ``barred`` from being maximal, how many it has ``joined``, up to 2, and the last.

    Each maximal sphere, once found, marks all spheres that it overlaps. ``there`` (m, 3) and ``reach`` (m,) are centres and
    radii in ``order`` by grid cell; ``most`` and ``least`` (m,) are the volumes above which they are barred and join.
    """
    voids = 0
    for i in range(len(cells)):
        if barred[i]:
            continue
        x, y, z, r = centre[i, 0], centre[i, 1], centre[i, 2], radius[i]
        for ix in range(cells[i, 0, 0], cells[i, 1, 0]):
            for iy in range(cells[i, 0, 1], cells[i, 1, 1]):
                for iz in range(cells[i, 0, 2], cells[i, 1, 2]):
                    key = (ix % shape[0] * shape[1] + iy % shape[1]) * shape[2] + iz % shape[2]
                    for k in range(start[key], start[key + 1]):
                        dx = _across(x - there[k, 0], period[0])
                        dy = _across(y - there[k, 1], period[1])
                        dz = _across(z - there[k, 2], period[2])
                        d2 = dx * dx + dy * dy + dz * dz
                        if d2 < (r + reach[k]) * (r + reach[k]):
                            common = lens_volume(reach[k], r, math.sqrt(d2))
                            j = order[k]
                            # What is marked already is decided: a maximal sphere bars only smaller ones.
                            if common > most[k] and j > i:
                                barred[j] = True
                            if common > least[k] and joined[j] < 2:
                                joined[j] += 1
                                void[j] = voids
        voids += 1


@njit(**INNER)
def _across(d, period):
    """Size of a difference along an axis, across the boundary where there is a period."""
    d = abs(d)
    return period - d if period > 0.0 and period - d < d else d
