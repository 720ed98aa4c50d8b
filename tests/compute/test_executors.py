"""What every executor promises: one suite, three executors, with a real Ray."""

import contextlib
import functools
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import planted_tasks as planted
import pytest

from armillary.compute import Processes, RayCluster, Serial
from armillary.errors import CoordinateError, OptionError, WorkerError

pytestmark = pytest.mark.slow

EXECUTORS = {
    "serial": Serial,
    "processes": functools.partial(Processes, 2),
    "ray": functools.partial(RayCluster, workers=2),
}


@pytest.fixture(scope="module")
def opened():
    """An executor by name; each is opened once."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda name: stack.enter_context(EXECUTORS[name]()))


@pytest.fixture(params=EXECUTORS)
def executor(request, opened):
    return opened(request.param)


@pytest.fixture(params=["processes", "ray"])
def workers(request, opened):
    """An executor whose tasks run elsewhere."""
    return opened(request.param)


@pytest.fixture(scope="module")
def survey():
    rng = np.random.default_rng(5)
    return planted.Survey("planted", rng.normal(size=(1000, 3)), rng.random(1000))


def test_results_come_in_the_order_of_the_tasks(executor):
    tasks = [(0.2, "slow"), (0.0, "fast"), (0.1, "middle"), (0.0, "last")]
    assert list(executor.map(planted.after, tasks)) == ["slow", "fast", "middle", "last"]


def test_many_tasks(executor):
    assert list(executor.map(planted.square, range(500))) == [x * x for x in range(500)]


def test_no_tasks(executor):
    assert list(executor.map(planted.square, [])) == []


def test_none_is_a_result(executor):
    assert list(executor.map(planted.after, [(0, None)] * 3)) == [None] * 3


def test_one_task_for_each_file(executor, tmp_path):
    paths = [tmp_path / f"{n}.txt" for n in range(20)]
    for n, path in enumerate(paths):
        path.write_text("line\n" * n)
    assert list(executor.map(planted.lines_of, paths)) == list(range(20))


def test_shared_value_is_the_first_argument(executor, survey):
    expected = [scale * float(survey.weights @ survey.positions[:, 0]) for scale in range(10)]
    assert list(executor.map(planted.weighted, range(10), shared=survey)) == pytest.approx(expected, rel=1e-13)


def test_one_shared_value_after_another_and_none(executor, survey):
    other = planted.Survey("other", np.ones((2, 3)), np.ones(2))
    first = list(executor.map(planted.weighted, [1.0], shared=survey))
    assert list(executor.map(planted.weighted, [1.0, 2.0], shared=other)) == [2.0, 4.0]
    assert list(executor.map(planted.square, [3])) == [9]
    assert list(executor.map(planted.weighted, [1.0], shared=survey)) == first


def test_two_iterators_at_once(executor, survey):
    squares = executor.map(planted.square, range(20))
    sums = executor.map(planted.weighted, range(20), shared=survey)
    total = float(survey.weights @ survey.positions[:, 0])
    for n, (square, weighted) in enumerate(zip(squares, sums, strict=True)):
        assert square == n * n
        assert weighted == pytest.approx(n * total, rel=1e-13)


def test_large_arrays_go_there_and_back(executor):
    rng = np.random.default_rng(3)
    tasks = [rng.normal(size=(n, 3)) for n in (0, 1, 100_000, 300_000)]
    for task, result in zip(tasks, executor.map(planted.twice, tasks), strict=True):
        assert np.array_equal(result, 2 * task)


def test_results_are_the_callers_own(executor):
    (result,) = executor.map(planted.zeros, [300_000])
    result += 1.0
    assert result.sum() == 300_000


def test_few_tasks_are_begun_ahead_and_few_results_wait(executor):
    class Tasks(list):
        taken = 0

        def __iter__(self):
            for task in super().__iter__():
                self.taken += 1
                yield task

    tasks = Tasks(range(200))
    results = executor.map(planted.square, tasks)
    assert tasks.taken == 0
    for n, _ in enumerate(results, start=1):
        assert tasks.taken <= n + 4 * executor.workers


def test_results_are_not_kept(executor):
    results = executor.map(planted.zeros, [10_000] * 3)
    first = weakref.ref(next(results))
    next(results)
    assert first() is None
    results.close()


def test_progress_counts_finished_tasks_in_this_thread(executor):
    seen = []
    results = executor.map(
        planted.square, range(20), progress=lambda done, total: seen.append((done, total, threading.get_ident())))
    assert sum(results) == 2470
    done = [row[0] for row in seen]
    assert done == sorted(set(done))
    assert done[-1] == 20
    assert {row[1:] for row in seen} == {(20, threading.get_ident())}


def test_error_of_a_task_is_raised_as_it_is_and_names_the_task(executor):
    with pytest.raises(CoordinateError) as caught:
        list(executor.map(planted.refuse, range(6)))
    assert str(caught.value) == "x is 3; expected another number"
    assert "at task 3 (3)" in caught.value.__notes__
    assert list(executor.map(planted.square, [2])) == [4]


def test_error_in_a_worker_brings_the_place(workers):
    with pytest.raises(CoordinateError) as caught:
        list(workers.map(planted.refuse, [3]))
    (place,) = (note for note in caught.value.__notes__ if "Traceback" in note)
    assert "planted_tasks.py" in place
    assert "in refuse" in place


def test_error_that_cannot_be_sent_keeps_its_words(workers):
    with pytest.raises(WorkerError) as caught:
        list(workers.map(planted.refuse_oddly, [0]))
    assert str(caught.value) == "TwoWordError: x is 3"
    assert any("in refuse_oddly" in note for note in caught.value.__notes__)


def test_result_that_cannot_be_sent_is_an_error(workers):
    with pytest.raises((AttributeError, TypeError), match="pickle") as caught:
        list(workers.map(planted.unpicklable, [7]))
    assert "at task 0 (7)" in caught.value.__notes__


def test_an_error_stops_the_others(executor, tmp_path):
    with pytest.raises(CoordinateError, match="the first task"):
        list(executor.map(planted.mark_and_fail, [(tmp_path, n) for n in range(50)]))
    assert len(list(tmp_path.glob("begun-*"))) <= executor.workers
    assert list(executor.map(planted.square, [2])) == [4]
    assert len(list(tmp_path.glob("begun-*"))) <= executor.workers
    assert list(tmp_path.glob("ended-*")) == []


def test_a_stopped_task_tidies_up(workers, tmp_path):
    half = tmp_path / "half-written"
    with pytest.raises(CoordinateError, match="the other file is there"):
        list(workers.map(planted.one_of, [(planted.tidy, half), (planted.fail_when, half)]))
    assert not half.exists()


def test_leaving_the_iterator_early_stops_the_work(executor, tmp_path):
    tasks = [(planted.square, 2), *((planted.mark_and_fail, (tmp_path, n)) for n in range(1, 20))]
    results = executor.map(planted.one_of, tasks)
    assert next(results) == 4
    results.close()
    assert list(executor.map(planted.square, [3])) == [9]
    assert list(tmp_path.glob("ended-*")) == []


def test_a_worker_that_dies_is_one_sentence_that_names_the_task(workers):
    with pytest.raises(WorkerError) as caught:
        list(workers.map(planted.die_at, range(6)))
    message = str(caught.value)
    assert "task 3 (3)" in message
    assert "\n" not in message
    assert list(workers.map(planted.square, range(4))) == [0, 1, 4, 9]


@pytest.mark.parametrize("make", [Serial, functools.partial(Processes, 2)])
def test_a_closed_executor_works_no_more(make):
    executor = make()
    results = executor.map(planted.square, range(100))
    assert next(results) == 0
    executor.close()
    executor.close()
    with pytest.raises(WorkerError, match="^the executor was closed when 1 of 100 results were handed out$"):
        next(results)
    with pytest.raises(WorkerError, match="the executor was closed"):
        next(executor.map(planted.square, [1]))


@pytest.mark.parametrize("function", [lambda x: x, functools.partial(lambda x, y: x, 1)])
def test_a_function_without_a_name_is_refused_at_once(executor, function):
    with pytest.raises(OptionError, match="top of a module"):
        executor.map(function, [1, 2])


def test_a_function_inside_a_function_is_refused_at_once(executor):
    def inner(x):
        return x

    with pytest.raises(OptionError, match="inner has no name to import it by"):
        executor.map(inner, [1, 2])


def test_a_function_of_the_program_itself_is_refused_at_once():
    program = """
