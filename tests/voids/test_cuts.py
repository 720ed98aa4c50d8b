import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.voids.cuts import ConeCut, PlaneCut


@given(seed=st.integers(0, 2**32 - 1), dec=st.floats(-80.0, 80.0), turn=st.floats(0.0, 360.0))
@settings(max_examples=60)
def test_what_a_ball_cuts_out_lies_in_its_window(seed, dec, turn):
    """On a cone: also around the observer, over a pole, and across the line along which the cone is cut open."""
    rng = np.random.default_rng(seed)
    cut = ConeCut(dec, turn)
    centre = rng.normal(0.0, 60.0, (40, 3))
    radius = rng.uniform(1.0, 70.0, 40)
    low, high = cut.windows(centre, radius)
    reach = rng.uniform(0.0, 200.0, 2000)
    angle = rng.uniform(-cut.half_opening, cut.half_opening, 2000)
    page = np.column_stack([-reach * np.sin(angle), reach * np.cos(angle)])
    inside = np.linalg.norm(cut.embed(page)[:, None] - centre[None], axis=2) <= radius
    point, ball = np.nonzero(inside)
    assert (page[point] >= low[ball] - 1e-9).all()
    assert (page[point] <= high[ball] + 1e-9).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_ball_cuts_a_disc_out_of_a_plane_or_nothing(axis):
    cut = PlaneCut(axis, 5.0)
    centre = np.zeros((2, 3))
    centre[:, axis] = 8.0, 5.0 + 10.5
    low, high = cut.windows(centre, np.array([5.0, 10.0]))
    np.testing.assert_allclose((low[0], high[0]), [(-4.0, -4.0), (4.0, 4.0)])
    assert (low[1] > high[1]).all()


def test_a_window_is_no_larger_than_it_must_be():
    """Far from the observer a ball on the cone has a window hardly larger than itself, and one beside it none."""
    cut = ConeCut(30.0, 0.0)
    on = cut.embed(np.array([[40.0, 250.0]]))
    low, high = cut.windows(on, np.array([10.0]))
    assert (high - low < 2.3 * 10.0).all()
    low, high = cut.windows(ConeCut(40.0, 0.0).embed(np.array([[0.0, 250.0]])), np.array([10.0]))
    assert (low > high).all()
