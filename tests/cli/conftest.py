"""Small catalogues with voids in them, and a way to run commands in this process."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from typer.testing import CliRunner

from armillary.cli.root import app
from armillary.config import Settings
from armillary.cosmology import Cosmology, cartesian_to_sky

VOIDS = ((25.0, 25.0, 25.0), (58.0, 55.0, 30.0), (30.0, 58.0, 60.0))
SIDE = 80.0


def emptied(xyz: np.ndarray, centres, radius: float) -> np.ndarray:
    """The positions that are in none of the spheres."""
    distance = np.linalg.norm(xyz[:, None] - np.asarray(centres)[None], axis=2)
    return xyz[(distance > radius).all(axis=1)]


@pytest.fixture(scope="session")
def box_positions() -> np.ndarray:
    """1,900 or so positions in [0, 80]^3 Mpc/h around three empty spheres of 15 Mpc/h."""
    rng = np.random.default_rng(5)
    return emptied(rng.uniform(0.0, SIDE, (2400, 3)), VOIDS, 15.0)


@pytest.fixture(scope="session")
def box_file(tmp_path_factory, box_positions) -> Path:
    path = tmp_path_factory.mktemp("box") / "box.txt"
    np.savetxt(path, box_positions, header="x y z")
    return path


@pytest.fixture(scope="session")
def survey_table() -> Table:
    """Galaxies of a wedge of sky between z = 0.02 and 0.06, around two empty spheres."""
    rng = np.random.default_rng(6)
    cosmo = Cosmology()
    low, high = cosmo.comoving_distance(np.array([0.02, 0.06]))
    n = 4000
    distance = np.cbrt(rng.uniform(low**3, high**3, n))
    ra = rng.uniform(10.0, 70.0, n)
    dec = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(0.0)), np.sin(np.radians(40.0)), n)))
    xyz = np.stack([distance * np.cos(np.radians(dec)) * np.cos(np.radians(ra)),
                    distance * np.cos(np.radians(dec)) * np.sin(np.radians(ra)), distance * np.sin(np.radians(dec))], axis=1)
    direction = np.array([[0.72, 0.62, 0.31], [0.75, 0.41, 0.52]])
    centres = 130.0 * direction / np.linalg.norm(direction, axis=1)[:, None]
    ra, dec, distance = cartesian_to_sky(emptied(xyz, centres, 15.0))
    magnitude = -20.0 + 2.0 * rng.random(len(ra))
    return Table({"RA": ra, "DEC": dec, "Z": cosmo.redshift(distance).astype(np.float32), "RABSMAG": magnitude})


@pytest.fixture(scope="session")
def survey_file(tmp_path_factory, survey_table) -> Path:
    path = tmp_path_factory.mktemp("survey") / "survey.fits"
    survey_table.write(path)
    return path


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Run a command in an empty working directory without settings; returns Typer's result."""
    monkeypatch.chdir(tmp_path)
    for name in [*Settings.model_fields, "config"]:
        monkeypatch.delenv(f"ARMILLARY_{name}".upper(), raising=False)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)

    return run
