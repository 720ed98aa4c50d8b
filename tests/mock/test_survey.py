"""Mock surveys: what is seen, what is true, and that they agree."""

from dataclasses import replace

import numpy as np
import pytest

from armillary.cosmology import Cosmology, sky_to_cartesian
from armillary.errors import OptionError
from armillary.mock import Footprint, MockSurvey

COSMO = Cosmology(0.3)


@pytest.fixture(scope="module")
def survey():
    return MockSurvey().make(rng=np.random.default_rng(1), cosmo=COSMO)


@pytest.fixture(scope="module")
def small():
    return MockSurvey(footprint=Footprint(ra_range=(170.0, 200.0), dec_range=(0.0, 20.0)), z_range=(0.04, 0.08))


def test_the_default_survey_has_about_twenty_thousand_tracers(survey):
    tracers = survey.tracers(-20.0)
    assert 15_000 < len(tracers) < 25_000
    assert survey.volume_limit > -20.0
    assert len(survey.galaxies) > len(survey.tracers()) > len(tracers)


def test_the_footprint_crosses_right_ascension_zero_and_holds_every_galaxy(survey):
    galaxies = survey.galaxies
    assert (galaxies.ra > 300.0).any()
    assert (galaxies.ra < 60.0).any()
    assert survey.mask.contains(galaxies.ra, galaxies.dec).all()
    assert (galaxies.z >= 0.02).all()
    assert (galaxies.z <= 0.1).all()
    # z = z_far may round to a distance above r_max.
    assert survey.region.contains(galaxies.positions(COSMO) * (1.0 - 1e-9)).mean() > 0.999


def test_the_flux_limit_holds(survey):
    assert (survey.galaxies.properties["apparent_magnitude"] < 17.77).all()
    distance = COSMO.comoving_distance(survey.galaxies.z)
    modulus = 25.0 + 5.0 * np.log10(distance * (1.0 + survey.galaxies.z))
    np.testing.assert_allclose(survey.galaxies.absolute_magnitude + modulus,
                               survey.galaxies.properties["apparent_magnitude"], atol=1e-4)
    assert survey.galaxies.absolute_magnitude.max() <= -18.0


def radial_density(survey, columns, weights=None):
    distance = COSMO.comoving_distance(columns.z)
    edges = np.cbrt(np.linspace(survey.region.r_min**3, survey.region.r_max**3, 5))
    return np.histogram(distance, edges, weights=weights)[0] / (survey.region.volume / 4.0)


def test_a_volume_limited_sample_has_the_same_density_near_and_far(survey):
    """Shells of equal volume differ by their clustering alone, which is below 25 % in volumes of 1e6 (Mpc/h)^3."""
    density = radial_density(survey, survey.tracers(-20.0))
    expected = float(MockSurvey().luminosity.density(-20.0))
    assert density == pytest.approx(expected, rel=0.25)


def test_the_flux_limited_sample_thins_out_and_its_weights_undo_that(survey):
    plain = radial_density(survey, survey.galaxies)
    assert plain[3] < 0.6 * plain[0]
    weighted = radial_density(survey, survey.galaxies, survey.galaxies.weight)
    assert weighted == pytest.approx(float(MockSurvey().luminosity.density(-18.0)), rel=0.25)


def test_magnitudes_outside_voids_follow_the_luminosity_function(survey):
    tracers = survey.tracers(-20.0)
    wall = tracers.absolute_magnitude[tracers.properties["planted_void"] < 0]
    law = MockSurvey().luminosity
    share = float(law.density(-20.7) / law.density(-20.0))
    assert (wall < -20.7).mean() == pytest.approx(share, abs=4.0 * np.sqrt(share * (1.0 - share) / len(wall)))


def test_void_galaxies_are_fainter(survey):
    near = survey.galaxies.select(survey.galaxies.z < 0.05)  # complete to -18.2
    held = near.properties["planted_void"] >= 0
    bright = near.absolute_magnitude < -20.0
    assert bright[held].mean() < 0.6 * bright[~held].mean()


