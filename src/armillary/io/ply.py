"""Triangle meshes as binary little-endian PLY (Turk 1994), which every 3-D program opens.

Positions are single precision: 1e-4 Mpc/h at 1000 Mpc/h.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from armillary.errors import FormatError, InputError
from armillary.io.atomic import atomic_path
from armillary.io.fits_tables import existing_file

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLY_TYPE = {"<f4": "float", "<f8": "double", "<i4": "int", "|u1": "uchar"}
_NUMPY_TYPE = {"float": "<f4", "double": "<f8", "int": "<i4", "uchar": "|u1"}
_VERTEX = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
_MAX_HEADER = 1 << 16


def write_ply(
    vertices: ArrayLike, faces: ArrayLike, path: str | os.PathLike[str], *, comment: str = "",
    face_values: Mapping[str, NDArray] | None = None,
) -> None:
    """Write a triangle mesh.

    Parameters
    ----------
    vertices : (n, 3) positions, Mpc/h.
    faces : (m, 3) rows of ``vertices``.
    path : the file.
    comment : lines for the header.
    face_values : name -> (m,) a number for each face, e.g. its void: whole numbers become int, others float.

    Raises
    ------
    InputError
        A shape is wrong, a face refers to no vertex, or a name is not one word.
    StorageError
        The disk is full or the place is not writable.
    """
    points = np.asarray(vertices, dtype=np.float64)
    corners = np.asarray(faces, dtype=np.int64).reshape(-1, 3) if np.size(faces) == 0 else np.asarray(faces)
    values = {name: np.asarray(array) for name, array in (face_values or {}).items()}
    _check(points, corners, values)
    types = {name: "<f4" if array.dtype.kind == "f" else "<i4" for name, array in values.items()}
    record = np.zeros(len(corners), dtype=_face_type(types))
    record["count"] = 3
    record["corners"] = corners
    for name, array in values.items():
        record[name] = array
    vertex = np.empty(len(points), dtype=_VERTEX)
    for place, axis in enumerate("xyz"):
        vertex[axis] = points[:, place]
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(_header(len(points), len(corners), types, comment))
        stream.write(vertex.tobytes())
        stream.write(record.tobytes())


def read_ply(path: str | os.PathLike[str]) -> tuple[NDArray[np.float32], NDArray[np.int32], dict[str, NDArray]]:
    """Vertices (n, 3), faces (m, 3) and face values of a mesh that :func:`write_ply` wrote.

    Raises
    ------
    InputError
        No such file.
    FormatError
        The file is truncated, or not a binary little-endian PLY of triangles as written here.
    """
    path = existing_file(path)
    content = path.read_bytes()
    end = content.find(b"end_header\n", 0, _MAX_HEADER)
    lines = content[: max(end, 0)].decode("ascii", errors="replace").splitlines()
    if end < 0 or lines[:2] != ["ply", "format binary_little_endian 1.0"]:
        raise FormatError(f"{path} is not a binary little-endian PLY; write it again")
    n_vertices, n_faces, types = _parse(lines, path)
    face_type = _face_type(types)
    start = end + len(b"end_header\n")
    middle = start + n_vertices * _VERTEX.itemsize
    if len(content) != middle + n_faces * face_type.itemsize:
        raise FormatError(f"{path} has {len(content)} bytes, but its header needs another number; write it again")
    vertex = np.frombuffer(content, dtype=_VERTEX, count=n_vertices, offset=start)
    record = np.frombuffer(content, dtype=face_type, count=n_faces, offset=middle)
    points = np.column_stack([vertex[axis] for axis in "xyz"])
    return points, record["corners"].copy(), {name: record[name].copy() for name in types}


def _check(points: NDArray, corners: NDArray, values: Mapping[str, NDArray]) -> None:
    if points.ndim != 2 or points.shape[1] != 3:
        raise InputError(f"vertices have shape {points.shape}; expected (n, 3)")
    if corners.ndim != 2 or corners.shape[1] != 3 or corners.dtype.kind not in "iu":
        raise InputError(f"faces have shape {corners.shape} and type {corners.dtype}; expected (m, 3) whole numbers")
    if corners.size and (corners.min() < 0 or corners.max() >= len(points)):
        raise InputError(
            f"faces refer to vertices {corners.min()} to {corners.max()}, but there are {len(points)}, from 0"
        )
    for name, array in values.items():
        if array.shape != (len(corners),) or array.dtype.kind not in "fiub":
            raise InputError(f"face value {name} has shape {array.shape}; expected ({len(corners)},) numbers")
        if not _NAME.fullmatch(name) or name in ("count", "corners"):
            raise InputError(f"face value {name!r} cannot be a PLY property; use one word of letters, digits and _")


def _face_type(types: Mapping[str, str]) -> np.dtype:
    return np.dtype([("count", "|u1"), ("corners", "<i4", (3,)), *types.items()])


def _header(n_vertices: int, n_faces: int, types: Mapping[str, str], comment: str) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {line}" for line in comment.encode("ascii", "backslashreplace").decode().splitlines()]
    lines += [f"element vertex {n_vertices}", *(f"property float {axis}" for axis in "xyz")]
    lines += [f"element face {n_faces}", "property list uchar int vertex_indices"]
    lines += [f"property {_PLY_TYPE[kind]} {name}" for name, kind in types.items()]
    return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")


def _parse(lines: list[str], path: Path) -> tuple[int, int, dict[str, str]]:
    counts: dict[str, int] = {}
    properties: dict[str, list[list[str]]] = {}
    element = ""
    for line in lines[2:]:
        words = line.split()
        if words[:1] == ["element"] and len(words) == 3 and words[2].isdigit():
            element = words[1]
            counts[element], properties[element] = int(words[2]), []
        elif words[:1] == ["property"] and element:
            properties[element].append(words[1:])
    face = properties.get("face", [])
    if (
        list(counts) != ["vertex", "face"] or face[:1] != [["list", "uchar", "int", "vertex_indices"]]
        or properties["vertex"] != [["float", axis] for axis in "xyz"]
        or any(len(words) != 2 or words[0] not in _NUMPY_TYPE for words in face[1:])
    ):
        raise FormatError(f"{path} has other elements than the x, y, z and triangles written here; write it again")
    return counts["vertex"], counts["face"], {name: _NUMPY_TYPE[kind] for kind, name in face[1:]}
