"""Void catalogues written in the DESIVAST layout read back equal, and the files of others are understood."""

import dataclasses
import shutil
import string

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from armillary.cosmology import Cosmology
from armillary.errors import ColumnError, FormatError, InputError, OptionError, StorageError
from armillary.io.desivast import read_desivast, write_desivast
from armillary.io.sky_masks import read_sky_mask
from armillary.model import (
    BoxRegion,
    EqualAngleMask,
    HealpixMask,
    Holes,
    SurveyRegion,
    VoidCatalog,
    VoidSurface,
    Zones,
)

PARAMETERS = {
    "min_radius": 10.0, "cell": 5.0, "mask": "healpix:8", "z_min": None, "z_max": 0.1026, "prunings": ("vide", "zobov"),
    "merge": True, "nside": 8, "box": {"low": (-1.2345678901234567e-5, 0.1 + 0.2)}, "note": "it's 100 % & more é",
}


def healpix_mask(rng):
    pixels = rng.random(768) < 0.4
    pixels[rng.integers(768)] = True
    return HealpixMask(8, pixels)


def equal_angle_mask(rng):
    return EqualAngleMask(2, rng.random((720, 360)) < 0.2)


REGIONS = {
    "healpix": lambda rng: SurveyRegion(healpix_mask(rng), 123.45678901234567, 301.2),
    "vast": lambda rng: SurveyRegion(equal_angle_mask(rng), 0.0, 301.2),
    "closed box": lambda _: BoxRegion((-50.0, -49.999999999999986, 0.1 + 0.2), (50.0, 50.0, 1e3)),
    "periodic box": lambda _: BoxRegion((0.0, 0.0, 0.0), (100.0, 100.0, 250.0), periodic=True),
    "none": lambda _: None,
}


def common(rng, n, region, cosmo, parameters):
    return {
        "centre": rng.normal(0, 200, (n, 3)), "radius": rng.uniform(10, 30, n), "edge": rng.integers(0, 3, n),
        "region": region, "cosmo": cosmo, "parameters": parameters,
    }


def voidfinder(seed=0, n=7, m=30, region=None, cosmo=None, parameters=PARAMETERS, boundary=True):
    rng = np.random.default_rng(seed)
    holes = Holes(
        rng.normal(0, 200, (m, 3)), rng.uniform(5, 30, m), rng.integers(0, max(n, 1), m),
        boundary=rng.random(m) < 0.5 if boundary else None,
    )
    return VoidCatalog(
        method="voidfinder", holes=holes, r_eff=rng.uniform(10, 30, n), r_eff_uncertainty=rng.uniform(0, 1, n),
        **common(rng, n, region, cosmo, parameters),
    )


def watershed(method="zobov", seed=0, n=5, k=12, m=40, region=None, cosmo=None, parameters=PARAMETERS, full=True):
    rng = np.random.default_rng(seed)
    fields = common(rng, n, region, cosmo, parameters)
    zone = rng.integers(-1, k, m)
    extra = {}
    if full:
        surface = VoidSurface(rng.integers(0, max(n, 1), 20), rng.normal(size=(20, 3)), rng.normal(size=(20, 3, 3)))
        extra = {
            "volume": rng.uniform(1e3, 1e4, k), "axes": rng.normal(size=(n, 3, 3)), "surface": surface,
            "total_area": rng.uniform(1, 9, n), "edge_area": rng.uniform(0, 1, n),
            "targetid": rng.integers(-(2**62), 2**62, m),
        }
    zones = Zones(
        void0=rng.integers(-1, n, k), void1=rng.integers(-1, n, k), galaxy=np.sort(rng.choice(10 * m + 1, m, False)),
        xyz=rng.normal(0, 200, (m, 3)), zone=zone, depth=rng.integers(0, 9, m), edge=rng.random(m) < 0.3,
        out=zone < 0, **extra,
    )
    return VoidCatalog(
        method=method, zones=zones, r_eff=fields["radius"].copy(), r_eff_uncertainty=np.zeros(n), **fields,
    )


