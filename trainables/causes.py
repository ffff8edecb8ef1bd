"""Why a trial failed, as far as that decides whether it is tried again, and where.

An error in the code is raised again wherever the trial runs. What a process, a device or a node
did to it is not.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

Cause = Literal["code", "memory", "device", "process", "node", "preemption"]
"""``code``: an exception that any node would raise. ``memory``: it had too little. ``device``: the
GPU is unusable to this process until it ends. ``process``: it died, nobody knows of what. ``node``:
it was lost with its node. ``preemption``: its node was taken away, as was agreed."""

TRIES_AGAIN: dict[Cause, int] = {
    "code": 0, "memory": 1, "device": 1, "process": 2, "node": 4, "preemption": 16,
}  # fmt: skip
"""How often a trial is started again for each."""

SENTENCES: dict[Cause, str] = {
    "code": "it raised an error",
    "memory": "it ran out of memory",
    "device": "its device failed",
    "process": "its process died",
    "node": "its node was lost",
    "preemption": "its node was preempted",
}

_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|CUBLAS_STATUS_ALLOC_FAILED", re.I
)
_DEVICE = re.compile(
    r"CUDA error\b|device-side assert|illegal memory access|uncorrectable ECC|"
    r"CUDNN_STATUS_(EXECUTION_FAILED|INTERNAL_ERROR)|CUBLAS_STATUS_EXECUTION_FAILED|HIP error\b",
    re.I,
)


def cause_of(error: BaseException) -> Cause:
    """Why a trial that raised ``error`` failed: ``code``, ``memory`` or ``device``.

    torch has classes for both of the latter, and raises plain RuntimeErrors of them too.
    """
    kind, text = type(error).__name__, str(error)
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return "memory"
    if kind == "DeviceError":
        return "device"
    if not isinstance(error, RuntimeError | OSError):
        return "code"
    if _MEMORY.search(text):
        return "memory"
    return "device" if kind == "AcceleratorError" or _DEVICE.search(text) else "code"


def explained(cause: Cause, error: str = "") -> str:
    """The cause in words, and the first line of the ``error``, if there is one."""
    first = error.strip().splitlines()[0] if error.strip() else ""
    return f"{SENTENCES[cause]} ({first})" if first else SENTENCES[cause]


assert TRIES_AGAIN.keys() == SENTENCES.keys() == set(get_args(Cause))

__all__ = ["SENTENCES", "TRIES_AGAIN", "Cause", "cause_of", "explained"]
