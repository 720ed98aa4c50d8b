"""Every benchmark, as one JSON object on stdout; ``--table`` and ``--tessellation-table`` also write the documentation's tables.

Times are CPU seconds, as ratios to scipy's Delaunay tessellation of the same points in the same process: machines differ and
are shared, ratios hardly do.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import command_line, tessellation, voids


def main() -> None:
    """Run, print JSON, and write the tables when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogue", type=Path, default=voids.default_catalogue(), help="the SDSS DR7 catalogue of VAST")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each measurement; the fastest counts")
    parser.add_argument("--only", choices=("finders", "tessellation"), help="leave out the other benchmarks")
    parser.add_argument("--large", action="store_true", help="also the cells of 1e7 points, which take minutes and 10 GB")
    parser.add_argument("--table", type=Path, help="a Markdown file to write the table of the finders to")
    parser.add_argument("--tessellation-table", type=Path, help="a Markdown file to write that of the tessellation to")
    arguments = parser.parse_args()
    results: dict = {}
    if arguments.only != "tessellation":
        results |= {
            "finders": voids.finders(arguments.catalogue, arguments.repeat),
            "memory": voids.memory(),
            "scaling": voids.scaling(),
            "help": command_line.help_seconds(arguments.repeat),
        }
    if arguments.only != "finders":
        results["tessellation"] = tessellation.measure(arguments.catalogue, arguments.repeat, large=arguments.large)
    json.dump(results, sys.stdout, indent=2)
    print()
    if arguments.table and "finders" in results:
        arguments.table.write_text(voids.table(results), encoding="utf-8")
    if arguments.tessellation_table and "tessellation" in results:
        arguments.tessellation_table.write_text(tessellation.table(results["tessellation"]), encoding="utf-8")


if __name__ == "__main__":
    main()
