"""Distances in a flat LambdaCDM universe.

The line-of-sight comoving distance (Hogg 1999, arXiv:astro-ph/9905116, eqs. 14-15) is

    D(z) = c/H0 * int_0^z dz' / sqrt(Omega_M (1+z')^3 + 1 - Omega_M),

in Mpc/h, so that it does not depend on h. The integral is done by 24-point Gauss-Legendre quadrature, which agrees
with astropy's ``FlatLambdaCDM`` (radiation off) to better than 1e-10 for z < 6. Peculiar velocities are not removed:
positions are in redshift space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.errors import InputError, OptionError
from armillary.units import HUBBLE_DISTANCE

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_CHUNK = 4096


@dataclass(frozen=True)
class Cosmology:
    """Flat LambdaCDM background without radiation.

    Attributes
    ----------
    omega_m : matter density parameter today, 0 < omega_m <= 1.
    h : H0 / (100 km/s/Mpc). Comoving distances are in Mpc/h and do not depend on it; absolute magnitudes do.
    """

    omega_m: float = 0.3
    h: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.omega_m <= 1.0:
            raise OptionError(f"omega_m is {self.omega_m}; a flat LambdaCDM universe needs 0 < omega_m <= 1")
        if not 0.0 < self.h <= 2.0:
            raise OptionError(f"h is {self.h}; expected H0/(100 km/s/Mpc) between 0 and 2")

    @classmethod
    def from_astropy(cls, cosmo: Any) -> Cosmology:
        """Take Omega_M and h from an ``astropy.cosmology`` object.

        Raises
        ------
        InputError
            When the object is not flat, or its dark energy is not a cosmological constant.
        """
        from astropy.cosmology import FlatLambdaCDM

        if not isinstance(cosmo, FlatLambdaCDM):
            raise InputError(
                f"cosmology {type(cosmo).__name__} is not a FlatLambdaCDM; pass one, or Cosmology(omega_m, h)"
            )
        return cls(omega_m=float(cosmo.Om0), h=float(cosmo.H0.value) / 100.0)

    def efunc(self, z: ArrayLike) -> NDArray[np.float64]:
        """E(z) = H(z)/H0 = sqrt(Omega_M (1+z)^3 + 1 - Omega_M), dimensionless, the shape of ``z``."""
        scale = 1.0 + np.asarray(z, dtype=np.float64)
        return np.sqrt(self.omega_m * scale * scale * scale + (1.0 - self.omega_m))

    def comoving_distance(self, z: ArrayLike) -> NDArray[np.float64]:
        """Line-of-sight comoving distance [Mpc/h] for redshifts ``z`` of any shape."""
        flat = np.atleast_1d(np.asarray(z, dtype=np.float64)).ravel()
        out = np.empty_like(flat)
        for start in range(0, flat.size, _CHUNK):
            half = 0.5 * flat[start : start + _CHUNK]
            # Not a matrix product: its rounding depends on the row, and equal redshifts must give equal distances.
            total = np.zeros_like(half)
            for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
                total += weight / self.efunc(half * (1.0 + node))
            out[start : start + _CHUNK] = half * total
        return HUBBLE_DISTANCE * out.reshape(np.shape(z))

    def redshift(self, distance: ArrayLike) -> NDArray[np.float64]:
        """Redshift at a comoving distance [Mpc/h]: the inverse of :meth:`comoving_distance`, by Newton's method.

        Distances beyond that of z = 50 give NaN.
        """
        target = np.asarray(distance, dtype=np.float64)
        table_z = np.expm1(np.linspace(0.0, np.log1p(50.0), 512))
        table_d = self.comoving_distance(table_z)
        z = np.interp(target, table_d, table_z, right=np.nan)
        for _ in range(3):
            z = z - (self.comoving_distance(z) - target) * self.efunc(z) / HUBBLE_DISTANCE
        return z


def sky_to_cartesian(
    ra: ArrayLike, dec: ArrayLike, distance: ArrayLike
) -> NDArray[np.float64]:
    """Cartesian positions (n, 3) from ra, dec [deg] and distance [Mpc/h]: x towards (0, 0), z towards the north pole."""
    ra_rad = np.radians(np.asarray(ra, dtype=np.float64))
    dec_rad = np.radians(np.asarray(dec, dtype=np.float64))
    r = np.asarray(distance, dtype=np.float64)
    cos_dec = np.cos(dec_rad)
    return np.stack([r * cos_dec * np.cos(ra_rad), r * cos_dec * np.sin(ra_rad), r * np.sin(dec_rad)], axis=-1)


def cartesian_to_sky(
    xyz: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Right ascension in [0, 360) and declination [deg], and distance [Mpc/h], of positions (n, 3)."""
    xyz = np.asarray(xyz, dtype=np.float64)
    distance = np.linalg.norm(xyz, axis=-1)
    # A remainder of 360 is where -1e-17 degrees ends up; twice makes it 0.
    ra = np.degrees(np.arctan2(xyz[..., 1], xyz[..., 0])) % 360.0 % 360.0
    dec = np.degrees(np.arctan2(xyz[..., 2], np.hypot(xyz[..., 0], xyz[..., 1])))
    return ra, dec, distance
