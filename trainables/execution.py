"""How a trial is run on this machine: the options that do not change its numbers."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from trainables.config import Request
from trainables.errors import FlatsweepError
from trainables.precision import rounding


@dataclass(frozen=True)
class Execution:
    """Options of running a trial that do not change its numbers, and so are not in its name.

    Attributes:
        device: ``auto`` takes the GPU if there is one.
        data_dir: Where data sets are; None: ``$FLATSWEEP_DATA`` or the user's cache folder.
        threads: CPU threads. Sums are ordered by thread, so one value gives one set of bits.
        checkpoint_every: Seconds of training between checkpoints, at least: a large one comes
            later (`trainables.storage.checkpoint_writer`). 0: one after every epoch.
        keep_weights: Which weights stay in storage when the trial is finished.
        measures: What is measured on the model besides error, NLL and calibration.
        train_samples: The final training numbers are of at most so many of the training images, the
            first ones; None: of all.
        shared_device: Other processes train on the same GPU. Then the images stay in the node's
            memory-mapped files, which all processes share, and travel batch by batch: a copy of
            each process's own would fill the GPU with the same pixels.
    """

    device: str = "auto"
    data_dir: Path | None = None
    threads: int = 1
    checkpoint_every: float = 60.0
    keep_weights: Literal["none", "last", "best"] = "none"
    measures: tuple[Request, ...] = ()
    train_samples: int | None = None
    shared_device: bool = False

    def torch_device(self) -> torch.device:
        """The device that ``device`` names on this machine.

        Raises:
            DeviceError: it is a GPU, and torch finds none that works.
        """
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        device = torch.device(self.device)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise DeviceError(
                f"the trial is to run on a GPU and torch finds none that works on "
                f"{platform.node()}: see what `sweep doctor` says there, or train on CPUs with "
                "--gpus 0"
            )
        return device


class DeviceError(FlatsweepError, RuntimeError):
    """A trial is for a device that is not there, or does not work."""


DEFAULT_EXECUTION = Execution()
"""On this machine, with every option at its default."""

WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
"""Without a workspace of a fixed size cuBLAS adds in another order each time. It is read when CUDA
starts."""

COMPILER = ("TORCHINDUCTOR_DETERMINISTIC", "1")
"""What a part compiles is deterministic, too. It is read when torch's compiler is imported."""

WARN, ERROR = 1, 2
"""torch's debug modes for operations without a deterministic kernel."""


@contextlib.contextmanager
def reproducible(threads: int, varying: bool = False) -> Iterator[None]:
    """Deterministic kernels, IEEE rounding, a fixed number of threads, a private global generator.

    An operation that has no deterministic kernel raises a RuntimeError that names it.

    Args:
        varying: It may: its network is declared to have one (`trainables.models.Layers`).
    """
    os.environ.setdefault(*WORKSPACE)
    os.environ.setdefault(*COMPILER)
    memory: Any = torch.utils.deterministic
    before = (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        torch.backends.cudnn.benchmark,
        memory.fill_uninitialized_memory,
    )
    torch.set_num_threads(threads)
    _set_determinism(WARN if varying else ERROR)
    torch.backends.cudnn.benchmark = False
    # No bit depends on it, and a kernel for each new tensor is most of a small network's step.
    memory.fill_uninitialized_memory = False
    try:
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
        with torch.random.fork_rng(devices=devices), rounding("ieee"):
            yield
    finally:
        torch.set_num_threads(before[0])
        _set_determinism(before[1])
        torch.backends.cudnn.benchmark = before[2]
        memory.fill_uninitialized_memory = before[3]


def _set_determinism(mode: int) -> None:
    """As torch.use_deterministic_algorithms, which imports the compiler to tell it: 1.7 s of each
    process that trains."""
    torch.set_deterministic_debug_mode(mode)
    if compiler := sys.modules.get("torch._inductor.config"):
        compiler.deterministic = mode > 0  # type: ignore[attr-defined]
