import numpy as np
import pytest

from armillary.errors import OptionError
from armillary.model import BoxRegion, HealpixMask, SurveyRegion


def test_a_survey_region_has_the_volume_of_its_cone():
    region = SurveyRegion(HealpixMask(2, np.arange(48) < 12), 100.0, 200.0)
    assert region.volume == pytest.approx(0.25 * 4.0 / 3.0 * np.pi * (200.0**3 - 100.0**3))
    rng = np.random.default_rng(1)
    xyz = rng.uniform(-200.0, 200.0, (400_000, 3))
    assert region.contains(xyz).mean() * 400.0**3 == pytest.approx(region.volume, rel=0.02)


def test_boxes_know_their_inside():
    box = BoxRegion((0.0, 0.0, 0.0), (1.0, 2.0, 3.0))
    assert box.volume == 6.0
    assert box.contains([[0.5, 1.5, 2.5], [1.5, 0.5, 0.5]]).tolist() == [True, False]
    assert BoxRegion((0.0,) * 3, (1.0,) * 3, periodic=True).contains([[9.0, 9.0, 9.0]]).all()


def test_wrapping_never_ends_on_the_far_side():
    """Neither a tiny negative offset nor rounding on the way back may give ``high`` itself."""
    box = BoxRegion((1000.0,) * 3, (1060.0,) * 3, periodic=True)
    xyz = np.array([[np.nextafter(1000.0, 0.0)] * 3, [1060.0] * 3, [1061.0, 939.0, 1000.0], [1000.0 - 1e-17] * 3])
    assert ((box.wrap(xyz) >= 1000.0) & (box.wrap(xyz) < 1060.0)).all()
    assert ((box.fold(xyz) >= 0.0) & (box.fold(xyz) < 60.0)).all()
    np.testing.assert_allclose(box.wrap(xyz)[2], [1001.0, 1059.0, 1000.0])


@pytest.mark.parametrize(("low", "high"), [((0.0,) * 3, (1.0, 0.0, 1.0)), ((0.0,) * 3, (1.0, np.inf, 1.0))])
def test_impossible_boxes_are_refused(low, high):
    with pytest.raises(OptionError, match="low < high"):
        BoxRegion(low, high)


def test_radial_limits_must_be_in_order():
    with pytest.raises(OptionError, match="r_min < r_max"):
        SurveyRegion(HealpixMask(1, np.ones(12, dtype=bool)), 200.0, 100.0)
