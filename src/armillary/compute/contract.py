"""What every executor promises, and what the executors share."""

from __future__ import annotations

import pickle
import reprlib
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

from armillary.compute.wire import Piece, cut, joined
from armillary.errors import OptionError, WorkerError

Result = TypeVar("Result")
Progress = Callable[[int, int], None]

#: A worker is one thread, whatever its libraries like: there are as many workers as there is room for.
SINGLE_THREADED = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"), "1")

#: Tasks per worker that may be begun or done before the result wanted next is there: so many wait in memory, and so long
#: may one task take, against the others, before it leaves workers idle.
AHEAD = 4

#: Seconds in which a task that is stopped may tidy up (remove a half-written file).
GRACE = 1.0

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 100


class Executor(ABC):
    """Calls one function for many tasks.

    Use it as a context: leaving it, by an error or Ctrl-C too, ends the workers and frees what was shared.

    Attributes
    ----------
    workers : tasks that run at the same time.
    """

    workers: int
    _closed = False

    def map(
        self, function: Callable[..., Result], tasks: Collection[Any], *, shared: Any = None,
        progress: Progress | None = None,
    ) -> Iterator[Result]:
        """Results of ``function(task)``, or of ``function(shared, task)``, in the order of the tasks.

        Work begins when the first result is asked for; leaving the iterator early stops it. A few tasks per worker are
        in the works at any time, so that neither tasks nor results pile up.

        Parameters
        ----------
        function : what a worker can import: defined at the top of a module, or a ``functools.partial`` of that.
        tasks : small values, one for each call; what is large and the same for all belongs in ``shared``.
        shared : sent to a worker once, not with every task. Contiguous NumPy arrays in it, those in dataclasses too,
            are not copied: all workers read the same memory, and cannot write to it.
        progress : called in this thread with the number of finished tasks and of all tasks.

        Raises
        ------
        OptionError
            The function has no name to import it by, or a task or the shared value cannot be pickled.
        WorkerError
            A worker died at a task, which the message names; or the executor is closed.
        Exception
            What the function raised, as soon as it did; notes name the task and the place. The other tasks are stopped.
        """
        name = getattr(function, "__qualname__", repr(function))
        if getattr(function, "__module__", None) == "__main__":
            raise OptionError(f"{name} is defined in the program itself, where no worker finds it; move it to a module")
        sendable(function, f"{name} has no name to import it by (is it at the top of a module?), and")
        return self._stream(self._crew(function, () if shared is None else (shared,)), tasks, progress)

    def close(self) -> None:
        """End the workers, and free what they hold; nothing can be asked of them any more."""
        if not self._closed:
            self._closed = True
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _end(self) -> None:
        """End the workers, whatever they are at."""

    @abstractmethod
    def _crew(self, function: Callable, shared: tuple) -> AbstractContextManager[Crew]:
        """Workers for one ``map``; leaving the context stops what they still do."""

    def _stream(self, context: AbstractContextManager[Crew], tasks: Collection[Any], progress: Progress | None) -> Iterator:
        waiting = (Task(number, value) for number, value in enumerate(tasks))
        results: dict[int, Any] = {}
        started, total = 0, len(tasks)
        self._require_open(0, total)
        with context as crew:
            for wanted in range(total):
                while True:
                    self._require_open(wanted, total)
                    while started < min(wanted + AHEAD * self.workers, total) and crew.has_room():
                        crew.start(next(waiting))
                        started += 1
                    if wanted in results:
                        break
                    results.update(crew.finished())
                    if progress is not None:
                        progress(wanted + len(results), total)
                yield results.pop(wanted)

    def _require_open(self, done: int, total: int) -> None:
        if self._closed:
            raise WorkerError(f"the executor was closed when {done} of {total} results were handed out")


class Crew(Protocol):
    """Workers at the tasks of one ``map``."""

    def has_room(self) -> bool:
        """True when another task may be handed in."""

    def start(self, task: Task) -> None:
        """Hand in a task."""

    def finished(self) -> dict[int, Any]:
        """Wait for a result, at least one; results by the number of their task."""


@dataclass(frozen=True, eq=False)
class Task:
    """One call: its place in the order, and its argument."""

    number: int
    value: Any

    def __str__(self) -> str:
        return f"task {self.number} ({' '.join(_short.repr(self.value).split())})"

    def outcome(self, answer: Sequence[Piece]) -> Any:
        """What :func:`attempt` says: the result, or the error, which is raised."""
        succeeded, value = joined(answer)
        if succeeded:
            return value
        value.add_note(f"at {self}")
        raise value


def sendable(value: Any, name: object) -> list[Piece]:
    """Cut a value into pieces, or say why it, under some name, cannot be sent."""
    try:
        return cut(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise OptionError(f"{name} cannot be sent to a worker: {error}") from error


def attempt(function: bytes, task: Sequence[Piece], *shared: Any) -> list[Piece]:
    """In a worker: call the function, and tell what comes of it for :meth:`Task.outcome`."""
    try:
        return cut((True, pickle.loads(function)(*shared, joined(task))))
    except Exception as error:  # noqa: BLE001 - raised again in the caller
        error.add_note(f"in a worker:\n{traceback.format_exc()}")
        return cut((False, _lasting(error)))


def _lasting(error: Exception) -> Exception:
    """The error itself, or words for one that does not survive the way."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - errors of any library, made in any way
        words = WorkerError(f"{type(error).__name__}: {error}")
        words.__notes__ = error.__notes__
        return words
    return error
