import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.model import BoxRegion
from armillary.voids.centre_distance import scaled_centre_distance
from armillary.voids.order import canonical_order

PERIODIC = BoxRegion((-20.0,) * 3, (20.0,) * 3, periodic=True)


def every_pair(xyz, centre, r_eff, box):
    offset = xyz[:, None, :] - centre[None, :, :]
    if box is not None:
        offset -= box.size * np.round(offset / box.size)
    return (np.linalg.norm(offset, axis=2) / r_eff).min(axis=1)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 700), n_voids=st.integers(1, 40), periodic=st.booleans())
@settings(max_examples=60)
def test_it_is_the_smallest_of_all(seed, n, n_voids, periodic):
    """Whatever the order of the positions, and for voids of very different sizes."""
    rng = np.random.default_rng(seed)
    xyz, centre = rng.uniform(-20.0, 20.0, (n, 3)), rng.uniform(-20.0, 20.0, (n_voids, 3))
    r_eff, box = rng.lognormal(1.0, 1.5, n_voids), PERIODIC if periodic else None
    expected = every_pair(xyz, centre, r_eff, box)
    np.testing.assert_allclose(scaled_centre_distance(xyz, centre, r_eff, box), expected, rtol=1e-12)
    along = canonical_order(xyz)
    np.testing.assert_array_equal(
        scaled_centre_distance(xyz[along], centre, r_eff, box), scaled_centre_distance(xyz, centre, r_eff, box)[along]
    )


def test_a_large_void_wins_over_a_near_one():
    centre, r_eff = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]]), np.array([10.0, 1.0])
    assert scaled_centre_distance(np.array([[3.0, 0.0, 0.0]]), centre, r_eff, None) == pytest.approx([0.3])


def test_blocks_of_every_size_are_looked_at():
    """More positions than the largest block holds."""
    rng = np.random.default_rng(2)
    xyz = rng.uniform(-20.0, 20.0, (70_000, 3))
    xyz = xyz[canonical_order(xyz)]
    centre, r_eff = rng.uniform(-20.0, 20.0, (30, 3)), rng.uniform(1.0, 9.0, 30)
    np.testing.assert_allclose(
        scaled_centre_distance(xyz, centre, r_eff, None), every_pair(xyz, centre, r_eff, None), rtol=1e-12
    )


def test_without_voids_the_nearest_is_infinitely_far():
    far = scaled_centre_distance(np.zeros((3, 3)), np.empty((0, 3)), np.empty(0), None)
    assert far.tolist() == [np.inf] * 3
    assert len(scaled_centre_distance(np.empty((0, 3)), np.zeros((1, 3)), np.ones(1), None)) == 0
