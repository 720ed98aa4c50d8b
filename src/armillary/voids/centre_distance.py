"""How deep inside the voids is a position? Its distance to void centres, each in units of that void's effective radius.

The void that is nearest in this sense need not be the one with the nearest centre. Positions that follow one another in
space are asked together: for a block of them, every void has a least and a greatest scaled distance to the block's
bounding box, and a void whose least exceeds the smallest of the greatest is out of question for all of the block, and for
the smaller blocks that it is cut into. A handful of voids is left for each position.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.model import BoxRegion, Region
from armillary.voids.compiled import KERNEL
from armillary.voids.membership import with_images

_BLOCK = 8  # positions of the smallest blocks, and parts that a block is cut into
_ROUNDING = 1.0 + 1e-12
_LEVELS = 5  # the largest blocks fit the cache, and there are few enough of them to ask every void


def scaled_centre_distance(
    xyz: NDArray[np.float64], centre: NDArray[np.float64], r_eff: NDArray[np.float64], region: Region | None
) -> NDArray[np.float64]:
    """Smallest distance (n,) to a void centre in units of that void's effective radius; infinite without voids.

    Quick for positions along a curve through space; correct, and as slow as asking for every pair, in any other order.

    Parameters
    ----------
    xyz : (n, 3) Mpc/h.
    centre, r_eff : (v, 3), (v,) Mpc/h.
    region : a periodic box is looked at across its boundary.
    """
    if not len(r_eff) or not len(xyz):
        return np.full(len(xyz), np.inf)
    if isinstance(region, BoxRegion) and region.periodic:
        centre, origin = with_images(centre, np.full(len(r_eff), float(region.size.max())), region)
        r_eff = r_eff[origin]
    n, n_voids = len(xyz), len(r_eff)
    levels, size = 1, _BLOCK
    while size < n and levels < _LEVELS:
        levels, size = levels + 1, size * _BLOCK
    # The voids in question at each level, largest blocks first; before the first level, all of them.
    kept, count = np.empty((levels + 1, n_voids), dtype=np.int32), np.empty(levels + 1, dtype=np.int64)
    kept[0], count[0] = np.arange(n_voids), n_voids
    out = np.empty(n)
    _scaled_distances(
        np.ascontiguousarray(xyz), np.column_stack((centre, r_eff, 1.0 / r_eff**2)), size, kept, count, np.empty(n_voids),
        np.empty((2, 3)), out,
    )
    return out


@njit(**KERNEL)
def _scaled_distances(xyz, voids, size, kept, count, least, box, out):
    """Fill in ``out`` (n,); ``voids`` (v, 5) are centre, radius and one over its square, and the rest is room to work in."""
    n, levels = len(xyz), len(count) - 1
    for first in range(0, n, _BLOCK):
        length = size
        for level in range(1, levels + 1):
            if first % length == 0:
                for axis in range(3):
                    box[0, axis] = box[1, axis] = xyz[first, axis]
                    for i in range(first + 1, first + length):
                        if i == n:
                            break
                        if xyz[i, axis] < box[0, axis]:
                            box[0, axis] = xyz[i, axis]
                        elif xyz[i, axis] > box[1, axis]:
                            box[1, axis] = xyz[i, axis]
                bound = math.inf
                for k in range(count[level - 1]):
                    v = kept[level - 1, k]
                    near, far = 0.0, 0.0
                    for axis in range(3):
                        below, above = box[0, axis] - voids[v, axis], voids[v, axis] - box[1, axis]
                        if above > below:
                            below, above = above, below
                        if below > 0.0:
                            near += below * below
                        far += above * above
                    least[k] = near * voids[v, 4]
                    if far * voids[v, 4] < bound:
                        bound = far * voids[v, 4]
                left = 0
                for k in range(count[level - 1]):
                    if least[k] <= bound * _ROUNDING:
                        kept[level, left] = kept[level - 1, k]
                        left += 1
                count[level] = left
            length //= _BLOCK
        for i in range(first, first + _BLOCK):
            if i == n:
                break
            best, smallest = math.inf, math.inf
            for k in range(count[levels]):
                v = kept[levels, k]
                dx, dy, dz = xyz[i, 0] - voids[v, 0], xyz[i, 1] - voids[v, 1], xyz[i, 2] - voids[v, 2]
                square = dx * dx + dy * dy + dz * dz
                # The square decides but for rounding; the root is what is wanted.
                if square * voids[v, 4] <= smallest * _ROUNDING:
                    distance = math.sqrt(square) / voids[v, 3]
                    if distance < best:
                        best, smallest = distance, square * voids[v, 4]
            out[i] = best
