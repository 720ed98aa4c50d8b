"""Ray: joining a cluster and leaving it, and what a mistake says."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from armillary.compute import RayCluster, ray_cluster
from armillary.errors import OptionError, WorkerError

from .conftest import pids_of_workers, start, wait_until_gone

pytestmark = pytest.mark.slow

AT_WORK = """
import pathlib, sys
import planted_tasks as planted
from armillary.compute import RayCluster, ray_cluster
with RayCluster(workers=2) as executor:
    list(executor.map(planted.deaf, [pathlib.Path(sys.argv[1])] * 8))
"""

VISITOR = """
import operator
from armillary.factory import Services
with Services.configured(workers=1).executor() as executor:
    print(type(executor).__name__, executor.workers, *executor.map(operator.neg, range(5)))
"""


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nowhere", "Invalid address format"),
        ("127.0.0.1:1", "Connection refused"),
        ("no.such.host:6379", "gaierror"),
    ],
)
def test_an_address_without_a_cluster_is_one_sentence(address, reason):
    with pytest.raises(WorkerError) as caught:
        RayCluster(address)
    message = str(caught.value)
    assert message.startswith(f"the Ray cluster at {address} cannot be used: ")
    assert reason in message
    assert "correct ray_address" in message
    assert "\n" not in message


def test_a_server_that_is_no_ray_is_given_up_on(monkeypatch):
    monkeypatch.setattr(ray_cluster, "_PATIENCE", 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(WorkerError, match=f"^no Ray cluster answers at {address} within 3 s; correct ray_address"):
            RayCluster(address)


def test_ray_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r"which is not installed; install armillary\[ray\], or choose processes"):
        RayCluster()


def test_neither_ray_nor_numpy_is_imported_before_it_is_used():
    program = """
import sys
import operator, armillary.compute, armillary.factory
with armillary.factory.Services.configured(workers=2).executor() as executor:
    assert list(executor.map(operator.neg, [1, 2])) == [-1, -2]
print({"ray", "numpy"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks Linux about processes")
def test_ctrl_c_ends_workers_that_do_not_listen(tmp_path):
    program = start(AT_WORK, tmp_path)
    pids = pids_of_workers(tmp_path, 2)
    os.killpg(program.pid, signal.SIGINT)
    program.communicate()
    assert program.returncode != 0
    wait_until_gone(pids)


def test_a_running_cluster_is_joined_and_left_running():
    with RayCluster(workers=2) as cluster:
        import ray

        address = ray.get_runtime_context().gcs_address
        environment = {**os.environ, "ARMILLARY_EXECUTOR": "ray", "ARMILLARY_RAY_ADDRESS": address}
        done = subprocess.run([sys.executable, "-c", VISITOR], capture_output=True, text=True, env=environment)
        assert done.stdout == "RayCluster 2 0 -1 -2 -3 -4\n", done.stderr
        with RayCluster("some.where.else:6379") as second:  # this program is connected already, and stays so
            assert list(second.map(abs, [-1])) == [1]
        unfinished = cluster.map(abs, range(-20, 0))
        assert next(unfinished) == 20
        assert list(cluster.map(os.getenv, ["RAY_USAGE_STATS_ENABLED"])) == ["0"]
    for results in (unfinished, cluster.map(abs, [1], shared=2)):
        with pytest.raises(WorkerError, match="the executor was closed"):
            next(results)
    assert not ray.is_initialized()