def assert_equal(left, right, where="catalogue"):
    """Every field, array and nested object, types of arrays included."""
    if dataclasses.is_dataclass(left):
        assert type(left) is type(right), where
        for field in dataclasses.fields(left):
            if field.name not in ("membership", "seconds", "touching"):
                assert_equal(getattr(left, field.name), getattr(right, field.name), f"{where}.{field.name}")
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype, where
        np.testing.assert_array_equal(left, right, err_msg=where)
    else:
        assert left == right, where


@pytest.mark.parametrize("cosmo", [Cosmology(0.26, 0.7), None])
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("make", [voidfinder, watershed])
def test_what_is_written_reads_back_equal(tmp_path, make, region, cosmo):
    catalog = make(region=REGIONS[region](np.random.default_rng(1)), cosmo=cosmo)
    path = tmp_path / "voids.fits"
    write_desivast(catalog, path)
    assert_equal(catalog, read_desivast(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["voids.fits"]


numbers = st.floats(allow_nan=False) | st.integers(-(2**63), 2**63 - 1)
words = st.text(st.sampled_from(string.printable + "é☉'&"), max_size=200)
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(words, inner, max_size=3), max_leaves=8,
)


@settings(max_examples=40)
@given(parameters=st.dictionaries(words, values, max_size=8), omega_m=st.floats(0.01, 1), h=st.floats(0.1, 2))
def test_any_parameters_read_back_equal(tmp_path_factory, parameters, omega_m, h):
    catalog = voidfinder(parameters=parameters, cosmo=Cosmology(omega_m, h))
    path = tmp_path_factory.mktemp("voids") / "voids.fits"
    write_desivast(catalog, path)
    assert_equal(catalog, read_desivast(path))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6), m=st.integers(0, 20), k=st.integers(1, 9),
    method=st.sampled_from(["vide", "zobov", "revolver"]), full=st.booleans(),
)
def test_any_size_reads_back_equal(tmp_path_factory, seed, n, m, k, method, full):
    directory = tmp_path_factory.mktemp("voids")
    for catalog in (watershed(method, seed, n, k, m, full=full), voidfinder(seed, n, m, boundary=full)):
        write_desivast(catalog, directory / "voids.fits")
        assert_equal(catalog, read_desivast(directory / "voids.fits"))


def test_catalogues_without_voids_read_back(tmp_path):
    for catalog in (voidfinder(n=0, m=0), watershed(n=0, k=3), watershed(n=0, k=0, m=0, full=False)):
        zones = catalog.zones
        if zones is not None:
            nothing = np.full(len(zones), -1)
            # No voids have no boundary: an empty surface and none are the same in a file.
            zones = dataclasses.replace(zones, void0=nothing, void1=nothing, surface=None)
            catalog = dataclasses.replace(catalog, zones=zones)
        write_desivast(catalog, tmp_path / "none.fits")
        assert_equal(catalog, read_desivast(tmp_path / "none.fits"))


