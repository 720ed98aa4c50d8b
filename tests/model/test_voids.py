import numpy as np
import pytest

from armillary.cosmology import Cosmology
from armillary.errors import InputError
from armillary.model import Holes, VoidCatalog


def catalogue(**changes):
    n = 2
    fields = {
        "method": "voidfinder", "centre": np.array([[100.0, 0.0, 0.0], [0.0, 0.0, 200.0]]), "radius": np.full(n, 12.0),
        "r_eff": np.full(n, 15.0), "r_eff_uncertainty": np.zeros(n), "edge": np.zeros(n, dtype=np.int64),
        "holes": Holes(np.zeros((n, 3)), np.full(n, 12.0), np.arange(n)), "cosmo": Cosmology(0.3),
    }
    return VoidCatalog(**(fields | changes))


def test_centres_have_directions_and_redshifts():
    voids = catalogue()
    ra, dec, distance = voids.sky()
    np.testing.assert_allclose((ra[0], dec[0], dec[1]), (0.0, 0.0, 90.0), atol=1e-12)
    np.testing.assert_allclose(Cosmology(0.3).comoving_distance(voids.redshift()), distance)
    assert np.isnan(catalogue(cosmo=None).redshift()).all()
    assert not catalogue(cosmo=None).on_sky


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"method": "spheres"}, "expected one of"), ({"centre": np.zeros((2, 2))}, r"\(2, 3\)"),
     ({"edge": np.zeros(3)}, "edge has shape"), ({"holes": None}, "either holes or zones")],
)
def test_inconsistent_catalogues_are_refused(changes, word):
    with pytest.raises(InputError, match=word):
        catalogue(**changes)
