"""Delaunay tetrahedra and their dual, the Voronoi cells, in a survey, a box or a periodic box.

:class:`Tessellation` is the one noun on which all four void finders stand. It needs nothing but an array of positions, and
serves whoever wants a tessellation alone:

    from armillary.voids.tessellation import Tessellation
    cells = Tessellation.of(xyz)
    cells.volumes, cells.neighbours, cells.facet_areas, cells.centroids, cells.unbounded

Where only the cells are wanted, of more points than one core or one machine's memory likes,
:class:`armillary.voids.voronoi.VoronoiCells` finds the same ones in blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.model import BoxRegion, Region
from armillary.voids.blocks import Whole, tessellate_block
from armillary.voids.cells import CELL_SPANS, circumcentres_from_first, edge_cells, facets, neighbour_table
from armillary.voids.delaunay import checked, delaunay
from armillary.voids.footprint import Footprint


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
    frame : (m, 3) the sites as they were tessellated, in a periodic box: from its centre, rounded to where shifts are exact.
    """

    points: NDArray[np.float64]
    sites: NDArray[np.float64]
    origin: NDArray[np.int32]
    tetrahedra: NDArray[np.int32]
    adjacent: NDArray[np.int32]
    frame: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, points: ArrayLike, *, periodic: BoxRegion | None = None) -> Tessellation:
        """Tessellate points (n, 3) [Mpc/h], in open space or in the periodic box given.

        Raises
        ------
        CoordinateError
            For fewer than 5 points, coplanar or coincident points, or points outside the periodic box.
        """
        points = checked(np.asarray(points, dtype=np.float64), CELL_SPANS)
        identity = np.arange(len(points), dtype=np.int32)
        if periodic is None:
            return cls(points, points, identity, *delaunay(points))
        return _periodic(cls, points, periodic)

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def circumcentres(self) -> NDArray[np.float64]:
        """Circumcentres (t, 3) of the tetrahedra: the vertices of the Voronoi cells [Mpc/h]; not finite for flat ones."""
        return self.sites[self.tetrahedra[:, 0]] + circumcentres_from_first(self._exact_sites, self.tetrahedra)

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Delaunay neighbours of each point as CSR ``(indptr (n + 1,), sites)``; ``origin`` turns sites into points."""
        indptr, sites, _ = self._table
        return indptr, sites

    @cached_property
    def facet_areas(self) -> NDArray[np.float64]:
        """Areas [(Mpc/h)^2] of the facets towards :attr:`neighbours`, entry by entry; infinite for unbounded ones.

        Cospherical points have neighbours that their cells only touch: facets of area zero, to rounding.
        """
        return self._facets[2][self._table[2]]

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """Voronoi cell volumes (n,) [(Mpc/h)^3]; infinite for unbounded cells."""
        return self._facets[3]

    @cached_property
    def centroids(self) -> NDArray[np.float64]:
        """Centroids (n, 3) of the Voronoi cells [Mpc/h]; NaN for unbounded cells."""
        with np.errstate(invalid="ignore"):
            return self.points + self._facets[4] / self.volumes[:, None]

    @cached_property
    def unbounded(self) -> NDArray[np.bool_]:
        """(n,) True for the cells of points on the convex hull."""
        return np.isinf(self.volumes)

    @property
    def _exact_sites(self):
        return self.sites if self.frame is None else self.frame

    @cached_property
    def _facets(self):
        return facets(len(self.points), self._exact_sites, self.tetrahedra, self.adjacent)

    @cached_property
    def _table(self):
        first, second = self._facets[:2]
        return neighbour_table(len(self.points), first, second, np.arange(len(self.sites), dtype=np.int32))

    def edge_cells(self, region: Region) -> NDArray[np.bool_]:
        """(n,) True where the cell is unbounded or has a vertex outside ``region``; never in a periodic box."""
        return edge_cells(
            len(self.points), self.tetrahedra, self.adjacent, self.circumcentres, Footprint.of(region)
        )


def _periodic(cls, points: NDArray[np.float64], box: BoxRegion) -> Tessellation:
    whole = Whole.of(points, box)
    block = tessellate_block(whole, 0, len(whole))
    # Images after the points, which are in the caller's order.
    origin = np.concatenate((np.arange(len(whole), dtype=np.int32), whole.order[block.origin[len(whole):]]))
    sites = points[origin] + np.rint(block.shift / whole.period) * box.size
    names = np.concatenate((whole.order, np.arange(len(whole), len(origin), dtype=np.int32)))
    frame = np.empty_like(block.sites)
    frame[names] = block.sites
    return cls(points, sites, origin, names[block.tetrahedra], block.adjacent, frame)
