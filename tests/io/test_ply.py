"""Meshes that other programs open."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from armillary.errors import FormatError, InputError
from armillary.io.ply import read_ply, write_ply

TRIANGLE = (np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 30), m=st.integers(0, 30))
def test_what_is_written_reads_back_equal(tmp_path_factory, seed, n, m):
    rng = np.random.default_rng(seed)
    vertices, faces = rng.normal(0, 300, (n, 3)), rng.integers(0, n, (m, 3))
    values = {"void": rng.integers(0, 99, m), "r_eff": rng.uniform(10, 30, m), "at_edge": rng.random(m) < 0.5}
    path = tmp_path_factory.mktemp("ply") / "voids.ply"
    write_ply(vertices, faces, path, comment="voids of DR7 (é)\ncomoving Mpc/h", face_values=values)
    points, corners, read = read_ply(path)
    np.testing.assert_array_equal(points, vertices.astype(np.float32))
    np.testing.assert_array_equal(corners, faces)
    assert list(read) == list(values)
    np.testing.assert_array_equal(read["void"], values["void"])
    np.testing.assert_array_equal(read["r_eff"], values["r_eff"].astype(np.float32))
    np.testing.assert_array_equal(read["at_edge"], values["at_edge"])


def test_bytes_are_those_of_the_format(tmp_path):
    write_ply(*TRIANGLE, tmp_path / "t.ply", comment="one\ntwo", face_values={"void": np.array([7])})
    header, _, body = (tmp_path / "t.ply").read_bytes().partition(b"end_header\n")
    assert header.decode().splitlines() == [
        "ply", "format binary_little_endian 1.0", "comment one", "comment two", "element vertex 3", "property float x",
        "property float y", "property float z", "element face 1", "property list uchar int vertex_indices",
        "property int void",
    ]
    assert body == TRIANGLE[0].astype("<f4").tobytes() + b"\x03" + np.array([0, 1, 2, 7], dtype="<i4").tobytes()


@pytest.mark.parametrize(
    ("vertices", "faces", "values", "message"),
    [
        (np.zeros((3, 2)), TRIANGLE[1], {}, r"vertices have shape \(3, 2\)"),
        (TRIANGLE[0], np.zeros((1, 4), dtype=int), {}, r"faces have shape \(1, 4\)"),
        (TRIANGLE[0], np.zeros((1, 3)), {}, "whole numbers"),
        (TRIANGLE[0], np.array([[0, 1, 3]]), {}, "vertices 0 to 3, but there are 3"),
        (TRIANGLE[0], TRIANGLE[1], {"void": np.zeros(2)}, r"face value void has shape \(2,\)"),
        (TRIANGLE[0], TRIANGLE[1], {"two words": np.zeros(1)}, "two words"),
    ],
)
def test_meshes_that_cannot_be_are_refused(tmp_path, vertices, faces, values, message):
    with pytest.raises(InputError, match=message):
        write_ply(vertices, faces, tmp_path / "t.ply", face_values=values)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_ours_are_refused(tmp_path):
    path = tmp_path / "t.ply"
    write_ply(*TRIANGLE, path)
    whole = path.read_bytes()
    for bad in (whole[:-1], whole[:40], b"solid stl\n", whole.replace(b"float x", b"float u"), whole + b"x"):
        path.write_bytes(bad)
        with pytest.raises(FormatError, match=r"t\.ply"):
            read_ply(path)
    with pytest.raises(InputError, match="there is no file"):
        read_ply(tmp_path / "absent.ply")
