"""A tessellation in blocks: cells of a part of the points, exactly those of the whole, from the part and what surrounds it.

Points are sorted along a Hilbert curve; a block is a stretch of it. Its points are tessellated with those of the cells around,
its *halo*, which grows until :mod:`armillary.voids.certificate` finds no point of the whole that could still change a
tetrahedron at one of the block's own points. As the tessellation is a function of points and ranks
(:mod:`armillary.voids.insertion`), those tetrahedra are then the ones of the whole, ties among cospherical points included.

A periodic box is the same thing: the points outside are the box's own, shifted by its sides, and only those in the halo are
ever made. Coordinates are there rounded to a unit in which shifts are exact (about 2e-16 of the box), so that a cell looks the
same from both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from armillary.errors import CoordinateError
from armillary.model import BoxRegion
from armillary.voids.cells import circumcentres_from_first
from armillary.voids.certificate import COARSE, KNOWN, WANTED, Cells, find_wanted
from armillary.voids.delaunay import Growing, spanning
from armillary.voids.exact import coordinate_bits
from armillary.voids.extraction import finite_tetrahedra
from armillary.voids.insertion import Precision
from armillary.voids.order import HILBERT_BITS, extent, hilbert_index, insertion_order

# Periods in each direction beyond which a box counts as too empty.
_MOST_PERIODS = 4


@dataclass(frozen=True)
class Whole:
    """All points of a tessellation, in the form that blocks need.

    Attributes
    ----------
    points : (n, 3) sorted along a Hilbert curve; in a periodic box from its centre, rounded to where shifts are exact.
    order : (n,) the caller's row of each point.
    rank : (n,) place in the order of insertion.
    place : (g, g, g) number of the grid's cell at each place, -1 where it is empty.
    starts : (c + 1,) the points of each cell.
    bounds : (g/4, g/4, g/4, 2, 3) lowest and highest coordinates of the points in each 4^3 cells.
    low, side : corner (3,) of the grid, and side of a cell.
    period : (3,) sides of the periodic box, infinite without one.
    base, bits : coordinates, shifted ones too, are integers of so many bits times 2**base.
    """

    points: NDArray[np.float64]
    order: NDArray[np.int32]
    rank: NDArray[np.uint32]
    place: NDArray[np.int32]
    starts: NDArray[np.int64]
    bounds: NDArray[np.float64]
    low: NDArray[np.float64]
    side: float
    period: NDArray[np.float64]
    base: int
    bits: int

    @classmethod
    def of(cls, points: NDArray[np.float64], periodic: BoxRegion | None = None) -> Whole:
        """Sort finite points (n, 3).

        Raises
        ------
        CoordinateError
            For points outside the periodic box.
        """
        if periodic is None:
            period, (base, bits) = np.full(3, np.inf), coordinate_bits(points)
        else:
            if ((points < periodic.low) | (points >= periodic.low + periodic.size)).any():
                raise CoordinateError(
                    f"points lie outside the periodic box {periodic.low} to {periodic.high}; wrap them into it first"
                )
            base, bits = int(np.frexp(periodic.size.max())[1]) - 52, 56
            unit = np.ldexp(1.0, base)
            period = np.rint(periodic.size / unit) * unit
            points = np.rint((points - np.array(periodic.low) - 0.5 * periodic.size) / unit) * unit
        along = hilbert_index(points)
        order = np.argsort(along, kind="stable").astype(np.int32)
        points, along = np.ascontiguousarray(points[order]), along[order]
        rank = np.empty(len(points), dtype=np.uint32)
        rank[insertion_order(points, along)] = np.arange(len(points), dtype=np.uint32)
        level = max(int(np.log2(len(points))) // 3, 1)
        g = 1 << level
        cell = along >> np.uint64(3 * (HILBERT_BITS - level))
        starts = _first_of_each(cell)
        low, high = extent(points)
        span = float((high - low).max()) or 1.0
        # The curve runs through whole numbers up to 2^21 - 1 along each axis.
        side = span * (1 << HILBERT_BITS - level) / ((1 << HILBERT_BITS) - 1)
        place = np.full((g, g, g), -1, dtype=np.int32)
        at = np.minimum(((points[starts] - low) / span * ((1 << HILBERT_BITS) - 1)).astype(np.int64), (1 << HILBERT_BITS) - 1)
        place[tuple((at >> HILBERT_BITS - level).T)] = np.arange(len(starts), dtype=np.int32)
        first = _first_of_each(cell >> np.uint64(6))
        bounds = np.zeros((max(g // COARSE, 1),) * 3 + (2, 3))
        block = tuple((at[np.searchsorted(starts, first)] >> HILBERT_BITS - level).T // COARSE)
        bounds[block] = np.stack((np.minimum.reduceat(points, first), np.maximum.reduceat(points, first)), axis=1)
        return cls(points, order, rank, place, np.append(starts, len(points)), bounds, low, side, period, base, bits)

    def __len__(self) -> int:
        return len(self.points)

    def blocks(self, size: int) -> list[tuple[int, int]]:
        """Stretches of about ``size`` points each, cut between cells: first and last + 1."""
        n_blocks = max(round(len(self) / size), 1)
        cuts = np.searchsorted(self.starts, np.linspace(0, len(self), n_blocks + 1))
        cuts = np.unique(self.starts[np.minimum(cuts, len(self.starts) - 1)])
        return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))

    def shifts(self, periods: int) -> NDArray[np.float64]:
        """Shifts (s, 3) by up to so many periods; none comes first."""
        if not np.isfinite(self.period).all():
            return np.zeros((1, 3))
        steps = sorted(product(range(-periods, periods + 1), repeat=3), key=lambda step: sum(map(abs, step)))
        return np.array(steps) * self.period


def _first_of_each(sorted_values):
    return np.flatnonzero(np.append(True, sorted_values[1:] != sorted_values[:-1]))


@dataclass(frozen=True)
class Block:
    """The final tetrahedra at a block's own points.

    Attributes
    ----------
    first, last : the block's own points are first ... last-1 of the whole; its sites 0 ... last-first-1 are these.
    sites : (m, 3) own points, and those of the halo.
    origin : (m,) the point of the whole that each site is, or is an image of.
    shift : (m, 3) how far from it.
    tetrahedra, adjacent : (t, 4) those with an own site: sites, and the tetrahedron opposite to each, -1 where there is none.
    """

    first: int
    last: int
    sites: NDArray[np.float64]
    origin: NDArray[np.int32]
    shift: NDArray[np.float64]
    tetrahedra: NDArray[np.int32]
    adjacent: NDArray[np.int32]


def tessellate_block(whole: Whole, first: int, last: int) -> Block:
    """The tetrahedra at points first ... last-1 of the whole, a stretch between cells.

    Raises
    ------
    CoordinateError
        For points that coincide or all lie in one plane, or that leave a periodic box almost empty.
    """
    for periods in range(1, _MOST_PERIODS + 1):
        shifts = whole.shifts(periods)
        block = _certified(whole, first, last, shifts)
        if len(shifts) == 1 or _within(block, whole.period * (periods + 0.5)):
            return block
    raise CoordinateError(f"{len(whole)} points do not fill the periodic box enough to tessellate it; add points")


def _certified(whole: Whole, first: int, last: int, shifts: NDArray[np.float64]) -> Block:
    """The block, as far as points under these shifts are concerned."""
    high = whole.low + len(whole.place) * whole.side
    growing = Growing(whole.low + shifts.min(axis=0), high + shifts.max(axis=0))
    precision = Precision(whole.base - growing.exponent, whole.bits, *growing.bounds)
    cells = _cells(whole, shifts)
    own, origins, steps = np.zeros(1, dtype=bool), [], []
    known, wanted = _first_halo(whole, first, last, shifts), KNOWN
    # In the order of their coordinates, which does not depend on where they are counted from: images tie alike everywhere.
    turns = np.argsort(np.lexsort(shifts.T)).astype(np.uint64)
    depth = _depth(whole, known[0])
    while wanted == KNOWN or find_wanted(
        growing.xyz, growing.mesh, growing.slots, float(np.ldexp(1.0, growing.exponent)), precision, own, cells, known, depth
    ):
        points, step = _members(whole, known == wanted)
        known[known == wanted] = KNOWN
        rank = whole.rank[points].astype(np.uint64) * np.uint64(len(shifts)) + turns[step]
        turn = np.argsort(rank)
        points, step = points[turn], step[turn]
        growing.insert(whole.points[points] + shifts[step], rank[turn], (step % 254).astype(np.uint8))
        own = np.concatenate((own, (points >= first) & (points < last) & (step == 0)))
        origins.append(points)
        steps.append(step)
        wanted = WANTED
    return _own_tetrahedra(
        whole, first, last, growing.release(), own[1:], np.concatenate(origins), shifts[np.concatenate(steps)]
    )


def _cells(whole: Whole, shifts) -> Cells:
    half = 0.5 * whole.period
    return Cells(
        whole.points.reshape(-1), whole.starts, whole.place, whole.bounds, whole.low, whole.side, shifts,
        np.stack((-half, half)),
    )


def _first_halo(whole: Whole, first: int, last: int, shifts) -> NDArray[np.uint8]:
    """State (s, c) of all cells: known are the block's own and those around, at least so many that they span space."""
    from scipy.ndimage import binary_dilation

    start, end = np.searchsorted(whole.starts, (first, last))
    filled = whole.place >= 0
    mine = filled & (whole.place >= start) & (whole.place < end)
    at = np.argwhere(filled)
    lowest = whole.low + at * whole.side
    corner = whole.low + np.argwhere(mine).min(axis=0) * whole.side
    opposite = whole.low + (np.argwhere(mine).max(axis=0) + 1) * whole.side
    known = np.zeros((len(shifts), len(whole.starts) - 1), dtype=np.uint8)
    exponent = -whole.base - whole.bits
    for width in (1, 2, 4, 8, len(whole.place)):
        known[0, whole.place[filled & binary_dilation(mine, np.ones((3, 3, 3)), iterations=width)]] = KNOWN
        for number in range(1, len(shifts)):
            low = lowest + shifts[number]
            near = (low + (1 + width) * whole.side >= corner) & (low - width * whole.side <= opposite)
            known[number, whole.place[tuple(at[near.all(axis=1)].T)]] = KNOWN
        points, step = _members(whole, known == KNOWN)
        if len(points) >= 5 and spanning(np.ldexp(whole.points[points] + shifts[step], exponent)) is not None:
            break
    return known


