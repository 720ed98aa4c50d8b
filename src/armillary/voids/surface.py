"""The boundaries of voids as triangles, for measuring, for files and for pictures.

Three surfaces are made here.

* :func:`union_surface`: the boundary of a union of spheres, the exact shape of a VoidFinder void. It is the zero level of

      f(x) = min_i ( |x - c_i| - r_i ),

  sampled on a cubic grid and triangulated by marching cubes (Lewiner et al. 2003). With grid step h the area and the
  volume of a sphere of radius r are low by about 0.3 (h/r)^2 and 0.6 (h/r)^2. Creases between spheres are rounded on
  the scale of h, spheres smaller than 0.87 h may fall between grid nodes, and enclosed cavities are part of the boundary.
* :func:`void_surface`: the same for every void of a catalogue, or the cell walls of a watershed void.
* :func:`outline_surface`: a light picture of every void with a fixed number of triangles, for maps with thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.measure import marching_cubes

from armillary.errors import InputError, OptionError
from armillary.model import BoxRegion, Holes, VoidCatalog, VoidSurface

#: Largest sampling grid of one void, in nodes: 256 MB of float32.
MAX_NODES = 64_000_000


@dataclass(frozen=True)
class Surface:
    """A triangulated surface; corners run anticlockwise seen from outside.

    Attributes
    ----------
    vertices : (n, 3) Mpc/h.
    faces : (k, 3) rows of ``vertices``.
    face_void : (k,) void that the triangle bounds, or None for a single body.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    face_void: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3:
            raise InputError(f"surface vertices have shape {self.vertices.shape}; expected (n, 3)")
        if self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise InputError(f"surface faces have shape {self.faces.shape}; expected (k, 3)")
        if self.faces.size and not 0 <= self.faces.min() <= self.faces.max() < len(self.vertices):
            raise InputError(f"surface faces name vertices outside 0..{len(self.vertices) - 1}")
        if self.face_void is not None and self.face_void.shape != (len(self.faces),):
            raise InputError(f"face_void has shape {self.face_void.shape}; expected ({len(self.faces)},)")

    def __len__(self) -> int:
        return len(self.faces)

    def _cross(self) -> NDArray[np.float64]:
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return np.cross(b - a, c - a)

    @property
    def area(self) -> float:
        """Total area [(Mpc/h)^2]."""
        return float(0.5 * np.linalg.norm(self._cross(), axis=1).sum())

    @property
    def volume(self) -> float:
        """Enclosed volume [(Mpc/h)^3] by the divergence theorem; right only for closed surfaces."""
        corner = self.vertices[self.faces[:, 0]]
        origin = self.vertices.mean(axis=0) if len(self.vertices) else np.zeros(3)
        return float(np.einsum("ij,ij->", corner - origin, self._cross()) / 6.0)

    @property
    def euler_characteristic(self) -> int:
        """V - E + F over the vertices in use: 2 for each closed body without handles."""
        edges = np.sort(self.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        return len(np.unique(self.faces)) - len(np.unique(edges, axis=0)) + len(self.faces)

    @property
    def is_watertight(self) -> bool:
        """True when every edge is run through equally often in both directions, so that nothing leaks out."""
        n = len(self.vertices)
        start, end = self.faces[:, [0, 1, 2]].ravel(), self.faces[:, [1, 2, 0]].ravel()
        return bool(np.array_equal(np.sort(start * n + end), np.sort(end * n + start)))

    def vertex_normals(self) -> NDArray[np.float64]:
        """Unit outward normals (n, 3): the mean of the triangles around each vertex, weighted by area."""
        normals = np.zeros_like(self.vertices)
        cross = self._cross()
        for axis in range(3):
            normals[:, axis] = np.bincount(
                self.faces.ravel(), weights=np.repeat(cross[:, axis], 3), minlength=len(self.vertices)
            )
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        return np.divide(normals, length, out=np.zeros_like(normals), where=length > 0.0)

    def of_voids(self, voids: ArrayLike) -> Surface:
        """The part of the surface that bounds the given voids, with unused vertices left out."""
        if self.face_void is None:
            raise InputError("this surface does not say which void its triangles bound; it has no face_void")
        keep = np.isin(self.face_void, voids)
        used, faces = np.unique(self.faces[keep], return_inverse=True)
        return Surface(self.vertices[used], faces.reshape(-1, 3), self.face_void[keep])


def union_surface(centre: ArrayLike, radius: ArrayLike, *, resolution: float = 1.0) -> Surface:
    """Triangulate the boundary of a union of spheres.

    The grid covers the bounding box of the spheres, and each sphere is evaluated only on the nodes around it, so time
    grows with the sum of (r_i / resolution)^3 and memory with the bounding box.

    Parameters
    ----------
    centre : (m, 3) Mpc/h.
    radius : (m,) Mpc/h.
    resolution : grid step, Mpc/h.

    Returns
    -------
    Surface
        Closed, normals outward. Bodies that do not touch are separate closed parts.

    Raises
    ------
    InputError
        When there is no sphere, or a centre or radius is not finite, or a radius not positive.
    OptionError
        When the step is not positive, is larger than every sphere, or needs more than ``MAX_NODES`` nodes.
    """
    centre = np.asarray(centre, dtype=np.float64).reshape(-1, 3)
    radius = np.asarray(radius, dtype=np.float64).ravel()
    _check_spheres(centre, radius, resolution)
    low, shape = _grid(centre, radius, resolution)
    field = _union_field(centre, radius, resolution, low, shape)
    vertices, faces, _, _ = marching_cubes(field, level=0.0)
    return Surface(vertices.astype(np.float64) * resolution + low, faces.astype(np.int64))


def void_surface(catalog: VoidCatalog, voids: Iterable[int] | None = None, *, resolution: float = 1.0) -> Surface:
    """The boundaries of voids of a catalogue: unions of holes, or walls between watershed cells.

    Parameters
    ----------
    catalog : the voids; a watershed catalogue needs ``zones.surface``.
    voids : indices of the voids wanted; all of them when None.
    resolution : grid step for unions of holes, Mpc/h; ignored for watershed voids.

    Returns
    -------
    Surface
        With ``face_void``; different voids share no vertex. In a periodic box each void is drawn in one piece around its
        centre; a watershed void longer than half the box may be torn.

    Raises
    ------
    InputError
        When a void does not exist, or the catalogue carries no surface.
    """
    wanted = _wanted(catalog, voids)
    if catalog.holes is not None:
        parts = [
            (void, union_surface(hole_centres(catalog, void, rows), catalog.holes.radius[rows], resolution=resolution))
            for void, rows in holes_by_void(catalog.holes, wanted)
        ]
        return _joined(parts)
    triangles = catalog.zones.surface if catalog.zones is not None else None
    if triangles is None:
        raise InputError(
            f"the {catalog.method} catalogue has no boundary triangles; "
            "find the voids again with surfaces on, or draw them with outline_surface"
        )
    return _merged(triangles, wanted)


def outline_surface(
    catalog: VoidCatalog, voids: Iterable[int] | None = None, *, max_vertices: int = 90_000
) -> Surface:
    """A light picture of each void: one geodesic sphere, pulled into the shape of the void.

    For a union of holes every direction from the centre of the maximal sphere is followed to where it first leaves the
    union, so the part of the void seen from its centre is drawn and anything behind a corner is left out (little, since
    a hole joins a void only when half of it lies inside the maximal sphere). A watershed void is drawn as its inertia
    ellipsoid scaled to the void's volume, or as the sphere of its effective radius when its axes are not known.

    Parameters
    ----------
    catalog : the voids, of either kind.
    voids : indices of the voids wanted; all of them when None.
    max_vertices : the number of vertices, shared equally; each void has between 42 and 642.

    Returns
    -------
    Surface
        With ``face_void``, the voids in order and each with the same number of vertices.
    """
    wanted = _wanted(catalog, voids)
    share = max_vertices / max(wanted.size, 1)
    directions, faces = geodesic_sphere(int(np.clip(np.sqrt(max(share - 2.0, 0.0) / 10.0), 2, 8)))
    radial = np.tile(directions, (wanted.size, 1, 1))
    if catalog.holes is not None:
        position = {int(void): i for i, void in enumerate(wanted)}
        radial *= catalog.radius[wanted][:, None, None]
        for void, rows in holes_by_void(catalog.holes, wanted):
            extent = _first_exit(
                directions, catalog.radius[void], hole_centres(catalog, void, rows) - catalog.centre[void],
                catalog.holes.radius[rows],
            )
            radial[position[void]] = directions * extent[:, None]
    else:
        axes = catalog.zones.axes if catalog.zones is not None else None
        for i, void in enumerate(wanted):
            radial[i] = directions @ _volume_axes(None if axes is None else axes[void], float(catalog.r_eff[void]))
    vertices = radial + catalog.centre[wanted][:, None, :]
    offsets = np.arange(wanted.size)[:, None, None] * len(directions)
    return Surface(
        vertices.reshape(-1, 3), (faces[None] + offsets).reshape(-1, 3), np.repeat(wanted, len(faces))
    )


def geodesic_sphere(frequency: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Unit sphere from an icosahedron whose edges are cut in ``frequency`` parts.

    Returns
    -------
    directions : (10 frequency^2 + 2, 3) unit vectors.
    faces : (20 frequency^2, 3) anticlockwise seen from outside.
    """
    if frequency < 1:
        raise OptionError(f"geodesic frequency is {frequency}; expected at least 1")
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    corner = np.array([[0.0, s, t * golden] for s in (-1, 1) for t in (-1, 1)])
    corner = np.concatenate([corner, np.roll(corner, 1, axis=1), np.roll(corner, 2, axis=1)])
    distance = np.linalg.norm(corner[:, None] - corner[None], axis=2)
    near = np.abs(distance - 2.0) < 1e-9
    triples = [
        (a, b, c) for a in range(12) for b in range(a + 1, 12) for c in range(b + 1, 12)
        if near[a, b] and near[b, c] and near[a, c]
    ]
    points: list[NDArray[np.float64]] = []
    faces: list[tuple[int, int, int]] = []
    for a, b, c in triples:
        if np.linalg.det(corner[[a, b, c]]) < 0.0:
            b, c = c, b
        start = len(points) * (frequency + 1) * (frequency + 2) // 2
        steps = [(i, j) for i in range(frequency + 1) for j in range(frequency + 1 - i)]
        index = {step: start + position for position, step in enumerate(steps)}
        i, j = np.array(steps).T[:, :, None]
        points.append(corner[a] + i / frequency * (corner[b] - corner[a]) + j / frequency * (corner[c] - corner[a]))
        for p, q in steps:
            if p + q < frequency:
                faces.append((index[p, q], index[p + 1, q], index[p, q + 1]))
            if p + q < frequency - 1:
                faces.append((index[p + 1, q], index[p + 1, q + 1], index[p, q + 1]))
    flat = np.concatenate(points)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    _, first, inverse = np.unique(np.round(flat, 9) + 0.0, axis=0, return_index=True, return_inverse=True)
    return flat[first], inverse.ravel()[np.array(faces)]


def holes_by_void(holes: Holes, wanted: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows of the holes of each wanted void that has any, in one pass over the table."""
    order = np.argsort(holes.void, kind="stable")
    start = np.searchsorted(holes.void, wanted, side="left", sorter=order)
    stop = np.searchsorted(holes.void, wanted, side="right", sorter=order)
    for void, first, last in zip(wanted, start, stop, strict=True):
        if last > first:
            yield int(void), order[first:last]


def hole_centres(catalog: VoidCatalog, void: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Centres (m, 3) [Mpc/h] of the given holes of a void, in a periodic box those images nearest to the void."""
    assert catalog.holes is not None
    centre = catalog.holes.centre[rows]
    if isinstance(catalog.region, BoxRegion) and catalog.region.periodic:
        size = catalog.region.size
        centre = centre - size * np.round((centre - catalog.centre[void]) / size)
    return centre


def _wanted(catalog: VoidCatalog, voids: Iterable[int] | None) -> NDArray[np.int64]:
    if voids is None:
        return np.arange(len(catalog))
    wanted = np.unique(np.asarray(list(voids), dtype=np.int64))
    absent = wanted[(wanted < 0) | (wanted >= len(catalog))]
    if absent.size:
        raise InputError(
            f"void {', '.join(map(str, absent[:5]))} is not in the {catalog.method} catalogue; "
            f"expected indices from 0 to {len(catalog) - 1}"
        )
    return wanted


def _check_spheres(centre: NDArray, radius: NDArray, resolution: float) -> None:
    if not len(radius) or len(centre) != len(radius):
        raise InputError(f"a union surface needs spheres; {len(centre)} centres and {len(radius)} radii were given")
    if not (np.isfinite(centre).all() and np.isfinite(radius).all() and (radius > 0.0).all()):
        raise InputError("a union surface needs finite centres and positive finite radii [Mpc/h]")
    if not 0.0 < resolution <= radius.max():
        raise OptionError(
            f"surface resolution is {resolution} Mpc/h; expected more than 0 and at most the largest radius, "
            f"{radius.max():.3g} Mpc/h"
        )


def _grid(centre: NDArray, radius: NDArray, resolution: float) -> tuple[NDArray[np.float64], tuple[int, int, int]]:
    low = (centre - radius[:, None]).min(axis=0) - 2.0 * resolution
    high = (centre + radius[:, None]).max(axis=0) + 2.0 * resolution
    shape = np.ceil((high - low) / resolution).astype(np.int64) + 1
    if np.prod(shape.astype(float)) > MAX_NODES:
        fits = resolution * (np.prod(shape.astype(float)) / MAX_NODES) ** (1.0 / 3.0)
        raise OptionError(
            f"a surface of {np.ceil(high - low).astype(int).tolist()} Mpc/h at resolution {resolution} Mpc/h needs "
            f"{np.prod(shape.astype(float)):.2g} grid nodes (limit {MAX_NODES:.2g}); use {1.05 * fits:.2g} or coarser"
        )
    return low, (int(shape[0]), int(shape[1]), int(shape[2]))


def _union_field(
    centre: NDArray, radius: NDArray, resolution: float, low: NDArray, shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Signed distance in grid steps, right wherever it is below one step and two or more elsewhere outside."""
    field = np.full(shape, 2.0, dtype=np.float32)
    for c, r in zip((centre - low) / resolution, radius / resolution, strict=True):
        first = np.maximum(np.floor(c - r - 2.0), 0).astype(int)
        last = np.minimum(np.ceil(c + r + 2.0).astype(int) + 1, shape)
        x, y, z = (np.arange(a, b, dtype=np.float64) - o for a, b, o in zip(first, last, c, strict=True))
        square = (x * x)[:, None, None] + (y * y)[None, :, None] + (z * z)[None, None, :]
        window = field[first[0] : last[0], first[1] : last[1], first[2] : last[2]]
        np.minimum(window, np.sqrt(square) - r, out=window, casting="same_kind")
    # A node exactly on the surface would make triangles of no area, and with them open edges.
    np.copyto(field, np.float32(1e-3), where=np.abs(field) < 1e-3)
    return field


def _first_exit(directions: NDArray, start: float, centre: NDArray, radius: NDArray) -> NDArray[np.float64]:
    """Distance (n,) along each direction from the origin, inside a ball of radius ``start``, to the end of the union."""
    along = directions @ centre.T
    half = along**2 - (centre**2).sum(axis=1) + radius**2
    half = np.sqrt(np.where(half > 0.0, half, np.nan))
    enter, leave = along - half, along + half
    extent = np.full(len(directions), start)
    while True:
        reached = np.where(enter <= extent[:, None], leave, -np.inf).max(axis=1, initial=-np.inf)
        further = np.maximum(extent, reached)
        if np.array_equal(further, extent):
            return extent
        extent = further


def _volume_axes(axes: NDArray | None, r_eff: float) -> NDArray[np.float64]:
    """Rows are semi-axes [Mpc/h] whose product is r_eff^3; a sphere when the axes are unknown or flat."""
    if axes is not None and np.isfinite(axes).all():
        product = abs(float(np.linalg.det(axes)))
        if product > 1e-6 * float(np.linalg.norm(axes, axis=1).max()) ** 3:
            return axes * (r_eff / product ** (1.0 / 3.0))
    return np.eye(3) * r_eff


def _merged(triangles: VoidSurface, wanted: NDArray[np.int64]) -> Surface:
    keep = np.isin(triangles.void, wanted)
    void, corners = triangles.void[keep], triangles.vertices[keep].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum("ij,ij->i", normal, triangles.normal[keep]) < 0.0
    corners[inward] = corners[inward][:, ::-1]
    # Neighbouring triangles share corners bit for bit, or to the precision of a float32 column.
    keys = np.column_stack([np.repeat(void, 3), np.round(corners.reshape(-1, 3), 4)])
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    faces = inverse.reshape(-1, 3)
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Surface(corners.reshape(-1, 3)[first], faces[whole], void[whole])


def _joined(parts: list[tuple[int, Surface]]) -> Surface:
    if not parts:
        return Surface(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64), np.empty(0, dtype=np.int64))
    offset = np.cumsum([0] + [len(part.vertices) for _, part in parts[:-1]])
    return Surface(
        np.concatenate([part.vertices for _, part in parts]),
        np.concatenate([part.faces + start for (_, part), start in zip(parts, offset, strict=True)]),
        np.concatenate([np.full(len(part), void, dtype=np.int64) for void, part in parts]),
    )
