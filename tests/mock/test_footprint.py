"""The footprint: limits, bays, holes and the meridian at right ascension 0."""

import numpy as np
import pytest
from astropy_healpix import HEALPix

from armillary.errors import OptionError
from armillary.mock import Footprint
from armillary.mock.footprint import mask_directions, pixel_radius
from armillary.units import FULL_SKY


def pixels(mask):
    ra, dec = HEALPix(nside=mask.nside, order="ring").healpix_to_lonlat(np.flatnonzero(mask.pixels))
    return np.degrees(ra.value), np.degrees(dec.value)


def test_a_footprint_across_right_ascension_zero_stays_within_its_limits():
    mask = Footprint(ra_range=(350.0, 20.0), dec_range=(-10.0, 10.0), nside=64).draw(rng=np.random.default_rng(1))
    ra, dec = pixels(mask)
    assert ((ra >= 350.0) | (ra <= 20.0)).all()
    assert (ra > 180.0).any()
    assert (ra < 180.0).any()
    assert (np.abs(dec) <= 10.0).all()


def test_without_bays_and_holes_the_area_is_that_of_the_limits():
    recipe = Footprint(ra_range=(100.0, 160.0), dec_range=(0.0, 30.0), raggedness=0.0, n_holes=0)
    area = FULL_SKY * 60.0 / 360.0 * np.sin(np.radians(30.0)) / 2.0
    assert recipe.draw(rng=np.random.default_rng(1)).area == pytest.approx(area, rel=0.01)


def test_bays_take_some_of_the_area_and_make_the_edge_irregular():
    smooth = Footprint(raggedness=0.0, n_holes=0).draw(rng=np.random.default_rng(2))
    ragged = Footprint(raggedness=3.0, n_holes=0).draw(rng=np.random.default_rng(2))
    assert (smooth.pixels >= ragged.pixels).all()
    assert 0.7 * smooth.area < ragged.area < 0.97 * smooth.area
    ra, dec = pixels(ragged)
    north = [dec[np.abs((ra - middle + 180.0) % 360.0 - 180.0) < 1.0].max() for middle in range(-20, 21, 2)]
    assert np.ptp(north) > 1.0


def test_a_hole_takes_the_area_of_its_disc():
    whole = Footprint(n_holes=0, raggedness=0.0).draw(rng=np.random.default_rng(3))
    pierced = Footprint(n_holes=1, raggedness=0.0, hole_radius=3.0).draw(rng=np.random.default_rng(3))
    disc = FULL_SKY * (1.0 - np.cos(np.radians(3.0))) / 2.0
    lost = whole.area - pierced.area
    assert 0.2 * disc < lost < 1.1 * disc


def test_a_footprint_may_go_all_the_way_round():
    mask = Footprint(ra_range=(0.0, 360.0), dec_range=(60.0, 90.0), n_holes=0, nside=32).draw(rng=np.random.default_rng(1))
    ra, dec = pixels(mask)
    assert np.histogram(ra, 12, (0.0, 360.0))[0].min() > 0
    assert dec.max() > 85.0


def test_the_same_seed_draws_the_same_footprint_and_another_seed_another():
    masks = [Footprint().draw(rng=np.random.default_rng(seed)).pixels for seed in (1, 1, 2)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


def test_directions_point_into_the_mask_and_corners_are_near():
    mask = Footprint(nside=16, raggedness=1.0).draw(rng=np.random.default_rng(1))
    directions = mask_directions(mask)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    corners = np.stack([axis.value for axis in HEALPix(nside=16, order="ring").boundaries_lonlat(
        np.flatnonzero(mask.pixels), 1)], axis=-1)
    ra, dec = corners[..., 0], corners[..., 1]
    unit = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    chord = np.linalg.norm(unit - directions[:, None], axis=2)
    assert chord.max() <= pixel_radius(16)


@pytest.mark.parametrize(("options", "word"), [
    ({"dec_range": (20.0, 10.0)}, "dec_range"),
    ({"dec_range": (0.0, 91.0)}, "dec_range"),
    ({"ra_range": (0.0, float("nan"))}, "ra_range"),
    ({"raggedness": 15.0}, "raggedness"),
    ({"n_holes": -1}, "holes"),
    ({"nside": 0}, "nside"),
])
def test_impossible_options_are_refused(options, word):
    with pytest.raises(OptionError, match=word):
        Footprint(**options)


def test_a_footprint_swallowed_by_its_hole_is_refused():
    swallowed = Footprint(ra_range=(0.0, 4.0), dec_range=(0.0, 4.0), raggedness=0.0, n_holes=1, hole_radius=10.0)
    with pytest.raises(OptionError, match="no pixel"):
        swallowed.draw(rng=np.random.default_rng(1))
