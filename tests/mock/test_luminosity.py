"""The luminosity function and distance moduli."""

import numpy as np
import pytest
from scipy.integrate import quad

from armillary.cosmology import Cosmology
from armillary.errors import OptionError
from armillary.mock import Schechter
from armillary.mock.luminosity import distance_modulus


def integral(law, bright, faint):
    def phi(magnitude):
        x = 10.0 ** (-0.4 * (magnitude - law.m_star))
        return 0.4 * np.log(10.0) * law.phi_star * x ** (law.alpha + 1.0) * np.exp(-x)

    return quad(phi, bright, faint)[0]


@pytest.mark.parametrize("limit", [-21.5, -20.0, -18.0])
def test_the_density_is_the_integral_of_the_function(limit):
    law = Schechter()
    assert float(law.density(limit)) == pytest.approx(integral(law, -25.0, limit), rel=1e-4)


def test_a_volume_limited_sample_is_as_dense_as_those_of_sdss_and_desi():
    assert 4e-3 < float(Schechter().density(-20.0)) < 8e-3


def test_evenly_spaced_ranks_follow_the_function():
    law = Schechter()
    magnitude = law.quantile(np.linspace(0.0, 1.0, 100_001), -18.0)
    assert (np.diff(magnitude) >= 0.0).all()
    assert magnitude[-1] == pytest.approx(-18.0)
    share = integral(law, -25.0, -20.0) / integral(law, -25.0, -18.0)
    assert (magnitude < -20.0).mean() == pytest.approx(share, abs=1e-4)


def test_a_nearby_galaxy_has_the_modulus_of_the_hubble_law():
    """At z = 1e-3 the luminosity distance is cz/H0 = 3 Mpc/h to a tenth of a percent."""
    modulus = distance_modulus(np.array([1e-3]), Cosmology(0.3))
    assert modulus[0] == pytest.approx(25.0 + 5.0 * np.log10(2.99792458), abs=3e-3)


def test_a_density_must_be_positive():
    with pytest.raises(OptionError, match="phi_star"):
        Schechter(phi_star=0.0)
