"""How a trial is run on this machine: the options that do not change its numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from trainables.config import Request


@dataclass(frozen=True)
class Execution:
    """Options of running a trial that do not change its numbers, and so are not in its name.

    Attributes:
        device: ``auto`` takes the GPU if there is one.
        data_dir: Where data sets are; None: ``$FLATSWEEP_DATA`` or the user's cache folder.
        threads: CPU threads. Sums are ordered by thread, so one value gives one set of bits.
        checkpoint_every: Seconds of training between checkpoints.
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
        """The device that ``device`` names on this machine."""
        if self.device != "auto":
            return torch.device(self.device)
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")


DEFAULT_EXECUTION = Execution()
"""On this machine, with every option at its default."""


@contextlib.contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Deterministic kernels, a fixed number of threads and a private global generator."""
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
    )
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        torch.backends.cudnn.benchmark = before[3]
