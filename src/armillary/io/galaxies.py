"""Galaxy catalogues: FITS, Parquet, ECSV, CSV or whitespace-separated text to :class:`GalaxyCatalog`.

Columns are found by name whatever their case, first under the name that we use ourselves (``ra, dec, z``), then under
the names that surveys give them. A redshift keeps the precision of its column, because limits are compared in it.
Rows that cannot be placed (no number, z <= 0, a declination beyond the poles) stop the reading, or are left out on
request; either way their numbers, counted from 0, are reported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armillary.errors import ColumnError, CoordinateError, InputError, OptionError
from armillary.io.tables import Table, read_table
from armillary.model import GalaxyCatalog

#: Fewest galaxies that a tessellation of space can be made of.
FEWEST = 5

_SKY: Mapping[str, tuple[str, ...]] = {
    "ra": ("target_ra", "radeg", "ra_deg", "raj2000", "ra_j2000", "alpha_j2000", "right_ascension"),
    "dec": ("target_dec", "dedeg", "decdeg", "dec_deg", "dej2000", "decj2000", "dec_j2000", "delta_j2000",
            "declination", "de"),
    "z": ("redshift", "z_spec", "zspec", "spec_z", "specz", "z_obs", "zobs"),
}
_BOX: Mapping[str, tuple[str, ...]] = {
    axis: (f"{axis}cart", f"{axis}_cart", f"{axis}pos", f"pos_{axis}", f"{axis}_mpc_h", f"{axis}_mpch")
    for axis in ("x", "y", "z")
}
_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "weight": ("weights",),
    "absolute_magnitude": ("rabsmag", "absrmag", "absmag", "abs_mag", "absmag_r", "r_absmag", "absmag01_sdss_r"),
    "targetid": ("target_id", "specobjid", "objid", "galid"),
}
_LAST_SCATTERING = 1100.0  # no galaxy is beyond it: larger "redshifts" are velocities c z in km/s
_MANY = 10
_MOST_NAMES = 40


@dataclass(frozen=True)
class CatalogReading:
    """What was read, and what was not.

    Attributes
    ----------
    path : the file.
    format : ``fits, parquet, ecsv, csv`` or ``text``.
    columns : our name -> the table's column that was taken for it.
    n_rows : rows of the table, those left out included.
    hdu : EXTNAME of the FITS table, or None.
    excluded : reason -> rows of the table left out for it, counted from 0; each row under its first reason.
    unsettled : optional columns that were not read since more than one could be meant: our name -> the candidates.
    """

    path: Path
    format: str
    columns: Mapping[str, str]
    n_rows: int
    hdu: str | None = None
    excluded: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unsettled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def excluded_rows(self) -> NDArray[np.int64]:
        """Rows that were left out for any reason, ascending."""
        return np.sort(np.array([row for rows in self.excluded.values() for row in rows], dtype=np.int64))


def read_galaxies(
    path: str | os.PathLike[str], *, columns: Mapping[str, str] | None = None, magnitude_column: str | None = None,
    properties: Sequence[str] = (), box: bool = False, drop_invalid: bool = False, fewest: int = FEWEST,
    hdu: str | None = None,
) -> tuple[GalaxyCatalog, CatalogReading]:
    """Read a galaxy catalogue.

    Parameters
    ----------
    path : FITS, Parquet, ECSV, CSV or whitespace-separated numbers; FITS and text may be gzipped.
    columns : our name (``ra, dec, z``, for a box ``x, y, z``, also ``weight, absolute_magnitude, targetid``) -> the
        table's name, for those that are not found by themselves.
    magnitude_column : the column of absolute magnitudes.
    properties : further numeric columns to keep, under their own names.
    box : True for comoving positions x, y, z [Mpc/h] in place of ra, dec [deg] and redshift z.
    drop_invalid : leave out rows without a valid position instead of refusing the catalogue.
    fewest : refuse a catalogue of fewer valid rows than this.
    hdu : EXTNAME of a FITS table; the first table otherwise.

    Returns
    -------
    The galaxies in the order of the table, and what was read.

    Raises
    ------
    InputError
        No such file, or too few galaxies.
    FormatError
        The file is truncated, damaged or in no known format.
    ColumnError
        A column is missing, could be more than one, or holds no numbers.
    CoordinateError
        Positions are NaN, infinite, missing or impossible (and ``drop_invalid`` is False).
    OptionError
        ``columns`` has a name that is not ours.
    """
    named = dict(columns or {})
    if magnitude_column is not None:
        named["absolute_magnitude"] = magnitude_column
    needed = _BOX if box else _SKY
    unknown = sorted(named.keys() - needed.keys() - _OPTIONAL.keys())
    if unknown:
        ours = ", ".join([*needed, *_OPTIONAL])
        raise OptionError(f"--columns has {', '.join(unknown)}; expected NAME=COLUMN with a NAME among {ours}")
    found: dict[str, str] = {}
    unsettled: dict[str, tuple[str, ...]] = {}
    kept: list[str] = []

    def choose(names: Sequence[str]) -> list[str]:
        found.update(_find_needed(names, needed, named, path))
        _find_optional(names, named, path, found, unsettled)
        kept.extend(_named_column(names, name, "properties", path) for name in properties)
        return list(dict.fromkeys([*found.values(), *kept]))

    table = read_table(path, choose, hdu=hdu)
    values = {name: _numbers(table, source, path) for name, source in found.items() if name != "targetid"}
    values |= _identifiers(table, found, path, named)
    others = {source: _numbers(table, source, path, convert=False) for source in kept}
    n_rows = len(values["z"])
    excluded = _invalid_rows(values, box)
    _refuse(path, n_rows, excluded, drop_invalid, fewest)
    reading = CatalogReading(Path(path), table.format, found, n_rows, table.hdu, excluded, unsettled)
    if excluded:
        good = np.ones(n_rows, dtype=bool)
        good[reading.excluded_rows] = False
        values = {name: column[good] for name, column in values.items()}
        others = {name: column[good] for name, column in others.items()}
    return _catalog(values, others, Path(path).name, box), reading


def _catalog(values: dict[str, NDArray], others: dict[str, NDArray], name: str, box: bool) -> GalaxyCatalog:
    weight = values.get("weight")
    rest = {
        "weight": None if weight is None else weight.astype(np.float64), "targetid": values.get("targetid"),
        "absolute_magnitude": values.get("absolute_magnitude"), "properties": others, "name": name,
    }
    if box:
        return GalaxyCatalog.from_positions(np.column_stack([values[axis] for axis in "xyz"]), **rest)
    return GalaxyCatalog.from_sky(values["ra"], values["dec"], values["z"], **rest)


def _find_needed(
    names: Sequence[str], needed: Mapping[str, tuple[str, ...]], named: Mapping[str, str], path: str | os.PathLike[str]
) -> dict[str, str]:
    found, missing = {}, []
    for meaning, aliases in needed.items():
        if meaning in named:
            found[meaning] = _named_column(names, named[meaning], _option(meaning), path)
            continue
        candidates = _candidates(names, meaning, aliases)
        if len(candidates) > 1:
            raise ColumnError(
                f"{path} has more than one column that could be {meaning}: {', '.join(candidates)}; "
                f"name the one meant with --columns {meaning}=NAME"
            )
        if candidates:
            found[meaning] = candidates[0]
        else:
            missing.append(meaning)
    if missing and needed is _BOX and list(names[:3]) == ["col1", "col2", "col3"]:
        return {axis: f"col{place + 1}" for place, axis in enumerate("xyz")} | found
    if missing:
        expected = "; ".join(f"{name} ({', '.join(needed[name][:3])} ...)" for name in missing)
        option = ",".join(f"{name}={name.upper()}" for name in needed)
        raise ColumnError(
            f"{path} has no column for {' and '.join(missing)}: it has {_listed(names)}, expected {expected}; "
            f"name them with --columns {option}{_other_geometry(names, needed)}"
        )
    return found


def _other_geometry(names: Sequence[str], needed: Mapping[str, tuple[str, ...]]) -> str:
    """Advice for a table of the other kind: positions where sky coordinates are expected, or the reverse."""
    other, option = (_BOX, "box") if needed is _SKY else (_SKY, "survey")
    fits = all(_candidates(names, meaning, aliases) for meaning, aliases in other.items())
    return f", or use --geometry {option}, whose columns it has" if fits else ""


def _find_optional(
    names: Sequence[str], named: Mapping[str, str], path: str | os.PathLike[str], found: dict[str, str],
    unsettled: dict[str, tuple[str, ...]],
) -> None:
    for meaning, aliases in _OPTIONAL.items():
        if meaning in named:
            found[meaning] = _named_column(names, named[meaning], _option(meaning), path)
            continue
        candidates = _candidates(names, meaning, aliases)
        if len(candidates) > 1:
            unsettled[meaning] = tuple(candidates)
        elif candidates:
            found[meaning] = candidates[0]


def _candidates(names: Sequence[str], meaning: str, aliases: tuple[str, ...]) -> list[str]:
    own = [name for name in names if name.lower() == meaning]
    return own or [name for name in names if name.lower() in aliases]


def _named_column(names: Sequence[str], name: str, option: str, path: str | os.PathLike[str]) -> str:
    """The column that the caller named: in that spelling, or in any case when only one has it."""
    matches = [own for own in names if own == name] or [own for own in names if own.lower() == name.lower()]
    if len(matches) == 1:
        return matches[0]
    problem = f"more than one column {name} ({', '.join(matches)})" if matches else f"no column {name}"
    raise ColumnError(f"{path} has {problem}, which {option} asks for; it has {_listed(names)}")


def _option(meaning: str) -> str:
    return "--magnitude-column" if meaning == "absolute_magnitude" else f"--columns {meaning}="


def _listed(names: Sequence[str]) -> str:
    more = f" ... ({len(names)} columns)" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _numbers(table: Table, source: str, path: str | os.PathLike[str], *, convert: bool = True) -> NDArray:
    """A column of numbers (n,); integers become float64 when ``convert``, floats keep their precision."""
    values = table.columns[source]
    if values.ndim != 1:
        raise ColumnError(f"column {source} of {path} has shape {values.shape}; expected one number in each row")
    if values.dtype.kind in "iu":
        return values.astype(np.float64) if convert else values
    if values.dtype.kind == "f":
        return values
    if values.dtype.kind == "b" and not convert:
        return values
    row = next((i for i, value in enumerate(values) if not _is_number(value)), 0)
    raise ColumnError(f"column {source} of {path} is not numeric: row {row} is {values[row]!s:.40}; expected numbers")


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _identifiers(
    table: Table, found: dict[str, str], path: str | os.PathLike[str], named: Mapping[str, str]
) -> dict[str, NDArray]:
    """Target identifiers, when they are whole numbers; names and the like are not taken for identifiers."""
    if "targetid" not in found:
        return {}
    values = table.columns[found["targetid"]]
    if values.dtype.kind in "iu" and values.ndim == 1:
        return {"targetid": values.astype(np.int64)}
    if "targetid" in named:
        raise ColumnError(
            f"column {found['targetid']} of {path} holds no whole number in each row; targetid needs them"
        )
    del found["targetid"]
    return {}


def _invalid_rows(values: Mapping[str, NDArray], box: bool) -> dict[str, tuple[int, ...]]:
    coordinates = [values[name] for name in (_BOX if box else _SKY)]
    left = ~np.logical_and.reduce([np.isfinite(column) for column in coordinates])
    reasons = {"NaN, infinite or missing coordinate": left}
    if not box:
        with np.errstate(invalid="ignore"):
            reasons["z <= 0"] = ~left & (values["z"] <= 0)
            left = left | reasons["z <= 0"]
            reasons["z > 1100, as velocities in km/s have it"] = ~left & (values["z"] > _LAST_SCATTERING)
            left = left | (values["z"] > _LAST_SCATTERING)
            reasons["declination beyond the poles"] = ~left & (np.abs(values["dec"]) > 90)
    return {reason: tuple(np.flatnonzero(rows).tolist()) for reason, rows in reasons.items() if rows.any()}


def _refuse(
    path: str | os.PathLike[str], n_rows: int, excluded: Mapping[str, tuple[int, ...]], drop_invalid: bool, fewest: int
) -> None:
    n_bad = sum(map(len, excluded.values()))
    if n_bad and not drop_invalid:
        described = "; ".join(
            f"{reason}: {len(rows)} (rows {', '.join(map(str, rows[:_MANY]))}{' ...' if len(rows) > _MANY else ''})"
            for reason, rows in excluded.items()
        )
        raise CoordinateError(
            f"{n_bad} of {n_rows} rows of {path} have no valid position - {described}, counted from 0; "
            "correct them or leave them out (voids find does with --drop-invalid)"
        )
    if n_rows - n_bad < fewest:
        left_out = f" with a valid position, of {n_rows}" if n_bad else ""
        raise InputError(f"{path} has {n_rows - n_bad} rows{left_out}; at least {fewest} are needed")
