"""How float32 products and convolutions are rounded.

``ieee`` is what float32 says. A GPU can round their inputs to 10 bits first (``tf32``), which is
cuDNN's default and faster; a CPU computes as IEEE says either way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import torch

_BACKENDS: Any = torch.backends
_OF_GPUS = (_BACKENDS.cuda.matmul, _BACKENDS.cudnn.conv, _BACKENDS.cudnn.rnn)
_OF_CPUS = (_BACKENDS.mkldnn.matmul, _BACKENDS.mkldnn.conv)


@contextlib.contextmanager
def rounding(how: Literal["ieee", "tf32"]) -> Iterator[None]:
    """Within the block products and convolutions on a GPU are rounded so; afterwards as before."""
    kinds = dict.fromkeys(_OF_GPUS, how) | dict.fromkeys(_OF_CPUS, "ieee")
    before = [backend.fp32_precision for backend in kinds]
    try:
        for backend, kind in kinds.items():
            backend.fp32_precision = kind
        yield
    finally:
        for backend, kind in zip(kinds, before, strict=True):
            backend.fp32_precision = kind


@contextlib.contextmanager
def training_passes(precision: str, device: torch.device) -> Iterator[None]:
    """Within the block forward and backward passes are as a trial's ``precision`` says.

    Weights, evaluation and measures are not: they are in float32 (or float64) whatever it is.
    """
    low = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    with low, rounding("tf32") if precision == "tf32" else contextlib.nullcontext():
        yield


__all__ = ["rounding", "training_passes"]
