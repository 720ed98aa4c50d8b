"""V2: watershed voids with the VIDE, ZOBOV and REVOLVER prunings (Neyrinck 2008; Sutter et al. 2015; Nadathur et al. 2019).

One tessellation, one set of zones and one hierarchy serve all three. They differ in which sets of zones they call a void:

* VIDE: the core zone and the zones that join it above a density of 0.2 of the mean; voids with a dense centre are dropped.
* ZOBOV: every set in the hierarchy; voids nest, and the last one takes every zone.
* REVOLVER: every zone by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armillary.cosmology import Cosmology
from armillary.errors import OptionError
from armillary.model import (
    BoxRegion,
    GalaxyCatalog,
    Membership,
    SkyMask,
    VoidCatalog,
    VoidSurface,
    Zones,
)
from armillary.voids.boundaries import around_centres, zone_boundaries
from armillary.voids.delaunay import delaunay
from armillary.voids.footprint import Footprint, inside_each
from armillary.voids.membership import nearest_galaxy, scaled_centre_distance, watershed_codes
from armillary.voids.selection import Limits, Sample, take_sample
from armillary.voids.stages import Progress, Stages
from armillary.voids.tessellation import Engine, Tessellation
from armillary.voids.watershed import Flood, ZoneLinks, ZoneMap, flood, link_zones, zones_of

PRUNINGS = ("vide", "zobov", "revolver")


@dataclass(frozen=True)
class Watershed:
    """The tessellation of the tracers, its zones and their hierarchy: what the prunings start from."""

    sample: Sample
    tessellation: Tessellation
    volume: NDArray[np.float64]
    zones: ZoneMap
    links: ZoneLinks
    floods: list[Flood]


@dataclass(frozen=True, kw_only=True)
class V2:
    """The options of the watershed family; lengths in Mpc/h.

    Attributes
    ----------
    prunings : which of ``vide, zobov, revolver``.
    min_radius : a void's effective radius is larger than this.
    vide_density : linking and central density limit of VIDE, in units of the mean.
    zobov_significance : keep ZOBOV voids above this many sigma (Neyrinck 2008, eq. 1); None keeps all.
    z_min, z_max, magnitude_limit : tracers, limits excluded.
    surfaces : also triangulate the boundaries, for maps.
    engine : what makes the Delaunay tetrahedra.
    """

    prunings: Sequence[str] = PRUNINGS
    min_radius: float = 10.0
    vide_density: float = 0.2
    zobov_significance: float | None = None
    z_min: float | None = None
    z_max: float | None = None
    magnitude_limit: float | None = None
    surfaces: bool = False
    engine: Engine = delaunay

    def __post_init__(self) -> None:
        if isinstance(self.prunings, str):
            raise OptionError(f"prunings is {self.prunings!r}; expected a list, such as ({self.prunings!r},)")
        unknown = [name for name in self.prunings if name not in PRUNINGS]
        if unknown or not self.prunings:
            raise OptionError(f"prunings are {tuple(self.prunings)}; expected some of {', '.join(PRUNINGS)}")
        if not self.min_radius > 0.0 or not self.vide_density > 0.0:
            raise OptionError(f"min_radius is {self.min_radius}, vide_density {self.vide_density}; both must be positive")

    def find(
        self,
        galaxies: GalaxyCatalog,
        *,
        mask: SkyMask | str | None = None,
        box: BoxRegion | None = None,
        cosmo: Cosmology | None = None,
        workers: int = 1,
        progress: Progress | None = None,
    ) -> dict[str, VoidCatalog]:
        """Find the voids among ``galaxies``: one catalogue for each pruning. Parameters and errors as for VoidFinder.

        The tessellation is one piece of work: ``workers`` serves the neighbour searches only.
        """
        stages = Stages(progress)
        shed = self.watershed(galaxies, mask=mask, box=box, cosmo=cosmo, stages=stages)
        found: dict[str, VoidCatalog] = {}
        with stages.stage("membership"):
            nearest = _zone_of_everyone(shed, workers)
        used = (cosmo or Cosmology()) if galaxies.on_sky else None
        for method in self.prunings:
            with stages.stage(f"pruning: {method}"):
                found[method] = self._prune(method, shed, nearest, used)
        return {method: replace(catalogue, seconds=dict(stages.seconds)) for method, catalogue in found.items()}

    def watershed(
        self, galaxies: GalaxyCatalog, *, mask=None, box=None, cosmo=None, stages: Stages | None = None
    ) -> Watershed:
        """Tessellate the tracers, find the zones and flood them."""
        stages = stages or Stages()
        with stages.stage("selection"):
            limits = Limits(self.z_min, self.z_max, self.magnitude_limit, strict=True)
            sample = take_sample(galaxies, limits, mask=mask, box=box, cosmo=cosmo, min_radius=self.min_radius)
        with stages.stage("tessellation"):
            periodic = sample.region if isinstance(sample.region, BoxRegion) and sample.region.periodic else None
            tessellation = Tessellation.of(sample.xyz, periodic=periodic, engine=self.engine)
        with stages.stage("cells"):
            indptr, indices = tessellation.neighbours
            volume = tessellation.volumes.copy()
            if periodic is None:
                volume[tessellation.edge_cells(sample.region)] = 0.0
        with stages.stage("zones"):
            origin = tessellation.origin
            zones = zones_of(volume, indptr, indices, origin)
            links = link_zones(
                volume, zones, indptr, indices, origin, tessellation.sites, tessellation.tetrahedra,
                tessellation.circumcentres,
            )
            floods = flood(links, volume[zones.core])
        return Watershed(sample, tessellation, volume, zones, links, floods)

    def _prune(self, method: str, shed: Watershed, nearest, cosmo: Cosmology | None) -> VoidCatalog:
        zone_sets = self._zone_sets(method, shed)
        moments = _Moments(shed)
        radius = np.cbrt(3.0 * moments.volumes(zone_sets) / (4.0 * np.pi))
        keep = radius > self.min_radius
        positive = shed.volume[shed.volume > 0.0]
        if method == "vide" and len(positive):
            keep &= radius > positive.mean() ** (1.0 / 3.0)
        zone_sets = _kept(zone_sets, keep)
        centre, radius = moments.centres(zone_sets), radius[keep]
        if method == "vide" and len(radius):
            hollow = self._hollow(shed, centre, radius, positive.mean())
            zone_sets, centre, radius = _kept(zone_sets, hollow), centre[hollow], radius[hollow]
        return self._catalogue(method, shed, zone_sets, centre, radius, moments, nearest, cosmo)

    def _zone_sets(self, method: str, shed: Watershed) -> list[NDArray[np.int64]]:
        if method == "revolver":
            return [np.array([zone]) for zone in range(len(shed.zones.core))]
        if method == "zobov":
            limit = self.zobov_significance
            floods = shed.floods if limit is None else [
                f for f in shed.floods if f.saddle == 0.0 or significance(f.core_volume / f.saddle) >= limit
            ]
            return [f.zones for f in floods]
        positive = shed.volume[shed.volume > 0.0]
        threshold = positive.mean() / self.vide_density if len(positive) else np.inf
        return [f.zones[(f.joined >= threshold) | (np.arange(len(f.zones)) == 0)] for f in shed.floods]

    def _hollow(self, shed: Watershed, centre, radius, mean_volume: float) -> NDArray[np.bool_]:
        """True where fewer galaxies than ``vide_density`` of the mean lie within a quarter of the radius."""
        from scipy.spatial import cKDTree

        region = shed.sample.region
        if isinstance(region, BoxRegion) and region.periodic:
            tree = cKDTree(region.fold(shed.sample.xyz), boxsize=region.size)
            centre = region.fold(centre)
        else:
            tree = cKDTree(shed.sample.xyz)
        count = tree.query_ball_point(centre, radius / 4.0, return_length=True)
        return count / (4.0 / 3.0 * np.pi * (radius / 4.0) ** 3) < self.vide_density / mean_volume

    def _catalogue(self, method, shed: Watershed, zone_sets, centre, radius, moments, nearest, cosmo) -> VoidCatalog:
        k = len(shed.zones.core)
        void0, void1 = np.full(k, -1, dtype=np.int64), np.full(k, -1, dtype=np.int64)
        for void, zones in enumerate(zone_sets):
            void0[zones] = np.where(void0[zones] < 0, void, void0[zones])
            void1[zones] = void
        region, sample = shed.sample.region, shed.sample
        home = region.wrap(centre) if isinstance(region, BoxRegion) and region.periodic else centre
        near_edge = np.zeros(k, dtype=bool)
        near_edge[shed.zones.zone[(shed.zones.zone >= 0) & shed.zones.near_edge]] = True
        edge = np.array([near_edge[zones].any() for zones in zone_sets], dtype=np.int64)
        total, border = boundary_areas(shed.links, zone_sets, k)
        surface: VoidSurface | None = None
        if self.surfaces:
            surface = zone_boundaries(shed.tessellation, shed.zones.zone, zone_sets)
            if isinstance(region, BoxRegion) and region.periodic:
                surface = around_centres(surface, home, region)
        zones = Zones(
            void0=void0, void1=void1, galaxy=sample.rows, xyz=sample.xyz, zone=shed.zones.zone, depth=shed.zones.depth,
            edge=shed.volume == 0.0, out=~region.contains(sample.xyz), volume=moments.volume,
            axes=moments.axes(zone_sets, centre),
            total_area=total, edge_area=border, surface=surface,
        )
        parameters = self._parameters(method, shed)
        if k > 1 and zone_sets and len(zone_sets[-1]) == k:
            parameters["root_void"] = len(zone_sets) - 1
        catalogue = VoidCatalog(
            method=method, centre=home, radius=radius, r_eff=radius.copy(), r_eff_uncertainty=np.zeros(len(radius)),
            edge=edge, parameters=parameters, region=region, cosmo=cosmo, zones=zones, seconds={},
        )
        return _with_membership(catalogue, sample, nearest)

    def _parameters(self, method: str, shed: Watershed) -> dict[str, object]:
        parameters: dict[str, object] = {
            "min_radius": self.min_radius, "z_min": self.z_min, "z_max": self.z_max,
            "magnitude_limit": self.magnitude_limit, "engine": self.engine.__name__,
            "tracers": len(shed.sample.rows), "edge_cells": int((shed.volume == 0.0).sum()),
            "zones": len(shed.zones.core), "duplicates": shed.sample.duplicates, "masked": shed.sample.masked,
        }
        if method == "vide":
            parameters["vide_density"] = self.vide_density
        if method == "zobov":
            parameters["zobov_significance"] = self.zobov_significance
        return parameters


def _kept(zone_sets, keep) -> list[NDArray[np.int64]]:
    return [zones for zones, kept in zip(zone_sets, keep, strict=True) if kept]


class _Moments:
    """Volumes, centres and inertia of sets of zones.

    Moments are taken about the position of each zone's core, so that sums keep their digits far from the origin.
    """

    def __init__(self, shed: Watershed) -> None:
        self.core = shed.sample.xyz[shed.zones.core]
        zone, member = shed.zones.zone, shed.zones.zone >= 0
        offset = shed.sample.xyz[member] - self.core[zone[member]]
        region = shed.sample.region
        self.period = region.size if isinstance(region, BoxRegion) and region.periodic else None
        if self.period is not None:
            offset -= self.period * np.round(offset / self.period)
        k, weight = len(self.core), shed.volume[member]

        def total(values):
            return np.bincount(zone[member], weights=values, minlength=k)

        self.volume = total(weight)
        self.first = np.stack([total(weight * offset[:, i]) for i in range(3)], axis=1)
        self.second = np.stack(
            [np.stack([total(weight * offset[:, i] * offset[:, j]) for j in range(3)], axis=1) for i in range(3)], axis=1
        )

    def volumes(self, zone_sets) -> NDArray[np.float64]:
        """Volumes (v,) of sets of zones [(Mpc/h)^3]."""
        zones, start, _ = _flat(zone_sets)
        return np.add.reduceat(self.volume[zones], start) if len(start) else np.empty(0)

    def centres(self, zone_sets) -> NDArray[np.float64]:
        """Volume-weighted mean positions (v, 3) [Mpc/h]; in a periodic box near the first zone of each set."""
        if not len(zone_sets):
            return np.empty((0, 3))
        zones, start, owner = _flat(zone_sets)
        weighted = self._cores(zones, start, owner) * self.volume[zones, None] + self.first[zones]
        return np.add.reduceat(weighted, start) / self.volumes(zone_sets)[:, None]

    def axes(self, zone_sets, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        """Semi-axes (v, 3, 3), longest first, of the uniform ellipsoids with the sets' second moments about ``centre`` (v, 3)."""
        if not len(zone_sets):
            return np.empty((0, 3, 3))
        zones, start, owner = _flat(zone_sets)
        shift = self._cores(zones, start, owner) - centre[owner]
        cross = shift[:, :, None] * self.first[zones][:, None, :]
        moment = self.second[zones] + cross + cross.transpose(0, 2, 1)
        moment += self.volume[zones, None, None] * shift[:, :, None] * shift[:, None, :]
        values, vectors = np.linalg.eigh(np.add.reduceat(moment, start) / self.volumes(zone_sets)[:, None, None])
        return (np.sqrt(np.maximum(5.0 * values, 0.0))[:, None, :] * vectors).transpose(0, 2, 1)[:, ::-1]

    def _cores(self, zones, start, owner):
        """Core positions of the zones, unwrapped to lie near that of the first zone of their set."""
        core = self.core[zones]
        if self.period is not None:
            first = core[start][owner]
            core = core - self.period * np.round((core - first) / self.period)
        return core


