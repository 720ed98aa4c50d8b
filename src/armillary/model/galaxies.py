"""Galaxies: where they are on the sky and in redshift, or in a simulation box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.cosmology import Cosmology, sky_to_cartesian
from armillary.errors import CoordinateError, InputError


@dataclass(frozen=True)
class GalaxyCatalog:
    """One row per galaxy, in the order of the input.

    Either ``ra, dec, z`` are given (a survey) or ``xyz`` is (a box); never both. ``z`` keeps the precision of its column,
    because redshift limits are compared in it.

    Attributes
    ----------
    ra, dec : (n,) ICRS degrees, ra in [0, 360), or None for a box.
    z : (n,) observed redshift, or None for a box.
    xyz : (n, 3) comoving positions in Mpc/h, or None for a survey.
    weight : (n,) dimensionless, or None.
    absolute_magnitude : (n,) magnitudes (for h = 1 unless the column says otherwise), or None.
    targetid : (n,) integer identifiers, or None.
    properties : further columns by name, each (n,).
    name : what the catalogue is called in reports.
    """

    ra: NDArray[np.float64] | None = None
    dec: NDArray[np.float64] | None = None
    z: NDArray[np.floating] | None = None
    xyz: NDArray[np.float64] | None = None
    weight: NDArray[np.float64] | None = None
    absolute_magnitude: NDArray[np.floating] | None = None
    targetid: NDArray[np.int64] | None = None
    properties: Mapping[str, NDArray] = field(default_factory=dict)
    name: str = "galaxies"

    def __post_init__(self) -> None:
        sky = [self.ra, self.dec, self.z]
        if self.xyz is None and any(column is None for column in sky):
            raise InputError("a galaxy catalogue needs ra, dec and z, or xyz")
        if self.xyz is not None:
            if any(column is not None for column in sky):
                raise InputError("a galaxy catalogue has either ra, dec, z or xyz, not both")
            if self.xyz.ndim != 2 or self.xyz.shape[1] != 3:
                raise InputError(f"xyz has shape {self.xyz.shape}; expected (n, 3)")
        n = len(self)
        columns = {"ra": self.ra, "dec": self.dec, "z": self.z, "weight": self.weight,
                   "absolute_magnitude": self.absolute_magnitude, "targetid": self.targetid, **self.properties}
        for name, column in columns.items():
            if column is not None and column.shape[:1] != (n,):
                raise InputError(f"column {name} has shape {column.shape}; expected ({n},) like the coordinates")
        bad = np.flatnonzero(self.invalid_rows())
        if bad.size:
            raise CoordinateError(
                f"{bad.size} of {n} galaxies have NaN, infinite or impossible coordinates "
                f"(rows {', '.join(map(str, bad[:10]))}{' ...' if bad.size > 10 else ''}); remove them first"
            )

    @classmethod
    def from_sky(cls, ra: ArrayLike, dec: ArrayLike, z: ArrayLike, **columns) -> GalaxyCatalog:
        """Build from ra (any turn), dec [deg] and z, each (n,); other attributes by keyword."""
        return cls(ra=np.asarray(ra, dtype=np.float64) % 360.0 % 360.0, dec=np.asarray(dec, dtype=np.float64),
                   z=_floating(z), **columns)

    @classmethod
    def from_positions(cls, xyz: ArrayLike, **columns) -> GalaxyCatalog:
        """Build from comoving positions (n, 3) in Mpc/h; other attributes by keyword."""
        return cls(xyz=np.ascontiguousarray(xyz, dtype=np.float64), **columns)

    def __len__(self) -> int:
        column = self.xyz if self.xyz is not None else self.z
        assert column is not None
        return len(column)

    @property
    def on_sky(self) -> bool:
        """True for a survey catalogue, False for a box."""
        return self.xyz is None

    @property
    def sky(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.floating]]:
        """ra, dec [deg] and z of a survey catalogue.

        Raises
        ------
        InputError
            For a box.
        """
        if self.ra is None or self.dec is None or self.z is None:
            raise InputError("this catalogue is a box: it has positions, not ra, dec and z")
        return self.ra, self.dec, self.z

    def invalid_rows(self) -> NDArray[np.bool_]:
        """(n,) True where a coordinate is NaN or infinite, z is not positive, or dec is beyond the poles."""
        if self.xyz is not None:
            return np.asarray(~np.isfinite(self.xyz).all(axis=1))
        return invalid_sky_rows(*self.sky)

    def positions(self, cosmo: Cosmology | None = None) -> NDArray[np.float64]:
        """Comoving Cartesian positions (n, 3) [Mpc/h].

        Raises
        ------
        InputError
            For a survey catalogue without a cosmology.
        """
        if self.xyz is not None:
            return self.xyz
        if cosmo is None:
            raise InputError("redshifts need a cosmology to become distances; pass cosmo=Cosmology(omega_m=...)")
        ra, dec, z = self.sky
        return sky_to_cartesian(ra, dec, cosmo.comoving_distance(z))

    def select(self, rows: NDArray) -> GalaxyCatalog:
        """The galaxies at ``rows`` (a boolean (n,) or an index array), in that order."""

        def take(column):
            return None if column is None else column[rows]

        return replace(
            self, ra=take(self.ra), dec=take(self.dec), z=take(self.z), xyz=take(self.xyz), weight=take(self.weight),
            absolute_magnitude=take(self.absolute_magnitude), targetid=take(self.targetid),
            properties={name: column[rows] for name, column in self.properties.items()},
        )


def invalid_sky_rows(ra: ArrayLike, dec: ArrayLike, z: ArrayLike) -> NDArray[np.bool_]:
    """(n,) True where ra, dec [deg] or z is NaN or infinite, |dec| > 90, or z <= 0."""
    ra, dec, z = np.asarray(ra), np.asarray(dec), np.asarray(z)
    finite = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(z)
    return ~(finite & (np.abs(dec) <= 90.0) & (z > 0.0))


def _floating(values: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(values)
    return array if array.dtype.kind == "f" and array.dtype.isnative else array.astype(
        array.dtype.newbyteorder("=") if array.dtype.kind == "f" else np.float64
    )
