import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.model import BoxRegion
from armillary.voids.footprint import Footprint
from armillary.voids.holes import (
    cubic_mesh,
    first_of_each,
    golden_spiral,
    leaves_region,
    lens_volume,
    merge_holes,
    near_duplicates,
    outside_fraction,
    unit_mesh,
)

BOX = BoxRegion((0.0,) * 3, (100.0,) * 3)


def merge(centre, radius, period=None):
    """:func:`merge_holes` with VoidFinder's defaults and one grid cell, i.e. against every maximal sphere."""
    low, cell, shape = np.zeros(3), np.full(3, 1e9), np.ones(3, dtype=np.int64)
    period = np.zeros(3) if period is None else np.full(3, period)
    return merge_holes(np.asarray(centre, float), np.asarray(radius, float), 10.0, 0.1, 0.5, period, low, cell, shape)


@given(r1=st.floats(0.1, 20.0), r2=st.floats(0.1, 20.0), d=st.floats(0.0, 50.0))
def test_a_lens_is_no_larger_than_either_sphere(r1, r2, d):
    volume = lens_volume(r1, r2, d)
    smaller = 4.0 / 3.0 * np.pi * min(r1, r2) ** 3
    assert -1e-9 * smaller <= volume <= smaller * (1.0 + 1e-9)
    assert volume == pytest.approx(lens_volume(r2, r1, d), rel=1e-9, abs=1e-9)


def test_the_lens_of_equal_spheres_is_two_caps():
    r, d = 5.0, 4.0
    h = r - d / 2.0
    assert lens_volume(r, r, d) == pytest.approx(2.0 * np.pi * h * h * (3.0 * r - h) / 3.0)


def test_the_golden_spiral_is_even():
    points = golden_spiral(20)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0)
    assert np.abs(points.mean(axis=0)).max() < 0.02
    separation = np.linalg.norm(points[:, None] - points[None], axis=2) + 9.0 * np.eye(20)
    assert separation.min() > 0.5


def test_only_spheres_near_the_edge_leave_the_region():
    centre = np.array([[50.0, 50.0, 50.0], [95.0, 50.0, 50.0]])
    assert leaves_region(centre, np.array([20.0, 20.0]), golden_spiral(20), Footprint.of(BOX)).tolist() == [False, True]


@pytest.mark.parametrize("height", [0.2, 0.5, 1.0, 1.5])
def test_the_fraction_outside_is_that_of_the_cap(height):
    """A sphere of radius 10 that a face cuts at ``height`` radii from its far side."""
    radius = 10.0
    centre = np.array([[100.0 + (height - 1.0) * radius, 50.0, 50.0]])
    h = height * radius
    expected = np.pi * h * h * (3.0 * radius - h) / 3.0 / (4.0 / 3.0 * np.pi * radius**3)
    one, footprint = np.array([radius]), Footprint.of(BOX)
    fraction = outside_fraction(centre, one, unit_mesh(40), footprint, scaled=True)
    assert fraction[0] == pytest.approx(expected, abs=0.01)
    fraction = outside_fraction(centre, one, cubic_mesh(radius, 1.0), footprint, scaled=False)
    assert fraction[0] == pytest.approx(expected, abs=0.05)


