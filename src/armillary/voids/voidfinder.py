"""VoidFinder: voids as unions of empty spheres (El-Ad & Piran 1997; Hoyle & Vogeley 2002; Douglass et al. 2022).

Galaxies in dense surroundings (wall galaxies) bound the voids; isolated ones (field galaxies) may lie inside. From
every empty cell of a grid a sphere grows until it touches four wall galaxies. Large spheres that barely overlap are the
maximal spheres, one per void; smaller ones that overlap one of them by half join it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from armillary.cosmology import Cosmology
from armillary.errors import CoordinateError, OptionError
from armillary.model import BoxRegion, GalaxyCatalog, Holes, Membership, Region, SkyMask, VoidCatalog
from armillary.voids.centre_distance import scaled_centre_distance
from armillary.voids.footprint import Footprint
from armillary.voids.growth import grow_holes, occupied_cells
from armillary.voids.holes import (
    SURFACE_POINTS,
    cubic_mesh,
    first_of_each,
    golden_spiral,
    leaves_region,
    merge_holes,
    near_duplicates,
    outside_fraction,
    unit_mesh,
)
from armillary.voids.membership import (
    EDGE_DISTANCE,
    containing_void,
    near_edge,
    position_codes,
)
from armillary.voids.nearest import neighbour_distances
from armillary.voids.selection import Limits, Sample, take_sample
from armillary.voids.stages import Progress, Stages
from armillary.voids.tessellation import Tessellation
from armillary.voids.union import union_volumes

#: Lines along each side of the lattice that measures a void's volume; the standard error of R_EFF is then below 1e-3 of it.
_LATTICE = 16
_CHUNKS_PER_WORKER = 8
_CHUNK_CELLS = 1 << 20
_MOST_CELLS = 1e9


class Spheres(NamedTuple):
    """Candidate holes: centre (m, 3), radius (m,), the four galaxies touched (m, 4), boundary flag (m,)."""

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    touching: NDArray[np.int64]
    boundary: NDArray[np.bool_]

    def take(self, rows: NDArray) -> Spheres:
        """The spheres at ``rows``."""
        return Spheres(*(column[rows] for column in self))


@dataclass(frozen=True, kw_only=True)
class VoidFinder:
    """The options of VoidFinder; lengths in Mpc/h.

    Attributes
    ----------
    cell : edge of the search grid's cells.
    min_radius : a maximal sphere is larger than this.
    wall_sigma, neighbour : a galaxy is a wall galaxy when the distance d to its ``neighbour``-th neighbour is below
        mean(d) + ``wall_sigma`` std(d).
    max_overlap : a sphere with more of its volume than this in an earlier maximal sphere is not maximal.
    join_overlap : a sphere with more of its volume than this in exactly one maximal sphere joins that void.
    mask_cut : a hole with at least this fraction of its volume outside the region is dropped.
    mesh_density : points per (Mpc/h)^3 that estimate that fraction, as in VAST; None for a converged estimate.
    duplicate_tolerance : successive holes closer than this in position and radius are the same.
    z_min, z_max, magnitude_limit : tracers, limits included.
    distance_precision : ``double``, ``single`` (as VAST computes), or None: single for the ``vast`` mask, else double.
    """

    cell: float = 5.0
    min_radius: float = 10.0
    wall_sigma: float = 1.5
    neighbour: int = 3
    max_overlap: float = 0.1
    join_overlap: float = 0.5
    mask_cut: float = 0.1
    mesh_density: float | None = 0.01
    duplicate_tolerance: float = 0.1
    z_min: float | None = None
    z_max: float | None = None
    magnitude_limit: float | None = None
    distance_precision: str | None = None

    def __post_init__(self) -> None:
        for name in ("cell", "min_radius"):
            if not getattr(self, name) > 0.0:
                raise OptionError(f"{name} is {getattr(self, name)} Mpc/h; expected a positive length")
        for name in ("max_overlap", "join_overlap", "mask_cut"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise OptionError(f"{name} is {getattr(self, name)}; expected a fraction from 0 to 1")
        if not self.duplicate_tolerance >= 0.0:
            raise OptionError(f"duplicate_tolerance is {self.duplicate_tolerance} Mpc/h; expected 0 or more")
        if self.mesh_density is not None and not self.mesh_density > 0.0:
            raise OptionError(f"mesh_density is {self.mesh_density} points per (Mpc/h)^3; expected a positive number or None")
        if not np.isfinite(self.wall_sigma):
            raise OptionError(f"wall_sigma is {self.wall_sigma}; expected a finite number")
        if self.neighbour < 1:
            raise OptionError(f"neighbour is {self.neighbour}; expected 1 or more")
        if self.distance_precision not in (None, "single", "double"):
            raise OptionError(f"distance_precision is {self.distance_precision!r}; expected 'single' or 'double'")

    def find(
        self,
        galaxies: GalaxyCatalog,
        *,
        mask: SkyMask | str | None = None,
        box: BoxRegion | None = None,
        cosmo: Cosmology | None = None,
        workers: int = 1,
        progress: Progress | None = None,
    ) -> VoidCatalog:
        """Find the voids among ``galaxies``.

        Parameters
        ----------
        galaxies : survey (ra, dec, z) or box (x, y, z) catalogue; its order does not matter.
        mask : sky mask, ``vast``, ``healpix:NSIDE``, or None for a HEALPix mask made from the galaxies. Surveys only.
        box : limits of the box, closed or periodic; None for the extent of the galaxies. Boxes only.
        cosmo : turns redshifts into distances; Omega_M = 0.3 by default.
        workers : threads; the answer does not depend on it.
        progress : called as ``progress(stage, fraction)``.

        Returns
        -------
        VoidCatalog
            With :class:`~armillary.model.Holes` sorted by void, then largest first.

        Raises
        ------
        InputError, OptionError
            When the galaxies or the options cannot be used; the message says why.
        """
        stages = Stages(progress)
        like_vast = isinstance(mask, str) and mask == "vast"
        single = self.distance_precision == "single" or (self.distance_precision is None and like_vast)
        with stages.stage("selection"):
            limits = Limits(self.z_min, self.z_max, self.magnitude_limit)
            sample = take_sample(
                galaxies, limits, mask=mask, box=box, cosmo=cosmo, min_radius=self.min_radius, single_precision=single
            )
        with stages.stage("wall and field"):
            wall = wall_galaxies(sample.xyz, self.neighbour, self.wall_sigma, region=sample.region, workers=workers)
            if wall.sum() < 5:
                raise CoordinateError(f"{wall.sum()} of {len(wall)} galaxies are wall galaxies; voids need at least 5")
        with stages.stage("tessellation"):
            periodic = sample.region if isinstance(sample.region, BoxRegion) and sample.region.periodic else None
            tessellation = Tessellation.of(sample.xyz[wall], periodic=periodic)
        with stages.stage("growth") as report:
            footprint = Footprint.of(sample.region, measured=True)
            spheres = self._grow(sample, tessellation, footprint, workers, report)
        with stages.stage("mask cut"):
            spheres = self._cut(spheres, footprint, sample.region)
        with stages.stage("merging"):
            holes, maximal, centre, radius = self._merge(spheres, sample.region)
        with stages.stage("volumes"):
            r_eff, uncertainty = effective_radii(holes, centre, sample.region)
            edge = edge_flags(holes, len(maximal), footprint)
        with stages.stage("membership"):
            membership = _membership(sample, wall, footprint, holes, centre, r_eff)
        rows = sample.rows[wall]
        holes = Holes(holes.centre, holes.radius, holes.void, holes.boundary, rows[holes.touching])
        return VoidCatalog(
            method="voidfinder", centre=centre, radius=radius, r_eff=r_eff, r_eff_uncertainty=uncertainty, edge=edge,
            parameters=self._parameters(sample, wall, single), region=sample.region,
            cosmo=(cosmo or Cosmology()) if galaxies.on_sky else None,
            holes=holes, membership=membership, seconds=stages.seconds,
        )

    def _parameters(self, sample: Sample, wall, single: bool) -> dict[str, object]:
        return asdict(self) | {
            "distance_precision": "single" if single else "double",
            "edge_distance": EDGE_DISTANCE,
            "tracers": len(sample.rows), "wall_galaxies": int(wall.sum()), "field_galaxies": int((~wall).sum()),
            "duplicates": sample.duplicates, "masked": sample.masked,
        }

    def _grow(
        self, sample: Sample, tessellation: Tessellation, footprint: Footprint, workers: int, report
    ) -> Spheres:
        region = sample.region
        if isinstance(region, BoxRegion):
            low, extent = np.array(region.low), region.size
        else:
            low = _corner(np.min, sample.xyz)
            extent = _corner(np.max, tessellation.points) - low
        shape = np.maximum(np.ceil(extent / self.cell).astype(np.int64), 1)
        if float(np.prod(shape, dtype=np.float64)) > _MOST_CELLS:
            raise OptionError(
                f"the galaxies span {', '.join(f'{side:.4g}' for side in extent)} Mpc/h, too much for a search grid of "
                f"{self.cell} Mpc/h cells; check that positions are in Mpc/h, or take larger cells"
            )
        periodic = isinstance(region, BoxRegion) and region.periodic
        cell = extent / shape if periodic else np.full(3, self.cell)
        occupied = occupied_cells(tessellation.points, low, cell, shape)
        tessellation.neighbours  # noqa: B018  made once, before the threads ask for it

        def grow(span: tuple[int, int]):
            return grow_holes(tessellation, footprint, low, cell, shape, occupied, *span)

        pieces = max(16, _CHUNKS_PER_WORKER * workers, len(occupied) // _CHUNK_CELLS)
        bounds = np.linspace(0, len(occupied), pieces + 1).astype(np.int64)
        spans = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        grown = []
        for done, result in enumerate(_map(grow, spans, workers) if workers > 1 else map(grow, spans), start=1):
            grown.append(result)
            report(done / len(spans))
        centre, radius, touching = (np.concatenate(column) for column in zip(*grown, strict=True))
        if isinstance(region, BoxRegion) and region.periodic:
            centre = region.wrap(centre)
        # The same four galaxies make one sphere, but in a periodic box their images may make others.
        keep = np.ones(len(radius), dtype=bool) if periodic else first_of_each(touching)
        touching = tessellation.origin[touching]
        return Spheres(centre[keep], radius[keep], touching[keep], np.zeros(keep.sum(), dtype=bool))

    def _cut(self, spheres: Spheres, footprint: Footprint, region: Region) -> Spheres:
        """Flag the spheres that leave the region, drop those that leave it too far, and sort: largest first."""
        boundary = leaves_region(spheres.centre, spheres.radius, golden_spiral(SURFACE_POINTS), footprint)
        rows = np.flatnonzero(boundary)
        keep = np.ones(len(boundary), dtype=bool)
        if len(rows):
            fraction = self._outside(spheres.centre[rows], spheres.radius[rows], float(spheres.radius.max()), footprint)
            keep[rows[fraction >= self.mask_cut]] = False
        spheres = spheres._replace(boundary=boundary).take(keep)
        spheres = spheres.take(_largest_first(spheres))
        period = region.size if isinstance(region, BoxRegion) and region.periodic else np.zeros(3)
        return spheres.take(~near_duplicates(spheres.centre, spheres.radius, self.duplicate_tolerance, period))

    def _outside(self, centre, radius, largest: float, footprint: Footprint) -> NDArray[np.float64]:
        """Fraction (m,) of each sphere's volume outside, on the right side of the cut."""
        if self.mesh_density is not None:
            mesh = cubic_mesh(largest, self.mesh_density)
            return outside_fraction(centre, radius, mesh, footprint, scaled=False, limit=self.mask_cut)
        # Coarse for all, then finer where the answer is close to the cut.
        fraction = outside_fraction(centre, radius, unit_mesh(8), footprint, scaled=True)
        for steps, doubt in ((16, 0.05), (32, 0.02)):
            close = np.flatnonzero(np.abs(fraction - self.mask_cut) < doubt)
            fraction[close] = outside_fraction(centre[close], radius[close], unit_mesh(steps), footprint, scaled=True)
        return fraction

    def _merge(self, spheres: Spheres, region: Region):
        if not len(spheres.radius):
            nothing = np.empty(0, dtype=np.int64)
            holes = Holes(spheres.centre, spheres.radius, nothing, spheres.boundary, spheres.touching)
            return holes, nothing, spheres.centre, spheres.radius
        wanted = float(spheres.radius[0])
        if isinstance(region, BoxRegion) and region.periodic:
            low, extent, period = np.array(region.low), region.size, region.size
        else:
            low = _corner(np.min, spheres.centre)
            extent, period = _corner(np.max, spheres.centre) - low, np.zeros(3)
        shape = np.maximum(np.floor(extent / wanted).astype(np.int64), 1)
        cell = np.maximum(extent / shape, wanted)
        maximal, void = merge_holes(
            spheres.centre, spheres.radius, self.min_radius, self.max_overlap, self.join_overlap, period, low, cell, shape
        )
        member = np.flatnonzero(void >= 0)
        member = member[np.argsort(void[member], kind="stable")]
        kept = spheres.take(member)
        holes = Holes(kept.centre, kept.radius, void[member], kept.boundary, kept.touching)
        return holes, maximal, spheres.centre[maximal], spheres.radius[maximal]


