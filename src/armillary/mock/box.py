"""A box of mock galaxies around planted voids, periodic or closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from armillary.errors import OptionError
from armillary.mock.clustering import CosmicWeb
from armillary.mock.voids import PlantedVoids, VoidPlan, holder, share_inside
from armillary.model import BoxRegion, GalaxyCatalog


@dataclass(frozen=True)
class SimulatedBox:
    """A mock box and its truth.

    Attributes
    ----------
    galaxies : positions ``xyz`` [Mpc/h]; the property ``planted_void`` is the void that holds the galaxy, -1 for none.
    voids : the planted voids.
    region : the box.
    """

    galaxies: GalaxyCatalog
    voids: PlantedVoids
    region: BoxRegion


@dataclass(frozen=True)
class MockBox:
    """Clustered galaxies around planted voids in a box from the origin.

    The galaxies are periodic in any case; ``periodic=False`` says that a finder must not use it, and the voids that
    cross a face are then cut by it.

    Attributes
    ----------
    size : side [Mpc/h], or three sides.
    density : mean number density of galaxies [(Mpc/h)^-3].
    periodic : whether opposite faces are joined.
    web : the clustering of the galaxies.
    plan : the voids to plant.
    """

    size: float | tuple[float, float, float] = 150.0
    density: float = 5.5e-3
    periodic: bool = True
    web: CosmicWeb = CosmicWeb()
    plan: VoidPlan = VoidPlan()

    def __post_init__(self) -> None:
        if np.ndim(self.size) not in (0, 1) or np.size(self.size) not in (1, 3) or not np.all(np.array(self.size) > 0.0):
            raise OptionError(f"box size is {self.size}; expected one or three positive sides in Mpc/h")
        if not self.density > 0.0:
            raise OptionError(f"density is {self.density}; expected a positive number of galaxies per (Mpc/h)^3")

    def make(self, *, rng: np.random.Generator) -> SimulatedBox:
        """Draw one box; the same generator state gives the same box."""
        size = np.broadcast_to(np.asarray(self.size, dtype=np.float64), (3,)).copy()
        field_rng, void_rng, galaxy_rng = rng.spawn(3)
        web = self.web.realise(np.zeros(3), size, rng=field_rng)
        centre, radius = self.plan.pack(web, rng=void_rng)
        galaxies, _ = web.scatter(self.density, rng=galaxy_rng)
        xyz = web.condense(self.plan.evacuate(web, galaxies, centre, radius))
        region = BoxRegion((0.0, 0.0, 0.0), (float(size[0]), float(size[1]), float(size[2])), periodic=self.periodic)
        catalog = GalaxyCatalog.from_positions(
            xyz, targetid=np.arange(1, len(xyz) + 1), name="mock box",
            properties={"planted_void": holder(xyz, centre, radius, size if self.periodic else None)},
        )
        return SimulatedBox(catalog, PlantedVoids(centre, radius, share_inside(centre, radius, region)), region)
