"""The ``armillary`` command: parse, call one service, render. One module per room."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the ``armillary`` command; ``arguments`` replace those of the process."""
    try:
        # Here, so that Ctrl-C while this loads is met like any other.
        from armillary.cli.root import app

        app(arguments, prog_name="armillary")
    except KeyboardInterrupt:
        sys.stderr.write("armillary: interrupted\n")
        sys.exit(130)  # 128 + SIGINT
