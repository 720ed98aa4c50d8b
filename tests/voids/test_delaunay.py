"""The Delaunay engine: against scipy in general position, against rational arithmetic everywhere else."""

from fractions import Fraction
from math import lcm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from armillary.errors import CoordinateError
from armillary.voids.delaunay import delaunay


def simplices(tetrahedra):
    return set(map(tuple, np.sort(tetrahedra, axis=1).tolist()))


def determinant(u, v, w):
    return (
        u[0] * (v[1] * w[2] - v[2] * w[1]) - u[1] * (v[0] * w[2] - v[2] * w[0]) + u[2] * (v[0] * w[1] - v[1] * w[0])
    )


def minus(a, b):
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def assert_delaunay(points, tetrahedra, adjacent):
    """A Delaunay complex, by exact integers: empty spheres, the whole hull filled once, neighbours that agree."""
    fractions = [[Fraction(x) for x in row] for row in points.tolist()]
    unit = lcm(*(x.denominator for row in fractions for x in row))
    exact = [tuple(int(x * unit) for x in row) for row in fractions]
    assert set(tetrahedra.ravel().tolist()) == set(range(len(points)))
    volume = hull = 0
    for k, corners in enumerate(tetrahedra.tolist()):
        a = exact[corners[0]]
        u, v, w = (minus(exact[j], a) for j in corners[1:])
        size = determinant(u, v, w)
        assert size > 0
        volume += size
        squares = [sum(x * x for x in edge) for edge in (u, v, w)]
        normal = [
            sum(s * determinant(axis, p, q) for s, p, q in zip(squares, (v, w, u), (w, u, v), strict=True))
            for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        ]
        for p in exact:
            x = minus(p, a)
            assert sum(n * c for n, c in zip(normal, x, strict=True)) <= size * sum(c * c for c in x)
        for i in range(4):
            face, other = corners[:i] + corners[i + 1 :], adjacent[k, i]
            if other >= 0:
                assert set(face) <= set(tetrahedra[other].tolist())
                assert k in adjacent[other]
                continue
            b, c, d = (exact[j] for j in face)
            inner = determinant(minus(c, b), minus(d, b), minus(exact[corners[i]], b))
            for p in exact:
                assert determinant(minus(c, b), minus(d, b), minus(p, b)) * inner >= 0
            hull += determinant(b, c, d) * (-1 if inner > 0 else 1)
    assert volume == hull


def degenerate(kind, rng):
    """Small sets that break tessellations: distinct points, in random order."""
    n = int(rng.integers(5, 40))
    angle = rng.integers(0, 8, n) * np.pi / 4.0
    sphere, even = rng.normal(size=(n, 3)), rng.integers(-2, 3, (3 * n, 3))
    points = {
        "general": lambda: rng.random((n, 3)),
        "lattice": lambda: rng.integers(0, 3, (n, 3)) * 1.0,
        "scaled lattice": lambda: rng.integers(0, 5, (n, 3)) * 0.1,
        "rounded": lambda: np.round(rng.normal(size=(n, 3)), 1),
        "sphere": lambda: sphere / np.linalg.norm(sphere, axis=1)[:, None],
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
    }[kind]()
    points = np.unique(points, axis=0)
    return points[rng.permutation(len(points))]


def flat(points):
    """True when all points lie in one plane, exactly."""
    exact = [tuple(Fraction(x) for x in row) for row in points.tolist()]
    edges = [minus(p, exact[0]) for p in exact[1:]]
    return not any(
        determinant(edges[0], u, v) for i, u in enumerate(edges[1:], 2) for v in edges[i:]
    )


KINDS = (
    "general", "lattice", "scaled lattice", "rounded", "sphere", "cylinder", "clusters", "offset", "collinear",
    "flat lattice", "single precision", "fcc", "nearly equal", "nearly flat", "tiny",
)


