"""Tables in any of the formats that catalogues come in, read column by column.

FITS, Parquet, ECSV, CSV and whitespace-separated numbers are told apart by extension and first bytes, not by trust in
either alone. FITS and text may be gzipped. Text may begin with comment lines; the last of them names the columns when
the first line of data is all numbers (``# x y z``), and without any name they are ``col1, col2 ...``.
"""

from __future__ import annotations

import csv
import gzip
import os
import warnings
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armillary.errors import FormatError
from armillary.io.fits_tables import existing_file, find_table, open_fits, read_column

#: Receives the names of a table's columns and returns those to read.
Choose = Callable[[Sequence[str]], Sequence[str]]

_HEAD = 1 << 16
_NULLS = ["", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "--", "masked"]


@dataclass(frozen=True)
class Table:
    """The columns that were asked for.

    Attributes
    ----------
    format : ``fits, parquet, ecsv, csv`` or ``text``.
    hdu : EXTNAME of the FITS extension, or None.
    names : every column of the table.
    columns : name -> (n,) values in native byte order and the file's precision; missing numbers are NaN.
    """

    format: str
    hdu: str | None
    names: tuple[str, ...]
    columns: dict[str, NDArray]


def read_table(path: str | os.PathLike[str], choose: Choose, *, hdu: str | None = None) -> Table:
    """Read the columns that ``choose`` picks from the table's names.

    Parameters
    ----------
    path : the file.
    choose : what to read; an error that it raises passes through.
    hdu : EXTNAME of a FITS table; the first table otherwise.

    Raises
    ------
    InputError
        No such file, or a directory.
    FormatError
        The file is truncated, damaged or in no known format.
    """
    path = existing_file(path)
    kind = _kind(path)
    if kind == "fits":
        return _read_fits(path, choose, hdu)
    if hdu is not None:
        raise FormatError(f"{path} is {kind}, which has no HDU {hdu}; leave the HDU out")
    return {"parquet": _read_parquet, "ecsv": _read_ecsv, "csv": _read_csv, "text": _read_text}[kind](path, choose)


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".fz")]
    suffix = suffixes[-1] if suffixes else ""
    head = _head(path)
    if head.startswith(b"SIMPLE  =") or suffix in (".fits", ".fit"):
        return "fits"
    if head.startswith(b"PAR1") or suffix in (".parquet", ".pq"):
        return "parquet"
    if b"\0" in head:
        raise FormatError(f"{path} is none of FITS, Parquet, CSV, ECSV and text; convert it to one of these")
    if head.startswith(b"# %ECSV"):
        return "ecsv"
    lines = [line for line in _lines(head) if line.strip() and not line.startswith("#")]
    if not lines:
        raise FormatError(f"{path} holds no rows; write or download it again")
    return "csv" if suffix == ".csv" or "," in lines[0] else "text"


def _read_fits(path: Path, choose: Choose, hdu: str | None) -> Table:
    with open_fits(path) as hdus:
        table = find_table(hdus, hdu)
        names = tuple(table.columns.names)
        columns = {name: read_column(table, name) for name in choose(names)}
        return Table("fits", table.name or None, names, columns)


def _read_parquet(path: Path, choose: Choose) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            names = tuple(file.schema_arrow.names)
            wanted = list(choose(names))
            data = file.read(columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"{path} is not readable as Parquet: {_short(error)}; write or download it again") from error
    return Table("parquet", None, names, {name: data[name].to_numpy() for name in wanted})


def _read_ecsv(path: Path, choose: Choose) -> Table:
    from astropy.table import Table as AstropyTable
    from astropy.table.meta import YamlParseError

    try:
        data = AstropyTable.read(path, format="ascii.ecsv")
    except (ValueError, OSError, EOFError, YamlParseError) as error:
        raise FormatError(f"{path} is not readable as ECSV: {_short(error)}; write or download it again") from error
    names = tuple(data.colnames)
    return Table("ecsv", None, names, {name: _without_mask(data[name]) for name in choose(names)})


def _without_mask(column) -> NDArray:
    values, mask = np.asarray(column), getattr(column, "mask", None)
    if mask is None or not np.any(mask):
        return np.array(values)
    if values.dtype.kind not in "fiu":
        return np.where(mask, "", values.astype(str))
    return np.where(mask, np.nan, values if values.dtype.kind == "f" else values.astype(np.float64))


def _read_csv(path: Path, choose: Choose) -> Table:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names, skip = _header(_lines(_head(path)), ",")
    wanted = list(choose(names))
    try:
        with closing(_open(path)) as stream:
            data = arrow_csv.read_csv(
                stream, read_options=arrow_csv.ReadOptions(skip_rows=skip, column_names=list(names)),
                convert_options=arrow_csv.ConvertOptions(include_columns=wanted, null_values=_NULLS),
            )
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{path} is not readable as CSV: {_short(error)}; write or download it again") from error
    return Table("csv", None, names, {name: _numeric_null(data[name]) for name in wanted})


def _numeric_null(column) -> NDArray:
    """A column of nothing but nulls has no type: it is all NaN."""
    return np.full(len(column), np.nan) if str(column.type) == "null" else column.to_numpy()


def _read_text(path: Path, choose: Choose) -> Table:
    names, skip = _header(_lines(_head(path)), None)
    wanted = list(choose(names))
    places = [names.index(name) for name in wanted]
    try:
        with closing(_open(path)) as stream, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*input contained no data", category=UserWarning)
            data = np.loadtxt(stream, skiprows=skip, usecols=places, ndmin=2, encoding="utf-8")
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise FormatError(
            f"{path} is not readable as whitespace-separated numbers: {_short(error)}; write or download it again"
        ) from error
    data = data.reshape(-1, len(wanted))
    return Table("text", None, names, {name: data[:, place].copy() for place, name in enumerate(wanted)})


def _header(lines: Sequence[str], delimiter: str | None) -> tuple[tuple[str, ...], int]:
    """Column names, and the number of lines before the first row."""
    start = next(i for i, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    first = _split(lines[start], delimiter)
    if not all(_is_number(field) for field in first):
        return tuple(first), start + 1
    comments = [_split(line.lstrip("#"), delimiter) for line in lines[:start] if line.startswith("#")]
    if comments and len(comments[-1]) == len(first):
        return tuple(comments[-1]), start
    return tuple(f"col{i + 1}" for i in range(len(first))), start


def _split(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return field in _NULLS
    return True


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")


def _head(path: Path) -> bytes:
    try:
        with closing(_open(path)) as stream:
            return stream.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{path} cannot be read: {_short(error)}; write or download it again") from error


def _lines(head: bytes) -> list[str]:
    return head.decode("utf-8-sig", errors="replace").splitlines()


def _short(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
