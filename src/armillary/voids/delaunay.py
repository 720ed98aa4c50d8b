"""Delaunay tetrahedra in three dimensions by incremental insertion (Bowyer 1981; Watson 1981), compiled.

Points come in a biased randomized order along a Hilbert curve. Each is located by a walk from the tetrahedron made last;
the tetrahedra whose circumsphere holds it are taken out, and the cavity is filled with tetrahedra at the point. Outside
the hull lie *ghosts*, tetrahedra with one vertex at infinity, so that a point outside is inserted like any other.

The compiled steps of an insertion, and what decides them, are in :mod:`armillary.voids.insertion`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.errors import CoordinateError
from armillary.voids.exact import Space, coordinate_bits
from armillary.voids.insertion import (
    CAVITY_FULL,
    DEAD,
    FACES_FULL,
    FREE_FULL,
    INSPHERE_ERROR,
    MESH_FULL,
    TABLE_FULL,
    UNDERFLOW,
    Mesh,
    Scratch,
    first_tetrahedron,
    infinite_corner,
    insert_points,
    start_mesh,
)
from armillary.voids.order import insertion_order

#: Bits that coordinates may need: the largest is then at most 1e180 times the smallest step between two.
_MOST_BITS = 600


def delaunay(points: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Delaunay tetrahedra of points (n, 3) in general or special position.

    Returns
    -------
    tetrahedra : (t, 4) point indices, positively oriented: det(b - a, c - a, d - a) > 0.
    adjacent : (t, 4) the tetrahedron opposite to each vertex, -1 on the convex hull.

    Raises
    ------
    CoordinateError
        For points that are not finite, fewer than 5, all in one plane, or that coincide; or when the largest coordinate
        is more than about 1e180 times the smallest difference.
    """
    points = np.ascontiguousarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 5:
        raise CoordinateError(f"points have shape {points.shape}; a tessellation needs (n, 3) with at least 5 points")
    if not np.isfinite(points).all():
        bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
        raise CoordinateError(f"{len(bad)} of {len(points)} points are NaN or infinite (the first in row {bad[0]})")
    order = insertion_order(points)
    space = _space(points[order])
    front = first_tetrahedron(space)
    if front[3] < 0:
        raise CoordinateError(
            f"all {len(points)} points are coplanar: a tessellation needs at least 5 points that do not lie in one plane"
        )
    rest = np.ones(len(points), dtype=bool)
    rest[front] = False
    rows = np.concatenate((front, np.flatnonzero(rest)))
    order = order[rows].astype(np.int32)
    fixed = space.fixed[rows] if space.digits == 0 else space.fixed
    space = space._replace(points=np.ascontiguousarray(space.points[rows]), fixed=fixed)
    mesh, used, coincident = _insert_all(space)
    if coincident:
        raise CoordinateError(
            f"{coincident} of {len(points)} points coincide with another; remove duplicates before tessellating"
        )
    return _finite(mesh, used, order)


def _space(points: NDArray[np.float64]) -> Space:
    """Points scaled by a power of two to a span of about 1, which changes no sign, with their exact form."""
    span = np.ptp(points, axis=0).max()
    _, bits = coordinate_bits(points)
    if not np.isfinite(span) or bits > _MOST_BITS:
        raise CoordinateError(
            f"coordinates need {bits} bits from the largest to the smallest step, more than {_MOST_BITS}; "
            "remove outliers, or points that differ by rounding alone"
        )
    return Space.of(np.ldexp(points, -int(np.frexp(span)[1])) if span > 0.0 else points)


def _insert_all(space: Space) -> tuple[Mesh, int, int]:
    n = len(space.points)
    mesh = _enlarged(None, 7 * n + 4096)
    start_mesh(space, mesh)
    scratch = Scratch(
        cavity=np.empty(4096, dtype=np.int32), faces=np.empty(4096, dtype=np.int32),
        corners=np.empty((4096, 5), dtype=np.int32), free=np.empty(4096, dtype=np.int32),
        edge=np.zeros(8192, dtype=np.int64), owner=np.zeros(8192, dtype=np.int32),
        entry=np.zeros(8192, dtype=np.int32),
    )
    span = float(np.ptp(space.points, axis=0).max())
    static = 2.0 * INSPHERE_ERROR * span**5 + UNDERFLOW
    # Slots used, where to walk from, why it stopped, insertions tried, free slots, coincident points.
    state = np.array([5, 0, 0, 0, 0, 0], dtype=np.int64)
    at = 4
    while at < n:
        at = insert_points(space, mesh, scratch, state, at, n, static)
        if state[2] == CAVITY_FULL:
            scratch = scratch._replace(cavity=_twice(scratch.cavity))
        elif state[2] == FACES_FULL:
            scratch = scratch._replace(faces=_twice(scratch.faces), corners=_twice(scratch.corners))
        elif state[2] == FREE_FULL:
            scratch = scratch._replace(free=_twice(scratch.free))
        elif state[2] == TABLE_FULL:
            edge, owner, entry = (_twice(array) * 0 for array in (scratch.edge, scratch.owner, scratch.entry))
            scratch = scratch._replace(edge=edge, owner=owner, entry=entry)
        elif state[2] == MESH_FULL:
            mesh = _enlarged(mesh, len(mesh.visit) + len(mesh.visit) // 2)
    return mesh, int(state[0]), int(state[5])


def _twice(array):
    return np.concatenate((array, np.zeros_like(array)))


def _enlarged(mesh: Mesh | None, capacity: int) -> Mesh:
    """A mesh of ``capacity`` slots with what ``mesh`` held; rows of spheres begin where cache lines do."""
    raw = np.empty(8 * capacity + 8)
    shift = (-raw.ctypes.data // 8) % 8
    larger = Mesh(
        np.empty((capacity, 4), dtype=np.int32), np.empty((capacity, 4), dtype=np.int32),
        raw[shift : shift + 8 * capacity].reshape(capacity, 8), np.zeros(capacity, dtype=np.int32),
    )
    if mesh is not None:
        used = len(mesh.visit)
        larger.vertices[:used], larger.across[:used] = mesh.vertices, mesh.across
        larger.sphere[:used], larger.visit[:used] = mesh.sphere, mesh.visit
    return larger


@njit(cache=True)
def _finite(mesh, used, order):
    """The tetrahedra without ghosts, in the numbering of the caller's points."""
    number = np.full(used, -1, dtype=np.int32)
    count = 0
    for t in range(used):
        if mesh.vertices[t, 0] != DEAD and infinite_corner(mesh.vertices, t) < 0:
            number[t] = count
            count += 1
    tetrahedra = np.empty((count, 4), dtype=np.int32)
    adjacent = np.empty((count, 4), dtype=np.int32)
    for t in range(used):
        k = number[t]
        if k >= 0:
            for i in range(4):
                tetrahedra[k, i] = order[mesh.vertices[t, i]]
                adjacent[k, i] = number[mesh.across[t, i] >> 2]
    return tetrahedra, adjacent
