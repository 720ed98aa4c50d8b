"""``armillary mock``: simulate what a survey would see, with the truth beside it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from armillary.cli.console import say, show_fields, show_json

app = typer.Typer(name="mock", no_args_is_help=True, help="Simulate surveys whose truth is known.")


class Sample(StrEnum):
    """Which of the observed galaxies are written."""

    volume_limited = "volume-limited"
    flux_limited = "flux-limited"


@app.command("survey")
def survey(
    out: Annotated[Path, typer.Option("--out", help="FITS file to write: GALAXIES, PLANTED voids and sky MASK.")],
    galaxies: Annotated[int, typer.Option(
        "--galaxies", help="About how many galaxies; the size of the footprint follows.")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same survey.")] = 1,
    sample: Annotated[Sample, typer.Option(
        "--sample", help="Galaxies of constant mean density, or all that a flux limit lets through.",
    )] = Sample.volume_limited,
    omega_m: Annotated[float | None, typer.Option(
        "--omega-m", help="Matter density parameter of the redshifts.", show_default="the setting omega_m, 0.3")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Simulate a small galaxy survey with voids of known place and size."""
    from armillary.factory import Services

    services = Services.configured(omega_m=omega_m)
    from armillary.services.mock import SimulateSurvey, simulate_survey

    result = simulate_survey(SimulateSurvey(out, galaxies, seed, sample.value, services.cosmo))
    figures = {
        "out": str(result.out), "galaxies": result.galaxies, "planted_voids": result.voids,
        "whole_voids": result.whole_voids, "area_deg2": result.area, "magnitude_limit": result.magnitude_limit,
    }
    (show_json if json else show_fields)(figures)
    say(f"wrote {result.out}")
