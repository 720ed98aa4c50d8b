"""Sky masks: which directions a survey covers.

Two pixelizations are known. :class:`HealpixMask` (Gorski et al. 2005, RING order) is the default for new work: equal
areas, no poles, any nside. :class:`EqualAngleMask` is the grid of VAST (``int(n ra), 90 n + int(n dec)``), kept for
like-for-like comparison: its cells shrink towards the poles, and since declination is truncated towards zero, the row
next to the equator is double height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.errors import MaskError
from armillary.units import FULL_SKY

#: Largest nside: pixels of 0.4 arcmin, of which the whole sky takes 0.8 GB.
LARGEST_NSIDE = 8192


@dataclass(frozen=True)
class HealpixMask:
    """A set of HEALPix pixels in RING order.

    Attributes
    ----------
    nside : pixels along a side of a base pixel; any positive integer.
    pixels : (12 nside^2,) boolean, True inside the survey.
    """

    nside: int
    pixels: NDArray[np.bool_]

    def __post_init__(self) -> None:
        expected = 12 * self.nside**2
        if self.nside < 1 or self.pixels.shape != (expected,):
            raise MaskError(
                f"a HEALPix mask of nside {self.nside} has {expected} pixels, but {self.pixels.size} were given"
            )
        if not self.pixels.any():
            raise MaskError("the sky mask is empty: no pixel is inside the survey")

    @classmethod
    def from_galaxies(cls, ra: ArrayLike, dec: ArrayLike, nside: int) -> HealpixMask:
        """The pixels that hold at least one of the galaxies at ra, dec [deg]."""
        if not 1 <= nside <= LARGEST_NSIDE:
            raise MaskError(f"nside of the sky mask is {nside}; expected 1 to {LARGEST_NSIDE}")
        pixels = np.zeros(12 * nside**2, dtype=bool)
        pixels[healpix_ring(ra, dec, nside)] = True
        return cls(nside, pixels)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """True where the directions ra, dec [deg] are inside the survey."""
        return self.pixels[healpix_ring(ra, dec, self.nside)]

    @property
    def area(self) -> float:
        """Covered area [deg^2]."""
        return FULL_SKY * float(self.pixels.mean())

    def describe(self) -> str:
        """The mask in a word, as the command line spells it."""
        return f"healpix:{self.nside}"


@dataclass(frozen=True)
class EqualAngleMask:
    """The (360 n, 180 n) grid of right ascension by declination that VAST uses.

    Attributes
    ----------
    resolution : n, cells per degree.
    cells : (360 n, 180 n) boolean, True inside the survey.
    """

    resolution: int
    cells: NDArray[np.bool_]

    def __post_init__(self) -> None:
        expected = (360 * self.resolution, 180 * self.resolution)
        if self.resolution < 1 or self.cells.shape != expected:
            raise MaskError(
                f"an equal-angle mask of {self.resolution} cells per degree has shape {expected}, "
                f"but {self.cells.shape} was given"
            )
        if not self.cells.any():
            raise MaskError("the sky mask is empty: no cell is inside the survey")

    @classmethod
    def from_galaxies(
        cls, ra: ArrayLike, dec: ArrayLike, r_max: float, *, min_radius: float = 10.0, smooth: bool = True
    ) -> EqualAngleMask:
        """The mask that VAST 1.4-1.6 builds from galaxies at ra, dec [deg].

        The resolution is ``1 + int((pi/180) r_max / min_radius)`` cells per degree: a void of the minimum radius at
        the far limit ``r_max`` [Mpc/h] spans about one cell. One smoothing pass fills every empty cell with at least
        three of its four neighbours filled.
        """
        resolution = 1 + int(np.radians(1.0) * r_max / min_radius)
        cells = np.zeros((360 * resolution, 180 * resolution), dtype=bool)
        cells[_equal_angle_cell(ra, dec, resolution)] = True
        if smooth:
            count = np.zeros(cells.shape, dtype=np.int8)
            count += np.roll(cells, 1, axis=0)
            count += np.roll(cells, -1, axis=0)
            count[:, 1:] += cells[:, :-1]
            count[:, :-1] += cells[:, 1:]
            cells |= count >= 3
        return cls(resolution, cells)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """True where the directions ra, dec [deg] are inside the survey."""
        return self.cells[_equal_angle_cell(ra, dec, self.resolution)]

    @property
    def area(self) -> float:
        """Covered area [deg^2], with the true solid angle of each row."""
        n = self.resolution
        edges = np.arange(-90 * n, 90 * n + 1) / n
        # Row 90 n holds -1/n < dec < 1/n, and the rows below it are shifted one cell north of their index.
        low, high = edges[:-1].copy(), edges[1:].copy()
        low[1 : 90 * n], high[1 : 90 * n] = edges[:-1][: 90 * n - 1], edges[1:][: 90 * n - 1]
        low[0], high[0] = -90.0, -90.0
        low[90 * n] = -1.0 / n
        row_area = np.degrees(1.0 / n * (np.sin(np.radians(high)) - np.sin(np.radians(low))))
        return float(self.cells.sum(axis=0) @ row_area)

    def describe(self) -> str:
        """The mask in a word, as the command line spells it."""
        return "vast"


SkyMask = HealpixMask | EqualAngleMask


def healpix_ring(ra: ArrayLike, dec: ArrayLike, nside: int) -> NDArray[np.int64]:
    """RING index of the pixel that holds each direction ra, dec [deg] (Gorski et al. 2005, section 4.1).

    Here, and not from a library, because those load for longer than this takes; tested against astropy-healpix.
    """
    turn = np.mod(np.asarray(ra, dtype=np.float64) / 90.0, 4.0)
    turn = np.where(turn >= 4.0, 0.0, turn)  # a tiny negative angle, rounded
    declination = np.radians(np.asarray(dec, dtype=np.float64))
    height = np.sin(declination)
    steep = np.abs(height) > 2.0 / 3.0
    # Around the equator: lines that ascend and descend eastwards.
    ascending = np.floor(nside * (0.5 + turn - 0.75 * height)).astype(np.int64)
    descending = np.floor(nside * (0.5 + turn + 0.75 * height)).astype(np.int64)
    ring = nside + 1 + ascending - descending
    column = (ascending + descending - nside + 2 - (ring & 1)) // 2 % (4 * nside)
    belt = 2 * nside * (nside - 1) + (ring - 1) * 4 * nside + column
    # Around the poles; sqrt(3 (1 - |sin dec|)) from cos dec, which keeps its digits there.
    fraction = turn - np.floor(turn)
    spread = nside * np.sqrt(3.0 / (1.0 + np.abs(height))) * np.cos(declination)
    ascending = np.floor(fraction * spread).astype(np.int64)
    descending = np.floor((1.0 - fraction) * spread).astype(np.int64)
    ring = ascending + descending + 1
    column = np.floor(turn * ring).astype(np.int64) % (4 * ring)
    cap = np.where(height > 0.0, 2 * ring * (ring - 1), 12 * nside * nside - 2 * ring * (ring + 1)) + column
    return np.where(steep, cap, belt)


def _equal_angle_cell(ra: ArrayLike, dec: ArrayLike, resolution: int):
    column = (resolution * (np.asarray(ra, dtype=np.float64) % 360.0)).astype(np.int64) % (360 * resolution)
    row = 90 * resolution + (resolution * np.asarray(dec, dtype=np.float64)).astype(np.int64)
    return column, np.minimum(row, 180 * resolution - 1)
