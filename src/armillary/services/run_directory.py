"""The directory that a run writes: results, ``run.json``, and the promise that nothing is overwritten silently.

``run.json`` is written before the first result and again after each one, so that a run that was killed says which
results are finished. A directory is ours when it holds such a record. Opened again with the same configuration and the
same input (by SHA-256), finished results are kept; with another one, the difference is named and nothing is touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from armillary.errors import FormatError, RunDirectoryError, StorageError
from armillary.io.atomic import atomic_path, remove_leftovers
from armillary.model import RunRecord
from armillary.services.provenance import jsonable, record_from_json, record_to_json, sha256, utc_now

RECORD = "run.json"

#: Key of ``RunRecord.configuration`` under which values that the run itself chose are kept; it is not compared.
RESOLVED = "resolved"


class RunDirectory:
    """A directory that is open for one run; made by :func:`open_run`.

    Attributes
    ----------
    path : the directory.
    record : the record as it stands on disk.
    resumed : True when the directory already held this run.
    kept : True when the record on disk names a result.
    """

    def __init__(self, path: Path, record: RunRecord, *, resumed: bool) -> None:
        self.path = path
        self.record = record
        self.resumed = resumed
        self.kept = bool(record.outputs)
        self._begun: list[str] = []

    @property
    def finished(self) -> bool:
        """True when the run has written everything."""
        return bool(self.record.finished)

    def has(self, name: str) -> bool:
        """True when the result ``name`` is recorded and present as it was written.

        Raises
        ------
        RunDirectoryError
            The file was changed since.
        """
        file = self.path / name
        recorded = self.record.outputs.get(name)
        if recorded is None or not file.is_file():
            return False
        if sha256(file) != recorded:
            raise RunDirectoryError(
                f"{file} was changed since the run wrote it (its SHA-256 is not the one in {RECORD}); "
                "move it away to have it written again, or choose another --out"
            )
        return True

    def write(self, name: str, writer: Callable[[Path], object]) -> None:
        """Have ``writer`` write the result ``name`` to the temporary path it is given; :meth:`keep` then records it.

        Raises
        ------
        StorageError
            The disk is full or the place is not writable.
        """
        file = self.path / name
        self._begun.append(name)
        with storing(file):
            file.parent.mkdir(exist_ok=True)
        with atomic_path(file) as temporary:
            writer(temporary)
        self.record = replace(self.record, outputs={**self.record.outputs, name: sha256(file)})

    def keep(
        self, *, counts: Mapping[str, object] | None = None, seconds: Mapping[str, object] | None = None,
        resolved: Mapping[str, object] | None = None, excluded: Mapping[str, object] | None = None,
    ) -> None:
        """Save the record with what a finished step adds to it; the run counts as unfinished until :meth:`finish`."""
        record = self.record
        configuration = dict(record.configuration)
        if resolved:
            configuration[RESOLVED] = {**_mapping(configuration.get(RESOLVED)), **resolved}
        self.record = replace(
            record, configuration=configuration, counts={**record.counts, **(counts or {})},
            seconds={**record.seconds, **(seconds or {})}, excluded={**record.excluded, **(excluded or {})},
            finished="",
        )
        self._save()

    def finish(self) -> None:
        """Mark the run as complete."""
        self.record = replace(self.record, finished=utc_now())
        self._save()

    def discard(self, name: str) -> None:
        """Forget and remove an intermediate result, and its folder when that leaves it empty."""
        file = self.path / name
        file.unlink(missing_ok=True)
        if file.parent != self.path:
            with suppress(OSError):
                file.parent.rmdir()
        self.record = replace(
            self.record, outputs={key: digest for key, digest in self.record.outputs.items() if key != name}
        )

    def remove(self) -> None:
        """Remove the record and the results written so far; the directory stays."""
        with suppress(OSError):
            (self.path / RECORD).unlink(missing_ok=True)
            for name in self._begun:
                self.discard(name)
            for entry in self.path.iterdir():
                if entry.is_dir():
                    entry.rmdir()

    def _save(self) -> None:
        file = self.path / RECORD
        with atomic_path(file) as temporary:
            temporary.write_text(record_to_json(self.record), encoding="utf-8")
        self.record = record_from_json(record_to_json(self.record))
        self.kept = bool(self.record.outputs)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to make or write ``path`` into a :class:`StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another --out") from error


def check(path: Path, record: RunRecord) -> RunRecord | None:
    """The record that ``path`` already holds, or None when the run would be the first there; touches nothing.

    Raises
    ------
    RunDirectoryError
        ``path`` is not a directory, is not empty and not a run, or holds a run that differs from ``record``.
    """
    if not path.exists():
        return None
    if not path.is_dir():
        raise RunDirectoryError(f"{path} is a file; --out needs a directory")
    file = path / RECORD
    if not file.is_file():
        others = sorted(entry.name for entry in path.iterdir() if not _is_leftover(entry.name))
        if others:
            raise RunDirectoryError(
                f"{path} is not empty and holds no {RECORD}, so it is not one of our runs "
                f"(it has {', '.join(others[:3])}{' ...' if len(others) > 3 else ''}); choose another --out"
            )
        return None
    try:
        held = record_from_json(file.read_text(encoding="utf-8"))
    except (FormatError, OSError, UnicodeDecodeError) as error:
        raise RunDirectoryError(f"{file} cannot be understood: {error}; choose another --out") from error
    changes = differences(held, record)
    if changes:
        raise RunDirectoryError(
            f"{path} holds a run that differs ({'; '.join(changes)}); choose another --out, "
            "or repeat the options of that run to resume it"
        )
    return held


def differences(held: RunRecord, new: RunRecord) -> list[str]:
    """What makes ``new`` another run than ``held``: ``key: old -> new`` for each difference."""
    changes = []
    if held.command != new.command:
        changes.append(f"command: {held.command} -> {new.command}")
    old_options, new_options = _mapping(held.configuration), jsonable(_mapping(new.configuration))
    changes += [
        f"{key}: {_show(old_options.get(key))} -> {_show(new_options.get(key))}"
        for key in dict.fromkeys([*old_options, *new_options])
        if key != RESOLVED and old_options.get(key) != new_options.get(key)
    ]
    for (old_path, old_digest), (new_path, new_digest) in zip(held.inputs.items(), new.inputs.items(), strict=False):
        if old_digest != new_digest:
            names = str(new_path) if str(old_path) == str(new_path) else f"{old_path} -> {new_path}"
            changes.append(f"content of {names}: SHA-256 {old_digest[:12]}... -> {new_digest[:12]}...")
    if held.versions["armillary"] != new.versions["armillary"]:
        changes.append(f"armillary: {held.versions['armillary']} -> {new.versions['armillary']}")
    return changes


@contextmanager
def open_run(path: Path, record: RunRecord) -> Iterator[RunDirectory]:
    """Open ``path`` for the run that ``record`` describes: made when absent, resumed when it holds the same run.

    When the block fails before any result is finished, what this call made is removed again.

    Raises
    ------
    RunDirectoryError
        See :func:`check`; or another process is at work in the directory.
    StorageError
        The directory cannot be made or written.
    """
    held = check(path, record)
    with storing(path):
        made = _make_directories(path)
    try:
        with _lock(path):
            held = check(path, record)
            with storing(path):
                remove_leftovers(path)
            run = RunDirectory(path, held or replace(record, started=utc_now()), resumed=held is not None)
            try:
                if held is None:
                    run.keep()
                yield run
            except BaseException:
                if held is None and not run.kept:
                    run.remove()
                raise
    except BaseException:
        _remove_empty(made)
        raise


def _make_directories(path: Path) -> list[Path]:
    """Make ``path`` and its missing parents; the ones made, innermost first."""
    missing = [path] if not path.exists() else []
    missing += [parent for parent in path.parents if not parent.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        _remove_empty(missing)
        raise
    return missing


def _remove_empty(directories: list[Path]) -> None:
    for directory in directories:
        with suppress(OSError):  # not empty: something is worth keeping
            directory.rmdir()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other runs out of ``path``; the operating system lets go when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # no advisory locks on this platform
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunDirectoryError(
                f"another process is at work in {path}; wait for it to end, or choose another --out"
            ) from error
        except OSError:
            pass  # a network file system without locks
        yield
    finally:
        os.close(descriptor)


def _is_leftover(name: str) -> bool:
    """True for what a run that was killed while it wrote its first record leaves."""
    return name.startswith(f".{Path(RECORD).stem}.") and ".partial" in name


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _show(value: object) -> str:
    return "not set" if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)
