"""The void finders: time as a ratio to scipy's Delaunay, peak memory, and growth with the number of galaxies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.spatial import Delaunay

from armillary.cosmology import Cosmology
from armillary.io.galaxies import read_galaxies
from armillary.model import BoxRegion, GalaxyCatalog
from armillary.voids import V2, VoidFinder

#: CPU seconds of VAST over scipy's Delaunay of the same points, measured once on another machine (VAST 1.4.3 and later).
VAST = {"voidfinder": 1.74, "v2": 16.0}
SIZES = (20_000, 100_000, 500_000)
TESSELLATION = "tessellation"


def default_catalogue() -> Path:
    """The DR7 catalogue in a ``shared`` folder beside the checkout, or in the one that ARMILLARY_SHARED names."""
    root = Path(os.environ.get("ARMILLARY_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    return root / "data" / "galaxy-catalogs" / "vollim_dr7_cbp_102709.fits"


def _cpu(function, repeat: int):
    """The fastest of ``repeat`` runs: CPU seconds, and its result."""
    best, result = float("inf"), None
    for _ in range(repeat):
        start = time.process_time()
        value = function()
        seconds = time.process_time() - start
        if seconds < best:
            best, result = seconds, value
    return best, result


def _survey(catalogue: Path) -> tuple[str, GalaxyCatalog, dict, dict]:
    """The galaxies, and the options of VoidFinder and V2 for them."""
    if catalogue.exists():
        galaxies, _ = read_galaxies(catalogue)
        return (
            "SDSS DR7", galaxies,
            {"finder": VoidFinder(z_max=0.1026), "mask": "vast", "cosmo": Cosmology(0.26)},
            {"finder": V2(z_max=0.1), "mask": "healpix:32", "cosmo": Cosmology(0.3)},
        )
    from armillary.mock import Footprint, MockSurvey

    cosmo = Cosmology(0.3)
    made = MockSurvey(footprint=Footprint(ra_range=(120.0, 250.0), dec_range=(0.0, 60.0)), apparent_limit=99.0)
    galaxies = made.make(rng=np.random.default_rng(1), cosmo=cosmo).galaxies
    options = {"mask": "healpix:32", "cosmo": cosmo}
    return "simulated", galaxies, {"finder": VoidFinder(), **options}, {"finder": V2(), **options}


def finders(catalogue: Path, repeat: int) -> dict[str, object]:
    """CPU time from galaxies in memory to void catalogues in memory, over scipy's Delaunay of the points tessellated."""
    name, galaxies, voidfinder, v2 = _survey(catalogue)
    results: dict[str, object] = {"catalogue": name, "galaxies": len(galaxies)}
    for key, options in (("voidfinder", voidfinder), ("v2", v2)):
        finder, keywords = options["finder"], {k: v for k, v in options.items() if k != "finder"}

        def find(finder=finder, keywords=keywords):
            return finder.find(galaxies, **keywords)

        found = find()  # compiles the kernels, or loads them
        one = found if key == "voidfinder" else next(iter(found.values()))
        xyz = galaxies.positions(options["cosmo"])
        points = xyz[one.membership.wall == 1] if key == "voidfinder" else xyz[one.membership.tracer]
        # Alternate, so that both see the same machine.
        scipy_seconds, seconds, stages = float("inf"), float("inf"), {}
        for _ in range(repeat):
            scipy_seconds = min(scipy_seconds, _cpu(lambda points=points: Delaunay(points), 1)[0])
            took, found = _cpu(find, 1)
            if took < seconds:
                seconds = took
                stages = (found if key == "voidfinder" else next(iter(found.values()))).seconds
        rest = seconds - stages[TESSELLATION]
        results[key] = {
            "points": len(points), "scipy_delaunay_s": round(scipy_seconds, 3), "finding_s": round(seconds, 3),
            "ratio": round(seconds / scipy_seconds, 3), "ratio_without_tessellation": round(rest / scipy_seconds, 3),
            "vast_ratio": VAST[key], "stages_s": {stage: round(value, 3) for stage, value in stages.items()},
        }
    return results


def _box(n: int, seed: int = 1) -> tuple[GalaxyCatalog, BoxRegion]:
    """A clustered box of about ``n`` galaxies at the density of a survey."""
    from armillary.mock import MockBox

    size = (n / 5.5e-3) ** (1.0 / 3.0)
    made = MockBox(size=size, periodic=False).make(rng=np.random.default_rng(seed))
    return made.galaxies, made.region


