"""``armillary voids``: find voids, ask which void holds a position, and look at them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from armillary.cli.arguments import parse_box, parse_columns
from armillary.cli.console import say, show_json, show_table, watching

if TYPE_CHECKING:
    from armillary.cosmology import Cosmology

app = typer.Typer(name="voids", no_args_is_help=True, help="Find cosmic voids in galaxy catalogues, and use them.")


class Method(StrEnum):
    """Void finders, and all of them."""

    voidfinder = "voidfinder"
    vide = "vide"
    zobov = "zobov"
    revolver = "revolver"
    all = "all"


class Geometry(StrEnum):
    """What the positions are."""

    survey = "survey"
    box = "box"
    periodic = "periodic"


class Axis(StrEnum):
    """Axes of a box."""

    x = "x"
    y = "y"
    z = "z"


ColumnsOption = Annotated[
    str | None,
    typer.Option("--columns", help="Names of columns that are not recognised, e.g. ra=RA_J2000,dec=DE,z=REDSHIFT.",
                 metavar="NAME=COLUMN,...", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead of a table.")]
OmegaOption = Annotated[
    float | None,
    typer.Option("--omega-m", help="Matter density parameter of a flat universe.",
                 show_default="the setting omega_m, 0.3"),
]
HOption = Annotated[
    float | None,
    typer.Option("--h", help="H0 / (100 km/s/Mpc); lengths are in Mpc/h and do not depend on it.",
                 show_default="the setting h, 1"),
]


FallbackOmegaOption = Annotated[
    float | None,
    typer.Option("--omega-m", help="Matter density parameter, for a void catalogue that does not say it.",
                 show_default=False),
]
VoidsArgument = Annotated[Path, typer.Argument(
    help="Void catalogue, ours or DESIVAST.", metavar="VOIDS.fits")]
GalaxiesOption = Annotated[
    Path | None,
    typer.Option("--galaxies", help="Catalogue of galaxies to show.",
                 show_default="those in the void catalogue, if any"),
]


@app.command("find")
def find(
    catalog: Annotated[Path, typer.Argument(
        help="Galaxy catalogue: FITS, CSV, ECSV, Parquet, or whitespace x y z text.", metavar="CATALOG")],
    out: Annotated[Path, typer.Option("--out", help="Directory to write; it must be new, empty, or hold the same run.")],
    method: Annotated[Method, typer.Option("--method", help="Void finder.")] = Method.all,
    z_min: Annotated[float | None, typer.Option("--z-min", help="Lowest redshift.", show_default=False)] = None,
    z_max: Annotated[float | None, typer.Option("--z-max", help="Highest redshift.", show_default=False)] = None,
    omega_m: OmegaOption = None,
    h: HOption = None,
    magnitude_limit: Annotated[float | None, typer.Option(
        "--magnitude-limit", help="Find voids with the galaxies of this absolute magnitude or brighter.",
        show_default=False)] = None,
    magnitude_column: Annotated[str | None, typer.Option(
        "--magnitude-column", help="Column of absolute magnitudes.", show_default=False)] = None,
    mask: Annotated[str | None, typer.Option(
        "--mask", help="Sky covered: vast, healpix:NSIDE (both from the galaxies) or a HEALPix FITS file.",
        metavar="vast|healpix:NSIDE|FILE", show_default="HEALPix from the galaxies, nside chosen")] = None,
    geometry: Annotated[Geometry, typer.Option(
        "--geometry", help="survey has ra, dec, z; box and periodic have x, y, z in Mpc/h.")] = Geometry.survey,
    box_size: Annotated[str | None, typer.Option(
        "--box-size", help="Box in Mpc/h: 100 is 0 to 100 along each axis, 100,100,50 has three sides, -50:50 gives "
        "both limits.", metavar="SIDE|LOW:HIGH", show_default="the extent of the points; periodic needs it")] = None,
    columns: ColumnsOption = None,
    drop_invalid: Annotated[bool, typer.Option(
        "--drop-invalid", help="Leave out rows with NaN or impossible coordinates; run.json lists them.")] = False,
    surfaces: Annotated[bool, typer.Option(
        "--surfaces", help="Also keep the boundary triangles of V2 voids (large).")] = False,
    workers: Annotated[int | None, typer.Option(
        "--workers", min=1, help="Threads to use.", show_default="the setting workers, 1")] = None,
    json: JsonOption = False,
) -> None:
    """Find voids in a galaxy catalogue and write void catalogues, membership, a report and a record."""
    from armillary.factory import Services

    services = Services.configured(workers=workers, omega_m=omega_m, h=h)
    from armillary.services.voids import METHODS, FindVoids

    request = FindVoids(
        catalog, out, methods=METHODS if method is Method.all else (method.value,), geometry=geometry.value,
        columns=parse_columns(columns), z_min=z_min, z_max=z_max, magnitude_limit=magnitude_limit,
        magnitude_column=magnitude_column, mask=mask, box=parse_box(box_size, periodic=geometry is Geometry.periodic),
        cosmo=services.cosmo, drop_invalid=drop_invalid, surfaces=surfaces,
    )
    with watching(services.settings.progress) as (progress, say_meanwhile):
        result = services.find_voids(request, progress=progress, say=say_meanwhile)
    if json:
        show_json(result.figures())
    else:
        show_table("Voids: median and largest R_eff in Mpc/h", *_table(result.methods))
    if result.reused:
        say(f"reused from an earlier start of this run: {', '.join(result.reused)}")
    say(f"results in {result.out}; open {result.report}")


@app.command("classify")
def classify(
    points: Annotated[Path, typer.Argument(help="Table of ra, dec, z, or of x, y, z in Mpc/h for voids in a box.",
                                           metavar="POINTS")],
    voids: VoidsArgument,
    out: Annotated[Path | None, typer.Option(
        "--out", help="Table to write: .parquet, .fits, .ecsv or .csv.", show_default=False)] = None,
    columns: ColumnsOption = None,
    omega_m: FallbackOmegaOption = None,
    json: JsonOption = False,
) -> None:
    """Say which void, if any, holds each of a list of positions."""
    from armillary.factory import Services

    Services.configured()
    from armillary.services.void_views import ClassifyPoints, classify_points

    result = classify_points(ClassifyPoints(points, voids, out, parse_columns(columns), _cosmo(omega_m)))
    if json:
        show_json({"method": result.method, "points": len(result.code), "counts": result.counts(), "out": result.out})
    else:
        show_table(f"{len(result.code):,} positions in {result.method} voids", ["", "positions"],
                   list(result.counts().items()))


@app.command("map")
def map_(
    voids: VoidsArgument,
    out: Annotated[Path, typer.Option("--out", help="File to write: .html to turn in a browser, .png, or .ply surfaces.")],
    galaxies: GalaxiesOption = None,
    columns: ColumnsOption = None,
    omega_m: FallbackOmegaOption = None,
) -> None:
    """Draw the voids of a catalogue in space."""
    from armillary.factory import Services

    Services.configured()
    from armillary.services.void_views import MapVoids, map_voids

    result = map_voids(MapVoids(voids, out, galaxies, parse_columns(columns), _cosmo(omega_m)))
    say(f"{result.voids:,} {result.method} voids in {result.out}")


@app.command("slice")
def slice_(
    voids: VoidsArgument,
    out: Annotated[Path, typer.Option("--out", help="Picture to write: .png or .svg.")],
    galaxies: GalaxiesOption = None,
    dec: Annotated[float | None, typer.Option(
        "--dec", help="Declination of the slice through a survey, in degrees.", show_default="the middle")] = None,
    axis: Annotated[Axis | None, typer.Option(
        "--axis", help="Axis that the slice through a box is perpendicular to.", show_default="z")] = None,
    at: Annotated[float | None, typer.Option(
        "--at", help="Where it crosses that axis, in Mpc/h.", show_default="the middle")] = None,
    thickness: Annotated[float, typer.Option(
        "--thickness", help="Show galaxies within half of this of the slice, in Mpc/h.")] = 10.0,
    columns: ColumnsOption = None,
    omega_m: FallbackOmegaOption = None,
) -> None:
    """Draw a slice through the voids of a catalogue."""
    from armillary.factory import Services

    Services.configured()
    from armillary.services.void_views import SliceVoids, slice_void_catalog

    result = slice_void_catalog(SliceVoids(
        voids, out, galaxies, parse_columns(columns), _cosmo(omega_m), dec=dec, axis=axis.value if axis else None,
        at=at, thickness=thickness,
    ))
    say(f"{result.voids:,} {result.method} voids cut in {result.out}")


def _cosmo(omega_m: float | None) -> Cosmology | None:
    from armillary.cosmology import Cosmology

    return None if omega_m is None else Cosmology(omega_m=omega_m)


def _table(methods: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[object]]]:
    """One row per method, for a person; 80 columns wide."""
    columns = ["method", "voids", "made of", "edge 0/1/2", "R_eff", "largest", "tracers in"]
    rows: list[list[object]] = []
    for method, figures in methods.items():
        parts = next(name for name in ("holes", "zones") if name in figures)
        median, largest, fraction = figures["median_r_eff"], figures["max_r_eff"], figures["void_fraction"]
        rows.append([
            method, figures["voids"], f"{figures[parts]:,} {parts}", "/".join(map(str, figures["edge"].values())),
            None if median is None else f"{median:.2f}", None if largest is None else f"{largest:.2f}",
            None if fraction is None else f"{100.0 * fraction:.1f} %",
        ])
    return columns, rows
