"""Blocks against the whole: the same tetrahedra, one by one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.cosmology import Cosmology
from armillary.errors import CoordinateError
from armillary.model import BoxRegion
from armillary.voids.blocks import Whole, tessellate_block
from armillary.voids.delaunay import delaunay

from .adversarial import of_blocks, simplices

AXIS = np.arange(8.0)
LATTICE = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 3)


def points_of(kind):
    rng = np.random.default_rng(1)
    sphere = rng.normal(size=(700, 3))
    return {
        "uniform": lambda: rng.random((1200, 3)),
        "lattice": lambda: LATTICE,
        "scaled lattice": lambda: LATTICE * 0.1,
        "noisy lattice": lambda: LATTICE * 0.1 + 1e-14 * rng.normal(size=LATTICE.shape),
        "fcc": lambda: LATTICE[LATTICE.sum(axis=1) % 2 == 0],
        "single precision": lambda: rng.random((900, 3)).astype(np.float32).astype(float),
        "clump": lambda: np.concatenate((rng.random((800, 3)), 0.5 + 1e-6 * rng.random((800, 3)))),
        "sphere": lambda: sphere / np.linalg.norm(sphere, axis=1)[:, None],
        "slab": lambda: np.c_[rng.random((300, 2)), 1e-15 * rng.integers(0, 3, 300)],
        "needle": lambda: rng.random((600, 3)) * [1.0, 1e-3, 1e-3],
        "two far apart": lambda: rng.random((1000, 3)) + 1000.0 * rng.integers(0, 2, (1000, 1)),
        "all scales": lambda: sphere * 2.0 ** rng.integers(-60, 1, (700, 1)),
    }[kind]()


def assert_same(points, size):
    tetrahedra, _ = delaunay(points)
    in_blocks = of_blocks(points, size)
    assert len(in_blocks) == len(tetrahedra)
    assert simplices(in_blocks) == simplices(tetrahedra)


@pytest.mark.parametrize("size", [150, 10**9])
@pytest.mark.parametrize("kind", [
    "uniform", "lattice", "scaled lattice", "noisy lattice", "fcc", "single precision", "clump", "sphere", "slab", "needle",
    "two far apart", "all scales",
])
def test_blocks_have_the_tetrahedra_of_the_whole(kind, size):
    assert_same(points_of(kind), size)


def test_blocks_of_real_galaxies_have_the_tetrahedra_of_the_whole(dr7):
    points = np.unique(dr7.positions(Cosmology(0.3))[:5000], axis=0)
    assert_same(points, 1500)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(5, 120), size=st.integers(1, 60), bits=st.integers(1, 20))
def test_random_sets_in_blocks_of_any_size(seed, n, size, bits):
    rng = np.random.default_rng(seed)
    points = np.unique(np.concatenate((np.eye(4, 3), rng.integers(0, 2**bits, (n, 3)) * 1.0)), axis=0)
    if len(points) > 4:
        assert_same(points, size)


def test_blocks_are_stretches_that_make_up_the_whole():
    whole = Whole.of(points_of("uniform"))
    for size in (1, 100, 10**6):
        blocks = whole.blocks(size)
        assert blocks[0][0] == 0
        assert blocks[-1][1] == len(whole)
        assert all(before[1] == after[0] for before, after in pairwise(blocks))
        assert all(first < last for first, last in blocks)


@pytest.mark.parametrize("side", [1.0, 0.1])
def test_periodic_images_tie_alike_wherever_they_are(side):
    """Boxes one or two points wide, where spheres hold several images of a point: what is a neighbour has it as a neighbour."""
    for shape in ((1, 1, 5), (1, 2, 4), (1, 3, 3), (2, 2, 2), (3, 1, 2), (4, 4, 4), (5, 6, 7)):
        points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3) * side
        box = BoxRegion((0.0,) * 3, tuple(side * n for n in shape), periodic=True)
        whole = Whole.of(points, box)
        edges = set()
        for first, last in whole.blocks(3):
            block = tessellate_block(whole, first, last)
            step = np.rint(block.shift / whole.period).astype(int)
            for corners in block.tetrahedra:
                for i in corners[corners < last - first]:
                    edges |= {(block.origin[i], block.origin[j], *step[j]) for j in corners if j != i}
        assert edges == {(b, a, -x, -y, -z) for a, b, x, y, z in edges}


def test_a_periodic_box_that_is_almost_empty_is_refused():
    rng = np.random.default_rng(2)
    points = rng.random((6, 3)) * [100.0, 1.0, 1.0]
    with pytest.raises(CoordinateError, match="fill the periodic box"):
        of_block_zero(points, BoxRegion((0.0,) * 3, (100.0, 1.0, 1.0), periodic=True))


def of_block_zero(points, box):
    whole = Whole.of(points, box)
    return tessellate_block(whole, 0, len(whole))
