"""How long the command line takes to answer."""

from __future__ import annotations

import subprocess
import sys
import time


def help_seconds(repeat: int) -> dict[str, float]:
    """Wall-clock seconds of ``armillary --help``, and of a Python that does nothing, the fastest of ``repeat``."""

    def fastest(*command: str) -> float:
        best = float("inf")
        for _ in range(repeat):
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            best = min(best, time.perf_counter() - start)
        return round(best, 3)

    return {"armillary --help": fastest("-m", "armillary", "--help"), "bare python": fastest("-c", "pass")}
