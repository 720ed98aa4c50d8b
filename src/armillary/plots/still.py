"""A shaded still picture of voids in space, drawn without a display.

Triangles and galaxies are projected by a pinhole camera and painted from the farthest to the nearest in one collection,
so that a galaxy behind a void is hidden by it, which mplot3d cannot do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from armillary.model import VoidCatalog
from armillary.plots.style import EDGE_NAMES, EDGE_TINTS, INK, METHOD_COLOURS, METHOD_NAMES, MUTED, bare, own_axes, tint

#: Opacity of voids by edge flag: those cut by the edge of the survey step back.
_OPACITY: Mapping[int, float] = {0: 1.0, 2: 1.0, 1: 0.22}


class SurfaceLike(Protocol):
    """Triangles that know their void; made by :mod:`armillary.voids.surface`."""

    @property
    def vertices(self) -> NDArray[np.float64]:
        """(n, 3) Mpc/h."""
        ...

    @property
    def faces(self) -> NDArray[np.int64]:
        """(k, 3) rows of ``vertices``, anticlockwise seen from outside."""
        ...

    @property
    def face_void(self) -> NDArray[np.int64] | None:
        """(k,) index of the void."""
        ...

    def vertex_normals(self) -> NDArray[np.float64]:
        """(n, 3) unit outward normals."""
        ...


def plot_void_map(
    catalog: VoidCatalog, surface: SurfaceLike, galaxies_xyz: ArrayLike | None = None, *,
    colour_by: Literal["edge", "void"] = "edge", azimuth: float = 30.0, elevation: float = 25.0, ax: Axes | None = None,
) -> Axes:
    """Void surfaces lit from the upper left, with galaxies as dots, in perspective.

    Parameters
    ----------
    catalog : the voids; their edge flags choose the shade, and voids that touch the edge are drawn see-through.
    surface : their surfaces, from ``void_surface`` or ``outline_surface``.
    galaxies_xyz : (n, 3) Mpc/h.
    colour_by : ``edge`` shades by edge flag, ``void`` gives neighbouring voids different shades of the method's colour.
    azimuth, elevation : direction from which the camera looks [deg].
    """
    ax = own_axes(ax, width=8.0, height=7.0, whole=True)
    xyz = np.empty((0, 3)) if galaxies_xyz is None else np.asarray(galaxies_xyz, dtype=np.float64).reshape(-1, 3)
    everything = np.concatenate([surface.vertices, xyz])
    ax.set_aspect("equal")
    bare(ax, f"{METHOD_NAMES[catalog.method]}: {len(catalog):,} voids", size=12)
    if not len(everything):
        return ax
    camera = _Camera.around(everything, azimuth, elevation)
    polygons, colours, depth = _shaded(catalog, surface, camera, colour_by)
    if len(xyz):
        dots, shade, behind = _dots(xyz, camera)
        polygons, colours = np.concatenate([polygons, dots]), np.concatenate([colours, shade])
        depth = np.concatenate([depth, behind])
    order = np.argsort(depth)
    stack: Any = polygons[order]  # an array: a list would be taken apart polygon by polygon
    ax.add_collection(
        # Opaque neighbours meet pixel for pixel without antialiasing, see-through ones with it; otherwise seams show.
        PolyCollection(stack, facecolors=colours[order], linewidths=0, rasterized=True,
                       antialiaseds=colours[order, 3] < 1.0),
        autolim=False,
    )
    ax.update_datalim(polygons.reshape(-1, 2))
    ax.autoscale_view()
    _scale_bar(ax, camera.size)
    if colour_by == "edge":
        present = [edge for edge in (0, 2, 1) if (catalog.edge == edge).any()]
        handles = [Patch(color=_base(catalog.method, edge), label=EDGE_NAMES[edge], alpha=_OPACITY[edge]) for edge in present]
        ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, -0.04), frameon=False, fontsize=9,
                  labelcolor=INK, ncols=3)
    return ax


class _Camera:
    """Perspective projection: ``size`` is the radius of what is seen [Mpc/h], the camera three such radii away."""

    def __init__(self, centre: NDArray, size: float, rotation: NDArray) -> None:
        self.centre, self.size, self.rotation = centre, size, rotation

    @classmethod
    def around(cls, points: NDArray, azimuth: float, elevation: float) -> _Camera:
        low, high = points.min(axis=0), points.max(axis=0)
        a, e = np.radians(azimuth), np.radians(elevation)
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        rotation = np.stack([right, np.cross(towards, right), towards])
        return cls(0.5 * (low + high), 0.5 * float(np.linalg.norm(high - low)), rotation)

    def project(self, points: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places (n, 2) in units of Mpc/h at the centre, and nearness (n,) from -1 (far) to 1 (near)."""
        seen = (points - self.centre) @ self.rotation.T
        nearness = seen[:, 2] / self.size
        return seen[:, :2] * (3.0 / (3.0 - nearness))[:, None], nearness


