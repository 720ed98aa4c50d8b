"""The tessellation: CPU time as a ratio to scipy's Delaunay, memory, growth, and what a second worker brings."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from armillary.compute import Processes
from armillary.cosmology import Cosmology
from armillary.io.galaxies import read_galaxies
from armillary.voids.delaunay import delaunay
from armillary.voids.tessellation import Tessellation
from armillary.voids.voronoi import VoronoiCells

#: CGAL's Delaunay beside scipy's of the same points, measured once on another machine: CPU seconds of both, and the ratio.
UNIFORM, MILLION = "uniform, 1e5", "uniform, 1e6"
CGAL = {UNIFORM: (0.40, 3.1, 0.13), MILLION: (4.4, 41.5, 0.105)}
SMALL, LARGE, LARGEST = 100_000, 1_000_000, 10_000_000
BLOCK = 500_000

Points = NDArray[np.float64]


def point_sets(catalogue: Path) -> dict[str, Callable[[], Points]]:
    """Point sets by name, in general and in special position; those of a catalogue where it is present."""

    def rng() -> np.random.Generator:
        return np.random.default_rng(1)

    sets: dict[str, Callable[[], Points]] = {"SDSS DR7": lambda: _galaxies(catalogue)} if catalogue.exists() else {}
    return sets | {
        UNIFORM: lambda: rng().random((SMALL, 3)),
        f"{UNIFORM}, rounded to float32": lambda: rng().random((SMALL, 3)).astype(np.float32).astype(np.float64),
        "lattice of 46³": lambda: _lattice(46),
        "lattice of 46³, step 0.1": lambda: 0.1 * _lattice(46),
        "fcc": lambda: _face_centred(29),
        "sphere": lambda: _sphere(5_000, rng()),
        "cylinder": lambda: _cylinder(20_000, rng()),
    }


def _galaxies(catalogue: Path) -> Points:
    galaxies, _ = read_galaxies(catalogue)
    return np.unique(galaxies.positions(Cosmology(0.3))[galaxies.z < 0.1], axis=0)


def _lattice(side: int) -> Points:
    axis = np.arange(side, dtype=np.float64)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def _face_centred(side: int) -> Points:
    corners = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
    return (_lattice(side)[:, None] + corners).reshape(-1, 3)


def _sphere(n: int, rng: np.random.Generator) -> Points:
    points = rng.normal(size=(n, 3))
    return points / np.linalg.norm(points, axis=1)[:, None]


def _cylinder(n: int, rng: np.random.Generator) -> Points:
    angle = rng.uniform(0.0, 2.0 * np.pi, n)
    return np.column_stack((np.cos(angle), np.sin(angle), rng.uniform(0.0, 3.0, n)))


def _timed(function: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> tuple[float, Any]:
    start = clock()
    value = function()
    return clock() - start, value


def _cells(tessellation: Tessellation):
    return tessellation.volumes, tessellation.neighbours, tessellation.facet_areas


def _compare(points: Points, repeat: int, scipy_repeat: int | None = None) -> dict[str, float]:
    """CPU seconds of scipy, of the tetrahedra and of the cells from them, the fastest of a few, taken in turn."""
    _cells(Tessellation.of(points))  # compiles, or loads, what these points need
    best = [np.inf, np.inf, np.inf]
    for turn in range(repeat):
        if turn < (scipy_repeat or repeat):
            best[0] = min(best[0], _timed(lambda: Delaunay(points))[0])
        seconds, parts = _timed(lambda: delaunay(points))
        tessellation = Tessellation(points, points, np.arange(len(points), dtype=np.int32), *parts)
        best[1] = min(best[1], seconds)
        best[2] = min(best[2], _timed(lambda tessellation=tessellation: _cells(tessellation))[0])
    return {
        "points": len(points), "scipy_s": round(best[0], 3), "delaunay_s": round(best[1], 3), "cells_s": round(best[2], 3),
        "ratio": round(best[1] / best[0], 3), "cells_ratio": round(best[2] / best[0], 3),
    }


def times(catalogue: Path, repeat: int) -> dict[str, object]:
    """Ratios for every point set, and the exponent of the growth of the time.

    scipy meets 1e6 points once, and a sphere of 5,000 points rather than 20,000, which take it very long.
    """
    sets: dict[str, dict[str, float]] = {
        name: _compare(make(), repeat) for name, make in point_sets(catalogue).items()
    }
    sets[MILLION] = _compare(np.random.default_rng(1).random((LARGE, 3)), repeat, 1)
    for name, (seconds, scipy_seconds, ratio) in CGAL.items():
        sets[name] |= {"cgal_s": seconds, "cgal_scipy_s": scipy_seconds, "cgal_ratio": ratio}
    sphere = _sphere(20_000, np.random.default_rng(1))
    return {
        "sets": sets,
        "sphere_of_20000_s": round(min(_timed(lambda: delaunay(sphere))[0] for _ in range(repeat)), 3),
        "exponents": {
            what: round(float(np.log10(sets[MILLION][what] / sets[UNIFORM][what])), 3)
            for what in ("delaunay_s", "cells_s", "scipy_s")
        },
    }


def workers(repeat: int, n: int = LARGE) -> dict[str, object]:
    """Wall seconds of all cells of ``n`` uniform points: at once, in blocks here, and in blocks on two workers.

    The workers have been used before, so that neither their start nor their imports count; sending the points does.
    """
    points = np.random.default_rng(1).random((n, 3))

    def at_once():
        tessellation = Tessellation.of(points)
        return *_cells(tessellation), tessellation.centroids

    with Processes(2) as executor:
        ways: dict[str, Callable[[], Any]] = {
            "at_once": at_once,
            "blocks": lambda: VoronoiCells.of(points, block=BLOCK),
            "two_workers": lambda: VoronoiCells.of(points, block=BLOCK, executor=executor),
        }
        VoronoiCells.of(points[:10_000], block=2_000, executor=executor)
        best = dict.fromkeys(ways, np.inf)
        for _ in range(repeat):
            for name, way in ways.items():
                best[name] = min(best[name], _timed(way, time.perf_counter)[0])
    return {
        "points": n, "block": BLOCK, **{f"{name}_s": round(seconds, 2) for name, seconds in best.items()},
        "over_at_once": round(best["at_once"] / best["two_workers"], 2),
        "over_blocks": round(best["blocks"] / best["two_workers"], 2),
    }


def memory(n: int = LARGE) -> dict[str, object]:
    """Peak resident memory [MB] of processes that do one thing with ``n`` uniform points, and of one that only makes these."""
    things = ("scipy", "delaunay", "cells", "nothing")
    return {"points": n, **{f"{what}_peak_mb": _elsewhere(what, n)["peak_mb"] for what in things}}


def largest(n: int = LARGEST) -> dict[str, object]:
    """The cells of ``n`` points on two workers: wall seconds, and peak memory [MB] of the process that asks and of a worker."""
    return {"points": n, "block": BLOCK, **_elsewhere("workers", n)}


def compiling() -> dict[str, float]:
    """CPU seconds of a first tessellation with its cells in a new process: with an empty cache, and with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        first, second = (_elsewhere("first", 1000, NUMBA_CACHE_DIR=cache)["cpu_s"] for _ in range(2))
    return {"empty_cache_s": first, "full_cache_s": second}


