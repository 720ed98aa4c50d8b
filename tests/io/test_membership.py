"""One row for each row of the input, whatever was left out of it."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import FormatError, InputError
from armillary.io.membership import read_membership, write_membership
from armillary.model import GalaxyCatalog, Holes, Membership, VoidCatalog, Zones

CODES = np.array([0, 1, 2, 9], dtype=np.int8)


def survey(rng, n):
    return GalaxyCatalog.from_sky(rng.uniform(0, 360, n), rng.uniform(-80, 80, n),
                                  rng.uniform(0.01, 0.1, n).astype(np.float32), targetid=np.arange(n) + 100)


def catalog(method, rng, n, zone=None, n_voids=3):
    wall = rng.integers(-1, 2, n).astype(np.int8) if method == "voidfinder" else None
    distance = np.where(rng.random(n) < 0.2, np.nan, rng.uniform(0, 9, n))
    member = Membership(rng.choice(CODES, n), rng.random(n) < 0.8, rng.integers(-1, n_voids, n), distance,
                        wall=wall, zone=zone)
    empty = np.zeros(0, dtype=np.int64)
    made = (
        {"holes": Holes(np.zeros((0, 3)), np.zeros(0), empty)} if method == "voidfinder"
        else {"zones": Zones(empty, empty, empty, np.zeros((0, 3)), empty, empty, empty.astype(bool), empty.astype(bool))}
    )
    ones = np.ones(n_voids)
    return VoidCatalog(method, np.zeros((n_voids, 3)), ones, ones, ones * 0, np.zeros(n_voids, int), membership=member,
                       **made)


def all_methods(rng, n):
    zone = rng.integers(-1, 6, n)
    return {method: catalog(method, rng, n, None if method == "voidfinder" else zone)
            for method in ("voidfinder", "vide", "revolver")}


def expected(values, place, n_rows, valid=None):
    """A list with None in the rows that hold nothing."""
    full = [None] * n_rows
    for row, value, known in zip(place, values.tolist(), np.ones(len(values), bool) if valid is None else valid,
                                 strict=True):
        full[row] = value if known else None
    return full


@given(seed=st.integers(0, 2**32 - 1), n_rows=st.integers(1, 30), data=st.data())
def test_every_input_row_has_its_place(tmp_path_factory, seed, n_rows, data):
    rng = np.random.default_rng(seed)
    excluded = sorted(data.draw(st.sets(st.integers(0, n_rows - 1), max_size=n_rows - 1)))
    place = np.setdiff1d(np.arange(n_rows), excluded)
    galaxies, catalogs = survey(rng, len(place)), all_methods(rng, len(place))
    path = tmp_path_factory.mktemp("membership") / "galaxies.parquet"
    write_membership(galaxies, catalogs, path, excluded_rows=excluded, n_rows=n_rows)
    table = read_membership(path)
    column = {name: table[name].to_pylist() for name in table.column_names}
    assert column["row"] == list(range(n_rows))
    assert column["ra"] == expected(galaxies.ra, place, n_rows)
    assert column["z"] == expected(galaxies.z, place, n_rows)
    assert column["targetid"] == expected(galaxies.targetid, place, n_rows)
    for method, voids in catalogs.items():
        member = voids.membership
        assert column[f"{method}_code"] == expected(member.code, place, n_rows)
        assert column[f"{method}_tracer"] == expected(member.tracer, place, n_rows)
        assert column[f"{method}_void"] == expected(member.void, place, n_rows, member.void >= 0)
        finite = np.isfinite(member.centre_distance)
        assert column[f"{method}_centre_distance"] == expected(member.centre_distance, place, n_rows, finite)
    wall = catalogs["voidfinder"].membership.wall
    names = np.array(["field", "wall", None], dtype=object)[wall]
    assert column["voidfinder_wall"] == expected(names, place, n_rows)
    zone = catalogs["vide"].membership.zone
    assert column["zone"] == expected(zone, place, n_rows, zone >= 0)


def test_types_and_meanings_stand_in_the_file(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "galaxies.parquet"
    write_membership(survey(rng, 8), all_methods(rng, 8), path)
    schema = read_membership(path).schema
    kinds = {"row": pa.int64(), "ra": pa.float64(), "z": pa.float32(), "targetid": pa.int64(),
             "vide_code": pa.int8(), "vide_void": pa.int32(), "vide_tracer": pa.bool_(),
             "vide_centre_distance": pa.float64(), "voidfinder_wall": pa.dictionary(pa.int8(), pa.string()),
             "zone": pa.int32()}
    assert {name: schema.field(name).type for name in kinds} == kinds
    assert all(field.metadata[b"description"] for field in schema)
    assert schema.field("dec").metadata[b"unit"] == b"deg"
    assert b"armillary" in schema.metadata[b"creator"]
    group = pq.ParquetFile(path).metadata.row_group(0)
    assert {group.column(i).compression for i in range(group.num_columns)} == {"ZSTD"}


def test_boxes_have_positions(tmp_path):
    rng = np.random.default_rng(0)
    xyz = rng.uniform(0, 100, (6, 3))
    write_membership(GalaxyCatalog.from_positions(xyz), {"voidfinder": catalog("voidfinder", rng, 6)},
                     tmp_path / "g.parquet")
    table = read_membership(tmp_path / "g.parquet")
    assert table.column_names[:4] == ["row", "x", "y", "z"]
    assert "zone" not in table.column_names
    np.testing.assert_array_equal(np.column_stack([table[axis] for axis in "xyz"]), xyz)
    assert table.schema.field("x").metadata[b"unit"] == b"Mpc/h"


def test_the_same_membership_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        rng = np.random.default_rng(4)
        write_membership(survey(rng, 50), all_methods(rng, 50), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_rows_that_do_not_add_up_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    galaxies, catalogs = survey(rng, 5), all_methods(rng, 5)
    path = tmp_path / "g.parquet"
    for wrong in ({"n_rows": 6}, {"excluded_rows": [1], "n_rows": 5}, {"excluded_rows": [6]}, {"excluded_rows": [-1]}):
        with pytest.raises(InputError, match="rows of the input"):
            write_membership(galaxies, catalogs, path, **wrong)
    with pytest.raises(InputError, match="no membership of the 4 galaxies"):
        write_membership(galaxies.select(np.arange(4)), catalogs, path)
    other = {**catalogs, "zobov": catalog("zobov", rng, 5, zone=np.arange(5) + 7)}
    with pytest.raises(InputError, match="zones of zobov differ"):
        write_membership(galaxies, other, path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_membership_table_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "g.parquet"
    write_membership(survey(rng, 50), all_methods(rng, 50), path)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(path.read_bytes()[:-100])
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    text = tmp_path / "run.json"
    text.write_text(json.dumps({"a": 1}))
    for bad in (cut, other, text):
        with pytest.raises(FormatError, match=bad.name.replace(".", r"\.")):
            read_membership(bad)
    with pytest.raises(InputError, match="there is no file"):
        read_membership(tmp_path / "absent.parquet")


def test_zone_of_a_galaxy_outside_is_the_one_that_a_void_of_any_method_holds(tmp_path):
    rng = np.random.default_rng(0)
    zones = {"vide": [4, -1, 2, -1], "revolver": [4, 3, -1, -1]}
    catalogs = {method: catalog(method, rng, 4, zone=np.array(zone)) for method, zone in zones.items()}
    write_membership(survey(rng, 4), catalogs, tmp_path / "g.parquet")
    assert read_membership(tmp_path / "g.parquet")["zone"].to_pylist() == [4, 3, 2, None]
