"""``galaxies.parquet``: what each method says of every row of the input catalogue.

One row for each row of the input, in its order; rows that were left out when it was read stand there with nulls. For
each method ``M`` the columns ``M_code`` (0 wall, 1 void, 2 near the edge, 9 outside), ``M_void``, ``M_tracer`` and
``M_centre_distance``; beside them ``voidfinder_wall`` and ``zone``, which the prunings of one tessellation share.
Units and meaning stand in the metadata of each field.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from pyarrow import parquet

from armillary import __version__
from armillary.errors import FormatError, InputError
from armillary.io.atomic import atomic_path
from armillary.io.fits_tables import existing_file
from armillary.model import GalaxyCatalog, Membership, VoidCatalog

_CODES = "0 in no void, 1 in a void, 2 in no void and within 10 Mpc/h of the edge, 9 outside the region; null not used"
_WALL = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 5, 9], dtype=np.int32)), pa.py_buffer(b"fieldwall"))

#: Field and values of a column.
_Column = tuple[pa.Field, pa.Array]


def write_membership(
    galaxies: GalaxyCatalog, catalogs: Mapping[str, VoidCatalog], path: str | os.PathLike[str],
    excluded_rows: ArrayLike | None = None, n_rows: int | None = None,
) -> None:
    """Write one row for each row of the input.

    Parameters
    ----------
    galaxies : the n galaxies that voids were looked for in.
    catalogs : method -> its voids, with their ``membership`` of these galaxies.
    path : the Parquet file.
    excluded_rows : rows of the input that are not among the galaxies, counted from 0.
    n_rows : rows of the input; n plus the excluded ones when not given.

    Raises
    ------
    InputError
        A catalogue has no membership of these galaxies, the rows do not add up, or the methods disagree on the zones.
    StorageError
        The disk is full or the place is not writable.
    """
    rows = _input_rows(len(galaxies), excluded_rows, n_rows)
    columns = [*_galaxy_columns(galaxies, rows), *_method_columns(catalogs, len(galaxies), rows)]
    schema = pa.schema([field for field, _ in columns], metadata={"creator": f"armillary {__version__}"})
    table = pa.Table.from_arrays([values for _, values in columns], schema=schema)
    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def read_membership(path: str | os.PathLike[str]) -> pa.Table:
    """The table that :func:`write_membership` wrote, with the metadata of its fields.

    Raises
    ------
    InputError
        No such file.
    FormatError
        The file is not Parquet, is truncated, or holds another table.
    """
    path = existing_file(path)
    try:
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"{path} is not readable as Parquet ({error}); write it again") from error
    if "row" not in table.column_names:
        raise FormatError(f"{path} has no column row: it is no table of memberships; name a galaxies.parquet")
    return table


class _Rows:
    """Where the n galaxies stand among the rows of the input."""

    def __init__(self, place: NDArray[np.int64], n_rows: int) -> None:
        self.place = place
        self.n_rows = n_rows

    def spread(self, values: NDArray, kind: pa.DataType, valid: NDArray[np.bool_] | None = None) -> pa.Array:
        """The values in the rows of the input, null elsewhere and where not ``valid``."""
        full = np.zeros(self.n_rows, dtype=values.dtype)
        full[self.place] = values
        null = np.ones(self.n_rows, dtype=bool)
        null[self.place] = False if valid is None else ~valid
        return _arrow(full, kind, null)


def _arrow(values: NDArray, kind: pa.DataType, null: NDArray[np.bool_]) -> pa.Array:
    """The values (n,) as numbers of that kind; ``pa.array`` would load pandas first, to tell whether they are its own."""
    if pa.types.is_boolean(kind):
        data = np.packbits(values, bitorder="little")
    else:
        data = np.ascontiguousarray(values, dtype=f"{'f' if pa.types.is_floating(kind) else 'i'}{kind.bit_width // 8}")
    valid = pa.py_buffer(np.packbits(~null, bitorder="little")) if null.any() else None
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(data)])


def _input_rows(n: int, excluded_rows: ArrayLike | None, n_rows: int | None) -> _Rows:
    excluded = np.unique(np.asarray([] if excluded_rows is None else excluded_rows, dtype=np.int64))
    total = n + len(excluded) if n_rows is None else n_rows
    if n + len(excluded) != total or (len(excluded) and not 0 <= excluded[0] <= excluded[-1] < total):
        raise InputError(
            f"{n} galaxies and {len(excluded)} excluded rows are not the {total} rows of the input; "
            "expected each row once"
        )
    kept = np.ones(total, dtype=bool)
    kept[excluded] = False
    return _Rows(np.flatnonzero(kept), total)


def _field(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    return pa.field(name, kind, metadata={"description": meaning, "unit": unit})


def _galaxy_columns(galaxies: GalaxyCatalog, rows: _Rows) -> Iterator[_Column]:
    yield _field("row", pa.int64(), "row of the input catalogue, from 0"), _arrow(
        np.arange(rows.n_rows), pa.int64(), np.zeros(rows.n_rows, dtype=bool))
    f8 = pa.float64()
    if galaxies.xyz is not None:
        for axis, values in zip("xyz", galaxies.xyz.T, strict=True):
            yield _field(axis, f8, f"comoving position along {axis}", "Mpc/h"), rows.spread(values, f8)
    else:
        assert galaxies.ra is not None
        assert galaxies.dec is not None
        assert galaxies.z is not None
        yield _field("ra", f8, "right ascension, ICRS", "deg"), rows.spread(galaxies.ra, f8)
        yield _field("dec", f8, "declination, ICRS", "deg"), rows.spread(galaxies.dec, f8)
        kind = pa.from_numpy_dtype(galaxies.z.dtype)
        yield _field("z", kind, "redshift, in the precision of the input"), rows.spread(galaxies.z, kind)
    if galaxies.targetid is not None:
        yield _field("targetid", pa.int64(), "identifier of the input"), rows.spread(galaxies.targetid, pa.int64())


def _method_columns(catalogs: Mapping[str, VoidCatalog], n: int, rows: _Rows) -> Iterator[_Column]:
    zone: NDArray[np.int64] | None = None
    for method, catalog in catalogs.items():
        member = catalog.membership
        if member is None or len(member) != n:
            held = "none" if member is None else f"that of {len(member)}"
            raise InputError(f"the voids of {method} have no membership of the {n} galaxies ({held}); find them again")
        yield from _one_method(method, member, rows)
        if member.zone is not None:
            zone = _joined(zone, member.zone, method)
    if zone is not None:
        yield (
            _field("zone", pa.int32(), "watershed zone of the galaxy; null for none"),
            rows.spread(zone, pa.int32(), zone >= 0),
        )


def _joined(zone: NDArray[np.int64] | None, more: NDArray[np.int64], method: str) -> NDArray[np.int64]:
    """Zones of one tessellation as two prunings tell them: of a galaxy outside the region only the one whose void holds it."""
    if zone is None:
        return more
    if ((zone != more) & (zone >= 0) & (more >= 0)).any():
        raise InputError(f"the zones of {method} differ from those before it; write one tessellation at a time")
    return np.maximum(zone, more)


def _one_method(method: str, member: Membership, rows: _Rows) -> Iterator[_Column]:
    void, distance = member.void, member.centre_distance
    yield _field(f"{method}_code", pa.int8(), _CODES), rows.spread(member.code, pa.int8())
    yield (
        _field(f"{method}_void", pa.int32(), f"void that holds the galaxy, a row of {method}.fits; null for none"),
        rows.spread(void, pa.int32(), void >= 0),
    )
    yield (
        _field(f"{method}_tracer", pa.bool_(), "whether voids were found with this galaxy"),
        rows.spread(member.tracer, pa.bool_()),
    )
    yield (
        _field(f"{method}_centre_distance", pa.float64(),
               "distance to the nearest void centre, in units of that void's effective radius", "r_eff"),
        rows.spread(distance, pa.float64(), np.isfinite(distance)),
    )
    if member.wall is not None:
        kind = pa.dictionary(pa.int8(), pa.string())
        index = rows.spread(np.maximum(member.wall, 0), pa.int8(), member.wall >= 0)
        yield (
            _field(f"{method}_wall", kind, "wall or field, by the distance to the third neighbour; null: not a tracer"),
            pa.DictionaryArray.from_arrays(index, _WALL),
        )
