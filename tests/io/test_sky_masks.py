"""HEALPix footprints in every form that surveys publish them in."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy_healpix import HEALPix
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import FormatError, InputError, MaskError, StorageError
from armillary.io.sky_masks import read_sky_mask, write_sky_mask
from armillary.model import EqualAngleMask, HealpixMask

NSIDE = 8
N_SKY = 12 * NSIDE**2


@pytest.fixture
def pixels():
    return np.random.default_rng(5).random(N_SKY) < 0.3


def write_map(path, columns, **cards):
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": NSIDE, **cards})
    for key in [key for key, value in cards.items() if value is None]:
        del hdu.header[key]
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


@given(nside=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_what_is_written_reads_back_equal(tmp_path_factory, nside, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.random(12 * nside**2) < 0.5
    pixels[rng.integers(pixels.size)] = True
    path = tmp_path_factory.mktemp("mask") / "mask.fits"
    write_sky_mask(HealpixMask(nside, pixels), path)
    mask = read_sky_mask(path)
    assert mask.nside == nside
    np.testing.assert_array_equal(mask.pixels, pixels)


@pytest.mark.parametrize(
    ("form", "values"),
    [("E", lambda inside: np.where(inside, 0.51, 0.5)), ("D", lambda inside: np.where(inside, 1.0, np.nan)),
     ("E", lambda inside: np.where(inside, 3.0, -1.6375e30)), ("I", lambda inside: inside.astype(int)),
     ("L", lambda inside: inside), ("96E", lambda inside: inside.astype(float).reshape(-1, 96))],
)
def test_a_pixel_is_inside_above_one_half(tmp_path, pixels, form, values):
    path = write_map(tmp_path / "m.fits", [fits.Column("T", form, array=values(pixels))])
    np.testing.assert_array_equal(read_sky_mask(path).pixels, pixels)


def test_nested_maps_are_put_in_ring_order(tmp_path, pixels):
    order = HEALPix(NSIDE, order="nested")
    nested = pixels[order.nested_to_ring(np.arange(N_SKY))]
    assert not np.array_equal(nested, pixels)
    path = write_map(tmp_path / "m.fits", [fits.Column("T", "B", array=nested)], ORDERING="NESTED")
    np.testing.assert_array_equal(read_sky_mask(path).pixels, pixels)


@pytest.mark.parametrize("ordering", ["RING", "NESTED"])
def test_partial_maps_name_their_pixels(tmp_path, pixels, ordering):
    numbers = np.flatnonzero(pixels)
    outside = np.flatnonzero(~pixels)[:10]
    listed = np.concatenate([numbers, outside])
    if ordering == "NESTED":
        listed = HEALPix(NSIDE, order="nested").ring_to_nested(listed)
    values = np.concatenate([np.ones(numbers.size), np.zeros(10)])
    path = write_map(
        tmp_path / "m.fits", [fits.Column("PIXEL", "J", array=listed), fits.Column("W", "E", array=values)],
        INDXSCHM="EXPLICIT", ORDERING=ordering,
    )
    np.testing.assert_array_equal(read_sky_mask(path).pixels, pixels)


def test_galactic_maps_are_rotated(tmp_path):
    nside = 16
    centres = HEALPix(nside, order="ring").healpix_to_lonlat(np.arange(12 * nside**2))
    inside = centres[1].to_value("deg") > 30
    column = fits.Column("T", "B", array=inside.astype(int))
    mask = read_sky_mask(write_map(tmp_path / "m.fits", [column], NSIDE=nside, COORDSYS="G"))
    for latitude, within in ((35, True), (25, False)):
        points = SkyCoord(l=np.arange(0, 360, 5.0), b=np.full(72, latitude), unit="deg", frame="galactic").icrs
        assert (mask.contains(points.ra.deg, points.dec.deg) == within).all()
    assert mask.area == pytest.approx(41253 * inside.mean(), rel=0.01)


def test_nside_follows_from_a_full_map(tmp_path, pixels):
    column = fits.Column("T", "B", array=pixels.astype(int))
    assert read_sky_mask(write_map(tmp_path / "m.fits", [column], NSIDE=None)).nside == NSIDE


@pytest.mark.parametrize(
    ("cards", "message"),
    [({"NSIDE": 16}, "768 pixels, but NSIDE 16 needs 3072"), ({"NSIDE": 4}, "768 pixels, but NSIDE 4 needs 192"),
     ({"NSIDE": 0}, "NSIDE 0"), ({"ORDERING": "SPIRAL"}, "SPIRAL"), ({"COORDSYS": "E"}, "COORDSYS E")],
)
def test_headers_that_do_not_fit_are_refused(tmp_path, pixels, cards, message):
    path = write_map(tmp_path / "m.fits", [fits.Column("T", "B", array=pixels.astype(int))], **cards)
    with pytest.raises((MaskError, FormatError), match=message):
        read_sky_mask(path)


def test_pixel_numbers_out_of_range_are_refused(tmp_path):
    columns = [fits.Column("PIXEL", "J", array=[0, N_SKY]), fits.Column("W", "E", array=[1, 1])]
    with pytest.raises(MaskError, match="numbered 0 to 768, but NSIDE 8 has 768"):
        read_sky_mask(write_map(tmp_path / "m.fits", columns, INDXSCHM="EXPLICIT"))


def test_what_is_no_map_is_refused(tmp_path, pixels):
    with pytest.raises(MaskError, match="empty"):
        read_sky_mask(write_map(tmp_path / "empty.fits", [fits.Column("T", "B", array=np.zeros(N_SKY))]))
    plain = tmp_path / "image.fits"
    fits.PrimaryHDU(np.ones((4, 4))).writeto(plain)
    with pytest.raises(FormatError, match="no HEALPix map"):
        read_sky_mask(plain)
    with pytest.raises(InputError, match="there is no file"):
        read_sky_mask(tmp_path / "absent.fits")
    whole = write_map(tmp_path / "whole.fits", [fits.Column("T", "D", array=pixels.astype(float))]).read_bytes()
    cut = tmp_path / "cut.fits"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match="cut"):
        read_sky_mask(cut)


def test_only_healpix_masks_are_written(tmp_path):
    grid = EqualAngleMask(1, np.ones((360, 180), dtype=bool))
    with pytest.raises(MaskError, match="EqualAngleMask"):
        write_sky_mask(grid, tmp_path / "m.fits")
    with pytest.raises(StorageError):
        write_sky_mask(HealpixMask(1, np.ones(12, dtype=bool)), tmp_path / "nowhere" / "m.fits")
    assert list(tmp_path.iterdir()) == []


def test_the_footprint_of_boss_cmass_north(shared):
    mask = read_sky_mask(shared("data/void-catalogs/DR12v5_CMASS_North_mask.fits"))
    assert mask.nside == 128
    assert mask.area == pytest.approx(7562, abs=1)
    assert mask.contains([185.0, 10.0], [30.0, 0.0]).tolist() == [True, False]


def test_columns_that_are_no_map_are_refused(tmp_path):
    words = [fits.Column("PIXEL", "J", array=[0, 1]), fits.Column("NAME", "3A", array=["abc", "def"])]
    with pytest.raises(FormatError, match="no numbers in column NAME"):
        read_sky_mask(write_map(tmp_path / "words.fits", words, INDXSCHM="EXPLICIT"))
    holes = [fits.Column("PIXEL", "D", array=[0, np.nan]), fits.Column("W", "E", array=[1, 1])]
    with pytest.raises(MaskError, match="1 pixels without a number"):
        read_sky_mask(write_map(tmp_path / "nan.fits", holes, INDXSCHM="EXPLICIT"))
    vast = [fits.Column("PIXEL", "J", array=[0, 1]), fits.Column("W", "E", array=[1, 1])]
    with pytest.raises(MaskError, match="NSIDE 200000; a HEALPix map needs one from 1 to 8192"):
        read_sky_mask(write_map(tmp_path / "vast.fits", vast, INDXSCHM="EXPLICIT", NSIDE=200_000))