@pytest.mark.parametrize("kind", KINDS)
def test_small_adversarial_sets_give_delaunay_complexes(kind):
    """About a thousand sets in all, each checked exactly, and again in another order."""
    checked = 0
    for seed in range(70):
        rng = np.random.default_rng([seed, KINDS.index(kind)])
        points = degenerate(kind, rng)
        if len(points) < 5:
            continue
        try:
            tetrahedra, adjacent = delaunay(points)
        except CoordinateError:
            assert flat(points)
            continue
        assert_delaunay(points, tetrahedra, adjacent)
        order = rng.permutation(len(points))
        again, _ = delaunay(points[order])
        assert simplices(order[again]) == simplices(tetrahedra)
        checked += 1
    assert checked > 40


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(5, 300))
def test_general_position_agrees_with_scipy(seed, n):
    rng = np.random.default_rng(seed)
    points = rng.random((n, 3)) if seed % 2 else rng.normal(size=(n, 3)) ** 3
    tetrahedra, adjacent = delaunay(points)
    theirs = Delaunay(points)
    assert simplices(tetrahedra) == simplices(theirs.simplices)
    assert (adjacent < 0).sum() == (theirs.neighbors < 0).sum()


@pytest.mark.parametrize("shape", ["lattice", "fcc", "sphere", "cylinder", "galaxies"])
def test_large_special_sets_are_filled_once(shape):
    """Thousands of cospherical points: volumes add up to the hull, every face has its neighbour, spheres are empty nearby."""
    rng = np.random.default_rng(3)
    if shape in ("lattice", "fcc"):
        axis = np.arange(14.0)
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        if shape == "fcc":
            points = points[points.sum(axis=1) % 2 == 0]
        hull = 13.0**3 if shape == "lattice" else None
    elif shape == "sphere":
        points = rng.normal(size=(4000, 3))
        points /= np.linalg.norm(points, axis=1)[:, None]
        hull = None
    elif shape == "cylinder":
        angle, height = np.meshgrid(np.arange(64) * np.pi / 32.0, np.arange(40.0))
        points = np.c_[np.cos(angle).ravel(), np.sin(angle).ravel(), height.ravel()]
        hull = None
    else:
        points, hull = np.unique((rng.random((5000, 3)) * 300.0).astype(np.float32).astype(float), axis=0), None
    tetrahedra, adjacent = delaunay(points)
    a, b, c, d = points[tetrahedra].transpose(1, 0, 2)
    volume = np.einsum("ij,ij->i", b - a, np.cross(c - a, d - a)) / 6.0
    assert (volume > -1e-12).all()
    from scipy.spatial import ConvexHull

    assert volume.sum() == pytest.approx(hull or ConvexHull(points).volume, rel=1e-9)
    rows, corner = np.nonzero(adjacent >= 0)
    back = adjacent[adjacent[rows, corner]]
    assert (back == rows[:, None]).any(axis=1).all()


@pytest.mark.parametrize(
    ("points", "word"),
    [
        (np.random.default_rng(0).random((4, 3)), "at least 5"),
        (np.random.default_rng(0).random((9, 2)), r"\(n, 3\)"),
        (np.full((6, 3), np.nan), "NaN or infinite"),
        (np.r_[np.random.default_rng(0).random((6, 3)), [[np.inf, 0.0, 0.0]]], "NaN or infinite"),
        (np.outer(np.arange(9.0), [1.0, 2.0, 3.0]), "coplanar"),
        (np.c_[np.random.default_rng(0).random((20, 2)), np.full(20, 0.1)], "coplanar"),
        (np.repeat(np.random.default_rng(0).random((8, 3)), 2, axis=0), "coincide"),
        (np.ones((9, 3)), "coplanar"),
        (np.random.default_rng(0).random((9, 3)) * 10.0 ** np.arange(-150, 150, 34)[:9, None], "bits"),
    ],
    ids=["four", "two columns", "NaN", "infinite", "line", "plane", "twice", "one point", "300 orders of magnitude"],
)
def test_what_has_no_tessellation_is_refused(points, word):
    with pytest.raises(CoordinateError, match=word):
        delaunay(points)