def test_layout_is_that_of_desivast(tmp_path):
    region = REGIONS["healpix"](np.random.default_rng(1))
    write_desivast(voidfinder(region=region, cosmo=Cosmology()), tmp_path / "vf.fits", info={"INFILE": "dr7.fits"})
    write_desivast(watershed(region=region, cosmo=Cosmology()), tmp_path / "v2.fits")
    with fits.open(tmp_path / "vf.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "MAXIMALS", "HOLES", "MASK"]
        wanted = ["X", "Y", "Z", "RADIUS", "VOID", "EDGE", "R", "RA", "DEC", "R_EFF", "R_EFF_UNCERT"]
        assert hdus["MAXIMALS"].columns.names[: len(wanted)] == wanted
        assert hdus["HOLES"].columns.names[:5] == ["X", "Y", "Z", "RADIUS", "VOID"]
        assert {hdus["MAXIMALS"].columns[key].unit for key in ("X", "RADIUS", "R", "R_EFF")} == {"Mpc h-1"}
        assert hdus["MAXIMALS"].columns["RA"].unit == "deg"
        header = hdus[0].header
        cards = {"METHOD": "voidfinder", "OMEGAM": 0.3, "HP": 1.0, "ZLIMU": 0.1026, "DLIMU": 301.2, "MINR": 10.0,
                 "MASK": "healpix:8", "NSIDE": 8, "INFILE": "dr7.fits", "HGEL": 5.0}
        assert {key: header[key] for key in cards} == cards
        assert header["ZLIML"] == pytest.approx(Cosmology().redshift(region.r_min))
        assert header["VOLUME"] == pytest.approx(region.volume)
        hdus.verify("exception")
    with fits.open(tmp_path / "v2.fits") as hdus:
        assert [hdu.name for hdu in hdus] == [
            "PRIMARY", "VOIDS", "ZONEVOID", "GALZONE", "TRIANGLE", "GALVIZ", "MASK"]
        axes = [f"{axis}{place}" for place in (1, 2, 3) for axis in "XYZ"]
        wanted = ["VOID", "X", "Y", "Z", "REDSHIFT", "RA", "DEC", "RADIUS", *axes, "TOT_AREA", "EDGE_AREA"]
        assert hdus["VOIDS"].columns.names[: len(wanted)] == wanted
        assert hdus["ZONEVOID"].columns.names[:3] == ["ZONE", "VOID0", "VOID1"]
        assert hdus["GALZONE"].columns.names == ["GAL", "TARGET", "X", "Y", "Z", "ZONE", "DEPTH", "EDGE", "OUT"]
        assert hdus["TRIANGLE"].columns.names[:4] == ["VOID_ID", "N_X", "N_Y", "N_Z"]
        assert len(hdus["TRIANGLE"].columns) == 13
        assert len(hdus["GALVIZ"].data) == len(hdus["GALZONE"].data)
        hdus.verify("exception")
    # The mask is a HEALPix map of its own.
    assert_equal(read_sky_mask(tmp_path / "vf.fits"), region.mask)


def test_a_watershed_file_has_every_table_whether_surfaces_are_known_or_not(tmp_path):
    names = ["PRIMARY", "VOIDS", "ZONEVOID", "GALZONE", "TRIANGLE", "GALVIZ"]
    for full in (True, False):
        catalog = watershed("vide", full=full)
        write_desivast(catalog, tmp_path / "v2.fits")
        with fits.open(tmp_path / "v2.fits") as hdus:
            assert [hdu.name for hdu in hdus] == names
            assert hdus[0].header["SURFACES"] is full
            assert len(hdus["TRIANGLE"].data) == (20 if full else 0)
            assert len(hdus["TRIANGLE"].columns) == 13
            viz, zone = hdus["GALVIZ"].data, catalog.zones.zone
            np.testing.assert_array_equal(viz["GID"], catalog.zones.galaxy)
            np.testing.assert_array_equal(viz["G2V"], np.where(zone < 0, -1, catalog.zones.void1[zone]))
            hdus.verify("exception")
        assert (read_desivast(tmp_path / "v2.fits").zones.surface is None) is not full


def test_sky_columns_are_those_of_the_centres_and_nan_in_a_box(tmp_path):
    catalog = watershed(cosmo=Cosmology(), region=REGIONS["healpix"](np.random.default_rng(1)))
    write_desivast(catalog, tmp_path / "sky.fits")
    data = fits.getdata(tmp_path / "sky.fits", "VOIDS")
    np.testing.assert_allclose(data["RA"], catalog.sky()[0])
    np.testing.assert_allclose(Cosmology().comoving_distance(data["REDSHIFT"]), catalog.sky()[2])
    write_desivast(watershed(cosmo=None, region=REGIONS["periodic box"](None)), tmp_path / "box.fits")
    assert np.isnan(fits.getdata(tmp_path / "box.fits", "VOIDS")["RA"]).all()


def test_the_same_catalogue_gives_the_same_bytes(tmp_path):
    for name in ("a.fits", "b.fits"):
        write_desivast(watershed(), tmp_path / name)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_info_cards_are_checked(tmp_path):
    for info in ({"TOO_LONG_A_KEY": 1}, {"BAD KEY": 1}, {"KEY": [1, 2]}, {"KEY": float("nan")}):
        with pytest.raises(OptionError, match="header"):
            write_desivast(voidfinder(), tmp_path / "v.fits", info=info)
    assert list(tmp_path.iterdir()) == []
    info = {"METHOD": "mine", "INFILE": "é/" + 40 * "long name ", "NGAL": np.int64(5), "NOTHING": None}
    write_desivast(voidfinder(), tmp_path / "v.fits", info=info)
    header = fits.getheader(tmp_path / "v.fits")
    assert header["METHOD"] == "voidfinder"
    assert header["NGAL"] == 5
    assert header["INFILE"].endswith("long name")


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(StorageError, match="no directory"):
        write_desivast(voidfinder(), tmp_path / "nowhere" / "v.fits")


def test_voids_keep_their_rows_whatever_their_numbers(tmp_path):
    path = tmp_path / "v.fits"
    write_desivast(voidfinder(n=3, m=9), path)
    wanted = read_desivast(path).holes.void
    new_number = np.array([70, 5, 12])
    with fits.open(path) as hdus:
        hdus["MAXIMALS"].data["VOID"] = new_number
        hdus["HOLES"].data["VOID"] = new_number[wanted]
        hdus.writeto(tmp_path / "renumbered.fits")
        hdus["HOLES"].data["VOID"][0] = 99
        hdus.writeto(tmp_path / "lost.fits")
        hdus["MAXIMALS"].data["VOID"] = 1
        hdus.writeto(tmp_path / "twice.fits")
    np.testing.assert_array_equal(read_desivast(tmp_path / "renumbered.fits").holes.void, wanted)
    with pytest.raises(FormatError, match="void 99"):
        read_desivast(tmp_path / "lost.fits")
    with pytest.raises(FormatError, match="same number"):
        read_desivast(tmp_path / "twice.fits")


def released(path, catalog, columns=()):
    """A file as others write it: no cards of ours, no extra columns; those in ``columns`` are taken away too."""
    write_desivast(catalog, path)
    with fits.open(path) as hdus:
        kept = [fits.PrimaryHDU()]
        for hdu in hdus[1:]:
            gone = {"BOUNDARY", "VOLUME", *columns} | ({"EDGE"} if hdu.name == "VOIDS" else set())
            own = [column for column in hdu.columns if column.name not in gone]
            kept.append(fits.BinTableHDU.from_columns(own, name=hdu.name))
        kept[0].header["OMEGAM"] = 0.315
        fits.HDUList(kept).writeto(path, overwrite=True)
    return path


def test_released_files_are_read(tmp_path):
    catalog = watershed("vide")
    read = read_desivast(released(tmp_path / "DESIVAST_BGS_VOLLIM_V2_VIDE_NGC.fits", catalog))
    assert read.method == "vide"
    assert read.cosmo == Cosmology(0.315)
    assert read.region is None
    assert read.on_sky
    np.testing.assert_array_equal(read.edge, (catalog.zones.edge_area > 0).astype(int))
    np.testing.assert_array_equal(read.zones.targetid, catalog.zones.targetid)
    spheres = voidfinder()
    read = read_desivast(released(tmp_path / "DESIVAST_BGS_VOLLIM_VoidFinder_SGC.fits", spheres))
    np.testing.assert_array_equal(read.r_eff, spheres.r_eff)
    assert read.holes.boundary is None


def test_the_method_is_inferred_or_asked_for(tmp_path):
    def named(void0, void1, name="voids.fits"):
        catalog = watershed("vide", n=3, k=4)
        zones = dataclasses.replace(catalog.zones, void0=np.array(void0), void1=np.array(void1))
        return read_desivast(released(tmp_path / name, dataclasses.replace(catalog, zones=zones))).method

    assert named([0, 1, 2, 2], [2, 2, 2, 2]) == "zobov"
    assert named([0, 1, 1, -1], [0, 1, 1, -1]) == "vide"
    assert named([0, 1, 2, -1], [0, 1, 2, -1], "my_REVOLVER.fits") == "revolver"
    with pytest.raises(FormatError, match="put vide or revolver in its name"):
        named([0, 1, 2, -1], [0, 1, 2, -1])


def test_files_that_are_not_void_catalogues_are_refused(tmp_path):
    path = tmp_path / "v.fits"
    write_desivast(voidfinder(region=REGIONS["healpix"](np.random.default_rng(1))), path)
    whole = path.read_bytes()
    cut = tmp_path / "cut.fits"
    for part in (0.01, 0.3, 0.6, 0.95):
        cut.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(FormatError, match="cut"):
            read_desivast(cut)
    with fits.open(path) as hdus:
        hdus[0].header["PARAMS"] = "{"
        hdus.writeto(tmp_path / "broken.fits")
        del hdus[0].header["PARAMS"]
        hdus[0].header["METHOD"] = "psychic"
        hdus.writeto(tmp_path / "method.fits")
        fits.HDUList([fits.PrimaryHDU(), hdus["MAXIMALS"]]).writeto(tmp_path / "no_holes.fits")
        own = [column for column in hdus["HOLES"].columns if column.name != "RADIUS"]
        table = fits.BinTableHDU.from_columns(own, name="HOLES")
        fits.HDUList([fits.PrimaryHDU(), hdus["MAXIMALS"], table]).writeto(tmp_path / "no_radius.fits")
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    for name, error, message in (
        ("broken", FormatError, "PARAMS"), ("method", FormatError, "psychic"), ("no_holes", FormatError, "no HDU HOLES"),
        ("no_radius", ColumnError, r"HDU HOLES of .*no_radius\.fits has no column RADIUS"),
        ("empty", FormatError, "DESIVAST"),
    ):
        with pytest.raises(error, match=message):
            read_desivast(tmp_path / f"{name}.fits")
    with pytest.raises(InputError, match="there is no file"):
        read_desivast(tmp_path / "absent.fits")


def test_reference_voidfinder_file(shared):
    voids = read_desivast(shared("reference/voids/voidfinder_gadget_box/Gadget_100_256_VoidFinder_Output.fits"))
    assert voids.method == "voidfinder"
    assert len(voids) == 48
    assert len(voids.holes) == 1297
    assert np.bincount(voids.edge).tolist() == [10, 37, 1]
    assert np.isnan(voids.r_eff).all()
    assert voids.radius.min() > 10
    assert not voids.on_sky
    # Every void's own maximal sphere is among its holes.
    for void in range(48):
        mine = voids.holes.void == void
        assert np.isclose(voids.holes.radius[mine], voids.radius[void]).any()


@pytest.mark.parametrize(("method", "count"), [("vide", 17), ("zobov", 23), ("revolver", 23)])
def test_reference_v2_files(shared, tmp_path, method, count):
    path = shared(f"reference/voids/v2_gadget_box/GADGET_V2_{method.upper()}_Output.fits")
    voids = read_desivast(path)
    assert voids.method == method
    assert len(voids) == count
    assert len(voids.zones) == 59
    np.testing.assert_array_equal(voids.r_eff, voids.radius)
    assert voids.region == BoxRegion((-50.0,) * 3, (50.0,) * 3)
    assert voids.cosmo == Cosmology(0.3)
    # Galaxies of edge cells are in no zone, and every other galaxy is in one of the first 58.
    zones = voids.zones
    assert np.count_nonzero(zones.zone == -1) == 1710
    np.testing.assert_array_equal(zones.zone == -1, zones.edge)
    assert not zones.out.any()
    assert np.unique(zones.zone[zones.zone >= 0]).tolist() == list(range(58))
    # Written in our layout, it stays what it was.
    write_desivast(voids, tmp_path / "again.fits")
    assert_equal(voids, read_desivast(tmp_path / "again.fits"))
    if method == "zobov":  # which its zones tell even without the name
        assert read_desivast(shutil.copy(path, tmp_path / "voids.fits")).method == "zobov"
