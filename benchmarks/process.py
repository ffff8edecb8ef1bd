"""A process in which CPU times of steps may be compared."""

from __future__ import annotations

import os
import sys

SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "KINETO_LOG_LEVEL": "5",
}
"""Without the first two glibc returns large blocks to the system, and the step after a large one
pays for their page faults: ratios are then wrong by 2. The last keeps torch's profiler quiet."""


def settle(module: str) -> None:
    """Start ``python -m module`` with the same arguments anew, if `SETTINGS` are not in force."""
    if sys.platform == "linux" and not SETTINGS.keys() <= os.environ.keys():
        command = [sys.executable, "-m", module, *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **SETTINGS})