def _elsewhere(what: str, n: int, **variables: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.tessellation", what, str(n)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **variables})
    return json.loads(done.stdout)


def _alone(what: str, n: int) -> dict[str, float]:
    """One thing in this process, on Linux: its seconds, the peak memory [MB] of this process, and of its largest worker."""
    points = np.random.default_rng(1).random((n, 3))
    wall, cpu = time.perf_counter(), time.process_time()
    if what == "scipy":
        Delaunay(points)
    elif what == "delaunay":
        delaunay(points)
    elif what in ("cells", "first"):
        _cells(Tessellation.of(points))
    elif what == "workers":
        with Processes(2) as executor:
            VoronoiCells.of(points, block=BLOCK, executor=executor)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Not ru_maxrss: after a fork that one starts from the parent's peak.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0])
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "wall_s": round(wall, 2), "cpu_s": round(cpu, 2),
        "peak_mb": round(peak / 1024), "worker_peak_mb": round(worker / 1024),
    }


def table(results: dict) -> str:
    """The documentation's table and sentences, in Markdown."""
    found = results["times"]
    lines = [
        "| points | number | scipy [s] | tetrahedra [s] | **ratio** | cells [s] | ratio | CGAL, measured elsewhere |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in found["sets"].items():
        theirs = f"{row['cgal_ratio']} ({row['cgal_s']} s, scipy {row['cgal_scipy_s']} s)" if "cgal_ratio" in row else ""
        lines.append(
            f"| {name} | {row['points']:,} | {row['scipy_s']} | {row['delaunay_s']} | **{row['ratio']}** "
            f"| {row['cells_s']} | {row['cells_ratio']} | {theirs} |"
        )
    return "\n".join(lines) + "\n\n" + "\n".join(_sentences(results)) + "\n"


def _sentences(results: dict) -> list[str]:
    found, used, shared, first = (results[key] for key in ("times", "memory", "workers", "compiling"))
    grown = found["exponents"]
    lines = [
        f"- A sphere of 20,000 points takes {found['sphere_of_20000_s']} s.",
        f"- From {SMALL:,} to {LARGE:,} uniform points, time grows with an exponent of {grown['delaunay_s']}",
        f"  for the tetrahedra, {grown['cells_s']} for the cells, and {grown['scipy_s']} for scipy; N log N has 1.08.",
        f"- Peak memory at {used['points']:,} points: {used['delaunay_peak_mb']:,} MB for the tetrahedra,",
        f"  {used['cells_peak_mb']:,} MB with the cells, and {used['scipy_peak_mb']:,} MB for scipy. Of this,",
        f"  {used['nothing_peak_mb']:,} MB are the process and its points.",
        f"- All cells of {shared['points']:,} points take {shared['at_once_s']} s (wall) at once, {shared['blocks_s']} s",
        f"  in blocks of {shared['block']:,} in one process, and {shared['two_workers_s']} s on two workers. Two workers are",
        f"  {shared['over_blocks']} times as fast as one with the same blocks, and {shared['over_at_once']} times as fast as",
        "  all at once.",
        f"- The first tessellation in a process takes {first['empty_cache_s']} s (CPU) if the kernels have to be compiled,",
        f"  and {first['full_cache_s']} s if they were on this machine before.",
    ]
    if "largest" in results:
        large = results["largest"]
        lines += [
            f"- The cells of {large['points']:,} points on two workers, their start included, take {large['wall_s']} s (wall),",
            f"  {large['peak_mb']:,} MB in the process that collects them, and {large['worker_peak_mb']:,} MB in a worker.",
        ]
    return lines


def measure(catalogue: Path, repeat: int, *, large: bool = False) -> dict[str, object]:
    """Everything above; that of 1e7 points on request."""
    results: dict[str, object] = {
        "times": times(catalogue, repeat), "memory": memory(), "workers": workers(repeat), "compiling": compiling(),
    }
    return results | {"largest": largest()} if large else results


if __name__ == "__main__":
    print(json.dumps(_alone(sys.argv[1], int(sys.argv[2]))))
