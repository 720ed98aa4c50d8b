"""FITS files as tables: opened strictly, found by EXTNAME, columns by name whatever their case.

astropy only warns of a file that ends early and skips an extension whose header is broken; here both are errors, since
a catalogue that silently lost its end is worse than none. Tables of plain columns are written here byte for byte as astropy
would, in a fraction of the time that it takes to look at every card.
"""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import ArrayLike, NDArray

from armillary.errors import ColumnError, FormatError, InputError

_BLOCK = 1 << 20
_FITS_BLOCK = 2880
#: Kind of array -> TFORM and the big-endian type of FITS.
_COLUMN_TYPES = {"f": ("D", ">f8"), "i": ("K", ">i8"), "u": ("K", ">i8"), "b": ("L", "S1")}
_BROKEN = ("truncated", "Error validating header", "Unexpected extra padding", "END card")
_DAMAGED = (OSError, EOFError, ValueError, zlib.error, fits.VerifyError, AstropyUserWarning)
_UNREADABLE = (*_DAMAGED, TypeError, IndexError, KeyError)


def existing_file(path: str | os.PathLike[str]) -> Path:
    """The path, when it is a file that exists and is not empty.

    Raises
    ------
    InputError
        There is nothing at the path, it is a directory, or it may not be read.
    FormatError
        The file is empty.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a directory; name a file in it")
    if not path.exists():
        raise InputError(f"there is no file {path}; check the path")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read; check its permissions")
    if path.is_file() and path.stat().st_size == 0:
        raise FormatError(f"{path} is empty; write or download it again")
    return path


@contextmanager
def open_fits(path: str | os.PathLike[str]) -> Iterator[fits.HDUList]:
    """Open a FITS file and read all its headers.

    Raises
    ------
    InputError
        See :func:`existing_file`.
    FormatError
        The file is not FITS, ends early or has a broken header; also when its data turn out so inside the block.
    """
    path = existing_file(path)
    _check_gzip(path)
    with path.open("rb") as stream, warnings.catch_warnings():  # astropy itself leaves a file that it refuses open
        for message in _BROKEN:
            warnings.filterwarnings("error", message=f"(?s).*{message}", category=AstropyUserWarning)
        try:
            hdus = fits.open(stream, lazy_load_hdus=False)
        except _UNREADABLE as error:
            raise FormatError(f"{path} is not readable as FITS: {_first_line(error)}; download it again") from error
        with hdus:
            try:
                yield hdus
            except _DAMAGED as error:
                raise FormatError(f"{path} is damaged: {_first_line(error)}; download it again") from error


def _check_gzip(path: Path) -> None:
    """Read a gzipped file to its end once: astropy takes one that ends early for one with fewer extensions."""
    with path.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            return
    try:
        with gzip.open(path, "rb") as unzipped:
            while unzipped.read(_BLOCK):
                pass
    except _DAMAGED as error:
        raise FormatError(f"{path} is not readable as FITS: {_first_line(error)}; download it again") from error


def find_table(hdus: fits.HDUList, name: str | None = None) -> fits.BinTableHDU | fits.TableHDU:
    """The table of that EXTNAME, or the first one.

    Raises
    ------
    FormatError
        There is no such table; the message lists those that there are.
    """
    tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
    for hdu in tables:
        if name is None or hdu.name.upper() == name.upper():
            return hdu
    there = ", ".join(hdu.name or "(unnamed)" for hdu in tables) or "none"
    wanted = "no table" if name is None else f"no table named {name}"
    raise FormatError(f"{hdus.filename()} has {wanted} (tables: {there})")


def find_column(hdu: fits.BinTableHDU, name: str) -> str | None:
    """The column's own spelling of ``name``, exact or else in any case, or None."""
    if name in hdu.columns.names:
        return name
    return next((own for own in hdu.columns.names if own.upper() == name.upper()), None)


def read_column(hdu: fits.BinTableHDU, name: str, dtype: Any = None) -> NDArray:
    """A column as an array of its own in native byte order; an integer column with nulls becomes float, null NaN.

    Raises
    ------
    ColumnError
        The table has no such column; the message lists those that it has.
    """
    own = find_column(hdu, name)
    if own is None:
        place, there = hdu.fileinfo()["file"].name, ", ".join(hdu.columns.names)
        raise ColumnError(f"HDU {hdu.name} of {place} has no column {name}; it has {there}")
    values = np.asarray(hdu.data[own])
    null = hdu.columns[own].null
    if values.dtype.kind in "iu" and null not in (None, ""):
        missing = values == int(null)
        if missing.any():
            return np.where(missing, np.nan, values.astype(np.float64))
    return np.array(values, dtype=dtype or values.dtype.newbyteorder("="), order="C")


def read_columns(hdu: fits.BinTableHDU, names: str) -> NDArray[np.float64]:
    """Columns, named in one string, side by side: (n, k)."""
    return np.column_stack([read_column(hdu, name, np.float64) for name in names.split()])


def write_table(
    stream: BinaryIO, name: str, columns: Mapping[str, tuple[ArrayLike, str | None]],
    count: tuple[str, str] | None = None,
) -> None:
    """Append a binary table: doubles, 64-bit integers and truth values.

    Parameters
    ----------
    name : EXTNAME.
    columns : name -> values (n,) and unit or None.
    count : keyword and comment of one more card for the number of rows.
    """
    arrays = {key: np.asarray(values) for key, (values, _) in columns.items()}
    kinds = {key: _COLUMN_TYPES[array.dtype.kind] for key, array in arrays.items()}
    rows = len(next(iter(arrays.values())))
    data = np.empty(rows, dtype=[(key, kind) for key, (_, kind) in kinds.items()])
    for key, array in arrays.items():
        data[key] = np.where(array, b"T", b"F") if array.dtype.kind == "b" else array
    cards = [
        _card("XTENSION", "BINTABLE", "binary table extension"), _card("BITPIX", 8, "array data type"),
        _card("NAXIS", 2, "number of array dimensions"), _card("NAXIS1", data.dtype.itemsize, "length of dimension 1"),
        _card("NAXIS2", rows, "length of dimension 2"), _card("PCOUNT", 0, "number of group parameters"),
        _card("GCOUNT", 1, "number of groups"), _card("TFIELDS", len(columns), "number of table fields"),
    ]
    for place, (key, (_, unit)) in enumerate(columns.items(), start=1):
        cards += [_card(f"TTYPE{place}", key), _card(f"TFORM{place}", kinds[key][0])]
        cards += [_card(f"TUNIT{place}", unit)] if unit else []
    cards.append(_card("EXTNAME", name, "extension name"))
    if count is not None:
        cards.append(_card(count[0], rows, count[1]))
    header = "".join([*cards, f"{'END':80}"]).encode("ascii")
    stream.write(header + b" " * (-len(header) % _FITS_BLOCK))
    stream.write(data.tobytes())
    stream.write(b"\0" * (-data.nbytes % _FITS_BLOCK))


def _card(key: str, value: str | int, comment: str = "") -> str:
    """A card of 80 characters, in FITS' fixed format; for short plain words and whole numbers."""
    shown = f"{value:>20}" if isinstance(value, int) else "{:20}".format(f"'{value:8}'")
    card = f"{key:8}= {shown}" + (f" / {comment}" if comment else "")
    return f"{card:80}"


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0].partition(". If this is")[0].rstrip(".") if text else type(error).__name__  # no advice on astropy's options
