"""Zones, links and the hierarchy against the definitions, spelled out plainly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.voids.tessellation import Tessellation
from armillary.voids.watershed import ZoneLinks, flood, link_zones, zones_of


def ring(volume):
    """Cells in a ring, each with two neighbours."""
    n = len(volume)
    indices = np.array([[(i - 1) % n, (i + 1) % n] for i in range(n)]).ravel()
    return np.arange(0, 2 * n + 1, 2), indices.astype(np.int32), np.arange(n, dtype=np.int32)


@given(st.lists(st.integers(0, 6), min_size=3, max_size=60))
@settings(max_examples=200)
def test_every_cell_follows_its_largest_neighbour(sizes):
    """Ties, which here are everywhere, go to the cell that comes first; cells of volume 0 belong to nothing."""
    volume = np.array(sizes, dtype=float)
    found = zones_of(volume, *ring(volume))
    n = len(volume)
    rank = sorted(range(n), key=lambda i: (-volume[i], i))
    order = {cell: place for place, cell in enumerate(rank)}
    cores = []
    for cell in rank:
        around = [(cell - 1) % n, (cell + 1) % n]
        if volume[cell] == 0.0:
            assert found.zone[cell] == -1
            assert found.depth[cell] == 0
            assert not found.near_edge[cell]
            continue
        assert found.near_edge[cell] == any(volume[i] == 0.0 for i in around)
        best = min([cell, *around], key=order.__getitem__)
        if best == cell:
            assert found.zone[cell] == len(cores)
            assert found.depth[cell] == 0
            cores.append(cell)
        else:
            assert found.zone[cell] == found.zone[best]
            assert found.depth[cell] == found.depth[best] + 1
    assert found.core.tolist() == cores


def plain_flood(links, core):
    """Groups as sets, from the highest saddle down; all that meet at one saddle flow into the deepest at once."""
    k, groups, recorded = len(core), {z: {z} for z in range(len(core))}, []
    real = links.second < k
    pairs = list(zip(links.first[real].tolist(), links.second[real].tolist(), links.saddle[real].tolist(), strict=True))
    for level in sorted({saddle for _, _, saddle in pairs}, reverse=True):
        touched = {z for a, b, saddle in pairs if saddle == level for z in (a, b)}
        meeting = sorted(g for g, zones in groups.items() if zones & touched)
        if len(meeting) > 1:
            recorded += [(frozenset(groups[g]), level) for g in meeting[1:]]
            groups[meeting[0]] = set().union(*(groups.pop(g) for g in meeting))
    left = sorted(groups)
    recorded += [(frozenset(groups[g]), 0.0) for g in left[1:]]
    return [*recorded, (frozenset(range(k)), 0.0)]


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 25), levels=st.integers(1, 40))
@settings(max_examples=200)
def test_the_hierarchy_is_that_of_its_definition(seed, k, levels):
    """With few levels many links tie; some zones are linked to nothing, and some to the cells without a zone."""
    rng = np.random.default_rng(seed)
    pairs = np.array([(a, b) for a in range(k) for b in range(a + 1, k + 1) if rng.random() < 0.2], dtype=np.int64)
    first, second = pairs.reshape(-1, 2).T
    saddle = np.where(second == k, 0.0, 1.0 + rng.integers(levels, size=len(first)))
    core = np.sort(levels + 1.0 + rng.random(k))[::-1]
    found = flood(ZoneLinks(first, second, saddle, np.zeros(len(first))), core)
    expected = plain_flood(ZoneLinks(first, second, saddle, np.zeros(len(first))), core)
    assert [frozenset(zones.tolist()) for zones in found.sets] == [zones for zones, _ in expected]
    assert found.saddle.tolist() == [level for _, level in expected]
    assert found.core_volume.tolist() == [core[min(zones)] for zones, _ in expected]
    assert (found.joined[found.sets.start] == found.core_volume).all()


def test_nothing_has_no_hierarchy():
    none = np.empty(0, dtype=np.int64)
    found = flood(ZoneLinks(none, none, np.empty(0), np.empty(0)), np.empty(0))
    assert len(found.sets) == len(list(found.sets)) == 0


def test_many_zones_fit_the_table_of_links():
    """Nearly every cell its own zone: the table has to grow, and every pair is there once, in order."""
    points = np.random.default_rng(6).random((3000, 3))
    tessellation = Tessellation.of(points)
    volume = np.random.default_rng(7).random(len(points)) + 1.0
    indptr, indices = tessellation.neighbours
    zones = zones_of(volume, indptr, indices, tessellation.origin)
    links = link_zones(volume, zones, indptr, indices, tessellation.origin, tessellation.facet_areas)
    label = zones.zone
    pairs = {
        tuple(sorted((int(label[i]), int(label[j]))))
        for i in range(len(points)) for j in indices[indptr[i] : indptr[i + 1]] if label[i] != label[j]
    }
    assert list(zip(links.first.tolist(), links.second.tolist(), strict=True)) == sorted(pairs)
