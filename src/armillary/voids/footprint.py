"""Is a position inside the region? The one question that every kernel asks, compiled.

A region becomes a :class:`Footprint`: a handful of scalars and one flat array that compiled code can carry. The HEALPix
index follows Gorski et al. (2005, ApJ 622, 759), section 4.1, in RING order, and is tested against astropy-healpix.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.model import BoxRegion, EqualAngleMask, Region

_EQUAL_ANGLE, _HEALPIX, _BOX, _PERIODIC = 0, 1, 2, 3


class Footprint(NamedTuple):
    """A region in the form that compiled code takes: kind, pixelization, cells, radial limits, box limits."""

    kind: int
    resolution: int
    cells: NDArray[np.bool_]
    r_min: float
    r_max: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, region: Region) -> Footprint:
        """The footprint of a survey region or a box."""
        if isinstance(region, BoxRegion):
            kind = _PERIODIC if region.periodic else _BOX
            return cls(kind, 1, np.ones(1, dtype=bool), 0.0, math.inf, np.array(region.low), np.array(region.high))
        mask, nowhere = region.mask, np.zeros(3)
        if isinstance(mask, EqualAngleMask):
            cells = np.ascontiguousarray(mask.cells).ravel()
            return cls(_EQUAL_ANGLE, mask.resolution, cells, region.r_min, region.r_max, nowhere, nowhere)
        return cls(_HEALPIX, mask.nside, mask.pixels, region.r_min, region.r_max, nowhere, nowhere)


@njit(cache=True)
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


@njit(cache=True)
def on_sky(footprint, x, y, z, r):
    """True when direction (x, y, z) of length r is inside the sky mask."""
    if footprint.kind == _HEALPIX:
        return footprint.cells[healpix_ring(footprint.resolution, x, y, z, r)]
    n = footprint.resolution
    ra = math.degrees(math.atan2(y, x))
    if ra < 0.0:
        ra += 360.0
    dec = math.degrees(math.asin(min(1.0, max(-1.0, z / r))))
    column = int(n * ra) % (360 * n)
    row = min(90 * n + int(n * dec), 180 * n - 1)
    return footprint.cells[column * 180 * n + row]


@njit(cache=True)
def inside(footprint, x, y, z):
    """True when the position is inside the region, limits included."""
    if footprint.kind == _PERIODIC:
        return True
    if footprint.kind == _BOX:
        low, high = footprint.low, footprint.high
        return (
            low[0] <= x <= high[0] and low[1] <= y <= high[1] and low[2] <= z <= high[2]
        )
    r2 = x * x + y * y + z * z
    if not (footprint.r_min * footprint.r_min <= r2 <= footprint.r_max * footprint.r_max) or r2 == 0.0:
        return False
    return on_sky(footprint, x, y, z, math.sqrt(r2))


@njit(cache=True)
def inside_each(footprint, xyz):
    """:func:`inside` for positions (n, 3)."""
    out = np.empty(len(xyz), dtype=np.bool_)
    for i in range(len(xyz)):
        out[i] = inside(footprint, xyz[i, 0], xyz[i, 1], xyz[i, 2])
    return out
