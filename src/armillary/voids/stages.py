"""A clock for the stages of a finder: seconds of CPU for the record, and a word to whoever draws the progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Called as ``progress(stage, fraction)`` with fraction from 0 to 1.
Progress = Callable[[str, float], None]


@dataclass
class Stages:
    """CPU seconds by stage, in the order in which the stages ran."""

    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Time a stage; yields a function that reports the fraction done."""

        def report(fraction: float) -> None:
            if self.progress is not None:
                self.progress(name, fraction)

        report(0.0)
        start = time.process_time()
        yield report
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start
        report(1.0)
