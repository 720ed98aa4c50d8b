"""Which galaxies trace the voids, in which region, and in an order that depends on their positions alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from armillary.cosmology import Cosmology, sky_to_cartesian
from armillary.errors import ColumnError, CoordinateError, InputError, MaskError, OptionError
from armillary.model import BoxRegion, EqualAngleMask, GalaxyCatalog, HealpixMask, Region, SkyMask, SurveyRegion
from armillary.units import HUBBLE_DISTANCE
from armillary.voids.order import canonical_order

#: Mean number of tracers that a pixel of an automatic HEALPix mask should hold: clustered as they are, fewer leave
#: pixels inside the survey empty, and every hole in the mask makes voids touch an edge.
GALAXIES_PER_PIXEL = 30.0
_LARGEST_AUTOMATIC_NSIDE = 256
#: Relative thickness below which positions lie in one plane: what text and single precision leave of one.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Limits:
    """Which galaxies are tracers.

    Attributes
    ----------
    z_min, z_max : redshift limits, compared in the precision of the column; None for no limit.
    magnitude : faintest absolute magnitude; None for no limit.
    strict : True excludes galaxies on a limit (V2), False includes them (VoidFinder).
    """

    z_min: float | None = None
    z_max: float | None = None
    magnitude: float | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if self.z_min is not None and self.z_max is not None and self.z_min >= self.z_max:
            raise OptionError(f"z_min is {self.z_min} and z_max {self.z_max}; expected z_min < z_max")

    def select(self, galaxies: GalaxyCatalog) -> NDArray[np.bool_]:
        """(n,) True for the tracers.

        Raises
        ------
        InputError
            When a limit leaves none.
        ColumnError
            For a magnitude limit on a catalogue without magnitudes.
        """
        keep = np.ones(len(galaxies), dtype=bool)
        if self.z_min is not None or self.z_max is not None:
            if galaxies.z is None:
                raise OptionError("redshift limits were given for a box; boxes have positions, not redshifts")
            keep &= self._within(galaxies.z, self.z_min, self.z_max)
            if not keep.any():
                wanted = " and ".join(
                    words for words, limit in ((f"above z = {self.z_min}", self.z_min), (f"below z = {self.z_max}", self.z_max))
                    if limit is not None
                )
                raise InputError(
                    f"no galaxy lies {wanted}; the catalogue spans {galaxies.z.min():.4f} to {galaxies.z.max():.4f}"
                )
        if self.magnitude is not None:
            if galaxies.absolute_magnitude is None:
                raise ColumnError(
                    f"a magnitude limit of {self.magnitude} was given, but the catalogue has no absolute magnitudes; "
                    "name the column with --magnitude-column"
                )
            keep &= self._within(galaxies.absolute_magnitude, None, self.magnitude)
            if not keep.any():
                raise InputError(f"no galaxy is as bright as absolute magnitude {self.magnitude}")
        return keep

    def _within(self, column: NDArray, low: float | None, high: float | None) -> NDArray[np.bool_]:
        keep = np.ones(len(column), dtype=bool)
        exact = column.dtype.type
        if low is not None:
            keep &= column > exact(low) if self.strict else column >= exact(low)
        if high is not None:
            keep &= column < exact(high) if self.strict else column <= exact(high)
        return keep


@dataclass(frozen=True)
class Sample:
    """The tracers in canonical order, and the region they lie in.

    Attributes
    ----------
    rows : (n,) rows of the catalogue, one per distinct position, ordered along a Hilbert curve.
    xyz : (n, 3) their positions [Mpc/h].
    everyone : (m, 3) positions of all galaxies of the catalogue [Mpc/h].
    along : (m,) rows of ``everyone`` along a Hilbert curve: work done in this order finds its data in the cache.
    duplicates : number of exact copies left out.
    masked : number of galaxies within the limits but outside the region.
    region : the volume to search.
    """

    rows: NDArray[np.int64]
    xyz: NDArray[np.float64]
    everyone: NDArray[np.float64]
    along: NDArray[np.int64]
    duplicates: int
    masked: int
    region: Region


def take_sample(
    galaxies: GalaxyCatalog,
    limits: Limits,
    *,
    mask: SkyMask | str | None,
    box: BoxRegion | None,
    cosmo: Cosmology | None,
    min_radius: float,
    single_precision: bool = False,
) -> Sample:
    """Choose the tracers and the region: the survey volume of ``mask`` between the radial limits, or the ``box``.

    Raises
    ------
    CoordinateError
        When fewer than 5 distinct positions are left, or a galaxy lies outside a periodic box.
    InputError, OptionError, MaskError, ColumnError
        When the options do not fit the catalogue.
    """
    chosen = limits.select(galaxies)
    if galaxies.on_sky:
        if box is not None:
            raise OptionError("a box was given, but the catalogue has ra, dec and z; give x, y, z or use survey geometry")
        everyone = _survey_positions(galaxies, cosmo or Cosmology(), single_precision)
        r_min, r_max = _radial_limits(galaxies, everyone, chosen, limits, cosmo or Cosmology(), single_precision)
        if mask is None or isinstance(mask, str):
            traced = np.ones(len(chosen), dtype=bool) if mask == "vast" and not limits.strict else chosen
            mask = mask_from_galaxies(mask, galaxies.select(traced), r_max=r_max, min_radius=min_radius)
        region: Region = SurveyRegion(mask, r_min, r_max)
    else:
        if mask is not None:
            raise OptionError("a sky mask was given, but the catalogue is a box without ra and dec")
        everyone = galaxies.positions()
        region = box or bounding_box(everyone)
        if region.periodic:
            everyone = region.wrap(everyone)
    inside = _inside(galaxies, everyone, chosen, region)
    if not inside.any():
        raise MaskError(f"all {len(inside)} galaxies within the limits lie outside the region; check the mask or box")
    along = canonical_order(everyone)
    taken = np.zeros(len(everyone), dtype=bool)
    taken[np.flatnonzero(chosen)[inside]] = True
    rows = along[taken[along]]
    xyz = everyone[rows]
    distinct = np.ones(len(rows), dtype=bool)
    x, y, z = xyz.T
    distinct[1:] = (x[1:] != x[:-1]) | (y[1:] != y[:-1]) | (z[1:] != z[:-1])
    if distinct.sum() < 5:
        raise CoordinateError(
            f"{distinct.sum()} distinct galaxy positions are left of {len(galaxies)} galaxies; voids need at least 5"
        )
    if thickness(xyz[distinct]) < _ROUNDING:
        raise CoordinateError(
            f"the {distinct.sum()} galaxies are coplanar, or lie on one line, to rounding; voids need a volume"
        )
    return Sample(
        rows[distinct], np.ascontiguousarray(xyz[distinct]), everyone, along, int((~distinct).sum()),
        int((~inside).sum()), region,
    )


def _inside(galaxies: GalaxyCatalog, everyone, chosen, region: Region) -> NDArray[np.bool_]:
    """Which chosen galaxies the mask or the box holds; redshifts were compared before, in their own precision."""
    if isinstance(region, SurveyRegion):
        ra, dec, _ = galaxies.sky
        return region.mask.contains(ra[chosen], dec[chosen])
    return region.contains(everyone[chosen])


def thickness(xyz: NDArray[np.float64]) -> float:
    """Smallest over largest extent of positions (n, 3) along their principal axes: 0 in a plane or on a line."""
    offset = xyz - xyz.mean(axis=0)
    # The squares are a cheap answer where the ratio is not small; else they have lost its digits.
    smallest, _, largest = np.linalg.eigvalsh(offset.T @ offset)
    if not smallest > _ROUNDING * largest:
        largest, _, smallest = np.linalg.svd(offset, full_matrices=False, compute_uv=False)
        return float(smallest / largest)
    return float(np.sqrt(smallest / largest))


def bounding_box(xyz: NDArray[np.float64]) -> BoxRegion:
    """The smallest closed box that holds the positions (n, 3)."""
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    if (low == high).any():
        raise CoordinateError("the galaxies lie in one plane or line along an axis; voids need a volume")
    return BoxRegion(tuple(low.tolist()), tuple(high.tolist()))


def _survey_positions(galaxies: GalaxyCatalog, cosmo: Cosmology, single_precision: bool) -> NDArray[np.float64]:
    ra, dec, z = galaxies.sky
    return sky_to_cartesian(ra, dec, _distance(cosmo, z, single_precision))


def _distance(cosmo: Cosmology, z, single_precision: bool) -> NDArray[np.float64]:
    """Comoving distances [Mpc/h]; in single precision every step has 32 bits, as in VAST, and the result is up to 2e-4 off."""
    if not single_precision:
        return cosmo.comoving_distance(z)
    scale = (1.0 / (1.0 + np.asarray(z, dtype=np.float64))).astype(np.float32).astype(np.float64)
    rounded = Cosmology(float(np.float32(cosmo.omega_m)), cosmo.h)
    integral = (rounded.comoving_distance(1.0 / scale - 1.0) / HUBBLE_DISTANCE).astype(np.float32)
    return (integral * np.float32(HUBBLE_DISTANCE)).astype(np.float64)


def _radial_limits(galaxies, everyone, chosen, limits, cosmo, single_precision) -> tuple[float, float]:
    """Distances [Mpc/h] of the nearest and farthest tracer (V2), or of the redshift limits where they are given."""
    x, y, z = everyone[chosen].T
    distance = np.sqrt(x * x + y * y + z * z)
    exact = galaxies.z.dtype.type
    r_min, r_max = float(distance.min()), float(distance.max())
    if limits.z_min is not None and not limits.strict:
        r_min = min(r_min, float(_distance(cosmo, exact(limits.z_min), single_precision)))
    if limits.z_max is not None and not limits.strict:
        r_max = max(r_max, float(_distance(cosmo, exact(limits.z_max), single_precision)))
    if not r_min < r_max * (1.0 - _ROUNDING):
        raise CoordinateError(f"all galaxies lie at a distance of {r_min:.3f} Mpc/h; voids need a volume")
    return r_min, r_max


def mask_from_galaxies(kind: str | None, galaxies: GalaxyCatalog, *, r_max: float, min_radius: float) -> SkyMask:
    """The mask that a word asks for: ``vast``, ``healpix:NSIDE``, or None for HEALPix with an nside that fits.

    The automatic nside is the largest power of two for which the occupied pixels hold :data:`GALAXIES_PER_PIXEL`
    galaxies on average.
    """
    ra, dec, _ = galaxies.sky
    if kind == "vast":
        return EqualAngleMask.from_galaxies(ra, dec, r_max, min_radius=min_radius)
    if kind is not None:
        word, _, number = kind.partition(":")
        if word != "healpix" or not number.isdigit() or int(number) < 1:
            raise OptionError(f"mask is {kind!r}; expected 'vast', 'healpix:NSIDE' with a positive integer, or a mask file")
        return HealpixMask.from_galaxies(ra, dec, int(number))
    nside = _LARGEST_AUTOMATIC_NSIDE
    while True:
        mask = HealpixMask.from_galaxies(ra, dec, nside)
        if nside == 1 or len(ra) >= GALAXIES_PER_PIXEL * mask.pixels.sum():
            return mask
        nside //= 2
