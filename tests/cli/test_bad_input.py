"""What cannot be used is refused in one sentence with exit status 2, and leaves nothing behind."""

import gzip
import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from armillary.io.sky_masks import write_sky_mask
from armillary.model import HealpixMask

RNG = np.random.default_rng(0)


def csv(path, **columns):
    Table(columns).write(path / "in.csv")
    return "in.csv"


def sky(path, n=200, **changes):
    columns = {"ra": RNG.uniform(10, 40, n), "dec": RNG.uniform(0, 30, n), "z": RNG.uniform(0.02, 0.05, n)}
    columns |= changes
    return csv(path, **{name: values for name, values in columns.items() if values is not None})


def box(path, xyz):
    np.savetxt(path / "in.txt", xyz, header="x y z")
    return "in.txt", "--geometry", "box"


def with_nan(values):
    values = np.array(values)
    values[[1, 5]] = np.nan
    return values


def truncated(path):
    Table({"ra": np.arange(1000.0) % 360, "dec": np.zeros(1000), "z": np.full(1000, 0.1)}).write(path / "in.fits")
    content = (path / "in.fits").read_bytes()
    (path / "in.fits").write_bytes(content[: len(content) // 2])
    return "in.fits"


def truncated_gzip(path):
    table = Table({name: RNG.uniform(1, 2, 20_000) for name in ("ra", "dec", "z")})
    table.write(path / "whole.fits")
    zipped = gzip.compress((path / "whole.fits").read_bytes())
    (path / "in.fits.gz").write_bytes(zipped[: len(zipped) // 2])
    return "in.fits.gz"


def not_fits(path):
    (path / "in.fits").write_text("<html>404</html>")
    return "in.fits"


def masked(path):
    pixels = np.zeros(12 * 8**2, dtype=bool)
    pixels[-5:] = True  # around the south pole
    write_sky_mask(HealpixMask(8, pixels), path / "mask.fits")
    return sky(path), "--mask", "mask.fits"


def mask_of_wrong_nside(path):
    hdu = fits.BinTableHDU.from_columns([fits.Column("MASK", "B", array=np.ones(12 * 16**2))], name="MASK")
    hdu.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 8, "INDXSCHM": "IMPLICIT"})
    hdu.writeto(path / "mask.fits")
    return sky(path), "--mask", "mask.fits"


def plane(path):
    xyz = RNG.uniform(0, 50, (200, 3))
    xyz[:, 2] = 0.5 * xyz[:, 0] + 0.25 * xyz[:, 1]
    return box(path, xyz)


CASES = {
    "no such file": (lambda path: "none.fits", "cannot read none.fits: No such file"),
    "a directory": (lambda path: path, "Is a directory"),
    "missing columns": (lambda path: sky(path, dec=None), "no column for dec: it has ra, z"),
    "ambiguous columns": (lambda path: sky(path, ra=None, RAJ2000=np.ones(200), ra_deg=np.ones(200)),
                          "more than one column that could be ra: RAJ2000, ra_deg"),
    "column that is not there": (lambda path: (sky(path), "--columns", "z=ZCOSMO"), "no column ZCOSMO"),
    "columns without a name": (lambda path: (sky(path), "--columns", "ra"), "expected name=COLUMN"),
    "NaN": (lambda path: sky(path, z=with_nan(np.full(200, 0.03))), "2 of 200 rows of in.csv have no valid position"),
    "rows of NaN": (lambda path: sky(path, z=with_nan(np.full(200, 0.03))), "rows 1, 5"),
    "negative redshift": (lambda path: sky(path, z=np.full(200, -0.01)), "z <= 0: 200"),
    "redshift limits without galaxies": (lambda path: (sky(path), "--z-min", 0.5), "no galaxy lies above z = 0.5"),
    "redshift limits in the wrong order": (lambda path: (sky(path), "--z-min", 0.05, "--z-max", 0.02), "z_min < z_max"),
    "too few galaxies": (lambda path: sky(path, n=4), "has 4 rows"),
    "too few after the limits": (lambda path: (sky(path, z=np.linspace(0.02, 0.06, 200)), "--z-max", 0.0204), "at least 5"),
    "all masked": (masked, "outside"),
    "coplanar": (plane, "coplanar"),
    "coplanar along an axis": (lambda path: box(path, np.column_stack([RNG.uniform(0, 9, (99, 2)), np.ones(99)])), "plane"),
    "all at one place": (lambda path: box(path, np.ones((50, 3))), "one plane or line"),
    "four places only": (lambda path: (*box(path, np.repeat(np.eye(4)[:, :3], 9, axis=0)), "--box-size", "-1:2"),
                         "4 distinct"),
    "mask of the wrong nside": (mask_of_wrong_nside, "NSIDE 8 needs 768"),
    "mask that is no word": (lambda path: (sky(path), "--mask", "healpix:many"), "healpix:NSIDE"),
    "mask file that is not there": (lambda path: (sky(path), "--mask", "none.fits"), "neither vast, nor healpix:NSIDE"),
    "mask of too many pixels": (lambda path: (sky(path), "--mask", "healpix:100000"), "expected 1 to 8192"),
    "redshift limit that is no number": (lambda path: (sky(path), "--z-max", "inf"), "--z-max is inf"),
    "name that is too long": (lambda path: (sky(path), "--mask", "a" * 300), "File name too long"),
    "truncated gzip": (truncated_gzip, "in.fits.gz is not readable as FITS"),
    "positions that do not fit the period": (
        lambda path: (box(path, RNG.uniform(0, 80, (200, 3)))[0], "--geometry", "periodic", "--box-size", 10),
        "but the periodic box has a side of 10 Mpc/h"),
    "magnitude column that is not there": (lambda path: (sky(path), "--magnitude-column", "M"), "--magnitude-column asks for"),
    "truncated FITS": (truncated, "in.fits"),
    "not FITS": (not_fits, "not readable as FITS"),
    "empty file": (lambda path: (path / "in.csv").touch() or "in.csv", "is empty"),
    "positions for a survey": (lambda path: box(path, RNG.uniform(0, 50, (200, 3)))[0], "--geometry box"),
    "sky coordinates for a box": (lambda path: (sky(path), "--geometry", "box"), "--geometry survey"),
    "box size for a survey": (lambda path: (sky(path), "--box-size", 100), "drop it"),
    "mask for a box": (lambda path: (*box(path, RNG.uniform(0, 50, (200, 3))), "--mask", "vast"), "--mask was given for a box"),
    "periodic without a size": (lambda path: (box(path, RNG.uniform(0, 50, (200, 3)))[0], "--geometry", "periodic"),
                                "give --box-size"),
    "box size that is no number": (lambda path: (*box(path, RNG.uniform(0, 50, (200, 3))), "--box-size", "big"), "'big'"),
    "box of two sides": (lambda path: (*box(path, RNG.uniform(0, 50, (200, 3))), "--box-size", "1,2"), "one side or three"),
    "magnitude limit without magnitudes": (lambda path: (sky(path), "--magnitude-limit", -20), "name it with --magnitude-column"),
    "impossible cosmology": (lambda path: (sky(path), "--omega-m", 2), "omega_m is 2.0"),
    "unknown method": (lambda path: (sky(path), "--method", "zoboz"), "'zoboz'"),
    "unknown option": (lambda path: (sky(path), "--colour"), "--colour"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_of_find(cli, tmp_path, case):
    make, expected = CASES[case]
    arguments = make(tmp_path)
    before = {entry.name for entry in tmp_path.iterdir()}
    catalog, *options = arguments if isinstance(arguments, tuple) else (arguments,)
    result = cli("voids", "find", catalog, "--out", "new/run", *options)
    assert result.exit_code == 2
    assert_one_sentence(result, expected)
    assert {entry.name for entry in tmp_path.iterdir()} == before


def assert_one_sentence(result, expected):
    lines = [line for line in result.stderr.splitlines() if not line.startswith("armillary: compiling kernels")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("armillary: ")
    assert expected in lines[0]
    assert result.stdout == ""


def test_folder_of_something_else_is_refused_before_anything_is_read(cli, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    result = cli("voids", "find", sky(tmp_path), "--out", "thesis")
    assert result.exit_code == 2
    assert_one_sentence(result, "thesis is not empty and holds no run.json")
    assert [entry.name for entry in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]


@pytest.fixture
def voids_file(shared):
    return shared("reference/voids/voidfinder_gadget_box/Gadget_100_256_VoidFinder_Output.fits")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("map", "none.fits", "--out", "a.png"), "no file none.fits"),
        (("map", "{voids}", "--out", "a.gif"), "does not end in .html, .png, .ply"),
        (("slice", "{voids}", "--out", "a.pdf"), "does not end in .png, .svg"),
        (("slice", "{voids}", "--out", "a.png", "--dec", "3", "--axis", "x"), "give one kind"),
        (("slice", "{voids}", "--out", "a.png", "--thickness", "0"), "thickness is 0.0"),
        (("slice", "{voids}", "--out", "a.png", "--at", "1e9"), "the plane z = 1e+09 Mpc/h meets no void"),
        (("map", "{voids}", "--out", f"{'a' * 300}.png"), "File name too long"),
        (("map", "in.csv", "--out", "a.png"), "in.csv is not readable as FITS: No SIMPLE card found"),
        (("map", "{voids}", "--out", "no/such/a.png"), "cannot write no/such/a.png"),
        (("classify", "in.csv", "{voids}", "--out", "a.xlsx"), "does not end in .parquet"),
        (("classify", "none.csv", "{voids}"), "no file none.csv"),
    ],
)
def test_bad_input_of_views(cli, tmp_path, voids_file, command, expected):
    sky(tmp_path)
    result = cli("voids", *(voids_file if word == "{voids}" else word for word in command))
    assert result.exit_code == 2
    assert_one_sentence(result, expected)
    assert {entry.name for entry in tmp_path.iterdir()} == {"in.csv"}


def test_mock_survey_overwrites_nothing(cli, tmp_path):
    (tmp_path / "mine.fits").write_text("mine")
    result = cli("mock", "survey", "--out", "mine.fits")
    assert result.exit_code == 2
    assert_one_sentence(result, "mine.fits exists")
    assert (tmp_path / "mine.fits").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "expected"),
    [(("--galaxies", 5), "at least 100"), (("--galaxies", 10_000_000), "the sky has 360"), (("--seed", -1), "seed is -1")],
)
def test_impossible_mock_survey(cli, tmp_path, options, expected):
    result = cli("mock", "survey", "--out", "mock.fits", *options)
    assert result.exit_code == 2
    assert_one_sentence(result, expected)
    assert list(tmp_path.iterdir()) == []


def test_control_characters_of_a_file_name_do_not_reach_the_terminal(cli):
    result = cli("voids", "find", "a\x1b[31m\a.fits", "--out", "run")
    assert result.exit_code == 2
    assert_one_sentence(result, r"a\x1b[31m\x07.fits")


def test_output_folder_that_cannot_be_made_leaves_no_parent(cli, tmp_path):
    result = cli("voids", "find", sky(tmp_path), "--out", f"new/{'a' * 300}")
    assert result.exit_code == 2
    assert_one_sentence(result, "File name too long")
    assert {entry.name for entry in tmp_path.iterdir()} == {"in.csv"}


def test_file_name_that_is_no_text(cli, tmp_path, survey_file):
    name = os.fsdecode(b"bad\xff.fits")
    try:
        (tmp_path / name).write_bytes(survey_file.read_bytes())
    except OSError:
        pytest.skip("this file system wants names that are text")
    result = cli("voids", "find", name, "--method", "revolver", "--out", "run", "--json")
    assert result.exit_code == 0
    assert r"bad\udcff.fits" in (tmp_path / "run" / "run.json").read_text().replace("\\\\", "\\")
    assert cli("voids", "find", name, "--method", "revolver", "--out", "run").exit_code == 0
