import numpy as np
import pytest

from armillary.voids.holes import lens_volume
from armillary.voids.union import union_volumes

BALL = 4.0 / 3.0 * np.pi


def volume(centre, radius, n=48):
    v, error = union_volumes(np.array(centre, dtype=float), np.array(radius, dtype=float), np.array([0, len(radius)]), n)
    return v[0], error[0]


def test_one_sphere_is_exact():
    assert volume([[1.0, 2.0, 3.0]], [5.0]) == (pytest.approx(BALL * 125.0, rel=1e-14), 0.0)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("distance", [0.0, 3.0, 8.0, 12.0, 20.0])
def test_two_spheres_are_their_sum_less_the_lens(axis, distance):
    centre = np.zeros((2, 3))
    centre[1, axis] = distance
    expected = BALL * (10.0**3 + 6.0**3) - lens_volume(10.0, 6.0, distance)
    v, error = volume(centre, [10.0, 6.0])
    assert v == pytest.approx(expected, rel=3e-3)
    assert error < 0.01 * expected


def test_spheres_within_a_sphere_add_nothing():
    rng = np.random.default_rng(1)
    inner = rng.normal(size=(50, 3))
    inner /= np.linalg.norm(inner, axis=1)[:, None]
    v, _ = volume(np.concatenate((np.zeros((1, 3)), 4.0 * inner)), np.r_[10.0, np.full(50, 5.9)])
    assert v == pytest.approx(BALL * 1000.0, rel=2e-3)


def test_the_stated_error_is_the_real_one():
    """Over many voids the deviation from a fine lattice is as large as the errors say, within a factor of two."""
    rng = np.random.default_rng(2)
    centre, radius = rng.normal(0.0, 6.0, (60 * 8, 3)), rng.uniform(8.0, 12.0, 60 * 8)
    start = np.arange(0, 481, 8)
    coarse, error = union_volumes(centre, radius, start, 16)
    fine, _ = union_volumes(centre, radius, start, 200)
    spread, stated = np.sqrt(((coarse - fine) ** 2).mean()), np.sqrt((error**2).mean())
    assert 0.5 < spread / stated < 2.0
    assert spread < 3e-3 * fine.mean()
