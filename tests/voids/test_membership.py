import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.cosmology import Cosmology
from armillary.errors import InputError
from armillary.model import BoxRegion
from armillary.voids import V2, VoidFinder, classify
from armillary.voids.centre_distance import scaled_centre_distance
from armillary.voids.membership import containing_void

CUBE = BoxRegion((0.0,) * 3, (100.0,) * 3)
PERIODIC = BoxRegion((0.0,) * 3, (100.0,) * 3, periodic=True)


def brute_separation(xyz, centre, period=None):
    d = np.abs(xyz[:, None] - centre[None])
    if period is not None:
        d = np.minimum(d, period - d)
    return np.sqrt((d**2).sum(axis=2))


@given(seed=st.integers(0, 2**32 - 1), periodic=st.booleans())
def test_the_containing_void_is_that_of_the_largest_sphere(seed, periodic):
    rng = np.random.default_rng(seed)
    xyz, centre = rng.random((200, 3)) * 100.0, rng.random((40, 3)) * 100.0
    radius, void = rng.uniform(3.0, 25.0, 40), rng.integers(0, 9, 40)
    found = containing_void(xyz, centre, radius, void, PERIODIC if periodic else CUBE)
    inside = brute_separation(xyz, centre, 100.0 if periodic else None) < radius
    largest = np.where(inside, radius, -1.0).argmax(axis=1)
    np.testing.assert_array_equal(found, np.where(inside.any(axis=1), void[largest], -1))


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40), periodic=st.booleans())
def test_scaled_distances_are_the_smallest_of_all(seed, n, periodic):
    rng = np.random.default_rng(seed)
    centre, r_eff = rng.random((n, 3)) * 100.0, rng.uniform(1.0, 40.0, n)
    xyz = rng.random((50, 3)) * 100.0 if periodic else rng.normal(50.0, 200.0, (50, 3))
    expected = (brute_separation(xyz, centre, 100.0 if periodic else None) / r_eff).min(axis=1)
    found = scaled_centre_distance(xyz, centre, r_eff, PERIODIC if periodic else None)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_classifying_the_galaxies_gives_their_membership(cap):
    xyz = cap.positions(Cosmology())
    catalogues = [VoidFinder(z_max=0.045, min_radius=7.0).find(cap, mask="healpix:8")]
    catalogues += V2(z_max=0.045, min_radius=7.0).find(cap, mask="healpix:8").values()
    for found in catalogues:
        code, void = classify(xyz, found)
        np.testing.assert_array_equal(code, found.membership.code, err_msg=found.method)
        np.testing.assert_array_equal(void, found.membership.void, err_msg=found.method)
        assert (code == 1).any()


def test_a_periodic_box_has_no_outside(box_galaxies):
    box = BoxRegion((0.0,) * 3, (60.0,) * 3, periodic=True)
    found = VoidFinder(cell=3.0, min_radius=5.0).find(box_galaxies, box=box)
    inside = np.random.default_rng(1).random((500, 3)) * 60.0
    for shift in ([60.0, 0.0, 0.0], [-60.0, 120.0, 60.0]):
        np.testing.assert_array_equal(classify(inside, found)[0], classify(inside + shift, found)[0])
    assert set(classify(inside, found)[0].tolist()) == {0, 1}


@pytest.mark.parametrize("points", [np.zeros((3, 2)), np.array([[0.0, np.nan, 1.0]])], ids=["shape", "NaN"])
def test_bad_positions_are_refused(box_galaxies, box, points):
    found = VoidFinder(cell=3.0, min_radius=5.0).find(box_galaxies, box=box)
    with pytest.raises(InputError):
        classify(points, found)


def test_no_positions_are_no_trouble(box_galaxies, box):
    found = VoidFinder(cell=3.0, min_radius=5.0).find(box_galaxies, box=box)
    code, void = classify(np.empty((0, 3)), found)
    assert len(code) == len(void) == 0