def scaling() -> dict[str, object]:
    """CPU seconds of everything but the tessellation for growing boxes, and the exponents of the growth.

    N log N has exponents of 1.09 and 1.08 between these sizes.
    """
    boxes = [_box(n) for n in SIZES]
    out: dict[str, object] = {"galaxies": [len(galaxies) for galaxies, _ in boxes]}
    for key, finder in (("voidfinder", VoidFinder()), ("v2", V2())):
        rows = []
        finder.find(boxes[0][0], box=boxes[0][1])
        for galaxies, region in boxes:
            found = finder.find(galaxies, box=region)
            rows.append(dict((found if key == "voidfinder" else next(iter(found.values()))).seconds))
        sizes = np.log(out["galaxies"])
        rest = [sum(v for stage, v in row.items() if stage != TESSELLATION) for row in rows]
        out[key] = {
            "without_tessellation_s": [round(value, 3) for value in rest],
            "exponents": np.round(np.diff(np.log(rest)) / np.diff(sizes), 2).tolist(),
            "stages": {
                stage: {
                    "s": [round(row[stage], 3) for row in rows],
                    "exponents": _exponents([row[stage] for row in rows], sizes),
                }
                for stage in rows[0]
            },
        }
    return out


def _exponents(seconds: list[float], log_sizes) -> list[float | None]:
    """Growth between successive sizes; None where a stage is too short to be timed."""
    return [
        round(float(np.log(b / a) / step), 2) if a > 0.005 else None
        for a, b, step in zip(seconds[:-1], seconds[1:], np.diff(log_sizes), strict=True)
    ]


def memory(n: int = 100_000) -> dict[str, object]:
    """Peak resident memory [MB] of processes that find the voids of ``n`` galaxies, and of one that only makes them."""
    return {
        "galaxies": n,
        **{
            f"{what}_peak_mb": json.loads(
                subprocess.run(
                    [sys.executable, "-m", "benchmarks.voids", what, str(n)], check=True, capture_output=True, text=True
                ).stdout
            )
            for what in ("voidfinder", "v2", "nothing")
        },
    }


def _peak(what: str, n: int) -> int:
    """Peak memory of this process after finding voids [MB]; run in a process of its own, on Linux.

    Galaxies are uniform: a simulation's own memory would count otherwise.
    """
    size = (n / 5.5e-3) ** (1.0 / 3.0)
    galaxies = GalaxyCatalog.from_positions(np.random.default_rng(1).random((n, 3)) * size)
    box = BoxRegion((0.0,) * 3, (size,) * 3)
    if what != "nothing":
        finder: VoidFinder | V2 = VoidFinder() if what == "voidfinder" else V2()
        finder.find(galaxies, box=box)
    # Not ru_maxrss: after a fork that one starts from the parent's peak.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.split("VmHWM:")[1].split()[0]) / 1024.0)


def table(results: dict) -> str:
    """The documentation's table, in Markdown."""
    found, used, grown = results["finders"], results["memory"], results["scaling"]
    lines = [
        "| | VoidFinder | V2, three prunings |",
        "|---|---|---|",
        f"| points tessellated ({found['catalogue']}) | {found['voidfinder']['points']:,} | {found['v2']['points']:,} |",
    ]
    rows = [
        ("scipy `Delaunay` of the same points [CPU s]", "scipy_delaunay_s"),
        ("galaxies to void catalogue [CPU s]", "finding_s"),
        ("**ratio to scipy**", "ratio"),
        ("of which not the tessellation", "ratio_without_tessellation"),
        ("VAST's ratio, measured elsewhere", "vast_ratio"),
    ]
    lines += [f"| {label} | {found['voidfinder'][key]} | {found['v2'][key]} |" for label, key in rows]
    lines.append(
        f"| peak memory at {used['galaxies']:,} galaxies [MB] (without finding: {used['nothing_peak_mb']}) "
        f"| {used['voidfinder_peak_mb']} | {used['v2_peak_mb']} |"
    )
    span = " to ".join(f"{n:,}" for n in grown["galaxies"])
    lines.append(
        f"| growth exponents without the tessellation, {span} galaxies "
        f"| {' and '.join(map(str, grown['voidfinder']['exponents']))} | {' and '.join(map(str, grown['v2']['exponents']))} |"
    )
    seconds = results["help"]
    return "\n".join(lines) + (
        f"\n\n`armillary --help` answers in {seconds['armillary --help']} s (a bare Python takes {seconds['bare python']} s).\n"
    )


if __name__ == "__main__":
    print(json.dumps(_peak(sys.argv[1], int(sys.argv[2]))))
