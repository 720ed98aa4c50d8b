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

from armillary.voids.exact import insphere_exact, orient_exact

#: In the place of its first vertex, what marks a slot that holds no tetrahedron.
DEAD = np.uint32(0xFFFFFFFF)

# Error bounds, in units of the largest coordinate differences b of the tetrahedron and d of the point from it. Counting
# roundings of 2^-53: |N . x| <= 54 b^4 d with at most 17 of them, D |x|^2 <= 18 b^3 d^2 with 13; |n . x| <= 6 b^2 d with 8.
INSPHERE_ERROR = 1.2e-13
ORIENT_ERROR = 2e-14
# Below this, products may have lost digits to underflow; coordinates are scaled to a span of about 1.
UNDERFLOW = 1e-280

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


@njit(cache=True)
def _four_points(xyz, a, b, c, p):
    a, b, c, p = _3 * a, _3 * b, _3 * c, _3 * p
    return (
        xyz[a], xyz[a + _1], xyz[a + _2], xyz[b], xyz[b + _1], xyz[b + _2],
        xyz[c], xyz[c + _1], xyz[c + _2], xyz[p], xyz[p + _1], xyz[p + _2],
    )


@njit(cache=True)
def _near(b, x2):
    """A bound on the error of f that takes no comparisons: d (b + d) <= (3 d^2 + b^2) / 2."""
    return (0.5 * INSPHERE_ERROR) * b * b * b * (3.0 * x2 + b * b) + UNDERFLOW


@njit(cache=True)
def _conflict_close(xyz, ranks, links, size, precision, t, p, value, reach):
    """The conflict test where the static bound does not decide: a bound of its own size, then exact arithmetic."""
    row = _8 * t
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
        face = _3 * infinite
        corners = links[row + FACE[face]], links[row + FACE[face + _1]], links[row + FACE[face + _2]]
        side = orient_exact(
            precision.base, precision.bits, _four_points(xyz, corners[0], corners[1], corners[2], p)
        )
        if side != 0:
            return side > 0
        row = _8 * np.uint64(links[row + _4 + infinite] >> 2)
    corners = _four_points(xyz, links[row], links[row + _1], links[row + _2], links[row + _3])
    x = xyz[_3 * p], xyz[_3 * p + _1], xyz[_3 * p + _2]
    sign = insphere_exact(precision.base, precision.bits, corners + x)
    return sign > 0 or (sign == 0 and _tie(xyz, ranks, links, precision, row, p))


@njit(cache=True)
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
        face = _3 * corner
        corners = links[row + FACE[face]], links[row + FACE[face + _1]], links[row + FACE[face + _2]]
        side = orient_exact(
            precision.base, precision.bits, _four_points(xyz, corners[0], corners[1], corners[2], p)
        )
        if side != 0:
            return side > 0
        below = highest


@njit(cache=True)
def _onward_close(xyz, links, precision, t, p):
    """The first face of t beyond which p lies, exactly, as the corner opposite; 4 for none."""
    row = _8 * t
    for i in range(4):
        face = np.uint64(3 * i)
        corners = links[row + FACE[face]], links[row + FACE[face + _1]], links[row + FACE[face + _2]]
        x = _four_points(xyz, corners[0], corners[1], corners[2], p)
        ax, ay, az = x[0] - x[9], x[1] - x[10], x[2] - x[11]
        bx, by, bz = x[3] - x[9], x[4] - x[10], x[5] - x[11]
        cx, cy, cz = x[6] - x[9], x[7] - x[10], x[8] - x[11]
        value = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        a, b, c = max(abs(ax), abs(ay), abs(az)), max(abs(bx), abs(by), abs(bz)), max(abs(cx), abs(cy), abs(cz))
        bound = ORIENT_ERROR * a * b * c + UNDERFLOW
        if value > bound or (value >= -bound and orient_exact(precision.base, precision.bits, x) < 0):
            return np.uint64(i)
    return _4