def test_galaxies_are_in_the_void_that_they_name(survey):
    held = survey.galaxies.properties["planted_void"]
    xyz = survey.galaxies.positions(COSMO)
    offset = xyz[held >= 0] - survey.voids.centre[held[held >= 0]]
    assert (np.linalg.norm(offset, axis=1) <= survey.voids.radius[held[held >= 0]] + 1e-6).all()
    assert held.max() < len(survey.voids)


def test_planted_voids_are_nearly_empty_of_tracers(survey):
    """They fill a third of the survey and hold less than a tenth of its tracers."""
    filled = (4.0 / 3.0 * np.pi * survey.voids.radius**3 * survey.voids.inside).sum() / survey.region.volume
    assert 0.3 < filled < 0.45
    assert (survey.tracers(-20.0).properties["planted_void"] >= 0).mean() < 0.1


def test_whole_voids_hold_empty_spheres_of_their_size(survey, empty_sphere):
    xyz = survey.tracers(-20.0).positions(COSMO)
    whole = survey.voids.select(survey.voids.whole)
    assert len(whole) >= 10
    size = np.array([empty_sphere(xyz, centre, radius)[1] / radius
                     for centre, radius in zip(whole.centre, whole.radius, strict=True)])
    assert 0.8 < np.median(size) < 1.25
    assert (size > 0.7).mean() > 0.8


def test_voids_know_their_place_on_the_sky_and_how_much_of_them_is_inside(survey):
    voids = survey.voids
    xyz = sky_to_cartesian(voids.ra, voids.dec, COSMO.comoving_distance(voids.z))
    np.testing.assert_allclose(xyz, voids.centre, rtol=1e-9, atol=1e-9)
    assert (voids.inside > 0.0).all()
    assert 0 < voids.whole.sum() < len(voids)
    assert survey.region.contains(voids.centre[voids.whole]).all()


def test_the_same_seed_makes_the_same_survey_and_another_seed_another(small):
    first, again, other = (small.make(rng=np.random.default_rng(seed), cosmo=COSMO) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.galaxies.z, again.galaxies.z)
    np.testing.assert_array_equal(first.galaxies.absolute_magnitude, again.galaxies.absolute_magnitude)
    np.testing.assert_array_equal(first.voids.centre, again.voids.centre)
    np.testing.assert_array_equal(first.mask.pixels, again.mask.pixels)
    assert len(first.galaxies) != len(other.galaxies) or (first.galaxies.z != other.galaxies.z).any()


def test_light_does_not_move_the_voids(small):
    first = small.make(rng=np.random.default_rng(1), cosmo=COSMO)
    fainter = replace(small, apparent_limit=18.5).make(rng=np.random.default_rng(1), cosmo=COSMO)
    np.testing.assert_array_equal(first.voids.centre, fainter.voids.centre)
    assert len(fainter.galaxies) > len(first.galaxies)


def test_velocities_shift_redshifts_by_their_dispersion(small):
    survey = replace(small, velocity_dispersion=300.0).make(rng=np.random.default_rng(1), cosmo=COSMO)
    true_z = survey.galaxies.properties["true_z"]
    velocity = 299792.458 * (survey.galaxies.z - true_z) / (1.0 + true_z)
    assert velocity.std() == pytest.approx(300.0, rel=0.05)
    assert ((survey.galaxies.z >= 0.04) & (survey.galaxies.z <= 0.08)).all()
    assert ((true_z < 0.04) | (true_z > 0.08)).any()


def test_in_real_space_redshifts_are_the_true_ones(survey):
    np.testing.assert_array_equal(survey.galaxies.z, survey.galaxies.properties["true_z"])


@pytest.mark.parametrize(("options", "word"), [
    ({"z_range": (0.1, 0.05)}, "z_range"),
    ({"z_range": (0.0, 0.05)}, "z_range"),
    ({"void_dimming": -1.0}, "void_dimming"),
    ({"velocity_dispersion": -1.0}, "velocity_dispersion"),
])
def test_impossible_options_are_refused(options, word):
    with pytest.raises(OptionError, match=word):
        MockSurvey(**options)
