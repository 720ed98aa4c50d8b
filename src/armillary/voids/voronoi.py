"""Voronoi cells of any number of points, in blocks of bounded memory, here or on many workers.

The cells are those of :class:`armillary.voids.tessellation.Tessellation`, one by one; the tetrahedra are forgotten block by
block.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from armillary.errors import OptionError
from armillary.model import BoxRegion
from armillary.voids.blocks import Whole, tessellate_block
from armillary.voids.cells import CELL_SPANS, facets, neighbour_table
from armillary.voids.delaunay import checked

Progress = Callable[[int, int], None]


class Maps(Protocol):
    """What is asked of an executor; those of :mod:`armillary.compute` are such."""

    def map(
        self, function: Callable, tasks: Collection[Any], *, shared: Any = None, progress: Progress | None = None
    ) -> Iterator:
        """Results of ``function(shared, task)`` in the order of the tasks."""


@dataclass(frozen=True)
class VoronoiCells:
    """The cells of n points, in the order in which these were given.

    Attributes
    ----------
    volumes : (n,) [(Mpc/h)^3]; infinite for unbounded cells.
    centroids : (n, 3) [Mpc/h]; NaN for unbounded cells, and not wrapped in a periodic box.
    indptr, neighbours : (n + 1,), (k,) rows of the points whose cells share a facet with each point's, sorted. In a periodic
        box a point comes as often as it has images there.
    facet_areas : (k,) [(Mpc/h)^2] of the facets towards ``neighbours``; infinite for unbounded ones.
    """

    volumes: NDArray[np.float64]
    centroids: NDArray[np.float64]
    indptr: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    facet_areas: NDArray[np.float64]

    @classmethod
    def of(
        cls, points: ArrayLike, *, periodic: BoxRegion | None = None, block: int = 250_000,
        executor: Maps | None = None, progress: Progress | None = None,
    ) -> VoronoiCells:
        """Tessellate points (n, 3) [Mpc/h], in open space or in the periodic box given.

        Parameters
        ----------
        block : points in one task; a worker takes about 1.2 kB for each.
        executor : where to work on blocks; in this process without one.
        progress : called with the number of finished blocks, and of all.

        Raises
        ------
        CoordinateError
            As :meth:`armillary.voids.tessellation.Tessellation.of`.
        OptionError
            ``block`` is less than 1.
        """
        if block < 1:
            raise OptionError(f"block is {block} points; expected 1 or more")
        points = checked(np.asarray(points, dtype=np.float64), CELL_SPANS)
        whole = Whole.of(points, periodic)
        tasks = whole.blocks(block)
        results = _here(whole, tasks, progress) if executor is None else executor.map(
            block_cells, tasks, shared=whole, progress=progress
        )
        n = len(points)
        volumes, centroids, indptr = np.empty(n), np.empty((n, 3)), np.zeros(n + 1, dtype=np.int64)
        rows = []
        for (first, last), (volume, offset, start, neighbours, areas) in zip(tasks, results, strict=True):
            mine = whole.order[first:last]
            volumes[mine], centroids[mine], indptr[mine + 1] = volume, points[mine] + offset, np.diff(start)
            rows.append((mine, start, neighbours, areas))
        np.cumsum(indptr, out=indptr)
        neighbours, areas = np.empty(indptr[-1], dtype=np.int32), np.empty(indptr[-1])
        while rows:
            _place_rows(*rows.pop(), indptr, neighbours, areas)
        return cls(volumes, centroids, indptr, neighbours, areas)

    def __len__(self) -> int:
        return len(self.volumes)

    @property
    def unbounded(self) -> NDArray[np.bool_]:
        """(n,) True for the cells of points on the convex hull."""
        return np.isinf(self.volumes)


def block_cells(whole: Whole, task: tuple[int, int]):
    """What a worker does: volumes, centroids from the points, and rows of neighbours and areas, of one block's cells."""
    block = tessellate_block(whole, *task)
    count = block.last - block.first
    first, second, area, volume, moment = facets(count, block.sites, block.tetrahedra, block.adjacent)
    start, neighbours, facet = neighbour_table(count, first, second, whole.order[block.origin])
    with np.errstate(invalid="ignore"):
        return volume, moment / volume[:, None], start, neighbours, area[facet]


def _here(whole: Whole, tasks, progress: Progress | None) -> Iterator:
    for done, task in enumerate(tasks, start=1):
        yield block_cells(whole, task)
        if progress is not None:
            progress(done, len(tasks))


@njit(cache=True)
def _place_rows(rows, start, neighbours, areas, indptr, all_neighbours, all_areas):
    """Copy a block's rows to where they belong."""
    for i in range(len(rows)):
        to = indptr[rows[i]] - start[i]
        for k in range(start[i], start[i + 1]):
            all_neighbours[to + k] = neighbours[k]
            all_areas[to + k] = areas[k]
