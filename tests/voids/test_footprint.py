import numpy as np
import pytest
from astropy import units as u
from astropy_healpix import HEALPix

from armillary.cosmology import cartesian_to_sky
from armillary.model import BoxRegion, EqualAngleMask, HealpixMask, SurveyRegion
from armillary.voids.footprint import Footprint, healpix_ring, inside_each, points_outside


@pytest.mark.parametrize("nside", [1, 2, 3, 32, 100, 147, 1024])
def test_healpix_index_is_that_of_astropy_healpix(nside):
    rng = np.random.default_rng(nside)
    xyz = np.concatenate((
        rng.normal(size=(3000, 3)),
        rng.normal(size=(500, 3)) * [1e-4, 1e-4, 1.0],  # around the poles
        rng.normal(size=(500, 3)) * [1.0, 1e-9, 1.0],  # around ra 0 and 180
    ))
    ra, dec, distance = cartesian_to_sky(xyz)
    expected = HEALPix(nside).lonlat_to_healpix(ra * u.deg, dec * u.deg)
    ours = [healpix_ring(nside, *p, r) for p, r in zip(xyz, distance, strict=True)]
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("kind", ["healpix", "vast"])
def test_a_footprint_says_what_its_region_says(kind):
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(-30, 40, 20000), rng.uniform(-20, 50, 20000)
    if kind == "healpix":
        mask = HealpixMask.from_galaxies(ra, dec, 16)
    else:
        mask = EqualAngleMask.from_galaxies(ra, dec, 1500.0)
    region = SurveyRegion(mask, 50.0, 300.0)
    xyz = rng.normal(0.0, 150.0, (20000, 3))
    ours = inside_each(Footprint.of(region), xyz)
    np.testing.assert_array_equal(ours, region.contains(xyz))
    assert 0.01 < ours.mean() < 0.2


def test_a_closed_box_ends_and_a_periodic_one_does_not():
    xyz = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.1, 0.5, 0.5]])
    assert inside_each(Footprint.of(BoxRegion((0.0,) * 3, (1.0,) * 3)), xyz).tolist() == [True, True, False]
    assert inside_each(Footprint.of(BoxRegion((0.0,) * 3, (1.0,) * 3, periodic=True)), xyz).all()


def test_the_observer_is_outside_every_survey():
    region = SurveyRegion(HealpixMask(1, np.ones(12, dtype=bool)), 0.0, 10.0)
    assert not inside_each(Footprint.of(region), np.zeros((1, 3)))[0]


def _patchy(kind: str, seed: int = 2):
    """A region with holes in its mask, across ra 0, the equator and the north pole."""
    rng = np.random.default_rng(seed)
    dec = np.degrees(np.arcsin(rng.uniform(-0.3, 1.0, 6000)))
    ra = np.where(dec > 60.0, rng.uniform(0.0, 360.0, 6000), rng.uniform(-60.0, 60.0, 6000))
    mask = HealpixMask.from_galaxies(ra, dec, 12) if kind == "healpix" else EqualAngleMask.from_galaxies(ra, dec, 100.0)
    return SurveyRegion(mask, 40.0, 300.0)


def test_nothing_within_the_clearance_of_a_position_is_outside():
    region, rng = _patchy("healpix"), np.random.default_rng(3)
    clearance = Footprint.of(region, measured=True).clearance
    xyz = rng.normal(0.0, 150.0, (200_000, 3))
    xyz = xyz[region.contains(xyz)]
    ra, dec, distance = cartesian_to_sky(xyz)
    sine = clearance[HEALPix(region.mask.nside).lonlat_to_healpix(ra * u.deg, dec * u.deg)]
    assert (sine > 0.05).mean() > 0.1
    step = rng.normal(size=xyz.shape)
    step *= (np.minimum.reduce([sine * distance, distance - 40.0, 300.0 - distance]) / np.linalg.norm(step, axis=1))[:, None]
    assert region.contains(xyz + (1.0 - 1e-9) * step).all()


@pytest.mark.parametrize("kind", ["healpix", "vast"])
@pytest.mark.parametrize("reach", [1.0, 10.0, 40.0])
def test_measured_clearances_change_no_answer(kind, reach):
    """Points around positions, some well inside and some not, are counted as they are without clearances."""
    region, rng = _patchy(kind), np.random.default_rng(4)
    xyz = rng.normal(0.0, 150.0, (20_000, 3))
    offsets = rng.normal(size=(12, 3))
    offsets /= np.linalg.norm(offsets, axis=1)[:, None]
    scale = np.full(len(xyz), reach)
    plain = points_outside(Footprint.of(region), xyz, scale, offsets)
    measured = points_outside(Footprint.of(region, measured=True), xyz, scale, offsets)
    np.testing.assert_array_equal(measured, plain)
    expected = (~region.contains(xyz[:, None] + reach * offsets)).sum(axis=1)
    np.testing.assert_array_equal(plain, expected)
    assert 0 < (plain < 12).sum() < len(xyz)
    enough = points_outside(Footprint.of(region, measured=True), xyz, scale, offsets, enough=3)
    np.testing.assert_array_equal(enough >= 3, plain >= 3)
