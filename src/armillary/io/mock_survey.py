"""A mock survey and its truth in one FITS file: GALAXIES first, then PLANTED voids and the sky MASK.

The galaxies are the first table and the mask is the only HEALPix map, so the file is a galaxy catalogue and a sky mask to
every reader of either.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from armillary.io.atomic import atomic_path
from armillary.io.sky_masks import mask_hdu
from armillary.model import GalaxyCatalog, HealpixMask

_UNITS = {"RA": "deg", "DEC": "deg", "ABSMAG": "mag", "APPARENT_MAGNITUDE": "mag", "X": "Mpc h-1", "Y": "Mpc h-1",
          "Z_CART": "Mpc h-1", "RADIUS": "Mpc h-1"}


def write_mock_survey(
    path: str | os.PathLike[str], galaxies: GalaxyCatalog, planted: Mapping[str, NDArray], mask: HealpixMask,
    header: Mapping[str, str | int | float | bool],
) -> None:
    """Write a mock survey.

    Parameters
    ----------
    path : the file.
    galaxies : what the survey observed.
    planted : columns of the planted voids, each (n_voids,).
    mask : the true footprint.
    header : how the survey was made, for the primary header; keys of up to 8 characters.

    Raises
    ------
    StorageError
        The disk is full or the place is not writable.
    """
    primary = fits.PrimaryHDU()
    primary.header.update(header)
    hdus = fits.HDUList(
        [primary, _table("GALAXIES", _galaxy_columns(galaxies)), _table("PLANTED", planted), mask_hdu(mask)]
    )
    with atomic_path(path) as temporary:
        hdus.writeto(temporary)


def _galaxy_columns(galaxies: GalaxyCatalog) -> dict[str, NDArray]:
    columns = {
        "TARGETID": galaxies.targetid, "RA": galaxies.ra, "DEC": galaxies.dec, "Z": galaxies.z,
        "WEIGHT": galaxies.weight, "ABSMAG": galaxies.absolute_magnitude, **galaxies.properties,
    }
    return {name: column for name, column in columns.items() if column is not None}


def _table(name: str, columns: Mapping[str, NDArray]) -> fits.BinTableHDU:
    formats = {"f8": "D", "f4": "E", "i8": "K", "i4": "J", "i2": "I", "b1": "L"}
    return fits.BinTableHDU.from_columns(
        [
            fits.Column(key.upper(), formats[np.asarray(values).dtype.str[1:]], unit=_UNITS.get(key.upper()), array=values)
            for key, values in columns.items()
        ],
        name=name,
    )
