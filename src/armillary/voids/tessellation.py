"""Delaunay tetrahedra and their dual, the Voronoi cells, in a survey, a box or a periodic box.

:class:`Tessellation` is the one noun on which all four void finders stand. What makes the tetrahedra is an *engine*: a
callable from points (n, 3) to ``(tetrahedra (t, 4), adjacent (t, 4))``, the vertices of each tetrahedron and the tetrahedron
opposite to each, -1 on the convex hull. :func:`armillary.voids.delaunay.delaunay` is the one used.

In a periodic box the points near each face are repeated on the far side, in a shell as wide as needed: it is certified
when every circumsphere at a point of the box lies inside the padded box, and grows until it does, so that the answer is
exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.errors import CoordinateError
from armillary.model import BoxRegion, Region
from armillary.voids.cells import cell_volumes, circumcentres, edge_cells, neighbour_table
from armillary.voids.delaunay import delaunay
from armillary.voids.footprint import Footprint

Engine = Callable[[NDArray[np.float64]], tuple[NDArray[np.int32], NDArray[np.int32]]]

_ADVICE = "a tessellation needs at least 5 points that do not lie in one plane"


@dataclass(frozen=True)
class Tessellation:
    """Delaunay tetrahedra of points and, from them, the Voronoi cells.

    Attributes
    ----------
    points : (n, 3) Mpc/h.
    sites : (m, 3) the points, followed by their periodic images (m = n without a period).
    origin : (m,) the point that each site is, or is an image of.
    tetrahedra : (t, 4) site indices.
    adjacent : (t, 4) tetrahedron opposite to each vertex, -1 on the convex hull.
    """

    points: NDArray[np.float64]
    sites: NDArray[np.float64]
    origin: NDArray[np.int32]
    tetrahedra: NDArray[np.int32]
    adjacent: NDArray[np.int32]

    @classmethod
    def of(cls, points: ArrayLike, *, periodic: BoxRegion | None = None, engine: Engine = delaunay) -> Tessellation:
        """Tessellate points (n, 3) [Mpc/h], in open space or in the periodic box given.

        Raises
        ------
        CoordinateError
            For fewer than 5 points, coplanar or coincident points, or points outside the periodic box.
        """
        points = np.ascontiguousarray(points, dtype=np.float64)
        if len(points) < 5:
            raise CoordinateError(f"{len(points)} points were given; {_ADVICE}")
        identity = np.arange(len(points), dtype=np.int32)
        if periodic is None:
            return cls(points, points, identity, *engine(points))
        return _periodic(cls, points, periodic, engine)

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def circumcentres(self) -> NDArray[np.float64]:
        """Circumcentres (t, 3) of the tetrahedra: the vertices of the Voronoi cells [Mpc/h]."""
        return circumcentres(self.sites, self.tetrahedra)

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Delaunay neighbours of each point as CSR ``(indptr (n + 1,), sites)``; ``origin`` turns sites into points."""
        return neighbour_table(len(self.points), self.tetrahedra)

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """Voronoi cell volumes (n,) [(Mpc/h)^3]; infinite for unbounded cells."""
        volume = cell_volumes(len(self.points), self.sites, self.tetrahedra, self.circumcentres)
        volume[self.unbounded] = np.inf
        return volume

    @cached_property
    def unbounded(self) -> NDArray[np.bool_]:
        """(n,) True for the cells of points on the convex hull."""
        on_hull = np.zeros(len(self.points), dtype=bool)
        rows, far = np.nonzero(self.adjacent < 0)
        for step in (1, 2, 3):
            vertex = self.tetrahedra[rows, (far + step) % 4]
            on_hull[vertex[vertex < len(self.points)]] = True
        return on_hull

    def edge_cells(self, region: Region) -> NDArray[np.bool_]:
        """(n,) True where the cell is unbounded or has a vertex outside ``region``; never in a periodic box."""
        return edge_cells(
            len(self.points), self.tetrahedra, self.adjacent, self.circumcentres, Footprint.of(region)
        )


def _periodic(cls, points: NDArray[np.float64], box: BoxRegion, engine: Engine) -> Tessellation:
    low, size = np.array(box.low), box.size
    if ((points < low) | (points >= low + size)).any():
        raise CoordinateError(f"points lie outside the periodic box {box.low} to {box.high}; wrap them into it first")
    pad = 2.4 * _largest_gap(points, box)
    while True:
        sites, origin = _with_images(points, low, size, pad)
        tetrahedra, adjacent = engine(sites)
        keep = (tetrahedra < len(points)).any(axis=1)
        needed = _certified_pad(sites, tetrahedra[keep], low, size)
        if not (adjacent[keep] < 0).any() and needed <= pad:
            break
        pad = max(1.4 * pad, min(1.05 * needed, 2.0 * pad))
        if pad > 4.0 * float(size.max()):
            raise CoordinateError(f"{len(points)} points do not fill the periodic box enough to tessellate it; {_ADVICE}")
    # Only tetrahedra at a point of the box are final; their own hull lies in the padding and is nobody's boundary.
    final = np.ascontiguousarray(tetrahedra[keep])
    return cls(points, sites, origin, final, np.zeros_like(final))


def _largest_gap(points, box: BoxRegion) -> float:
    """Radius [Mpc/h] of about the largest empty sphere: the largest distance to a point from a lattice about as fine."""
    from scipy.spatial import cKDTree

    size = box.size
    step = (float(np.prod(size)) / min(len(points), 50_000)) ** (1.0 / 3.0)
    axes = [(np.arange(n) + 0.5) / n * side for n, side in zip(np.ceil(size / step).astype(int), size, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return float(cKDTree(box.fold(points), boxsize=size).query(lattice)[0].max())


def _with_images(points, low, size, pad):
    """The points and all their images within ``pad`` of the box, and the point each is an image of."""
    reach = np.ceil(pad / size).astype(int)
    sites, origin = [points], [np.arange(len(points), dtype=np.int32)]
    for shift in product(*(range(-n, n + 1) for n in reach)):
        if shift == (0, 0, 0):
            continue
        image = points + np.array(shift) * size
        rows = np.flatnonzero(((image >= low - pad) & (image <= low + size + pad)).all(axis=1))
        sites.append(image[rows])
        origin.append(rows.astype(np.int32))
    return np.concatenate(sites), np.concatenate(origin)


def _certified_pad(sites, tetrahedra, low, size) -> float:
    """How far the circumspheres of the tetrahedra reach out of the box [Mpc/h]; infinite when one is flat."""
    centre = circumcentres(sites, tetrahedra)
    if not np.isfinite(centre).all():
        return np.inf
    radius = np.linalg.norm(centre - sites[tetrahedra[:, 0]], axis=1)
    reach = np.maximum(low - (centre - radius[:, None]), (centre + radius[:, None]) - (low + size)).max()
    return float(reach)
