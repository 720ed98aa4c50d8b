"""Where do galaxies, or any other positions, stand with respect to the voids?

A position is in a VoidFinder void when it lies strictly inside any of its holes, and in a watershed void when the
tessellated galaxy nearest to it belongs to one: its Voronoi cell is then part of the void. A void that takes
every zone, as the largest ZOBOV void does by construction, says nothing of what is in it: it does not count.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from armillary.errors import InputError
from armillary.model import BoxRegion, MembershipCode, Region, VoidCatalog
from armillary.voids.footprint import Footprint, inside, inside_each

#: A position is near the edge when a step of this length along x, y or z leaves the region [Mpc/h].
EDGE_DISTANCE = 10.0

#: Wall galaxies lie on the surface of holes, that is within rounding of it; this fraction of the squared radius is surface.
_ON_SURFACE = 1e-8


def classify(xyz: ArrayLike, voids: VoidCatalog) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Membership code (n,) and void (n,), -1 for none, of positions (n, 3) [Mpc/h].

    Inside any void: 1. Else outside the region: 9. Else within 10 Mpc/h of its edge along an axis (VoidFinder), or in
    the cell of a galaxy whose cell crosses it (watershed): 2. Else 0. A catalogue without a region knows no 9 and no 2
    of the first kind.

    Raises
    ------
    InputError
        When the positions are not finite or not (n, 3).
    """
    xyz = np.ascontiguousarray(xyz, dtype=np.float64)
    if xyz.ndim != 2 or xyz.shape[1] != 3:
        raise InputError(f"positions have shape {xyz.shape}; expected (n, 3)")
    if not np.isfinite(xyz).all():
        raise InputError(f"{(~np.isfinite(xyz).all(axis=1)).sum()} of {len(xyz)} positions are NaN or infinite")
    if isinstance(voids.region, BoxRegion) and voids.region.periodic:
        xyz = voids.region.wrap(xyz)
    if voids.holes is not None:
        void = containing_void(xyz, voids.holes.centre, voids.holes.radius, voids.holes.void, voids.region)
        return position_codes(void, xyz, voids.region, EDGE_DISTANCE), void
    zones = voids.zones
    assert zones is not None
    nearest = nearest_galaxy(zones.xyz, xyz, voids.region)
    return watershed_codes(xyz, zones.zone[nearest], voids)


