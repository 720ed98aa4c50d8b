"""Positions and the void that holds each, as a table in the format that the file's name asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armillary import __version__
from armillary.errors import OptionError
from armillary.io.atomic import atomic_path

#: Extension -> format.
FORMATS = {".parquet": "parquet", ".fits": "fits", ".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}


def check_format(path: str | os.PathLike[str]) -> str:
    """The format that the extension of ``path`` asks for.

    Raises
    ------
    OptionError
        It asks for none that can be written.
    """
    kind = FORMATS.get(Path(path).suffix.lower())
    if kind is None:
        raise OptionError(f"{path} does not end in {', '.join(FORMATS)}; give it the extension of the format wanted")
    return kind


def write_point_membership(path: str | os.PathLike[str], columns: Mapping[str, NDArray]) -> None:
    """Write columns of equal length, in the format of the extension.

    Raises
    ------
    OptionError
        See :func:`check_format`.
    StorageError
        The disk is full or the place is not writable.
    """
    kind = check_format(path)
    with atomic_path(path) as temporary:
        if kind == "parquet":
            import pyarrow as pa
            from pyarrow import parquet

            table = pa.table(dict(columns)).replace_schema_metadata({"creator": f"armillary {__version__}"})
            parquet.write_table(table, temporary, compression="zstd")
        else:
            from astropy.table import Table

            # FITS has no signed bytes; astropy would write them as truth values.
            wide = {name: array.astype(np.int16) if array.dtype == np.int8 else array for name, array in columns.items()}
            Table(wide).write(temporary, format=kind)
