import numpy as np
import pytest
from astropy import units as u
from astropy_healpix import HEALPix
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.errors import MaskError
from armillary.model import EqualAngleMask, HealpixMask
from armillary.model.masks import healpix_ring
from armillary.units import FULL_SKY


def random_sky(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.0, 360.0, n), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))


@pytest.mark.parametrize("make", [lambda ra, dec: HealpixMask.from_galaxies(ra, dec, 8),
                                  lambda ra, dec: EqualAngleMask.from_galaxies(ra, dec, 700.0)], ids=["healpix", "vast"])
def test_a_mask_holds_its_galaxies_and_covers_its_area(make):
    ra, dec = random_sky(20_000, 1)
    here = (ra < 80.0) & (dec > -30.0)
    mask = make(ra[here], dec[here])
    assert mask.contains(ra[here], dec[here]).all()
    everywhere = random_sky(200_000, 2)
    # The area is the fraction of the sky that random directions hit, within four standard errors.
    share = mask.contains(*everywhere).mean()
    assert mask.area / FULL_SKY == pytest.approx(share, abs=4.0 * np.sqrt(share * (1.0 - share) / 200_000))


def test_a_mask_of_the_whole_sky_has_its_area():
    assert HealpixMask(4, np.ones(192, dtype=bool)).area == pytest.approx(41252.961)
    assert EqualAngleMask(2, np.ones((720, 360), dtype=bool)).area == pytest.approx(41252.961)


def test_the_equator_row_of_the_vast_grid_is_double():
    """Truncation towards zero puts -1 < dec < 1 into one row."""
    mask = EqualAngleMask.from_galaxies([10.5], [0.5], 100.0, smooth=False)
    assert mask.resolution == 1
    assert mask.contains([10.5, 10.5, 10.5], [-0.9, 0.9, 1.1]).tolist() == [True, True, False]


def test_the_vast_grid_gets_finer_with_distance():
    assert [EqualAngleMask.from_galaxies([1], [1], r).resolution for r in (500.0, 600.0, 1200.0)] == [1, 2, 3]


def test_smoothing_fills_a_cell_with_three_neighbours():
    ra, dec = np.array([10.5, 12.5, 11.5]), np.array([20.5, 20.5, 21.5])
    hole = ([11.5], [20.5])
    assert not EqualAngleMask.from_galaxies(ra, dec, 100.0, smooth=False).contains(*hole)[0]
    assert EqualAngleMask.from_galaxies(ra, dec, 100.0).contains(*hole)[0]
    assert not EqualAngleMask.from_galaxies(ra[:2], dec[:2], 100.0).contains(*hole)[0]


def test_smoothing_knows_that_right_ascension_wraps():
    ra, dec = np.array([359.5, 1.5, 0.5]), np.array([20.5, 20.5, 21.5])
    assert EqualAngleMask.from_galaxies(ra, dec, 100.0).contains([0.5], [20.5])[0]


def test_masks_of_the_wrong_size_are_refused():
    with pytest.raises(MaskError, match="768 pixels, but 100"):
        HealpixMask(8, np.ones(100, dtype=bool))
    with pytest.raises(MaskError, match="empty"):
        HealpixMask(1, np.zeros(12, dtype=bool))
    with pytest.raises(MaskError, match="shape"):
        EqualAngleMask(1, np.ones((180, 360), dtype=bool))
    with pytest.raises(MaskError, match="nside"):
        HealpixMask.from_galaxies([1], [1], 0)
    with pytest.raises(MaskError, match="expected 1 to 8192"):
        HealpixMask.from_galaxies([1], [1], 10_000)


@given(seed=st.integers(0, 2**32 - 1), nside=st.sampled_from([1, 2, 3, 5, 8, 32, 147, 1024, 8192]))
@settings(max_examples=60)
def test_directions_fall_into_the_pixels_of_astropy_healpix(seed, nside):
    """Anywhere on the sphere, near the poles and with right ascensions of any turn."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(-400.0, 800.0, 500), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, 500)))
    dec[:50] = np.copysign(90.0 - 10.0 ** rng.uniform(-9.0, 0.0, 50), dec[:50])
    expected = HEALPix(nside=nside, order="ring").lonlat_to_healpix(ra * u.deg, dec * u.deg)
    np.testing.assert_array_equal(healpix_ring(ra, dec, nside), expected)


def test_the_poles_and_the_meridian_lie_in_some_pixel():
    ra, dec = np.array([0.0, 360.0, -1e-20, 45.0, 180.0, 359.9999999]), np.array([90.0, -90.0, 0.0, 90.0, 0.0, 0.0])
    for nside in (1, 2, 147):
        pixel = healpix_ring(ra, dec, nside)
        assert ((pixel >= 0) & (pixel < 12 * nside**2)).all()
