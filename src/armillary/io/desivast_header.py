"""The PRIMARY header of a void file: what was searched, how, and in which cosmology.

Short keywords, those of DESIVAST where it has one, are for people and other programs. A FITS card holds a number in 20
characters, which is not always all of its digits, so the whole description also stands as JSON in the long-string card
PARAMS; from that it reads back exactly. In files of other programs the short keywords are all that there is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from armillary import __version__
from armillary.cosmology import Cosmology
from armillary.errors import FormatError, OptionError
from armillary.io.fits_tables import read_column
from armillary.io.sky_masks import mask_from_hdu, mask_hdu
from armillary.model import BoxRegion, EqualAngleMask, HealpixMask, Region, SkyMask, SurveyRegion, VoidCatalog

CREATOR = "armillary"

#: Our parameter -> keyword and comment.
_PARAMETER_CARDS = {
    "min_radius": ("MINR", "Minimum void radius (Mpc/h)"),
    "magnitude_limit": ("MAGLIM", "Faintest absolute magnitude used"),
    "cell": ("HGEL", "Hole grid edge length (Mpc/h)"),
    "wall_sigma": ("WALLSIG", "Wall galaxies: d3 < mean + WALLSIG std"),
    "max_overlap": ("MAXOVER", "Largest overlap of maximal spheres"),
    "join_overlap": ("JOINOVER", "Overlap at which a hole joins a void"),
    "mask_cut": ("MHMO", "Largest part of a hole outside the mask"),
    "duplicate_tolerance": ("DUPTOL", "Holes this alike are one"),
}
_PRIMARY_STRUCTURE = {"SIMPLE", "BITPIX", "NAXIS", "EXTEND", "COMMENT", "HISTORY", "", "CHECKSUM", "DATASUM", "PARAMS"}
_BOX_CARDS = ("PXMIN", "PYMIN", "PZMIN", "PXMAX", "PYMAX", "PZMAX")
_EDGE_COMMENT = "EDGE of a void: 0 interior, 1 at the edge, 2 within 10 Mpc/h of it"


def write_header(catalog: VoidCatalog, info: Mapping[str, object]) -> fits.PrimaryHDU:
    """The PRIMARY HDU of a catalogue; ``info`` are further cards, which give way to ours.

    Raises
    ------
    OptionError
        A key of ``info`` is no FITS keyword, or its value no scalar.
    """
    primary = fits.PrimaryHDU()
    header = primary.header
    for key, value in info.items():
        header[_keyword(key)] = _card_value(key, value)
    for key, value, comment in _cards(catalog):
        if value is not None:
            header[key] = (value, comment)
    header["COMMENT"] = _EDGE_COMMENT
    header["COMMENT"] = "PARAMS: JSON of all parameters, region and cosmology, in full precision"
    header["PARAMS"] = _to_json(catalog)
    return primary


def region_hdu(region: Region | None) -> fits.BinTableHDU | None:
    """The mask of a survey as an HDU: a HEALPix map, or the list of cells of an equal-angle grid."""
    if not isinstance(region, SurveyRegion):
        return None
    if isinstance(region.mask, HealpixMask):
        return mask_hdu(region.mask)
    ra_cell, dec_cell = np.nonzero(region.mask.cells)
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("RA_CELL", "J", array=ra_cell), fits.Column("DEC_CELL", "J", array=dec_cell)], name="MASK"
    )
    hdu.header["PIXTYPE"] = ("EQUALANG", "int(RES RA), 90 RES + int(RES DEC)")
    hdu.header["RES"] = (region.mask.resolution, "Cells per degree")
    return hdu


def read_header(hdus: fits.HDUList, path: Path) -> tuple[dict[str, Any], Region | None, Cosmology | None]:
    """Parameters, region and cosmology of a void file.

    Raises
    ------
    FormatError
        The description that we wrote was damaged.
    """
    header = hdus[0].header
    if "PARAMS" not in header:
        return _foreign(header)
    try:
        described = _tuples(json.loads(header["PARAMS"]))
        cosmo = None if described["cosmo"] is None else Cosmology(**described["cosmo"])
        return described["parameters"], _region(described["region"], hdus, path), cosmo
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path} has a PARAMS card that does not describe a void catalogue ({error})") from error


def is_ours(hdus: fits.HDUList) -> bool:
    """True for a file that Armillary wrote."""
    return hdus[0].header.get("CREATOR") == CREATOR


def _cards(catalog: VoidCatalog) -> Iterator[tuple[str, Any, str]]:
    region, cosmo, parameters = catalog.region, catalog.cosmo, catalog.parameters
    yield "CREATOR", CREATOR, "Program that wrote this file"
    yield "VERSION", __version__, "Version of that program"
    yield "METHOD", catalog.method, "Void finding method"
    if cosmo is not None:
        yield "OMEGAM", cosmo.omega_m, "Matter density"
        yield "HP", cosmo.h, "Reduced Hubble parameter h (((km/s)/Mpc)/100)"
    if isinstance(region, SurveyRegion):
        limits = [region.r_min, region.r_max]
        known = [np.nan, np.nan] if cosmo is None else cosmo.redshift(limits).tolist()
        for place, (key, name) in enumerate((("ZLIML", "z_min"), ("ZLIMU", "z_max"))):
            given = parameters.get(name)
            yield key, _finite(known[place] if given is None else given), f"{('Lower', 'Upper')[place]} redshift limit"
        yield "DLIML", region.r_min, "Lower distance limit (Mpc/h)"
        yield "DLIMU", region.r_max, "Upper distance limit (Mpc/h)"
        yield "MASK", region.mask.describe(), "Sky mask; its pixels are in HDU MASK"
        yield "AREA", region.mask.area, "Sky area of the mask (deg2)"
        if isinstance(region.mask, HealpixMask):
            yield "NSIDE", region.mask.nside, "NSIDE of the HEALPix mask"
    if isinstance(region, BoxRegion):
        yield "PERIODIC", region.periodic, "Whether the box is periodic"
        for key, value in zip(_BOX_CARDS, (*region.low, *region.high), strict=True):
            yield key, float(value), f"{'Lower' if key.endswith('MIN') else 'Upper'} {key[1]} limit (Mpc/h)"
    if catalog.zones is not None:
        yield "SURFACES", catalog.zones.surface is not None, "Whether TRIANGLE holds the voids' boundaries"
    if region is not None:
        yield "VOLUME", region.volume, "Volume searched (Mpc/h)^3"
    for name, (key, comment) in _PARAMETER_CARDS.items():
        yield key, _finite(parameters.get(name)), comment


def _finite(value: Any) -> Any:
    """A value that a card can hold, or None."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str) else None


