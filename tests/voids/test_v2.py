import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, cKDTree

from armillary.cosmology import Cosmology
from armillary.errors import OptionError
from armillary.model import BoxRegion, GalaxyCatalog, MembershipCode
from armillary.voids import V2
from armillary.voids.v2 import PRUNINGS, significance

from .conftest import clustered_box

PERIODIC = BoxRegion((0.0,) * 3, (60.0,) * 3, periodic=True)
BOX = BoxRegion((0.0,) * 3, (60.0,) * 3)
SMALL = V2(min_radius=3.0)


@pytest.fixture(scope="module")
def gadget_voids(gadget):
    return V2().find(gadget, box=BoxRegion((-50.0,) * 3, (50.0,) * 3))


@pytest.mark.parametrize(("method", "count"), [("vide", 17), ("zobov", 23), ("revolver", 23)])
def test_the_gadget_box_is_that_of_the_reference(gadget_voids, shared, method, count):
    """VAST on its own example: zone by zone and void by void."""
    found = gadget_voids[method]
    with fits.open(shared(f"reference/voids/v2_gadget_box/GADGET_V2_{method.upper()}_Output.fits")) as reference:
        voids, galaxies, zones = reference["VOIDS"].data, reference["GALZONE"].data, reference["ZONEVOID"].data
    assert len(found) == count == len(voids)
    theirs = np.argsort(voids["radius"])
    ours = np.argsort(found.radius)
    np.testing.assert_allclose(found.radius[ours], voids["radius"][theirs], rtol=1e-6)
    np.testing.assert_allclose(
        found.centre[ours], np.c_[voids["x"], voids["y"], voids["z"]][theirs], atol=1e-6
    )
    assert (found.edge == 1).all()
    # Zones are the same sets of galaxies. The reference counts the edge cells as one more, last zone: 59 for our 58.
    zone = np.empty(len(galaxies), dtype=int)
    zone[found.zones.galaxy] = found.zones.zone
    np.testing.assert_array_equal(zone, np.where(galaxies["edge"] == 1, -1, galaxies["zone"]))
    depth = np.empty(len(galaxies), dtype=int)
    depth[found.zones.galaxy] = found.zones.depth
    np.testing.assert_array_equal(depth, galaxies["depth"])
    assert len(zones) == len(found.zones) + 1
    np.testing.assert_array_equal(found.zones.void0, zones["void0"][:-1])
    np.testing.assert_array_equal(found.zones.void1, zones["void1"][:-1])


@pytest.mark.slow
def test_sdss_dr7_counts_are_those_of_vast(dr7):
    found = V2(z_max=0.1).find(dr7, mask="healpix:32", cosmo=Cosmology(0.3))
    assert found["vide"].parameters["tracers"] == 100_502
    assert {len(catalogue.zones) for catalogue in found.values()} == {619}
    assert [len(found[method]) for method in PRUNINGS] == [321, 437, 437]
    assert found["zobov"].radius.max() == pytest.approx(155.4, abs=0.05)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(60, 400))
@settings(max_examples=20)
def test_the_order_of_galaxies_changes_nothing(seed, n):
    xyz = clustered_box(seed, n)
    order = np.random.default_rng(seed).permutation(n)
    one = SMALL.find(GalaxyCatalog.from_positions(xyz), box=BOX)
    other = SMALL.find(GalaxyCatalog.from_positions(xyz[order]), box=BOX)
    for method in PRUNINGS:
        np.testing.assert_array_equal(one[method].radius, other[method].radius)
        np.testing.assert_array_equal(one[method].centre, other[method].centre)
        np.testing.assert_array_equal(one[method].membership.zone[order], other[method].membership.zone)
        np.testing.assert_array_equal(one[method].membership.code[order], other[method].membership.code)


@given(seed=st.integers(0, 2**32 - 1), axis=st.integers(0, 2))
@settings(max_examples=20)
def test_a_quarter_turn_changes_nothing(seed, axis):
    xyz = clustered_box(seed, 300) - 30.0
    quarter = np.roll(np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), axis, axis=(0, 1))
    box = BoxRegion((-30.0,) * 3, (30.0,) * 3)
    one = SMALL.find(GalaxyCatalog.from_positions(xyz), box=box)
    other = SMALL.find(GalaxyCatalog.from_positions(xyz @ quarter.T), box=box)
    assert_same_up_to(one, other, lambda centre: centre @ quarter.T)


