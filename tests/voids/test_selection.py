import numpy as np
import pytest

from armillary.cosmology import Cosmology
from armillary.errors import ColumnError, CoordinateError, InputError, MaskError, OptionError
from armillary.model import BoxRegion, GalaxyCatalog, HealpixMask
from armillary.voids.selection import GALAXIES_PER_PIXEL, Limits, take_sample


def sample(galaxies, limits=None, **options):
    settings = {"mask": None, "box": None, "cosmo": None, "min_radius": 10.0} | options
    return take_sample(galaxies, limits or Limits(), **settings)


def test_limits_are_compared_in_the_precision_of_the_column():
    z = np.array([0.05, 0.1026, 0.2], dtype=np.float32)
    galaxies = GalaxyCatalog.from_sky([1, 2, 3], [1, 2, 3], z)
    # As 64-bit numbers the column's 0.1026 is above 0.1026; as the same 32-bit number it is on the limit.
    assert float(z[1]) > 0.1026
    assert Limits(z_max=0.1026).select(galaxies).tolist() == [True, True, False]
    assert Limits(z_max=0.1026, strict=True).select(galaxies).tolist() == [True, False, False]
    assert Limits(z_min=0.1026).select(galaxies).tolist() == [False, True, True]


def test_a_magnitude_limit_keeps_the_bright():
    galaxies = GalaxyCatalog.from_sky([1, 2, 3], [1, 2, 3], [0.1] * 3, absolute_magnitude=np.array([-21.0, -20.0, -19.0]))
    assert Limits(magnitude=-20.0).select(galaxies).tolist() == [True, True, False]
    assert Limits(magnitude=-20.0, strict=True).select(galaxies).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("limits", "error", "word"),
    [
        (Limits(z_min=0.5), InputError, "no galaxy lies above z = 0.5"),
        (Limits(magnitude=-20.0), ColumnError, "--magnitude-column"),
        (Limits(z_max=0.0301), CoordinateError, "need at least 5"),
    ],
)
def test_limits_that_leave_too_little_are_refused(cap, limits, error, word):
    z = np.sort(np.asarray(cap.z))
    assert z[0] < 0.03 or word != "need at least 5"
    limits = Limits(z_max=float(z[3])) if word == "need at least 5" else limits
    with pytest.raises(error, match=word):
        sample(cap, limits)


def test_limits_in_the_wrong_order_are_refused():
    with pytest.raises(OptionError, match="z_min < z_max"):
        Limits(z_min=0.2, z_max=0.1)


def test_options_that_do_not_fit_the_catalogue_are_refused(cap, box_galaxies, box):
    with pytest.raises(OptionError, match="box"):
        sample(cap, box=box)
    with pytest.raises(OptionError, match="sky mask"):
        sample(box_galaxies, mask="vast")
    with pytest.raises(OptionError, match="redshift limits"):
        sample(box_galaxies, Limits(z_max=0.1))
    with pytest.raises(OptionError, match="healpix:NSIDE"):
        sample(cap, mask="healpix:0")
    with pytest.raises(OptionError, match="healpix:NSIDE"):
        sample(cap, mask="hexagons")


def test_galaxies_outside_a_given_mask_are_left_out_and_counted(cap):
    half = HealpixMask.from_galaxies(cap.ra[cap.ra < 180.0], cap.dec[cap.ra < 180.0], 8)
    result = sample(cap, mask=half)
    assert result.masked == (~half.contains(cap.ra, cap.dec)).sum() > 1000
    assert len(result.rows) + result.masked == len(cap)
    elsewhere = HealpixMask.from_galaxies([180.0], [-60.0], 8)
    with pytest.raises(MaskError, match="all 6000 galaxies"):
        sample(cap, mask=elsewhere)


def test_the_automatic_mask_is_as_fine_as_the_galaxies_allow(cap):
    mask = sample(cap).region.mask
    assert len(cap) / mask.pixels.sum() >= GALAXIES_PER_PIXEL
    finer = HealpixMask.from_galaxies(cap.ra, cap.dec, 2 * mask.nside)
    assert len(cap) / finer.pixels.sum() < GALAXIES_PER_PIXEL


def test_copies_are_left_out_and_counted(box_galaxies):
    xyz = np.concatenate((box_galaxies.xyz, box_galaxies.xyz[:7]))
    result = sample(GalaxyCatalog.from_positions(xyz))
    assert result.duplicates == 7
    assert len(result.rows) == len(box_galaxies)


@pytest.mark.parametrize("thick", [0.0, 1e-9])
def test_a_tilted_plane_is_no_volume(thick):
    """Written as text a plane is no longer exactly one; it is refused all the same."""
    rng = np.random.default_rng(1)
    xy = rng.random((200, 2)) * 60.0
    plane = np.c_[xy, 0.5 * xy[:, 0] + 0.25 * xy[:, 1] + thick * rng.normal(size=200)]
    with pytest.raises(CoordinateError, match="coplanar"):
        sample(GalaxyCatalog.from_positions(plane))


def test_one_redshift_is_no_volume():
    rng = np.random.default_rng(1)
    with pytest.raises(CoordinateError, match="need a volume"):
        sample(GalaxyCatalog.from_sky(rng.uniform(0, 50, 200), rng.uniform(0, 50, 200), np.full(200, 0.1)))


def test_single_precision_distances_are_close_and_not_equal(cap):
    exact, rounded = sample(cap), sample(cap, single_precision=True)
    difference = np.abs(np.linalg.norm(exact.everyone, axis=1) - np.linalg.norm(rounded.everyone, axis=1))
    assert 1e-6 < difference.max() < 3e-4


def test_positions_are_wrapped_into_a_periodic_box(box_galaxies):
    periodic = BoxRegion((0.0,) * 3, (60.0,) * 3, periodic=True)
    shifted = GalaxyCatalog.from_positions(box_galaxies.xyz + [120.0, -60.0, 0.0])
    np.testing.assert_allclose(sample(shifted, box=periodic).everyone, box_galaxies.xyz, atol=1e-12)


def test_the_default_cosmology_is_the_documented_one(cap):
    np.testing.assert_array_equal(sample(cap).everyone, sample(cap, cosmo=Cosmology(0.3)).everyone)