from armillary.compute import Serial
def f(x):
    return x
try:
    Serial().map(f, [1])
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "OptionError f is defined in the program itself, where no worker finds it; move it to a module\n"


def test_a_task_that_cannot_be_sent_is_named(workers):
    with pytest.raises(OptionError, match=r"^task 1 \(<generator .*\) cannot be sent to a worker"):
        list(workers.map(planted.square, [1, (x for x in "abc")]))


def test_a_shared_value_that_cannot_be_sent(workers):
    with pytest.raises(OptionError, match="^the shared value cannot be sent to a worker"):
        list(workers.map(planted.weighted, [1], shared=threading.Lock()))


def test_shared_arrays_are_neither_copied_nor_writable(workers, survey):
    (flags, *_) = workers.map(planted.shared_flags, range(3), shared=survey)
    assert flags == [(False, False), (False, False)]
    with pytest.raises(ValueError, match="read-only"):
        list(workers.map(planted.write, [0], shared=survey))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="asks Linux for the memory of a process")
def test_memory_of_workers_does_not_grow_with_what_is_shared(workers):
    size = 200_000_000
    large = planted.Survey("large", np.ones(size // 8).reshape(-1, 1), np.ones(1))
    rows = list(workers.map(planted.memory_for_reading, [False] * 6, shared=large))
    assert {total for total, _, _ in rows} == {size / 8}
    assert max(growth for _, growth, _ in rows) < size / 20
    (_, growth, _), *_ = workers.map(planted.memory_for_reading, [True], shared=large)
    assert growth > 0.9 * size  # what the measurement says of a copy


def test_workers_are_processes_that_stay(workers):
    pids = set(workers.map(planted.process, range(8)))
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert set(workers.map(planted.process, range(8))) == pids


def test_libraries_in_workers_use_one_thread(workers):
    (environment, numba_threads), *_ = workers.map(planted.environment, range(2))
    assert numba_threads == 1
    assert {environment[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")} == {"1"}


def test_what_a_task_prints_is_no_data_of_the_program(workers, capfd):
    assert list(workers.map(planted.speak, [0])) == [1]
    assert "speaks" not in capfd.readouterr().out
