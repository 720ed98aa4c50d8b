import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay, cKDTree

from armillary.cosmology import Cosmology
from armillary.errors import CoordinateError, OptionError
from armillary.model import BoxRegion, GalaxyCatalog, MembershipCode
from armillary.voids import VoidFinder
from armillary.voids.voidfinder import wall_galaxies

from .conftest import clustered_box

SMALL = VoidFinder(cell=3.0, min_radius=5.0)
BOX = BoxRegion((0.0,) * 3, (60.0,) * 3)
PERIODIC = dataclasses.replace(BOX, periodic=True)


def find(xyz, box=BOX, finder=SMALL, **options):
    return finder.find(GalaxyCatalog.from_positions(xyz), box=box, **options)


def assert_same_voids(one, other):
    for name in ("centre", "radius", "r_eff", "edge"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.holes.centre, other.holes.centre)
    np.testing.assert_array_equal(one.holes.void, other.holes.void)


def test_the_gadget_box_is_that_of_the_reference(gadget, shared):
    """VAST 1.6.0 (the four-galaxy rule) on its own example: every sphere, to rounding."""
    found = VoidFinder().find(gadget, box=BoxRegion((-50.0,) * 3, (50.0,) * 3))
    with fits.open(
        shared("reference/voids/voidfinder_gadget_box/Gadget_100_256_VoidFinder_Output.fits")
    ) as reference:
        maximals, holes = reference["MAXIMALS"].data, reference["HOLES"].data
    assert (found.parameters["wall_galaxies"], found.parameters["field_galaxies"]) == (6911, 749)
    assert (len(found), len(found.holes)) == (48, 1297)
    np.testing.assert_allclose(found.centre, np.c_[maximals["x"], maximals["y"], maximals["z"]], atol=1e-6)
    np.testing.assert_allclose(found.radius, maximals["radius"], atol=1e-6)
    np.testing.assert_array_equal(found.edge, maximals["edge"])
    distance, match = cKDTree(found.holes.centre).query(np.c_[holes["x"], holes["y"], holes["z"]])
    assert distance.max() < 1e-6
    assert np.unique(match).size == 1297
    np.testing.assert_allclose(found.holes.radius[match], holes["radius"], atol=1e-6)
    np.testing.assert_array_equal(found.holes.void[match], holes["void"])


def test_effective_radii_are_those_of_a_monte_carlo(gadget, shared):
    """Against random points of our own, within their errors, and against the coarser Monte Carlo of the reference."""
    found = VoidFinder().find(gadget, box=BoxRegion((-50.0,) * 3, (50.0,) * 3))
    reference = np.load(shared("reference/voids/voidfinder_gadget_box/Gadget_100_256_VoidFinder_Output_reff_mc.npy"))
    assert np.abs(found.r_eff - reference).max() < 0.15
    assert found.r_eff_uncertainty.max() < 0.03
    rng, draws, deviation = np.random.default_rng(1), 200_000, []
    for void in range(0, len(found), 4):
        mine = found.holes.void == void
        centre, radius = found.holes.centre[mine], found.holes.radius[mine]
        low, high = (centre - radius[:, None]).min(axis=0), (centre + radius[:, None]).max(axis=0)
        points = low + rng.random((draws, 3)) * (high - low)
        inside = np.zeros(draws, dtype=bool)
        for c, r in zip(centre, radius, strict=True):
            inside |= ((points - c) ** 2).sum(axis=1) < r * r
        share = inside.mean()
        volume = share * np.prod(high - low)
        sigma = np.hypot(np.sqrt((1.0 - share) / (share * draws)), 3.0 * found.r_eff_uncertainty[void] / found.r_eff[void])
        deviation.append((4.0 / 3.0 * np.pi * found.r_eff[void] ** 3 / volume - 1.0) / sigma)
    assert np.abs(deviation).max() < 4.0
    assert np.abs(np.mean(deviation)) < 4.0 / np.sqrt(len(deviation))


