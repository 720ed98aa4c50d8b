"""The cosmic web: its spectrum, its displacement and the clustering of its galaxies."""

import numpy as np
import pytest
from scipy import fft
from scipy.integrate import quad

from armillary.errors import OptionError
from armillary.mock import CosmicWeb, MockBox

SIDE = np.full(3, 60.0)


@pytest.fixture(scope="module")
def realisation():
    return CosmicWeb().realise(np.array([-10.0, 0.0, 5.0]), SIDE, rng=np.random.default_rng(1))


def test_the_spectrum_has_the_amplitude_asked_for():
    web = CosmicWeb(sigma8=0.8)

    def integrand(log_k):
        k = np.exp(log_k)
        x = 8.0 * k
        top_hat = 3.0 * (np.sin(x) - x * np.cos(x)) / x**3
        return k**3 * float(web.power(np.array(k))) * top_hat**2 / (2.0 * np.pi**2)

    variance = quad(integrand, np.log(1e-4), np.log(20.0), limit=500)[0]
    assert np.sqrt(variance) == pytest.approx(0.8, rel=1e-3)


def test_the_spectrum_rises_as_its_primordial_index_on_the_largest_scales():
    power = CosmicWeb(spectral_index=0.96).power(np.array([0.0, 1e-5, 2e-5]))
    assert power[0] == 0.0
    assert power[2] / power[1] == pytest.approx(2**0.96, rel=1e-3)


def test_the_field_has_the_variance_of_its_smoothed_spectrum():
    web = CosmicWeb(smoothing=4.0)
    field = web.realise(np.zeros(3), np.full(3, 240.0), rng=np.random.default_rng(2)).delta
    variance = quad(lambda k: k**2 * float(web.power(np.array(k))) * np.exp(-((k * 4.0) ** 2)) / (2.0 * np.pi**2),
                    2.0 * np.pi / 480.0, 3.0, limit=500)[0]
    assert field.mean() == pytest.approx(0.0, abs=1e-4)
    assert field.var() == pytest.approx(variance, rel=0.1)


def test_the_displacement_diverges_from_underdense_places(realisation):
    """div psi = -delta, flow and collapse together, but for the modes on the Nyquist planes."""
    psi = realisation.flow + realisation.collapse
    divergence = np.zeros(realisation.delta.shape)
    for axis, (n, side) in enumerate(zip(psi.shape[1:], SIDE, strict=True)):
        k = 2.0 * np.pi * fft.fftfreq(n, side / n)
        k[n // 2] = 0.0  # the Nyquist mode of a real field has no derivative
        shape = [1, 1, 1]
        shape[axis] = n
        divergence += fft.ifft(1j * k.reshape(shape) * fft.fft(psi[axis], axis=axis), axis=axis).real
    np.testing.assert_allclose(divergence, -realisation.delta, rtol=0.0, atol=0.05 * realisation.delta.std())


def test_galaxies_have_the_density_asked_for_and_stay_in_the_volume(realisation):
    xyz, share = realisation.scatter(0.05, rng=np.random.default_rng(3))
    expected = 0.05 * np.prod(SIDE)
    assert abs(len(xyz) - expected) < 5.0 * np.sqrt(2.0 * expected)
    assert (share == 1.0).all()
    assert ((xyz >= realisation.low) & (xyz < realisation.low + SIDE)).all()


def test_no_galaxy_is_made_where_none_is_wanted(realisation):
    def half(positions):
        return np.where(positions[:, 0] < 20.0, 0.5, 0.0)

    xyz, share = realisation.scatter(0.05, rng=np.random.default_rng(4), share=half)
    assert (share == 0.5).all()
    expected = 0.05 * np.prod(SIDE) / 4.0
    assert abs(len(xyz) / expected - 1.0) < 0.3
    empty, _ = realisation.scatter(0.05, rng=np.random.default_rng(4), share=lambda positions: np.zeros(len(positions)))
    assert len(empty) == 0


def test_a_galaxy_moves_no_farther_than_the_largest_step(realisation):
    start = realisation.low + np.random.default_rng(5).random((2000, 3)) * SIDE
    end = realisation.condense(realisation.carry(start))
    offset = (end - start + SIDE / 2.0) % SIDE - SIDE / 2.0
    assert np.linalg.norm(offset, axis=1).max() <= realisation.largest_step


def test_positions_are_wrapped_into_the_cuboid_also_at_its_faces(realisation):
    low, high = realisation.low, realisation.low + SIDE
    wrapped = realisation.wrap(np.stack([high, low, low - 1e-17, high + 1.0]))
    assert ((wrapped >= low) & (wrapped < high)).all()
    np.testing.assert_allclose(wrapped[3], low + 1.0)


def test_the_correlation_function_is_that_of_galaxies(correlation):
    """Within a factor 2 of (r / 5.5 Mpc/h)^-1.8 from 1 to 10 Mpc/h, and falling (Zehavi et al. 2005)."""
    edges = np.array([1.0, 2.0, 3.0, 5.0, 7.0, 10.0])
    box = MockBox(size=180.0).make(rng=np.random.default_rng(6))
    xi = correlation(box.galaxies.xyz, 180.0, edges)
    expected = (np.sqrt(edges[1:] * edges[:-1]) / 5.5) ** -1.8
    assert (np.diff(xi) < 0.0).all()
    assert (xi > expected / 2.0).all()
    assert (xi < expected * 2.0).all()


def test_galaxies_without_clustering_are_uncorrelated(correlation):
    """The estimator that the test above relies on gives nothing for uniform points."""
    points = np.random.default_rng(7).random((20000, 3)) * 150.0
    xi = correlation(points, 150.0, np.array([2.0, 4.0, 8.0, 16.0]))
    assert (np.abs(xi) < 0.05).all()


def test_a_volume_too_large_for_its_grid_is_refused():
    with pytest.raises(OptionError, match="larger cell"):
        CosmicWeb().realise(np.zeros(3), np.full(3, 5000.0), rng=np.random.default_rng(1))


@pytest.mark.parametrize("options", [{"sigma8": 0.0}, {"smoothing": -1.0}, {"cell": float("nan")},
                                     {"satellite_fraction": 1.0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        CosmicWeb(**options)
