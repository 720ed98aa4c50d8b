"""Options of compiled functions, chosen for what they take to compile and to load."""

from __future__ import annotations

from typing import Any

#: Of functions that are called from Python: kept on disk, and division does not ask for zero.
KERNEL: dict[str, Any] = {"cache": True, "error_model": "numpy", "no_cfunc_wrapper": True}
#: Of functions that only compiled code calls: they need no way in from Python.
INNER: dict[str, Any] = KERNEL | {"no_cpython_wrapper": True}
