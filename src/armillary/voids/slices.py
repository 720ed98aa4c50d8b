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

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from armillary.cosmology import cartesian_to_sky, sky_to_cartesian
from armillary.errors import InputError, OptionError
from armillary.model import BoxRegion, Holes, MembershipCode, Region, SurveyRegion, VoidCatalog, Zones
from armillary.voids.compiled import KERNEL
from armillary.voids.contours import zero_contours
from armillary.voids.cuts import ConeCut, Cut, PlaneCut
from armillary.voids.footprint import Footprint, inside_each
from armillary.voids.membership import void_of_zone, with_images
from armillary.voids.surface import holes_by_void

#: Most raster points of a slice, and how many are looked at together.
MAX_POINTS = 4_000_000
_CHUNK = 65_536
_NEIGHBOURS = 6


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
    return slice_each({catalog.method: catalog}, cut, galaxies_xyz, thickness=thickness, resolution=resolution)[catalog.method]


def slice_each(
    catalogs: Mapping[str, VoidCatalog], cut: Cut, galaxies_xyz: ArrayLike | None = None, *, thickness: float = 10.0,
    resolution: float | None = None,
) -> dict[str, VoidSlice]:
    """Cut the voids of several catalogues with one surface; see :func:`slice_voids`. What they share is done once."""
    if not thickness > 0.0:
        raise OptionError(f"slice thickness is {thickness} Mpc/h; expected more than 0")
    xyz = np.empty((0, 3)) if galaxies_xyz is None else np.asarray(galaxies_xyz, dtype=np.float64).reshape(-1, 3)
    flat, height = cut.project(xyz)
    rasters: list[_Raster] = []
    slices = {}
    for method, catalog in catalogs.items():
        above = _shortest(height, cut, catalog.region) if isinstance(cut, PlaneCut) else height
        near = np.abs(above) <= 0.5 * thickness
        known = catalog.membership is not None and len(catalog.membership) == len(xyz)
        code = catalog.membership.code if known and catalog.membership is not None else None
        rows = np.flatnonzero(near if code is None else near & (code != MembershipCode.OUTSIDE))
        low, high = _extent(catalog, cut, flat[rows], whole=resolution is None)
        raster = next((raster for raster in rasters if raster.covers(low, high, catalog.region)), None)
        if raster is None:
            raster = _Raster.over(low, high, cut, resolution, catalog.region)
            rasters.append(raster)
        if catalog.holes is not None:
            pieces = list(_cut_holes(catalog.holes, len(catalog), cut, raster))
        else:
            assert catalog.zones is not None
            pieces = list(_cut_zones(catalog, catalog.zones, raster))
        void = np.array([void for void, _ in pieces], dtype=np.int64)
        slices[method] = VoidSlice(
            method=catalog.method, cut=cut, thickness=thickness, outlines=tuple(curve for _, curve in pieces),
            outline_void=void, outline_edge=catalog.edge[void], galaxies=flat[rows], galaxy_row=rows,
            galaxy_in_void=None if code is None else code[rows] == MembershipCode.VOID, footprint=raster.footprint,
            low=raster.low, high=raster.high,
        )
    return slices


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
    _nearest: dict[int, tuple[NDArray, NDArray, NDArray]] = field(default_factory=dict)

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
            inside = inside_each(Footprint.of(region), xyz)
        return cls(low, high, step, (int(n_v), int(n_u)), region, place, xyz, inside)

    def covers(self, low: NDArray, high: NDArray, region: Region | None) -> bool:
        """True when it is the raster of this part of this region."""
        return np.array_equal(low, self.low) and np.array_equal(high, self.high) and region is self.region

    def nearest(self, galaxies: NDArray) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """The points (n,) inside the region, and distance and number (n, k) of the galaxies nearest to each."""
        from scipy.spatial import cKDTree

        if id(galaxies) not in self._nearest:
            tree = cKDTree(self.wrapped(galaxies), boxsize=self.period)
            points = np.flatnonzero(self.inside)
            found = tree.query(self.wrapped(self.xyz[points]), k=np.arange(1, min(_NEIGHBOURS, len(galaxies)) + 1))
            self._nearest[id(galaxies)] = points, *found
        return self._nearest[id(galaxies)]

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Row of ``xyz`` of each point of the raster (n_v, n_u), -1 for none."""
        index = np.full(self.shape[0] * self.shape[1], -1)
        index[self.place] = np.arange(len(self.place))
        return index.reshape(self.shape)

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
        first = np.array([row.min(), column.min()])
        window = np.full((np.ptp(row) + 1, np.ptp(column) + 1), 2.0)
        window[row - first[0], column - first[1]] = value
        return self.contours(window, first)

    def contours(self, window: NDArray, first: NDArray) -> list[NDArray[np.float64]]:
        """Closed curves where values in a window of the raster, from row and column ``first`` on, pass through zero."""
        if not (window < 0.0).any():
            return []
        # A contour through a node of the raster would be no curve there.
        window = np.pad(np.where(np.abs(window) < 1e-6, 1e-6, window), 1, constant_values=2.0)
        origin = self.low + self.step * (first[::-1] - 1)
        return [np.clip(origin + self.step * curve, self.low, self.high) for curve in zero_contours(window)]

    @cached_property
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


def _cut_holes(holes: Holes, n_voids: int, cut: Cut, raster: _Raster) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Outlines of unions of spheres; a point further outside than two steps cannot lie next to one inside."""
    centre, radius, void = holes.centre, holes.radius, holes.void
    if isinstance(raster.region, BoxRegion) and raster.region.periodic:
        centre, origin = with_images(raster.region.wrap(centre), radius + 2.0 * raster.step, raster.region)
        radius, void = radius[origin], void[origin]
        if isinstance(cut, PlaneCut):  # which may lie in another copy of the box
            side, start = raster.region.size[cut.axis], raster.region.low[cut.axis]
            centre[:, cut.axis] += side * np.floor((cut.position - start) / side)
    low, high = cut.windows(centre, radius + 2.0 * raster.step)
    # Columns and rows; windows beyond the raster end up empty.
    limit = np.array(raster.shape[::-1])
    first = np.clip(np.ceil((low - raster.low) / raster.step), 0, limit).astype(np.int64)[:, ::-1]
    last = np.clip(np.floor((high - raster.low) / raster.step) + 1, 0, limit).astype(np.int64)[:, ::-1]
    met = np.flatnonzero((first < last).all(axis=1))
    window, spheres = np.hstack([first, last])[met], np.column_stack([centre, radius])[met]
    seen = Holes(centre[met], radius[met], void[met])
    for one, rows in holes_by_void(seen, np.arange(n_voids)):
        corner = window[rows, :2].min(axis=0)
        distance = np.full(window[rows, 2:].max(axis=0) - corner, 2.0 * raster.step)
        _lower_to_spheres(distance, window[rows] - np.tile(corner, 2), raster.index, raster.xyz, spheres[rows], corner)
        for curve in raster.contours(distance / raster.step, corner):
            yield one, curve


