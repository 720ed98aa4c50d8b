"""What every test may rely on: repeatable Hypothesis runs, and the reference data where they are present."""

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

# The same examples in every run, and no deadline: the first call of a Numba kernel compiles it.
hypothesis.settings.register_profile("armillary", derandomize=True, deadline=None, print_blob=True, database=None)
hypothesis.settings.load_profile("armillary")


def pytest_collection_modifyitems(items):
    """Start the slow files first, so that workers finish together (see --no-loadscope-reorder in the Makefile)."""
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared():
    """Paths in the folder of real catalogues and reference results that may lie beside the checkout.

    ``shared("data/galaxy-catalogs/x.fits")`` is a path, or skips the test where the file is absent. The folder is
    ``../shared``, or the one that ARMILLARY_SHARED names.
    """
    folder = Path(os.environ.get("ARMILLARY_SHARED", ROOT.parent / "shared"))

    def locate(relative: str) -> Path:
        path = folder / relative
        if not path.exists():
            pytest.skip(f"needs {relative} in a folder of reference data ({folder}, or name another: ARMILLARY_SHARED)")
        return path

    return locate