def _shaded(
    catalog: VoidCatalog, surface: SurfaceLike, camera: _Camera, colour_by: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Triangles facing the camera (k, 3, 2), their colours (k, 4) and nearness (k,)."""
    flat, nearness = camera.project(surface.vertices)
    corners = flat[surface.faces]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    front = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] > 0.0
    faces = surface.faces[front]
    normal = (surface.vertex_normals() @ camera.rotation.T)[faces].mean(axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    light = np.array([-0.45, 0.6, 0.66])
    diffuse = np.clip(normal @ (light / np.linalg.norm(light)), 0.0, 1.0)
    depth = nearness[faces].mean(axis=1)
    void = np.zeros(len(faces), dtype=np.int64) if surface.face_void is None else surface.face_void[front]
    edge = catalog.edge[void]
    palette = np.array([to_rgb(_void_base(catalog, index, colour_by)) for index in range(len(catalog))]).reshape(-1, 3)
    rgb = palette[void] * (0.5 + 0.55 * diffuse)[:, None] + 0.12 * (diffuse**24)[:, None]
    opacity = np.ones(len(faces))
    if colour_by == "edge" and (catalog.edge != 1).any():
        opacity = np.array([_OPACITY[flag] for flag in (0, 1, 2)])[edge]
    return corners[front], np.column_stack([_misty(rgb, depth), opacity]), depth


def _dots(xyz: NDArray, camera: _Camera) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    flat, nearness = camera.project(xyz)
    size = 0.0032 * camera.size * 3.0 / (3.0 - nearness)
    corner = np.radians([90.0, 210.0, 330.0])
    triangle = flat[:, None, :] + size[:, None, None] * np.column_stack([np.cos(corner), np.sin(corner)])[None]
    rgb = np.tile(to_rgb(INK), (len(xyz), 1))
    return triangle, np.column_stack([_misty(rgb, nearness), np.full(len(xyz), 0.6)]), nearness


def _misty(rgb: NDArray, nearness: NDArray) -> NDArray[np.float64]:
    """Fade what is far towards the paper, so that depth is seen."""
    fade = 0.3 * np.clip(0.5 - 0.7 * nearness, 0.0, 1.0)[:, None]
    return np.clip(rgb * (1.0 - fade) + fade, 0.0, 1.0)


def _base(method: str, edge: int) -> str:
    return tint(METHOD_COLOURS[method], 0.9 * EDGE_TINTS[edge])


def _void_base(catalog: VoidCatalog, void: int, colour_by: str) -> str:
    if colour_by == "edge":
        return _base(catalog.method, int(catalog.edge[void]))
    # Multiples of the golden ratio modulo 1 keep successive shades apart.
    shade = (void * 0.6180339887498949) % 1.0
    return tint(METHOD_COLOURS[catalog.method], 0.7 * shade)


def _scale_bar(ax: Axes, size: float) -> None:
    length = next(length for length in (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1, size) if length <= 0.5 * size)
    left, right = ax.get_xlim()
    bottom = ax.get_ylim()[0]
    start = left + 0.02 * (right - left)
    ax.plot([start, start + length], [bottom, bottom], color=MUTED, linewidth=1.5, solid_capstyle="butt")
    ax.annotate(f"{length:g} Mpc/h", (start + 0.5 * length, bottom), xytext=(0, 4), textcoords="offset points",
                color=MUTED, size=9, ha="center")
