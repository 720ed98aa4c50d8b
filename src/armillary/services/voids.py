"""From a galaxy catalogue on disk to void catalogues, membership, a report and a record: ``voids find``."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.cosmology import Cosmology
from armillary.errors import ColumnError, CoordinateError, MaskError, OptionError
from armillary.io.desivast import read_desivast, write_desivast
from armillary.io.galaxies import CatalogReading, read_galaxies
from armillary.io.membership import write_membership
from armillary.io.sky_masks import read_sky_mask
from armillary.model import (
    BoxRegion,
    GalaxyCatalog,
    Membership,
    RunRecord,
    SkyMask,
    SurveyRegion,
    VoidCatalog,
)
from armillary.model.voids import METHODS
from armillary.services.kernels import WORD, kernels_are_compiled
from armillary.services.provenance import sha256, utc_now, versions
from armillary.services.run_directory import RECORD, RunDirectory, check, open_run
from armillary.services.void_figures import summarize
from armillary.services.void_report import write_report
from armillary.voids import V2, VoidFinder

GEOMETRIES = ("survey", "box", "periodic")
GALAXIES = "galaxies.parquet"
REPORT = "report.html"

#: Positions of a periodic box may span this many sides: redshift-space displacements lead out of it.
_WIDEST = 1.5

Progress = Callable[[str, float], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class FindVoids:
    """What to find voids in, and how.

    Attributes
    ----------
    catalog : galaxy catalogue: FITS, CSV, ECSV, Parquet or whitespace ``x y z`` text.
    out : directory that the run writes.
    methods : any of ``voidfinder, vide, zobov, revolver``.
    geometry : ``survey`` (ra, dec, z), ``box`` or ``periodic`` (x, y, z in Mpc/h).
    columns : our name (``ra, dec, z, x, y, z ...``) -> the file's, for columns that are not recognised.
    z_min, z_max : redshift limits, or None for the galaxies' own.
    magnitude_limit : keep absolute magnitudes up to this one (brighter is smaller), or None.
    magnitude_column : the column of absolute magnitudes, or None to recognise it.
    mask : ``vast``, ``healpix:NSIDE``, a file, or None for a HEALPix mask built from the galaxies.
    box : limits of a box, or None for the extent of the points (closed box only).
    cosmo : the cosmology that turns redshifts into distances.
    drop_invalid : leave out rows with NaN or infinite coordinates instead of refusing the catalogue.
    surfaces : also keep the boundary triangles of watershed voids (the TRIANGLE table; hundreds of MB at 1e5 galaxies).
    """

    catalog: Path
    out: Path
    methods: tuple[str, ...] = METHODS
    geometry: str = "survey"
    columns: Mapping[str, str] = field(default_factory=dict)
    z_min: float | None = None
    z_max: float | None = None
    magnitude_limit: float | None = None
    magnitude_column: str | None = None
    mask: str | None = None
    box: BoxRegion | None = None
    cosmo: Cosmology = field(default_factory=Cosmology)
    drop_invalid: bool = False
    surfaces: bool = False

    def __post_init__(self) -> None:
        unknown = [method for method in self.methods if method not in METHODS]
        if unknown or not self.methods:
            raise OptionError(f"void methods are {self.methods}; expected some of {', '.join(METHODS)}")
        if self.geometry not in GEOMETRIES:
            raise OptionError(f"geometry is {self.geometry!r}; expected one of {', '.join(GEOMETRIES)}")
        if self.geometry == "survey" and self.box is not None:
            raise OptionError("a box size was given for a survey; drop it, or say --geometry box or periodic")
        if self.geometry == "periodic" and self.box is None:
            raise OptionError("a periodic box needs its size; give --box-size")
        if self.geometry != "survey":
            for name in ("mask", "z_min", "z_max"):
                if getattr(self, name) is not None:
                    option = "--" + name.replace("_", "-")
                    raise OptionError(f"{option} was given for a box, which has no sky; drop it, or say --geometry survey")
        for name in ("z_min", "z_max", "magnitude_limit"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise OptionError(f"--{name.replace('_', '-')} is {value}; expected a finite number, or leave it out")
        if self.z_min is not None and self.z_max is not None and self.z_min >= self.z_max:
            raise OptionError(f"redshift limits are {self.z_min} and {self.z_max}; expected z_min < z_max")

    @property
    def mask_file(self) -> Path | None:
        """The mask as a file, or None when it is built from the galaxies."""
        if self.mask is None or self.mask == "vast" or self.mask.startswith("healpix:"):
            return None
        return Path(self.mask)

    def configuration(self) -> dict[str, object]:
        """Every option that can change a result; file contents are compared by digest instead."""
        box = self.box
        return {
            "methods": list(self.methods), "geometry": self.geometry, "columns": dict(self.columns),
            "z_min": self.z_min, "z_max": self.z_max, "magnitude_limit": self.magnitude_limit,
            "magnitude_column": self.magnitude_column, "mask": "file" if self.mask_file else self.mask,
            "box": None if box is None else [list(box.low), list(box.high)],
            "omega_m": self.cosmo.omega_m, "h": self.cosmo.h, "drop_invalid": self.drop_invalid,
            "surfaces": self.surfaces,
        }


@dataclass(frozen=True)
class FindVoidsResult:
    """What a run found.

    Attributes
    ----------
    out : the run's directory.
    methods : method -> its figures (see :func:`summarize`).
    record : the run's record, as written to ``run.json``.
    reused : results that an earlier start of the same run had finished.
    """

    out: Path
    methods: Mapping[str, Mapping[str, Any]]
    record: RunRecord
    reused: tuple[str, ...]

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.out / REPORT

    def figures(self) -> dict[str, object]:
        """Everything that a program may want to know: the figures of each method by its name, and of the ``run``."""
        record = self.record
        return {
            **self.methods,
            "run": {
                "out": str(self.out), "report": str(self.report), "reused": list(self.reused),
                "rows": record.counts["rows"], "galaxies": record.counts["galaxies"], "excluded": {
                    reason: found["count"] for reason, found in record.excluded.items() if isinstance(found, Mapping)
                },
                "configuration": record.configuration, "seconds": record.seconds,
            },
        }


def find_voids(
    request: FindVoids, *, workers: int = 1, progress: Progress | None = None, say: Say | None = None
) -> FindVoidsResult:
    """Find voids and write a run directory: one FITS file per method, membership, a report and ``run.json``.

    The same request on the same input resumes: finished results are kept. Otherwise nothing is overwritten.

    Parameters
    ----------
    request : what to do.
    workers : threads to use; the results do not depend on it.
    progress : called with a stage's name and the fraction of it that is done.
    say : called with sentences for a person.

    Raises
    ------
    ArmillaryError
        In one sentence: the catalogue, the mask or an option cannot be used, or ``out`` holds something else.
    """
    start = time.perf_counter()
    progress, say = progress or _ignore, say or _ignore
    record = describe(request)
    held = check(request.out, record)
    if held is not None and held.finished:
        with open_run(request.out, record) as run:
            if all(run.has(name) for name in _results(request)):
                return _result(request, run.record, reused=_results(request))
    seconds: dict[str, float] = {}
    with _timed("read", seconds, progress):
        galaxies, reading = _read(request)
        mask = _mask(request)
    _say_what_was_left_out(reading, say)
    with open_run(request.out, record) as run:
        run.keep(**_what_was_read(reading, len(galaxies)))
        reused = tuple(name for name in _results(request) if run.has(name))
        if run.resumed:
            say(f"resuming {request.out}: {', '.join(reused) or 'nothing'} was finished before")
        catalogs = _find(request, run, galaxies, mask, workers, progress, say)
        _say_mask(request, catalogs, say)
        _say_what_is_outside(catalogs, say)
        with _timed("write", seconds, progress):
            if GALAXIES not in reused:
                run.write(GALAXIES, lambda path: write_membership(
                    galaxies, catalogs, path, reading.excluded_rows, reading.n_rows))
                run.keep()
        run.keep(seconds=seconds)
        with _timed("report", seconds, progress):
            if REPORT not in reused:
                run.write(REPORT, lambda path: write_report(path, galaxies, catalogs, run.record))
        for method in request.methods:
            run.discard(_intermediate(method))
        run.keep(seconds={**seconds, "wall": time.perf_counter() - start})
        run.finish()
        return _result(request, run.record, reused=reused)


def describe(request: FindVoids) -> RunRecord:
    """The record of a run before it starts: options, digests of the inputs, versions."""
    inputs = {str(request.catalog): sha256(request.catalog)}
    if request.mask_file is not None:
        if not request.mask_file.exists():
            raise MaskError(f"--mask is {request.mask!r}, which is neither vast, nor healpix:NSIDE, nor a file; correct it")
        inputs[str(request.mask_file)] = sha256(request.mask_file)
    return RunRecord(
        command="voids find", configuration=request.configuration(), inputs=inputs, versions=versions(), started=utc_now()
    )


def _read(request: FindVoids) -> tuple[GalaxyCatalog, CatalogReading]:
    galaxies, reading = read_galaxies(
        request.catalog, columns=request.columns, magnitude_column=request.magnitude_column,
        box=request.geometry != "survey", drop_invalid=request.drop_invalid,
    )
    if request.magnitude_limit is not None and galaxies.absolute_magnitude is None:
        candidates = reading.unsettled.get("absolute_magnitude")
        found = f"it could be any of {', '.join(candidates)}" if candidates else "none was recognised"
        raise ColumnError(
            f"--magnitude-limit needs a column of absolute magnitudes in {request.catalog}, and {found}; "
            "name it with --magnitude-column"
        )
    if request.geometry == "periodic" and request.box is not None:
        _check_period(galaxies.positions(), request.box, request.catalog)
    return galaxies, reading


def _check_period(xyz: NDArray[np.float64], box: BoxRegion, path: Path) -> None:
    """Refuse positions that span far more than the period: folded into it, unrelated galaxies would become neighbours."""
    span = np.ptp(xyz, axis=0)
    axis = int(np.argmax(span / box.size))
    if span[axis] > _WIDEST * box.size[axis]:
        raise CoordinateError(
            f"positions in {path} span {span[axis]:.6g} Mpc/h along {'xyz'[axis]}, but the periodic box has a side of "
            f"{box.size[axis]:.6g} Mpc/h; correct --box-size, or the unit of the positions"
        )


def _what_was_read(reading: CatalogReading, n_galaxies: int) -> dict[str, Mapping[str, object]]:
    excluded = {reason: {"count": len(rows), "rows": list(rows)} for reason, rows in reading.excluded.items()}
    return {
        "counts": {"rows": reading.n_rows, "galaxies": n_galaxies}, "excluded": excluded,
        "resolved": {"input": {"format": reading.format, "hdu": reading.hdu, "columns": dict(reading.columns)}},
    }


def _say_what_was_left_out(reading: CatalogReading, say: Say) -> None:
    if reading.excluded:
        reasons = "; ".join(f"{reason}: {len(rows)}" for reason, rows in reading.excluded.items())
        say(f"left out {len(reading.excluded_rows):,} of {reading.n_rows:,} rows ({reasons}); {RECORD} lists them")


def _say_mask(request: FindVoids, catalogs: Mapping[str, VoidCatalog], say: Say) -> None:
    """Name the masks that were built from the galaxies, and who used them."""
    if request.mask_file is not None:
        return
    users: dict[str, list[str]] = {}
    for method, catalog in catalogs.items():
        if isinstance(catalog.region, SurveyRegion):
            mask = catalog.region.mask
            users.setdefault(f"{mask.describe()} ({mask.area:,.0f} deg2)", []).append(method)
    for described, methods in users.items():
        say(f"sky mask built from the galaxies: {described} for {', '.join(methods)}")


def _say_what_is_outside(catalogs: Mapping[str, VoidCatalog], say: Say) -> None:
    """Say how many galaxies within the limits the mask or the box does not hold."""
    for catalog in catalogs.values():
        outside = catalog.parameters.get("masked", 0)
        if isinstance(outside, int) and outside:
            place = "sky mask" if isinstance(catalog.region, SurveyRegion) else "box"
            say(f"{outside:,} galaxies lie outside the {place} and trace no voids")
            return


def _mask(request: FindVoids) -> SkyMask | str | None:
    file = request.mask_file
    return request.mask if file is None else read_sky_mask(file)


def _find(
    request: FindVoids, run: RunDirectory, galaxies: GalaxyCatalog, mask: SkyMask | str | None, workers: int,
    progress: Progress, say: Say,
) -> dict[str, VoidCatalog]:
    """The catalogue of each method: recalled from the directory when finished, else found and written there."""
    catalogs = {method: _recall(run, method) for method in request.methods if _is_finished(run, method)}
    if len(catalogs) < len(request.methods) and not kernels_are_compiled("armillary.voids"):
        say(WORD)
    survey = request.geometry == "survey"
    limits: dict[str, Any] = {"z_min": request.z_min, "z_max": request.z_max, "magnitude_limit": request.magnitude_limit}
    data: dict[str, Any] = {
        "mask": mask, "box": _box(request),
        "cosmo": request.cosmo if survey else None, "workers": workers,
    }
    if "voidfinder" in request.methods and "voidfinder" not in catalogs:
        found = VoidFinder(**limits).find(galaxies, progress=_named("VoidFinder", progress), **data)
        catalogs["voidfinder"] = _keep(run, found)
    prunings = tuple(method for method in request.methods if method != "voidfinder" and method not in catalogs)
    if prunings:
        finder = V2(prunings=prunings, surfaces=request.surfaces, **limits)
        family = finder.find(galaxies, progress=_named("V2", progress), **data)
        for method in prunings:
            catalogs[method] = _keep(run, family[method])
    return {method: catalogs[method] for method in request.methods}


def _box(request: FindVoids) -> BoxRegion | None:
    """The box with its period, or None for the extent of the points."""
    return None if request.box is None else replace(request.box, periodic=request.geometry == "periodic")


def _keep(run: RunDirectory, catalog: VoidCatalog) -> VoidCatalog:
    """Write a method's catalogue, and its membership for the case that the run is stopped before the end."""
    method = catalog.method
    assert catalog.membership is not None
    membership = {key: value for key, value in vars(catalog.membership).items() if value is not None}
    run.write(_intermediate(method), lambda path: np.savez(path, **membership))
    if not run.has(_file(method)):
        run.write(_file(method), lambda path: write_desivast(catalog, path))
    run.keep(
        counts={method: summarize(catalog)}, seconds={method: dict(catalog.seconds)},
        resolved={method: dict(catalog.parameters)},
    )
    return catalog


