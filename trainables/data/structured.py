"""Examples that are no array: structures of tensors, and of objects that make batches.

Such an object has ``len(leaf)`` rows and ``leaf.batch(rows)``, which gives a structure of tensors
with a row for each of ``rows``. Files that are read when they are needed, and ragged data, are
such objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from trainables.data.transfer import sent
from trainables.errors import UsageError


def size(base: Any) -> int:
    """How many rows ``base`` has.

    Raises:
        UsageError: its parts have different numbers of rows, or there is none.
    """
    sizes = {len(leaf) for leaf in pytree.tree_leaves(base)}
    if len(sizes) != 1:
        found = ", ".join(map(str, sorted(sizes))) or "none"
        raise UsageError(f"every part of a data set has one row per example; they have {found}")
    return int(sizes.pop())


def rows_of(base: Any, rows: Tensor | None, there: Tensor | None = None) -> Any:
    """These rows of ``base``, as a structure of tensors.

    Args:
        rows: int64, on the CPU; None: all.
        there: The same on the device where some of the tensors are.
    """
    return pytree.tree_map(lambda leaf: _of_leaf(leaf, rows, there), base)


def _of_leaf(leaf: Any, rows: Tensor | None, there: Tensor | None) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf.batch(torch.arange(len(leaf)) if rows is None else rows)
    if rows is None:
        return leaf
    at = rows if there is None or leaf.device != there.device else there
    return leaf.index_select(0, at)


def on_device(targets: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """``targets`` on ``device``, those that are real numbers in ``dtype``."""

    def moved(tensor: Tensor) -> Tensor:
        tensor = tensor.to(device)
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return pytree.tree_map_only(Tensor, moved, targets)


def finished(
    inputs: Any,
    device: torch.device,
    dtype: torch.dtype,
    normalize: Callable[[Tensor], Tensor],
) -> Any:
    """A batch as a model sees it: on ``device``, real numbers in ``dtype``.

    uint8 tensors in it are pixels, which are normalized as those of images.
    """

    def finish(tensor: Tensor) -> Tensor:
        tensor = sent(tensor, device)
        if tensor.dtype == torch.uint8:
            return normalize(tensor)
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return pytree.tree_map_only(Tensor, finish, inputs)


__all__ = ["finished", "on_device", "rows_of", "size"]