@given(seed=st.integers(0, 2**32 - 1), shift=st.tuples(*[st.floats(0.0, 60.0)] * 3))
@settings(max_examples=15)
def test_a_wrapped_shift_leaves_periodic_voids_alone(seed, shift):
    xyz = clustered_box(seed, 300)
    one = SMALL.find(GalaxyCatalog.from_positions(xyz), box=PERIODIC)
    other = SMALL.find(GalaxyCatalog.from_positions((xyz + shift) % 60.0), box=PERIODIC)
    assert_same_up_to(one, other, lambda centre: (centre + shift) % 60.0, boxsize=60.0)
    assert all((catalogue.edge == 0).all() for catalogue in one.values())


def assert_same_up_to(one, other, move, boxsize=None):
    for method in PRUNINGS:
        a, b = one[method], other[method]
        assert len(a) == len(b)
        if not len(a):
            continue
        # The same radii, and at the moved centre of each void one of that radius (ZOBOV voids may share a centre).
        np.testing.assert_allclose(np.sort(a.radius), np.sort(b.radius), rtol=1e-7)
        proper = np.arange(len(a)) != a.parameters.get("root_void", -1)
        target = move(a.centre[proper]) if boxsize is None else np.mod(move(a.centre[proper]), boxsize)
        tree = cKDTree(np.mod(b.centre, boxsize) if boxsize else b.centre, boxsize=boxsize)
        close = tree.query_ball_point(target, 1e-5)
        for radius, rows in zip(a.radius[proper], close, strict=True):
            assert np.isclose(b.radius[rows], radius, rtol=1e-7).any()


def test_planted_voids_are_found():
    """Two empty balls. The deeper one is the core of ZOBOV's all-embracing void, which is not one of the others."""
    rng = np.random.default_rng(8)
    xyz = rng.random((6000, 3)) * 60.0
    centres = np.array([[20.0, 20.0, 22.0], [42.0, 40.0, 38.0]])
    for centre, radius in zip(centres, (13.0, 11.0), strict=True):
        xyz = xyz[(np.linalg.norm(xyz - centre, axis=1) > radius) | (rng.random(len(xyz)) < 0.02)]
    found = V2(min_radius=8.0).find(GalaxyCatalog.from_positions(xyz), box=BOX)
    for method in PRUNINGS:
        proper = np.arange(len(found[method])) != found[method].parameters.get("root_void", -1)
        distance = cKDTree(found[method].centre[proper]).query(centres)[0]
        assert (np.sort(distance)[: 1 if method == "zobov" else 2] < 4.0).all(), method


def test_zones_are_basins(box_galaxies, box):
    """Every galaxy climbs to the core of its zone through ever larger cells."""
    shed = SMALL.watershed(box_galaxies, box=box)
    indptr, indices = shed.tessellation.neighbours
    for core in shed.zones.core:
        assert shed.volume[core] >= shed.volume[indices[indptr[core] : indptr[core + 1]]].max()
    members = np.flatnonzero((shed.zones.zone >= 0) & (shed.zones.depth > 0))
    for i in members[::7]:
        around = indices[indptr[i] : indptr[i + 1]]
        best = around[np.argmax(shed.volume[around])]
        assert shed.zones.zone[best] == shed.zones.zone[i]
        assert shed.zones.depth[best] == shed.zones.depth[i] - 1


def test_links_are_the_highest_passes(box_galaxies, box):
    shed = SMALL.watershed(box_galaxies, box=box)
    indptr, indices = shed.tessellation.neighbours
    zone, volume, k = shed.zones.zone, shed.volume, len(shed.zones.core)
    best: dict[tuple[int, int], float] = {}
    for i in range(len(zone)):
        for j in indices[indptr[i] : indptr[i + 1]]:
            if 0 <= zone[i] < zone[j]:
                pair = (int(zone[i]), int(zone[j]))
                best[pair] = max(best.get(pair, 0.0), min(volume[i], volume[j]))
    links = shed.links
    ours = {(int(a), int(b)): s for a, b, s in zip(links.first, links.second, links.saddle, strict=True) if b < k}
    assert ours == best


