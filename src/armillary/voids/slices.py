"""Slices through voids: what a flat picture of a three-dimensional catalogue shows.

A slice follows a surface that can be laid flat without stretching: a plane across a box, or the cone of constant
declination across a survey, cut open opposite to its middle right ascension and unrolled, so that a length on the page
is a length on the cone. Each void is cut exactly where the surface meets it and reported as closed outlines; galaxies
within half a thickness of the surface are projected onto it. A void is cut where

    VoidFinder:  min_i (|x - c_i| - r_i) < 0 over its holes,
    watershed:   the tracer galaxy nearest to x lies in one of its zones (the smallest void that holds the zone; the void that
                 takes every zone is not shown),

and both are followed to a fraction of a raster step. The raster has two dimensions and is worked through in pieces: memory
does not depend on the depth of the survey.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from armillary.cosmology import cartesian_to_sky, sky_to_cartesian
from armillary.errors import InputError, OptionError
from armillary.model import BoxRegion, Holes, MembershipCode, Region, SurveyRegion, VoidCatalog, Zones
from armillary.voids.membership import void_of_zone
from armillary.voids.surface import holes_by_void

#: Most raster points of a slice, and how many are looked at together.
MAX_POINTS = 4_000_000
_CHUNK = 65_536
_NEIGHBOURS = 6


@dataclass(frozen=True)
class PlaneCut:
    """The plane on which coordinate ``axis`` (0, 1, 2 for x, y, z) equals ``position`` [Mpc/h]."""

    axis: int
    position: float

    def __post_init__(self) -> None:
        if self.axis not in (0, 1, 2) or not np.isfinite(self.position):
            raise OptionError(
                f"a plane needs axis 0, 1 or 2 and a finite position; received {self.axis} and {self.position}"
            )

    def describe(self) -> str:
        """The plane in words."""
        return f"the plane {'xyz'[self.axis]} = {self.position:g} Mpc/h"

    @property
    def across(self) -> tuple[int, int]:
        """The two axes that span the plane, in the order in which they are drawn."""
        return ((1, 2), (0, 2), (0, 1))[self.axis]

    def project(self, xyz: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Place (n, 2) on the plane, and height (n,) above it, of positions (n, 3); all in Mpc/h."""
        xyz = np.asarray(xyz, dtype=np.float64)
        return xyz[:, list(self.across)], xyz[:, self.axis] - self.position

    def embed(self, uv: ArrayLike) -> NDArray[np.float64]:
        """Positions (n, 3) [Mpc/h] of places (n, 2) on the plane."""
        uv = np.asarray(uv, dtype=np.float64)
        return np.insert(uv, self.axis, self.position, axis=1)


