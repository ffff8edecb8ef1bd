"""A batch: inputs that are a tensor or any structure of tensors, one row per sample.

A structure is a dict, a tuple, a list, or what is registered with torch's pytrees, nested as
deep as it may be. What is no tensor in it stays as it is.
"""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

from torch import Tensor
from torch.utils import _pytree as pytree

from trainables.errors import UsageError

Structure = TypeVar("Structure")


def take(batch: Structure, part: Any) -> Structure:
    """The samples of ``part``: an index along the first dimension of every tensor."""
    return pytree.tree_map_only(Tensor, lambda tensor: tensor[part], batch)


def batch_size(batch: Any) -> int:
    """How many samples there are.

    Raises:
        ValueError: there is no tensor, or not every one has a row for each sample.
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
    """The tensors of ``batch``, in their order."""
    return [leaf for leaf in pytree.tree_leaves(batch) if isinstance(leaf, Tensor)]


def one_tensor(inputs: Any, part: str) -> Tensor:
    """``inputs``, where they are a single floating-point tensor, such as images.

    Args:
        part: What needs them so, as it stands in the refusal.

    Raises:
        ValueError: they are anything else.
    """
    if isinstance(inputs, Tensor) and inputs.is_floating_point():
        return inputs
    kind = inputs.dtype if isinstance(inputs, Tensor) else type(inputs).__name__
    raise UsageError(
        f"{part} changes images: it needs inputs that are one floating-point tensor, not {kind}"
    )


def portions(size: int, count: int) -> list[slice]:
    """The samples 0 to ``size`` in ``count`` neighboring parts, as even as they can be."""
    edges = [size * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


__all__ = ["batch_size", "one_tensor", "portions", "take", "tensors"]
