import numpy as np
import pytest

from armillary.cosmology import Cosmology
from armillary.errors import CoordinateError, InputError
from armillary.model import GalaxyCatalog


def test_right_ascension_is_wrapped_and_z_keeps_its_precision():
    z = np.array([0.1, 0.2], dtype=">f4")
    galaxies = GalaxyCatalog.from_sky([-10.0, 370.0], [0.0, 5.0], z)
    assert galaxies.ra.tolist() == [350.0, 10.0]
    assert galaxies.z.dtype == np.float32
    assert galaxies.z.dtype.isnative


def test_positions_lie_at_the_comoving_distance():
    galaxies = GalaxyCatalog.from_sky([0.0, 90.0, 0.0], [0.0, 0.0, 90.0], [0.1] * 3)
    d = Cosmology().comoving_distance(0.1)
    np.testing.assert_allclose(galaxies.positions(Cosmology()), d * np.eye(3), atol=1e-12)
    with pytest.raises(InputError, match="cosmology"):
        galaxies.positions()


def test_selection_takes_every_column_along():
    galaxies = GalaxyCatalog.from_sky(
        [1, 2, 3], [4, 5, 6], [0.1, 0.2, 0.3], targetid=np.array([7, 8, 9]), properties={"mass": np.array([1.0, 2.0, 3.0])}
    )
    some = galaxies.select(np.array([True, False, True]))
    assert len(some) == 2
    assert some.targetid.tolist() == [7, 9]
    assert some.properties["mass"].tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("ra", "dec", "z"),
    [
        ([np.nan, 1], [0, 0], [0.1, 0.1]), ([0, 1], [95, 0], [0.1, 0.1]), ([0, 1], [0, 0], [0.1, -0.1]),
        ([0, 1], [0, np.inf], [0.1, 1]),
    ],
)
def test_impossible_coordinates_are_refused_with_their_rows(ra, dec, z):
    with pytest.raises(CoordinateError, match=r"1 of 2 galaxies .*\(rows [01]\)"):
        GalaxyCatalog.from_sky(ra, dec, z)


def test_right_ascensions_are_turned_into_0_to_360():
    assert GalaxyCatalog.from_sky([-10.0, 370.0, -1e-17], [0, 0, 0], [0.1, 0.1, 0.1]).sky[0].tolist() == [350.0, 10.0, 0.0]


def test_copies_of_a_galaxy_have_the_same_position_wherever_they_stand():
    rng = np.random.default_rng(0)
    ra, dec, z = rng.uniform(0, 60, 4001), rng.uniform(0, 40, 4001), rng.uniform(0.05, 0.1, 4001)
    twice = GalaxyCatalog.from_sky(*(np.concatenate((column, column[:50])) for column in (ra, dec, z)))
    xyz = twice.positions(Cosmology())
    np.testing.assert_array_equal(xyz[:50], xyz[-50:])


def test_a_catalogue_is_a_survey_or_a_box():
    with pytest.raises(InputError, match="not both"):
        GalaxyCatalog(ra=np.zeros(1), dec=np.zeros(1), z=np.ones(1), xyz=np.zeros((1, 3)))
    with pytest.raises(InputError, match="needs ra, dec and z, or xyz"):
        GalaxyCatalog(ra=np.zeros(1))
    with pytest.raises(InputError, match=r"\(n, 3\)"):
        GalaxyCatalog.from_positions(np.zeros((4, 2)))
    with pytest.raises(InputError, match="box"):
        _ = GalaxyCatalog.from_positions(np.zeros((4, 3))).sky


def test_columns_of_another_length_are_refused():
    with pytest.raises(InputError, match="weight"):
        GalaxyCatalog.from_sky([1, 2], [1, 2], [0.1, 0.2], weight=np.ones(3))