def test_the_hierarchy_nests(box_galaxies, box):
    """Any two voids of the hierarchy are disjoint or one holds the other, and the last holds all."""
    hierarchy = SMALL.watershed(box_galaxies, box=box).hierarchy
    floods = [set(zones.tolist()) for zones in hierarchy.sets]
    k = len(set().union(*floods))
    assert floods[-1] == set(range(k))
    # Every zone is the core of exactly one void.
    assert sorted(hierarchy.sets.zones[hierarchy.sets.start].tolist()) == list(range(k))
    # Passes come from the highest down, also within each void, and none is higher than the cores it joins.
    assert (np.diff(hierarchy.saddle) <= 0.0).all()
    for joined, core in zip(np.split(hierarchy.joined, hierarchy.sets.start[1:]), hierarchy.core_volume, strict=True):
        assert joined[0] == core
        assert (np.diff(joined) <= 0.0).all()
    for i, one in enumerate(floods):
        for other in floods[i + 1 :]:
            assert one <= other or not one & other


def test_boundary_areas_are_those_of_the_polygons(box_galaxies, box):
    """Signed areas from tetrahedra against the triangles of the surface, whose polygons come from sorted angles."""
    found = V2(min_radius=5.0, surfaces=True).find(box_galaxies, box=box)["revolver"]
    surface = found.zones.surface
    a, b, c = surface.vertices.transpose(1, 0, 2)
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    total = np.bincount(surface.void, weights=area, minlength=len(found))
    assert len(found) > 10
    np.testing.assert_allclose(found.zones.total_area, total, rtol=1e-7)
    assert (found.zones.edge_area <= found.zones.total_area * (1.0 + 1e-12)).all()
    np.testing.assert_array_equal(found.zones.edge_area > 0.0, found.edge == 1)


@pytest.mark.parametrize("region", [BOX, PERIODIC], ids=["box", "periodic"])
def test_surfaces_close_around_the_volume(box_galaxies, region):
    """Gauss: the flux of the position through a closed, outward surface is three times the volume."""
    found = V2(min_radius=5.0, prunings=["revolver"], surfaces=True).find(box_galaxies, box=region)["revolver"]
    surface = found.zones.surface
    for void in range(len(found)):
        vertices = surface.vertices[surface.void == void]
        normal = np.cross(vertices[:, 1] - vertices[:, 0], vertices[:, 2] - vertices[:, 0]) / 2.0
        assert (np.einsum("ij,ij->i", normal, surface.normal[surface.void == void]) > -1e-9).all()
        if region.periodic and np.ptp(vertices.reshape(-1, 3), axis=0).max() > 30.0:
            continue  # longer than half the box: pieces may be drawn around different images
        volume = np.einsum("ij,ij->", normal, vertices.mean(axis=1)) / 3.0
        assert volume == pytest.approx(4.0 / 3.0 * np.pi * found.radius[void] ** 3, rel=1e-7)


def test_axes_are_principal_and_about_the_void_itself():
    """Axes are orthogonal, longest first, and taken about each void's own centre: a far shift leaves them alone."""
    rng = np.random.default_rng(3)
    found = V2(min_radius=6.0).find(GalaxyCatalog.from_positions(clustered_box(4, 1500)), box=BOX)["revolver"]
    lengths = np.linalg.norm(found.zones.axes, axis=2)
    assert (np.diff(lengths, axis=1) <= 1e-9).all()
    for axes in found.zones.axes:
        unit = axes / np.linalg.norm(axes, axis=1)[:, None]
        np.testing.assert_allclose(unit @ unit.T, np.eye(3), atol=1e-8)
    shift = rng.normal(0.0, 500.0, 3)
    low = shift
    moved = V2(min_radius=6.0).find(
        GalaxyCatalog.from_positions(clustered_box(4, 1500) + shift),
        box=BoxRegion(tuple(low.tolist()), tuple((low + 60.0).tolist())),
    )["revolver"]
    np.testing.assert_allclose(np.sort(np.linalg.norm(moved.zones.axes, axis=2), axis=0), np.sort(lengths, axis=0), rtol=1e-6)


