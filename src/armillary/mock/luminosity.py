"""How bright the galaxies are: the Schechter luminosity function and a limit in apparent magnitude.

With x = 10^(-0.4 (M - M*)) the number density per magnitude is (Schechter 1976, ApJ 203, 297)

    phi(M) = 0.4 ln(10) phi* x^(alpha + 1) exp(-x).

Magnitudes are in the SDSS r band at h = 1, with neither K-correction nor evolution: m = M + 25 + 5 log10 d_L,
d_L = (1 + z) D(z) in Mpc/h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armillary.cosmology import Cosmology
from armillary.errors import OptionError

#: No galaxy is brighter than M* by more than this [mag]: their expected number is below exp(-250) of all.
_BRIGHT_REACH = 6.0


@dataclass(frozen=True)
class Schechter:
    """A Schechter luminosity function; the defaults are the r-band fit of Blanton et al. (2003, ApJ 592, 819).

    Attributes
    ----------
    m_star : characteristic absolute magnitude M* - 5 log10 h.
    alpha : faint-end slope.
    phi_star : normalization [(Mpc/h)^-3].
    """

    m_star: float = -20.44
    alpha: float = -1.05
    phi_star: float = 1.49e-2

    def __post_init__(self) -> None:
        if not self.phi_star > 0.0:
            raise OptionError(f"phi_star is {self.phi_star}; expected a positive number density in (Mpc/h)^-3")

    def density(self, limit: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Number density [(Mpc/h)^-3] of galaxies brighter than ``limit`` (absolute magnitude, any shape)."""
        limit = np.asarray(limit, dtype=np.float64)
        magnitude, cumulative = self._table(float(np.max(limit, initial=self.m_star)))
        return np.interp(limit, magnitude, cumulative)

    def quantile(self, rank: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
        """Absolute magnitudes (n,) at ranks (n,) from 0, the brightest, to 1, the faintest allowed: ``limit``."""
        magnitude, cumulative = self._table(limit)
        return np.interp(rank * cumulative[-1], cumulative, magnitude)

    def _table(self, faintest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        bright = self.m_star - _BRIGHT_REACH
        magnitude = np.linspace(bright, max(faintest, bright + 1.0), 4001)
        x = 10.0 ** (-0.4 * (magnitude - self.m_star))
        phi = 0.4 * np.log(10.0) * self.phi_star * x ** (self.alpha + 1.0) * np.exp(-x)
        step = 0.5 * (phi[1:] + phi[:-1]) * np.diff(magnitude)
        return magnitude, np.concatenate([[0.0], np.cumsum(step)])


def distance_modulus(z: NDArray[np.floating], cosmo: Cosmology) -> NDArray[np.float64]:
    """m - M at redshifts z for absolute magnitudes at h = 1 (M - 5 log10 h)."""
    z = np.asarray(z, dtype=np.float64)
    return 25.0 + 5.0 * np.log10((1.0 + z) * cosmo.comoving_distance(z))
