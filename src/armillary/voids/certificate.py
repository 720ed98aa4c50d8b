"""Which points that were left out could still change a tessellation, compiled.

The tessellation of some of the points holds those tetrahedra of the tessellation of all that stay empty: no other point
in the circumsphere, nor beyond the facet of a ghost. All points lie in the cells of a grid, of which some are *known*, their
points inserted; here the unknown cells are found that hold such a point. What rounding leaves open counts as inside, but
for points in the plane of a ghost's facet, which are in conflict with it only if they are with the tetrahedron behind.
Where a tetrahedron is so flat that rounding hides its circumcentre, only what lies around it is looked at, and its
neighbours stand for the rest: beyond each of its faces, a Delaunay circumsphere lies inside that of the neighbour there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import INNER, KERNEL
from armillary.voids.exact import orient_exact
from armillary.voids.insertion import DEAD, FACE, INSPHERE_ERROR, ORIENT_ERROR, UNDERFLOW

#: States of a cell under a shift.
UNKNOWN, KNOWN, WANTED = 0, 1, 2
#: Cells of the grid along the side of a coarse one: two levels of the Hilbert curve.
COARSE = 4

# The visit of a tetrahedron that need not be looked at again; that of insertions is larger, and of new tetrahedra 0.
_STAYS = np.uint32(1)
# A tetrahedron whose volume is smaller, in units of its longest edge cubed, says little about its circumcentre.
_FLAT = 1e-9


class Cells(NamedTuple):
    """All points, by the cells of a cubic grid, and the shifts under which they count.

    Attributes
    ----------
    points : (3 n,) coordinates; starts : (c + 1,) the points of each cell.
    cell_at : (g, g, g) the cell at each place of the grid, -1 for an empty one.
    bounds : (g/4, g/4, g/4, 2, 3) lowest and highest coordinates of the points in each coarse cell.
    low, side : corner (3,) of the grid, and side of a cell.
    shifts : (s, 3) what is added to the points; the first is none.
    box : (2, 3) the space in which only the first shift has points: a period's box, or everything.
    """

    points: NDArray[np.float64]
    starts: NDArray[np.int64]
    cell_at: NDArray[np.int32]
    bounds: NDArray[np.float64]
    low: NDArray[np.float64]
    side: float
    shifts: NDArray[np.float64]
    box: NDArray[np.float64]


@njit(**KERNEL)
def find_wanted(xyz, mesh, n_slots, unit, precision, own, cells, known, depth):
    """Mark unknown cells that hold points in conflict with tetrahedra at a block's own points; how many there are.

    Of each tetrahedron's the nearest is marked, as its points may leave nothing of the tetrahedron.

    Parameters
    ----------
    xyz, mesh : the tessellation so far, in units of ``unit``, and ``n_slots`` of it; precision : of all points in those units.
    own : (sites,) True for the vertices whose tetrahedra are wanted.
    known : (s, c) state of each cell under each shift.
    depth : (g, g, g) distance in cells to the nearest unknown one under the first shift.
    """
    links, sphere, visit, size = mesh
    low, side, box, g = cells.low, cells.side, cells.box, len(cells.cell_at)
    unknown = _coarse_unknown(cells.cell_at, known)
    todo = np.empty(64, dtype=np.int64)
    marked = 0
    for t in range(n_slots):
        if visit[16 * t + 14] == _STAYS or links[8 * t] == DEAD:
            continue
        if not (own[links[8 * t]] or own[links[8 * t + 1]] or own[links[8 * t + 2]] or own[links[8 * t + 3]]):
            visit[16 * t + 14] = _STAYS
            continue
        todo[0] = t
        length, at, stays = 1, 0, True
        while at < length:
            s = todo[at]
            at += 1
            ghost = links[8 * s] == 0 or links[8 * s + 1] == 0 or links[8 * s + 2] == 0 or links[8 * s + 3] == 0
            b = np.float64(size[16 * s + 15])
            x, y, z, radius = _ball(sphere, b, s, unit)
            if not ghost and sphere[8 * s + 3] < _FLAT * b * b * b and length + 4 <= len(todo):
                # Itself it holds what is no farther from its last vertex than its longest edge.
                x, y, z = unit * sphere[8 * s + 4], unit * sphere[8 * s + 5], unit * sphere[8 * s + 6]
                radius = 1.8 * unit * b
                for k in range(4):
                    beside, new = np.int64(links[8 * s + 4 + k] >> 2), True
                    for i in range(length):
                        new = new and todo[i] != beside
                    if new:
                        todo[length] = beside
                        length += 1
            if (
                x - radius >= box[0, 0] and y - radius >= box[0, 1] and z - radius >= box[0, 2]
                and x + radius <= box[1, 0] and y + radius <= box[1, 1] and z + radius <= box[1, 2]
            ):
                # Nearly always: no cell that the ball can touch is unknown. Of a ball centred outside the grid, what lies in the
                # grid is no farther from the nearest place there.
                i = min(max(math.floor((x - low[0]) / side), 0), g - 1)
                j = min(max(math.floor((y - low[1]) / side), 0), g - 1)
                k = min(max(math.floor((z - low[2]) / side), 0), g - 1)
                if radius < (depth[i, j, k] - 1) * side:
                    continue
            shift, cell = _nearest_conflict(xyz, mesh, s, ghost, b, (x, y, z, radius), unit, precision, cells, known, unknown)
            if cell >= 0:
                stays = False
                if known[shift, cell] == UNKNOWN:
                    known[shift, cell] = WANTED
                    marked += 1
        if stays:
            visit[16 * t + 14] = _STAYS
    return marked


@njit(**INNER)
def _coarse_unknown(cell_at, known):
    """(s, g/4, g/4, g/4) True for coarse cells with points that are not known."""
    g, n_shifts = len(cell_at), len(known)
    n = (g + COARSE - 1) // COARSE
    out = np.zeros((n_shifts, n, n, n), dtype=np.bool_)
    for i in range(g):
        for j in range(g):
            for k in range(g):
                cell = cell_at[i, j, k]
                if cell >= 0:
                    for s in range(n_shifts):
                        if known[s, cell] != KNOWN:
                            out[s, i // COARSE, j // COARSE, k // COARSE] = True
    return out


@njit(**INNER)
def _ball(sphere, b, t, unit):
    """Circumcentre and radius of tetrahedron t in the units of the points, the radius enlarged by what rounding may hide."""
    d = sphere[8 * t + 3]
    if d <= 0.0:
        return unit * sphere[8 * t + 4], unit * sphere[8 * t + 5], unit * sphere[8 * t + 6], math.inf
    x, y, z = sphere[8 * t] / (2.0 * d), sphere[8 * t + 1] / (2.0 * d), sphere[8 * t + 2] / (2.0 * d)
    r = math.sqrt(x * x + y * y + z * z)
    return (
        unit * (sphere[8 * t + 4] + x), unit * (sphere[8 * t + 5] + y), unit * (sphere[8 * t + 6] + z),
        unit * (r + 1e-12 * (b + r) * (1.0 + b * b * b / d)),
    )


@njit(**INNER)
def _nearest_conflict(xyz, mesh, t, ghost, b, ball, unit, precision, cells, known, unknown):
    """(shift, cell), not known, that holds a point in conflict with t and is the nearest to it; (-1, -1) for none."""
    x, y, z, radius = ball
    links, sphere, points, starts = mesh.links, mesh.sphere, cells.points, cells.starts
    low, side, g = cells.low, cells.side, len(cells.cell_at)
    best_shift, best_cell, nearest = -1, -1, math.inf
    first, last = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for s in range(len(cells.shifts)):
        # The ball as seen from the grid.
        sx, sy, sz = cells.shifts[s, 0], cells.shifts[s, 1], cells.shifts[s, 2]
        cx, cy, cz = x - sx, y - sy, z - sz
        for axis in range(3):
            centre = (cx if axis == 0 else (cy if axis == 1 else cz)) - low[axis]
            first[axis] = max(math.floor(max((centre - radius) / side - 1e-6, -1.0)), 0)
            last[axis] = min(math.floor(min((centre + radius) / side + 1e-6, float(g))), g - 1)
        for ci in range(first[0] // COARSE, last[0] // COARSE + 1):
            for cj in range(first[1] // COARSE, last[1] // COARSE + 1):
                for ck in range(first[2] // COARSE, last[2] // COARSE + 1):
                    if not unknown[s, ci, cj, ck]:
                        continue
                    x0, x1 = cells.bounds[ci, cj, ck, 0, 0] - cx, cells.bounds[ci, cj, ck, 1, 0] - cx
                    y0, y1 = cells.bounds[ci, cj, ck, 0, 1] - cy, cells.bounds[ci, cj, ck, 1, 1] - cy
                    z0, z1 = cells.bounds[ci, cj, ck, 0, 2] - cz, cells.bounds[ci, cj, ck, 1, 2] - cz
                    away = _away(x0, y0, z0, x1, y1, z1, sphere, t, ghost)
                    if away > radius or away >= nearest:
                        continue
                    for i in range(max(first[0], COARSE * ci), min(last[0], COARSE * ci + COARSE - 1) + 1):
                        for j in range(max(first[1], COARSE * cj), min(last[1], COARSE * cj + COARSE - 1) + 1):
                            for k in range(max(first[2], COARSE * ck), min(last[2], COARSE * ck + COARSE - 1) + 1):
                                cell = cells.cell_at[i, j, k]
                                if cell < 0 or known[s, cell] == KNOWN:
                                    continue
                                # A cell, made slightly larger, as a point at its side may have been put beyond.
                                x0, x1 = low[0] + (i - 1e-6) * side - cx, low[0] + (i + 1.000001) * side - cx
                                y0, y1 = low[1] + (j - 1e-6) * side - cy, low[1] + (j + 1.000001) * side - cy
                                z0, z1 = low[2] + (k - 1e-6) * side - cz, low[2] + (k + 1.000001) * side - cz
                                away = _away(x0, y0, z0, x1, y1, z1, sphere, t, ghost)
                                if away <= radius and away < nearest and _holds_conflict(
                                    xyz, links, sphere, t, ghost, b, precision, points, starts[cell], starts[cell + 1],
                                    1.0 / unit, sx, sy, sz,
                                ):
                                    best_shift, best_cell, nearest = s, cell, away
    return best_shift, best_cell


@njit(**INNER)
def _away(x0, y0, z0, x1, y1, z1, sphere, t, ghost):
    """Distance of a box, given from the centre of t, from that centre; infinite on the near side of a ghost's facet."""
    if ghost:
        nx, ny, nz = sphere[8 * t], sphere[8 * t + 1], sphere[8 * t + 2]
        highest = max(nx * x0, nx * x1) + max(ny * y0, ny * y1) + max(nz * z0, nz * z1)
        if highest < -1e-12 * (abs(nx) * max(-x0, x1) + abs(ny) * max(-y0, y1) + abs(nz) * max(-z0, z1)):
            return math.inf
    dx, dy, dz = max(x0, -x1, 0.0), max(y0, -y1, 0.0), max(z0, -z1, 0.0)
    return math.sqrt(dx * dx + dy * dy + dz * dz) * (1.0 - 1e-12)


