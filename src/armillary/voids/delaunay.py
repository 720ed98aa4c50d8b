"""Delaunay tetrahedra in three dimensions by incremental insertion (Bowyer 1981; Watson 1981), compiled.

Points come in a biased randomized order along a Hilbert curve. Each is located by a walk from the tetrahedron made last;
the tetrahedra whose circumsphere holds it are taken out, and the cavity is filled with tetrahedra at the point. Outside
the hull lie *ghosts*, tetrahedra with one vertex at infinity, so that a point outside is inserted like any other.

The compiled insertion, and what decides it, are in :mod:`armillary.voids.insertion`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from armillary.errors import CoordinateError
from armillary.voids.exact import collinear_rational, coordinate_bits, orient_rational
from armillary.voids.extraction import finite_tetrahedra
from armillary.voids.insertion import (
    CAVITY_FULL,
    COINCIDENT,
    FREE_FULL,
    INSERTED,
    INSPHERE_ERROR,
    MESH_FULL,
    ORIENT_ERROR,
    PAIRS,
    SMALLEST_SIZE,
    TABLE_FULL,
    UNDERFLOW,
    USED,
    WHY,
    Mesh,
    Precision,
    Scratch,
    insert_points,
)
from armillary.voids.order import extent, hilbert_index, insertion_order

#: Bits that coordinates may need: the largest is then at most 1e180 times the smallest step between two.
_MOST_BITS = 600
#: Tetrahedra per point, ghosts and free slots included: 6.77 for a Poisson process.
_SLOTS_PER_POINT = 7.0
# A tetrahedron and one of its corners are one number of 32 bits.
_MOST_SLOTS = 1 << 30


def delaunay(points: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Delaunay tetrahedra of points (n, 3) in general or special position.

    Cospherical points are told apart by their place in :func:`armillary.voids.order.insertion_order`, so that the same points
    give the same tetrahedra in whatever order they come.

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
    points = checked(points)
    along = hilbert_index(points)
    order = insertion_order(points, along)
    growing = Growing(*extent(points))
    growing.insert(points[order], np.arange(len(points), dtype=np.uint64))
    # About as many places as points, so that counting them sorts.
    bits = max(int(np.ceil(np.log2(len(points)))), 1)
    places = (along[order] >> np.uint64(63 - bits)).astype(np.int32)
    return finite_tetrahedra(growing.release(), order.astype(np.int32), len(points), places, 1 << bits)


def checked(points: NDArray[np.float64], spans: tuple[float, float] = (0.0, 1e300)) -> NDArray[np.float64]:
    """The points as (n, 3) doubles, at least 5, all finite, and of an extent between the two ``spans``.

    Raises
    ------
    CoordinateError
        For points that are not.
    """
    points = np.ascontiguousarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 5:
        raise CoordinateError(f"points have shape {points.shape}; a tessellation needs (n, 3) with at least 5 points")
    if not np.isfinite(points).all():
        bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
        raise CoordinateError(f"{len(bad)} of {len(points)} points are NaN or infinite (the first in row {bad[0]})")
    low, high = extent(points)
    span = 2.0 * float((0.5 * high - 0.5 * low).max())
    if span > 0.0 and not spans[0] <= span <= spans[1]:
        raise CoordinateError(f"points span {span:.3g}; expected {spans[0]:g} to {spans[1]:g}: rescale them")
    return points


class Growing:
    """A tessellation that takes in more points between ``low`` and ``high``.

    Attributes
    ----------
    xyz : (3 n + 3,) coordinates in units of 2**exponent; a place is kept at the front for the point at infinity.
    exponent : so that the space between ``low`` and ``high`` spans at most 1.
    bounds : the errors of the two determinants over that space.
    mesh : the tetrahedra, ghosts among them, in the first ``slots`` rows.
    """

    def __init__(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        span = float((high - low).max())
        if not np.isfinite(span):
            raise CoordinateError("the largest difference of two coordinates is beyond the range of doubles; rescale them")
        self.exponent = int(np.frexp(span)[1]) if span > 0.0 else 0
        span = float(np.ldexp(span, -self.exponent))
        self.bounds = 2.0 * INSPHERE_ERROR * span**5 + UNDERFLOW, 2.0 * ORIENT_ERROR * span**3 + UNDERFLOW
        self.xyz = np.zeros(3)
        self._base, self._top = 5000, -5000
        self._ranks, self._walks = np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint8)
        self.mesh = _enlarged(None, 0)
        self._scratch = Scratch(
            cavity=np.empty(512, dtype=np.uint32), faces=np.empty(512, dtype=np.uint32),
            surface=np.empty(8 * 512, dtype=np.uint32), local=np.zeros(1, dtype=np.uint64),
            pairs=np.empty(PAIRS, dtype=np.uint32), table=np.zeros(2 * 1024, dtype=np.uint64),
            free=np.empty(512, dtype=np.uint32),
            ends=np.zeros(int(INSERTED), dtype=np.uint32), state=np.array([2, 0, 1, 0, 0, 0], dtype=np.int64),
        )

    @property
    def slots(self) -> int:
        """Rows of the mesh in use."""
        return int(self._scratch.state[USED])

    def release(self) -> NDArray[np.uint32]:
        """The links (8 slots,) of the mesh, and nothing else kept."""
        links = self.mesh.links[: 8 * self.slots]
        del self.mesh, self._scratch
        return links

    def insert(
        self, points: NDArray[np.float64], ranks: NDArray[np.uint64], walks: NDArray[np.uint8] | None = None
    ) -> None:
        """Insert points (n, 3) in their order.

        Parameters
        ----------
        ranks : (n,) what tells cospherical points apart: see :mod:`armillary.voids.insertion`.
        walks : (n,) numbers below 255 of the sequences, each of neighbours in space, that the points interlace.

        Raises
        ------
        CoordinateError
            For points that coincide, that all lie in one plane, or that need too many bits.
        """
        first = len(self._ranks)
        self._append(points, ranks, walks)
        bits = self._top - self._base
        if bits > _MOST_BITS:
            raise CoordinateError(
                f"coordinates need {bits} bits from the largest to the smallest step, more than {_MOST_BITS}; "
                "remove outliers, or points that differ by rounding alone"
            )
        precision = Precision(self._base, bits, *self.bounds)
        if first == 1:
            front = spanning(self.xyz[3:].reshape(-1, 3))
            if front is None:
                raise CoordinateError(
                    f"all {len(points)} points are coplanar: a tessellation needs at least 5 points that do not lie in one plane"
                )
            a, b, c, d = (point + 1 for point in front)
            self.mesh = _enlarged(None, int(_SLOTS_PER_POINT * len(points)) + 1024)
            _two_ghosts(self.mesh, self.xyz, a, b, c)
            self._run(precision, d, d + 1)
            self._walks[[a, b, c, d]] = INSERTED
        self._run(precision, first, len(self._ranks))
        coincident = int(self._scratch.state[COINCIDENT])
        if coincident:
            raise CoordinateError(
                f"{coincident} of {len(points)} points coincide with another; remove duplicates before tessellating"
            )

    def _append(self, points, ranks, walks) -> None:
        scaled = np.ldexp(points, -self.exponent).reshape(-1)
        self.xyz = np.concatenate((self.xyz, scaled))
        # Before they are scaled, where the smallest may be lost.
        base, bits = coordinate_bits(points)
        base -= self.exponent
        self._base, self._top = min(self._base, base), max(self._top, base + bits)
        self._ranks = np.concatenate((self._ranks, ranks))
        walks = np.zeros(len(points), dtype=np.uint8) if walks is None else walks
        self._walks = np.concatenate((self._walks, walks))
        self._scratch = self._scratch._replace(local=np.zeros(len(self._walks), dtype=np.uint64))

    def _run(self, precision: Precision, first: int, last: int) -> None:
        """Insert points first ... last-1; arrays grow when they are full."""
        while first < last:
            scratch = self._scratch
            first = insert_points(self.xyz, self._ranks, self._walks, precision, self.mesh, scratch, first, last)
            why = scratch.state[WHY]
            if why == CAVITY_FULL:
                self._scratch = scratch._replace(
                    cavity=_twice(scratch.cavity), faces=_twice(scratch.faces), surface=_twice(scratch.surface)
                )
            elif why == FREE_FULL:
                self._scratch = scratch._replace(free=_twice(scratch.free))
            elif why == TABLE_FULL:
                self._scratch = scratch._replace(table=np.zeros(2 * len(scratch.table), dtype=np.uint64))
            elif why == MESH_FULL:
                self.mesh = _enlarged(self.mesh, int(1.25 * (len(self.mesh.links) // 8)) + 1024)


def spanning(points: NDArray[np.float64]) -> tuple[int, int, int, int] | None:
    """The first point, and the first each that differs from it, is not on their line, and is not in their plane.

    Coordinates are such that their cubes do not overflow.
    """
    a = points[0]
    second = _first(points, lambda rows: ((rows != a).any(axis=1) * 1.0, 0.5), lambda _: False)
    if second is None:
        return None
    u = points[second] - a

    def off_line(rows):
        v = rows - a
        return np.abs(np.cross(u, v)).max(axis=1), 1e-14 * np.abs(u).max() * np.abs(v).max(axis=1)

    third = _first(points, off_line, lambda p: not collinear_rational(np.concatenate((a, points[second], p))))
    if third is None:
        return None
    normal = np.cross(u, points[third] - a)
    reach = np.abs(u).max() * np.abs(points[third] - a).max()

    def off_plane(rows):
        w = rows - a
        return np.abs(w @ normal), 2.0 * ORIENT_ERROR * reach * np.abs(w).max(axis=1)

    corners = np.concatenate((a, points[second], points[third]))
    fourth = _first(points, off_plane, lambda p: orient_rational(np.concatenate((corners, p))) != 0)
    return None if fourth is None else (0, second, third, fourth)


def _first(points, measure: Callable, exactly: Callable) -> int | None:
    """The first row whose measure is above its bound, or that is found to count in exact arithmetic."""
    start, length = 0, 64
    while start < len(points):
        rows = points[start : start + length]
        with np.errstate(over="ignore", invalid="ignore"):
            value, bound = measure(rows)
            sure = value > bound + UNDERFLOW
        limit = int(sure.argmax()) if sure.any() else len(rows)
        for i in range(limit):
            if exactly(rows[i]):
                return start + i
        if limit < len(rows):
            return start + limit
        start, length = start + length, 2 * length
    return None


def _two_ghosts(mesh: Mesh, xyz, a: int, b: int, c: int) -> None:
    """The two sides of a triangle, in slots 0 and 1: the tessellation of three points."""
    # Corner 0 of each is at infinity; across every face lies the other ghost, which has its corners 2 and 3 exchanged.
    mesh.links[:16] = [0, a, b, c, 4, 5, 7, 6, 0, a, c, b, 0, 1, 3, 2]
    pa, pb, pc = (xyz[3 * k : 3 * k + 3] for k in (a, b, c))
    normal = np.cross(pc - pa, pb - pa)
    for ghost, outward in ((0, normal), (1, -normal)):
        mesh.sphere[8 * ghost : 8 * ghost + 7] = (*outward, 0.0, *pa)
        mesh.visit[16 * ghost + 14] = 0
        largest = max(np.abs(pb - pa).max(), np.abs(pc - pa).max())
        mesh.size[16 * ghost + 15] = np.float32(1.0000002 * largest + SMALLEST_SIZE)


def _twice(array):
    return np.concatenate((array, np.zeros_like(array)))


def _enlarged(mesh: Mesh | None, capacity: int) -> Mesh:
    """A mesh of ``capacity`` slots with what ``mesh`` held; rows of spheres begin where cache lines do."""
    if capacity > _MOST_SLOTS:
        raise CoordinateError(f"{capacity} tetrahedra are more than one tessellation can number, {_MOST_SLOTS}; work in blocks")
    raw = np.empty(8 * capacity + 8)
    shift = (-raw.ctypes.data // 8) % 8
    sphere = raw[shift : shift + 8 * capacity]
    larger = Mesh(np.empty(8 * capacity, dtype=np.uint32), sphere, sphere.view(np.uint32), sphere.view(np.float32))
    if mesh is not None:
        used = len(mesh.links)
        larger.links[:used], larger.sphere[:used] = mesh.links, mesh.sphere
    return larger
