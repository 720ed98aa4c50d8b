"""The sky that a mock survey covers: a range of right ascension and declination with ragged edges and holes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy_healpix import HEALPix
from numpy.typing import NDArray

from armillary.cosmology import sky_to_cartesian
from armillary.errors import OptionError
from armillary.model import HealpixMask

_HARMONICS = 6


@dataclass(frozen=True)
class Footprint:
    """A recipe for a HEALPix mask.

    Attributes
    ----------
    ra_range : western and eastern limit [deg], going east from the first to the second: (330, 30) crosses 0, and
        (0, 360) goes all the way round.
    dec_range : southern and northern limit [deg].
    raggedness : largest depth of the bays that the edges cut into these limits [deg on the sky].
    n_holes : number of round holes, as bright stars leave them.
    hole_radius : their radius [deg].
    nside : HEALPix resolution of the mask (RING order).
    """

    ra_range: tuple[float, float] = (330.0, 30.0)
    dec_range: tuple[float, float] = (-5.0, 25.0)
    raggedness: float = 2.0
    n_holes: int = 1
    hole_radius: float = 1.5
    nside: int = 128

    def __post_init__(self) -> None:
        south, north = self.dec_range
        if not -90.0 <= south < north <= 90.0:
            raise OptionError(f"dec_range is {south} to {north} degrees; expected -90 <= south < north <= 90")
        if not np.isfinite(self.ra_range).all():
            raise OptionError(f"ra_range is {self.ra_range}; expected two finite limits in degrees")
        if not self.raggedness >= 0.0 or 2.0 * self.raggedness >= min(north - south, self.ra_width):
            raise OptionError(f"raggedness is {self.raggedness} degrees; expected at least 0 and less than half of the "
                              f"{min(north - south, self.ra_width):.4g} degree wide footprint")
        if self.n_holes < 0 or not self.hole_radius > 0.0:
            raise OptionError(f"{self.n_holes} holes of radius {self.hole_radius} degrees; expected a count of at least "
                              "0 and a positive radius")
        if self.nside < 1:
            raise OptionError(f"nside is {self.nside}; expected a positive integer")

    @property
    def ra_width(self) -> float:
        """Extent in right ascension [deg], 0 < width <= 360."""
        west, east = self.ra_range
        return (east - west) % 360.0 or 360.0

    def draw(self, *, rng: np.random.Generator) -> HealpixMask:
        """One mask: edges and holes differ from seed to seed.

        Raises
        ------
        OptionError
            When the footprint is smaller than a pixel, or the holes swallow it.
        """
        ra, dec = _pixel_centres(self.nside)
        south, north = self.dec_range
        along_ra = ((ra - self.ra_range[0]) % 360.0) / self.ra_width
        rows = np.flatnonzero((dec >= south) & (dec <= north) & (along_ra <= 1.0))
        ra, dec, along_ra = ra[rows], dec[rows], along_ra[rows]
        along_dec = (dec - south) / (north - south)
        bays = [self.raggedness * _wave(t, rng) for t in (along_ra, along_ra, along_dec, along_dec)]
        inside = (dec >= south + bays[0]) & (dec <= north - bays[1])
        if self.ra_width < 360.0:
            width = self.ra_width * np.cos(np.radians(dec))
            inside &= (along_ra * width >= bays[2]) & ((1.0 - along_ra) * width >= bays[3])
        if inside.any():
            direction = sky_to_cartesian(ra, dec, 1.0)
            for centre in direction[rng.choice(np.flatnonzero(inside), size=self.n_holes)]:
                inside &= direction @ centre < np.cos(np.radians(self.hole_radius))
        pixels = np.zeros(12 * self.nside**2, dtype=bool)
        pixels[rows[inside]] = True
        if not pixels.any():
            raise OptionError(f"the footprint {self.ra_range} x {self.dec_range} degrees holds no pixel of nside "
                              f"{self.nside} after edges and holes; widen it or raise nside")
        return HealpixMask(self.nside, pixels)


def mask_directions(mask: HealpixMask) -> NDArray[np.float64]:
    """Unit vectors (n, 3) to the centres of the pixels inside ``mask``."""
    ra, dec = _pixel_centres(mask.nside)
    return sky_to_cartesian(ra[mask.pixels], dec[mask.pixels], 1.0)


def pixel_radius(nside: int) -> float:
    """An upper limit [rad] to the distance from a pixel's centre to its corners."""
    return np.pi / (2.0 * nside)


def _pixel_centres(nside: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    longitude, latitude = HEALPix(nside=nside, order="ring").healpix_to_lonlat(np.arange(12 * nside**2))
    return np.degrees(longitude.value), np.degrees(latitude.value)


def _wave(t: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth random function of t with period 1 and values in [0, 1]."""
    phase = rng.uniform(0.0, 2.0 * np.pi, _HARMONICS)
    order = np.arange(1, _HARMONICS + 1)
    amplitude = 1.0 / np.sqrt(order)
    wave = np.sin(2.0 * np.pi * np.multiply.outer(t, order) + phase) @ (amplitude / amplitude.sum())
    return 0.5 * (1.0 + wave)
