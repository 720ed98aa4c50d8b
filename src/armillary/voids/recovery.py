"""How well a finder recovers planted voids: completeness and purity against radius.

A found void counts as a planted one when their spheres (for watershed voids: the sphere of the void's volume) share at
least a third of the volume that they cover together,

    J = V(planted and found) / V(planted or found) >= 1/3.

This one number asks for position and size at once. For equal radii it means centres closer than 0.69 R, so that half of
each sphere is shared; for concentric spheres, radii within a factor 3^(1/3) = 1.44. The more common rule "found centre
inside the planted void" is too lenient here: planted voids fill a third of the volume, so a third of randomly placed
centres would count, and it says nothing of the radius. Pairs are matched one to one, from the largest J down, so a
planted void that a finder splits in two adds one true and one false void.

Uncertainties are binomial: Wilson's (1927, J. Am. Stat. Assoc. 22, 209) score intervals at 68.3 %, which stay meaningful
when none or all are recovered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from armillary.errors import InputError, OptionError


@dataclass(frozen=True)
class RecoveredShare:
    """Which share of the voids of each radius bin is matched.

    Attributes
    ----------
    edges : (n_bins + 1,) Mpc/h; bins are closed below and open above, the last one closed.
    total, matched : (n_bins,) number of voids in the bin, and of those with a counterpart.
    share : (n_bins,) matched / total, NaN in empty bins.
    low, high : (n_bins,) 68.3 % Wilson interval of ``share``, NaN in empty bins.
    """

    edges: NDArray[np.float64]
    total: NDArray[np.int64]
    matched: NDArray[np.int64]
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Recovery:
    """Planted and found voids, matched one to one.

    Attributes
    ----------
    planted_radius, found_radius : (n,), (m,) Mpc/h.
    found : (n,) index of the found void matched to each planted one, -1 for none.
    planted : (m,) index of the planted void matched to each found one, -1 for none.
    overlap : (n,) shared over joint volume J of the match, NaN for none.
    offset : (n,) distance between the matched centres [Mpc/h], NaN for none.
    """

    planted_radius: NDArray[np.float64]
    found_radius: NDArray[np.float64]
    found: NDArray[np.int64]
    planted: NDArray[np.int64]
    overlap: NDArray[np.float64]
    offset: NDArray[np.float64]

    def completeness(self, edges: ArrayLike, *, where: NDArray[np.bool_] | None = None) -> RecoveredShare:
        """Share of planted voids that were found, in bins of planted radius with ``edges`` [Mpc/h].

        ``where`` (n,) restricts the count, for example to planted voids wholly inside the survey.
        """
        return _share(self.planted_radius, self.found >= 0, edges, where)

    def purity(self, edges: ArrayLike, *, where: NDArray[np.bool_] | None = None) -> RecoveredShare:
        """Share of found voids that were planted, in bins of found radius with ``edges`` [Mpc/h].

        ``where`` (m,) restricts the count, for example to found voids away from the survey's edge.
        """
        return _share(self.found_radius, self.planted >= 0, edges, where)


def recovery(
    planted_centre: ArrayLike,
    planted_radius: ArrayLike,
    found_centre: ArrayLike,
    found_radius: ArrayLike,
    *,
    min_overlap: float = 1.0 / 3.0,
    box_size: ArrayLike | None = None,
) -> Recovery:
    """Match found voids to planted ones.

    Parameters
    ----------
    planted_centre, planted_radius : (n, 3), (n,) Mpc/h. Pass all of them, those cut by an edge too: which ones count is
        said later, in :meth:`Recovery.completeness`.
    found_centre, found_radius : (m, 3), (m,) Mpc/h.
    min_overlap : smallest shared over joint volume J of a match, above 0 and up to 1.
    box_size : side or three sides of a periodic box [Mpc/h], or None.

    Raises
    ------
    InputError
        When centres and radii do not fit together, or a radius is not positive.
    OptionError
        When ``min_overlap`` is out of range.
    """
    if not 0.0 < min_overlap <= 1.0:
        raise OptionError(f"min_overlap is {min_overlap}; expected a share of the joint volume, above 0 and up to 1")
    centre_p, radius_p = _spheres(planted_centre, planted_radius, "planted")
    centre_f, radius_f = _spheres(found_centre, found_radius, "found")
    size = None if box_size is None else np.broadcast_to(np.asarray(box_size, dtype=np.float64), (3,))
    i, j, distance = _touching(centre_p, radius_p, centre_f, radius_f, size)
    overlap = joint_overlap(distance, radius_p[i], radius_f[j])
    found = np.full(len(radius_p), -1, dtype=np.int64)
    planted = np.full(len(radius_f), -1, dtype=np.int64)
    best = np.full(len(radius_p), np.nan)
    offset = np.full(len(radius_p), np.nan)
    for pair in np.lexsort((j, i, -overlap)):
        if overlap[pair] < min_overlap:
            break
        p, f = i[pair], j[pair]
        if found[p] < 0 and planted[f] < 0:
            found[p], planted[f], best[p], offset[p] = f, p, overlap[pair], distance[pair]
    return Recovery(radius_p, radius_f, found, planted, best, offset)


def joint_overlap(distance: ArrayLike, radius_a: ArrayLike, radius_b: ArrayLike) -> NDArray[np.float64]:
    """J: shared over joint volume of two spheres with centres ``distance`` apart, 0 to 1, any shape.

    The shared volume of intersecting spheres is the lens
    pi (a + b - d)^2 (d^2 + 2 d (a + b) - 3 (a - b)^2) / (12 d).
    """
    d, a, b = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (distance, radius_a, radius_b)))
    small = 4.0 / 3.0 * np.pi * np.minimum(a, b) ** 3
    crossing = (d > np.abs(a - b)) & (d < a + b)
    safe = np.where(crossing, d, 1.0)
    lens = np.pi * (a + b - safe) ** 2 * (safe**2 + 2.0 * safe * (a + b) - 3.0 * (a - b) ** 2) / (12.0 * safe)
    shared = np.where(crossing, lens, np.where(d <= np.abs(a - b), small, 0.0))
    return shared / (4.0 / 3.0 * np.pi * (a**3 + b**3) - shared)


def wilson_interval(matched: ArrayLike, total: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper end of the 68.3 % (1 sigma) score interval of a binomial share; NaN where ``total`` is 0."""
    k, n = np.broadcast_arrays(np.asarray(matched, dtype=np.float64), np.asarray(total, dtype=np.float64))
    trials = np.where(n > 0, n, np.nan)
    p = k / trials
    middle = (p + 0.5 / trials) / (1.0 + 1.0 / trials)
    half = np.sqrt(p * (1.0 - p) / trials + 0.25 / trials**2) / (1.0 + 1.0 / trials)
    return np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)


