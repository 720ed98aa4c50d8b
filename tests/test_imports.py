"""What importing Armillary costs: no heavy library before its room is used, and no network ever."""

import subprocess
import sys

import pytest

HEAVY = ("astropy", "matplotlib", "numba", "pandas", "plotly", "pyarrow", "scipy", "skimage")


def modules_after(statement: str) -> set[str]:
    """Names of the modules that are loaded once a fresh interpreter has run the statement."""
    program = f"""
import sys
try:
    {statement}
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import armillary",
        "import armillary.io, armillary.plots, armillary.services, armillary.factory",
        "sys.argv = ['armillary', '--help']; from armillary.cli import main; main()",
        "sys.argv = ['armillary', 'voids', 'find', '--help']; from armillary.cli import main; main()",
    ],
)
def test_heavy_libraries_stay_in_their_rooms(statement):
    loaded = {name.partition(".")[0] for name in modules_after(statement)}
    assert loaded.isdisjoint(HEAVY)


def test_importing_opens_no_socket():
    program = """
import socket, sys
def refuse(*arguments, **options):
    raise OSError("a socket was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import importlib, pkgutil, armillary
for module in pkgutil.walk_packages(armillary.__path__, "armillary."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
