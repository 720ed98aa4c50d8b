"""Work without workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from armillary.compute.contract import Executor, Task


class Serial(Executor):
    """Every task in this process, each when its result is asked for; tasks and results are handed over as they are."""

    workers = 1

    def _end(self) -> None:
        """There is nobody to end."""

    @contextmanager
    def _crew(self, function: Callable, shared: tuple) -> Iterator[_Crew]:
        yield _Crew(function, shared)


class _Crew:
    def __init__(self, function: Callable, shared: tuple) -> None:
        self._function, self._shared = function, shared
        self._tasks: list[Task] = []

    def has_room(self) -> bool:
        return not self._tasks

    def start(self, task: Task) -> None:
        self._tasks.append(task)

    def finished(self) -> dict[int, Any]:
        task = self._tasks.pop()
        try:
            return {task.number: self._function(*self._shared, task.value)}
        except Exception as error:
            error.add_note(f"at {task}")
            raise