def wall_galaxies(xyz, neighbour: int, sigma: float, *, region: Region | None = None, workers: int = 1) -> NDArray[np.bool_]:
    """(n,) True for wall galaxies: d < mean(d) + sigma std(d), with d the distance to the ``neighbour``-th neighbour.

    The standard deviation is that of the population; distances are across the boundary in a periodic box. Positions along
    a Hilbert curve are the fastest.
    """
    if len(xyz) <= neighbour:
        raise CoordinateError(f"{len(xyz)} galaxies have no {neighbour}. neighbour; give more galaxies")
    shifts = np.zeros((1, 3))
    if isinstance(region, BoxRegion) and region.periodic:
        shifts = np.array(sorted(product((-1.0, 0.0, 1.0), repeat=3), key=lambda shift: shift != (0.0, 0.0, 0.0))) * region.size
    if workers > 1:
        d = neighbour_distances(xyz, neighbour, shifts, lambda search, spans: _map(search, spans, workers))
    else:
        d = neighbour_distances(xyz, neighbour, shifts)
    return d < d.mean() + sigma * d.std()


def effective_radii(holes: Holes, centre, region: Region) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """R_EFF (v,) and its standard error (v,) [Mpc/h]: radius of the sphere with the volume of the union of a void's holes."""
    position = holes.centre
    if isinstance(region, BoxRegion) and region.periodic:
        offset = position - centre[holes.void]
        position = centre[holes.void] + offset - region.size * np.round(offset / region.size)
    start = np.searchsorted(holes.void, np.arange(len(centre) + 1))
    volume, error = union_volumes(position, holes.radius, start, _LATTICE)
    r_eff = np.cbrt(3.0 * volume / (4.0 * np.pi))
    return r_eff, r_eff * error / (3.0 * volume)


