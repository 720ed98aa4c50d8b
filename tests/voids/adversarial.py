"""Sets of points that break tessellations, and what a tessellation has to be, in exact integers."""

from fractions import Fraction
from itertools import combinations
from math import lcm

import numpy as np

from armillary.errors import CoordinateError
from armillary.voids.blocks import Whole, tessellate_block
from armillary.voids.delaunay import delaunay

KINDS = (
    "general", "lattice", "scaled lattice", "rounded", "sphere", "cylinder", "clusters", "offset", "collinear",
    "flat lattice", "single precision", "fcc", "nearly equal", "nearly flat", "tiny", "noisy lattice", "slab",
    "small cluster", "all scales", "noisy sphere",
)


def degenerate(kind, rng):
    """A small set of distinct points, in random order."""
    n = int(rng.integers(5, 40))
    angle = rng.integers(0, 8, n) * np.pi / 4.0
    sphere, even = rng.normal(size=(n, 3)), rng.integers(-2, 3, (3 * n, 3))
    sphere /= np.linalg.norm(sphere, axis=1)[:, None]
    noise = 10.0 ** rng.integers(-17, -11)
    points = {
        "general": lambda: rng.random((n, 3)),
        "lattice": lambda: rng.integers(0, 3, (n, 3)) * 1.0,
        "scaled lattice": lambda: rng.integers(0, 5, (n, 3)) * 0.1,
        "rounded": lambda: np.round(rng.normal(size=(n, 3)), 1),
        "sphere": lambda: sphere,
        "cylinder": lambda: np.c_[np.cos(angle), np.sin(angle), rng.integers(0, 4, n)],
        "clusters": lambda: rng.random((n, 3)) * 1e-9 + rng.integers(0, 2, (n, 1)),
        "offset": lambda: rng.random((n, 3)) + 1e6,
        "collinear": lambda: np.concatenate((np.outer(rng.random(n), [1.0, 2.0, 3.0]), rng.random((3, 3)))),
        "flat lattice": lambda: rng.integers(0, 3, (n, 3)) * [1.0, 1.0, 1e-8],
        "single precision": lambda: (rng.random((n, 3)) * 300.0).astype(np.float32).astype(float),
        "fcc": lambda: even[np.abs(even).sum(axis=1) % 2 == 0] * 1.0,
        "nearly equal": lambda: rng.integers(0, 2, (n, 3)) + rng.choice([0.0, 1e-16, 1e-15, 1e-12], (n, 3)),
        "nearly flat": lambda: np.c_[rng.random((n, 2)), np.r_[rng.random(2), np.zeros(n - 2)]],
        "tiny": lambda: rng.integers(0, 4, (n, 3)) * 1e-150,
        "noisy lattice": lambda: rng.integers(0, 4, (n, 3)) * 0.1 + noise * rng.normal(size=(n, 3)),
        "slab": lambda: np.c_[rng.integers(0, 5, (n, 2)) * 0.1, noise * rng.integers(0, 3, n)],
        "small cluster": lambda: np.concatenate(
            (rng.integers(0, 4, (n // 8 + 5, 3)) * 0.1 * 10.0 ** rng.integers(-52, -20), rng.random((4, 3)))
        ),
        "all scales": lambda: sphere * 2.0 ** rng.integers(-40, 1, (n, 1)),
        "noisy sphere": lambda: sphere * (1.0 + noise * rng.normal(size=(n, 1))),
    }[kind]()
    points = np.unique(points + 0.0, axis=0)
    return points[rng.permutation(len(points))]


def integers(points):
    """Coordinates (n, 3) in their common unit, as Python's own integers."""
    fractions = [[Fraction(x) for x in row] for row in points.tolist()]
    unit = lcm(*(x.denominator for row in fractions for x in row))
    return np.array([[int(x * unit) for x in row] for row in fractions], dtype=object)


def determinant(u, v, w):
    """Of three vectors, or of rows of them."""
    return (
        u[..., 0] * (v[..., 1] * w[..., 2] - v[..., 2] * w[..., 1])
        - u[..., 1] * (v[..., 0] * w[..., 2] - v[..., 2] * w[..., 0])
        + u[..., 2] * (v[..., 0] * w[..., 1] - v[..., 1] * w[..., 0])
    )


def simplices(tetrahedra):
    return set(map(tuple, np.sort(tetrahedra, axis=1).tolist()))


def flat(points):
    """True when all points lie in one plane, exactly."""
    edges = integers(points)
    edges = edges[1:] - edges[0]
    return not any(determinant(*edges[list(three)]) for three in combinations(range(len(edges)), 3))


def assert_delaunay(points, tetrahedra, adjacent):
    """A Delaunay complex, by exact integers: empty spheres, the whole hull filled once, neighbours that agree."""
    assert set(tetrahedra.ravel().tolist()) == set(range(len(points))), "a point is no vertex"
    exact = integers(points)
    corners = exact[tetrahedra]
    a, u, v, w = corners[:, 0], *(corners[:, i] - corners[:, 0] for i in (1, 2, 3))
    size = determinant(u, v, w)
    assert (size > 0).all(), "a tetrahedron is flat or turned inside out"
    # |u|^2 v x w + ..., whose product with a point, less size |x|^2, is positive inside the sphere.
    normal = sum((x * x).sum(axis=1)[:, None] * cross(y, z) for x, y, z in ((u, v, w), (v, w, u), (w, u, v)))
    linear = normal + 2 * size[:, None] * a
    constant = (normal * a).sum(axis=1) + size * (a * a).sum(axis=1)
    inside = linear @ exact.T - size[:, None] * (exact * exact).sum(axis=1)[None] - constant[:, None]
    assert (inside <= 0).all(), "a point lies in a circumsphere"
    hull = 0
    for i in range(4):
        face = np.delete(tetrahedra, i, axis=1)
        rows = np.flatnonzero(adjacent[:, i] >= 0)
        other = adjacent[rows, i]
        assert (face[rows, :, None] == tetrahedra[other][:, None, :]).any(axis=2).all(), "a neighbour does not share the face"
        assert (adjacent[other] == rows[:, None]).any(axis=1).all(), "a neighbour's neighbour is another"
        rows = np.flatnonzero(adjacent[:, i] < 0)
        b, c, d = exact[face[rows]].transpose(1, 0, 2)
        outward = cross(c - b, d - b)
        outward = outward * np.where(((corners[rows, i] - b) * outward).sum(axis=1) > 0, -1, 1)[:, None]
        assert (outward @ exact.T - (outward * b).sum(axis=1)[:, None] <= 0).all(), "a point lies beyond the hull"
        hull += (outward * b).sum()
    assert size.sum() == hull, "the tetrahedra do not fill the hull once"


def cross(u, v):
    """Rows of vector products, for integers of any size."""
    return np.stack([u[:, i] * v[:, j] - u[:, j] * v[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], axis=1)


def of_blocks(points, size):
    """Tetrahedra of points, each from the block that its lowest point along the curve belongs to."""
    whole = Whole.of(points)
    parts = []
    for first, last in whole.blocks(size):
        block = tessellate_block(whole, first, last)
        tetrahedra = block.origin[block.tetrahedra]
        lowest = tetrahedra.min(axis=1)
        parts.append(whole.order[tetrahedra[(lowest >= first) & (lowest < last)]])
    return np.concatenate(parts)


def small_set(number):
    """Small sets by number: the kind, the points, and the generator that made them."""
    kind = KINDS[number % len(KINDS)]
    rng = np.random.default_rng(number)
    return kind, degenerate(kind, rng), rng


def examine(number):
    """Tessellate a set and check it exactly, in another order and in blocks too; True unless it has no tessellation.

    Raises
    ------
    AssertionError
        With what is wrong.
    """
    _, points, rng = small_set(number)
    if len(points) < 5:
        return False
    try:
        tetrahedra, adjacent = delaunay(points)
    except CoordinateError:
        if flat(points):
            return False
        raise
    assert_delaunay(points, tetrahedra, adjacent)
    expected = simplices(tetrahedra)
    order = rng.permutation(len(points))
    assert simplices(order[delaunay(points[order])[0]]) == expected, "another input order, another tessellation"
    in_blocks = of_blocks(points, int(rng.integers(2, 30)))
    assert len(in_blocks) == len(tetrahedra), "blocks have other tetrahedra than the whole, or some twice"
    assert simplices(in_blocks) == expected, "blocks have other tetrahedra than the whole"
    return True


def examine_many(numbers):
    """What a worker does: how many sets were tessellated; or the first that failed, and why."""
    tessellated = 0
    for number in numbers:
        try:
            tessellated += examine(number)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported with its set
            return tessellated, (number, f"{type(error).__name__}: {error}")
    return tessellated, None
