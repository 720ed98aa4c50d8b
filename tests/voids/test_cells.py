"""Cells from tetrahedra: against rational arithmetic, and by what must hold of closed cells."""

from fractions import Fraction

import numpy as np
import pytest

from armillary.voids.cells import circumcentres_from_first, facets, neighbour_table
from armillary.voids.delaunay import delaunay

AXIS = np.arange(4.0)
LATTICE = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 3)
HALVES = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))


def minus(a, b):
    return [x - y for x, y in zip(a, b, strict=True)]


def cross(a, b):
    return [a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def exact_circumcentre(corners):
    a, *others = corners
    u, v, w = (minus(x, a) for x in others)
    around = [[dot(x, x) * c for c in cross(y, z)] for x, y, z in ((u, v, w), (v, w, u), (w, u, v))]
    volume = 2 * dot(u, cross(v, w))
    return [x + sum(column) / volume for x, column in zip(a, zip(*around, strict=True), strict=True)]


def exact_volumes(points, tetrahedra):
    """Sixths of the faces' shares: the heights of circumcentres over faces, times what each face gives to its corners."""
    exact = [[Fraction(c) for c in row] for row in points.tolist()]
    volumes = [Fraction(0)] * len(exact)
    for corners in tetrahedra.tolist():
        centre = exact_circumcentre([exact[k] for k in corners])
        for far in range(4):
            i, j, k = (corners[(far + s) % 4] for s in (1, 2, 3))
            a, b = minus(exact[j], exact[i]), minus(exact[k], exact[i])
            normal = cross(a, b)
            height = dot(normal, minus(centre, exact[i]))
            if dot(normal, minus(exact[corners[far]], exact[i])) < 0:
                height = -height
            a2, b2, ab = dot(a, a), dot(b, b), dot(a, b)
            share = height / (24 * dot(normal, normal))
            ij, ik, jk = a2 * (b2 - ab) * share, b2 * (a2 - ab) * share, (a2 + b2 - 2 * ab) * ab * share
            for site, part in ((i, ij + ik), (j, ij + jk), (k, ik + jk)):
                volumes[site] += part
    return volumes


def points_of(kind):
    rng = np.random.default_rng(3)
    return {
        "uniform": lambda: rng.random((90, 3)),
        "single precision": lambda: rng.random((90, 3)).astype(np.float32).astype(float),
        "scaled lattice": lambda: LATTICE * 0.1,
        "offset": lambda: rng.random((90, 3)) + 1e6,
        "clump": lambda: np.concatenate((rng.random((60, 3)), 0.5 + 1e-5 * rng.random((60, 3)))),
        "fcc": lambda: np.concatenate([LATTICE + half for half in HALVES]) * 0.3,
        "tight clump": lambda: np.concatenate((rng.random((60, 3)) - 0.5, 1e-40 * (rng.random((30, 3)) - 0.5))),
    }[kind]()


def assert_volumes(points):
    """Of cells that stay near: where corners lie 1e12 sizes away, as at the hull of nearly flat sides, doubles have lost them."""
    tetrahedra, adjacent = delaunay(points)
    volume = facets(len(points), points, tetrahedra, adjacent)[3]
    exact = exact_volumes(points, tetrahedra)
    near = np.flatnonzero(volume < 1e6 * np.ptp(points) ** 3)
    assert len(near) >= 8
    error = [abs(float((Fraction(float(volume[i])) - exact[i]) / exact[i])) for i in near]
    assert max(error) < 1e-12


@pytest.mark.parametrize(
    "kind", ["uniform", "single precision", "scaled lattice", "offset", "clump", "fcc", "tight clump"]
)
def test_volumes_are_those_of_rational_arithmetic(kind):
    assert_volumes(points_of(kind))


@pytest.mark.parametrize("noise", [1e-17, 1e-16, 1e-15, 1e-13])
@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_tetrahedra_that_are_flat_but_for_rounding_cost_no_digits(noise, offset):
    assert_volumes(LATTICE * 0.1 + offset + noise * np.random.default_rng(1).normal(size=LATTICE.shape))


@pytest.mark.parametrize("height", [1.0, 1e-6, 1e-9, 1e-11, 1e-14, 1e-16, 1e-18, 1e-21, 1e-40])
def test_circumcentres_are_those_of_rational_arithmetic(height):
    rng = np.random.default_rng(4)
    for _ in range(20):
        square = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
        square[:, :2] += rng.choice([0.0, 1e-3, 1e-15], (4, 2)) * rng.normal(size=(4, 2))
        square[:, 2] = height * rng.permutation([1.0, 0.7, -0.4, 0.1])
        found = circumcentres_from_first(square, np.array([[0, 1, 2, 3]], dtype=np.int32))[0]
        exact = [[Fraction(c) for c in row] for row in square.tolist()]
        expected = np.array([float(x) for x in minus(exact_circumcentre(exact), exact[0])])
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-12 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["uniform", "clump", "fcc", "scaled lattice"])
def test_facets_close_around_their_cells(kind):
    """The areas times the outward normals of a closed surface sum to zero, and with the heights to three times the volume."""
    points = points_of(kind)
    first, second, area, volume, moment = facets(len(points), points, *delaunay(points))
    indptr, indices, facet = neighbour_table(len(points), first, second, np.arange(len(points), dtype=np.int32))
    closed = np.flatnonzero(np.isfinite(volume))
    assert len(closed) >= 8
    for i in closed:
        rows = slice(indptr[i], indptr[i + 1])
        assert (np.diff(indices[rows]) > 0).all()
        away = points[indices[rows]] - points[i]
        distance = np.linalg.norm(away, axis=1)
        size = area[facet[rows]]
        assert (size > -1e-12 * size.max()).all()
        assert np.abs((size / distance) @ away).max() < 1e-12 * size.sum()
        assert (size * distance).sum() / 6.0 == pytest.approx(volume[i], rel=1e-12)
        assert np.isfinite(moment[i]).all()
    for i in np.flatnonzero(np.isinf(volume)):
        assert np.isinf(area[facet[indptr[i] : indptr[i + 1]]]).any()


def test_a_facet_is_one_for_both_of_its_cells():
    points = points_of("uniform")
    first, second, _, _, _ = facets(len(points), points, *delaunay(points))
    assert len({frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}) == len(first)
    indptr, indices, facet = neighbour_table(len(points), first, second, np.arange(len(points), dtype=np.int32))
    rows = np.repeat(np.arange(len(points)), np.diff(indptr))
    towards = {(a, b): f for a, b, f in zip(rows.tolist(), indices.tolist(), facet.tolist(), strict=True)}
    assert all(towards[b, a] == f for (a, b), f in towards.items())


@pytest.mark.parametrize("step", [1.0, 0.1])
def test_centroids_and_areas_on_a_lattice(step):
    points = LATTICE * step
    first, second, area, volume, moment = facets(len(points), points, *delaunay(points))
    inner = ((LATTICE > 0) & (LATTICE < 3)).all(axis=1)
    np.testing.assert_allclose(volume[inner], step**3, rtol=1e-13)
    assert np.isinf(volume[~inner]).all()
    np.testing.assert_allclose(moment[inner] / volume[inner, None], 0.0, atol=1e-14 * step)
    both = inner[first] & inner[second]
    distance = np.linalg.norm(points[first[both]] - points[second[both]], axis=1)
    expected = np.where(distance < 1.2 * step, step**2, 0.0)  # diagonal neighbours only touch
    np.testing.assert_allclose(area[both], expected, atol=1e-13 * step**2)
