"""The volume in which voids are looked for: a survey (sky mask and radial limits) or a box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.cosmology import cartesian_to_sky
from armillary.errors import OptionError
from armillary.model.masks import SkyMask
from armillary.units import FULL_SKY


@dataclass(frozen=True)
class SurveyRegion:
    """Directions inside ``mask`` and distances from ``r_min`` to ``r_max`` [Mpc/h], observer at the origin."""

    mask: SkyMask
    r_min: float
    r_max: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.r_min < self.r_max:
            raise OptionError(f"radial limits are {self.r_min} and {self.r_max} Mpc/h; expected 0 <= r_min < r_max")

    def contains(self, xyz: ArrayLike) -> NDArray[np.bool_]:
        """True where the positions (n, 3) [Mpc/h] lie inside, limits included."""
        ra, dec, distance = cartesian_to_sky(xyz)
        return (distance >= self.r_min) & (distance <= self.r_max) & self.mask.contains(ra, dec)

    @property
    def volume(self) -> float:
        """Comoving volume [(Mpc/h)^3]."""
        return self.mask.area / FULL_SKY * 4.0 / 3.0 * np.pi * (self.r_max**3 - self.r_min**3)


@dataclass(frozen=True)
class BoxRegion:
    """A box from ``low`` to ``high`` [Mpc/h], closed, or periodic along all three axes."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    periodic: bool = False

    def __post_init__(self) -> None:
        if any(not np.isfinite(value) for value in (*self.low, *self.high)) or any(
            low >= high for low, high in zip(self.low, self.high, strict=True)
        ):
            raise OptionError(f"box limits are {self.low} and {self.high}; expected finite low < high along each axis")

    @property
    def size(self) -> NDArray[np.float64]:
        """Side lengths (3,) [Mpc/h]."""
        return np.subtract(self.high, self.low)

    def fold(self, xyz: ArrayLike) -> NDArray[np.float64]:
        """Positions relative to ``low``, moved by whole box sizes to [0, size), also where rounding would give size."""
        folded = np.mod(np.asarray(xyz, dtype=np.float64) - self.low, self.size)
        return np.where(folded >= self.size, 0.0, folded)

    def wrap(self, xyz: ArrayLike) -> NDArray[np.float64]:
        """Positions moved by whole box sizes to low <= x < high."""
        moved = self.fold(xyz) + self.low
        return np.where(moved >= self.high, self.low, moved)

    def contains(self, xyz: ArrayLike) -> NDArray[np.bool_]:
        """True where the positions (n, 3) [Mpc/h] lie inside; everywhere in a periodic box."""
        xyz = np.asarray(xyz, dtype=np.float64)
        if self.periodic:
            return np.ones(xyz.shape[:-1], dtype=bool)
        return np.asarray(((xyz >= self.low) & (xyz <= self.high)).all(axis=-1))

    @property
    def volume(self) -> float:
        """Comoving volume [(Mpc/h)^3]."""
        return float(np.prod(self.size))


Region = SurveyRegion | BoxRegion
