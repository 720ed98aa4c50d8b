"""Processes of this machine: what becomes of them, of their memory and of their descriptors."""

import os
import signal
from pathlib import Path

import numpy as np
import planted_tasks as planted
import pytest

from armillary.compute import Processes
from armillary.errors import CoordinateError, OptionError

from .conftest import pids_of_workers, start, wait_until_gone

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux about processes")

AT_WORK = """
import pathlib, sys
import planted_tasks as planted
from armillary.compute import Processes
with Processes(2) as executor:
    list(executor.map(getattr(planted, sys.argv[1]), [pathlib.Path(sys.argv[2])] * 8))
"""


def test_ctrl_c_ends_workers_that_do_not_listen(tmp_path):
    program = start(AT_WORK, "deaf", tmp_path)
    pids = pids_of_workers(tmp_path, 2)
    os.killpg(program.pid, signal.SIGINT)
    _, words = program.communicate()
    assert program.returncode == -signal.SIGINT
    assert words.strip().endswith("KeyboardInterrupt")
    assert words.count("Traceback") == 1
    wait_until_gone(pids)


def test_workers_end_with_their_task_when_the_program_is_killed(tmp_path):
    program = start(AT_WORK, "brief", tmp_path)
    pids = pids_of_workers(tmp_path, 2)
    program.kill()
    program.communicate()
    wait_until_gone(pids)


def test_a_program_that_forgets_to_close_leaves_no_worker():
    program = start("""
import planted_tasks as planted
from armillary.compute import Processes
executor = Processes(2)
print(*executor.map(planted.process, range(2)))
""")
    pids, _ = program.communicate()
    wait_until_gone([int(pid) for pid in pids.split()])


def test_nothing_is_said_on_stderr(tmp_path):
    program = start(AT_WORK, "brief", tmp_path)
    out, words = program.communicate()
    assert (program.returncode, out, words) == (0, "", "")


def test_no_descriptor_and_no_child_is_left():
    def descriptors():
        return {path.name: str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()}

    before = descriptors()
    with Processes(2) as executor:
        assert sum(executor.map(planted.square, range(10))) == 285
        with pytest.raises(CoordinateError):
            list(executor.map(planted.refuse, range(10)))
        pids = set(executor.map(planted.process, range(4)))
    assert descriptors() == before
    wait_until_gone(pids)


def test_closing_ends_workers_at_work_too(tmp_path):
    with Processes(2) as executor:
        results = executor.map(planted.one_of, [(planted.process, 0), *[(planted.deaf, tmp_path)] * 3])
        pid = next(results)
        pids = pids_of_workers(tmp_path, 2)
        assert pid in pids
    wait_until_gone(pids)
    results.close()


def test_what_was_shared_is_freed_when_the_iterator_ends():
    large = planted.Survey("large", np.zeros((1_000_000, 3)), np.zeros(1))
    with Processes(1) as executor:
        (during,) = executor.map(planted.shared_mappings_beside, [0], shared=large)
        (after,) = executor.map(planted.shared_mappings, [0])
    assert during > 24_000_000
    assert after < 1_000_000


def test_linear_algebra_starts_no_thread():
    with Processes(1) as executor:
        assert list(executor.map(planted.threads_of_linear_algebra, [0])) == [1]


def test_workers_are_at_least_one():
    with pytest.raises(OptionError, match="workers is 0; expected 1 or more"):
        Processes(0)

