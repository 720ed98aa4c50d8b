"""Values between processes: NumPy arrays go as they lie, without being packed first.

A value is cut into pieces: its pickle, and the memory of every contiguous array in it. Pieces travel through a socket, or
lie in memory that several processes map. That memory is a file without a name, whose open descriptor goes from process to
process. There is nothing to unlink: when the last process that holds it ends, in whatever way, it is gone.
"""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import struct
import tempfile
from collections.abc import Sequence
from typing import IO, Any

Piece = bytes | bytearray | memoryview
Spans = list[tuple[int, int]]

_SMALL = 65536  # bytes that are sooner copied than sent one by one
_ALIGNMENT = 64  # bytes: a cache line, which no array element straddles


def cut(value: Any) -> list[Piece]:
    """The pickle of a value, and the arrays that belong to it."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return [pickled, *(buffer.raw() for buffer in buffers)]


def joined(pieces: Sequence[Piece]) -> Any:
    """The value that was cut; its arrays use the memory of the pieces."""
    return pickle.loads(pieces[0], buffers=pieces[1:])


def send(link: socket.socket, pieces: Sequence[Piece]) -> None:
    """Write pieces into a socket."""
    sizes = [memoryview(piece).nbytes for piece in pieces]
    parts = [struct.pack(f"={len(sizes) + 1}Q", len(sizes), *sizes), *pieces]
    for part in [b"".join(parts)] if sum(sizes) < _SMALL else parts:
        link.sendall(part)


def receive(link: socket.socket) -> list[Piece]:
    """Wait for pieces, and read them.

    Raises
    ------
    EOFError
        The other side is gone.
    """
    (number,) = struct.unpack("=Q", _read(link, 8))
    return [_read(link, size) for size in struct.unpack(f"={number}Q", _read(link, 8 * number))]


def lay_out(pieces: Sequence[Piece]) -> tuple[IO[bytes], Spans]:
    """New memory with pieces in it, and the beginning and length of each, in bytes."""
    spans, end = [], 0
    memory = _nameless_file()
    for piece in pieces:
        memory.seek(end)
        memory.write(piece)
        spans.append((end, memory.tell() - end))
        end = -(-memory.tell() // _ALIGNMENT) * _ALIGNMENT
    memory.flush()
    return memory, spans


def pick_up(descriptor: int, spans: Spans) -> list[Piece]:
    """The pieces that were laid out, where they lie; they cannot be written to."""
    memory = memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
    return [memory[start:start + size] for start, size in spans]


def _read(link: socket.socket, size: int) -> bytearray:
    piece = bytearray(size)
    missing = memoryview(piece)
    while missing:
        read = link.recv_into(missing)
        if not read:
            raise EOFError
        missing = missing[read:]
    return piece


def _nameless_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):  # Linux: memory outside file systems, whatever the size of /dev/shm
        return os.fdopen(os.memfd_create("armillary"), "w+b")
    return tempfile.TemporaryFile()
