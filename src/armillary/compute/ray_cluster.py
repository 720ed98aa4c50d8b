"""Workers of a Ray cluster."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from armillary.compute.contract import GRACE, SINGLE_THREADED, Executor, Task, attempt, sendable
from armillary.compute.wire import Piece
from armillary.errors import OptionError, WorkerError

#: Seconds that a cluster has to answer. Ray itself goes on trying for minutes, and cannot be told not to.
_PATIENCE = 30

_VISIT = """
import logging, socket, sys
host, _, port = sys.argv[1].rpartition(":")
try:
    if port.isdigit() and "/" not in host:
        socket.create_connection((host, port), timeout=5).close()  # refused at once, where Ray would go on trying
    import ray
    ray.init(sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
except Exception as error:
    sys.exit(" ".join(f"{type(error).__name__}: {error}".split()))
"""


class RayCluster(Executor):
    """Workers of a Ray cluster, one for each of its CPUs; its nodes need the same Armillary as this program.

    Parameters
    ----------
    address : ``host:port`` of the cluster's head, or "auto" for the cluster that this machine belongs to. None starts a
        Ray of ``workers`` CPUs on this machine, without dashboard and usage reports, that ends with this executor.
        A program that is connected to Ray already stays with that.
    workers : CPUs of the Ray to start.

    Raises
    ------
    OptionError
        Ray is not installed.
    WorkerError
        No cluster answers at the address, or one with other versions of Ray or Python.
    """

    def __init__(self, address: str | None = None, *, workers: int = 1) -> None:
        try:
            import ray
        except ModuleNotFoundError as error:
            raise OptionError(
                "the executor ray needs Ray, which is not installed; install armillary[ray], or choose processes") from error
        self._ray, self._joined = ray, not ray.is_initialized()
        variables = dict(SINGLE_THREADED)
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self._joined and address is None:
            os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # noqa: TID251 - set for the Ray that starts here
            variables["PYTHONPATH"] = os.pathsep.join(sys.path)  # on other machines it would mean nothing
            ray.init("local", num_cpus=workers, include_dashboard=False, **quiet)
        elif self._joined:
            _check(str(address))
            ray.init(address, **quiet)
        self.workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
        # No second try: a task that killed its worker would do so again.
        self._attempt = ray.remote(num_cpus=1, max_retries=0, runtime_env={"env_vars": variables})(_attempt)

    def _end(self) -> None:
        if self._joined:
            self._ray.shutdown()

    @contextmanager
    def _crew(self, function: Callable, shared: tuple) -> Iterator[_Crew]:
        sendable(shared, "the shared value")  # Ray would say in a page what this says in a sentence
        sent = [self._ray.put(value) for value in shared]
        crew = _Crew(self._ray, self._attempt, pickle.dumps(function, protocol=5), sent)
        try:
            yield crew
        finally:
            crew.stop()


class _Crew:
    def __init__(self, ray: Any, remote: Any, function: bytes, shared: list) -> None:
        self._ray, self._attempt, self._function, self._shared = ray, remote, function, shared
        self._running: dict[Any, Task] = {}

    def has_room(self) -> bool:
        return True  # Ray itself keeps a task until a CPU is free

    def start(self, task: Task) -> None:
        pieces = _enclosed(sendable(task.value, task))
        self._running[self._attempt.remote(self._function, pieces, *self._shared)] = task

    def finished(self) -> dict[int, Any]:
        (reference,), _ = self._ray.wait(list(self._running))
        task = self._running.pop(reference)
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines()  # a traceback, or a sentence and its explanation
            reason = lines[-1] if isinstance(error, self._ray.exceptions.RayTaskError) else lines[0]
            raise WorkerError(f"Ray failed at {task}: {reason}") from error
        return {task.number: task.outcome(_own(answer))}

    def stop(self) -> None:
        # After the connection ended, asking Ray for anything would start another Ray.
        if self._running and self._ray.is_initialized():
            for reference in self._running:
                self._ray.cancel(reference)
            _, deaf = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=GRACE)
            for reference in deaf:
                self._ray.cancel(reference, force=True)


def _attempt(function: bytes, task: list, *shared: Any) -> list[pickle.PickleBuffer]:
    return _enclosed(attempt(function, _own(task), *shared))


def _enclosed(pieces: list[Piece]) -> list[pickle.PickleBuffer]:
    """Pieces that Ray carries as they are."""
    return [pickle.PickleBuffer(piece) for piece in pieces]


def _own(pieces: list) -> list[Piece]:
    """Pieces in memory that can be written to, unlike Ray's."""
    return [bytearray(piece) for piece in pieces]


def _check(address: str) -> None:
    """Try the address in a process that can be ended."""
    advice = "correct ray_address, or start a cluster there"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _VISIT, address], capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise WorkerError(f"no Ray cluster answers at {address} within {_PATIENCE} s; {advice}") from None
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise WorkerError(f"the Ray cluster at {address} cannot be used: {reason}; {advice}")