def test_a_void_across_ra_zero_is_the_same_void(cap):
    """Turned by a quarter turn, under which HEALPix masks are the same, a survey has the same voids."""
    finder = V2(min_radius=8.0)
    one = finder.find(cap, mask="healpix:8")
    other = finder.find(GalaxyCatalog.from_sky(cap.ra + 90.0, cap.dec, cap.z), mask="healpix:8")
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert len(one["revolver"]) > 10
    assert_same_up_to(one, other, lambda centre: centre @ quarter.T)


def test_membership_follows_the_zones(gadget_voids):
    for method, found in gadget_voids.items():
        membership, zones = found.membership, found.zones
        zone = np.empty(len(membership), dtype=int)
        zone[zones.galaxy] = zones.zone
        np.testing.assert_array_equal(membership.zone, zone)
        in_void = (zone >= 0) & (zones.void0[zone] >= 0) & (zones.void0[zone] != found.parameters.get("root_void", -1))
        np.testing.assert_array_equal(membership.code == MembershipCode.VOID, in_void, err_msg=method)
        np.testing.assert_array_equal((membership.code == MembershipCode.NEAR_EDGE), zone < 0)


def test_zones_of_galaxies_are_the_same_for_every_pruning(cap):
    """Also of galaxies beyond the limits, which have none unless they lie inside the region."""
    found = V2(z_max=0.045, min_radius=7.0).find(cap, mask="healpix:8")
    zones = [catalogue.membership.zone for catalogue in found.values()]
    np.testing.assert_array_equal(zones[0], zones[1])
    np.testing.assert_array_equal(zones[0], zones[2])
    outside = ~found["vide"].region.contains(cap.positions(Cosmology()))
    assert (zones[0][outside & ~found["vide"].membership.tracer] == -1).all()


def test_the_void_that_takes_everything_does_not_count(gadget_voids):
    found = gadget_voids["zobov"]
    root = found.parameters["root_void"]
    assert found.radius[root] == found.radius.max()
    assert (found.zones.void1 == root).all()
    assert (found.membership.void != root).all()


def test_significance_matches_the_published_levels():
    """Neyrinck (2008): density contrasts 1.22, 1.57 and 2.0 are about 1, 2 and 3 sigma."""
    assert significance(1.0) == pytest.approx(0.0, abs=1e-9)
    assert significance(1.22) == pytest.approx(1.0, abs=0.05)
    assert significance(1.57) == pytest.approx(2.0, abs=0.05)
    assert significance(2.0) == pytest.approx(2.85, abs=0.2)


def test_significance_prunes(gadget):
    box = BoxRegion((-50.0,) * 3, (50.0,) * 3)
    all_voids = V2(prunings=["zobov"]).find(gadget, box=box)["zobov"]
    strong = V2(prunings=["zobov"], zobov_significance=2.0).find(gadget, box=box)["zobov"]
    assert 0 < len(strong) < len(all_voids)
    assert set(strong.radius.tolist()) <= set(all_voids.radius.tolist())


def test_edge_cells_are_those_with_a_vertex_outside(box_galaxies, box):
    shed = SMALL.watershed(box_galaxies, box=box)
    tessellation = shed.tessellation
    for i in np.flatnonzero(~tessellation.unbounded)[::11]:
        mine = tessellation.circumcentres[(tessellation.tetrahedra == i).any(axis=1)]
        assert (shed.volume[i] == 0.0) == (not box.contains(mine).all())
        if shed.volume[i] > 0.0:
            assert shed.volume[i] == pytest.approx(ConvexHull(mine).volume, rel=1e-6)


def test_unknown_prunings_are_refused():
    with pytest.raises(OptionError, match="prunings"):
        V2(prunings=["watershed"])
    with pytest.raises(OptionError, match="expected a list"):
        V2(prunings="vide")
