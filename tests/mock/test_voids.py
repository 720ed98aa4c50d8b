"""Planting voids: the profile, the packing and the moving of galaxies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from armillary.errors import InputError, OptionError
from armillary.mock import CosmicWeb, PlantedVoids, VoidPlan, VoidProfile
from armillary.mock.voids import holder, nearest_image, share_inside
from armillary.model import BoxRegion

SIDE = np.full(3, 120.0)

profiles = st.builds(VoidProfile, inner_density=st.floats(0.0, 0.9), steepness=st.floats(1.0, 40.0),
                     support=st.floats(1.05, 2.0))


@pytest.fixture(scope="module")
def web():
    return CosmicWeb().realise(np.zeros(3), SIDE, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def packed(web):
    return VoidPlan().pack(web, rng=np.random.default_rng(2))


@given(profiles)
def test_a_void_is_compensated_within_its_support(profile):
    """The mass inside the support is that of the mean density: nothing is gained or lost."""
    assert profile.enclosed(np.array(profile.support)) == pytest.approx(profile.support**3, rel=1e-9)


@given(profiles, st.floats(0.05, 2.5))
def test_the_enclosed_mass_is_the_integral_of_the_density(profile, x):
    kinks = [edge for edge in (1.0, profile.support) if edge < x]
    mass = quad(lambda y: 3.0 * y**2 * float(profile.density(np.array(y))), 0.0, x, points=kinks or None, limit=200)[0]
    assert float(profile.enclosed(np.array(x))) == pytest.approx(mass, rel=1e-6)


@given(profiles)
def test_galaxies_move_outwards_keep_their_order_and_stay_within_the_support(profile):
    q = np.linspace(0.0, 1.5 * profile.support, 400)
    x = profile.displaced(q)
    assert (x >= q - 1e-3).all()
    assert (np.diff(x) >= 0.0).all()
    np.testing.assert_array_equal(x[q >= profile.support], q[q >= profile.support])
    assert (x[q < profile.support] <= profile.support).all()


def test_the_profile_is_flat_inside_steep_at_the_wall_and_has_a_ridge():
    profile = VoidProfile(inner_density=0.1)
    density = profile.density(np.array([0.0, 0.5, 1.0, 1.1, 1.2, 3.0]))
    assert density[:2] == pytest.approx(0.1, abs=1e-3)
    assert density[2] == pytest.approx(1.0)
    assert density[3] > 2.0
    assert density[4:] == pytest.approx(1.0)


def test_evacuating_a_uniform_field_gives_the_profile(web):
    plan = VoidPlan()
    centre, radius = np.array([[5.0, 60.0, 115.0]]), np.array([20.0])  # across two faces of the periodic cuboid
    uniform = np.random.default_rng(3).random((400_000, 3)) * SIDE
    moved = plan.evacuate(web, uniform, centre, radius)
    distance = np.linalg.norm(nearest_image(moved - centre, SIDE), axis=1) / radius
    edges = np.array([0.0, 0.6, 0.9, 1.0, 1.05, 1.1, 1.15, 1.2, 1.5])
    count = np.histogram(distance, edges)[0]
    expected = np.diff(plan.profile.enclosed(edges)) * 4.0 / 3.0 * np.pi * radius**3 * len(uniform) / np.prod(SIDE)
    assert (np.abs(count - expected) < 5.0 * np.sqrt(expected)).all()


def test_radii_follow_the_power_law_and_fill_the_share_asked_for():
    plan = VoidPlan(radius=(10.0, 30.0), slope=3.0, filling=0.4)
    radii = plan.draw_radii(1e9, rng=np.random.default_rng(4))
    assert (np.diff(radii) <= 0.0).all()
    assert radii.min() >= 10.0
    assert radii.max() <= 30.0
    assert (4.0 / 3.0 * np.pi * radii**3).sum() == pytest.approx(0.4e9, rel=1e-3)
    # Cumulative share of R^-3 between 10 and 30 below 15: (10^-2 - 15^-2) / (10^-2 - 30^-2).
    assert (radii < 15.0).mean() == pytest.approx(0.625, abs=0.02)


def test_voids_do_not_reach_into_one_another(packed):
    centre, radius = packed
    plan = VoidPlan()
    assert len(radius) > 10
    for i in range(1, len(radius)):
        distance = np.linalg.norm(nearest_image(centre[:i] - centre[i], SIDE), axis=1)
        assert (distance >= radius[i] + plan.profile.support * radius[:i] - 1e-9).all()


def test_voids_lie_in_underdense_places(web, packed):
    """The web carries its underdense places to where the voids are."""
    lagrangian = np.random.default_rng(5).random((40_000, 3)) * SIDE
    held = holder(web.carry(lagrangian), *packed, SIDE)
    contrast = web.contrast(lagrangian)
    assert contrast[held >= 0].mean() < contrast[held < 0].mean() - 0.05


def test_moving_galaxies_out_keeps_their_number_and_does_not_depend_on_their_order(web, packed):
    xyz, _ = web.scatter(0.01, rng=np.random.default_rng(6))
    order = np.random.default_rng(7).permutation(len(xyz))
    moved = VoidPlan().evacuate(web, xyz, *packed)
    assert moved.shape == xyz.shape
    assert ((moved >= 0.0) & (moved < SIDE)).all()
    np.testing.assert_array_equal(VoidPlan().evacuate(web, xyz[order], *packed), moved[order])


def test_every_planted_void_is_nearly_empty_before_the_web_condenses(web, packed):
    centre, radius = packed
    xyz, _ = web.scatter(0.1, rng=np.random.default_rng(8))
    moved = VoidPlan().evacuate(web, xyz, centre, radius)
    count = np.bincount(holder(moved, centre, radius, SIDE) + 1, minlength=len(radius) + 1)[1:]
    density = count / (0.1 * 4.0 / 3.0 * np.pi * radius**3)
    inner = float(VoidProfile().enclosed(np.array(1.0)))
    assert density.mean() < 1.5 * inner
    assert density.max() < 4.0 * inner


def test_no_voids_leave_the_galaxies_alone(web):
    plan = VoidPlan(filling=0.0)
    centre, radius = plan.pack(web, rng=np.random.default_rng(9))
    assert centre.shape == (0, 3)
    xyz, _ = web.scatter(0.01, rng=np.random.default_rng(10))
    np.testing.assert_array_equal(plan.evacuate(web, xyz, centre, radius), xyz)


def test_half_of_a_sphere_on_a_face_is_inside():
    box = BoxRegion((0.0, 0.0, 0.0), (100.0, 100.0, 100.0))
    share = share_inside(np.array([[0.0, 50.0, 50.0], [50.0, 50.0, 50.0], [-30.0, 50.0, 50.0]]), np.full(3, 20.0), box)
    assert share == pytest.approx([0.5, 1.0, 0.0], abs=0.01)


def test_galaxies_know_the_void_that_holds_them_across_a_periodic_face():
    points = np.array([[1.0, 5.0, 5.0], [99.0, 5.0, 5.0], [50.0, 5.0, 5.0]])
    centre, radius = np.array([[99.5, 5.0, 5.0]]), np.array([3.0])
    assert holder(points, centre, radius, np.full(3, 100.0)).tolist() == [0, 0, -1]
    assert holder(points, centre, radius).tolist() == [-1, 0, -1]


def test_selecting_voids_keeps_their_columns_together():
    voids = PlantedVoids(np.arange(9.0).reshape(3, 3), np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.5, 1.0]))
    chosen = voids.select(voids.whole)
    assert chosen.radius.tolist() == [1.0, 3.0]
    assert chosen.centre[:, 0].tolist() == [0.0, 6.0]
    with pytest.raises(InputError, match="inside"):
        PlantedVoids(np.zeros((2, 3)), np.ones(2), np.ones(3))


def test_voids_larger_than_the_volume_are_refused():
    small = CosmicWeb().realise(np.zeros(3), np.full(3, 40.0), rng=np.random.default_rng(1))
    with pytest.raises(OptionError, match="smaller void radius"):
        VoidPlan().pack(small, rng=np.random.default_rng(1))


@pytest.mark.parametrize(("kind", "options", "word"), [
    (VoidPlan, {"radius": (20.0, 10.0)}, "radii"),
    (VoidPlan, {"filling": 1.0}, "filling"),
    (VoidProfile, {"inner_density": 1.0}, "inner_density"),
    (VoidProfile, {"support": 1.0}, "support"),
    (VoidProfile, {"steepness": 0.0}, "steepness"),
])
def test_impossible_options_are_refused(kind, options, word):
    with pytest.raises(OptionError, match=word):
        kind(**options)