def _depth(whole: Whole, known) -> NDArray[np.int32]:
    """Distance (g, g, g) in cells of each place from the nearest that is not known, counted along the longest axis."""
    from scipy.ndimage import distance_transform_cdt

    open_ = (whole.place >= 0) & (known[whole.place] != KNOWN)
    if not open_.any():
        return np.full(open_.shape, len(open_) + 1, dtype=np.int32)
    return distance_transform_cdt(~open_, "chessboard").astype(np.int32)


def _members(whole: Whole, which) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The points of cells (s, c) that are True, and the number of the shift of each."""
    step, cell = np.nonzero(which)
    count = whole.starts[cell + 1] - whole.starts[cell]
    before = np.cumsum(count) - count
    return np.repeat(whole.starts[cell] - before, count) + np.arange(count.sum()), np.repeat(step, count)


def _own_tetrahedra(whole: Whole, first: int, last: int, links, own, origin, shift) -> Block:
    """Number the sites, own ones first, and keep the tetrahedra at these."""
    count = last - first
    names = np.empty(len(own), dtype=np.int32)
    names[own] = origin[own] - first
    names[~own] = count + np.arange(len(own) - count)
    tetrahedra, adjacent = finite_tetrahedra(links, names, count, names, count)
    turn = np.empty(len(own), dtype=np.int64)
    turn[names] = np.arange(len(own))
    origin, shift = origin[turn], shift[turn]
    return Block(first, last, whole.points[origin] + shift, origin.astype(np.int32), shift, tetrahedra, adjacent)


def _within(block: Block, reach: NDArray[np.float64]) -> bool:
    """True when the tetrahedra close around every own site, and no circumsphere leaves -reach ... reach."""
    inner = block.tetrahedra < block.last - block.first
    others = inner.sum(axis=1, keepdims=True) - inner
    if ((block.adjacent < 0) & (others > 0)).any():
        return False
    centre = circumcentres_from_first(block.sites, block.tetrahedra)
    radius = np.sqrt(np.einsum("ij,ij->i", centre, centre))
    if (np.abs(block.sites).max(axis=0) + 2.0 * radius.max() <= reach).all():
        return True
    centre += block.sites[block.tetrahedra[:, 0]]
    return not (np.abs(centre) + radius[:, None] > reach).any()