# One function rather than one each for its three steps: passing the arrays to a function costs more than the steps do.
@njit(cache=True, error_model="numpy", fastmath={"contract"})
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
            x, y, z = px - sphere[row + _4], py - sphere[row + _5], pz - sphere[row + _6]
            depth, x2, longest = sphere[row + _3], x * x + y * y + z * z, np.float64(size[_2 * row + _SIZE])
            value = sphere[row] * x + sphere[row + _1] * y + sphere[row + _2] * z - depth * x2
            if depth != 0.0 and (abs(value) > static_sphere or abs(value) > _near(longest, x2)):
                found = value > 0.0
            else:
                found = _conflict_close(xyz, ranks, links, size, precision, t, p, value, max(abs(x), abs(y), abs(z)))
            if found:
                break
            a, b = np.uint64(links[row]), np.uint64(links[row + _1])
            c, d = np.uint64(links[row + _2]), np.uint64(links[row + _3])
            onward = _4
            if a == _0 or b == _0 or c == _0 or d == _0:
                onward = _0 if a == _0 else (_1 if b == _0 else (_2 if c == _0 else _3))
            else:
                ax, ay, az = xyz[_3 * a] - px, xyz[_3 * a + _1] - py, xyz[_3 * a + _2] - pz
                bx, by, bz = xyz[_3 * b] - px, xyz[_3 * b + _1] - py, xyz[_3 * b + _2] - pz
                cx, cy, cz = xyz[_3 * c] - px, xyz[_3 * c + _1] - py, xyz[_3 * c + _2] - pz
                dx, dy, dz = xyz[_3 * d] - px, xyz[_3 * d + _1] - py, xyz[_3 * d + _2] - pz
                ux, uy, uz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
                vx, vy, vz = cy * dz - cz * dy, cz * dx - cx * dz, cx * dy - cy * dx
                side, least = bx * vx + by * vy + bz * vz, -static_side
                if side < least and back != _0:
                    onward, least = _0, side
                side = -(ax * vx + ay * vy + az * vz)
                if side < least and back != _1:
                    onward, least = _1, side
                side = dx * ux + dy * uy + dz * uz
                if side < least and back != _2:
                    onward, least = _2, side
                side = -(cx * ux + cy * uy + cz * uz)
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
                    x, y, z = px - sphere[row + _4], py - sphere[row + _5], pz - sphere[row + _6]
                    value = sphere[row] * x + sphere[row + _1] * y + sphere[row + _2] * z - sphere[row + _3] * (
                        x * x + y * y + z * z
                    )
                    reach = max(abs(x), abs(y), abs(z))
                    found = _conflict_close(xyz, ranks, links, size, precision, t, p, value, reach)
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
                x, y, z = px - sphere[row + _4], py - sphere[row + _5], pz - sphere[row + _6]
                depth, x2, longest = sphere[row + _3], x * x + y * y + z * z, np.float64(size[_2 * row + _SIZE])
                value = sphere[row] * x + sphere[row + _1] * y + sphere[row + _2] * z - depth * x2
                found = value > 0.0
                if depth == 0.0 or not (abs(value) > static_sphere or abs(value) > _near(longest, x2)):
                    found = _conflict_close(xyz, ranks, links, size, precision, t, p, value, max(abs(x), abs(y), abs(z)))
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

            ux, uy, uz = xyz[_3 * a] - px, xyz[_3 * a + _1] - py, xyz[_3 * a + _2] - pz
            vx, vy, vz = xyz[_3 * b] - px, xyz[_3 * b + _1] - py, xyz[_3 * b + _2] - pz
            wx, wy, wz = xyz[_3 * c] - px, xyz[_3 * c + _1] - py, xyz[_3 * c + _2] - pz
            u2, v2, w2 = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz, wx * wx + wy * wy + wz * wz
            if a == _0 or b == _0 or c == _0:
                # The limit of a corner going to infinity, per unit of its distance squared.
                u2 = v2 = w2 = 0.0
                if a == _0:
                    ux, uy, uz, u2 = 0.0, 0.0, 0.0, 1.0
                elif b == _0:
                    vx, vy, vz, v2 = 0.0, 0.0, 0.0, 1.0
                else:
                    wx, wy, wz, w2 = 0.0, 0.0, 0.0, 1.0
            nx, ny, nz = vy * wz - vz * wy, vz * wx - vx * wz, vx * wy - vy * wx
            sphere[row] = -(u2 * nx + v2 * (wy * uz - wz * uy) + w2 * (uy * vz - uz * vy))
            sphere[row + _1] = -(u2 * ny + v2 * (wz * ux - wx * uz) + w2 * (uz * vx - ux * vz))
            sphere[row + _2] = -(u2 * nz + v2 * (wx * uy - wy * ux) + w2 * (ux * vy - uy * vx))
            sphere[row + _3] = -(ux * nx + uy * ny + uz * nz)
            sphere[row + _4], sphere[row + _5], sphere[row + _6] = px, py, pz
            visit[_2 * row + _VISIT] = 0
            largest = max(abs(ux), abs(uy), abs(uz), abs(vx), abs(vy), abs(vz), abs(wx), abs(wy), abs(wz))
            # Rounded up, as it bounds errors.
            size[_2 * row + _SIZE] = np.float32(largest * 1.0000002)
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


@njit(cache=True)
def finite_tetrahedra(links, names, n_own, places, n_places):
    """Tetrahedra that are neither dead nor ghosts and have a vertex of a name below ``n_own``: vertices, adjacent (t, 4).

    Parameters
    ----------
    names : (n,) what to call each point, the first inserted first.
    places : (n,) where each point is, below ``n_places``; the tetrahedra are sorted by the lowest of their vertices' places, so
        that neighbours lie close in memory.
    """
    n_slots = len(links) // 8
    start = np.zeros(n_places + 1, dtype=np.int64)
    number = np.empty(n_slots, dtype=np.int32)
    for t in range(n_slots):
        row, lowest, owned = _8 * np.uint64(t), np.uint64(n_places), False
        if links[row] != DEAD:
            for k in range(4):
                vertex = np.uint64(links[row + np.uint64(k)])
                if vertex == _0:
                    owned = False
                    break
                lowest = min(lowest, np.uint64(places[vertex - _1]))
                owned = owned or names[vertex - _1] < n_own
        number[np.uint64(t)] = -1
        if owned:
            number[np.uint64(t)] = lowest
            start[lowest + _1] += 1
    for k in range(n_places):
        start[k + 1] += start[k]
    tetrahedra, adjacent = np.empty((start[n_places], 4), dtype=np.int32), np.empty((start[n_places], 4), dtype=np.int32)
    for t in range(n_slots):
        lowest = number[np.uint64(t)]
        if lowest >= 0:
            number[np.uint64(t)] = start[np.uint64(lowest)]
            start[np.uint64(lowest)] += 1
    for t in range(n_slots):
        k = number[np.uint64(t)]
        if k >= 0:
            row = _8 * np.uint64(t)
            for i in range(4):
                tetrahedra[k, i] = names[np.uint64(links[row + np.uint64(i)]) - _1]
                adjacent[k, i] = number[np.uint64(links[row + _4 + np.uint64(i)] >> 2)]
    return tetrahedra, adjacent
