"""Workers that are processes of this machine.

Each is a new interpreter, not a fork: threads and locks of this process do not exist there, on any platform. It is
reached over a socket of its own, so it is known at which task a worker died, and no worker outlives this process by more
than the task that it is at.
"""

from __future__ import annotations

import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from typing import IO, Any

from armillary.compute.contract import GRACE, Executor, Task, sendable
from armillary.compute.wire import Piece, Spans, lay_out, receive, send
from armillary.errors import OptionError, WorkerError

_PROGRAM = "import sys; sys.path[:] = {path!r}; from armillary.compute.worker import serve; serve()"


class Processes(Executor):
    """Workers of this machine; they start when there is work, and stay until :meth:`close`.

    Parameters
    ----------
    workers : processes, each of one thread.

    Raises
    ------
    OptionError
        ``workers`` is less than 1.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise OptionError(f"workers is {workers}; expected 1 or more")
        self.workers = workers
        self._staff: list[_Worker] = []

    def _end(self) -> None:
        _dismiss(self._staff, self._staff[:])

    @contextmanager
    def _crew(self, function: Callable, shared: tuple) -> Iterator[_Crew]:
        memory, spans = lay_out(sendable(shared, "the shared value"))
        crew = _Crew(self.workers, self._staff, pickle.dumps(function, protocol=5), memory, spans)
        with memory:
            try:
                yield crew
            finally:
                _dismiss(self._staff, list(crew.running))
                for worker in self._staff:
                    worker.forget(memory)


class _Crew:
    def __init__(self, size: int, staff: list[_Worker], function: bytes, memory: IO[bytes], spans: Spans) -> None:
        self._size, self._staff, self._function, self._memory, self._spans = size, staff, function, memory, spans
        self.running: dict[_Worker, Task] = {}

    def has_room(self) -> bool:
        return len(self.running) < self._size

    def start(self, task: Task) -> None:
        work = [self._function, *sendable(task.value, task)]
        worker = next((worker for worker in self._staff if worker.idle and worker.process.poll() is None), None)
        if worker is None:
            worker = _Worker()
            self._staff.append(worker)
        worker.idle = False
        self.running[worker] = task
        try:
            worker.give(work, self._memory, self._spans)
        except OSError:
            raise worker.loss(task) from None

    def finished(self) -> dict[int, Any]:
        ready = wait([worker.link for worker in self.running])
        return dict(self._result(worker) for worker in list(self.running) if worker.link in ready)

    def _result(self, worker: _Worker) -> tuple[int, Any]:
        try:
            answer = receive(worker.link)
        except (EOFError, OSError):
            raise worker.loss(self.running[worker]) from None
        task = self.running.pop(worker)
        worker.idle = True
        return task.number, task.outcome(answer)


class _Worker:
    """A process, and the socket to it."""

    def __init__(self) -> None:
        self.link, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM.format(path=sys.path)], stdin=theirs.fileno())
        self.idle = True
        self._memory: IO[bytes] | None = None

    def give(self, work: list[Piece], memory: IO[bytes], spans: Spans) -> None:
        """Send work, and what is shared unless the worker holds it."""
        if memory is not self._memory:
            send(self.link, [pickle.dumps(spans)])
            socket.send_fds(self.link, [b"."], [memory.fileno()])
            self._memory = memory
        send(self.link, [b"", *work])

    def forget(self, memory: IO[bytes]) -> None:
        """Let an idle worker free what was shared."""
        if memory is self._memory:
            self._memory = None
            with suppress(OSError):  # one that died is noticed at its next task
                send(self.link, [pickle.dumps([])])

    def loss(self, task: Task) -> WorkerError:
        """What to say of a worker that does not answer."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE)
        status = self.process.returncode
        if status is None:
            how = "closed its connection"
        else:
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return WorkerError(f"a worker process {how} at {task}; if memory ran out, use fewer workers or smaller tasks")

    def hang_up(self) -> None:
        self.link.close()
        self.process.terminate()


def _dismiss(staff: list[_Worker], leaving: list[_Worker]) -> None:
    """End some of the staff, whatever they are at."""
    staff[:] = [worker for worker in staff if worker not in leaving]
    for worker in leaving:
        worker.hang_up()
    deadline = time.monotonic() + GRACE
    try:
        for worker in leaving:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        pass  # compiled code does not hear a request
    finally:
        for worker in leaving:
            worker.process.kill()
            worker.process.wait()
