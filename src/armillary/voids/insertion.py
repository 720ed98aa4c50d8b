"""One insertion into a Delaunay tessellation, compiled: locate, excavate, fill.

**Conflict test.** With x the point relative to a vertex of the tetrahedron,

    f(x) = N . x - D |x|^2  >  0   inside the circumsphere,

where N and D depend on the tetrahedron alone and are stored with it; for a ghost, N is the outward normal of its facet and D = 0.
An error bound on f decides nearly always, and exact arithmetic otherwise (:mod:`armillary.voids.exact`). A point exactly on a
circumsphere is not in conflict, so that cospherical points give one of their valid tessellations, and always the same
one. A point in the plane of a ghost's facet is in conflict with it when it is with the tetrahedron behind the facet.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from armillary.voids.exact import collinear_exact, insphere_exact, orient_exact

_INFINITY, DEAD = -1, -2

# Error bounds, in units of the largest coordinate differences b of the tetrahedron and d of the point from it. Counting
# roundings of 2^-53: |N . x| <= 54 b^4 d with at most 17 of them, D |x|^2 <= 18 b^3 d^2 with 13; |n . x| <= 6 b^2 d with 8.
INSPHERE_ERROR = 1.2e-13
_ORIENT_ERROR = 2e-14
# Below this, products may have lost digits to underflow; coordinates are scaled to a span of about 1.
UNDERFLOW = 1e-280

_LONGEST_WALK = 1_000_000
#: Why :func:`insert_points` stopped: what must grow before it can go on.
CAVITY_FULL, FACES_FULL, MESH_FULL, FREE_FULL, TABLE_FULL = 1, 2, 3, 4, 5


class Mesh(NamedTuple):
    """Tetrahedra: vertices (t, 4); 4 t' + j' across each face (t, 4); N, D, anchor, b (t, 8); last visit (t,)."""

    vertices: NDArray[np.int32]
    across: NDArray[np.int32]
    sphere: NDArray[np.float64]
    visit: NDArray[np.int32]


class Scratch(NamedTuple):
    """What one insertion works with: its cavity, the faces around it, free slots, and a table from edge to face."""

    cavity: NDArray[np.int32]
    faces: NDArray[np.int32]
    corners: NDArray[np.int32]
    free: NDArray[np.int32]
    edge: NDArray[np.int64]
    owner: NDArray[np.int32]
    entry: NDArray[np.int32]


@njit(cache=True)
def _orient(space, a, b, c, p):
    """Sign of orient(a, b, c, p), by a filter and, where it does not decide, exactly."""
    points = space.points
    ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
    vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
    wx, wy, wz = points[p, 0] - points[a, 0], points[p, 1] - points[a, 1], points[p, 2] - points[a, 2]
    value = ux * (vy * wz - vz * wy) + uy * (vz * wx - vx * wz) + uz * (vx * wy - vy * wx)
    bound = (
        _ORIENT_ERROR * max(abs(ux), abs(uy), abs(uz)) * max(abs(vx), abs(vy), abs(vz)) * max(abs(wx), abs(wy), abs(wz))
        + UNDERFLOW
    )
    if value > bound:
        return 1
    if value < -bound:
        return -1
    return orient_exact(space, a, b, c, p)


@njit(cache=True)
def first_tetrahedron(space):
    """The first four points that span space, positively oriented; -1 in the place of what is missing."""
    n = len(space.points)
    out = np.full(4, -1, dtype=np.int64)
    out[0] = 0
    for i in range(1, n):
        different = False
        for axis in range(3):
            different = different or space.points[i, axis] != space.points[0, axis]
        if different:
            out[1] = i
            break
    for i in range(out[1] + 1, n if out[1] > 0 else 0):
        if not collinear_exact(space, 0, out[1], i):
            out[2] = i
            break
    for i in range(out[2] + 1, n if out[2] > 0 else 0):
        side = _orient(space, 0, out[1], out[2], i)
        if side != 0:
            out[3] = i
            if side < 0:
                out[1], out[2] = out[2], out[1]
            break
    return out


@njit(cache=True)
def start_mesh(space, mesh):
    """The first tetrahedron in slot 0, and behind its face i the ghost in slot 1 + i."""
    vertices, across = mesh.vertices, mesh.across
    for k in range(4):
        vertices[0, k] = k
    for i in range(4):
        ghost = 1 + i
        for k in range(4):
            vertices[ghost, k] = k
        # Seen from outside the face is turned round: exchange two of its corners.
        j, k = (i + 1) & 3, (i + 2) & 3
        vertices[ghost, i], vertices[ghost, j], vertices[ghost, k] = _INFINITY, k, j
        across[0, i], across[ghost, i] = 4 * ghost + i, i
    for i in range(4):
        for k in range(4):
            if k != i:
                # Opposite to corner m of face i lies the ghost behind face m, with the corner that is not in face i.
                other, corner = 1 + vertices[1 + i, k], 0
                while vertices[other, corner] != i:
                    corner += 1
                across[1 + i, k] = 4 * other + corner
    for t in range(5):
        _set_sphere(space, mesh, t)


@njit(cache=True)
def infinite_corner(vertices, t):
    """Which corner of a tetrahedron is at infinity, -1 for none."""
    for k in range(4):
        if vertices[t, k] == _INFINITY:
            return k
    return -1


@njit(cache=True)
def _facet(vertices, t, k):
    """The corners other than k, in the order that a positive orient puts corner k above."""
    a, b = np.int64(vertices[t, 0]), np.int64(vertices[t, 1])
    c, d = np.int64(vertices[t, 2]), np.int64(vertices[t, 3])
    if k == 3:
        return a, b, c
    if k == 2:
        return a, d, b
    if k == 1:
        return a, c, d
    return b, d, c


@njit(cache=True, inline="always", error_model="numpy", fastmath={"contract"})
def _set_sphere(space, mesh, t):
    """Store N, D, the anchor vertex and the largest coordinate difference of tetrahedron t."""
    points, sphere, vertices = space.points, mesh.sphere, mesh.vertices
    a, b, c, d = vertices[t, 0], vertices[t, 1], vertices[t, 2], vertices[t, 3]
    finite = a >= 0 and b >= 0 and c >= 0 and d >= 0
    if not finite:
        a, b, c = _facet(vertices, t, infinite_corner(vertices, t))
    ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
    ux, uy, uz = points[b, 0] - ax, points[b, 1] - ay, points[b, 2] - az
    vx, vy, vz = points[c, 0] - ax, points[c, 1] - ay, points[c, 2] - az
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    size = max(abs(ux), abs(uy), abs(uz), abs(vx), abs(vy), abs(vz))
    depth = 0.0
    if finite:
        wx, wy, wz = points[d, 0] - ax, points[d, 1] - ay, points[d, 2] - az
        size = max(size, abs(wx), abs(wy), abs(wz))
        depth = nx * wx + ny * wy + nz * wz
        u2, v2, w2 = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz, wx * wx + wy * wy + wz * wz
        nx = u2 * (vy * wz - vz * wy) + v2 * (wy * uz - wz * uy) + w2 * nx
        ny = u2 * (vz * wx - vx * wz) + v2 * (wz * ux - wx * uz) + w2 * ny
        nz = u2 * (vx * wy - vy * wx) + v2 * (wx * uy - wy * ux) + w2 * nz
    sphere[t, 0], sphere[t, 1], sphere[t, 2], sphere[t, 3] = nx, ny, nz, depth
    sphere[t, 4], sphere[t, 5], sphere[t, 6], sphere[t, 7] = ax, ay, az, size


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _conflict(space, mesh, t, p, static):
    """True when point p lies strictly inside the circumsphere of t; for a ghost, beyond its facet."""
    sphere, at = mesh.sphere, np.uintp(t)
    x = space.points[p, 0] - sphere[at, 4]
    y = space.points[p, 1] - sphere[at, 5]
    z = space.points[p, 2] - sphere[at, 6]
    depth = sphere[at, 3]
    value = sphere[at, 0] * x + sphere[at, 1] * y + sphere[at, 2] * z - depth * (x * x + y * y + z * z)
    if abs(value) > static and depth != 0.0:
        return value > 0.0
    return _conflict_close(space, mesh, t, p, value, max(abs(x), abs(y), abs(z)))


@njit(cache=True)
def _conflict_close(space, mesh, t, p, value, reach):
    """The conflict test where the static bound does not decide: a bound of its own size, then exact arithmetic."""
    infinite = infinite_corner(mesh.vertices, t)
    size = mesh.sphere[t, 7]
    if infinite >= 0:
        bound = _ORIENT_ERROR * size * size * reach + UNDERFLOW
        if value > bound:
            return True
        if value < -bound:
            return False
        a, b, c = _facet(mesh.vertices, t, infinite)
        side = orient_exact(space, a, b, c, p)
        if side != 0:
            return side > 0
        behind = mesh.across[t, infinite] >> 2
        return _insphere(space, mesh.vertices, behind, p) > 0
    bound = INSPHERE_ERROR * size * size * size * reach * (size + reach) + UNDERFLOW
    if value > bound:
        return True
    if value < -bound:
        return False
    return _insphere(space, mesh.vertices, t, p) > 0


@njit(cache=True)
def _insphere(space, vertices, t, p):
    a, b, c = _facet(vertices, t, 3)
    return insphere_exact(space, a, b, c, np.int64(vertices[t, 3]), p)


@njit(cache=True)
def _locate(space, mesh, start, p, static):
    """A tetrahedron in conflict with p, by a visibility walk; -1 when it takes too long or p coincides with a vertex."""
    t, came_from = start, -1
    for step in range(_LONGEST_WALK):
        if _conflict(space, mesh, t, p, static):
            return t
        infinite = infinite_corner(mesh.vertices, t)
        onward = -1
        if infinite >= 0:
            onward = mesh.across[t, infinite]
        else:
            for turn in range(4):
                i = (step + turn) & 3
                if i != came_from:
                    a, b, c = _facet(mesh.vertices, t, i)
                    if _orient(space, a, b, c, p) < 0:
                        onward = mesh.across[t, i]
                        break
        if onward < 0:
            return -1
        t, came_from = onward >> 2, onward & 3
    return -1


@njit(cache=True)
def _search(space, mesh, used, p, static):
    """A tetrahedron in conflict with p, by trying all; -1 when there is none, that is, when p is a vertex already."""
    for t in range(used):
        if mesh.vertices[t, 0] != DEAD and _conflict(space, mesh, t, p, static):
            return t
    return -1


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def insert_points(space, mesh, scratch, state, first, last, static):
    """Insert points first ... last-1, and return where it stopped: at ``last``, or when ``state[2]`` says what is full."""
    state[2] = 0
    for p in range(first, last):
        t = _locate(space, mesh, state[1], p, static)
        if t < 0:
            t = _search(space, mesh, state[0], p, static)
        if t < 0:
            state[5] += 1
            continue
        state[3] += 1
        n_cavity, n_faces = _excavate(space, mesh, scratch, state, t, p, static)
        if state[2] == 0:
            if state[0] + n_faces > len(mesh.visit):
                state[2] = MESH_FULL
            elif n_cavity + state[4] > len(scratch.free):
                state[2] = FREE_FULL
            elif 6 * n_faces > len(scratch.edge):
                state[2] = TABLE_FULL
        if state[2] != 0:
            return p
        _fill(space, mesh, scratch, state, n_cavity, n_faces)
    return last


@njit(cache=True, inline="always", error_model="numpy", fastmath={"contract"})
def _excavate(space, mesh, scratch, state, t, p, static):
    """Collect the tetrahedra in conflict with p, from t outwards, and the faces around them: (cavity, faces) found."""
    visit, across, sphere = mesh.visit, mesh.across, mesh.sphere
    cavity, faces, corners = scratch.cavity, scratch.faces, scratch.corners
    px, py, pz = space.points[p, 0], space.points[p, 1], space.points[p, 2]
    inside, outside = 2 * state[3], 2 * state[3] + 1
    cavity[0] = t
    visit[t] = inside
    n_cavity, n_faces, done = 1, 0, 0
    while done < n_cavity:
        if n_cavity + 4 > len(cavity):
            state[2] = CAVITY_FULL
            break
        if n_faces + 4 > len(faces):
            state[2] = FACES_FULL
            break
        t = cavity[done]
        done += 1
        for i in range(4):
            code = across[np.uintp(t), np.uintp(i)]
            s = code >> 2
            at = np.uintp(s)
            seen = visit[at]
            if seen == inside:
                continue
            if seen != outside:
                # _conflict, written out: this is where the time goes.
                x, y, z = px - sphere[at, 4], py - sphere[at, 5], pz - sphere[at, 6]
                depth = sphere[at, 3]
                value = sphere[at, 0] * x + sphere[at, 1] * y + sphere[at, 2] * z - depth * (x * x + y * y + z * z)
                if abs(value) > static and depth != 0.0:
                    hit = value > 0.0
                else:
                    hit = _conflict_close(space, mesh, s, p, value, max(abs(x), abs(y), abs(z)))
                if hit:
                    visit[at] = inside
                    cavity[n_cavity] = s
                    n_cavity += 1
                    continue
                visit[at] = outside
            faces[n_faces] = code
            for k in range(4):
                corners[n_faces, k] = mesh.vertices[t, k]
            corners[n_faces, i] = p
            corners[n_faces, 4] = i
            n_faces += 1
    return n_cavity, n_faces


@njit(cache=True, inline="always", error_model="numpy", fastmath={"contract"})
def _fill(space, mesh, scratch, state, n_cavity, n_faces):
    """Make a tetrahedron of each face around the cavity and the new point, and link them."""
    vertices, across = mesh.vertices, mesh.across
    corners, free = scratch.corners, scratch.free
    edge, owner, entry = scratch.edge, scratch.owner, scratch.entry
    mask, insertion = len(edge) - 1, state[3]
    used, n_free = state[0], state[4]
    slot = state[1]
    for f in range(n_faces):
        if f < n_cavity:
            slot = np.int64(scratch.cavity[f])
        elif n_free > 0:
            n_free -= 1
            slot = np.int64(free[n_free])
        else:
            slot = used
            used += 1
        i = corners[f, 4]
        for k in range(4):
            vertices[slot, k] = corners[f, k]
        beyond = scratch.faces[f]
        across[slot, i] = beyond
        across[beyond >> 2, beyond & 3] = 4 * slot + i
        _set_sphere(space, mesh, slot)
        for turn in range(1, 4):
            # The face opposite to corner j is shared with the new tetrahedron at the same edge of the cavity's boundary.
            j = (i + turn) & 3
            low = corners[f, (i + (2 if turn == 1 else 1)) & 3]
            high = corners[f, (i + (2 if turn == 3 else 3)) & 3]
            if low > high:
                low, high = high, low
            key = np.int64(low + 1) << 32 | np.int64(high + 1)
            place = np.uintp((np.int64(low + 1) * 73856093 ^ np.int64(high + 1) * 19349663) & mask)
            while owner[place] == insertion and edge[place] != key:
                place = np.uintp((np.int64(place) + 1) & mask)
            mine = 4 * slot + j
            if owner[place] == insertion:
                other = entry[place]
                across[slot, j] = other
                across[other >> 2, other & 3] = mine
            else:
                owner[place], edge[place], entry[place] = insertion, key, mine
    for k in range(n_faces, n_cavity):
        vertices[scratch.cavity[k], 0] = DEAD
        free[n_free] = scratch.cavity[k]
        n_free += 1
    state[0], state[1], state[4] = used, slot, n_free