@njit(**INNER)
def _holds_conflict(xyz, links, sphere, t, ghost, b, precision, points, first, last, scale, sx, sy, sz):
    """True when one of points first ... last-1, shifted, may lie in the circumsphere of t, or lies beyond a ghost's facet."""
    for p in range(first, last):
        px, py, pz = scale * (points[3 * p] + sx), scale * (points[3 * p + 1] + sy), scale * (points[3 * p + 2] + sz)
        x, y, z = px - sphere[8 * t + 4], py - sphere[8 * t + 5], pz - sphere[8 * t + 6]
        value = sphere[8 * t] * x + sphere[8 * t + 1] * y + sphere[8 * t + 2] * z
        reach = max(abs(x), abs(y), abs(z))
        if not ghost:
            value -= sphere[8 * t + 3] * (x * x + y * y + z * z)
            if value >= -(INSPHERE_ERROR * b * b * b * reach * (b + reach) + UNDERFLOW):
                return True
        else:
            bound = ORIENT_ERROR * b * b * reach + UNDERFLOW
            if value > bound or (value >= -bound and _beyond(xyz, links, t, precision, px, py, pz)):
                return True
    return False


@njit(**INNER)
def _beyond(xyz, links, t, precision, px, py, pz):
    """True when a point lies beyond the facet of ghost t, exactly."""
    infinite = 0
    while links[8 * t + infinite] != 0:
        infinite += 1
    a = 3 * np.int64(links[8 * t + np.int64(FACE[3 * infinite])])
    b = 3 * np.int64(links[8 * t + np.int64(FACE[3 * infinite + 1])])
    c = 3 * np.int64(links[8 * t + np.int64(FACE[3 * infinite + 2])])
    return orient_exact(precision.base, precision.bits, (
        xyz[a], xyz[a + 1], xyz[a + 2], xyz[b], xyz[b + 1], xyz[b + 2], xyz[c], xyz[c + 1], xyz[c + 2], px, py, pz,
    )) > 0
