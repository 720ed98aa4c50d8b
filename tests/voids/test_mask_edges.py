import numpy as np
import pytest
from astropy import units as u
from astropy_healpix import HEALPix

from armillary.model import EqualAngleMask, HealpixMask
from armillary.voids.mask_edges import _healpix_centres, _healpix_neighbours, _healpix_radius, angles_to_the_edge


def directions(rng, n: int):
    xyz = rng.normal(size=(n, 3))
    return xyz / np.linalg.norm(xyz, axis=1)[:, None]


def degrees(xyz):
    return np.degrees(np.arctan2(xyz[:, 1], xyz[:, 0])), np.degrees(np.arcsin(np.clip(xyz[:, 2], -1.0, 1.0)))


@pytest.mark.parametrize("nside", [1, 2, 3, 12, 16, 147])
def test_pixels_hold_their_centres_and_end_within_their_radius(nside):
    grid, pixels = HEALPix(nside, order="ring"), np.arange(12 * nside**2)
    centre = _healpix_centres(nside, pixels)
    lon, lat = degrees(centre)
    np.testing.assert_array_equal(grid.lonlat_to_healpix(lon * u.deg, lat * u.deg), pixels)
    xyz = directions(np.random.default_rng(nside), 50_000)
    lon, lat = degrees(xyz)
    cosine = (xyz * centre[grid.lonlat_to_healpix(lon * u.deg, lat * u.deg)]).sum(axis=1)
    assert np.arccos(cosine.min()) <= _healpix_radius(nside)


@pytest.mark.parametrize("nside", [2, 4, 16])
def test_edge_neighbours_are_those_of_astropy_healpix(nside):
    with np.errstate(invalid="ignore"):  # some pixels lack a neighbour at a corner
        expected = HEALPix(nside, order="ring").neighbours(np.arange(12 * nside**2))[::2].T
    for pixel in range(12 * nside**2):
        assert _healpix_neighbours(nside, np.array([pixel])).tolist() == sorted(expected[pixel].tolist())


@pytest.mark.parametrize("mask", [
    *(HealpixMask(nside, np.random.default_rng(nside).random(12 * nside**2) < 0.9) for nside in (1, 2, 3, 7, 12)),
    *(EqualAngleMask(n, np.random.default_rng(n).random((360 * n, 180 * n)) < 0.998) for n in (1, 2)),
], ids=lambda mask: mask.describe())
def test_no_direction_outside_is_nearer_than_the_angle(mask):
    """Patchy masks, poles and equator included, against directions everywhere."""
    rng = np.random.default_rng(1)
    covered = mask.pixels if isinstance(mask, HealpixMask) else mask.cells.ravel()
    within = np.flatnonzero(covered)
    angle = np.zeros(len(covered))
    angle[within] = angles_to_the_edge(mask, within)
    xyz = directions(rng, 40_000)
    lon, lat = degrees(xyz)
    if isinstance(mask, HealpixMask):
        pixel = HEALPix(mask.nside, order="ring").lonlat_to_healpix(lon * u.deg, lat * u.deg)
        assert (angle > 0.0).any() or mask.nside < 7
    else:
        n = mask.resolution
        pixel = (n * (lon % 360.0)).astype(int) * 180 * n + 90 * n + (n * lat).astype(int)
        assert (angle > 0.0).mean() > 0.2
    # To every side, as far as the angle says.
    for _ in range(8):
        across = np.cross(xyz, directions(rng, len(xyz)))
        across /= np.linalg.norm(across, axis=1)[:, None]
        reach = angle[pixel] * (1.0 - 1e-9)
        away = np.cos(reach)[:, None] * xyz + np.sin(reach)[:, None] * across
        rows = reach > 0.0
        assert mask.contains(*degrees(away[rows])).all()


def test_a_mask_without_an_edge_is_a_right_angle_or_more_from_it():
    mask = HealpixMask(2, np.ones(48, dtype=bool))
    assert (angles_to_the_edge(mask, np.arange(48)) > 0.1).all()
