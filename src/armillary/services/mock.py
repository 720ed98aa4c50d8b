"""A mock survey on disk, with the voids that were planted in it: ``mock survey``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from armillary import __version__
from armillary.cosmology import Cosmology
from armillary.errors import OptionError
from armillary.io.mock_survey import write_mock_survey
from armillary.mock import Footprint, MockSurvey, PlantedVoids
from armillary.mock.luminosity import distance_modulus

SAMPLES = ("volume-limited", "flux-limited")


@dataclass(frozen=True)
class SimulateSurvey:
    """A mock survey to make.

    Attributes
    ----------
    out : FITS file to write: GALAXIES, PLANTED and MASK.
    galaxies : about how many galaxies; the width of the footprint in right ascension follows.
    seed : of the random numbers; the same one gives the same survey.
    sample : ``volume-limited`` (constant mean density, as void finders want it) or ``flux-limited`` (all observed).
    cosmo : the cosmology of the redshifts.
    survey : everything else that the survey is.
    """

    out: Path
    galaxies: int = 20_000
    seed: int = 1
    sample: str = "volume-limited"
    cosmo: Cosmology = field(default_factory=Cosmology)
    survey: MockSurvey = field(default_factory=MockSurvey)

    def __post_init__(self) -> None:
        if self.sample not in SAMPLES:
            raise OptionError(f"sample is {self.sample!r}; expected one of {', '.join(SAMPLES)}")
        if self.galaxies < 100:
            raise OptionError(f"{self.galaxies} galaxies were asked for; a mock survey needs at least 100")
        if self.seed < 0:
            raise OptionError(f"seed is {self.seed}; expected 0 or more")


@dataclass(frozen=True)
class SimulateSurveyResult:
    """What was made.

    Attributes
    ----------
    out : the file.
    galaxies, voids, whole_voids : how many galaxies, planted voids, and planted voids that no edge cuts.
    area : of the footprint [deg^2].
    magnitude_limit : absolute magnitude to which the survey is complete everywhere.
    """

    out: Path
    galaxies: int
    voids: int
    whole_voids: int
    area: float
    magnitude_limit: float


def simulate_survey(request: SimulateSurvey) -> SimulateSurveyResult:
    """Draw a mock survey and write it.

    Raises
    ------
    OptionError
        ``out`` exists (nothing is overwritten), or so many galaxies do not fit on the sky.
    StorageError
        The file cannot be written.
    """
    if request.out.exists():
        raise OptionError(f"{request.out} exists; move it away or choose another --out")
    survey = sized(request)
    made = survey.make(rng=np.random.default_rng(request.seed), cosmo=request.cosmo)
    galaxies = made.galaxies if request.sample == "flux-limited" else made.tracers()
    header: dict[str, str | int | float | bool] = {
        "CREATOR": f"armillary {__version__}", "SEED": request.seed, "SAMPLE": request.sample,
        "OMEGA_M": request.cosmo.omega_m, "H": request.cosmo.h, "MAGLIM": made.volume_limit,
    }
    write_mock_survey(request.out, galaxies, planted_columns(made.voids), made.mask, header)
    return SimulateSurveyResult(
        request.out, len(galaxies), len(made.voids), int(made.voids.whole.sum()), made.mask.area, made.volume_limit
    )


def sized(request: SimulateSurvey) -> MockSurvey:
    """The survey with its footprint scaled about its middle to hold about the galaxies wanted.

    A smaller footprint keeps its shape, edges and holes in proportion; a larger one grows in right ascension.

    Raises
    ------
    OptionError
        The footprint would be wider than the sky.
    """
    footprint = request.survey.footprint
    south, north = footprint.dec_range
    scale = min(1.0, (request.galaxies / _galaxies(request, footprint, footprint.ra_width)) ** 0.5)
    middle, half = (south + north) / 2.0, scale * (north - south) / 2.0
    scaled = replace(
        footprint, dec_range=(middle - half, middle + half), raggedness=scale * footprint.raggedness,
        hole_radius=scale * footprint.hole_radius, ra_range=(0.0, 360.0),
    )
    width = request.galaxies / _galaxies(request, scaled, 1.0 + scaled.raggedness) + scaled.raggedness
    if width > 360.0:
        raise OptionError(
            f"{request.galaxies} galaxies need a footprint {width:.0f} degrees wide, and the sky has 360; "
            "ask for fewer, or go deeper in redshift"
        )
    west = footprint.ra_range[0] + (footprint.ra_width - width) / 2.0
    return replace(request.survey, footprint=replace(scaled, ra_range=(west % 360.0, (west + width) % 360.0)))


def planted_columns(voids: PlantedVoids) -> dict[str, np.ndarray]:
    """The columns of the PLANTED table; ``Z_CART`` since ``Z`` is the redshift."""
    columns = {
        "VOID": np.arange(len(voids)), "X": voids.centre[:, 0], "Y": voids.centre[:, 1], "Z_CART": voids.centre[:, 2],
        "RADIUS": voids.radius, "INSIDE": voids.inside,
    }
    sky = {"RA": voids.ra, "DEC": voids.dec, "Z": voids.z}
    return columns | {name: column for name, column in sky.items() if column is not None}


def _galaxies(request: SimulateSurvey, footprint: Footprint, ra_width: float) -> float:
    """Expected number of galaxies of the sample in a footprint ``ra_width`` degrees wide.

    The bays cut half their largest depth off each edge on average; holes and the dimming in voids are left aside.
    """
    survey, bay = request.survey, footprint.raggedness
    south, north = np.radians(footprint.dec_range[0] + bay / 2.0), np.radians(footprint.dec_range[1] - bay / 2.0)
    share = (ra_width - bay) / 360.0 * (np.sin(north) - np.sin(south)) / 2.0
    z = np.linspace(*survey.z_range, 65)
    shell = 4.0 / 3.0 * np.pi * np.diff(request.cosmo.comoving_distance(z) ** 3)
    limit = np.minimum(survey.faint_limit, survey.apparent_limit - distance_modulus(z[1:], request.cosmo))
    if request.sample == "volume-limited":
        limit = np.full_like(limit, limit[-1])
    return float(share * np.sum(shell * survey.luminosity.density(limit)))
