"""A batch: inputs that are a tensor or any structure of tensors, one row per sample.

A structure is a dict, a tuple, a list, or whatever else is registered with torch's pytrees, nested
to any depth. Whatever in it is no tensor is passed on unchanged.
"""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

from torch import Tensor
from torch.utils import _pytree as pytree

from trainables.errors import UsageError

Structure = TypeVar("Structure")


def take(batch: Structure, samples: Any) -> Structure:
    """Some of the samples, as a batch of the same structure.

    Args:
        samples: A slice, or a tensor of positions: indexes the first dimension of every tensor.
    """
    return pytree.tree_map_only(Tensor, lambda tensor: tensor[samples], batch)


def batch_size(batch: Any) -> int:
    """How many samples the batch has.

    Raises:
        UsageError: it has no tensor, or tensors with different numbers of rows.
    """
    sizes = {tuple(t.shape[:1]) for t in tensors(batch)}
    if len(sizes) == 1 and (size := sizes.pop()):
        return size[0]
    found = ", ".join(str(tuple(t.shape)) for t in tensors(batch))
    raise UsageError(
        "every tensor of a batch has one row per sample; "
        + (f"these have the shapes {found}" if found else "this one has no tensor")
    )


def tensors(batch: Any) -> list[Tensor]:
    """The tensors of ``batch``, in the order of its structure."""
    return [leaf for leaf in pytree.tree_leaves(batch) if isinstance(leaf, Tensor)]


def one_tensor(inputs: Any, who: str) -> Tensor:
    """``inputs``, after the check that they are a single floating-point tensor, such as images.

    Args:
        who: Which part needs such inputs; the refusal begins with it.

    Raises:
        UsageError: they are anything else.
    """
    if isinstance(inputs, Tensor) and inputs.is_floating_point():
        return inputs
    kind = inputs.dtype if isinstance(inputs, Tensor) else type(inputs).__name__
    raise UsageError(
        f"{who} changes images: it needs inputs that are one floating-point tensor, not {kind}"
    )


def portions(size: int, count: int) -> list[slice]:
    """Cut the samples 0 to ``size`` into ``count`` consecutive slices of nearly equal length."""
    edges = [size * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


__all__ = ["batch_size", "one_tensor", "portions", "take", "tensors"]
