"""Catalogues that the tests of the void room share."""

import numpy as np
import pytest

from armillary.cosmology import Cosmology
from armillary.model import BoxRegion, GalaxyCatalog


def clustered_box(seed: int, n: int, size: float = 60.0) -> np.ndarray:
    """Positions (n, 3) in [0, size)^3: half of them in clumps, so that wall and field galaxies both exist."""
    rng = np.random.default_rng(seed)
    centres = rng.random((max(n // 25, 1), 3)) * size
    clumps = centres[rng.integers(len(centres), size=n // 2)] + rng.normal(0.0, 0.04 * size, (n // 2, 3))
    return np.concatenate((clumps % size, rng.random((n - n // 2, 3)) * size))


@pytest.fixture(scope="session")
def box_galaxies() -> GalaxyCatalog:
    """A box of 3,000 clustered galaxies, 60 Mpc/h on a side."""
    return GalaxyCatalog.from_positions(clustered_box(5, 3000))


@pytest.fixture(scope="session")
def box() -> BoxRegion:
    """The box that holds them."""
    return BoxRegion((0.0,) * 3, (60.0,) * 3)


@pytest.fixture(scope="session")
def cap() -> GalaxyCatalog:
    """A cap of 6,000 galaxies around ra 0, dec 20, so that right ascension wraps."""
    rng = np.random.default_rng(11)
    ra, dec = rng.uniform(-25.0, 25.0, 6000), np.degrees(np.arcsin(rng.uniform(0.05, 0.65, 6000)))
    distance = 150.0 * np.cbrt(rng.uniform(0.05, 1.0, 6000))
    return GalaxyCatalog.from_sky(ra, dec, Cosmology().redshift(distance))


@pytest.fixture(scope="session")
def gadget(shared) -> GalaxyCatalog:
    """The 7,660 galaxies of the Gadget box that VAST ships, in [-50, 50]^3."""
    return GalaxyCatalog.from_positions(np.loadtxt(shared("data/void-catalogs/gadget_sim_100_256_wall.dat")))


@pytest.fixture(scope="session")
def dr7(shared) -> GalaxyCatalog:
    """The volume-limited SDSS DR7 galaxies that VAST ships."""
    from astropy.io import fits

    table = fits.getdata(shared("data/galaxy-catalogs/vollim_dr7_cbp_102709.fits"))
    return GalaxyCatalog.from_sky(table["ra"], table["dec"], table["z"])
