"""Surfaces against geometry that is known in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import InputError, OptionError
from armillary.model import BoxRegion, GalaxyCatalog, Holes, VoidCatalog, VoidSurface, Zones
from armillary.voids import V2
from armillary.voids.surface import Surface, geodesic_sphere, outline_surface, union_surface, void_surface


def ball_volume(radius):
    return 4.0 / 3.0 * np.pi * radius**3


def lens_volume(r, s, d):
    return np.pi * (r + s - d) ** 2 * (d**2 + 2 * d * (r + s) - 3 * (r - s) ** 2) / (12 * d)


def holes_catalog(centre, radius, void, **more):
    centre, radius, void = np.asarray(centre, float), np.asarray(radius, float), np.asarray(void)
    first = [int(np.flatnonzero(void == v)[0]) for v in range(void.max() + 1)]
    n = len(first)
    return VoidCatalog(
        "voidfinder", centre[first], radius[first], radius[first], np.zeros(n), np.zeros(n, dtype=np.int64),
        holes=Holes(centre, radius, void), **more,
    )


def zones_catalog(centre, r_eff, axes=None, surface=None):
    n = len(r_eff)
    none = np.empty(0, dtype=np.int64)
    zones = Zones(none, none, none, np.empty((0, 3)), none, none, none.astype(bool), none.astype(bool),
                  axes=axes, surface=surface)
    r_eff = np.asarray(r_eff, float)
    return VoidCatalog("revolver", np.asarray(centre, float), r_eff, r_eff, np.zeros(n), np.zeros(n, dtype=np.int64),
                       zones=zones)


def test_a_sphere_has_its_area_and_volume():
    sphere = union_surface([[3.0, -2.0, 100.0]], [12.0], resolution=1.0)
    assert sphere.area == pytest.approx(4 * np.pi * 144.0, rel=0.01)
    assert sphere.volume == pytest.approx(ball_volume(12.0), rel=0.01)
    assert np.allclose(np.linalg.norm(sphere.vertices - [3.0, -2.0, 100.0], axis=1), 12.0, atol=0.02)


def test_area_and_volume_converge_with_the_square_of_the_step():
    def misses(h):
        sphere = union_surface([[0.1, 0.2, 0.3]], [10.0], resolution=h)
        return np.array([1 - sphere.area / (400 * np.pi), 1 - sphere.volume / ball_volume(10.0)])

    assert (misses(1.0) > 0.0).all()
    assert misses(1.0) / misses(2.0) == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize(("r", "s", "d"), [(10.0, 10.0, 9.0), (12.0, 7.0, 8.0), (15.0, 5.0, 17.0)])
def test_two_spheres_enclose_the_sum_less_the_lens(r, s, d):
    direction = np.array([1.0, 2.0, -2.0]) / 3.0
    union = union_surface([[0.0, 0.0, 0.0], d * direction], [r, s], resolution=0.5)
    assert union.volume == pytest.approx(ball_volume(r) + ball_volume(s) - lens_volume(r, s, d), rel=0.005)
    assert union.euler_characteristic == 2
    assert union.is_watertight


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0.7, 2.5))
def test_every_union_is_closed_and_faces_outward(seed, n, resolution):
    rng = np.random.default_rng(seed)
    centre, radius = rng.uniform(-15, 15, (n, 3)), rng.uniform(5, 9, n)
    union = union_surface(centre, radius, resolution=resolution)
    assert union.is_watertight
    assert union.euler_characteristic % 2 == 0
    # Off creases the surface is followed to a small part of a step; there it is rounded.
    gap = (np.linalg.norm(union.vertices[:, None] - centre, axis=2) - radius).min(axis=1)
    assert np.median(np.abs(gap)) < 0.05 * resolution
    assert np.abs(gap).max() < 0.6 * resolution
    assert union.volume > 0.8 * ball_volume(radius.max())


def test_a_sphere_on_grid_nodes_is_closed_too():
    sphere = union_surface([[0.0, 0.0, 0.0]], [10.0], resolution=1.0)
    assert sphere.is_watertight
    assert sphere.euler_characteristic == 2


def test_separate_spheres_are_separate_bodies_and_a_swallowed_one_changes_nothing():
    apart = union_surface([[0, 0, 0], [30, 0, 0]], [8.0, 8.0], resolution=1.0)
    assert apart.euler_characteristic == 4
    alone = union_surface([[0, 0, 0]], [8.0], resolution=1.0)
    swallowed = union_surface([[0, 0, 0], [1, 0, 0]], [8.0, 3.0], resolution=1.0)
    assert np.array_equal(swallowed.vertices, alone.vertices)


def test_vertex_normals_of_a_sphere_point_from_its_centre():
    sphere = union_surface([[5.0, 5.0, 5.0]], [10.0], resolution=1.0)
    outward = (sphere.vertices - 5.0) / 10.0
    assert np.einsum("ij,ij->i", sphere.vertex_normals(), outward).min() > 0.98


@pytest.mark.parametrize(("centre", "radius", "resolution", "error", "says"), [
    (np.empty((0, 3)), [], 1.0, InputError, "needs spheres"),
    ([[0, 0, np.nan]], [5.0], 1.0, InputError, "finite"),
    ([[0, 0, 0]], [-5.0], 1.0, InputError, "positive"),
    ([[0, 0, 0]], [5.0], 0.0, OptionError, "resolution"),
    ([[0, 0, 0]], [5.0], 6.0, OptionError, "largest radius"),
    ([[0, 0, 0], [900, 900, 900]], [5.0, 5.0], 0.5, OptionError, "or coarser"),
])
def test_what_cannot_be_triangulated_is_refused(centre, radius, resolution, error, says):
    with pytest.raises(error, match=says):
        union_surface(centre, radius, resolution=resolution)


def test_a_catalogue_gives_each_void_its_own_closed_surface():
    catalog = holes_catalog([[0, 0, 0], [50, 0, 0], [4, 0, 0]], [10.0, 12.0, 9.0], [0, 1, 0])
    surface = void_surface(catalog, resolution=1.0)
    assert set(surface.face_void) == {0, 1}
    assert surface.is_watertight
    assert surface.of_voids([1]).volume == pytest.approx(ball_volume(12.0), rel=0.01)
    assert surface.of_voids([0]).volume == pytest.approx(
        ball_volume(10.0) + ball_volume(9.0) - lens_volume(10.0, 9.0, 4.0), rel=0.01)
    only = void_surface(catalog, [1], resolution=1.0)
    assert set(only.face_void) == {1}
    assert only.volume == surface.of_voids([1]).volume


def test_an_unknown_void_is_named():
    catalog = holes_catalog([[0, 0, 0]], [10.0], [0])
    with pytest.raises(InputError, match="void 3 is not in the voidfinder catalogue"):
        void_surface(catalog, [0, 3])


def test_watershed_voids_across_a_periodic_face_are_drawn_in_one_piece():
    xyz = np.random.default_rng(0).uniform(0.0, 60.0, (1500, 3))
    box = BoxRegion((0.0,) * 3, (60.0,) * 3, periodic=True)
    finder = V2(min_radius=8.0, surfaces=True, prunings=("revolver",))
    catalog = finder.find(GalaxyCatalog.from_positions(xyz), box=box)["revolver"]
    across = np.flatnonzero((np.minimum(catalog.centre, 60.0 - catalog.centre) < 0.7 * catalog.radius[:, None]).any(axis=1))
    assert across.size > 5
    for void in across[np.argsort(catalog.radius[across])][:5]:
        surface = void_surface(catalog, [int(void)])
        assert surface.is_watertight
        assert surface.volume == pytest.approx(ball_volume(catalog.radius[void]), rel=1e-6)


def test_holes_across_a_periodic_face_stay_together():
    box = BoxRegion((0, 0, 0), (100, 100, 100), periodic=True)
    catalog = holes_catalog([[1, 50, 50], [97, 50, 50]], [10.0, 9.0], [0, 0], region=box)
    surface = void_surface(catalog, resolution=0.5)
    assert surface.euler_characteristic == 2
    assert surface.volume == pytest.approx(
        ball_volume(10.0) + ball_volume(9.0) - lens_volume(10.0, 9.0, 4.0), rel=0.005)


def cube_triangles(corner, side):
    """Twelve triangles of a cube, every second one with its corners the wrong way round, and their normals."""
    vertices, normals = [], []
    for axis in range(3):
        for end in (0, 1):
            normal = np.zeros(3)
            normal[axis] = 2 * end - 1
            square = np.zeros((4, 3))
            square[:, axis] = end
            square[[1, 2], (axis + 1) % 3] = 1
            square[[2, 3], (axis + 2) % 3] = 1
            for triangle in ([0, 1, 2], [2, 0, 3]):
                vertices.append(np.asarray(corner) + side * square[triangle])
                normals.append(normal)
    return np.array(vertices), np.array(normals)


def test_watershed_triangles_merge_into_a_closed_outward_surface():
    first, normals = cube_triangles([0.0, 0.0, 0.0], 10.0)
    second, _ = cube_triangles([10.0, 0.0, 0.0], 20.0)
    triangles = VoidSurface(np.repeat([0, 1], 12), np.tile(normals, (2, 1)), np.concatenate([first, second]))
    catalog = zones_catalog([[5, 5, 5], [20, 10, 10]], [6.2, 12.4], surface=triangles)
    surface = void_surface(catalog)
    assert surface.is_watertight
    assert surface.euler_characteristic == 4
    assert surface.volume == pytest.approx(9000.0)
    assert surface.of_voids([0]).area == pytest.approx(600.0)


def test_watershed_voids_without_triangles_say_so():
    with pytest.raises(InputError, match="no boundary triangles"):
        void_surface(zones_catalog([[0, 0, 0]], [10.0]))


@pytest.mark.parametrize("frequency", [1, 2, 3, 5])
def test_the_geodesic_sphere_is_closed_with_the_known_number_of_corners(frequency):
    directions, faces = geodesic_sphere(frequency)
    sphere = Surface(directions, faces)
    assert (len(directions), len(faces)) == (10 * frequency**2 + 2, 20 * frequency**2)
    assert sphere.is_watertight
    assert sphere.euler_characteristic == 2
    assert np.allclose(np.linalg.norm(directions, axis=1), 1.0)
    assert 0.6 * ball_volume(1.0) < sphere.volume < ball_volume(1.0)


def test_the_outline_of_holes_around_their_centre_is_their_union():
    centre, radius = [[0, 0, 0], [5, 0, 0], [0, 4, 2]], [12.0, 10.0, 11.0]
    outline = outline_surface(holes_catalog(centre, radius, [0, 0, 0]), max_vertices=642)
    gap = (np.linalg.norm(outline.vertices[:, None] - np.array(centre), axis=2) - radius).min(axis=1)
    assert np.abs(gap).max() < 1e-9
    assert outline.volume == pytest.approx(union_surface(centre, radius, resolution=0.5).volume, rel=0.03)


def test_the_outline_leaves_out_what_lies_beyond_a_gap():
    outline = outline_surface(holes_catalog([[0, 0, 0], [40, 0, 0]], [10.0, 5.0], [0, 0]))
    assert np.linalg.norm(outline.vertices, axis=1).max() == pytest.approx(10.0)


def test_the_outline_of_a_watershed_void_has_its_axes_and_its_volume():
    axes = np.diag([4.0, 2.0, 1.0])[None]
    outline = outline_surface(zones_catalog([[1, 2, 3]], [10.0], axes), max_vertices=642)
    spread = np.ptp(outline.vertices, axis=0)
    assert outline.volume == pytest.approx(ball_volume(10.0), rel=0.02)
    assert spread[0] / spread[2] == pytest.approx(4.0, rel=0.02)
    assert outline.vertices.mean(axis=0) == pytest.approx([1, 2, 3])


@pytest.mark.parametrize("axes", [None, np.zeros((2, 3, 3)), np.full((2, 3, 3), np.nan)])
def test_without_usable_axes_the_outline_is_the_effective_sphere(axes):
    outline = outline_surface(zones_catalog([[0, 0, 0], [50, 0, 0]], [10.0, 20.0], axes), [1])
    assert np.linalg.norm(outline.vertices - [50, 0, 0], axis=1) == pytest.approx(20.0)
    assert set(outline.face_void) == {1}


def test_outlines_keep_to_their_number_of_vertices():
    catalog = holes_catalog(np.arange(300).reshape(100, 3), np.full(100, 9.0), np.arange(100))
    assert 0.5 * 10_000 < len(outline_surface(catalog, max_vertices=10_000).vertices) <= 10_000


def test_a_face_must_name_a_vertex():
    with pytest.raises(InputError, match="vertices outside"):
        Surface(np.zeros((3, 3)), np.array([[0, 1, 3]]))


def test_gadget_union_volumes_agree_with_the_reference_radii(shared):
    from astropy.io import fits

    folder = "reference/voids/voidfinder_gadget_box/"
    reference = np.load(shared(folder + "Gadget_100_256_VoidFinder_Output_reff_mc.npy"))
    with fits.open(shared(folder + "Gadget_100_256_VoidFinder_Output.fits")) as file:
        holes, maximals = file["HOLES"].data, file["MAXIMALS"].data
        centre = np.column_stack([holes[name] for name in "xyz"]).astype(float)
        radius, void = holes["radius"].astype(float), holes["void"].astype(int)
        n = len(maximals)
    r_eff = np.ravel(reference if reference.ndim == 1 else reference[:, 0])[:n]
    for index in (0, 7, 20, 47):
        union = union_surface(centre[void == index], radius[void == index], resolution=0.5)
        assert (3 * union.volume / (4 * np.pi)) ** (1 / 3) == pytest.approx(r_eff[index], rel=0.01)