def _is_finished(run: RunDirectory, method: str) -> bool:
    return run.has(_file(method)) and run.has(_intermediate(method))


def _recall(run: RunDirectory, method: str) -> VoidCatalog:
    """The catalogue that an earlier start of the run wrote, with what it kept of the galaxies."""
    with np.load(run.path / _intermediate(method), allow_pickle=False) as arrays:
        membership = Membership(**{name: arrays[name] for name in arrays.files})
    seconds = run.record.seconds[method]
    assert isinstance(seconds, Mapping)
    return replace(read_desivast(run.path / _file(method)), membership=membership, seconds=seconds)


def _result(request: FindVoids, record: RunRecord, *, reused: tuple[str, ...]) -> FindVoidsResult:
    counts: Mapping[str, Any] = record.counts
    figures = {method: counts[method] for method in request.methods}
    return FindVoidsResult(request.out, figures, record, reused)


def _results(request: FindVoids) -> tuple[str, ...]:
    return (*(_file(method) for method in request.methods), GALAXIES, REPORT)


def _file(method: str) -> str:
    return f"{method}.fits"


def _intermediate(method: str) -> str:
    return f".unfinished/{method}.npz"


def _named(family: str, progress: Progress) -> Progress:
    return lambda stage, fraction: progress(f"{family}: {stage}", fraction)


@contextmanager
def _timed(stage: str, seconds: dict[str, float], progress: Progress) -> Iterator[None]:
    progress(stage, 0.0)
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
    progress(stage, 1.0)


def _ignore(*_: object) -> None:
    """Progress that nobody watches."""
