"""V2: watershed voids with the VIDE, ZOBOV and REVOLVER prunings (Neyrinck 2008; Sutter et al. 2015; Nadathur et al. 2019).

One tessellation, one set of zones and one hierarchy serve all three. They differ in which sets of zones they call a void:

* VIDE: the core zone and the zones that join it above a density of 0.2 of the mean; voids with a dense centre are dropped.
* ZOBOV: every set in the hierarchy; voids nest, and the last one takes every zone.
* REVOLVER: every zone by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

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
from armillary.voids.centre_distance import scaled_centre_distance
from armillary.voids.footprint import Footprint, inside_each
from armillary.voids.membership import watershed_codes
from armillary.voids.selection import Limits, Sample, take_sample
from armillary.voids.stages import Progress, Stages
from armillary.voids.tessellation import Tessellation
from armillary.voids.watershed import Hierarchy, ZoneLinks, ZoneMap, flood, link_zones, zones_of
from armillary.voids.zone_sets import Borders, Moments, ZoneSets

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

PRUNINGS = ("vide", "zobov", "revolver")


@dataclass(frozen=True)
class Watershed:
    """The tessellation of the tracers, its zones and their hierarchy: what the prunings start from."""

    sample: Sample
    tessellation: Tessellation
    volume: NDArray[np.float64]
    zones: ZoneMap
    links: ZoneLinks
    hierarchy: Hierarchy

    @cached_property
    def period(self) -> NDArray[np.float64] | None:
        """Sides (3,) of a periodic box [Mpc/h], else None."""
        region = self.sample.region
        return region.size if isinstance(region, BoxRegion) and region.periodic else None

    @cached_property
    def moments(self) -> Moments:
        """Volume, centre and inertia of the zones."""
        return Moments(self.sample.xyz, self.volume, self.zones, self.period)

    @cached_property
    def borders(self) -> Borders:
        """What lies around each zone."""
        return Borders(self.links, len(self.zones.core))

    @cached_property
    def at_edge(self) -> NDArray[np.bool_]:
        """(k,) True for zones with an edge cell beside one of their own."""
        at_edge = np.zeros(len(self.zones.core), dtype=bool)
        at_edge[self.zones.zone[self.zones.near_edge]] = True
        return at_edge

    @cached_property
    def mean_volume(self) -> float:
        """Mean volume of the cells that have one [(Mpc/h)^3]; infinite without any, so that nothing is dense."""
        positive = self.volume[self.volume > 0.0]
        return float(positive.mean()) if len(positive) else np.inf

    @cached_property
    def tree(self) -> cKDTree:
        """The tracers as a search tree, in a periodic box folded into it."""
        from scipy.spatial import cKDTree

        # Quick to build: there are fewer questions than tracers.
        return cKDTree(
            self._folded(self.sample.xyz), leafsize=32, compact_nodes=False, balanced_tree=False, boxsize=self.period
        )

    def nearest(self, xyz: NDArray[np.float64], *, workers: int = 1) -> NDArray[np.int64]:
        """The tracer (n,) nearest to each position (n, 3) [Mpc/h]: the one whose cell holds it."""
        return self.tree.query(self._folded(xyz), workers=workers)[1]

    def count_within(self, centre: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.int64]:
        """Number of tracers (v,) in balls [Mpc/h]."""
        return self.tree.query_ball_point(self._folded(centre), radius, return_length=True)

    def _folded(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        region = self.sample.region
        return region.fold(xyz) if isinstance(region, BoxRegion) and region.periodic else xyz


@dataclass(frozen=True)
class _Everyone:
    """What every pruning needs to know of all m galaxies of the catalogue.

    ``zone`` (m,) is that of the cell each lies in, ``told`` (m,) the same but -1 for galaxies outside the region that trace no
    voids, and ``tracer`` (m,) is True for those that do. ``ordered`` (m, 3) are the positions along the curve of the sample.
    """

    ordered: NDArray[np.float64]
    zone: NDArray[np.int64]
    told: NDArray[np.int64]
    tracer: NDArray[np.bool_]

    @classmethod
    def of(cls, shed: Watershed, workers: int) -> _Everyone:
        sample = shed.sample
        cell = np.full(len(sample.everyone), -1, dtype=np.int64)
        cell[sample.rows] = np.arange(len(sample.rows))
        tracer = cell >= 0
        others = sample.along[~tracer[sample.along]]
        inside = tracer.copy()
        if len(others):
            cell[others] = shed.nearest(sample.everyone[others], workers=workers)
            inside[others] = inside_each(Footprint.of(sample.region), sample.everyone[others])
        zone = shed.zones.zone[cell]
        return cls(sample.everyone[sample.along], zone, np.where(inside, zone, -1), tracer)


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
    """

    prunings: Sequence[str] = PRUNINGS
    min_radius: float = 10.0
    vide_density: float = 0.2
    zobov_significance: float | None = None
    z_min: float | None = None
    z_max: float | None = None
    magnitude_limit: float | None = None
    surfaces: bool = False

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
            everyone = _Everyone.of(shed, workers)
        used = (cosmo or Cosmology()) if galaxies.on_sky else None
        for method in self.prunings:
            with stages.stage(f"pruning: {method}"):
                found[method] = self._prune(method, shed, everyone, used)
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
            tessellation = Tessellation.of(sample.xyz, periodic=periodic)
        with stages.stage("cells"):
            indptr, indices = tessellation.neighbours
            volume = tessellation.volumes.copy()
            if periodic is None:
                volume[tessellation.edge_cells(sample.region)] = 0.0
        with stages.stage("zones"):
            origin = tessellation.origin
            zones = zones_of(volume, indptr, indices, origin)
            links = link_zones(volume, zones, indptr, indices, origin, tessellation.facet_areas)
            hierarchy = flood(links, volume[zones.core])
        return Watershed(sample, tessellation, volume, zones, links, hierarchy)

    def _prune(self, method: str, shed: Watershed, everyone: _Everyone, cosmo: Cosmology | None) -> VoidCatalog:
        sets, moments = self._zone_sets(method, shed), shed.moments
        radius = np.cbrt(3.0 * moments.volumes(sets) / (4.0 * np.pi))
        smallest = self.min_radius
        if method == "vide":
            smallest = max(smallest, shed.mean_volume ** (1.0 / 3.0))
        keep = radius > smallest
        sets, radius = sets.kept(keep), radius[keep]
        centre = moments.centres(sets)
        if method == "vide" and len(sets):
            quarter = radius / 4.0
            density = shed.count_within(centre, quarter) / (4.0 / 3.0 * np.pi * quarter**3)
            hollow = density < self.vide_density / shed.mean_volume
            sets, centre, radius = sets.kept(hollow), centre[hollow], radius[hollow]
        return self._catalogue(method, shed, sets, centre, radius, everyone, cosmo)

    def _zone_sets(self, method: str, shed: Watershed) -> ZoneSets:
        k, hierarchy = len(shed.zones.core), shed.hierarchy
        sets = hierarchy.sets
        if method == "revolver":
            return ZoneSets(np.arange(k), np.ones(k, dtype=np.int64))
        if method == "zobov":
            return sets if self.zobov_significance is None else sets.kept(
                np.array([
                    saddle == 0.0 or significance(core / saddle) >= self.zobov_significance
                    for core, saddle in zip(hierarchy.core_volume.tolist(), hierarchy.saddle.tolist(), strict=True)
                ], dtype=bool)
            )
        joined = hierarchy.joined >= shed.mean_volume / self.vide_density
        joined[sets.start] = True
        return sets.where(joined)

    def _catalogue(
        self, method: str, shed: Watershed, sets: ZoneSets, centre: NDArray[np.float64], radius: NDArray[np.float64],
        everyone: _Everyone, cosmo: Cosmology | None,
    ) -> VoidCatalog:
        k, region, sample = len(shed.zones.core), shed.sample.region, shed.sample
        void0, void1 = sets.holders(k)
        home = region.wrap(centre) if isinstance(region, BoxRegion) and region.periodic else centre
        total, border = shed.borders.areas(sets)
        surface: VoidSurface | None = None
        if self.surfaces:
            surface = zone_boundaries(shed.tessellation, shed.zones.zone, sets)
            if isinstance(region, BoxRegion) and region.periodic:
                surface = around_centres(surface, home, region)
        zones = Zones(
            void0=void0, void1=void1, galaxy=sample.rows, xyz=sample.xyz, zone=shed.zones.zone, depth=shed.zones.depth,
            # Tracers were chosen inside the region.
            edge=shed.volume == 0.0, out=np.zeros(len(sample.rows), dtype=bool), volume=shed.moments.volume,
            axes=shed.moments.axes(sets, centre), total_area=total, edge_area=border, surface=surface,
        )
        parameters = self._parameters(method, shed)
        if k > 1 and len(sets) and sets.size[-1] == k:
            parameters["root_void"] = len(sets) - 1
        catalogue = VoidCatalog(
            method=method, centre=home, radius=radius, r_eff=radius.copy(), r_eff_uncertainty=np.zeros(len(radius)),
            edge=(sets.total(shed.at_edge[sets.zones].astype(np.int64)) > 0).astype(np.int64), parameters=parameters,
            region=region, cosmo=cosmo, zones=zones, seconds={},
        )
        return replace(catalogue, membership=_membership(catalogue, sample, everyone))

    def _parameters(self, method: str, shed: Watershed) -> dict[str, object]:
        parameters: dict[str, object] = {
            "min_radius": self.min_radius, "z_min": self.z_min, "z_max": self.z_max,
            "magnitude_limit": self.magnitude_limit,
            "tracers": len(shed.sample.rows), "edge_cells": int((shed.volume == 0.0).sum()),
            "zones": len(shed.zones.core), "duplicates": shed.sample.duplicates, "masked": shed.sample.masked,
        }
        if method == "vide":
            parameters["vide_density"] = self.vide_density
        if method == "zobov":
            parameters["zobov_significance"] = self.zobov_significance
        return parameters


def significance(density_contrast: float) -> float:
    """Sigmas of a ZOBOV void whose lowest pass has ``density_contrast`` times its core density.

    The chance that Poisson noise makes such a void is P(r) = exp(-5.12 (r - 1) - 0.28 (r - 1)^2.8), Neyrinck (2008), eq. 1.
    """
    from scipy.special import erfcinv

    excess = density_contrast - 1.0
    chance = np.exp(-5.12 * excess - 0.28 * excess**2.8)
    return float(np.sqrt(2.0) * erfcinv(max(chance, 1e-300)))


def _membership(catalogue: VoidCatalog, sample: Sample, everyone: _Everyone) -> Membership:
    code, void = watershed_codes(sample.everyone, everyone.zone, catalogue)
    proper = np.arange(len(catalogue)) != catalogue.parameters.get("root_void", -1)
    distance = np.empty(len(code))
    distance[sample.along] = scaled_centre_distance(
        everyone.ordered, catalogue.centre[proper], catalogue.r_eff[proper], sample.region
    )
    return Membership(code=code, tracer=everyone.tracer, void=void, centre_distance=distance, zone=everyone.told)