@given(seed=st.integers(0, 2**32 - 1), limit=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
def test_with_a_limit_every_fraction_lies_on_its_side(seed, limit):
    rng = np.random.default_rng(seed)
    centre, radius, mesh = rng.uniform(80.0, 110.0, (200, 3)), rng.uniform(3.0, 15.0, 200), cubic_mesh(15.0, 0.01)
    exact = outside_fraction(centre, radius, mesh, Footprint.of(BOX), scaled=False)
    quick = outside_fraction(centre, radius, mesh, Footprint.of(BOX), scaled=False, limit=limit)
    np.testing.assert_array_equal(quick >= limit, exact >= limit)


def test_spheres_on_the_same_galaxies_are_one():
    touching = np.array([[3, 1, 2, 0], [0, 1, 2, 3], [0, 1, 2, 4], [4, 2, 1, 0]], dtype=np.int32)
    assert first_of_each(touching).tolist() == [True, False, True, False]
    assert first_of_each(touching[:0]).tolist() == []


def test_near_duplicates_need_the_same_place_and_size():
    centre = np.array([[0.0, 0, 0], [0.05, 0, 0], [0.06, 0, 0], [5.0, 0, 0], [5.0, 0, 0.05]])
    radius = np.array([15.0, 14.95, 14.5, 14.0, 13.99])
    assert near_duplicates(centre, radius, 0.1, np.zeros(3)).tolist() == [False, True, False, False, True]
    across = np.array([[0.02, 5.0, 5.0], [9.99, 5.0, 5.0]])
    assert near_duplicates(across, np.array([3.0, 3.0]), 0.1, np.zeros(3)).tolist() == [False, False]
    assert near_duplicates(across, np.array([3.0, 3.0]), 0.1, np.full(3, 10.0)).tolist() == [False, True]


@given(seed=st.integers(0, 2**32 - 1))
def test_near_duplicates_are_compared_with_the_last_one_kept(seed):
    """Crowded spheres, so that runs of them are duplicates of one."""
    rng = np.random.default_rng(seed)
    centre, radius = rng.random((60, 3)) * 0.15, np.sort(rng.uniform(3.0, 3.3, 60))[::-1].copy()
    drop, last = [False], 0
    for i in range(1, 60):
        drop.append(np.linalg.norm(centre[i] - centre[last]) <= 0.1 and radius[last] - radius[i] <= 0.1)
        last = last if drop[i] else i
    np.testing.assert_array_equal(near_duplicates(centre, radius, 0.1, np.zeros(3)), drop)


@given(seed=st.integers(0, 2**32 - 1))
def test_merging_follows_the_definition(seed):
    rng = np.random.default_rng(seed)
    centre, radius = rng.random((80, 3)) * 60.0, np.sort(rng.uniform(4.0, 18.0, 80))[::-1].copy()
    share = [
        [lens_volume(r, q, np.linalg.norm(c - d)) / (4.0 / 3.0 * np.pi * r**3) for d, q in zip(centre, radius, strict=True)]
        for c, r in zip(centre, radius, strict=True)
    ]
    expected: list[int] = []
    for i in np.flatnonzero(radius > 10.0):
        if all(share[i][j] <= 0.1 for j in expected):
            expected.append(int(i))
    maximal, void = merge(centre, radius)
    assert maximal.tolist() == expected
    for i in range(80):
        joined = [k for k, j in enumerate(expected) if share[i][j] > 0.5]
        own = [expected.index(i)] if i in expected else joined if len(joined) == 1 else [-1]
        assert void[i] == own[0]


def test_maximal_spheres_may_overlap_a_little():
    # Equal spheres of radius 12 share 10 % of their volume when 17.5 apart.
    far, near = merge([[0, 0, 0], [17.6, 0, 0]], [12.0, 12.0]), merge([[0, 0, 0], [17.4, 0, 0]], [12.0, 12.0])
    assert far[0].tolist() == [0, 1]
    assert near[0].tolist() == [0]


def test_a_hole_joins_exactly_one_void():
    centre = [[0, 0, 0], [20.0, 0, 0], [3.0, 0, 0], [10.0, 0, 0], [0, 40.0, 0]]
    maximal, void = merge(centre, [12.0, 12.0, 9.0, 5.0, 9.0])
    assert maximal.tolist() == [0, 1]
    # The third lies in the first void; the fourth between both, by less than half in each; the last by itself.
    assert void.tolist() == [0, 1, 0, -1, -1]


def test_a_sphere_that_lies_in_two_maximal_spheres_joins_neither():
    # 19 apart two maximal spheres of radius 12 overlap by 4.5 %; a small one in the overlap is inside both.
    _, void = merge([[0, 0, 0], [19.0, 0, 0], [9.5, 0, 0]], [12.0, 12.0, 1.0])
    assert void.tolist() == [0, 1, -1]


def test_overlaps_reach_across_a_periodic_boundary():
    centre, radius = [[1.0, 50, 50], [99.0, 50, 50]], [12.0, 11.0]
    assert merge(centre, radius)[0].tolist() == [0, 1]
    maximal, void = merge(centre, radius, period=100.0)
    assert maximal.tolist() == [0]
    assert void.tolist() == [0, 0]


@given(seed=st.integers(0, 2**32 - 1), periodic=st.booleans())
def test_the_grid_changes_nothing(seed, periodic):
    rng = np.random.default_rng(seed)
    centre, radius = rng.random((80, 3)) * 150.0, np.sort(rng.uniform(4.0, 18.0, 80))[::-1].copy()
    plain = merge(centre, radius, 150.0 if periodic else None)
    cells = int(rng.integers(1, 20))
    shape = np.full(3, cells)
    gridded = merge_holes(
        centre, radius, 10.0, 0.1, 0.5, np.full(3, 150.0 * periodic), np.zeros(3), 150.0 / shape, shape
    )
    np.testing.assert_array_equal(plain[0], gridded[0])
    np.testing.assert_array_equal(plain[1], gridded[1])