def _share(
    radius: NDArray[np.float64], hit: NDArray[np.bool_], edges: ArrayLike, where: NDArray[np.bool_] | None
) -> RecoveredShare:
    limits = np.asarray(edges, dtype=np.float64)
    if limits.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0.0).all():
        raise OptionError(f"radius bin edges are {limits}; expected at least two increasing values in Mpc/h")
    if where is None:
        where = np.ones(len(radius), dtype=bool)
    elif where.shape != radius.shape:
        raise InputError(f"the selection of voids has shape {where.shape}; expected {radius.shape} like the radii")
    total = np.histogram(radius[where], limits)[0].astype(np.int64)
    matched = np.histogram(radius[where & hit], limits)[0].astype(np.int64)
    low, high = wilson_interval(matched, total)
    return RecoveredShare(limits, total, matched, matched / np.where(total > 0, total, np.nan), low, high)


def _spheres(centre: ArrayLike, radius: ArrayLike, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r = np.asarray(radius, dtype=np.float64)
    xyz = np.asarray(centre, dtype=np.float64)
    if not r.size and not xyz.size:
        return np.empty((0, 3)), np.empty(0)
    if r.ndim != 1 or xyz.shape != (r.size, 3):
        raise InputError(f"{name} voids have centres of shape {xyz.shape} and radii of shape {r.shape}; "
                         "expected (n, 3) and (n,)")
    if not np.isfinite(xyz).all() or not (np.isfinite(r) & (r > 0.0)).all():
        raise InputError(f"{name} voids have centres or radii that are not finite and positive; remove them first")
    return xyz, r


def _touching(
    centre_p: NDArray[np.float64], radius_p: NDArray[np.float64],
    centre_f: NDArray[np.float64], radius_f: NDArray[np.float64], size: NDArray[np.float64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs (planted, found) whose spheres may meet, with the distance between their centres [Mpc/h]."""
    if not len(radius_p) or not len(radius_f):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
    if size is not None:
        centre_p, centre_f = np.mod(centre_p, size) % size, np.mod(centre_f, size) % size
    near = cKDTree(centre_f, boxsize=size).query_ball_point(centre_p, radius_p + radius_f.max())
    i = np.repeat(np.arange(len(near)), [len(rows) for rows in near])
    j = np.concatenate([np.asarray(rows, dtype=np.int64) for rows in near])
    offset = centre_p[i] - centre_f[j]
    if size is not None:
        offset -= size * np.round(offset / size)
    return i, j, np.linalg.norm(offset, axis=1)
