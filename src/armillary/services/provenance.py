"""Where results come from: digests, versions, and the record that a run leaves as ``run.json``."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from armillary import __version__
from armillary.errors import FormatError, InputError
from armillary.model import RunRecord

#: Libraries whose versions can change a number or a file.
LIBRARIES = ("numpy", "scipy", "astropy", "astropy-healpix", "numba", "pyarrow", "matplotlib", "plotly", "scikit-image")

_BLOCK = 1 << 20
_MAPPINGS = ("configuration", "inputs", "versions", "outputs", "counts", "seconds", "excluded")


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises
    ------
    InputError
        The file does not exist or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; check the path and its permissions") from error
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Armillary, Python, the libraries that compute, and the platform."""
    found = {"armillary": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    found["platform"] = platform.platform()
    return found


def utc_now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def jsonable(value: Any) -> Any:
    """``value`` in the types that JSON knows: NumPy numbers and arrays, paths, enumerations, NaN and infinity (null)."""
    if isinstance(value, Mapping):
        return {str(jsonable(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return jsonable(value.tolist())
    if isinstance(value, Enum):
        return jsonable(value.value)
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()  # a file name may hold bytes that are no text


def to_json(value: Any) -> str:
    """One JSON document, indented, NaN as null."""
    return json.dumps(jsonable(value), indent=2, allow_nan=False, ensure_ascii=False)


def record_to_json(record: RunRecord) -> str:
    """The text of ``run.json``."""
    return to_json(asdict(record)) + "\n"


def record_from_json(text: str) -> RunRecord:
    """The record in the text of a ``run.json``.

    Raises
    ------
    FormatError
        The text is not a record that :func:`record_to_json` wrote.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(f"not valid JSON ({error})") from error
    known = {field.name for field in fields(RunRecord)}
    needed = {"command", "configuration", "inputs", "versions"}
    if not isinstance(content, dict) or not needed <= content.keys() <= known or any(
        not isinstance(content.get(name, {}), dict) for name in _MAPPINGS
    ) or "armillary" not in content["versions"]:
        raise FormatError("not a record of an Armillary run")
    return RunRecord(**content)