@pytest.mark.slow
def test_sdss_dr7_counts_are_those_of_vast(dr7):
    found = VoidFinder(z_max=0.1026).find(dr7, mask="vast", cosmo=Cosmology(0.26))
    assert found.parameters["tracers"] == 107_490
    assert found.parameters["wall_galaxies"] == 98_421
    assert found.region.mask.cells.sum() == 8_903
    assert (len(found), len(found.holes)) == (897, 29_483)
    code = found.membership.code[found.membership.tracer]
    # No wall galaxy lies in a hole: the void fraction of the tracers is at most the field fraction.
    assert 5000 < (code == MembershipCode.VOID).sum() <= found.parameters["field_galaxies"]


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(60, 500), periodic=st.booleans())
@settings(max_examples=30)
def test_no_wall_galaxy_lies_in_a_hole_and_every_hole_touches_four(seed, n, periodic):
    xyz = clustered_box(seed, n)
    found = find(xyz, PERIODIC if periodic else BOX)
    wall = xyz[found.membership.wall == 1]
    tree = cKDTree(wall, boxsize=60.0 if periodic else None)
    if len(found.holes):
        nearest = tree.query(found.holes.centre, k=4)[0]
        np.testing.assert_allclose(nearest, found.holes.radius[:, None] * np.ones(4), rtol=1e-9)
        assert (found.membership.wall[found.holes.touching] == 1).all()
        # Not even by rounding does a galaxy on the surface count as inside.
        assert (found.membership.code[found.membership.wall == 1] != MembershipCode.VOID).all()


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(60, 400), periodic=st.booleans())
@settings(max_examples=20)
def test_the_order_of_galaxies_changes_nothing(seed, n, periodic):
    xyz = clustered_box(seed, n)
    order = np.random.default_rng(seed).permutation(n)
    box = PERIODIC if periodic else BOX
    one, other = find(xyz, box), find(xyz[order], box)
    assert_same_voids(one, other)
    np.testing.assert_array_equal(one.membership.code[order], other.membership.code)
    np.testing.assert_array_equal(one.membership.void[order], other.membership.void)
    np.testing.assert_array_equal(one.membership.centre_distance[order], other.membership.centre_distance)


@pytest.mark.parametrize("jitter", [0.0, 1e-13, 1e-9])
def test_many_galaxies_on_one_sphere_stop_it(jitter):
    """On a lattice more than four galaxies lie on most spheres: none of them may end up inside."""
    rng = np.random.default_rng(0)
    axis = np.arange(0.0, 60.1, 5.0)
    xyz = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    xyz = xyz[np.linalg.norm(xyz - [25.0, 30.0, 35.0], axis=1) > 14.0]
    xyz = np.concatenate((xyz, rng.uniform(0.0, 60.0, (15, 3)))) + jitter * rng.normal(size=(len(xyz) + 15, 3))
    box = BoxRegion((-2.5,) * 3, (62.5,) * 3)
    found = find(xyz, box, VoidFinder(wall_sigma=10.0, min_radius=6.0))
    assert len(found) > 0
    distance, _ = cKDTree(xyz).query(found.holes.centre)
    np.testing.assert_allclose(distance, found.holes.radius, rtol=1e-6)


def test_holes_are_circumspheres_of_the_delaunay_tessellation(box_galaxies, box):
    found = SMALL.find(box_galaxies, box=box)
    wall = np.flatnonzero(found.membership.wall == 1)
    simplices = {tuple(sorted(wall[row])) for row in Delaunay(box_galaxies.xyz[wall]).simplices}
    assert len(found.holes) > 100
    assert {tuple(sorted(row)) for row in found.holes.touching.tolist()} <= simplices


def test_workers_change_nothing(box_galaxies, box):
    assert_same_voids(SMALL.find(box_galaxies, box=box), SMALL.find(box_galaxies, box=box, workers=3))


def test_a_planted_void_is_found():
    """Galaxies everywhere but in one sphere of radius 12."""
    rng = np.random.default_rng(8)
    xyz = rng.random((9000, 3)) * 60.0
    xyz = xyz[np.linalg.norm(xyz - [25.0, 35.0, 30.0], axis=1) > 12.0]
    found = find(xyz, finder=VoidFinder(cell=3.0))
    assert len(found) == 1
    assert np.linalg.norm(found.centre[0] - [25.0, 35.0, 30.0]) < 1.5
    assert found.radius[0] == pytest.approx(12.0, abs=1.5)
    assert found.edge[0] == 0


def test_periodic_voids_move_with_the_galaxies():
    """A shift by whole search cells, across the boundary: the same voids, shifted."""
    xyz = clustered_box(3, 800)
    one, other = find(xyz, PERIODIC), find((xyz + [30.0, 0.0, 15.0]) % 60.0, PERIODIC)
    assert len(one) == len(other) > 5
    np.testing.assert_allclose(np.sort(one.radius), np.sort(other.radius), rtol=1e-9)
    distance, _ = cKDTree(other.centre, boxsize=60.0).query((one.centre + [30.0, 0.0, 15.0]) % 60.0)
    assert distance.max() < 1e-6
    assert (one.edge == 0).all()


