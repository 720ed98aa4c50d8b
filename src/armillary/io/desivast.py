"""Void catalogues in the layout of DESIVAST (Rincon et al. 2024, arXiv:2411.00148).

============  =====================================================================================================
HDU           columns, in comoving Mpc/h and degrees; those in brackets are ours
============  =====================================================================================================
PRIMARY       no data; every parameter, the region and the cosmology in the header
MAXIMALS      VoidFinder: X Y Z RADIUS VOID EDGE R RA DEC R_EFF R_EFF_UNCERT [REDSHIFT]
HOLES         VoidFinder: X Y Z RADIUS VOID [BOUNDARY]
VOIDS         V2: VOID X Y Z REDSHIFT RA DEC RADIUS X1 ... Z3 TOT_AREA EDGE_AREA [EDGE R_EFF_UNCERT]
ZONEVOID      V2: ZONE VOID0 VOID1 [VOLUME]
GALZONE       V2: GAL TARGET X Y Z ZONE DEPTH EDGE OUT
TRIANGLE      V2: VOID_ID N_X N_Y N_Z P1_X ... P3_Z, the boundary of each void; no rows when SURFACES is F
GALVIZ        V2: GID G2V, the largest void that holds the galaxy; -1 for none
MASK          ours: the sky mask, a HEALPix map or the cells of an equal-angle grid
============  =====================================================================================================

Columns that nothing is known for are left out (TARGET without identifiers, X1 ... without axes). In a box directions
and redshifts mean nothing and are NaN. A V2 file always has all five tables; the card SURFACES says whether boundaries
were triangulated. GALVIZ has no G2V2, the neighbouring void, which the model does not keep.
A catalogue written here reads back equal but for its ``membership``, ``seconds`` and the galaxies that holes touch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import ArrayLike, NDArray

from armillary.errors import FormatError
from armillary.io.atomic import atomic_path
from armillary.io.desivast_header import is_ours, read_header, region_hdu, write_header
from armillary.io.fits_tables import find_column, open_fits, read_column, read_columns, write_table
from armillary.model import Holes, VoidCatalog, VoidSurface, Zones
from armillary.model.voids import METHODS
from armillary.units import MPC_H

_AREA, _VOLUME = "Mpc2 h-2", "Mpc3 h-3"
_AXES = "X1 Y1 Z1 X2 Y2 Z2 X3 Y3 Z3"
_NORMAL = "N_X N_Y N_Z"
_CORNERS = "P1_X P1_Y P1_Z P2_X P2_Y P2_Z P3_X P3_Y P3_Z"

#: Name -> values and unit; and a table: EXTNAME, columns, and the card that counts its rows.
_Columns = dict[str, tuple[ArrayLike, str | None]]
_Table = tuple[str, _Columns, tuple[str, str] | None]


def write_desivast(
    catalog: VoidCatalog, path: str | os.PathLike[str], *, info: Mapping[str, object] | None = None
) -> None:
    """Write a void catalogue.

    Parameters
    ----------
    catalog : the voids of one method.
    path : the file; it appears whole or not at all, in place of an older one.
    info : further cards of the PRIMARY header: keyword (up to 8 characters) -> value.

    Raises
    ------
    OptionError
        ``info`` has a key or value that FITS cannot hold.
    StorageError
        The disk is full or the place is not writable.
    """
    tables = _voidfinder_tables(catalog) if catalog.holes is not None else _watershed_tables(catalog)
    primary, mask = write_header(catalog, info or {}), region_hdu(catalog.region)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(primary.header.tostring().encode("ascii"))
        for table in tables:
            write_table(stream, *table)
        if mask is not None:
            stream.write(_bytes(mask))


def read_desivast(path: str | os.PathLike[str]) -> VoidCatalog:
    """Read a void catalogue: one of ours, a released DESIVAST file, or the older lower-case layout of VAST.

    Voids are numbered by their rows. The method is the METHOD card's, else it follows from the HDUs and the name of
    the file, else from the zones. A VoidFinder file without R_EFF gives NaN for ``r_eff`` and its uncertainty; a V2
    file gives RADIUS for ``r_eff``, and without an EDGE column a void is at the edge when its EDGE_AREA is positive.
    A TRIANGLE table without rows reads as no surface. Sequences among the parameters read back as tuples. VAST files
    number the galaxies of edge cells with one more, last zone; where its galaxies are exactly those with EDGE 1, they
    read as zone -1 (the zone keeps its row, without galaxies), and otherwise as they are.

    Raises
    ------
    InputError
        No such file.
    FormatError
        The file is not FITS, is truncated, lacks an HDU, or its method cannot be told.
    ColumnError
        A table lacks a column.
    """
    with open_fits(path) as hdus:
        method = _method(hdus, Path(path))
        parameters, region, cosmo = read_header(hdus, Path(path))
        content = _read_voidfinder(hdus) if method == "voidfinder" else _read_watershed(hdus, Path(path))
        return VoidCatalog(method=method, parameters=parameters, region=region, cosmo=cosmo, **content)


def _bytes(hdu: fits.BinTableHDU) -> bytes:
    """The extension as it stands in a file, behind an empty primary HDU of one block."""
    buffer = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    return buffer.getvalue()[2880:]


def _lengths(names: str, values: NDArray, unit: str | None = MPC_H) -> _Columns:
    """Columns of the (n, ...) array, by the names in one string."""
    keys = names.split()
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), len(keys))
    return {key: (flat[:, place], unit) for place, key in enumerate(keys)}


def _sky(catalog: VoidCatalog) -> _Columns:
    if catalog.on_sky:
        ra, dec, distance = catalog.sky()
        redshift = catalog.redshift()
    else:
        ra = dec = distance = redshift = np.full(len(catalog), np.nan)
    return {"REDSHIFT": (redshift, None), "RA": (ra, "deg"), "DEC": (dec, "deg"), "R": (distance, MPC_H)}


def _voidfinder_tables(catalog: VoidCatalog) -> list[_Table]:
    holes, sky = catalog.holes, _sky(catalog)
    assert holes is not None
    maximals = {
        **_lengths("X Y Z", catalog.centre), "RADIUS": (catalog.radius, MPC_H), "VOID": (np.arange(len(catalog)), None),
        "EDGE": (catalog.edge, None), "R": sky["R"], "RA": sky["RA"], "DEC": sky["DEC"],
        "R_EFF": (catalog.r_eff, MPC_H), "R_EFF_UNCERT": (catalog.r_eff_uncertainty, MPC_H),
        "REDSHIFT": sky["REDSHIFT"],
    }
    spheres: _Columns = {
        **_lengths("X Y Z", holes.centre), "RADIUS": (holes.radius, MPC_H), "VOID": (holes.void, None),
    }
    if holes.boundary is not None:
        spheres["BOUNDARY"] = (holes.boundary, None)
    return [
        ("MAXIMALS", maximals, ("VOID", "Void count")),
        ("HOLES", spheres, ("HOLE", "Hole count")),
    ]


def _watershed_tables(catalog: VoidCatalog) -> list[_Table]:
    zones, sky = catalog.zones, _sky(catalog)
    assert zones is not None
    voids: _Columns = {
        "VOID": (np.arange(len(catalog)), None), **_lengths("X Y Z", catalog.centre), "REDSHIFT": sky["REDSHIFT"],
        "RA": sky["RA"], "DEC": sky["DEC"], "RADIUS": (catalog.radius, MPC_H),
    }
    if zones.axes is not None:
        voids |= _lengths(_AXES, zones.axes)
    for key, area in (("TOT_AREA", zones.total_area), ("EDGE_AREA", zones.edge_area)):
        if area is not None:
            voids[key] = (area, _AREA)
    voids["EDGE"] = (catalog.edge, None)
    if catalog.r_eff_uncertainty.any():
        voids["R_EFF_UNCERT"] = (catalog.r_eff_uncertainty, MPC_H)
    zone_void: _Columns = {
        "ZONE": (np.arange(len(zones)), None), "VOID0": (zones.void0, None), "VOID1": (zones.void1, None),
    }
    if zones.volume is not None:
        zone_void["VOLUME"] = (zones.volume, _VOLUME)
    galaxies: _Columns = {"GAL": (zones.galaxy, None)}
    if zones.targetid is not None:
        galaxies["TARGET"] = (zones.targetid, None)
    galaxies |= {
        **_lengths("X Y Z", zones.xyz), "ZONE": (zones.zone, None), "DEPTH": (zones.depth, None),
        "EDGE": (zones.edge.astype(np.int64), None), "OUT": (zones.out.astype(np.int64), None),
    }
    return [
        ("VOIDS", voids, ("VOID", "Void count")),
        ("ZONEVOID", zone_void, ("COUNT", "Zone count")),
        ("GALZONE", galaxies, ("COUNT", "Galaxy count")),
        *_surface_tables(zones),
    ]


def _surface_tables(zones: Zones) -> list[_Table]:
    surface = zones.surface or VoidSurface(np.empty(0, dtype=np.int64), np.empty((0, 3)), np.empty((0, 3, 3)))
    held = np.full(len(zones.galaxy), -1, dtype=np.int64)
    in_zone = zones.zone >= 0
    held[in_zone] = zones.void1[zones.zone[in_zone]]
    triangles = {
        "VOID_ID": (surface.void, None), **_lengths(_NORMAL, surface.normal, None),
        **_lengths(_CORNERS, surface.vertices),
    }
    return [
        ("TRIANGLE", triangles, None),
        ("GALVIZ", {"GID": (zones.galaxy, None), "G2V": (held, None)}, None),
    ]


def _hdu(hdus: fits.HDUList, name: str) -> fits.BinTableHDU:
    if name not in hdus:
        there = ", ".join(hdu.name or "(unnamed)" for hdu in hdus)
        raise FormatError(f"{hdus.filename()} has no HDU {name} (HDUs: {there}); expected the layout of DESIVAST")
    return hdus[name]


def _rows_by_void(hdu: fits.BinTableHDU, path: str) -> NDArray[np.int64]:
    """VOID of each row; without the column, rows are numbered."""
    if find_column(hdu, "VOID") is None:
        return np.arange(len(hdu.data), dtype=np.int64)
    numbers = read_column(hdu, "VOID", np.int64)
    if np.unique(numbers).size != numbers.size:
        raise FormatError(f"{path} has voids with the same number in its HDU {hdu.name}; expected each once")
    return numbers


def _to_rows(numbers: NDArray[np.int64], voids: NDArray[np.int64], path: str) -> NDArray[np.int64]:
    """The rows of the voids with these numbers; -1 stays -1."""
    order = np.argsort(voids)
    if not len(voids):
        place = np.zeros(numbers.shape, dtype=np.int64)
        known = np.zeros(numbers.shape, dtype=bool)
    else:
        place = order[np.minimum(np.searchsorted(voids, numbers, sorter=order), len(voids) - 1)]
        known = voids[place] == numbers
    lost = ~known & (numbers != -1)
    if lost.any():
        raise FormatError(f"{path} refers to void {numbers[lost][0]}, which is not among its {len(voids)} voids")
    return np.where(known, place, -1)


def _read_voidfinder(hdus: fits.HDUList) -> dict[str, Any]:
    maximals, holes, path = _hdu(hdus, "MAXIMALS"), _hdu(hdus, "HOLES"), hdus.filename()
    voids = _rows_by_void(maximals, path)
    unknown = np.full(len(voids), np.nan)

    def optional(name: str) -> NDArray[np.float64]:
        return read_column(maximals, name, np.float64) if find_column(maximals, name) else unknown

    spheres = Holes(
        centre=read_columns(holes, "X Y Z"), radius=read_column(holes, "RADIUS", np.float64),
        void=_to_rows(read_column(holes, "VOID", np.int64), voids, path),
        boundary=read_column(holes, "BOUNDARY", bool) if find_column(holes, "BOUNDARY") else None,
    )
    return {
        "centre": read_columns(maximals, "X Y Z"), "radius": read_column(maximals, "RADIUS", np.float64),
        "r_eff": optional("R_EFF"), "r_eff_uncertainty": optional("R_EFF_UNCERT"),
        "edge": read_column(maximals, "EDGE", np.int64), "holes": spheres,
    }


def _read_watershed(hdus: fits.HDUList, path: Path) -> dict[str, Any]:
    table = _hdu(hdus, "VOIDS")
    voids = _rows_by_void(table, str(path))
    optional = {name: find_column(table, name) is not None for name in ("X1", "TOT_AREA", "EDGE_AREA", "R_EFF_UNCERT")}
    radius = read_column(table, "RADIUS", np.float64)
    edge_area = read_column(table, "EDGE_AREA", np.float64) if optional["EDGE_AREA"] else None
    if find_column(table, "EDGE") is None and edge_area is not None:
        edge = (edge_area > 0).astype(np.int64)
    else:
        edge = read_column(table, "EDGE", np.int64)
    zones = Zones(
        **_read_zones(_hdu(hdus, "ZONEVOID"), voids, str(path)), **_read_galaxies(_hdu(hdus, "GALZONE")),
        axes=read_columns(table, _AXES).reshape(-1, 3, 3) if optional["X1"] else None,
        total_area=read_column(table, "TOT_AREA", np.float64) if optional["TOT_AREA"] else None,
        edge_area=edge_area, surface=_read_surface(hdus, voids, str(path)),
    )
    return {
        "centre": read_columns(table, "X Y Z"), "radius": radius, "r_eff": radius.copy(),
        "r_eff_uncertainty": (
            read_column(table, "R_EFF_UNCERT", np.float64) if optional["R_EFF_UNCERT"] else np.zeros(len(radius))
        ),
        "edge": edge, "zones": zones if is_ours(hdus) else _without_edge_zone(zones),
    }


def _read_zones(hdu: fits.BinTableHDU, voids: NDArray[np.int64], path: str) -> dict[str, Any]:
    order = np.argsort(read_column(hdu, "ZONE", np.int64), kind="stable")
    volume = read_column(hdu, "VOLUME", np.float64)[order] if find_column(hdu, "VOLUME") else None
    return {
        "void0": _to_rows(read_column(hdu, "VOID0", np.int64)[order], voids, path),
        "void1": _to_rows(read_column(hdu, "VOID1", np.int64)[order], voids, path), "volume": volume,
    }


def _read_galaxies(hdu: fits.BinTableHDU) -> dict[str, Any]:
    return {
        "galaxy": read_column(hdu, "GAL", np.int64), "xyz": read_columns(hdu, "X Y Z"),
        "zone": read_column(hdu, "ZONE", np.int64), "depth": read_column(hdu, "DEPTH", np.int64),
        "edge": read_column(hdu, "EDGE", np.int64) != 0, "out": read_column(hdu, "OUT", np.int64) != 0,
        "targetid": read_column(hdu, "TARGET", np.int64) if find_column(hdu, "TARGET") else None,
    }


def _read_surface(hdus: fits.HDUList, voids: NDArray[np.int64], path: str) -> VoidSurface | None:
    if "TRIANGLE" not in hdus or not len(hdus["TRIANGLE"].data):
        return None
    hdu = hdus["TRIANGLE"]
    return VoidSurface(
        void=_to_rows(read_column(hdu, "VOID_ID", np.int64), voids, path), normal=read_columns(hdu, _NORMAL),
        vertices=read_columns(hdu, _CORNERS).reshape(-1, 3, 3),
    )


def _without_edge_zone(zones: Zones) -> Zones:
    last = zones.zone == len(zones) - 1
    if not last.any() or not np.array_equal(last, zones.edge):
        return zones
    return replace(zones, zone=np.where(last, -1, zones.zone))


def _method(hdus: fits.HDUList, path: Path) -> str:
    stated = hdus[0].header.get("METHOD")
    if stated is not None:
        if str(stated).strip().lower() not in METHODS:
            raise FormatError(f"{path} has METHOD {stated!r}; expected one of {', '.join(METHODS)}")
        return str(stated).strip().lower()
    if "MAXIMALS" in hdus:
        return "voidfinder"
    zone_void = _hdu(hdus, "ZONEVOID")
    named = [method for method in METHODS[1:] if method in path.name.lower()]
    if len(named) == 1:
        return named[0]
    void0, void1 = read_column(zone_void, "VOID0", np.int64), read_column(zone_void, "VOID1", np.int64)
    if len(void1) and void1[0] >= 0 and (void1 == void1[0]).all():
        return "zobov"  # its last void takes every zone
    held = void0[void0 >= 0]
    if (void0 != void1).any() or np.unique(held).size < held.size:
        return "vide"  # voids of several zones, which REVOLVER never makes
    raise FormatError(
        f"{path} does not say which method found its voids, and VIDE and REVOLVER would look alike; "
        "put vide or revolver in its name, or a METHOD card in its header"
    )
