"""The program of a worker process: one task after the other, until the caller hangs up."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
from typing import Any

from armillary.compute.contract import SINGLE_THREADED, attempt
from armillary.compute.wire import Spans, joined, pick_up, receive, send


def serve() -> None:
    """Answer on the socket that is this process's standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, which then ends its workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    os.environ.update(SINGLE_THREADED)  # noqa: TID251 - set before any library reads it
    link = socket.socket(fileno=os.dup(0))
    # A task has nothing to read, and what it prints is no data of the caller's.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    shared: tuple[Any, ...] = ()
    while True:
        try:
            news, *work = receive(link)
            if news:
                spans = pickle.loads(news)
                shared = _received(link, spans) if spans else ()
            if work:
                function, *task = work
                send(link, attempt(bytes(function), task, *shared))
        except (EOFError, ConnectionError):
            return


def _received(link: socket.socket, spans: Spans) -> Any:
    _, (descriptor, *_), _, _ = socket.recv_fds(link, 1, 1)
    try:
        return joined(pick_up(descriptor, spans))
    finally:
        os.close(descriptor)
