"""How far is it from a pixel of a sky mask to the edge of the mask?

The way out of a mask leads first into a pixel that shares an edge with one inside, so only the rim of such pixels is looked
at. The angle between the centres of two pixels, less the radii of both, is a lower limit to the angle between any direction
in one and any in the other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from armillary.model import EqualAngleMask, HealpixMask, SkyMask
from armillary.model.masks import healpix_ring
from armillary.voids.order import canonical_order


def angles_to_the_edge(mask: SkyMask, within: NDArray[np.int64]) -> NDArray[np.float64]:
    """Lower limits (m,) [rad] to the angle from any direction in the pixels ``within`` the mask to any outside; pi/2 at most.

    ``within`` are the flat indices of all pixels inside.
    """
    from armillary.voids.centre_distance import scaled_centre_distance  # which needs footprints, and they need edges

    if isinstance(mask, HealpixMask):
        rim = _healpix_neighbours(mask.nside, within)
        rim = rim[~mask.pixels[rim]]
        here, there = _healpix_centres(mask.nside, within), _healpix_centres(mask.nside, rim)
        row, radius = np.arange(len(within)), _healpix_radius(mask.nside)
    else:
        rim = _equal_angle_neighbours(mask, within)
        rim = rim[~mask.cells.ravel()[rim]]
        (here, row), (there, _) = _equal_angle_centres(mask, within), _equal_angle_centres(mask, rim)
        radius = math.radians(0.71 / mask.resolution)
    along = canonical_order(here)
    chord = np.minimum(scaled_centre_distance(here[along], there, np.ones(len(there)), None), math.sqrt(2.0))
    angle = np.full(len(within), np.inf)
    np.minimum.at(angle, row[along], np.maximum(2.0 * np.arcsin(0.5 * chord) - 2.0 * radius, 0.0))
    return angle


def _equal_angle_neighbours(mask: EqualAngleMask, within: NDArray[np.int64]) -> NDArray[np.int64]:
    """The cells that share an edge or a corner with the cells ``within``, and some of these."""
    columns, rows = mask.cells.shape
    column, row = np.divmod(within, rows)
    cells = np.zeros(mask.cells.shape, dtype=bool)
    for step in (-1, 0, 1):
        for rise in (-1, 0, 1):
            cells[(column + step) % columns, np.clip(row + rise, 0, rows - 1)] = True
    # Around a pole all cells touch; the southernmost row is the pole alone.
    cells[:, :2] |= cells[:, :2].any()
    cells[:, -1] |= cells[:, -1].any()
    return np.flatnonzero(cells)


def _equal_angle_centres(mask: EqualAngleMask, pixels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Directions (m, 3) of the centres of cells, and the row of ``pixels`` of each.

    Declination is truncated towards zero: rows below the equator's are shifted, and that one is given as two halves.
    """
    n = mask.resolution
    column, line = np.divmod(pixels, mask.cells.shape[1])
    middle = np.where(line < 90 * n, line - 90 * n - 0.5, line - 90 * n + 0.5)
    equator = np.flatnonzero(line == 90 * n)
    ra = np.radians((np.append(column, column[equator]) + 0.5) / n)
    dec = np.radians(np.append(middle, np.full(len(equator), -0.5)) / n)
    centre = np.stack((np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)), axis=-1)
    return centre, np.append(np.arange(len(pixels)), equator)


def _healpix_plane(nside: int, pixels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where pixels lie in the plane of the projection (Gorski et al. 2005, sect. 4.1 and 5.2): x along longitude, y northwards.

    In this plane every pixel is a square on its corner, with diagonals of pi / (2 nside).
    """
    n, half = nside, 6 * nside * nside
    south = pixels >= half + 2 * n
    # The south is the north backwards, but that every ring runs eastwards.
    p = np.where(south, 2 * half - 1 - pixels, pixels)
    cap = p < 2 * n * (n - 1)
    ring = np.where(cap, np.floor(0.5 * (1.0 + np.sqrt(1.0 + 2.0 * p))), (p - 2 * n * (n - 1)) // (4 * n) + n).astype(np.int64)
    # The root is rounded: the first pixel of a ring is certain.
    ring -= cap & (p < 2 * ring * (ring - 1))
    ring += cap & (p >= 2 * ring * (ring + 1))
    column = np.where(cap, p - 2 * ring * (ring - 1), (p - 2 * n * (n - 1)) % (4 * n))
    quarter = np.where(cap, ring, n)
    column = np.where(south, 4 * quarter - 1 - column, column)
    longitude = (column + np.where(cap | ((ring + n) % 2 == 0), 0.5, 0.0)) / quarter
    face = np.floor(longitude)
    x = np.where(cap, face + 0.5 + (longitude - face - 0.5) * ring / n, longitude) * 0.5 * math.pi
    y = (2 * n - ring) / (4 * n) * math.pi
    return x, np.where(south, -y, y)


def _healpix_directions(x: NDArray[np.float64], y: NDArray[np.float64], face: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors (m, 3) of points of the projection; ``face`` (m,) is the polar triangle to which they belong, 0 to 3."""
    sigma = np.minimum(2.0 - 4.0 * np.abs(y) / math.pi, 1.0)
    polar = np.abs(y) > 0.25 * math.pi
    middle = (face + 0.5) * 0.5 * math.pi
    phi = np.where(polar, middle + (x - middle) / np.maximum(sigma, 1e-9), x)
    z = np.where(polar, np.copysign(1.0 - sigma * sigma / 3.0, y), 8.0 * y / (3.0 * math.pi))
    rho = np.where(polar, sigma * np.sqrt((2.0 - sigma * sigma / 3.0) / 3.0), np.sqrt(np.maximum(1.0 - z * z, 0.0)))
    return np.stack((rho * np.cos(phi), rho * np.sin(phi), z), axis=-1)


def _healpix_centres(nside: int, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Directions (m, 3) of the centres of pixels."""
    x, y = _healpix_plane(nside, pixels)
    return _healpix_directions(x, y, np.floor(x / (0.5 * math.pi)))


def _healpix_neighbours(nside: int, within: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pixels that share an edge with the pixels ``within``: a little beyond the middle of each edge lies the neighbour."""
    x, y = _healpix_plane(nside, within)
    face, step = np.floor(x / (0.5 * math.pi)), 1.01 * math.pi / (8.0 * nside)
    beyond = np.concatenate([
        _healpix_directions(x + east * step, y + north * step, face) for east in (-1, 1) for north in (-1, 1)
    ])
    ra, dec = np.arctan2(beyond[:, 1], beyond[:, 0]), np.arctan2(beyond[:, 2], np.hypot(beyond[:, 0], beyond[:, 1]))
    return np.unique(healpix_ring(np.degrees(ra), np.degrees(dec), nside))


def _healpix_radius(nside: int) -> float:
    """An upper limit to the angle between the centre of a pixel and any direction in it [rad].

    The largest pixels lie where the equatorial zone ends, at z = 2/3, and reach from there to the next corner polewards.
    """
    z = 1.0 - (1.0 - 1.0 / nside) ** 2 / 3.0
    cosine = 2.0 / 3.0 * z + math.sqrt(5.0) / 3.0 * math.sqrt(1.0 - z * z) * math.cos(0.25 * math.pi / nside)
    return 1.01 * math.acos(cosine)
