"""Matching found voids to planted ones: completeness, purity and their uncertainties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import InputError, OptionError
from armillary.voids.recovery import joint_overlap, recovery, wilson_interval


@pytest.fixture
def planted():
    """27 voids on a lattice, 60 Mpc/h apart, of radii from 10 to 25 Mpc/h."""
    centre = 60.0 * np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return centre, np.linspace(10.0, 25.0, 27)


def test_the_overlap_of_known_spheres():
    assert joint_overlap(0.0, 10.0, 10.0) == pytest.approx(1.0)
    assert joint_overlap(1.0, 5.0, 10.0) == pytest.approx(0.125)  # one inside the other: the ratio of volumes
    assert joint_overlap(20.0, 10.0, 10.0) == 0.0
    assert joint_overlap(25.0, 10.0, 10.0) == 0.0
    # Unit spheres one radius apart share 5 pi / 12, and cover 8 pi / 3 - 5 pi / 12 = 27 pi / 12 together.
    assert joint_overlap(1.0, 1.0, 1.0) == pytest.approx(5.0 / 27.0)


def test_a_third_of_the_joint_volume_means_half_of_each_of_two_equal_spheres():
    assert joint_overlap(0.69, 1.0, 1.0) > 1.0 / 3.0 > joint_overlap(0.70, 1.0, 1.0)
    assert joint_overlap(0.0, 1.0, 1.44) > 1.0 / 3.0 > joint_overlap(0.0, 1.0, 1.45)


@given(st.floats(0.0, 40.0), st.floats(1.0, 20.0), st.floats(1.0, 20.0))
def test_the_overlap_is_symmetric_and_between_0_and_1(distance, a, b):
    overlap = joint_overlap(distance, a, b)
    assert 0.0 <= overlap <= 1.0 + 1e-12
    assert overlap == pytest.approx(joint_overlap(distance, b, a))


def test_the_overlap_agrees_with_counting_points():
    points = np.random.default_rng(1).uniform(-20.0, 25.0, (400_000, 3))
    a = np.linalg.norm(points, axis=1) < 12.0
    b = np.linalg.norm(points - [8.0, 0.0, 0.0], axis=1) < 9.0
    assert joint_overlap(8.0, 12.0, 9.0) == pytest.approx((a & b).sum() / (a | b).sum(), rel=0.02)


def test_finding_what_was_planted_is_complete_and_pure(planted):
    result = recovery(*planted, *planted)
    assert result.found.tolist() == list(range(27))
    assert result.overlap == pytest.approx(1.0)
    assert result.offset == pytest.approx(0.0)
    edges = [10.0, 15.0, 20.0, 25.0]
    for share in (result.completeness(edges), result.purity(edges)):
        assert share.total.sum() == 27
        assert share.share.tolist() == [1.0, 1.0, 1.0]
        assert (share.low < 1.0).all()
        assert share.high.tolist() == [1.0, 1.0, 1.0]


def test_finding_nothing_is_neither(planted):
    result = recovery(*planted, np.empty((0, 3)), np.empty(0))
    assert (result.found == -1).all()
    assert np.isnan(result.overlap).all()
    assert result.completeness([0.0, 30.0]).share[0] == 0.0
    purity = result.purity([0.0, 30.0])
    assert purity.total[0] == 0
    assert np.isnan(purity.share[0])
    assert np.isnan(purity.low[0])


def test_a_void_split_in_two_counts_once(planted):
    centre, radius = planted
    halves = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -2.0]])
    result = recovery(centre[:1], radius[:1], halves, np.full(2, 9.0))
    assert result.found.tolist() == [0]
    assert result.planted.tolist() == [0, -1]
    assert result.purity([0.0, 30.0]).share[0] == 0.5


def test_a_void_of_the_wrong_size_or_place_does_not_count():
    at, size = np.zeros((1, 3)), np.array([15.0])
    assert recovery(at, size, at, np.array([9.0])).found.tolist() == [-1]
    assert recovery(at, size, at, np.array([25.0])).found.tolist() == [-1]
    assert recovery(at, size, at + [12.0, 0.0, 0.0], size).found.tolist() == [-1]
    assert recovery(at, size, at + [8.0, 0.0, 0.0], size).found.tolist() == [0]


def test_the_order_of_the_found_voids_does_not_matter(planted):
    rng = np.random.default_rng(2)
    centre = planted[0] + rng.normal(scale=3.0, size=(27, 3))
    order = rng.permutation(27)
    straight = recovery(*planted, centre, planted[1])
    shuffled = recovery(*planted, centre[order], planted[1][order])
    np.testing.assert_array_equal(np.where(shuffled.found >= 0, order[shuffled.found], -1), straight.found)
    np.testing.assert_array_equal(shuffled.offset, straight.offset)


def test_randomly_placed_voids_are_mostly_impure(planted):
    """By chance a tenth of the found voids at most overlap a planted one that much, though these fill a fifth."""
    rng = np.random.default_rng(3)
    result = recovery(*planted, rng.uniform(-30.0, 150.0, (500, 3)), rng.uniform(10.0, 25.0, 500), box_size=180.0)
    assert result.purity([10.0, 25.0]).share[0] < 0.1


def test_voids_match_across_the_faces_of_a_periodic_box():
    planted, found = np.array([[1.0, 50.0, 50.0]]), np.array([[99.0, 50.0, 50.0]])
    size = np.array([12.0])
    assert recovery(planted, size, found, size).found.tolist() == [-1]
    wrapped = recovery(planted, size, found, size, box_size=100.0)
    assert wrapped.found.tolist() == [0]
    assert wrapped.offset[0] == pytest.approx(2.0)


def test_only_the_voids_asked_for_are_counted(planted):
    result = recovery(*planted, planted[0][:5], planted[1][:5])
    first = np.arange(27) < 10
    share = result.completeness([0.0, 30.0], where=first)
    assert (share.matched[0], share.total[0]) == (5, 10)


def test_the_interval_is_wilsons():
    """For 1 sigma: none of 10 gives 0 to 1/11; half of 10 is symmetric about a half."""
    low, high = wilson_interval([0, 5, 10], [10, 10, 10])
    assert low[0] == pytest.approx(0.0)
    assert high[0] == pytest.approx(1.0 / 11.0)
    assert low[1] + high[1] == pytest.approx(1.0)
    assert low[2] == pytest.approx(10.0 / 11.0)


def test_wrong_input_is_refused(planted):
    centre, radius = planted
    with pytest.raises(InputError, match="found voids"):
        recovery(centre, radius, centre[:, :2], radius)
    with pytest.raises(InputError, match="planted voids"):
        recovery(centre, -radius, centre, radius)
    with pytest.raises(OptionError, match="min_overlap"):
        recovery(centre, radius, centre, radius, min_overlap=0.0)
    result = recovery(centre, radius, centre, radius)
    with pytest.raises(OptionError, match="edges"):
        result.purity([20.0, 10.0])
    with pytest.raises(InputError, match="selection"):
        result.purity([10.0, 20.0], where=np.ones(3, dtype=bool))