def _keyword(key: str) -> str:
    if not (key.isascii() and key.replace("_", "").replace("-", "").isalnum() and len(key) <= 8):
        raise OptionError(f"header keyword {key!r} is not one of FITS; use up to 8 letters, digits, - and _")
    return key.upper()


def _card_value(key: str, value: object) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        return value.encode("ascii", "backslashreplace").decode().replace("\n", " ")
    if value is not None and _finite(value) is None:
        raise OptionError(f"header card {key} is {value!r}; expected a finite number, a truth value or a string")
    return value


def _to_json(catalog: VoidCatalog) -> str:
    cosmo = catalog.cosmo
    described = {
        "parameters": _plain(catalog.parameters),
        "region": _describe_region(catalog.region),
        "cosmo": None if cosmo is None else {"omega_m": float(cosmo.omega_m), "h": float(cosmo.h)},
    }
    # ' and & have a meaning of their own in long-string cards; in JSON they only occur inside strings.
    return json.dumps(described, ensure_ascii=True).replace("'", "\\u0027").replace("&", "\\u0026")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _describe_region(region: Region | None) -> dict[str, Any] | None:
    if region is None:
        return None
    if isinstance(region, BoxRegion):
        return {"low": _plain(region.low), "high": _plain(region.high), "periodic": bool(region.periodic)}
    return {"r_min": float(region.r_min), "r_max": float(region.r_max)}


def _region(described: dict[str, Any] | None, hdus: fits.HDUList, path: Path) -> Region | None:
    if described is None:
        return None
    if "low" in described:
        return BoxRegion(**described)
    if "MASK" not in hdus:
        raise FormatError(f"{path} describes a survey but has lost its HDU MASK; write it again")
    return SurveyRegion(_mask(hdus["MASK"], path), **described)


def _mask(hdu: fits.BinTableHDU, path: Path) -> SkyMask:
    if hdu.header.get("PIXTYPE") != "EQUALANG":
        return mask_from_hdu(hdu, path)
    resolution = int(hdu.header["RES"])
    cells = np.zeros((360 * resolution, 180 * resolution), dtype=bool)
    cells[read_column(hdu, "RA_CELL"), read_column(hdu, "DEC_CELL")] = True
    return EqualAngleMask(resolution, cells)


def _foreign(header: fits.Header) -> tuple[dict[str, Any], Region | None, Cosmology | None]:
    """What the short keywords of another program's file say; a box is taken to be closed."""
    cards = {
        key.lower(): value for key, value in header.items()
        if key not in _PRIMARY_STRUCTURE and not isinstance(value, fits.card.Undefined)
    }
    omega_m, h = _number(cards.get("omegam")), _number(cards.get("hp"))
    cosmo = None
    if omega_m is not None and 0.0 < omega_m <= 1.0:
        cosmo = Cosmology(omega_m) if h is None else Cosmology(omega_m, h)
    return cards, _closed_box([_number(cards.get(key.lower())) for key in _BOX_CARDS]), cosmo


def _closed_box(limits: list[float | None]) -> BoxRegion | None:
    x0, y0, z0, x1, y1, z1 = limits
    if x0 is None or y0 is None or z0 is None or x1 is None or y1 is None or z1 is None:
        return None
    return BoxRegion((x0, y0, z0), (x1, y1, z1)) if x0 < x1 and y0 < y1 and z0 < z1 else None


def _number(value: Any) -> float | None:
    known = isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None