def test_voids_do_not_stop_at_ra_zero(cap):
    """Some voids lie across ra 0, and are not at the edge there; the sky turned by half a turn is searched as well."""
    turned = GalaxyCatalog.from_sky(cap.ra + 180.0, cap.dec, cap.z)
    finder = VoidFinder(min_radius=8.0)
    one, other = finder.find(cap, mask="healpix:8"), finder.find(turned, mask="healpix:8")
    # The search grid is not turned with the sky, so not every sphere is found from both.
    assert np.cbrt((one.radius**3).sum()) == pytest.approx(np.cbrt((other.radius**3).sum()), rel=0.15)
    assert one.region.volume == pytest.approx(other.region.volume)
    across = np.abs((one.sky()[0] + 180.0) % 360.0 - 180.0) < np.degrees(one.radius / one.sky()[2])
    assert across.any()
    assert (one.edge[across] != 1).any()


def test_the_converged_mask_cut_agrees_with_the_coarse_one(cap):
    coarse, converged = VoidFinder().find(cap), VoidFinder(mesh_density=None).find(cap)
    assert len(converged) == pytest.approx(len(coarse), abs=0.1 * len(coarse) + 2)


def test_membership_codes_say_what_they_mean(cap):
    found = VoidFinder(z_max=0.045, min_radius=7.0).find(cap, mask="healpix:8")
    membership = found.membership
    xyz = cap.positions(Cosmology())
    separation = np.linalg.norm(xyz[:, None] - found.holes.centre[None], axis=2)
    in_hole = (separation < found.holes.radius * (1.0 - 1e-8)).any(axis=1)
    np.testing.assert_array_equal(in_hole, membership.code == MembershipCode.VOID)
    outside = ~found.region.contains(xyz) & ~in_hole
    np.testing.assert_array_equal(outside, membership.code == MembershipCode.OUTSIDE)
    assert (~membership.tracer == (np.asarray(cap.z) > 0.045)).all()
    assert set(membership.code.tolist()) == {0, 1, 2, 9}
    nearest = (np.linalg.norm(xyz[:, None] - found.centre[None], axis=2) / found.r_eff).min(axis=1)
    np.testing.assert_allclose(membership.centre_distance, nearest, rtol=1e-12)


def test_wall_galaxies_follow_the_definition():
    xyz = clustered_box(1, 300)
    d3 = np.sort(np.linalg.norm(xyz[:, None] - xyz[None], axis=2), axis=1)[:, 3]
    np.testing.assert_array_equal(wall_galaxies(xyz, 3, 1.5), d3 < d3.mean() + 1.5 * d3.std())


def test_no_void_is_an_answer():
    found = find(np.random.default_rng(0).random((500, 3)) * 60.0, finder=VoidFinder(min_radius=40.0))
    assert len(found) == len(found.holes) == 0
    assert (found.membership.code != MembershipCode.VOID).all()
    assert np.isinf(found.membership.centre_distance).all()


def test_progress_runs_from_nothing_to_all(box_galaxies, box):
    heard = []
    SMALL.find(box_galaxies, box=box, progress=lambda stage, fraction: heard.append((stage, fraction)))
    stages = list(dict.fromkeys(stage for stage, _ in heard))
    assert stages == [
        "selection", "wall and field", "tessellation", "growth", "mask cut", "merging", "volumes", "membership"
    ]
    for stage in stages:
        fractions = [fraction for name, fraction in heard if name == stage]
        assert fractions == sorted(fractions)
        assert (fractions[0], fractions[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    "options",
    [
        {"cell": 0.0}, {"min_radius": -1.0}, {"mask_cut": 1.5}, {"neighbour": 0}, {"distance_precision": "half"},
        {"mesh_density": 0.0}, {"duplicate_tolerance": -0.1}, {"wall_sigma": float("nan")},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(OptionError):
        VoidFinder(**options)


def test_galaxies_in_a_plane_are_refused():
    flat = np.random.default_rng(0).random((100, 3)) * [60.0, 60.0, 0.0] + [0.0, 0.0, 30.0]
    with pytest.raises(CoordinateError, match="coplanar"):
        find(flat)
    with pytest.raises(CoordinateError, match="plane"):
        find(flat, box=None)


def test_positions_in_the_wrong_unit_are_refused_in_words():
    with pytest.raises(OptionError, match="check that positions are in Mpc/h"):
        find(np.random.default_rng(0).random((50, 3)) * 60_000.0, BoxRegion((0.0,) * 3, (60_000.0,) * 3), VoidFinder())
