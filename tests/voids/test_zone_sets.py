import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.voids.watershed import ZoneLinks, ZoneMap
from armillary.voids.zone_sets import Borders, Moments, ZoneSets


def some_sets(rng, k, v):
    """Sets that overlap and nest, the first of each its core."""
    drawn = [rng.permutation(k)[: rng.integers(1, k + 1)] for _ in range(v)]
    return drawn, ZoneSets(np.concatenate(drawn), np.array([len(zones) for zones in drawn]))


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 12), v=st.integers(1, 8))
@settings(max_examples=100)
def test_sets_end_to_end_are_the_sets(seed, k, v):
    rng = np.random.default_rng(seed)
    drawn, sets = some_sets(rng, k, v)
    keep = rng.random(v) < 0.5
    assert [zones.tolist() for zones in sets] == [zones.tolist() for zones in drawn]
    assert [zones.tolist() for zones in sets.kept(keep)] == [z.tolist() for z, kept in zip(drawn, keep, strict=True) if kept]
    value = rng.integers(100, size=k)
    assert sets.total(value[sets.zones]).tolist() == [int(value[zones].sum()) for zones in drawn]
    part = value[sets.zones] > 50
    part[sets.start] = True
    assert [z.tolist() for z in sets.where(part)] == [
        [zone for place, zone in enumerate(zones.tolist()) if place == 0 or value[zone] > 50] for zones in drawn
    ]
    first, last = sets.holders(k)
    for zone in range(k):
        holding = [void for void, zones in enumerate(drawn) if zone in zones]
        assert (first[zone], last[zone]) == ((holding[0], holding[-1]) if holding else (-1, -1))


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 12), v=st.integers(1, 8))
@settings(max_examples=100)
def test_borders_are_the_links_that_leave_the_set(seed, k, v):
    rng = np.random.default_rng(seed)
    drawn, sets = some_sets(rng, k, v)
    pairs = np.array([(a, b) for a in range(k) for b in range(a + 1, k + 1) if rng.random() < 0.5], dtype=np.int64)
    first, second = pairs.reshape(-1, 2).T
    area = rng.random(len(first))
    total, edge = Borders(ZoneLinks(first, second, np.zeros(len(first)), area), k).areas(sets)
    for void, zones in enumerate(drawn):
        one, other = np.isin(first, zones), np.isin(second, zones)
        np.testing.assert_allclose(total[void], area[one != other].sum(), atol=1e-12)
        np.testing.assert_allclose(edge[void], area[one & (second == k)].sum(), atol=1e-12)


def test_moments_of_a_set_are_those_of_its_cells():
    """Summed zone by zone about each core, against all cells of the set at once."""
    rng = np.random.default_rng(5)
    xyz, volume, zone = rng.normal(200.0, 9.0, (500, 3)), rng.random(500), rng.integers(-1, 6, 500)
    core = np.array([np.flatnonzero(zone == z)[0] for z in range(6)])
    zones = ZoneMap(zone, np.zeros(500, dtype=np.int64), core, np.zeros(500, dtype=bool))
    drawn, sets = some_sets(rng, 6, 5)
    moments = Moments(xyz, volume, zones, None)
    centre = moments.centres(sets)
    axes = moments.axes(sets, centre)
    for void, members in enumerate(drawn):
        cells = np.isin(zone, members)
        weight = volume[cells]
        np.testing.assert_allclose(moments.volumes(sets)[void], weight.sum())
        np.testing.assert_allclose(centre[void], np.average(xyz[cells], axis=0, weights=weight))
        covariance = np.cov(xyz[cells].T, aweights=weight, ddof=0)
        np.testing.assert_allclose(axes[void].T @ axes[void], 5.0 * covariance, rtol=1e-8, atol=1e-8)


def test_a_set_across_a_periodic_face_is_in_one_piece():
    xyz = np.array([[1.0, 5.0, 5.0], [9.0, 5.0, 5.0], [8.0, 5.0, 5.0]])
    zones = ZoneMap(np.array([0, 0, 1]), np.zeros(3, dtype=np.int64), np.array([0, 2]), np.zeros(3, dtype=bool))
    sets = ZoneSets(np.array([0, 1]), np.array([2]))
    centre = Moments(xyz, np.ones(3), zones, np.full(3, 10.0)).centres(sets)
    np.testing.assert_allclose(centre, [[-2.0 / 3.0, 5.0, 5.0]])
