"""Values in pieces: what is cut and joined, sent or laid out, is the same value."""

import os
import socket
import threading

import numpy as np
import planted_tasks as planted
import pytest

from armillary.compute.wire import cut, joined, lay_out, pick_up, receive, send

RNG = np.random.default_rng(11)
VALUES = {
    "nothing": None,
    "words": {"targetid": 39627, "path": "a/b"},
    "array": RNG.normal(size=(1000, 3)),
    "long": RNG.integers(0, 1 << 40, 2_000_000),
    "empty": np.empty((0, 3)),
    "one number": np.float32(3.5),
    "columns first": np.asfortranarray(RNG.normal(size=(40, 3))),
    "every other": np.arange(100)[::2],
    "table": np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    "nested": [planted.Survey("s", RNG.normal(size=(7, 3)), np.ones(7, dtype=np.float32)), ("t", np.arange(3, dtype=np.int8))],
}


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, planted.Survey):
        return all(same(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("name", VALUES)
def test_what_is_sent_is_what_is_received(name):
    here, there = socket.socketpair()
    with here, there:
        sender = threading.Thread(target=send, args=(here, cut(VALUES[name])))
        sender.start()
        value = joined(receive(there))
        sender.join()
    assert same(VALUES[name], value)


@pytest.mark.parametrize("name", VALUES)
def test_what_is_laid_out_is_what_is_picked_up(name):
    memory, spans = lay_out(cut(VALUES[name]))
    descriptor = os.dup(memory.fileno())
    memory.close()
    value = joined(pick_up(descriptor, spans))
    os.close(descriptor)
    assert same(VALUES[name], value)


def test_arrays_that_are_received_can_be_written_to_and_those_picked_up_cannot():
    here, there = socket.socketpair()
    with here, there:
        send(here, cut(np.arange(5)))
        joined(receive(there))[0] = 7
    memory, spans = lay_out(cut(np.arange(5)))
    with memory:
        array = joined(pick_up(memory.fileno(), spans))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 7


def test_arrays_lie_where_vector_instructions_want_them():
    memory, spans = lay_out(cut([np.arange(n, dtype=np.int8) for n in (3, 5, 1)]))
    with memory:
        arrays = joined(pick_up(memory.fileno(), spans))
    assert [array.ctypes.data % 64 for array in arrays] == [0, 0, 0]


@pytest.mark.parametrize("sent", [b"", b"\x01\x00", b"\x01" + bytes(7) + b"\x09" + bytes(7) + b"abc"])
def test_a_sender_that_stops_within_a_message_is_noticed(sent):
    here, there = socket.socketpair()
    with there:
        with here:
            here.sendall(sent)
        with pytest.raises(EOFError):
            receive(there)
