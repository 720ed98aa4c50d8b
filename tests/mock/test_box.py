"""Mock boxes: the planted voids are there, and a seed means one box."""

import numpy as np
import pytest

from armillary.errors import OptionError
from armillary.mock import MockBox, VoidPlan


@pytest.fixture(scope="module")
def box():
    return MockBox().make(rng=np.random.default_rng(1))


def test_the_same_seed_makes_the_same_box_and_another_seed_another(box):
    again = MockBox().make(rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again.galaxies.xyz, box.galaxies.xyz)
    np.testing.assert_array_equal(again.voids.centre, box.voids.centre)
    other = MockBox().make(rng=np.random.default_rng(2))
    assert other.galaxies.xyz.shape != box.galaxies.xyz.shape or (other.galaxies.xyz != box.galaxies.xyz).any()


def test_the_box_holds_as_many_galaxies_as_asked_for(box):
    assert len(box.galaxies) / box.region.volume == pytest.approx(5.5e-3, rel=0.05)
    assert box.region.periodic
    assert (box.galaxies.xyz >= 0.0).all()
    assert (box.galaxies.xyz < 150.0).all()


def test_planted_voids_are_nearly_empty_and_fill_a_third_of_the_volume(box):
    share = (4.0 / 3.0 * np.pi * box.voids.radius**3).sum() / box.region.volume
    assert 0.3 < share < 0.45
    held = box.galaxies.properties["planted_void"] >= 0
    assert held.mean() < 0.35 * share
    assert box.voids.whole.all()


def test_planted_voids_hold_empty_spheres_of_their_size(box, empty_sphere):
    """Of the voids away from the faces, the largest sphere without wall galaxies is near R for most."""
    clear = ((box.voids.centre > 1.5 * box.voids.radius[:, None])
             & (box.voids.centre < 150.0 - 1.5 * box.voids.radius[:, None])).all(axis=1)
    assert clear.sum() >= 10
    ratio, offset = [], []
    for centre, radius in zip(box.voids.centre[clear], box.voids.radius[clear], strict=True):
        place, size = empty_sphere(box.galaxies.xyz, centre, radius)
        ratio.append(size / radius)
        offset.append(np.linalg.norm(place - centre) / radius)
    assert 0.8 < np.median(ratio) < 1.2
    assert np.median(offset) < 0.3
    assert np.mean(np.array(ratio) > 0.7) > 0.8


def test_a_closed_box_cuts_the_voids_that_cross_its_faces():
    closed = MockBox(periodic=False).make(rng=np.random.default_rng(1))
    assert not closed.region.periodic
    inner = ((closed.voids.centre - closed.voids.radius[:, None] >= 0.0)
             & (closed.voids.centre + closed.voids.radius[:, None] <= 150.0)).all(axis=1)
    assert 0 < inner.sum() < len(inner)
    assert closed.voids.whole[inner].all()
    depth = np.minimum(closed.voids.centre, 150.0 - closed.voids.centre).min(axis=1) / closed.voids.radius
    assert (closed.voids.inside[depth < 0.8] < 1.0).all()


def test_sides_may_differ():
    box = MockBox(size=(80.0, 100.0, 120.0), plan=VoidPlan(radius=(10.0, 15.0))).make(rng=np.random.default_rng(3))
    assert box.region.size.tolist() == [80.0, 100.0, 120.0]
    assert (box.galaxies.xyz.max(axis=0) > 0.95 * box.region.size).all()


@pytest.mark.parametrize(("options", "word"), [({"size": -1.0}, "size"), ({"size": (1.0, 2.0)}, "size"),
                                               ({"density": 0.0}, "density")])
def test_impossible_options_are_refused(options, word):
    with pytest.raises(OptionError, match=word):
        MockBox(**options)


def test_the_box_that_the_validation_page_describes():
    box = MockBox(size=200.0).make(rng=np.random.default_rng(2))
    radius = box.voids.radius
    assert (len(radius), len(box.galaxies)) == (103, 43_843)
    assert [round(float(value), 1) for value in (radius.min(), radius.max())] == [12.3, 24.7]
    assert round(float((4.0 / 3.0 * np.pi * radius**3).sum()) / 200.0**3, 2) == 0.36
