"""Whether compiled kernels are on disk already, so that a person can be told why the first run takes longer."""

from __future__ import annotations

import sys
from pathlib import Path

from numba.core.registry import CPUDispatcher

#: What a person reads before the wait.
WORD = "compiling kernels for the first time (about 20 seconds; they are kept for later runs)"


def kernels_are_compiled(package: str) -> bool:
    """True when an index of compiled kernels newer than the source lies in the cache of any loaded module of ``package``.

    One module is enough: kernels of geometries that were never used stay uncompiled, and that is no news.
    """
    kernels = [
        (Path(str(module.__file__)), value)
        for name, module in list(sys.modules.items()) if name.startswith(f"{package}.")
        for value in vars(module).values() if isinstance(value, CPUDispatcher) and value.py_func.__module__ == name
    ]
    for source, kernel in kernels:
        cache = kernel.stats.cache_path
        if cache is None:
            continue
        indices = Path(cache).glob(f"{source.stem}.{kernel.py_func.__name__}-*.nbi")
        if any(index.stat().st_mtime >= source.stat().st_mtime for index in indices):
            return True
    return not kernels
