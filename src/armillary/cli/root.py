"""The root of the ``armillary`` command, on which those of the rooms hang."""

from __future__ import annotations

from typing import Annotated

import typer

from armillary import __version__
from armillary.cli import mock, voids
from armillary.cli.console import Commands

app = typer.Typer(
    name="armillary", cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Survey spectroscopy that fits on a closet shelf.",
)
app.add_typer(voids.app, name="voids")
app.add_typer(mock.app, name="mock")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"armillary {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Survey spectroscopy that fits on a closet shelf."""
