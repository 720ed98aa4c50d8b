"""Catalogues in every format, columns by any of their names, and bad input in one sentence."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from armillary.errors import ArmillaryError, ColumnError, CoordinateError, FormatError, InputError, OptionError
from armillary.io.galaxies import read_galaxies

N = 40


@pytest.fixture
def sky():
    rng = np.random.default_rng(1)
    return {
        "RA": rng.uniform(0, 360, N), "DEC": rng.uniform(-60, 60, N),
        "Z": rng.uniform(0.01, 0.1, N).astype(np.float32), "WEIGHT": rng.uniform(0.5, 1, N),
        "TARGETID": np.arange(N) + 2**53 + 1, "RABSMAG": rng.uniform(-22, -18, N), "NAME": np.array(["gal"] * N),
        "MASS": rng.uniform(9, 12, N),
    }


def write(path, columns, kind):
    table = Table(columns)
    if kind == "parquet":
        pq.write_table(pa.table(columns), path)
    elif kind == "text":
        numeric = [name for name in columns if np.asarray(columns[name]).dtype.kind in "fiu"]
        np.savetxt(path, np.column_stack([columns[name] for name in numeric]), header=" ".join(numeric))
    else:
        table.write(path, format={"fits": "fits", "csv": "ascii.csv", "ecsv": "ascii.ecsv"}[kind])
    return path


@pytest.mark.parametrize("kind", ["fits", "parquet", "csv", "ecsv", "text"])
def test_every_format_gives_the_same_galaxies(tmp_path, sky, kind):
    path = write(tmp_path / f"galaxies.{'dat' if kind == 'text' else kind}", sky, kind)
    galaxies, reading = read_galaxies(path, properties=["mass"])
    np.testing.assert_array_equal(galaxies.ra, sky["RA"])
    np.testing.assert_array_equal(galaxies.dec, sky["DEC"])
    np.testing.assert_array_equal(galaxies.z.astype(np.float32), sky["Z"])
    np.testing.assert_array_equal(galaxies.weight, sky["WEIGHT"])
    np.testing.assert_array_equal(galaxies.absolute_magnitude, sky["RABSMAG"])
    np.testing.assert_array_equal(galaxies.properties["MASS"], sky["MASS"])
    if kind != "text":  # where every number is a float, identifiers are not taken
        np.testing.assert_array_equal(galaxies.targetid, sky["TARGETID"])
    assert reading.format == kind
    assert reading.n_rows == N
    assert reading.columns["ra"] == "RA"
    assert reading.columns["absolute_magnitude"] == "RABSMAG"
    assert all(column.dtype.isnative for column in (galaxies.ra, galaxies.dec, galaxies.z))


@pytest.mark.parametrize("kind", ["fits", "parquet", "ecsv"])
def test_redshift_keeps_the_precision_of_its_column(tmp_path, sky, kind):
    single, _ = read_galaxies(write(tmp_path / f"single.{kind}", sky, kind))
    double, _ = read_galaxies(write(tmp_path / f"double.{kind}", {**sky, "Z": sky["Z"].astype(np.float64)}, kind))
    assert single.z.dtype == np.float32
    assert double.z.dtype == np.float64


def test_gzipped_files_are_read(tmp_path, sky):
    for kind in ("fits", "csv"):
        plain = write(tmp_path / f"galaxies.{kind}", sky, kind)
        zipped = tmp_path / f"galaxies.{kind}.gz"
        zipped.write_bytes(gzip.compress(plain.read_bytes()))
        np.testing.assert_array_equal(read_galaxies(zipped)[0].ra, sky["RA"])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("ra", "dec", "z"), ("ra", "dec", "z")),
        (("TARGET_RA", "TARGET_DEC", "Redshift"), ("TARGET_RA", "TARGET_DEC", "Redshift")),
        (("RAdeg", "DEdeg", "zspec"), ("RAdeg", "DEdeg", "zspec")),
    ],
)
def test_columns_are_found_under_the_names_of_surveys(tmp_path, sky, names, found):
    columns = dict(zip(names, (sky["RA"], sky["DEC"], sky["Z"]), strict=True))
    galaxies, reading = read_galaxies(write(tmp_path / "g.parquet", columns, "parquet"))
    assert tuple(reading.columns[key] for key in ("ra", "dec", "z")) == found
    np.testing.assert_array_equal(galaxies.dec, sky["DEC"])


def test_own_name_wins_over_an_alias(tmp_path, sky):
    columns = {"TARGET_RA": sky["RA"] / 2, **sky, "REDSHIFT": sky["Z"] / 2}
    galaxies, _ = read_galaxies(write(tmp_path / "g.fits", columns, "fits"))
    np.testing.assert_array_equal(galaxies.ra, sky["RA"])
    np.testing.assert_array_equal(galaxies.z, sky["Z"])


def test_two_columns_that_could_be_meant_are_refused_until_one_is_named(tmp_path, sky):
    path = write(tmp_path / "g.parquet", {"ra": sky["RA"], "RA": sky["RA"] / 2, "DEC": sky["DEC"], "Z": sky["Z"]},
                 "parquet")
    with pytest.raises(ColumnError, match=r"could be ra: ra, RA; .*--columns ra=NAME"):
        read_galaxies(path)
    galaxies, _ = read_galaxies(path, columns={"ra": "RA"})
    np.testing.assert_array_equal(galaxies.ra, sky["RA"] / 2)
    aliases = {"RADEG": sky["RA"], "RAJ2000": sky["RA"], "DEC": sky["DEC"], "Z": sky["Z"]}
    with pytest.raises(ColumnError, match="RADEG, RAJ2000"):
        read_galaxies(write(tmp_path / "a.parquet", aliases, "parquet"))


def test_optional_columns_that_could_be_several_are_left_out_and_named(tmp_path, sky):
    path = write(tmp_path / "g.parquet", {**sky, "ABSMAG": sky["RABSMAG"] - 1}, "parquet")
    galaxies, reading = read_galaxies(path)
    assert galaxies.absolute_magnitude is None
    assert reading.unsettled == {"absolute_magnitude": ("RABSMAG", "ABSMAG")}
    galaxies, reading = read_galaxies(path, magnitude_column="absmag")
    np.testing.assert_array_equal(galaxies.absolute_magnitude, sky["RABSMAG"] - 1)
    assert reading.unsettled == {}


def test_missing_columns_are_named_with_those_present_and_the_option(tmp_path, sky):
    path = write(tmp_path / "g.parquet", {"RA": sky["RA"], "cz": sky["Z"]}, "parquet")
    with pytest.raises(ColumnError, match=r"no column for dec and z: it has RA, cz, expected dec .*--columns ra=RA"):
        read_galaxies(path)
    with pytest.raises(ColumnError, match=r"no column nope, which --columns z= asks for; it has RA, cz"):
        read_galaxies(path, columns={"z": "nope"})
    with pytest.raises(ColumnError, match="no column speed, which properties"):
        read_galaxies(write(tmp_path / "h.parquet", sky, "parquet"), properties=["speed"])
    with pytest.raises(OptionError, match="--columns has redshift"):
        read_galaxies(path, columns={"redshift": "cz"})


def test_columns_without_numbers_are_refused(tmp_path, sky):
    words = np.array(["0.1"] * (N - 1) + ["unknown"])
    for kind in ("csv", "fits", "parquet"):
        path = write(tmp_path / f"g.{kind}", {**sky, "Z": words}, kind)
        with pytest.raises(ColumnError, match=f"column Z of .*not numeric: row {N - 1} is .*unknown"):
            read_galaxies(path)
    path = write(tmp_path / "vector.fits", {**sky, "Z": np.ones((N, 2))}, "fits")
    with pytest.raises(ColumnError, match=r"shape \(40, 2\)"):
        read_galaxies(path)


@pytest.mark.parametrize("kind", ["fits", "parquet", "csv", "ecsv", "text"])
def test_invalid_rows_are_refused_or_left_out_and_listed(tmp_path, sky, kind):
    columns = {name: sky[name].copy() for name in ("RA", "DEC", "Z")} | {"MASS": sky["MASS"]}
    columns["Z"][3], columns["Z"][20], columns["Z"][21] = np.nan, -0.01, 0
    columns["RA"][7] = np.inf
    columns["DEC"][9] = 91
    path = write(tmp_path / f"g.{'txt' if kind == 'text' else kind}", columns, kind)
    with pytest.raises(CoordinateError, match=r"5 of 40 rows of .*missing coordinate: 2 \(rows 3, 7\); z <= 0: 2"):
        read_galaxies(path)
    galaxies, reading = read_galaxies(path, drop_invalid=True, properties=["MASS"])
    bad = [3, 7, 9, 20, 21]
    assert reading.excluded_rows.tolist() == bad
    assert reading.n_rows == N
    assert set(reading.excluded.values()) == {(3, 7), (20, 21), (9,)}
    np.testing.assert_array_equal(galaxies.ra, np.delete(sky["RA"], bad))
    np.testing.assert_array_equal(galaxies.properties["MASS"], np.delete(sky["MASS"], bad))


def test_only_the_first_ten_bad_rows_are_listed(tmp_path, sky):
    path = write(tmp_path / "g.fits", {**sky, "Z": np.full(N, np.nan)}, "fits")
    with pytest.raises(CoordinateError, match=r"40 of 40 .*\(rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 \.\.\.\)"):
        read_galaxies(path)
    with pytest.raises(InputError, match="has 0 rows with a valid position, of 40"):
        read_galaxies(path, drop_invalid=True)


def test_masked_values_are_invalid(tmp_path, sky):
    masked = np.zeros(N, dtype=bool)
    masked[5] = True
    ecsv = {**sky, "Z": MaskedColumn(sky["Z"], mask=masked)}
    arrow = tmp_path / "g.parquet"
    pq.write_table(pa.table({**sky, "Z": pa.array(sky["Z"], mask=masked)}), arrow)
    whole = {**sky, "DEC": MaskedColumn(np.arange(N), mask=masked, fill_value=-99)}
    for path in (write(tmp_path / "g.ecsv", ecsv, "ecsv"), write(tmp_path / "g.csv", ecsv, "csv"), arrow,
                 write(tmp_path / "whole.fits", whole, "fits")):
        with pytest.raises(CoordinateError, match=r"1 of 40 rows .*\(rows 5\)"):
            read_galaxies(path)


def test_velocities_are_not_taken_for_redshifts(tmp_path, sky):
    path = write(tmp_path / "g.csv", {**sky, "Z": sky["Z"] * 299792.458}, "csv")
    with pytest.raises(CoordinateError, match="velocities"):
        read_galaxies(path)


@pytest.mark.parametrize("header", ["# x y z\n", "x y z\n", "# made by a simulation\n# x  y  z\n", ""])
def test_positions_in_whitespace_text(tmp_path, header):
    xyz = np.random.default_rng(2).uniform(-50, 50, (N, 3))
    path = tmp_path / "box.dat"
    with path.open("w") as stream:
        stream.write(header)
        np.savetxt(stream, xyz, fmt="%.17g")
    galaxies, reading = read_galaxies(path, box=True)
    np.testing.assert_array_equal(galaxies.xyz, xyz)
    assert not galaxies.on_sky
    assert reading.format == "text"


def test_text_without_names_needs_them_for_a_survey(tmp_path, sky):
    path = tmp_path / "sky.txt"
    np.savetxt(path, np.column_stack([sky["DEC"], sky["RA"], sky["Z"]]))
    with pytest.raises(ColumnError, match="it has col1, col2, col3"):
        read_galaxies(path)
    galaxies, _ = read_galaxies(path, columns={"ra": "col2", "dec": "col1", "z": "col3"})
    np.testing.assert_array_equal(galaxies.ra, sky["RA"])


def test_wrong_geometry_is_suggested(tmp_path, sky):
    box = write(tmp_path / "box.csv", dict.fromkeys("xyz", sky["RA"]), "csv")
    with pytest.raises(ColumnError, match="--geometry box"):
        read_galaxies(box)
    with pytest.raises(ColumnError, match="--geometry survey"):
        read_galaxies(write(tmp_path / "sky.csv", sky, "csv"), box=True)


def test_a_named_hdu_is_read(tmp_path, sky):
    path = tmp_path / "two.fits"
    other = Table({"RA": sky["RA"] / 2, "DEC": sky["DEC"], "Z": sky["Z"]})
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(Table(sky), name="FIRST"),
                         fits.BinTableHDU(other, name="SECOND")])
    hdus.writeto(path)
    np.testing.assert_array_equal(read_galaxies(path)[0].ra, sky["RA"])
    galaxies, reading = read_galaxies(path, hdu="second")
    np.testing.assert_array_equal(galaxies.ra, sky["RA"] / 2)
    assert reading.hdu == "SECOND"
    with pytest.raises(FormatError, match=r"no table named THIRD \(tables: FIRST, SECOND\)"):
        read_galaxies(path, hdu="THIRD")


def test_fewer_than_five_galaxies_are_refused(tmp_path, sky):
    path = write(tmp_path / "few.csv", {name: column[:4] for name, column in sky.items()}, "csv")
    with pytest.raises(InputError, match="has 4 rows; at least 5 are needed"):
        read_galaxies(path)


@pytest.mark.parametrize("kind", ["fits", "parquet", "csv", "ecsv", "fits.gz"])
def test_truncated_files_are_refused_wherever_they_are_cut(tmp_path, sky, kind):
    whole = write(tmp_path / f"whole.{kind.partition('.')[0]}", sky, kind.partition(".")[0]).read_bytes()
    if kind == "fits.gz":
        whole = gzip.compress(whole)
    path = tmp_path / f"cut.{kind}"
    # A text file cut at the end of a line is a whole, shorter file: every cut here is inside a line.
    for part in (0.5, 0.75, 0.9) if "csv" in kind else (0.02, 0.3, 0.5, 0.9, 0.99):
        cut = whole[: int(len(whole) * part)]
        cut = cut[: cut.rindex(b",")] if kind == "csv" else cut[: cut.rindex(b" ")] if kind == "ecsv" else cut
        path.write_bytes(cut)
        with pytest.raises((FormatError, ColumnError), match="cut"):
            read_galaxies(path)


def test_a_real_fits_file_cut_in_half_is_refused(shared, tmp_path):
    whole = shared("data/galaxy-catalogs/vollim_dr7_cbp_102709.fits").read_bytes()
    path = tmp_path / "half.fits"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match=r"half\.fits .*truncated"):
        read_galaxies(path)


def test_what_is_no_table_is_refused_in_one_sentence(tmp_path):
    contents = {
        "page.fits": b"<html>404 Not Found</html>", "empty.csv": b"", "junk.dat": b"\x00\x01\x02" * 100,
        "junk.parquet": b"PAR1" + b"x" * 50, "comments.txt": b"# nothing\n# here\n", "words.txt": b"x y z\n1 2 three\n",
        "header.csv": b"ra,dec,z\n", "binary.csv": b"ra,dec,z\n\xff\xfe,1,2\n",
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=name.replace(".", r"\.")) as caught:
            read_galaxies(path, box=name == "words.txt")
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="is a directory"):
        read_galaxies(tmp_path)
    with pytest.raises(InputError, match="there is no file"):
        read_galaxies(tmp_path / "absent.fits")


def test_damaged_bytes_never_leave_the_error_tree(tmp_path, sky):
    rng = np.random.default_rng(3)
    refusals = []
    for kind in ("fits", "parquet", "csv", "ecsv", "text"):
        path = write(tmp_path / f"g.{kind}", sky, kind)
        whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        for _ in range(40):
            damaged = whole.copy()
            damaged[rng.integers(0, whole.size, 20)] = rng.integers(0, 256, 20)
            path.write_bytes(damaged.tobytes())
            try:
                read_galaxies(path, drop_invalid=True)
            except ArmillaryError as error:
                refusals.append((str(path), str(error)))
    assert len(refusals) > 50
    assert [message for path, message in refusals if path not in message] == []


def test_the_real_catalogues(shared):
    galaxies, reading = read_galaxies(shared("data/galaxy-catalogs/vollim_dr7_cbp_102709.fits"))
    assert len(galaxies) == 120_606
    assert galaxies.z.dtype == np.float32
    assert set(reading.columns) == {"ra", "dec", "z", "weight"}
    box, _ = read_galaxies(shared("data/void-catalogs/gadget_sim_100_256_wall.dat"), box=True)
    assert len(box) == 7660
    np.testing.assert_array_equal(box.xyz[0], [-43.458161217968446, -30.21307333350002, -0.10048488475786144])
    with pytest.raises(ColumnError, match="no column for z"):
        read_galaxies(shared("data/galaxy-catalogs/resolve-A.csv"))


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_gzipped_fits_that_ends_early_is_refused(tmp_path, part):
    columns = dict(zip(("ra", "dec", "z"), np.random.default_rng(0).uniform(0.1, 1.0, (3, 20_000)), strict=True))
    zipped = gzip.compress(write(tmp_path / "g.fits", columns, "fits").read_bytes())
    (tmp_path / "cut.fits.gz").write_bytes(zipped[: int(part * len(zipped))])
    with pytest.raises(FormatError, match="is not readable as FITS"):
        read_galaxies(tmp_path / "cut.fits.gz")


def test_damage_that_parquet_can_tell_is_refused(tmp_path, sky):
    del sky["NAME"]
    path = tmp_path / "g.parquet"
    pq.write_table(pa.table(sky), path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    place = content.index(sky["RA"].tobytes())
    content[place + 6] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(FormatError, match="not readable as Parquet"):
        read_galaxies(path)
