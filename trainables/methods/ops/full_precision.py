"""Differences of nearly equal gradients need every bit of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from trainables.methods.objective import Objective
from trainables.precision import rounding


@contextmanager
def full_precision(objective: Objective) -> Iterator[None]:
    """Within the block: no autocast, and no matrix products in TF32 or bfloat16.

    A difference of gradients, about H times a small displacement, and second and third derivatives
    would be lost in their 8 to 11 significant bits.
    """
    objective.inputs = in_precision(objective.inputs, objective.params[0].dtype)
    with rounding("ieee"), torch.autocast(objective.device.type, enabled=False):
        yield


def in_precision(inputs: Any, dtype: torch.dtype) -> Any:
    """``inputs`` with their floating-point tensors in ``dtype``."""
    return pytree.tree_map_only(
        Tensor, lambda t: t.to(dtype) if t.is_floating_point() else t, inputs
    )


__all__ = ["full_precision"]
