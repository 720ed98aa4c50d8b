"""Where do galaxies, or any other positions, stand with respect to the voids?

A position is in a VoidFinder void when it lies strictly inside any of its holes, and in a watershed void when the
tessellated galaxy nearest to it belongs to one: its Voronoi cell is then part of the void. A void that takes
every zone, as the largest ZOBOV void does by construction, says nothing of what is in it: it does not count.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.errors import InputError
from armillary.model import BoxRegion, MembershipCode, Region, VoidCatalog
from armillary.voids.footprint import Footprint, inside_each, points_outside
from armillary.voids.nearest import largest_around

#: A position is near the edge when a step of this length along x, y or z leaves the region [Mpc/h].
EDGE_DISTANCE = 10.0

#: Wall galaxies lie on the surface of holes, that is within rounding of it; this fraction of the squared radius is surface.
_ON_SURFACE = 1e-8

#: More positions than this are worth a footprint with measured clearances.
_MANY = 10_000

#: One step along x, y and z, either way.
_STEPS = np.concatenate((np.eye(3), -np.eye(3)))


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
        footprint = None if voids.region is None else Footprint.of(voids.region, measured=len(xyz) > _MANY)
        return position_codes(void, xyz, footprint, EDGE_DISTANCE), void
    zones = voids.zones
    assert zones is not None
    nearest = nearest_galaxy(zones.xyz, xyz, voids.region)
    return watershed_codes(xyz, zones.zone[nearest], voids)


def watershed_codes(
    xyz: NDArray[np.float64], zone: NDArray[np.int64], voids: VoidCatalog
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Membership code (n,) and void (n,) of positions (n, 3) in cells of the given zones (n,), -1 for edge cells."""
    void = void_of_zone(voids, zone)
    code = position_codes(void, xyz, None if voids.region is None else Footprint.of(voids.region), 0.0)
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


def position_codes(void, xyz, footprint: Footprint | None, margin: float) -> NDArray[np.int8]:
    """Codes (n,) from the void of each position, the region, and how near its edge counts as near [Mpc/h]; 0 for not at all."""
    code = np.where(void >= 0, MembershipCode.VOID, MembershipCode.WALL).astype(np.int8)
    if footprint is not None:
        open_rows = np.flatnonzero(void < 0)
        within = inside_each(footprint, xyz[open_rows])
        code[open_rows[~within]] = MembershipCode.OUTSIDE
        if margin > 0.0:
            rows = open_rows[within]
            code[rows[near_edge(footprint, xyz[rows], margin)]] = MembershipCode.NEAR_EDGE
    return code


def near_edge(footprint: Footprint, xyz: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
    """(n,) True where a step of ``margin`` [Mpc/h] along x, y or z, either way, leaves the region."""
    return points_outside(footprint, xyz, np.full(len(xyz), margin), _STEPS, enough=1) > 0


def containing_void(xyz, centre, radius, void, region: Region | None) -> NDArray[np.int64]:
    """Void (n,) of the largest sphere that strictly holds each position, -1 for none."""
    if not len(radius):
        return np.full(len(xyz), -1, dtype=np.int64)
    if isinstance(region, BoxRegion) and region.periodic:
        centre, origin = with_images(centre, radius, region)
        radius, void = radius[origin], void[origin]
    sphere = largest_around(xyz, centre, radius, _ON_SURFACE)
    return np.where(sphere < 0, -1, void[sphere])


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
