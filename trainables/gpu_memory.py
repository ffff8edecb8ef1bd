"""A process's share of a GPU's memory, and what a trial gives back of it when it ends.

One process trains trial after trial (an actor of Ray Tune is used again), and several may share a
GPU. torch keeps what it has once reserved, for the next tensors of the same process: a large trial
would leave its neighbours without memory long after it has ended, and a trial that needs more than
its share would take theirs, so that one of them fails and not it.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import torch

WHOLE = 1.0
"""Of a GPU's memory, for a process that has it alone."""


@contextlib.contextmanager
def share_of_memory(device: torch.device, gpus: float) -> Iterator[None]:
    """Within, this process reserves at most its share of the GPU; afterwards it keeps nothing that
    is not in use. On a CPU it does nothing.

    Beyond the share torch raises `torch.OutOfMemoryError`: the trial has failed of its own memory
    (`trainables.causes`), and is tried again once. CUDA's context and its libraries, about half a
    gigabyte a process, are not in the share: torch does not count them.

    Args:
        gpus: GPUs that are reserved for the process: a fraction is its share of one, also of the
            memory. 0, or 1 and more: it has what there is.
    """
    if device.type != "cuda":
        yield
        return
    torch.cuda.set_per_process_memory_fraction(gpus if 0 < gpus < 1 else WHOLE, device)
    try:
        yield
    finally:
        gc.collect()  # a trial's parts refer to each other: they live until then
        torch.cuda.empty_cache()


__all__ = ["share_of_memory"]
