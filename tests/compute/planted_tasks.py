"""Functions that the tests hand to workers: what a worker calls has to be importable."""

import itertools
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from armillary.errors import CoordinateError


@dataclass(frozen=True)
class Survey:
    """A noun with arrays in it."""

    name: str
    positions: np.ndarray
    weights: np.ndarray


class TwoWordError(Exception):
    """An error that cannot be unpickled: its constructor takes something else than its message."""

    def __init__(self, quantity, value):
        super().__init__(f"{quantity} is {value}")


def square(x):
    return x * x


def after(seconds_and_value):
    seconds, value = seconds_and_value
    time.sleep(seconds)
    return value


def weighted(survey, scale):
    return scale * float(survey.weights @ survey.positions[:, 0])


def lines_of(path):
    return len(Path(path).read_text().splitlines())


def shared_flags(survey, _):
    return [(a.flags.writeable, a.flags.owndata) for a in (survey.positions, survey.weights)]


def write(survey, _):
    survey.positions[0] = 1.0


def zeros(n):
    return np.zeros(n)


def twice(array):
    return 2 * array


def refuse(x):
    if x == 3:
        raise CoordinateError(f"x is {x}; expected another number")
    return x


def refuse_oddly(_):
    raise TwoWordError("x", 3)


def mark_and_fail(folder_and_number):
    """The first task fails at once, the others leave a mark when they begin and when they end."""
    folder, number = folder_and_number
    if number == 0:
        raise CoordinateError("the first task")
    (folder / f"begun-{number}").touch()
    time.sleep(30)
    (folder / f"ended-{number}").touch()


def tidy(path):
    """Works for long, and removes its half-written file if it is stopped."""
    path.touch()
    try:
        for _ in range(6000):
            time.sleep(0.01)
    finally:
        path.unlink()


def fail_when(path):
    while not path.exists():
        time.sleep(0.01)
    raise CoordinateError("the other file is there")


def one_of(function_and_argument):
    """Different work for different tasks."""
    function, argument = function_and_argument
    return function(argument)


def die_at(x):
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def unpicklable(_):
    return lambda: None


def speak(_):
    print("a task speaks")
    return 1


def environment(_):
    import numba

    return {name: value for name, value in os.environ.items() if "THREADS" in name}, numba.get_num_threads()


def threads_of_linear_algebra(_):
    """Threads in this process after a matrix product that a threaded library would share out."""
    matrix = np.ones((400, 400))
    assert (matrix @ matrix)[0, 0] == 400
    return len(list(Path("/proc/self/task").iterdir()))


def private_memory():
    """Bytes of this process's own memory: not of files, nor of memory shared with others."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Anonymous: +(\d+) kB", text, re.MULTILINE).group(1))


def memory_for_reading(survey, copies):
    """Growth of private memory when every element is read, in place or from a copy."""
    before = private_memory()
    positions = survey.positions.copy() if copies else survey.positions
    total = float(positions.sum())
    return total, private_memory() - before, os.getpid()


def process(_):
    time.sleep(0.2)
    return os.getpid()


def deaf(folder):
    """Leaves its process number and computes for minutes, in compiled code that hears no signal."""
    (folder / f"pid-{os.getpid()}").touch()
    return sum(itertools.repeat(1, 10**11))


def brief(folder):
    """Leaves its process number and takes a moment."""
    (folder / f"pid-{os.getpid()}").touch()
    time.sleep(0.5)


def shared_mappings(_):
    """Bytes of nameless shared memory that this process has mapped."""
    rows = (row for row in Path("/proc/self/maps").read_text().splitlines() if "memfd:armillary" in row)
    return sum(int(end, 16) - int(start, 16) for start, _, end in (row.split()[0].partition("-") for row in rows))


def shared_mappings_beside(_, task):
    return shared_mappings(task)
