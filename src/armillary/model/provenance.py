"""Where a number came from: the record that every run leaves beside its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RunRecord:
    """What was run, on what, with what, and what came out; written as ``run.json``.

    Attributes
    ----------
    command : the service, e.g. ``voids find``.
    configuration : every option with the value used; two runs with the same one give the same results.
    inputs : path -> SHA-256 of each input file.
    versions : Armillary, Python and the libraries that compute.
    outputs : file name -> SHA-256 of each result.
    counts : what was found, by name.
    seconds : CPU seconds by stage, and the wall-clock total.
    excluded : rows of the input that were left out, with the reason.
    started, finished : UTC, ISO 8601.
    """

    command: str
    configuration: Mapping[str, object]
    inputs: Mapping[str, str]
    versions: Mapping[str, str]
    outputs: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, object] = field(default_factory=dict)
    seconds: Mapping[str, object] = field(default_factory=dict)
    excluded: Mapping[str, object] = field(default_factory=dict)
    started: str = ""
    finished: str = ""
