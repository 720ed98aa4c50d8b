import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, LambdaCDM
from hypothesis import given
from hypothesis import strategies as st

from armillary.cosmology import Cosmology, cartesian_to_sky, sky_to_cartesian
from armillary.errors import InputError, OptionError


@pytest.mark.parametrize("omega_m", [0.1, 0.26, 0.3, 1.0])
def test_distances_are_those_of_astropy(omega_m):
    z = np.concatenate((np.geomspace(1e-5, 1e-2, 50), np.linspace(0.01, 6.0, 500)))
    expected = FlatLambdaCDM(100.0, omega_m, Tcmb0=0.0).comoving_distance(z).value
    np.testing.assert_allclose(Cosmology(omega_m).comoving_distance(z), expected, rtol=1e-10)


def test_an_empty_universe_of_matter_alone_is_analytic():
    """Einstein-de Sitter: D = 2 c/H0 (1 - 1/sqrt(1+z))."""
    z = np.linspace(0.01, 3.0, 50)
    np.testing.assert_allclose(
        Cosmology(1.0).comoving_distance(z), 2.0 * 2997.92458 * (1.0 - 1.0 / np.sqrt(1.0 + z)), rtol=1e-12
    )


@given(omega_m=st.floats(0.05, 1.0), z=st.floats(1e-4, 20.0))
def test_redshift_inverts_distance(omega_m, z):
    cosmo = Cosmology(omega_m)
    assert float(cosmo.redshift(cosmo.comoving_distance(z))) == pytest.approx(z, rel=1e-8)


def test_equal_redshifts_give_equal_distances_wherever_they_stand():
    z = np.random.default_rng(0).uniform(0.01, 0.3, 5003)
    distance = Cosmology(0.3).comoving_distance(z)
    for first in (1, 2, 3, 1500):
        np.testing.assert_array_equal(Cosmology(0.3).comoving_distance(z[first:]), distance[first:])


def test_beyond_redshift_50_there_is_no_redshift():
    far = Cosmology(0.3).comoving_distance(50.0)
    assert np.isnan(Cosmology(0.3).redshift([1.001 * far, 2e4])).all()
    assert Cosmology(0.3).redshift(0.999 * far) > 48.0


def test_distances_in_mpc_over_h_do_not_depend_on_h():
    assert Cosmology(0.3, 0.7).comoving_distance(0.5) == Cosmology(0.3, 1.0).comoving_distance(0.5)


@given(ra=st.floats(0.0, 359.999), dec=st.floats(-89.0, 89.0), r=st.floats(0.1, 5000.0))
def test_the_sky_and_cartesian_positions_are_inverse(ra, dec, r):
    back = cartesian_to_sky(sky_to_cartesian(ra, dec, r))
    np.testing.assert_allclose(np.cos(np.radians(back[0] - ra)), 1.0, atol=1e-12)
    np.testing.assert_allclose(back[1:], (dec, r), rtol=1e-9, atol=1e-9)


def test_right_ascension_stays_below_360():
    assert cartesian_to_sky(np.array([[1.0, -1e-20, 0.0]]))[0] == 0.0


def test_astropy_cosmologies_come_in_by_the_door():
    assert Cosmology.from_astropy(FlatLambdaCDM(70.0, 0.31)) == Cosmology(0.31, 0.7)
    with pytest.raises(InputError, match="FlatLambdaCDM"):
        Cosmology.from_astropy(LambdaCDM(70.0, 0.3, 0.6))


@pytest.mark.parametrize("options", [{"omega_m": 0.0}, {"omega_m": 1.2}, {"omega_m": float("nan")}, {"h": 0.0}, {"h": 70.0}])
def test_impossible_universes_are_refused(options):
    with pytest.raises(OptionError):
        Cosmology(**options)