def _flat(zone_sets):
    """Sets of zones end to end: the zones, where each set starts, and the set that each entry belongs to."""
    size = np.array([len(zones) for zones in zone_sets], dtype=np.int64)
    zones = np.concatenate(zone_sets) if len(zone_sets) else np.empty(0, dtype=np.int64)
    return zones, np.cumsum(size) - size, np.repeat(np.arange(len(size)), size)


def significance(density_contrast: float) -> float:
    """Sigmas of a ZOBOV void whose lowest pass has ``density_contrast`` times its core density.

    The chance that Poisson noise makes such a void is P(r) = exp(-5.12 (r - 1) - 0.28 (r - 1)^2.8), Neyrinck (2008), eq. 1.
    """
    from scipy.special import erfcinv

    excess = density_contrast - 1.0
    chance = np.exp(-5.12 * excess - 0.28 * excess**2.8)
    return float(np.sqrt(2.0) * erfcinv(max(chance, 1e-300)))


def boundary_areas(links: ZoneLinks, zone_sets, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boundary area (v,) of sets of zones, and the part of it that borders on edge cells (v,) [(Mpc/h)^2].

    A set's boundary is the sum over its zones less twice what they share: only links that touch the set are looked at.
    """
    first = np.concatenate((links.first, links.second))
    second = np.concatenate((links.second, links.first))
    area = np.concatenate((links.area, links.area))
    order = np.argsort(first, kind="stable")
    first, second, area = first[order], second[order], area[order]
    start = np.searchsorted(first, np.arange(k + 1))
    total, border = np.zeros(len(zone_sets)), np.zeros(len(zone_sets))
    inside = np.zeros(k + 1, dtype=bool)
    for void, zones in enumerate(zone_sets):
        rows = np.concatenate([np.arange(start[z], start[z + 1]) for z in zones])
        inside[zones] = True
        total[void] = area[rows][~inside[second[rows]]].sum()
        border[void] = area[rows][second[rows] == k].sum()
        inside[zones] = False
    return total, border


def _zone_of_everyone(shed: Watershed, workers: int) -> NDArray[np.int64]:
    """Tracer (n,) whose cell each galaxy of the catalogue lies in."""
    sample = shed.sample
    tracer = np.full(len(sample.everyone), -1, dtype=np.int64)
    tracer[sample.rows] = np.arange(len(sample.rows))
    others = np.flatnonzero(tracer < 0)
    if len(others):
        tracer[others] = nearest_galaxy(sample.xyz, sample.everyone[others], sample.region, workers=workers)
    return tracer


def _with_membership(catalogue: VoidCatalog, sample: Sample, nearest) -> VoidCatalog:
    zones = catalogue.zones
    assert zones is not None
    zone = zones.zone[nearest]
    code, void = watershed_codes(sample.everyone, zone, catalogue)
    tracer = np.zeros(len(nearest), dtype=bool)
    tracer[sample.rows] = True
    within = tracer | inside_each(Footprint.of(sample.region), sample.everyone)
    proper = np.arange(len(catalogue)) != catalogue.parameters.get("root_void", -1)
    distance = np.empty(len(nearest))
    distance[sample.along] = scaled_centre_distance(
        sample.everyone[sample.along], catalogue.centre[proper], catalogue.r_eff[proper], sample.region
    )
    return replace(
        catalogue,
        membership=Membership(
            code=code, tracer=tracer, void=void, centre_distance=distance,
            zone=np.where(within, zone, -1),
        ),
    )
