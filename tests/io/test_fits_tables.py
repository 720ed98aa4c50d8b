"""Tables that are written here are those that astropy would write."""

import io

import numpy as np
import pytest
from astropy.io import fits

from armillary.io.fits_tables import write_table


@pytest.mark.parametrize("rows", [0, 1, 7, 1000])
def test_a_table_is_byte_for_byte_that_of_astropy(rows):
    rng = np.random.default_rng(rows)
    columns = {
        "X": (rng.normal(size=rows), "Mpc/h"), "ID": (rng.integers(-(2**60), 2**60, rows), None),
        "FEW": (rng.integers(0, 9, rows).astype(np.uint8), "a rather long unit of measurement"),
        "IN": (rng.random(rows) < 0.5, None), "SINGLE": (rng.normal(size=rows).astype(np.float32), ""),
    }
    made = [
        fits.Column(key, {"f": "D", "i": "K", "u": "K", "b": "L"}[values.dtype.kind], unit=unit, array=values)
        for key, (values, unit) in columns.items()
    ]
    theirs = fits.BinTableHDU.from_columns(made, name="THINGS")
    theirs.header["COUNT"] = (rows, "Thing count")
    expected, ours = io.BytesIO(), io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), theirs]).writeto(expected)
    write_table(ours, "THINGS", columns, ("COUNT", "Thing count"))
    assert len(ours.getvalue()) % 2880 == 0
    assert ours.getvalue() == expected.getvalue()[2880:]
