"""What lies nearest to a position, or around it: searches in a tree of bounding boxes, compiled.

The things searched come along a Hilbert curve, so that neighbours in the order are neighbours in space: every run of
:data:`LEAF` things is a leaf, and pairs of leaves, pairs of pairs and so on have boxes that overlap little. The tree is
then an array: node 1 is the root, node k has the children 2k and 2k + 1, and nothing needs to be sorted to build it. A
thing outside the order costs time, never the right answer.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import INNER, KERNEL
from armillary.voids.order import canonical_order

#: Things in one leaf.
LEAF = 8
_PIECES = 32


class BoxTree(NamedTuple):
    """Boxes (2 p, 6), low and high corner of each node [Mpc/h], leaves from p on, and the largest value (2 p,) in it."""

    boxes: NDArray[np.float64]
    largest: NDArray[np.float64]

    @classmethod
    def of(cls, low: NDArray[np.float64], high: NDArray[np.float64], value: NDArray[np.float64]) -> BoxTree:
        """The tree over things with corners (n, 3), (n, 3) [Mpc/h] and values (n,), in the order in which they come."""
        starts = np.arange(0, len(low), LEAF)
        p = 1 << (len(starts) - 1).bit_length()
        corners = np.full((2 * p, 6), -np.inf)
        # With the low corner negated one maximum serves both.
        corners[p : p + len(starts), :3] = np.maximum.reduceat(-low, starts, axis=0)
        corners[p : p + len(starts), 3:] = np.maximum.reduceat(high, starts, axis=0)
        largest = np.full(2 * p, -np.inf)
        largest[p : p + len(starts)] = np.maximum.reduceat(value, starts)
        while p > 1:
            corners[p // 2 : p] = np.maximum(corners[p : 2 * p : 2], corners[p + 1 : 2 * p : 2])
            largest[p // 2 : p] = np.maximum(largest[p : 2 * p : 2], largest[p + 1 : 2 * p : 2])
            p //= 2
        corners[:, :3] *= -1.0
        return cls(corners, largest)


def neighbour_distances(
    xyz: NDArray[np.float64], k: int, shifts: NDArray[np.float64], map_spans=None
) -> NDArray[np.float64]:
    """Distance (n,) [Mpc/h] of each position (n, 3) to its ``k``-th nearest among the others.

    Parameters
    ----------
    shifts : (s, 3) by which images of the positions are displaced [Mpc/h], the first by nothing.
    map_spans : maps a function over items, such as an executor's ``map``; by default one after the other.
    """
    tree = BoxTree.of(xyz, xyz, np.zeros(len(xyz)))
    leaves = -(-len(xyz) // LEAF)
    out = np.empty(len(xyz))

    def search(span: tuple[int, int]) -> None:
        _neighbour_distances(xyz, tree.boxes, shifts, *span, np.empty((LEAF, k)), out)

    pieces = 1 if map_spans is None else _PIECES
    bounds = [leaves * piece // pieces for piece in range(pieces + 1)]
    list((map_spans or map)(search, list(pairwise(bounds))))
    return np.sqrt(out)


def largest_around(
    xyz: NDArray[np.float64], centre: NDArray[np.float64], radius: NDArray[np.float64], surface: float
) -> NDArray[np.int64]:
    """The largest sphere (n,) that strictly holds each position (n, 3), -1 for none; of equal ones the first.

    ``surface`` is the fraction of the squared radius that counts as surface, not inside.
    """
    out = np.full(len(xyz), -1, dtype=np.int64)
    if len(centre) and len(xyz):
        largest_first = np.argsort(-radius, kind="stable")
        rank = np.empty(len(radius), dtype=np.int64)
        rank[largest_first] = np.arange(len(radius))
        order = canonical_order(centre)
        centre, reach, rank = centre[order], radius[order], rank[order]
        tree = BoxTree.of(centre - reach[:, None], centre + reach[:, None], -rank.astype(np.float64))
        limit = reach * reach * (1.0 - surface)
        _first_around(np.ascontiguousarray(xyz), centre, limit, rank, tree.boxes, tree.largest, out)
        held = out >= 0
        out[held] = largest_first[out[held]]
    return out


@njit(**INNER)
def _distance2(xyz, j, x, y, z):
    dx, dy, dz = x - xyz[j, 0], y - xyz[j, 1], z - xyz[j, 2]
    return dx * dx + dy * dy + dz * dz


@njit(**INNER)
def _gap(low, high, least, most):
    """Distance along an axis between the intervals low ... high and least ... most, 0 where they meet."""
    gap = least - high if least > high else low - most
    return max(0.0, gap)


@njit(**INNER)
def _gap2(boxes, node, x0, y0, z0, x1, y1, z1):
    """Squared distance of a node's box from the one with corners (x0, y0, z0) and (x1, y1, z1)."""
    dx = _gap(boxes[node, 0], boxes[node, 3], x0, x1)
    dy = _gap(boxes[node, 1], boxes[node, 4], y0, y1)
    dz = _gap(boxes[node, 2], boxes[node, 5], z0, z1)
    return dx * dx + dy * dy + dz * dz


