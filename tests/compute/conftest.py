"""Tasks that worker processes can import, and a bound on how long a test may hang."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)


@pytest.fixture(autouse=True)
def bounded():
    """A test that hangs fails after two minutes."""

    def give_up(*_):
        raise TimeoutError("the test hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def start(program, *arguments):
    """A Python program in a process group of its own, as a shell starts one."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *map(str, arguments)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, "PYTHONPATH": HERE})


def pids_of_workers(folder, number):
    """Process numbers that tasks left in a folder, once there are so many."""
    while len(marks := list(folder.glob("pid-*"))) < number:
        time.sleep(0.05)
    return [int(mark.name.partition("-")[2]) for mark in marks]


def runs(pid):
    """Whether a process is alive, by what Linux says of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids):
    """Returns when none of the processes runs any more."""
    while any(map(runs, pids)):
        time.sleep(0.05)
