"""Every benchmark, as one JSON object on stdout; ``--table FILE`` also writes the documentation's table.

Times are CPU seconds, as ratios to scipy's Delaunay tessellation of the same points in the same process: machines differ and
are shared, ratios hardly do.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import command_line, voids


def main() -> None:
    """Run, print JSON, and write the table when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogue", type=Path, default=voids.default_catalogue(), help="the SDSS DR7 catalogue of VAST")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each measurement; the fastest counts")
    parser.add_argument("--table", type=Path, help="a Markdown file to write the table to")
    arguments = parser.parse_args()
    results = {
        "finders": voids.finders(arguments.catalogue, arguments.repeat),
        "memory": voids.memory(),
        "scaling": voids.scaling(),
        "help": command_line.help_seconds(arguments.repeat),
    }
    json.dump(results, sys.stdout, indent=2)
    print()
    if arguments.table:
        arguments.table.write_text(voids.table(results), encoding="utf-8")


if __name__ == "__main__":
    main()
