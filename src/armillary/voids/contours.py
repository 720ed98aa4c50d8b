"""Closed curves around the part of a raster where a function is negative: marching squares, walked from edge to edge.

A curve keeps a negative node on its left and a positive one on its right. Ahead of such a pair lie two more nodes: when the
right one of them is negative the curve turns right around it, else when the left one is, it goes straight on, and else
it turns left. So nodes that touch at a corner belong together when they are negative, and are apart when they are
positive. Where the curve passes between the two nodes follows from linear interpolation.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import KERNEL


def zero_contours(value: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Curves (n, 2) of column and row, the last point the first again; anticlockwise around what is negative, rows upwards.

    Parameters
    ----------
    value : (rows, columns), nowhere 0, and positive all along the border.
    """
    low = value < 0.0
    edges = np.count_nonzero(low[:, 1:] != low[:, :-1]) + np.count_nonzero(low[1:] != low[:-1])
    # A curve passes four edges at least, and has one point more than that.
    points, ends = np.empty((edges + edges // 4, 2)), np.empty(edges // 4, dtype=np.int64)
    count = _walk(value, np.zeros(value.shape, dtype=bool), points, ends)
    return np.split(points[: ends[count - 1]], ends[: count - 1]) if count else []


@njit(**KERNEL)
def _walk(value, passed, points, ends):
    """Fill in the points of all curves, and where each curve ends; the number of curves.

    Every curve somewhere passes upwards between two nodes of a row, so it is enough to set out from, and mark, those.
    """
    rows, columns = value.shape
    count, used = 0, 0
    for first_row in range(rows):
        for first_column in range(columns - 1):
            if passed[first_row, first_column] or value[first_row, first_column] > 0.0:
                continue
            if value[first_row, first_column + 1] < 0.0:
                continue
            # The node on the left, and the step to the one on the right; a quarter turn from it is the step ahead.
            r, c, dr, dc = first_row, first_column, 0, 1
            start = used
            while True:
                here, there = value[r, c], value[r + dr, c + dc]
                share = here / (here - there)
                points[used, 0], points[used, 1] = c + dc * share, r + dr * share
                used += 1
                if dc == 1:
                    if passed[r, c]:
                        break
                    passed[r, c] = True
                if value[r + dr + dc, c + dc - dr] < 0.0:
                    r, c, dr, dc = r + dr + dc, c + dc - dr, -dc, dr
                elif value[r + dc, c - dr] < 0.0:
                    r, c = r + dc, c - dr
                else:
                    dr, dc = dc, -dr
            points[used - 1, 0], points[used - 1, 1] = points[start, 0], points[start, 1]
            ends[count] = used
            count += 1
    return count