@njit(**INNER)
def _end(leaf, n):
    """One past the last thing in a leaf of n things."""
    return min(n, (leaf + 1) * LEAF)


@njit(**INNER)
def _enter(best, row, d2):
    """Put a squared distance into its place in a row of the smallest so far; the largest of them."""
    m = best.shape[1] - 1
    while m > 0 and best[row, m - 1] > d2:
        best[row, m] = best[row, m - 1]
        m -= 1
    best[row, m] = d2
    return best[row, best.shape[1] - 1]


@njit(**INNER)
def _meet(xyz, leaf, other, sx, sy, sz, here, best):
    """Let the positions of a leaf, displaced, meet those of an ``other`` one; the farthest k-th neighbour so far, squared.

    ``here`` says that nothing is displaced: then a position does not meet itself.
    """
    worst = 0.0
    for i in range(leaf * LEAF, _end(leaf, len(xyz))):
        row = i - leaf * LEAF
        far = best[row, best.shape[1] - 1]
        for j in range(other * LEAF, _end(other, len(xyz))):
            d2 = _distance2(xyz, j, xyz[i, 0] + sx, xyz[i, 1] + sy, xyz[i, 2] + sz)
            if d2 < far and not (here and i == j):
                far = _enter(best, row, d2)
        worst = max(worst, far)
    return worst


@njit(nogil=True, **KERNEL)
def _neighbour_distances(xyz, boxes, shifts, first, last, best, out):
    """Squared distances ``out`` of the positions in leaves ``first`` ... ``last - 1``; ``best`` (LEAF, k) is scratch.

    All positions of a leaf search together. From their own leaf the search climbs to the root and looks at each sibling on
    the way, so that near boxes come first.
    """
    leaves = len(boxes) // 2
    for leaf in range(first, last):
        for row in range(LEAF):
            for m in range(best.shape[1]):
                best[row, m] = math.inf
        worst = math.inf
        home = leaves + leaf
        for s in range(len(shifts)):
            sx, sy, sz = shifts[s, 0], shifts[s, 1], shifts[s, 2]
            x0, y0, z0 = boxes[home, 0] + sx, boxes[home, 1] + sy, boxes[home, 2] + sz
            x1, y1, z1 = boxes[home, 3] + sx, boxes[home, 4] + sy, boxes[home, 5] + sz
            branch = home if s == 0 else 1
            top = branch
            while branch > 0:
                node = branch
                while node > 0:
                    if _gap2(boxes, node, x0, y0, z0, x1, y1, z1) <= worst:
                        if node < leaves:
                            node *= 2
                            continue
                        worst = _meet(xyz, leaf, node - leaves, sx, sy, sz, s == 0, best)
                    while node != branch and node & 1:
                        node >>= 1
                    node = 0 if node == branch else node + 1
                branch = top ^ 1 if top > 1 else 0
                top >>= 1
        for i in range(leaf * LEAF, _end(leaf, len(xyz))):
            out[i] = best[i - leaf * LEAF, best.shape[1] - 1]


@njit(**KERNEL)
def _first_around(xyz, centre, limit, rank, boxes, largest, out):
    """Lowest rank ``out`` among the spheres that hold each position; ``largest`` has the negative of the lowest in a node."""
    leaves = len(boxes) // 2
    for i in range(len(xyz)):
        x, y, z = xyz[i, 0], xyz[i, 1], xyz[i, 2]
        best = len(centre)
        node: np.int64 | int = np.int64(1)  # not a literal, for which what it is passed to would be compiled as well
        while node > 0:
            if -largest[node] < best and _gap2(boxes, node, x, y, z, x, y, z) == 0.0:
                if node < leaves:
                    node *= 2
                    continue
                for j in range((node - leaves) * LEAF, _end(node - leaves, len(centre))):
                    if rank[j] < best and _distance2(centre, j, x, y, z) < limit[j]:
                        best = rank[j]
            while node & 1:
                node >>= 1
            node = node + 1 if node > 0 else 0
        if best < len(centre):
            out[i] = best
