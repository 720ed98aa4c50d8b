"""Small void catalogues of both kinds, and their surfaces and slices, for pictures."""

import numpy as np
import pytest

from armillary.cosmology import Cosmology
from armillary.model import BoxRegion, Holes, VoidCatalog, Zones
from armillary.voids.cuts import PlaneCut
from armillary.voids.slices import slice_voids
from armillary.voids.surface import outline_surface


@pytest.fixture
def box():
    return BoxRegion((0.0, 0.0, 0.0), (100.0, 100.0, 100.0))


@pytest.fixture
def galaxies_xyz():
    return np.random.default_rng(5).uniform(0.0, 100.0, (400, 3))


@pytest.fixture
def spheres(box):
    """Six VoidFinder voids, two of each edge flag, seven holes."""
    rng = np.random.default_rng(1)
    centre, radius = rng.uniform(15, 85, (7, 3)), rng.uniform(10, 15, 7)
    return VoidCatalog(
        "voidfinder", centre[:6], radius[:6], radius[:6] * 1.1, np.full(6, 0.1), np.array([0, 1, 2, 0, 1, 2]),
        parameters={"cell": 5.0}, region=box, holes=Holes(centre, radius, np.array([0, 1, 2, 3, 4, 5, 0])),
    )


@pytest.fixture
def cells(box, galaxies_xyz):
    """Three watershed voids, all interior, of ten zones along x."""
    n = len(galaxies_xyz)
    zone = (galaxies_xyz[:, 0] // 10).astype(np.int64)
    void0 = np.array([0, 0, 0, -1, -1, 1, 1, 2, 2, -1])
    zones = Zones(void0, void0, np.arange(n), galaxies_xyz, zone, np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool),
                  np.zeros(n, dtype=bool))
    return VoidCatalog("vide", np.array([[15, 50, 50], [60, 50, 50], [80, 50, 50.0]]), np.array([20.0, 15, 14]),
                       np.array([20.0, 15, 14]), np.zeros(3), np.zeros(3, dtype=np.int64), region=box, zones=zones)


@pytest.fixture
def catalogs(spheres, cells):
    return {"voidfinder": spheres, "vide": cells}


@pytest.fixture
def surfaces(catalogs):
    return {method: outline_surface(catalog, max_vertices=600) for method, catalog in catalogs.items()}


@pytest.fixture
def slice_(spheres, galaxies_xyz):
    return slice_voids(spheres, PlaneCut(2, 50.0), galaxies_xyz, resolution=1.0)


@pytest.fixture
def nothing():
    """A survey in which no void was found."""
    none = np.empty(0)
    return VoidCatalog("voidfinder", np.empty((0, 3)), none, none, none, none.astype(np.int64), cosmo=Cosmology(),
                       holes=Holes(np.empty((0, 3)), none, none.astype(np.int64)))
