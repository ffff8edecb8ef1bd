"""A batch: inputs that are a tensor or any structure of tensors, one row per sample.

A structure is a dict, a tuple, a list, or whatever else is registered with torch's pytrees, nested
to any depth. Whatever in it is no tensor is passed on unchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils import _pytree as pytree

from trainables.errors import UsageError

Structure = TypeVar("Structure")


def take(batch: Structure, samples: Any) -> Structure:
    """Some of the samples, as a batch of the same structure.

    Args:
        samples: A slice, or a tensor of positions: indexes the first dimension of every tensor.
    """
    return pytree.tree_map_only(Tensor, lambda tensor: tensor[samples], batch)


def join(parts: Sequence[Structure]) -> Structure:
    """Batches of one structure, one after the other, as one batch.

    Where their rows have different lengths in a dimension, shorter ones are padded with zeros at
    its end, as ragged data are (`trainables.data.base.Images`).
    """
    if len(parts) == 1:
        return parts[0]
    return pytree.tree_map(
        lambda *tensors: _joined(tensors) if isinstance(tensors[0], Tensor) else tensors[0], *parts
    )


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    sizes = {tuple(t.shape[1:]) for t in tensors}
    if len(sizes) > 1:
        longest = [max(edges) for edges in zip(*sizes, strict=True)]
        tensors = [_padded(t, longest) for t in tensors]
    return torch.cat(list(tensors))


def _padded(tensor: Tensor, sizes: Sequence[int]) -> Tensor:
    lacking = [size - had for size, had in zip(sizes, tensor.shape[1:], strict=True)]
    return functional.pad(tensor, [n for more in reversed(lacking) for n in (0, more)])


def detached(batch: Structure) -> Structure:
    """The same without a graph."""
    if isinstance(batch, Tensor):
        return cast("Structure", batch.detach())
    return pytree.tree_map_only(Tensor, Tensor.detach, batch)


def leaves(batch: Structure) -> Structure:
    """The same without a graph, each tensor the beginning of a new one."""
    return pytree.tree_map_only(Tensor, lambda tensor: tensor.detach().requires_grad_(), batch)


def in_float64(batch: Structure) -> Structure:
    """The same, its real numbers in float64."""
    return pytree.tree_map_only(Tensor, lambda t: t.double() if t.is_floating_point() else t, batch)


def moved(batch: Structure, device: torch.device) -> Structure:
    """The same on ``device``."""
    return pytree.tree_map_only(Tensor, lambda tensor: tensor.to(device), batch)


def batch_size(batch: Any) -> int:
    """How many samples the batch has.

    Raises:
        UsageError: it has no tensor, or tensors with different numbers of rows.
    """
    if isinstance(batch, Tensor) and batch.ndim:
        return len(batch)
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


__all__ = [
    "batch_size",
    "detached",
    "in_float64",
    "join",
    "leaves",
    "moved",
    "one_tensor",
    "portions",
    "take",
    "tensors",
]