@njit(**KERNEL)
def _lower_to_spheres(distance, window, index, xyz, spheres, corner):
    """Lower ``distance`` (rows, columns) to that from the surface of each sphere, negative inside, in the sphere's window."""
    for s in range(len(spheres)):
        for row in range(window[s, 0], window[s, 2]):
            for column in range(window[s, 1], window[s, 3]):
                i = index[row + corner[0], column + corner[1]]
                if i < 0:
                    continue
                dx, dy, dz = xyz[i, 0] - spheres[s, 0], xyz[i, 1] - spheres[s, 1], xyz[i, 2] - spheres[s, 2]
                value = math.sqrt(dx * dx + dy * dy + dz * dz) - spheres[s, 3]
                if value < distance[row, column]:
                    distance[row, column] = value


def _cut_zones(catalog: VoidCatalog, zones: Zones, raster: _Raster) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Outlines of watershed voids: where a void's nearest galaxy is as far as the nearest galaxy of anything else."""
    label = void_of_zone(catalog, zones.zone)
    points, distance, galaxy = raster.nearest(zones.xyz)
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(points), _CHUNK)]
    pairs = [_void_fields(points[chunk], label[galaxy[chunk]], distance[chunk]) for chunk in chunks]
    table = np.concatenate(pairs, axis=1) if pairs else np.empty((3, 0))
    void, point, field = table[0].astype(np.int64), table[1].astype(np.int64), table[2]
    order = np.argsort(void, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(void[order])) + 1):
        if group.size:
            for curve in raster.outlines(raster.place[point[group]], field[group] / raster.step):
                yield int(void[group[0]]), curve


def _void_fields(points: NDArray, label: NDArray, distance: NDArray) -> NDArray[np.float64]:
    """Rows void, point, and d(void) - d(anything else), for every void among the neighbours (n, k) of each point."""
    # Deep inside a void nothing else is in sight: it is farther than the last neighbour.
    deep = (label == label[:, :1]).all(axis=1)
    rows = np.flatnonzero(deep & (label[:, 0] >= 0))
    beyond = distance[rows, 0] - (distance[rows, -1] + 1e-3)
    out = [np.stack([label[rows, 0].astype(np.float64), points[rows].astype(np.float64), beyond])]
    points, label, distance = points[~deep], label[~deep], distance[~deep]
    for k in range(label.shape[1]):
        here = label[:, k]
        # Once for each void of a point: skip the label if a nearer neighbour has had it.
        new = (here >= 0) & ~(label[:, :k] == here[:, None]).any(axis=1)
        same = label[new] == here[new, None]
        other = np.where(same, np.inf, distance[new]).min(axis=1)
        out.append(np.stack([here[new].astype(np.float64), points[new].astype(np.float64), distance[new, k] - other]))
    return np.concatenate(out, axis=1)


def _signed_area(curve: NDArray) -> float:
    u, v = curve[:, 0], curve[:, 1]
    return 0.5 * float(np.dot(u[:-1], v[1:]) - np.dot(u[1:], v[:-1]))
