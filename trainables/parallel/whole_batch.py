"""Outputs of the whole batch on each of the workers that share it, differentiable.

For losses that are more than a mean over samples. Every worker then computes the loss of the whole
batch, the same number everywhere, and its gradient by way of its own outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from trainables.parallel.group import Group


class _Whole(torch.autograd.Function):
    """A worker's rows -> those of the whole batch. `_Own` is its adjoint, and it is that one's.

    What follows is one function of the whole batch, computed by every worker: a slope in its rows
    is the same everywhere, and nothing has to be sent to know it.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return group.whole_rows(rows)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        return _Own.apply(slope, ctx.group), None


class _Own(torch.autograd.Function):
    """A slope in the whole batch's rows -> n / own times that in a worker's own, since
    `Group.mean_` counts the gradient that comes of it by own / n. Differentiable like `_Whole`."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return group.own_rows(slope) * (group.whole / max(1, group.own))

    @staticmethod
    def backward(ctx: Any, rows: Tensor) -> tuple[Tensor, None]:
        return _Whole.apply(rows, ctx.group), None


def whole_batch(outputs: Any, group: Group) -> Any:
    """The outputs for the whole batch, of this worker's ``outputs`` for its part and the others'.

    Every worker calls it at the same time, and differentiates what comes of it as often.

    Args:
        outputs: A structure of tensors, one row per sample. Those of real numbers travel together,
            so that all workers exchange the same messages in the same order.
    """
    leaves, structure = pytree.tree_flatten(outputs)
    real = [i for i, leaf in enumerate(leaves) if leaf.is_floating_point()]
    for i, leaf in enumerate(leaves):
        if i not in real:
            leaves[i] = group.whole_rows(leaf)
    if real:
        flat = [leaves[i].flatten(1) if leaves[i].ndim > 1 else leaves[i][:, None] for i in real]
        pieces = _Whole.apply(torch.cat(flat, 1), group).split([f.shape[1] for f in flat], 1)
        for i, piece in zip(real, pieces, strict=True):
            leaves[i] = piece.reshape(-1, *leaves[i].shape[1:])
    return pytree.tree_unflatten(leaves, structure)


__all__ = ["whole_batch"]