@dataclass(frozen=True)
class ConeCut:
    """The cone of declination ``dec`` [deg] about the observer, unrolled with right ascension ``ra`` [deg] upward.

    On the page the observer is at (0, 0), the distance from it is the comoving distance, and the angle from the upward
    direction, counted anticlockwise, is (RA - ra) cos(dec).
    """

    dec: float
    ra: float

    def __post_init__(self) -> None:
        if not -85.0 <= self.dec <= 85.0 or not np.isfinite(self.ra):
            raise OptionError(
                f"a declination cone needs dec between -85 and 85 and a finite ra; received {self.dec} and {self.ra}"
            )

    def describe(self) -> str:
        """The cone in words."""
        return f"the cone of declination {self.dec:g} deg"

    @property
    def half_opening(self) -> float:
        """Largest angle from the upward direction that the unrolled cone covers [rad]."""
        return float(np.pi * np.cos(np.radians(self.dec)))

    def angle(self, ra: ArrayLike) -> NDArray[np.float64]:
        """Angle on the page [rad], anticlockwise from upward, of right ascensions [deg]."""
        turn = (np.asarray(ra, dtype=np.float64) - self.ra + 180.0) % 360.0 - 180.0
        return np.radians(turn) * np.cos(np.radians(self.dec))

    def project(self, xyz: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nearest place (n, 2) on the unrolled cone, and height (n,) above it, of positions (n, 3); all in Mpc/h."""
        ra, dec, distance = cartesian_to_sky(xyz)
        tilt, angle = np.radians(dec - self.dec), self.angle(ra)
        along = distance * np.cos(tilt)
        return np.column_stack([-along * np.sin(angle), along * np.cos(angle)]), distance * np.sin(tilt)

    def embed(self, uv: ArrayLike) -> NDArray[np.float64]:
        """Positions (n, 3) [Mpc/h] of places (n, 2) on the unrolled cone; NaN where it is cut open."""
        uv = np.asarray(uv, dtype=np.float64)
        angle = np.arctan2(-uv[:, 0], uv[:, 1])
        angle = np.where(np.abs(angle) <= self.half_opening, angle, np.nan)
        ra = self.ra + np.degrees(angle / np.cos(np.radians(self.dec)))
        distance = np.where(np.isfinite(angle), np.hypot(uv[:, 0], uv[:, 1]), np.nan)
        return sky_to_cartesian(ra, self.dec, distance)


Cut = PlaneCut | ConeCut


@dataclass(frozen=True)
class VoidSlice:
    """The voids of one method where a surface cuts them, and the galaxies near it.

    Attributes
    ----------
    method : the method that found the voids.
    cut : the surface.
    thickness : galaxies within half of this of the surface are shown, Mpc/h.
    outlines : closed curves (k, 2), Mpc/h; anticlockwise around a void, clockwise around an opening in it.
    outline_void : void of each outline.
    outline_edge : its edge flag.
    galaxies : (n, 2) Mpc/h.
    galaxy_row : (n,) their rows in the catalogue handed in.
    galaxy_in_void : (n,) True for galaxies inside a void, or None when the voids carry no membership.
    footprint : closed curves around the part of the surface inside the region; none when the region is not known.
    low, high : corners (2,) of what was looked at, Mpc/h.
    """

    method: str
    cut: Cut
    thickness: float
    outlines: tuple[NDArray[np.float64], ...]
    outline_void: NDArray[np.int64]
    outline_edge: NDArray[np.int64]
    galaxies: NDArray[np.float64]
    galaxy_row: NDArray[np.int64]
    galaxy_in_void: NDArray[np.bool_] | None
    footprint: tuple[NDArray[np.float64], ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def void_area(self) -> float:
        """Area of the voids on the surface [(Mpc/h)^2], openings taken off."""
        return float(sum(_signed_area(outline) for outline in self.outlines))


def middle_cut(xyz: ArrayLike, region: Region | None = None, *, on_sky: bool = True) -> Cut:
    """A slice that shows much of a sample: the cone of median declination, or the plane halfway up a box.

    Parameters
    ----------
    xyz : (n, 3) positions of the galaxies, Mpc/h.
    region : the volume, if known; a box gives a plane.
    on_sky : without a region, whether the observer is at the origin.
    """
    xyz = np.asarray(xyz, dtype=np.float64)
    if isinstance(region, BoxRegion):
        return PlaneCut(2, 0.5 * (region.low[2] + region.high[2]))
    if not len(xyz):
        raise InputError("the middle of an empty sample is not known; pass a PlaneCut or a ConeCut")
    if region is None and not on_sky:
        return PlaneCut(2, float(0.5 * (xyz[:, 2].min() + xyz[:, 2].max())))
    dec = round(float(np.clip(np.median(cartesian_to_sky(xyz)[1]), -85.0, 85.0)), 1)
    return ConeCut(dec, round(float(cartesian_to_sky(xyz.mean(axis=0))[0]), 1))


def slice_voids(
    catalog: VoidCatalog, cut: Cut, galaxies_xyz: ArrayLike | None = None, *, thickness: float = 10.0,
    resolution: float | None = None,
) -> VoidSlice:
    """Cut the voids of a catalogue with a surface.

    Parameters
    ----------
    catalog : the voids, made of holes or of zones.
    cut : the surface.
    galaxies_xyz : (n, 3) Mpc/h, galaxies to show. Where they are those of the catalogue's membership, the ones outside
        the region are left out and the ones inside voids are marked.
    thickness : galaxies within half of this of the surface are shown, Mpc/h.
    resolution : raster step, Mpc/h; outlines are interpolated to a fraction of it. A 500th of the larger side when None; then,
        without galaxies, the whole survey is in view.

    Raises
    ------
    InputError
        When there is nothing to look at.
    OptionError
        When thickness or resolution is not positive, or the raster needs more than ``MAX_POINTS`` points.
    """
    if not thickness > 0.0:
        raise OptionError(f"slice thickness is {thickness} Mpc/h; expected more than 0")
    xyz = np.empty((0, 3)) if galaxies_xyz is None else np.asarray(galaxies_xyz, dtype=np.float64).reshape(-1, 3)
    flat, height = cut.project(xyz)
    if isinstance(cut, PlaneCut):
        height = _shortest(height, cut, catalog.region)
    near = np.abs(height) <= 0.5 * thickness
    known = catalog.membership is not None and len(catalog.membership) == len(xyz)
    code = catalog.membership.code if known and catalog.membership is not None else None
    rows = np.flatnonzero(near if code is None else near & (code != MembershipCode.OUTSIDE))
    raster = _Raster.over(*_extent(catalog, cut, flat[rows], whole=resolution is None), cut, resolution, catalog.region)
    if catalog.holes is not None:
        pieces = list(_cut_holes(catalog.holes, len(catalog), raster))
    else:
        assert catalog.zones is not None
        pieces = list(_cut_zones(catalog, catalog.zones, raster))
    void = np.array([void for void, _ in pieces], dtype=np.int64)
    return VoidSlice(
        method=catalog.method, cut=cut, thickness=thickness, outlines=tuple(curve for _, curve in pieces),
        outline_void=void, outline_edge=catalog.edge[void], galaxies=flat[rows], galaxy_row=rows,
        galaxy_in_void=None if code is None else code[rows] == MembershipCode.VOID, footprint=raster.footprint(),
        low=raster.low, high=raster.high,
    )


def _shortest(height: NDArray, cut: PlaneCut, region: Region | None) -> NDArray[np.float64]:
    """Heights above a plane, across the boundary of a periodic box where that is shorter [Mpc/h]."""
    if not (isinstance(region, BoxRegion) and region.periodic):
        return height
    side = region.size[cut.axis]
    return height - side * np.round(height / side)


@dataclass(frozen=True)
class _Raster:
    """Points (n_v, n_u) on a cut; ``place`` lists those inside the region, ``xyz`` their positions."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    step: float
    shape: tuple[int, int]
    region: Region | None
    place: NDArray[np.int64]
    xyz: NDArray[np.float64]
    inside: NDArray[np.bool_]

    @classmethod
    def over(
        cls, low: NDArray, high: NDArray, cut: Cut, resolution: float | None, region: Region | None
    ) -> _Raster:
        if resolution is not None and not resolution > 0.0:
            raise OptionError(f"slice resolution is {resolution} Mpc/h; expected more than 0")
        step = float((high - low).max()) / 500.0 if resolution is None else resolution
        n_u, n_v = np.ceil((high - low) / step).astype(int) + 1
        if float(n_u) * float(n_v) > MAX_POINTS:
            raise OptionError(
                f"a slice of {high[0] - low[0]:.0f} by {high[1] - low[1]:.0f} Mpc/h at {step} Mpc/h needs "
                f"{float(n_u) * float(n_v):.2g} raster points (limit {MAX_POINTS:.2g}); use a coarser resolution"
            )
        u, v = np.meshgrid(low[0] + step * np.arange(n_u), low[1] + step * np.arange(n_v))
        xyz = cut.embed(np.column_stack([u.ravel(), v.ravel()]))
        place = np.flatnonzero(np.isfinite(xyz).all(axis=1))
        xyz = xyz[place]
        inside = np.ones(len(place), dtype=bool)
        if region is not None:
            for start in range(0, len(place), _CHUNK):
                inside[start : start + _CHUNK] = region.contains(xyz[start : start + _CHUNK])
        return cls(low, high, step, (int(n_v), int(n_u)), region, place, xyz, inside)

    @property
    def period(self) -> NDArray[np.float64] | None:
        """Side lengths of a periodic box, else None."""
        periodic = isinstance(self.region, BoxRegion) and self.region.periodic
        return self.region.size if periodic and isinstance(self.region, BoxRegion) else None

    def wrapped(self, xyz: NDArray) -> NDArray[np.float64]:
        """Positions in the form that a search tree wants: folded into [0, side) in a periodic box."""
        if self.period is None or not isinstance(self.region, BoxRegion):
            return xyz
        return np.mod(np.mod(xyz - self.region.low, self.period), self.period)

    def outlines(self, place: NDArray, value: NDArray) -> list[NDArray[np.float64]]:
        """Closed curves where ``value`` (n,), given at some places and in raster steps, passes through zero."""
        if not (value < 0.0).any():
            return []
        row, column = np.divmod(place, self.shape[1])
        first = np.array([row.min(), column.min()]) - 1
        window = np.full((np.ptp(row) + 3, np.ptp(column) + 3), 2.0)
        # A contour through a corner of the raster would break the curve there.
        window[row - first[0], column - first[1]] = np.where(np.abs(value) < 1e-6, 1e-6, value)
        curves = find_contours(window, 0.0)
        return [
            np.clip(self.low + self.step * (curve[::-1] + first)[:, ::-1], self.low, self.high) for curve in curves
        ]

    def footprint(self) -> tuple[NDArray[np.float64], ...]:
        """Closed curves around the part inside the region; none when it is not known."""
        if self.region is None:
            return ()
        return tuple(self.outlines(self.place[self.inside], np.full(self.inside.sum(), -2.0)))


def _extent(
    catalog: VoidCatalog, cut: Cut, galaxies: NDArray, *, whole: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the box, or of the voids and galaxies that are met, with a margin; of a ``whole`` survey without galaxies."""
    if isinstance(catalog.region, BoxRegion) and isinstance(cut, PlaneCut):
        across = list(cut.across)
        return np.array(catalog.region.low)[across], np.array(catalog.region.high)[across]
    seen = [galaxies]
    if catalog.holes is not None:
        flat, height = cut.project(catalog.holes.centre)
        radius = catalog.holes.radius
        met = np.abs(height) < radius
        seen += [flat[met] - radius[met, None], flat[met] + radius[met, None]]
        bare = whole and met.any() and not len(galaxies)
        if bare and isinstance(cut, ConeCut) and isinstance(catalog.region, SurveyRegion):
            seen.append(_far_side(catalog.region, cut))
    elif catalog.zones is not None:
        flat, height = cut.project(catalog.zones.xyz)
        seen.append(flat[np.abs(height) <= 10.0])
    points = np.concatenate(seen)
    if not len(points):
        raise InputError(f"{cut.describe()} meets no void and no galaxy; choose a position inside the sample")
    margin = 0.01 * float(np.ptp(points, axis=0).max()) + 1.0
    return points.min(axis=0) - margin, points.max(axis=0) + margin


def _far_side(region: SurveyRegion, cut: ConeCut) -> NDArray[np.float64]:
    """Places (n, 2) on a cone at the far limit of a survey, where the mask covers it, and the observer's [Mpc/h]."""
    ra = np.arange(0.0, 360.0, 0.25)
    ra = ra[region.mask.contains(ra, np.full(ra.size, cut.dec))]
    far = sky_to_cartesian(ra, np.full(ra.size, cut.dec), np.full(ra.size, region.r_max))
    return np.vstack([np.zeros(2), cut.project(far)[0]])


def _cut_holes(holes: Holes, n_voids: int, raster: _Raster) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Outlines of unions of spheres; a point further outside than two steps cannot lie next to one inside."""
    tree = cKDTree(raster.wrapped(raster.xyz), boxsize=raster.period)
    period = raster.period
    for void, rows in holes_by_void(holes, np.arange(n_voids)):
        centre, radius = holes.centre[rows], holes.radius[rows]
        near = tree.query_ball_point(raster.wrapped(centre), radius + 2.0 * raster.step)
        points = np.unique(np.concatenate([np.asarray(found, dtype=np.int64) for found in near]))
        if not points.size:
            continue
        field = np.full(points.size, np.inf)
        for c, r, found in zip(centre, radius, near, strict=True):
            offset = raster.xyz[found] - c
            if period is not None:
                offset -= period * np.round(offset / period)
            at = np.searchsorted(points, found)
            field[at] = np.minimum(field[at], np.linalg.norm(offset, axis=1) - r)
        for curve in raster.outlines(raster.place[points], field / raster.step):
            yield void, curve


def _cut_zones(catalog: VoidCatalog, zones: Zones, raster: _Raster) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Outlines of watershed voids: where a void's nearest galaxy is as far as the nearest galaxy of anything else."""
    tree = cKDTree(raster.wrapped(zones.xyz), boxsize=raster.period)
    label = void_of_zone(catalog, zones.zone)
    points = np.flatnonzero(raster.inside)
    neighbours = min(_NEIGHBOURS, len(zones.xyz))
    pairs: list[NDArray] = []
    for start in range(0, points.size, _CHUNK):
        chunk = points[start : start + _CHUNK]
        distance, galaxy = tree.query(raster.wrapped(raster.xyz[chunk]), k=np.arange(1, neighbours + 1))
        pairs.append(_void_fields(chunk, label[galaxy], distance))
    table = np.concatenate(pairs, axis=1) if pairs else np.empty((3, 0))
    void, point, field = table[0].astype(np.int64), table[1].astype(np.int64), table[2]
    order = np.argsort(void, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(void[order])) + 1):
        if group.size:
            for curve in raster.outlines(raster.place[point[group]], field[group] / raster.step):
                yield int(void[group[0]]), curve


def _void_fields(points: NDArray, label: NDArray, distance: NDArray) -> NDArray[np.float64]:
    """Rows void, point, and d(void) - d(anything else), for every void among the neighbours (n, k) of each point."""
    out = []
    for k in range(label.shape[1]):
        here = label[:, k]
        # Once for each void of a point: skip the label if a nearer neighbour has had it.
        new = (here >= 0) & ~(label[:, :k] == here[:, None]).any(axis=1)
        same = label[new] == here[new, None]
        other = np.where(same, np.inf, distance[new]).min(axis=1)
        other = np.where(np.isfinite(other), other, distance[new, -1] + 1e-3)
        out.append(np.stack([here[new].astype(np.float64), points[new].astype(np.float64), distance[new, k] - other]))
    return np.concatenate(out, axis=1)


def _signed_area(curve: NDArray) -> float:
    u, v = curve[:, 0], curve[:, 1]
    return 0.5 * float(np.dot(u[:-1], v[1:]) - np.dot(u[1:], v[:-1]))
