"""Files that appear whole or not at all.

A file is written beside its destination under a hidden name, flushed to the disk, and then renamed onto it: a reader
sees the old file or the new one. A full disk, an error or Ctrl-C leaves the destination as it was.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from armillary.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LEFTOVER = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{12}\.partial(?P<suffix>\..+)?")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the directory of ``path``, with its extension; on success it becomes ``path``.

    Inside the block only write: an operating system error there is taken for a failure to store ``path``.

    Raises
    ------
    StorageError
        The disk is full, the directory does not exist, or the place is not writable.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.partial{path.suffix}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        with suppress(OSError):  # some network file systems flush no directory
            _flush(path.parent)
    except OSError as error:
        raise StorageError(_refusal(path, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(directory: str | os.PathLike[str]) -> None:
    """Remove what a writer that was killed left in ``directory`` and below; call it only when no writer is at work."""
    for entry in Path(directory).rglob(".*.partial*"):
        if _LEFTOVER.fullmatch(entry.name) and entry.is_file():
            entry.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> str:
    unfinished = _LEFTOVER.fullmatch(path.name)
    if unfinished:  # a writer that was itself given a temporary path
        path = path.with_name(f"{unfinished['stem']}{unfinished['suffix'] or ''}")
    # astropy words a full disk itself, without the errno.
    if error.errno in _FULL or "not enough space" in str(error).lower():
        return f"cannot write {path}: the disk is full or a quota is used up; make room or write to another place"
    if not path.parent.is_dir():
        return f"cannot write {path}: there is no directory {path.parent}; make it first or write to another place"
    if path.is_dir():
        return f"cannot write {path}: it is a directory; name a file"
    return f"cannot write {path}: {error.strerror or error}; write to another place"
