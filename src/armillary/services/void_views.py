"""What can be asked of a void catalogue on disk: which void holds a position, a map, a slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.cosmology import Cosmology
from armillary.errors import InputError, OptionError
from armillary.io.atomic import atomic_path
from armillary.io.desivast import read_desivast
from armillary.io.galaxies import read_galaxies
from armillary.io.ply import write_ply
from armillary.io.point_membership import check_format, write_point_membership
from armillary.model import BoxRegion, GalaxyCatalog, Membership, MembershipCode, VoidCatalog
from armillary.plots.map3d import map_content, map_html
from armillary.plots.still import plot_void_map
from armillary.plots.style import METHOD_NAMES, figure_bytes
from armillary.plots.voids import plot_slice
from armillary.voids import Tessellation, classify
from armillary.voids.boundaries import zone_boundaries
from armillary.voids.cuts import ConeCut, Cut, PlaneCut
from armillary.voids.membership import void_of_zone
from armillary.voids.slices import middle_cut, slice_voids
from armillary.voids.surface import outline_surface, void_surface

#: What each membership code says of a position.
CODE_NAMES = {
    MembershipCode.WALL: "in no void", MembershipCode.VOID: "in a void",
    MembershipCode.NEAR_EDGE: "in no void, near the edge", MembershipCode.OUTSIDE: "outside the region searched",
}


@dataclass(frozen=True)
class ClassifyPoints:
    """Positions to look up in a void catalogue.

    Attributes
    ----------
    points : table of ra, dec, z (a survey) or x, y, z in Mpc/h (a box).
    voids : void catalogue in the DESIVAST layout.
    out : table to write, FITS, Parquet, ECSV or CSV by its extension; or None.
    columns : our name -> the file's, for columns that are not recognised.
    cosmo : the cosmology of the distances when the void catalogue does not say, or None.
    """

    points: Path
    voids: Path
    out: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    cosmo: Cosmology | None = None


@dataclass(frozen=True)
class ClassifyResult:
    """Where each position stands.

    Attributes
    ----------
    method : the method of the void catalogue.
    code : (n,) :class:`~armillary.model.MembershipCode`, in the order of the points.
    void : (n,) a void that holds the position, -1 for none.
    out : the table written, or None.
    """

    method: str
    code: NDArray[np.int8]
    void: NDArray[np.int64]
    out: Path | None

    def counts(self) -> dict[str, int]:
        """How many positions have each code, by its meaning."""
        return {name: int(np.count_nonzero(self.code == code)) for code, name in CODE_NAMES.items()}


@dataclass(frozen=True)
class MapVoids:
    """A picture of voids in space: ``.html`` to turn in a browser, ``.png``, or their surfaces as ``.ply``.

    Attributes
    ----------
    voids : void catalogue in the DESIVAST layout.
    out : the file.
    galaxies : catalogue of galaxies to show, or None for those that the void catalogue holds (V2).
    columns : our name -> the file's, for galaxy columns that are not recognised.
    cosmo : the cosmology of the galaxies' distances when the void catalogue does not say, or None.
    """

    voids: Path
    out: Path
    galaxies: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    cosmo: Cosmology | None = None


@dataclass(frozen=True)
class SliceVoids:
    """A flat picture of voids along a cone of constant declination (survey) or a plane (box), ``.png`` or ``.svg``.

    Attributes
    ----------
    voids, out, galaxies, columns, cosmo : see :class:`MapVoids`.
    dec : declination of the cone [deg], or None for the middle.
    axis : ``x``, ``y`` or ``z``: the axis that the plane is perpendicular to, or None for z.
    at : where the plane crosses that axis [Mpc/h], or None for the middle.
    thickness : galaxies within half of this of the slice are shown [Mpc/h].
    """

    voids: Path
    out: Path
    galaxies: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    cosmo: Cosmology | None = None
    dec: float | None = None
    axis: str | None = None
    at: float | None = None
    thickness: float = 10.0

    def __post_init__(self) -> None:
        if self.dec is not None and (self.axis is not None or self.at is not None):
            raise OptionError("--dec cuts a survey along a cone, --axis and --at a box along a plane; give one kind")


@dataclass(frozen=True)
class DrawResult:
    """What was drawn.

    Attributes
    ----------
    out : the file.
    method : the method of the void catalogue.
    voids : how many voids are in it.
    """

    out: Path
    method: str
    voids: int


def classify_points(request: ClassifyPoints) -> ClassifyResult:
    """Say which void holds each position of a table, and write it when asked.

    Raises
    ------
    ArmillaryError
        In one sentence: a file cannot be read, the cosmology is not known, or ``out`` exists.
    """
    if request.out is not None:
        check_format(request.out)
        _new(request.out)
    voids = read_desivast(request.voids)
    points = _read(request.points, voids, request.columns)
    code, void = classify(_positions(points, voids, request.cosmo), voids)
    if request.out is not None:
        write_point_membership(request.out, {**_coordinates(points), "code": code, "void": void})
    return ClassifyResult(voids.method, code, void, request.out)


def map_voids(request: MapVoids) -> DrawResult:
    """Draw voids in space, or write their surfaces.

    Raises
    ------
    ArmillaryError
        In one sentence: a file cannot be read, the extension is unknown, or ``out`` exists.
    """
    kind = _kind(request.out, ("html", "png", "ply"))
    voids = read_desivast(request.voids)
    if kind == "ply":
        surface = void_surface(_with_triangles(voids))
        owner = {} if surface.face_void is None else {"void": surface.face_void}
        write_ply(surface.vertices, surface.faces, request.out, face_values=owner,
                  comment=f"{METHOD_NAMES[voids.method]} voids, comoving Mpc/h")
        return DrawResult(request.out, voids.method, len(voids))
    galaxies = _galaxies(request, voids)
    surface = outline_surface(voids)
    if kind == "html":
        figure = map_content({voids.method: voids}, {voids.method: surface}, galaxies)
        title = f"{METHOD_NAMES[voids.method]} voids of {request.voids.name}"
        content = map_html(figure, title).encode("utf-8")
    else:
        content = _picture(plot_void_map(voids, surface, galaxies), "png")
    _write(request.out, content)
    return DrawResult(request.out, voids.method, len(voids))


def slice_void_catalog(request: SliceVoids) -> DrawResult:
    """Draw the voids where a cone or a plane cuts them.

    Raises
    ------
    ArmillaryError
        In one sentence: a file cannot be read, the slice misses everything, the extension is unknown, or ``out`` exists.
    """
    kind = _kind(request.out, ("png", "svg"))
    voids = read_desivast(request.voids)
    galaxies = _galaxies(request, voids)
    if galaxies is not None:
        voids = replace(voids, membership=_membership(galaxies, voids))
    piece = slice_voids(voids, _cut(request, voids, galaxies), galaxies, thickness=request.thickness)
    _write(request.out, _picture(plot_slice(piece), kind))
    return DrawResult(request.out, voids.method, len(np.unique(piece.outline_void)))


def _with_triangles(voids: VoidCatalog) -> VoidCatalog:
    """The catalogue with boundary triangles; those that it lacks are made from its galaxies.

    Made so, each zone is drawn once, with the smallest void that holds it: nested voids are drawn without the voids
    inside them, and the ZOBOV void that takes every zone only where no other void is.
    """
    zones = voids.zones
    if zones is None or zones.surface is not None:
        return voids
    periodic = voids.region if isinstance(voids.region, BoxRegion) and voids.region.periodic else None
    tessellation = Tessellation.of(zones.xyz, periodic=periodic)
    holder = void_of_zone(voids, np.arange(len(zones)))
    drawn = np.unique(holder[holder >= 0])
    surface = zone_boundaries(tessellation, zones.zone, [np.flatnonzero(holder == void) for void in drawn])
    return replace(voids, zones=replace(zones, surface=replace(surface, void=drawn[surface.void])))


def _cut(request: SliceVoids, voids: VoidCatalog, galaxies: NDArray | None) -> Cut:
    everything = voids.centre if galaxies is None or not len(galaxies) else galaxies
    middle = middle_cut(everything, voids.region, on_sky=voids.on_sky)
    if isinstance(middle, ConeCut):
        if request.axis is None and request.at is None:
            return middle if request.dec is None else ConeCut(request.dec, middle.ra)
        axis = "xyz".index(request.axis or "z")
        return PlaneCut(axis, float(np.median(everything[:, axis])) if request.at is None else request.at)
    if request.dec is not None:
        raise OptionError(f"--dec was given, but {request.voids} is a box, which has no sky; use --axis and --at")
    axis = "xyz".index(request.axis or "z")
    if isinstance(voids.region, BoxRegion):
        centre = 0.5 * (voids.region.low[axis] + voids.region.high[axis])
    else:
        centre = float(0.5 * (everything[:, axis].min() + everything[:, axis].max()))
    return PlaneCut(axis, centre if request.at is None else request.at)


def _galaxies(request: MapVoids | SliceVoids, voids: VoidCatalog) -> NDArray[np.float64] | None:
    """Positions (n, 3) [Mpc/h] of the galaxies to show, or None."""
    if request.galaxies is not None:
        return _positions(_read(request.galaxies, voids, request.columns), voids, request.cosmo)
    return None if voids.zones is None else voids.zones.xyz


def _membership(galaxies: NDArray[np.float64], voids: VoidCatalog) -> Membership:
    """Which of the galaxies to show are in voids; none counts as a tracer, since the file does not say."""
    code, void = classify(galaxies, voids)
    unknown = np.full(len(galaxies), np.nan)
    return Membership(code, np.zeros(len(galaxies), dtype=bool), void, unknown)


def _read(path: Path, voids: VoidCatalog, columns: Mapping[str, str]) -> GalaxyCatalog:
    """Positions of the kind that the voids are in; a void catalogue that does not say is taken for a survey."""
    box = isinstance(voids.region, BoxRegion) or "x" in columns
    return read_galaxies(path, columns=columns, box=box, fewest=1)[0]


def _positions(galaxies: GalaxyCatalog, voids: VoidCatalog, cosmo: Cosmology | None) -> NDArray[np.float64]:
    known = voids.cosmo
    if known is not None and cosmo is not None and known.omega_m != cosmo.omega_m:
        raise OptionError(
            f"--omega-m is {cosmo.omega_m}, but the voids were found with {known.omega_m}; leave the option out"
        )
    if galaxies.on_sky and known is None and cosmo is None:
        raise InputError("the void catalogue does not say in which cosmology its lengths are; give --omega-m")
    return galaxies.positions(known or cosmo)


def _coordinates(points: GalaxyCatalog) -> dict[str, NDArray]:
    if points.xyz is not None:
        return dict(zip("xyz", points.xyz.T, strict=True))
    columns = {"targetid": points.targetid, "ra": points.ra, "dec": points.dec, "z": points.z}
    return {name: column for name, column in columns.items() if column is not None}


def _kind(path: Path, known: tuple[str, ...]) -> str:
    kind = path.suffix.lower().lstrip(".")
    if kind not in known:
        raise OptionError(f"{path} does not end in .{', .'.join(known)}; give it the extension of what is wanted")
    _new(path)
    return kind


def _new(path: Path) -> None:
    if path.exists():
        raise OptionError(f"{path} exists; move it away or choose another --out")


def _picture(axes: Any, kind: str) -> bytes:
    return figure_bytes(axes.figure, kind)


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
