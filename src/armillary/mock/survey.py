"""A mock redshift survey with planted voids: footprint, flux limit and volume-limited sample, with the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from armillary.cosmology import Cosmology, cartesian_to_sky
from armillary.errors import OptionError
from armillary.mock.clustering import CosmicWeb, Share
from armillary.mock.footprint import Footprint, mask_directions, pixel_radius
from armillary.mock.luminosity import Schechter, distance_modulus
from armillary.mock.voids import PlantedVoids, VoidPlan, holder, share_inside
from armillary.model import GalaxyCatalog, HealpixMask, SurveyRegion
from armillary.units import SPEED_OF_LIGHT


@dataclass(frozen=True)
class SimulatedSurvey:
    """A mock survey and its truth.

    Attributes
    ----------
    galaxies : what the survey observed, flux-limited. ``weight`` is 1 over the share of galaxies brighter than the
        faint limit that would be seen at that distance. Properties: ``planted_void``, the void whose sphere holds the
        galaxy's true position, -1 for none; ``apparent_magnitude``; ``true_z``, without peculiar velocity.
    voids : the planted voids that reach into the survey.
    mask : the true footprint.
    region : the footprint between the redshift limits.
    cosmo : the cosmology of the distances.
    volume_limit : the absolute magnitude to which the survey is complete at its far limit; galaxies brighter than this
        have constant mean density in the whole volume.
    """

    galaxies: GalaxyCatalog
    voids: PlantedVoids
    mask: HealpixMask
    region: SurveyRegion
    cosmo: Cosmology
    volume_limit: float

    def tracers(self, magnitude_limit: float | None = None) -> GalaxyCatalog:
        """The galaxies brighter than ``magnitude_limit``, by default the volume-limited sample."""
        limit = self.volume_limit if magnitude_limit is None else magnitude_limit
        assert self.galaxies.absolute_magnitude is not None
        return self.galaxies.select(self.galaxies.absolute_magnitude < limit)


@dataclass(frozen=True)
class MockSurvey:
    """Clustered galaxies around planted voids, as a flux-limited survey sees them.

    With the defaults about 20,000 galaxies are brighter than M_r = -20 and the volume is complete to that magnitude,
    as the samples of SDSS DR7 and the DESI Bright Galaxy Survey that void catalogues are made from. Galaxies inside
    planted voids are fainter, by a shift of M* (Hoyle et al. 2005, ApJ 620, 618, find 0.9 mag), so that the
    tracers of a void are sparser than its galaxies, and those of the whole volume a few percent sparser than the
    luminosity function says.

    Attributes
    ----------
    footprint : the sky covered.
    z_range : redshift limits.
    web : the clustering of the galaxies.
    plan : the voids to plant.
    luminosity : the luminosity function outside voids.
    void_dimming : M*(voids) - M* [mag].
    faint_limit : no galaxy fainter than this absolute magnitude is made.
    apparent_limit : r-band flux limit of the survey; that of the SDSS main sample is 17.77.
    velocity_dispersion : rms of random line-of-sight peculiar velocities [km/s]; 0 leaves positions in real space.
    """

    footprint: Footprint = Footprint()
    z_range: tuple[float, float] = (0.02, 0.1)
    web: CosmicWeb = CosmicWeb()
    plan: VoidPlan = VoidPlan()
    luminosity: Schechter = Schechter()
    void_dimming: float = 0.9
    faint_limit: float = -18.0
    apparent_limit: float = 17.77
    velocity_dispersion: float = 0.0

    def __post_init__(self) -> None:
        near, far = self.z_range
        if not 0.0 < near < far:
            raise OptionError(f"z_range is {near} to {far}; expected 0 < near < far")
        if not self.void_dimming >= 0.0:
            raise OptionError(f"void_dimming is {self.void_dimming} mag; expected 0 or more: void galaxies are fainter")
        if not self.velocity_dispersion >= 0.0:
            raise OptionError(f"velocity_dispersion is {self.velocity_dispersion} km/s; expected 0 or more")

    def make(self, *, rng: np.random.Generator, cosmo: Cosmology) -> SimulatedSurvey:
        """Draw one survey; the same generator state and cosmology give the same survey.

        Raises
        ------
        OptionError
            When the footprint is empty, the volume is too large for the grid, or the voids do not fit in it.
        """
        sky_rng, field_rng, void_rng, galaxy_rng, light_rng = rng.spawn(5)
        mask = self.footprint.draw(rng=sky_rng)
        r_min, r_max = (float(r) for r in cosmo.comoving_distance(np.array(self.z_range)))
        region = SurveyRegion(mask, r_min, r_max)
        low, high = _bounds(region, mask, margin=self.plan.reach)
        web = self.web.realise(low, high - low, rng=field_rng)
        centre, radius = self.plan.pack(web, rng=void_rng)
        xyz, made = web.scatter(
            float(self.luminosity.density(self.faint_limit)), rng=galaxy_rng,
            share=self._worth_making(region, cosmo, margin=self.plan.reach + web.largest_step),
        )
        rank = light_rng.random(len(xyz)) * made
        xyz = web.condense(self.plan.evacuate(web, xyz, centre, radius))
        voids = _planted(centre, radius, region, cosmo)
        galaxies = self._observe(xyz, rank, voids, region, cosmo, light_rng)
        limit = min(self.faint_limit, self.apparent_limit - float(distance_modulus(np.array(self.z_range[1]), cosmo)))
        return SimulatedSurvey(galaxies, voids, mask, region, cosmo, limit)

    def _worth_making(self, region: SurveyRegion, cosmo: Cosmology, *, margin: float) -> Share:
        """Share of the galaxies, the brightest, that could be seen if they moved by up to ``margin`` [Mpc/h]."""
        distance = np.linspace(0.0, region.r_max + margin, 2048)
        nearest = np.clip(distance - margin, region.r_min, region.r_max)
        visible = np.minimum(self.apparent_limit - _modulus_at(nearest, region, cosmo), self.faint_limit)
        share = self.luminosity.density(visible) / self.luminosity.density(self.faint_limit)
        return lambda xyz: np.interp(np.linalg.norm(xyz, axis=1), distance, share, right=0.0)

    def _observe(
        self, xyz: NDArray[np.float64], rank: NDArray[np.float64], voids: PlantedVoids, region: SurveyRegion,
        cosmo: Cosmology, rng: np.random.Generator,
    ) -> GalaxyCatalog:
        """What the survey sees of galaxies at true positions ``xyz`` (n, 3) with luminosity ranks (n,)."""
        held = holder(xyz, voids.centre, voids.radius)
        magnitude = self.luminosity.quantile(rank, self.faint_limit)
        dimmed = replace(self.luminosity, m_star=self.luminosity.m_star + self.void_dimming)
        magnitude[held >= 0] = dimmed.quantile(rank[held >= 0], self.faint_limit)
        ra, dec, distance = cartesian_to_sky(xyz)
        modulus = _modulus_at(distance, region, cosmo)
        bright = magnitude + modulus < self.apparent_limit
        seen = np.flatnonzero(bright)[region.mask.contains(ra[bright], dec[bright])]
        true_z = cosmo.redshift(distance[seen])
        velocity = rng.normal(scale=self.velocity_dispersion, size=len(seen))
        z = true_z + (1.0 + true_z) * velocity / SPEED_OF_LIGHT
        keep = (z >= self.z_range[0]) & (z <= self.z_range[1])
        seen, z, true_z = seen[keep], z[keep], true_z[keep]
        visible = np.minimum(self.apparent_limit - modulus[seen], self.faint_limit)
        share = self.luminosity.density(visible) / self.luminosity.density(self.faint_limit)
        return GalaxyCatalog.from_sky(
            ra[seen], dec[seen], z, absolute_magnitude=magnitude[seen], weight=1.0 / share,
            targetid=np.arange(1, len(seen) + 1), name="mock survey",
            properties={"planted_void": held[seen], "true_z": true_z,
                        "apparent_magnitude": magnitude[seen] + modulus[seen]},
        )


def _modulus_at(distance: NDArray[np.float64], region: SurveyRegion, cosmo: Cosmology) -> NDArray[np.float64]:
    """m - M at comoving distances (n,) [Mpc/h], to better than 1e-5 mag; infinite far from the limits of ``region``."""
    table = np.geomspace(0.5 * region.r_min, 1.1 * region.r_max, 4096)
    return np.interp(distance, table, distance_modulus(cosmo.redshift(table), cosmo), left=np.inf, right=np.inf)


def _planted(
    centre: NDArray[np.float64], radius: NDArray[np.float64], region: SurveyRegion, cosmo: Cosmology
) -> PlantedVoids:
    """The voids of which some part is inside ``region``, with their place on the sky."""
    share = share_inside(centre, radius, region)
    reached = share > 0.0
    ra, dec, distance = cartesian_to_sky(centre[reached])
    return PlantedVoids(centre[reached], radius[reached], share[reached], ra, dec, cosmo.redshift(distance))


def _bounds(
    region: SurveyRegion, mask: HealpixMask, *, margin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners (3,), (3,) [Mpc/h] of a cuboid that holds the region with ``margin`` to spare on every side.

    With this margin a void that crosses one face of the periodic cuboid does not reach the region from the other.
    """
    direction = mask_directions(mask)
    corners = np.concatenate([region.r_min * direction, region.r_max * direction])
    spare = margin + region.r_max * pixel_radius(mask.nside)
    return corners.min(axis=0) - spare, corners.max(axis=0) + spare
