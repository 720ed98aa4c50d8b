"""Insertion of points into a Delaunay tessellation, compiled: locate, excavate, fill.

**Conflict test.** With x the point relative to a vertex of the tetrahedron,

    f(x) = N . x - D |x|^2  >  0   inside the circumsphere,

where N and D depend on the tetrahedron alone and are stored with it; for a ghost, N is the outward normal of its facet and D = 0.
An error bound on f decides nearly always, and exact arithmetic otherwise (:mod:`armillary.voids.exact`).

**Ties.** Five points exactly on one sphere are told apart as if each were lifted off the paraboloid |x|^2 by an
infinitesimal height, infinitely larger than those of all points of lower rank (simulation of simplicity, Edelsbrunner &
Muecke 1990, applied to the heights alone). So the tessellation is a function of points and ranks: not of the order of
insertion, and not of points elsewhere. A point in the plane of a ghost's facet is in conflict with it when it is with the
tetrahedron behind.

Point 0 is the one at infinity. Indices are unsigned, so that no access asks whether one counts from the end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.compiled import INNER, KERNEL
from armillary.voids.exact import insphere_exact, orient_exact

#: In the place of its first vertex, what marks a slot that holds no tetrahedron.
DEAD = np.uint32(0xFFFFFFFF)

# Error bounds, in units of the largest coordinate differences b of the tetrahedron and d of the point from it. Counting
# roundings of 2^-53: |N . x| <= 54 b^4 d with at most 17 of them, D |x|^2 <= 18 b^3 d^2 with 13; |n . x| <= 6 b^2 d with 8.
INSPHERE_ERROR = 1.2e-13
ORIENT_ERROR = 2e-14
# Below this, products may have lost digits to underflow; coordinates are scaled to a span of about 1.
UNDERFLOW = 1e-280
#: Added to sizes of tetrahedra, which are kept as single floats.
SMALLEST_SIZE = 1e-36

#: The walk of points that are vertices already.
INSERTED = np.uint64(255)

_LONGEST_WALK = 1_000_000
#: Why :func:`insert_points` stopped: what must grow before it can go on.
CAVITY_FULL, MESH_FULL, FREE_FULL, TABLE_FULL = 1, 2, 3, 4
#: Length of ``Scratch.pairs``.
PAIRS = 64 * 64
#: Places in ``Scratch.state``: slots used, slots free, insertions, why it stopped, coincident points, last slot.
USED, FREE, STAMP, WHY, COINCIDENT, LAST = range(6)

_0, _1, _2, _3, _4, _5, _6, _7, _8 = (np.uint64(k) for k in range(9))
_16, _VISIT, _SIZE, _32 = np.uint64(16), np.uint64(14), np.uint64(15), np.uint64(32)
_64, _MOST_LOCAL = np.uint64(64), np.uint64(64)
_LOW = np.uint64(0xFFFFFFFF)
_MIX = np.uint64(0x9E3779B97F4A7C15)
#: The corners of the face opposite to each corner, in the order that a positive orient puts that corner above.
FACE = np.array([1, 3, 2, 0, 2, 3, 0, 3, 1, 0, 1, 2], dtype=np.uint64)


class Precision(NamedTuple):
    """What decides signs: coordinates are integers of ``bits`` bits times 2**base; bounds on errors over the whole set."""

    base: int
    bits: int
    sphere: float
    side: float


class Mesh(NamedTuple):
    """Tetrahedra in flat rows of eight.

    Attributes
    ----------
    links : (8 t,) four vertices, and 4 t' + j' for the tetrahedron t' across each face and its corner j' that is not in the face.
    sphere : (8 t,) N, D, the vertex that x is relative to, and in the last double two numbers of 32 bits.
    visit : (16 t,) ``sphere`` as integers; [16 t + 14] is the last visit.
    size : (16 t,) ``sphere`` as single floats; [16 t + 15] is b, the largest coordinate difference between vertices.
    """

    links: NDArray[np.uint32]
    sphere: NDArray[np.float64]
    visit: NDArray[np.uint32]
    size: NDArray[np.float32]


class Scratch(NamedTuple):
    """What insertions work with.

    Attributes
    ----------
    cavity : tetrahedra in conflict; faces : those around them, 4 t + j for the corner j of t opposite.
    surface : (8 f,) of each face the code across, three vertices, their numbers on the surface, and the new tetrahedron.
    local : (n,) from vertices to numbers on the surface; pairs : (64 * 64,) from two numbers to the new face at that edge.
    table : (2 e,) the same from two vertices, for large surfaces. It is, like ``local``, stamped rather than cleared.
    free : slots free; ends : where each walk ended; state : see above.
    """

    cavity: NDArray[np.uint32]
    faces: NDArray[np.uint32]
    surface: NDArray[np.uint32]
    local: NDArray[np.uint64]
    pairs: NDArray[np.uint32]
    table: NDArray[np.uint64]
    free: NDArray[np.uint32]
    ends: NDArray[np.uint32]
    state: NDArray[np.int64]


# Products may be fused with sums: rounding once instead of twice loosens no bound.
_FORMULA = INNER | {"fastmath": {"contract"}}


@njit(**_FORMULA)
def _dot(ax, ay, az, bx, by, bz):
    return ax * bx + ay * by + az * bz


@njit(**_FORMULA)
def _cross(ax, ay, az, bx, by, bz):
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@njit(**INNER)
def _largest(x, y, z):
    return max(abs(x), abs(y), abs(z))


@njit(**_FORMULA)
def _from(xyz, vertex, px, py, pz):
    """A vertex as seen from p."""
    at = _3 * vertex
    return xyz[at] - px, xyz[at + _1] - py, xyz[at + _2] - pz


@njit(**_FORMULA)
def _value(sphere, row, px, py, pz):
    """x, |x|^2, D and f of p and the tetrahedron in a row."""
    x, y, z = px - sphere[row + _4], py - sphere[row + _5], pz - sphere[row + _6]
    depth, x2 = sphere[row + _3], x * x + y * y + z * z
    value = sphere[row] * x + sphere[row + _1] * y + sphere[row + _2] * z - depth * x2
    return x, y, z, x2, depth, value


@njit(**INNER)
def _face_and_point(xyz, links, row, corner, p):
    """The 12 coordinates of a face, opposite to a corner of the tetrahedron in a row, and of p."""
    face = _3 * corner
    a, b = _3 * np.uint64(links[row + FACE[face]]), _3 * np.uint64(links[row + FACE[face + _1]])
    c, d = _3 * np.uint64(links[row + FACE[face + _2]]), _3 * p
    return (
        xyz[a], xyz[a + _1], xyz[a + _2], xyz[b], xyz[b + _1], xyz[b + _2],
        xyz[c], xyz[c + _1], xyz[c + _2], xyz[d], xyz[d + _1], xyz[d + _2],
    )


@njit(**INNER)
def _side(xyz, links, precision, row, corner, p):
    """Sign of orient for a face and p."""
    return orient_exact(precision.base, precision.bits, _face_and_point(xyz, links, row, corner, p))


@njit(**INNER)
def _near(b, x2):
    """A bound on the error of f that takes no comparisons: d (b + d) <= (3 d^2 + b^2) / 2."""
    return (0.5 * INSPHERE_ERROR) * b * b * b * (3.0 * x2 + b * b) + UNDERFLOW


@njit(**INNER)
def _conflict_close(xyz, ranks, links, size, precision, t, p, value, x, y, z):
    """The conflict test where the static bound does not decide: a bound of its own size, then exact arithmetic."""
    row, reach = _8 * t, _largest(x, y, z)
    b = np.float64(size[_2 * row + _SIZE])
    infinite = _0
    while infinite < _4 and links[row + infinite] != 0:
        infinite += _1
    if infinite < _4:
        bound = ORIENT_ERROR * b * b * reach + UNDERFLOW
    else:
        bound = INSPHERE_ERROR * b * b * b * reach * (b + reach) + UNDERFLOW
    if abs(value) > bound:
        return value > 0.0
    if infinite < _4:
        side = _side(xyz, links, precision, row, infinite, p)
        if side != 0:
            return side > 0
        row = _8 * np.uint64(links[row + _4 + infinite] >> 2)
    # The face opposite to the last corner is the first three.
    corners = _face_and_point(xyz, links, row, _3, np.uint64(links[row + _3]))
    x = xyz[_3 * p], xyz[_3 * p + _1], xyz[_3 * p + _2]
    sign = insphere_exact(precision.base, precision.bits, corners + x)
    return sign > 0 or (sign == 0 and _tie(xyz, ranks, links, precision, row, p))


@njit(**INNER)
def _tie(xyz, ranks, links, precision, row, p):
    """The conflict test for p exactly on the sphere: what the highest of the five points brings, if that is not p itself."""
    below = np.uint64(0xFFFFFFFFFFFFFFFF)
    while True:
        highest, corner = ranks[p], _4
        for i in range(4):
            rank = ranks[np.uint64(links[row + np.uint64(i)])]
            if highest < rank < below:
                highest, corner = rank, np.uint64(i)
        if corner == _4:
            return False
        # Lifting a corner brings p inside when p lies on that corner's side of the face opposite; on it, the corner is no matter.
        side = _side(xyz, links, precision, row, corner, p)
        if side != 0:
            return side > 0
        below = highest


@njit(**INNER)
def _onward_close(xyz, links, precision, t, p):
    """The first face of t beyond which p lies, exactly, as the corner opposite; 4 for none."""
    row = _8 * t
    for i in range(4):
        corner = np.uint64(i)
        x = _face_and_point(xyz, links, row, corner, p)
        ax, ay, az = x[0] - x[9], x[1] - x[10], x[2] - x[11]
        bx, by, bz = x[3] - x[9], x[4] - x[10], x[5] - x[11]
        cx, cy, cz = x[6] - x[9], x[7] - x[10], x[8] - x[11]
        nx, ny, nz = _cross(bx, by, bz, cx, cy, cz)
        value = _dot(ax, ay, az, nx, ny, nz)
        bound = ORIENT_ERROR * _largest(ax, ay, az) * _largest(bx, by, bz) * _largest(cx, cy, cz) + UNDERFLOW
        if value > bound or (value >= -bound and _side(xyz, links, precision, row, corner, p) < 0):
            return corner
    return _4


# One function rather than one each for its three steps: passing the arrays to a function costs more than the steps do.
@njit(fastmath={"contract"}, **KERNEL)
def insert_points(xyz, ranks, walks, precision, mesh, scratch, first, last):
    """Insert points first ... last-1, and return where it stopped: at ``last``, or when the state says what is full.

    Parameters
    ----------
    xyz : (3 n,) coordinates, of a span of at most 1; those of point 0 mean nothing.
    ranks : (n,) what tells cospherical points apart.
    walks : (n,) which of the earlier walks each point continues: that of the same number, which ended near it; or
        ``INSERTED`` for points to pass over.
    """
    links, sphere, visit, size = mesh
    cavity, faces, surface, local, pairs, table, free, ends, state = scratch
    used, n_free, stamp = np.uint64(state[USED]), np.uint64(state[FREE]), np.uint32(state[STAMP])
    slot = np.uint64(state[LAST])
    static_sphere, static_side = precision.sphere, precision.side
    most, mask = np.uint64(min(len(cavity), len(faces)) - 4), np.uint64(len(table) // 2 - 1)
    state[WHY] = 0
    reached = last
    for point in range(first, last):
        p = np.uint64(point)
        walk = np.uint64(walks[p])
        if walk == INSERTED:
            continue
        px, py, pz = xyz[_3 * p], xyz[_3 * p + _1], xyz[_3 * p + _2]

        # Locate: walk towards p, always through the face that it lies farthest beyond, to a tetrahedron in conflict.
        t, back, found = np.uint64(ends[walk]), _4, False
        if links[_8 * t] == DEAD:
            t = slot
        for _ in range(_LONGEST_WALK):
            row = _8 * t
            x, y, z, x2, depth, value = _value(sphere, row, px, py, pz)
            longest = np.float64(size[_2 * row + _SIZE])
            if depth != 0.0 and (abs(value) > static_sphere or abs(value) > _near(longest, x2)):
                found = value > 0.0
            else:
                found = _conflict_close(xyz, ranks, links, size, precision, t, p, value, x, y, z)
            if found:
                break
            a, b = np.uint64(links[row]), np.uint64(links[row + _1])
            c, d = np.uint64(links[row + _2]), np.uint64(links[row + _3])
            onward = _4
            if a == _0 or b == _0 or c == _0 or d == _0:
                onward = _0 if a == _0 else (_1 if b == _0 else (_2 if c == _0 else _3))
            else:
                ax, ay, az = _from(xyz, a, px, py, pz)
                bx, by, bz = _from(xyz, b, px, py, pz)
                cx, cy, cz = _from(xyz, c, px, py, pz)
                dx, dy, dz = _from(xyz, d, px, py, pz)
                ux, uy, uz = _cross(ax, ay, az, bx, by, bz)
                vx, vy, vz = _cross(cx, cy, cz, dx, dy, dz)
                side, least = _dot(bx, by, bz, vx, vy, vz), -static_side
                if side < least and back != _0:
                    onward, least = _0, side
                side = -_dot(ax, ay, az, vx, vy, vz)
                if side < least and back != _1:
                    onward, least = _1, side
                side = _dot(dx, dy, dz, ux, uy, uz)
                if side < least and back != _2:
                    onward, least = _2, side
                side = -_dot(cx, cy, cz, ux, uy, uz)
                if side < least and back != _3:
                    onward, least = _3, side
                if onward == _4:
                    onward = _onward_close(xyz, links, precision, t, p)
                    if onward == _4:
                        break
            code = np.uint64(links[row + _4 + onward])
            t, back = code >> _2, code & _3
        if not found:
            # All, one by one: p coincides with a vertex, or the walk was endless.
            for s in range(used):
                t = np.uint64(s)
                row = _8 * t
                if links[row] != DEAD:
                    x, y, z, _, _, value = _value(sphere, row, px, py, pz)
                    found = _conflict_close(xyz, ranks, links, size, precision, t, p, value, x, y, z)
                    if found:
                        break
            if not found:
                state[COINCIDENT] += 1
                continue

        # Excavate: from there outwards all tetrahedra in conflict, and the faces around them. Outcomes are chance, which a
        # processor cannot foresee: what they decide is counted rather than branched on.
        stamp += np.uint32(1)
        cavity[0] = t
        visit[_16 * t + _VISIT] = stamp
        n_cavity, n_faces, done = _1, _0, _0
        while done < n_cavity:
            if n_cavity > most or n_faces > most:
                state[WHY] = CAVITY_FULL
                break
            own = np.uint64(cavity[done])
            done += _1
            for i in range(4):
                corner = np.uint64(i)
                t = np.uint64(links[_8 * own + _4 + corner]) >> _2
                row = _8 * t
                x, y, z, x2, depth, value = _value(sphere, row, px, py, pz)
                longest = np.float64(size[_2 * row + _SIZE])
                found = value > 0.0
                if depth == 0.0 or not (abs(value) > static_sphere or abs(value) > _near(longest, x2)):
                    found = _conflict_close(xyz, ranks, links, size, precision, t, p, value, x, y, z)
                inside, seen = np.uint64(found), visit[_2 * row + _VISIT]
                cavity[n_cavity] = t
                n_cavity += inside & np.uint64(seen != stamp)
                visit[_2 * row + _VISIT] = stamp if found else seen
                faces[n_faces] = _4 * own + corner
                n_faces += _1 - inside
        if state[WHY] == 0:
            if _8 * (used + n_faces) > np.uint64(len(links)):
                state[WHY] = MESH_FULL
            elif n_cavity + n_free > np.uint64(len(free)):
                state[WHY] = FREE_FULL
            elif _6 * n_faces > np.uint64(len(table)):
                state[WHY] = TABLE_FULL
        if state[WHY] != 0:
            reached = point
            break

        # Copy the faces, as their tetrahedra give way to new ones, and number the vertices on the cavity's surface.
        n_local = _0
        for f in range(n_faces):
            at = _8 * np.uint64(f)
            code = np.uint64(faces[f])
            row, corner = _8 * (code >> _2), code & _3
            surface[at] = links[row + _4 + corner]
            for i in range(3):
                vertex = np.uint64(links[row + FACE[_3 * corner + np.uint64(i)]])
                entry = local[vertex]
                new = entry >> _32 != np.uint64(stamp)
                number = n_local if new else entry & _LOW
                n_local += np.uint64(new)
                local[vertex] = np.uint64(stamp) << _32 | number
                surface[at + _1 + np.uint64(i)] = vertex
                surface[at + _4 + np.uint64(i)] = number
        few = n_local <= _MOST_LOCAL

        # Fill: a tetrahedron of each face and p, linked across that face, and across the others at the edges they share.
        smallest = np.inf
        for f in range(n_faces):
            at = _8 * np.uint64(f)
            if np.uint64(f) < n_cavity:
                slot = np.uint64(cavity[f])
            elif n_free > _0:
                n_free -= _1
                slot = np.uint64(free[n_free])
            else:
                slot = used
                used += _1
            row, beyond = _8 * slot, np.uint64(surface[at])
            a, b, c = np.uint64(surface[at + _1]), np.uint64(surface[at + _2]), np.uint64(surface[at + _3])
            links[row], links[row + _1], links[row + _2], links[row + _3] = a, b, c, p
            links[row + _7] = beyond
            links[_8 * (beyond >> _2) + _4 + (beyond & _3)] = _4 * slot + _3
            surface[at + _7] = slot
            if few:
                i, j, k = np.uint64(surface[at + _4]), np.uint64(surface[at + _5]), np.uint64(surface[at + _6])
                pairs[_64 * j + k], pairs[_64 * k + i], pairs[_64 * i + j] = _4 * slot, _4 * slot + _1, _4 * slot + _2

            ux, uy, uz = _from(xyz, a, px, py, pz)
            vx, vy, vz = _from(xyz, b, px, py, pz)
            wx, wy, wz = _from(xyz, c, px, py, pz)
            u2, v2, w2 = _dot(ux, uy, uz, ux, uy, uz), _dot(vx, vy, vz, vx, vy, vz), _dot(wx, wy, wz, wx, wy, wz)
            if a == _0 or b == _0 or c == _0:
                # The limit of a corner going to infinity, per unit of its distance squared.
                u2 = v2 = w2 = 0.0
                if a == _0:
                    ux, uy, uz, u2 = 0.0, 0.0, 0.0, 1.0
                elif b == _0:
                    vx, vy, vz, v2 = 0.0, 0.0, 0.0, 1.0
                else:
                    wx, wy, wz, w2 = 0.0, 0.0, 0.0, 1.0
            nx, ny, nz = _cross(vx, vy, vz, wx, wy, wz)
            gx, gy, gz = _cross(wx, wy, wz, ux, uy, uz)
            hx, hy, hz = _cross(ux, uy, uz, vx, vy, vz)
            sphere[row] = -_dot(u2, v2, w2, nx, gx, hx)
            sphere[row + _1] = -_dot(u2, v2, w2, ny, gy, hy)
            sphere[row + _2] = -_dot(u2, v2, w2, nz, gz, hz)
            sphere[row + _3] = -_dot(ux, uy, uz, nx, ny, nz)
            sphere[row + _4], sphere[row + _5], sphere[row + _6] = px, py, pz
            visit[_2 * row + _VISIT] = 0
            largest = _largest(_largest(ux, uy, uz), _largest(vx, vy, vz), _largest(wx, wy, wz))
            # Rounded up, as it bounds errors, and above where single floats lose digits.
            size[_2 * row + _SIZE] = np.float32(largest * 1.0000002 + SMALLEST_SIZE)
            if largest < smallest:
                # Where the next walk starts: long tetrahedra lead far away.
                smallest, ends[walk] = largest, slot

        for f in range(n_faces if few else _0):
            # Round the surface, every edge is met in both directions.
            at = _8 * np.uint64(f)
            row = _8 * np.uint64(surface[at + _7])
            i, j, k = np.uint64(surface[at + _4]), np.uint64(surface[at + _5]), np.uint64(surface[at + _6])
            links[row + _4], links[row + _5], links[row + _6] = pairs[_64 * k + j], pairs[_64 * i + k], pairs[_64 * j + i]
        for f in range(_0 if few else n_faces):
            # Too many vertices for a table of all pairs: one of those that are edges, by hash.
            at = _8 * np.uint64(f)
            for i in range(3):
                low = np.uint64(surface[at + _1 + np.uint64((i + 1) % 3)])
                high = np.uint64(surface[at + _1 + np.uint64((i + 2) % 3)])
                if low > high:
                    low, high = high, low
                key, mine = low << _32 | high, _4 * np.uint64(surface[at + _7]) + np.uint64(i)
                place = (key * _MIX) >> _32 & mask
                while table[_2 * place + _1] >> _32 == np.uint64(stamp) and table[_2 * place] != key:
                    place = (place + _1) & mask
                entry = table[_2 * place + _1]
                if entry >> _32 == np.uint64(stamp):
                    other = entry & _LOW
                    links[_8 * (mine >> _2) + _4 + (mine & _3)] = other
                    links[_8 * (other >> _2) + _4 + (other & _3)] = mine
                else:
                    table[_2 * place], table[_2 * place + _1] = key, np.uint64(stamp) << _32 | mine
        for k in range(n_faces, n_cavity):
            gone = np.uint64(cavity[k])
            links[_8 * gone] = DEAD
            free[n_free] = gone
            n_free += _1
    state[USED], state[FREE], state[STAMP], state[LAST] = used, n_free, stamp, slot
    return reached
