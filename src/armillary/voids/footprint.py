"""Is a position inside the region, and how far is it from the edge? What every kernel asks, compiled.

A region becomes a :class:`Footprint`: a handful of scalars and one flat array that compiled code can carry. For a sky mask
the array says of each pixel how far any direction in it is at least from the nearest direction outside the mask: positions
well inside need one look where they would need many. The HEALPix index follows Gorski et al. (2005, ApJ 622, 759),
section 4.1, in RING order, and is tested against astropy-healpix.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.model import BoxRegion, EqualAngleMask, Region
from armillary.voids.compiled import INNER, KERNEL
from armillary.voids.mask_edges import angles_to_the_edge

_EQUAL_ANGLE, _HEALPIX, _BOX, _PERIODIC = 0, 1, 2, 3
#: Clearances are lowered by this fraction, which is more than single precision and the path of a sphere lose.
_SAFETY = 1e-6


class Footprint(NamedTuple):
    """A region in the form that compiled code takes: kind, pixelization, pixels, radial limits, box limits.

    ``clearance`` is, for each pixel of the mask, the sine of a lower limit to the angle from any direction in it to the
    nearest direction outside, 0 where nothing is known, and -1 for pixels outside.
    """

    kind: int
    resolution: int
    clearance: NDArray[np.float32]
    r_min: float
    r_max: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, region: Region, *, measured: bool = False) -> Footprint:
        """The footprint of a survey region or a box; ``measured`` for many questions, which are then answered faster."""
        nowhere = np.zeros(3)
        if isinstance(region, BoxRegion):
            kind = _PERIODIC if region.periodic else _BOX
            return cls(kind, 1, np.zeros(1, np.float32), 0.0, math.inf, np.array(region.low), np.array(region.high))
        mask = region.mask
        if isinstance(mask, EqualAngleMask):
            kind, resolution, covered = _EQUAL_ANGLE, mask.resolution, np.ascontiguousarray(mask.cells).ravel()
        else:
            kind, resolution, covered = _HEALPIX, mask.nside, mask.pixels
        sine = np.where(covered, np.float32(0.0), np.float32(-1.0))
        if measured:
            within = np.flatnonzero(covered)
            sine[within] = np.sin(angles_to_the_edge(mask, within)) * (1.0 - _SAFETY)
        return cls(kind, resolution, sine, region.r_min, region.r_max, nowhere, nowhere)


@njit(**KERNEL)
def healpix_ring(nside, x, y, z, r):
    """RING index of the pixel that holds direction (x, y, z) of length r."""
    cos_theta = z / r
    abs_cos = abs(cos_theta)
    turn = math.atan2(y, x) * (2.0 / math.pi)
    if turn < 0.0:
        turn += 4.0
    if turn >= 4.0:
        turn = 0.0
    if abs_cos <= 2.0 / 3.0:
        ascending = int(nside * (0.5 + turn - cos_theta * 0.75))
        descending = int(nside * (0.5 + turn + cos_theta * 0.75))
        ring = nside + 1 + ascending - descending
        shift = 1 - (ring & 1)
        column = (ascending + descending - nside + shift + 1) // 2 % (4 * nside)
        return 2 * nside * (nside - 1) + (ring - 1) * 4 * nside + column
    fraction = turn - int(turn)
    # sqrt(3 (1 - |cos theta|)) from sin theta, which keeps its digits at the poles.
    spread = nside * math.sqrt(3.0 / (1.0 + abs_cos)) * math.sqrt(x * x + y * y) / r
    ascending = int(fraction * spread)
    descending = int((1.0 - fraction) * spread)
    ring = ascending + descending + 1
    column = int(turn * ring) % (4 * ring)
    if cos_theta > 0.0:
        return 2 * ring * (ring - 1) + column
    return 12 * nside * nside - 2 * ring * (ring + 1) + column


@njit(**INNER)
def clearance(footprint, x, y, z):
    """Lower limit to the distance of a position inside from the edge of the region [Mpc/h]; negative outside."""
    if footprint.kind == _PERIODIC:
        return math.inf
    if footprint.kind == _BOX:
        low, high = footprint.low, footprint.high
        within = low[0] <= x <= high[0] and low[1] <= y <= high[1] and low[2] <= z <= high[2]
        return 0.0 if within else -1.0
    r2 = x * x + y * y + z * z
    if not (footprint.r_min * footprint.r_min <= r2 <= footprint.r_max * footprint.r_max) or r2 == 0.0:
        return -1.0
    r = math.sqrt(r2)
    if footprint.kind == _HEALPIX:
        pixel = healpix_ring(footprint.resolution, x, y, z, r)
    else:
        n = footprint.resolution
        ra = math.degrees(math.atan2(y, x))
        if ra < 0.0:
            ra += 360.0
        sine = z / r
        dec = math.degrees(math.asin(sine)) if abs(sine) < 1.0 else math.copysign(90.0, sine)
        row = 90 * n + int(n * dec)
        pixel = int(n * ra) % (360 * n) * 180 * n + (row if row < 180 * n else 180 * n - 1)
    free = footprint.clearance[pixel] * r
    if free <= 0.0:
        return free
    free = min(r - footprint.r_min, free)
    free = min(footprint.r_max - r, free)
    return max(0.0, free)


@njit(**INNER)
def inside(footprint, x, y, z):
    """True when the position is inside the region, limits included."""
    return clearance(footprint, x, y, z) >= 0.0


def inside_each(footprint: Footprint, xyz: NDArray[np.float64]) -> NDArray[np.bool_]:
    """:func:`inside` for positions (n, 3)."""
    return points_outside(footprint, xyz, np.ones(len(xyz)), np.zeros((1, 3)), enough=1) == 0


def points_outside(
    footprint: Footprint, centre: NDArray[np.float64], scale: NDArray[np.float64], offsets: NDArray[np.float64],
    *, count: NDArray[np.int64] | int | None = None, enough: NDArray[np.int64] | int | None = None,
) -> NDArray[np.int64]:
    """How many of the points ``centre + scale offset`` around each position lie outside the region.

    Parameters
    ----------
    centre : (n, 3) Mpc/h; scale : (n,); offsets : (k, 3), nearest first.
    count : (n,) how many of the offsets are points of each position; all by default.
    enough : (n,) counting stops here, and where this can no longer be reached; by default it does not.

    Returns
    -------
    (n,) number of points outside; below ``enough``, possibly fewer than there are.
    """
    n, k = len(centre), len(offsets)
    limits = np.empty((n, 2), dtype=np.int64)
    limits[:, 0] = k if count is None else count
    limits[:, 1] = k + 1 if enough is None else enough
    outside = np.zeros(n, dtype=np.int64)
    length = np.sqrt((offsets * offsets).sum(axis=1))
    _points_outside(footprint, np.ascontiguousarray(centre), scale, offsets, length, limits, enough is None, outside)
    return outside


@njit(**KERNEL)
def _points_outside(footprint, centre, scale, offsets, length, limits, exact, out):
    for i in range(len(centre)):
        x, y, z, factor = centre[i, 0], centre[i, 1], centre[i, 2], scale[i]
        k, enough = limits[i, 0], limits[i, 1]
        room = clearance(footprint, x, y, z) * (1.0 - _SAFETY)
        found = 0
        # The farthest first: once a point is certain to be inside, all nearer ones are.
        while k > 0 and found < enough and (exact or found + k >= enough):
            k -= 1
            reach = factor * length[k]
            if reach < room:
                break
            if reach > 0.0:
                dx, dy, dz = factor * offsets[k, 0], factor * offsets[k, 1], factor * offsets[k, 2]
                found += clearance(footprint, x + dx, y + dy, z + dz) < 0.0
            else:
                found += room < 0.0
        out[i] = found