def watershed_codes(
    xyz: NDArray[np.float64], zone: NDArray[np.int64], voids: VoidCatalog
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Membership code (n,) and void (n,) of positions (n, 3) in cells of the given zones (n,), -1 for edge cells."""
    void = void_of_zone(voids, zone)
    code = position_codes(void, xyz, voids.region, 0.0)
    code[(code == MembershipCode.WALL) & (zone < 0)] = MembershipCode.NEAR_EDGE
    return code, void


def void_of_zone(voids: VoidCatalog, zone: NDArray[np.int64]) -> NDArray[np.int64]:
    """The smallest void (n,) that holds each zone, -1 for none, for zone -1, and for the void that takes every zone."""
    zones = voids.zones
    assert zones is not None
    if not len(zones):
        return np.full(len(zone), -1, dtype=np.int64)
    void = np.where(zone < 0, -1, zones.void0[np.maximum(zone, 0)])
    root = voids.parameters.get("root_void", -1)
    return np.where(void == root, -1, void)


def nearest_galaxy(
    galaxies: NDArray[np.float64], xyz: NDArray[np.float64], region: Region | None, *, workers: int = 1
) -> NDArray[np.int64]:
    """Index of the galaxy nearest to each position, across the boundary of a periodic box."""
    from scipy.spatial import cKDTree

    if isinstance(region, BoxRegion) and region.periodic:
        tree = cKDTree(region.fold(galaxies), boxsize=region.size)
        return tree.query(region.fold(xyz), workers=workers)[1]
    return cKDTree(galaxies).query(xyz, workers=workers)[1]


def position_codes(void, xyz, region: Region | None, margin: float) -> NDArray[np.int8]:
    """Codes (n,) from the void of each position, the region, and how near its edge counts as near [Mpc/h]; 0 for not at all."""
    code = np.where(void >= 0, MembershipCode.VOID, MembershipCode.WALL).astype(np.int8)
    if region is not None:
        footprint = Footprint.of(region)
        open_rows = np.flatnonzero(void < 0)
        within = inside_each(footprint, xyz[open_rows])
        code[open_rows[~within]] = MembershipCode.OUTSIDE
        if margin > 0.0:
            rows = open_rows[within]
            code[rows[near_edge(footprint, xyz[rows], margin)]] = MembershipCode.NEAR_EDGE
    return code


@njit(cache=True)
def near_edge(footprint, xyz, margin):
    """(n,) True where a step of ``margin`` [Mpc/h] along x, y or z, either way, leaves the region."""
    out = np.zeros(len(xyz), dtype=np.bool_)
    for i in range(len(xyz)):
        x, y, z = xyz[i, 0], xyz[i, 1], xyz[i, 2]
        out[i] = not (
            inside(footprint, x + margin, y, z)
            and inside(footprint, x - margin, y, z)
            and inside(footprint, x, y + margin, z)
            and inside(footprint, x, y - margin, z)
            and inside(footprint, x, y, z + margin)
            and inside(footprint, x, y, z - margin)
        )
    return out


def containing_void(xyz, centre, radius, void, region: Region | None) -> NDArray[np.int64]:
    """Void (n,) of the largest sphere that strictly holds each position, -1 for none."""
    if not len(radius) or not len(xyz):
        return np.full(len(xyz), -1, dtype=np.int64)
    if isinstance(region, BoxRegion) and region.periodic:
        centre, origin = with_images(centre, radius, region)
        radius, void = radius[origin], void[origin]
    order = np.argsort(-radius, kind="stable")
    centre, radius, void = np.ascontiguousarray(centre[order]), radius[order], void[order]
    cell = max(0.5 * float(radius[0]), 1e-6)
    low = xyz.min(axis=0)
    shape = np.minimum(np.floor((xyz.max(axis=0) - low) / cell).astype(np.int64) + 1, 256)
    cells = np.maximum((xyz.max(axis=0) - low) / shape, 1e-9) * (1.0 + 1e-12)
    start, spheres = _spheres_by_cell(centre, radius, low, cells, shape)
    hit = _first_sphere(xyz, centre, radius, low, cells, shape, start, spheres)
    return np.where(hit < 0, -1, void[hit])


def with_images(centre, reach, box: BoxRegion):
    """Positions and those periodic images that come within ``reach`` (n,) of the box, and what each is an image of."""
    centres, origins = [centre], [np.arange(len(centre))]
    low, high = np.array(box.low), np.array(box.high)
    for shift in product((-1, 0, 1), repeat=3):
        if shift == (0, 0, 0):
            continue
        image = centre + np.array(shift) * box.size
        rows = np.flatnonzero(
            ((image + reach[:, None] >= low) & (image - reach[:, None] <= high)).all(axis=1)
        )
        centres.append(image[rows])
        origins.append(rows)
    return np.concatenate(centres), np.concatenate(origins)


@njit(cache=True)
def _span(centre, radius, low, cell, shape, axis):
    first = int(math.floor((centre[axis] - radius - low[axis]) / cell[axis]))
    last = int(math.floor((centre[axis] + radius - low[axis]) / cell[axis]))
    return max(first, 0), min(last, shape[axis] - 1)


@njit(cache=True)
def _reaches(centre, radius, low, cell, x, y, z):
    """True when the sphere comes into grid cell (x, y, z)."""
    d2 = 0.0
    for axis in range(3):
        index = x if axis == 0 else (y if axis == 1 else z)
        near = low[axis] + index * cell[axis]
        if centre[axis] < near:
            d2 += (near - centre[axis]) ** 2
        elif centre[axis] > near + cell[axis]:
            d2 += (centre[axis] - near - cell[axis]) ** 2
    return d2 <= radius * radius * (1.0 + 1e-9)


@njit(cache=True)
def _spheres_by_cell(centre, radius, low, cell, shape):
    """For each grid cell the spheres that come into it, in their order, as CSR."""
    start = np.zeros(shape[0] * shape[1] * shape[2] + 1, dtype=np.int64)
    spheres = np.empty(0, dtype=np.int32)
    for counting in (True, False):
        for i in range(len(radius)):
            x0, x1 = _span(centre[i], radius[i], low, cell, shape, 0)
            y0, y1 = _span(centre[i], radius[i], low, cell, shape, 1)
            z0, z1 = _span(centre[i], radius[i], low, cell, shape, 2)
            for x in range(x0, x1 + 1):
                for y in range(y0, y1 + 1):
                    for z in range(z0, z1 + 1):
                        if _reaches(centre[i], radius[i], low, cell, x, y, z):
                            key = (x * shape[1] + y) * shape[2] + z
                            if counting:
                                start[key + 1] += 1
                            else:
                                spheres[start[key]] = i
                                start[key] += 1
        if counting:
            start = np.cumsum(start)
            spheres = np.empty(start[-1], dtype=np.int32)
    start[1:] = start[:-1].copy()
    start[0] = 0
    return start, spheres


@njit(cache=True)
def _first_sphere(xyz, centre, radius, low, cell, shape, start, spheres):
    out = np.full(len(xyz), -1, dtype=np.int64)
    for i in range(len(xyz)):
        key = 0
        for axis in range(3):
            key = key * shape[axis] + min(int((xyz[i, axis] - low[axis]) / cell[axis]), shape[axis] - 1)
        for k in range(start[key], start[key + 1]):
            j = spheres[k]
            dx, dy, dz = xyz[i, 0] - centre[j, 0], xyz[i, 1] - centre[j, 1], xyz[i, 2] - centre[j, 2]
            if dx * dx + dy * dy + dz * dz < radius[j] * radius[j] * (1.0 - _ON_SURFACE):
                out[i] = j
                break
    return out


def scaled_centre_distance(xyz, centre, r_eff, region: Region | None) -> NDArray[np.float64]:
    """Smallest distance (n,) to a void centre in units of that void's effective radius; infinite without voids."""
    if not len(r_eff) or not len(xyz):
        return np.full(len(xyz), np.inf)
    if isinstance(region, BoxRegion) and region.periodic:
        centre, origin = with_images(centre, np.full(len(r_eff), float(region.size.max())), region)
        r_eff = r_eff[origin]
    best = np.full(len(xyz), np.inf)
    # Voids of similar size together: the search may stop at a distance of the largest of them times the best so far.
    size_class = np.floor(np.log2(r_eff / r_eff.min()) * 2.0).astype(np.int64)
    for members in (np.flatnonzero(size_class == k) for k in np.unique(size_class)):
        low, span = centre[members].min(axis=0), np.ptp(centre[members], axis=0)
        largest = float(r_eff[members].max())
        cell = max(largest, float((np.prod(span + largest) / len(members)) ** (1 / 3)))
        shape = np.floor(span / cell).astype(np.int64) + 1
        key = np.zeros(len(members), dtype=np.int64)
        for axis in range(3):
            key = key * shape[axis] + ((centre[members, axis] - low[axis]) / cell).astype(np.int64)
        order = np.argsort(key, kind="stable")
        start = np.searchsorted(key[order], np.arange(int(np.prod(shape)) + 1))
        ordered = members[order]
        _nearest_scaled(xyz, centre[ordered], r_eff[ordered], largest, low, cell, shape, start, best)
    return best


@njit(cache=True)
def _nearest_scaled(xyz, centre, r_eff, largest, low, cell, shape, start, out):
    """Lower ``out`` (n,), searching outwards ring by ring of cells; a ring at distance d cannot beat d / largest."""
    here = np.empty(3, dtype=np.int64)
    for i in range(len(xyz)):
        ring = 0
        outermost = 0
        for axis in range(3):
            here[axis] = int(math.floor((xyz[i, axis] - low[axis]) / cell))
            ring = max(ring, -here[axis], here[axis] - shape[axis] + 1)
            outermost = max(outermost, here[axis], shape[axis] - 1 - here[axis])
        best = out[i]
        while ring <= outermost and (ring - 1) * cell < best * largest:
            for x in range(max(here[0] - ring, 0), min(here[0] + ring, shape[0] - 1) + 1):
                for y in range(max(here[1] - ring, 0), min(here[1] + ring, shape[1] - 1) + 1):
                    on_shell = abs(x - here[0]) == ring or abs(y - here[1]) == ring
                    step = 1 if on_shell or ring == 0 else 2 * ring
                    for z in range(here[2] - ring, here[2] + ring + 1, step):
                        if not 0 <= z < shape[2]:
                            continue
                        key = (x * shape[1] + y) * shape[2] + z
                        for k in range(start[key], start[key + 1]):
                            dx, dy, dz = (
                                xyz[i, 0] - centre[k, 0], xyz[i, 1] - centre[k, 1], xyz[i, 2] - centre[k, 2]
                            )
                            best = min(best, math.sqrt(dx * dx + dy * dy + dz * dz) / r_eff[k])
            ring += 1
        out[i] = best
