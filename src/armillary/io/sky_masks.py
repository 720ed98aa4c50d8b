"""Sky masks as HEALPix maps in FITS (the BINTABLE convention of Gorski et al. 2005, section "PIXTYPE = HEALPIX").

Full maps list every pixel in order (INDXSCHM IMPLICIT), as one number in each row or as vectors of them; partial maps
name their pixels in a column (EXPLICIT). RING and NESTED ordering, equatorial and Galactic maps are read; what is
written is RING, equatorial, one byte for each pixel. A pixel is inside the survey where the map is above 0.5; NaN and
the "unseen" value -1.6375e30 are outside.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from armillary.errors import FormatError, MaskError
from armillary.io.atomic import atomic_path
from armillary.io.fits_tables import find_column, open_fits, read_column
from armillary.model import HealpixMask
from armillary.model.masks import LARGEST_NSIDE

#: A pixel with more than this is inside the survey.
INSIDE = 0.5

_PIXEL_COLUMNS = ("PIXEL", "PIX", "IPIX", "HPIX", "HPXPIXEL", "PIXNUM")


def read_sky_mask(path: str | os.PathLike[str]) -> HealpixMask:
    """Read a survey footprint.

    A Galactic map (COORDSYS G) is rotated: each equatorial pixel takes the value of the Galactic pixel that holds its
    centre, so the border moves by up to half a pixel.

    Raises
    ------
    InputError
        No such file.
    FormatError
        The file is not FITS, is truncated, or holds no HEALPix map.
    MaskError
        The number of pixels does not fit NSIDE, a pixel number is out of range, or no pixel is inside.
    """
    with open_fits(path) as hdus:
        return mask_from_hdu(_map_hdu(hdus, Path(path)), Path(path))


def write_sky_mask(mask: HealpixMask, path: str | os.PathLike[str]) -> None:
    """Write a footprint as a full HEALPix map.

    Raises
    ------
    MaskError
        The mask is not a HEALPix mask.
    StorageError
        The disk is full or the place is not writable.
    """
    if not isinstance(mask, HealpixMask):
        raise MaskError(f"a {type(mask).__name__} has no pixels of a HEALPix map; write a HealpixMask")
    hdus = fits.HDUList([fits.PrimaryHDU(), mask_hdu(mask)])
    with atomic_path(path) as temporary:
        hdus.writeto(temporary)


def mask_hdu(mask: HealpixMask) -> fits.BinTableHDU:
    """A footprint as the table HDU of a full HEALPix map, EXTNAME MASK."""
    column = fits.Column("MASK", "B", array=mask.pixels.astype(np.uint8))
    hdu = fits.BinTableHDU.from_columns([column], name="MASK")
    for key, value, comment in (
        ("PIXTYPE", "HEALPIX", "HEALPix pixelization"),
        ("ORDERING", "RING", "Pixel ordering scheme"),
        ("NSIDE", mask.nside, "Pixels along a side of a base pixel"),
        ("FIRSTPIX", 0, "First pixel"),
        ("LASTPIX", 12 * mask.nside**2 - 1, "Last pixel"),
        ("INDXSCHM", "IMPLICIT", "Every pixel is listed, in order"),
        ("OBJECT", "FULLSKY", "Sky coverage"),
        ("COORDSYS", "C", "Equatorial (ICRS)"),
    ):
        hdu.header[key] = (value, comment)
    return hdu


def mask_from_hdu(hdu: fits.BinTableHDU, path: Path) -> HealpixMask:
    """The footprint in a table HDU that holds a HEALPix map; ``path`` is for messages."""
    header = hdu.header
    ordering = str(header.get("ORDERING", "RING")).strip().upper()
    if ordering not in ("RING", "NESTED", "NEST"):
        raise FormatError(f"{path} has ORDERING {ordering}; expected RING or NESTED")
    pixel_column = next((found for name in _PIXEL_COLUMNS if (found := find_column(hdu, name))), None)
    if str(header.get("INDXSCHM", "EXPLICIT")).strip().upper() != "EXPLICIT":
        pixel_column = None
    value_column = next((name for name in hdu.columns.names if name != pixel_column), None)
    if value_column is None:
        raise FormatError(f"{path} has a HEALPix table without a column of values; expected one beside {pixel_column}")
    inside = _numbers(hdu, value_column, path) > INSIDE
    nside = _nside(header, inside.size if pixel_column is None else None, path)
    if pixel_column is not None:
        pixels = _listed_pixels(nside, _numbers(hdu, pixel_column, path), inside, path)
    elif inside.size != 12 * nside**2:
        raise MaskError(
            f"{path} has {inside.size} pixels, but NSIDE {nside} needs {12 * nside**2}; correct NSIDE or the map"
        )
    else:
        pixels = inside
    if ordering != "RING":
        pixels = _nested_to_ring(nside, pixels, path)
    return _equatorial(HealpixMask(nside, pixels), str(header.get("COORDSYS", "C")), path)


def _map_hdu(hdus: fits.HDUList, path: Path) -> fits.BinTableHDU:
    tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
    maps = [hdu for hdu in tables if hdu.header.get("PIXTYPE") == "HEALPIX" or "NSIDE" in hdu.header]
    if not maps and len(tables) != 1:
        there = ", ".join(hdu.name or "(unnamed)" for hdu in hdus)
        raise FormatError(f"{path} holds no HEALPix map: no table with PIXTYPE or NSIDE (HDUs: {there})")
    return (maps or tables)[0]


def _numbers(hdu: fits.BinTableHDU, name: str, path: Path) -> NDArray:
    """A column of the map, flat."""
    values = read_column(hdu, name).ravel()
    if values.dtype.kind not in "biuf":
        raise FormatError(f"{path} has no numbers in column {name}; expected those of a HEALPix map")
    return values


def _nside(header: fits.Header, n_pixels: int | None, path: Path) -> int:
    nside = header.get("NSIDE")
    if nside is None and n_pixels is not None:
        nside = round((n_pixels / 12) ** 0.5)
    if nside is None or not 1 <= int(nside) <= LARGEST_NSIDE:
        raise MaskError(f"{path} has NSIDE {nside}; a HEALPix map needs one from 1 to {LARGEST_NSIDE}")
    return int(nside)


def _listed_pixels(nside: int, numbers: NDArray, inside: NDArray[np.bool_], path: Path) -> NDArray[np.bool_]:
    n_sky = 12 * nside**2
    if numbers.size != inside.size:
        raise MaskError(f"{path} has {inside.size} values for {numbers.size} pixels; expected one for each")
    if not np.isfinite(numbers).all():
        raise MaskError(f"{path} has {np.count_nonzero(~np.isfinite(numbers))} pixels without a number; correct the map")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= n_sky):
        raise MaskError(
            f"{path} has pixels numbered {numbers.min()} to {numbers.max()}, but NSIDE {nside} has {n_sky}, "
            f"numbered from 0; correct NSIDE or the map"
        )
    pixels = np.zeros(n_sky, dtype=bool)
    pixels[numbers[inside].astype(np.int64)] = True
    return pixels


def _nested_to_ring(nside: int, pixels: NDArray[np.bool_], path: Path) -> NDArray[np.bool_]:
    from astropy_healpix.core import nested_to_ring

    if nside & (nside - 1):
        raise MaskError(f"{path} is NESTED with NSIDE {nside}, which is no power of two; write the map in RING order")
    ring = np.empty_like(pixels)
    ring[nested_to_ring(np.arange(pixels.size), nside)] = pixels
    return ring


def _equatorial(mask: HealpixMask, system: str, path: Path) -> HealpixMask:
    kind = system.strip().upper()[:1]
    if kind in ("C", "I", "F", "Q", ""):  # celestial, ICRS, FK5, equatorial
        return mask
    if kind != "G":
        raise FormatError(f"{path} has COORDSYS {system}; expected C (equatorial) or G (Galactic)")
    from astropy.coordinates import Galactic
    from astropy_healpix import HEALPix

    centres = HEALPix(nside=mask.nside, order="ring", frame="icrs").healpix_to_skycoord(np.arange(mask.pixels.size))
    galactic = centres.transform_to(Galactic())
    return HealpixMask(mask.nside, mask.contains(galactic.l.deg, galactic.b.deg))
