"""Slices against circles, wedges and cells that are known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.cosmology import Cosmology, sky_to_cartesian
from armillary.errors import InputError, OptionError
from armillary.model import BoxRegion, HealpixMask, Holes, Membership, SurveyRegion, VoidCatalog, Zones
from armillary.voids.cuts import ConeCut, PlaneCut
from armillary.voids.slices import middle_cut, slice_each, slice_voids

BOX = BoxRegion((0.0, 0.0, 0.0), (100.0, 100.0, 100.0))


def spheres(centre, radius, void=None, **more):
    centre, radius = np.asarray(centre, float), np.asarray(radius, float)
    void = np.arange(len(radius)) if void is None else np.asarray(void)
    n = void.max() + 1
    first = [int(np.flatnonzero(void == v)[0]) for v in range(n)]
    more = {"region": BOX, **more}
    return VoidCatalog("voidfinder", centre[first], radius[first], radius[first], np.zeros(n),
                       np.arange(n) % 3, holes=Holes(centre, radius, void), **more)


def lattice_zones(void0, step=10.0, region=BOX):
    """Voronoi cells are cubes; the zone of a cube is its place along x."""
    axis = np.arange(5.0, 100.0, step)
    xyz = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    zone = (xyz[:, 0] // step).astype(np.int64)
    n, voids = len(xyz), max(void0) + 1
    void0 = np.asarray(void0)
    zones = Zones(void0, void0, np.arange(n), xyz, zone, np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool),
                  np.zeros(n, dtype=bool))
    return VoidCatalog("vide", np.full((voids, 3), 50.0), np.full(voids, 20.0), np.full(voids, 20.0), np.zeros(voids),
                       np.zeros(voids, dtype=np.int64), region=region, zones=zones)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("height", [0.0, 6.0, -9.0])
def test_a_plane_cuts_a_sphere_in_the_circle_it_should(axis, height):
    slice_ = slice_voids(spheres([[50, 45, 55]], [15.0]), PlaneCut(axis, (50, 45, 55)[axis] + height))
    (outline,) = slice_.outlines
    centre = np.delete([50, 45, 55], axis)
    circle = np.sqrt(225.0 - height**2)
    assert np.hypot(*(outline - centre).T) == pytest.approx(circle, abs=0.01)
    assert slice_.void_area == pytest.approx(np.pi * circle**2, rel=1e-3)


def test_a_plane_that_misses_a_sphere_shows_nothing_of_it():
    slice_ = slice_voids(spheres([[50, 50, 50], [20, 20, 80]], [10.0, 12.0]), PlaneCut(2, 50.0))
    assert slice_.outline_void.tolist() == [0]
    assert slice_.outline_edge.tolist() == [0]


def test_overlapping_holes_of_a_void_share_one_outline_and_two_voids_have_two():
    centre, radius = [[40, 50, 50], [50, 50, 50], [75, 50, 50]], [12.0, 10.0, 9.0]
    slice_ = slice_voids(spheres(centre, radius, [0, 0, 1]), PlaneCut(2, 50.0))
    assert slice_.outline_void.tolist() == [0, 1]
    gap = (np.linalg.norm(slice_.outlines[0][:, None] - np.array(centre)[:2, :2], axis=2) - radius[:2]).min(axis=1)
    assert np.abs(gap).max() < 0.05


def test_an_opening_in_a_void_is_taken_off_its_area():
    angle = np.radians(np.arange(0, 360, 15))
    ring = np.column_stack([50 + 25 * np.cos(angle), 50 + 25 * np.sin(angle), np.full(angle.size, 50.0)])
    slice_ = slice_voids(spheres(ring, np.full(angle.size, 8.0), np.zeros(angle.size, dtype=int)), PlaneCut(2, 50.0))
    assert len(slice_.outlines) == 2
    places = np.stack(np.meshgrid(np.arange(0, 100, 0.25), np.arange(0, 100, 0.25)), axis=-1)[:, :, None, :]
    covered = (np.linalg.norm(places - ring[:, :2], axis=-1) < 8.0).any(axis=-1)
    assert slice_.void_area == pytest.approx(0.0625 * covered.sum(), rel=0.005)


@given(st.floats(-80, 80), st.floats(0, 360), st.floats(0.05, 1.0), st.floats(-170, 170))
def test_a_cone_unrolls_without_stretching(dec, ra, distance, turn):
    cone = ConeCut(dec, ra)
    here = sky_to_cartesian(ra + turn, dec, 1000 * distance)[None]
    flat, height = cone.project(here)
    assert height == pytest.approx(0.0, abs=1e-9)
    assert np.hypot(*flat[0]) == pytest.approx(1000 * distance)
    assert cone.embed(flat) == pytest.approx(here, abs=1e-6)
    # A short step along the cone has the same length on the page.
    there = sky_to_cartesian(ra + turn + 1e-3, dec, 1000 * distance + 0.01)[None]
    step = np.linalg.norm(cone.project(there)[0] - flat)
    assert step == pytest.approx(np.linalg.norm(there - here), rel=1e-4)


def test_beyond_the_cut_the_unrolled_cone_has_no_place():
    assert np.isnan(ConeCut(60.0, 180.0).embed([[0.0, -100.0]])).all()
    assert np.isfinite(ConeCut(0.0, 180.0).embed([[0.1, -100.0]])).all()


def survey(mask_nside=4):
    mask = HealpixMask(mask_nside, np.ones(12 * mask_nside**2, dtype=bool))
    return SurveyRegion(mask, 0.0, 300.0)


@pytest.mark.parametrize("dec", [0.0, 35.0, -50.0])
def test_a_cone_through_the_centre_of_a_far_sphere_shows_its_great_circle(dec):
    centre = sky_to_cartesian(359.0, dec, 250.0)
    catalog = spheres([centre], [10.0], region=survey(), cosmo=Cosmology())
    slice_ = slice_voids(catalog, ConeCut(dec, 5.0), resolution=0.2)
    (outline,) = slice_.outlines
    middle = slice_.cut.project(centre[None])[0]
    assert np.hypot(*(outline - middle).T) == pytest.approx(10.0, abs=0.05)


def test_right_ascension_grows_anticlockwise():
    cone = ConeCut(0.0, 100.0)
    (left,), _ = cone.project(sky_to_cartesian(130.0, 0.0, 10.0)[None])
    assert left == pytest.approx([-5.0, 10 * np.cos(np.radians(30.0))])


def test_watershed_outlines_follow_the_walls_between_cells():
    slice_ = slice_voids(lattice_zones([0, 0, -1, -1, 1, 1, 1, -1, -1, -1]), PlaneCut(2, 45.0))
    assert sorted(slice_.outline_void.tolist()) == [0, 1]
    first, second = (slice_.outlines[slice_.outline_void.tolist().index(void)] for void in (0, 1))
    assert first[:, 0].max() == pytest.approx(20.0, abs=0.05)
    assert [second[:, 0].min(), second[:, 0].max()] == pytest.approx([40.0, 70.0], abs=0.05)
    assert slice_.void_area == pytest.approx(5000.0, rel=0.01)


def test_every_place_belongs_to_one_watershed_void_at_most():
    slice_ = slice_voids(lattice_zones(list(range(10))), PlaneCut(2, 45.0))
    assert slice_.void_area == pytest.approx(10_000.0, rel=0.01)


def test_the_void_that_takes_every_zone_is_not_shown():
    catalog = replace(lattice_zones([0, 0, 1, 1, 1, 1, 1, 1, 1, 1]), parameters={"root_void": 1})
    assert set(slice_voids(catalog, PlaneCut(2, 45.0)).outline_void) == {0}


def test_a_sphere_across_a_periodic_face_shows_on_both_sides():
    box = replace(BOX, periodic=True)
    slice_ = slice_voids(spheres([[98, 50, 3]], [10.0], region=box), PlaneCut(2, 99.0), resolution=0.25)
    assert len(slice_.outlines) == 2
    assert slice_.void_area == pytest.approx(np.pi * (100.0 - 16.0), rel=0.02)


def test_galaxies_behind_a_periodic_face_are_near_the_plane_too():
    xyz = np.array([[50.0, 50.0, 99.0], [50.0, 50.0, 3.0], [50.0, 50.0, 92.0]])
    for periodic, rows in ((True, [0, 1]), (False, [1])):
        catalog = spheres([[50, 50, 5]], [15.0], region=replace(BOX, periodic=periodic))
        assert slice_voids(catalog, PlaneCut(2, 1.0), xyz, thickness=10.0).galaxy_row.tolist() == rows


def test_periodic_watershed_cells_wrap():
    # The sites of the one void lie on the face x = 0, so that half of each cell is on either side.
    plain = lattice_zones([0, -1, -1, -1, -1, -1, -1, -1, -1, -1])
    moved = replace(plain.zones, xyz=(plain.zones.xyz + np.array([95.0, 0.0, 0.0])) % 100.0)
    box = replace(BOX, periodic=True)
    slice_ = slice_voids(replace(plain, zones=moved, region=box), PlaneCut(2, 45.0))
    assert slice_.void_area == pytest.approx(1000.0, rel=0.02)
    assert len(slice_.outlines) == 2


def test_galaxies_near_the_slice_are_shown_with_what_is_known_of_them():
    xyz = np.array([[10, 10, 50], [20, 20, 54.9], [30, 30, 55.1], [40, 40, 48], [60, 60, 50]], float)
    membership = Membership(np.array([0, 1, 0, 9, 2], dtype=np.int8), np.ones(5, dtype=bool), np.full(5, -1), np.zeros(5))
    catalog = spheres([[50, 50, 50]], [10.0], membership=membership)
    slice_ = slice_voids(catalog, PlaneCut(2, 50.0), xyz, thickness=10.0)
    assert slice_.galaxy_row.tolist() == [0, 1, 4]
    assert slice_.galaxies.tolist() == [[10, 10], [20, 20], [60, 60]]
    assert slice_.galaxy_in_void.tolist() == [False, True, False]
    assert slice_voids(catalog, PlaneCut(2, 50.0), xyz[:4]).galaxy_in_void is None


def test_the_footprint_of_a_box_is_its_outline_and_that_of_a_survey_ends_at_its_limit():
    (square,) = slice_voids(spheres([[50, 50, 50]], [10.0]), PlaneCut(0, 50.0)).footprint
    assert [square.min(), square.max()] == pytest.approx([0.0, 100.0], abs=0.2)
    catalog = spheres([[0, 0, 200]], [300.0], region=survey(), cosmo=Cosmology())
    footprint = np.concatenate(slice_voids(catalog, ConeCut(0.0, 180.0), resolution=2.0).footprint)
    assert np.hypot(*footprint.T).max() == pytest.approx(300.0, abs=3.0)


def test_the_middle_of_a_box_is_a_plane_and_that_of_a_survey_a_cone():
    assert middle_cut(np.empty((0, 3)), BOX) == PlaneCut(2, 50.0)
    ra, dec = np.array([350.0, 0.0, 10.0]), np.array([20.0, 30.0, 32.0])
    assert middle_cut(sky_to_cartesian(ra, dec, 100.0)).dec == pytest.approx(30.0)
    assert middle_cut(np.array([[0, 0, 1.0], [2, 2, 5]]), on_sky=False) == PlaneCut(2, 3.0)
    with pytest.raises(InputError, match="empty sample"):
        middle_cut(np.empty((0, 3)))


@pytest.mark.parametrize(("options", "says"), [
    ({"thickness": 0.0}, "thickness"), ({"resolution": -1.0}, "resolution"), ({"resolution": 0.01}, "coarser"),
])
def test_options_out_of_range_are_refused(options, says):
    with pytest.raises(OptionError, match=says):
        slice_voids(spheres([[50, 50, 50]], [10.0]), PlaneCut(2, 50.0), **options)


def test_cuts_out_of_range_are_refused():
    with pytest.raises(OptionError, match="axis"):
        PlaneCut(3, 0.0)
    with pytest.raises(OptionError, match="between -85 and 85"):
        ConeCut(90.0, 0.0)


def test_a_slice_far_from_everything_is_refused():
    with pytest.raises(InputError, match="meets no void"):
        slice_voids(spheres([[50, 50, 50]], [10.0], region=None), PlaneCut(2, 500.0))


def test_without_galaxies_the_whole_survey_is_in_the_picture():
    region = survey()
    slice_ = slice_voids(spheres([sky_to_cartesian(90.0, 0.0, 150.0)], [15.0], region=region), ConeCut(0.0, 90.0))
    reach = max(np.hypot(*curve.T).max() for curve in slice_.footprint)
    assert reach == pytest.approx(region.r_max, rel=0.01)


def test_methods_sliced_together_are_the_same_as_one_by_one():
    """Two watershed methods share the raster and the search; spheres have another extent."""
    zones = lattice_zones(list(range(10)))
    together = {
        "revolver": zones, "vide": replace(zones, method="vide", edge=1 - zones.edge),
        "voidfinder": spheres([[50, 50, 50]], [12.0]),
    }
    cut = PlaneCut(2, 45.0)
    for method, one in slice_each(together, cut).items():
        alone = slice_voids(together[method], cut)
        assert one.method == together[method].method
        for name in ("outline_void", "outline_edge", "low", "high"):
            np.testing.assert_array_equal(getattr(one, name), getattr(alone, name))
        assert all(np.array_equal(a, b) for a, b in zip(one.outlines, alone.outlines, strict=True))