def edge_flags(holes: Holes, n_voids: int, footprint: Footprint) -> NDArray[np.int64]:
    """1 for a void with a boundary hole; else 2 when a hole's centre is within 10 Mpc/h of the edge; else 0."""
    edge = np.zeros(n_voids, dtype=np.int64)
    edge[holes.void[near_edge(footprint, holes.centre, EDGE_DISTANCE)]] = 2
    edge[holes.void[holes.boundary]] = 1
    return edge


def _corner(extreme, xyz) -> NDArray[np.float64]:
    """np.min or np.max (3,) of positions (n, 3), one coordinate at a time: much faster than along the first axis."""
    return np.array([extreme(coordinate) for coordinate in xyz.T])


def _largest_first(spheres: Spheres) -> NDArray[np.int64]:
    """Order of the spheres by radius, largest first; of equal ones by x, y, z."""
    order = np.argsort(-spheres.radius)
    ordered = spheres.radius[order]
    if (ordered[1:] == ordered[:-1]).any():
        x, y, z = spheres.centre.T
        order = np.lexsort((z, y, x, -spheres.radius))
    return order


def _membership(sample: Sample, wall, footprint: Footprint, holes: Holes, centre, r_eff) -> Membership:
    n, along = len(sample.everyone), sample.along
    xyz = sample.everyone[along]
    tracer = np.zeros(n, dtype=bool)
    tracer[sample.rows] = True
    kind = np.full(n, -1, dtype=np.int8)
    kind[sample.rows] = wall
    # Holes are empty of wall galaxies; some lie on their surface, which is not inside.
    free = np.flatnonzero(kind[along] != 1)
    void_along = np.full(n, -1, dtype=np.int64)
    void_along[free] = containing_void(xyz[free], holes.centre, holes.radius, holes.void, sample.region)
    void, distance, code = np.empty(n, dtype=np.int64), np.empty(n), np.empty(n, dtype=np.int8)
    void[along] = void_along
    code[along] = position_codes(void_along, xyz, footprint, EDGE_DISTANCE)
    distance[along] = scaled_centre_distance(xyz, centre, r_eff, sample.region)
    return Membership(code=code, tracer=tracer, void=void, centre_distance=distance, wall=kind)


def _map(function, items: list, workers: int) -> Iterator:
    """Results in the order of the items, as they come, from threads: the kernels release the interpreter's lock."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(function, items)
