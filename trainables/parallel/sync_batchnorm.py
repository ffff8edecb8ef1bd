"""Batch normalization over the whole batch when workers share it.

torch's SyncBatchNorm needs a GPU and cannot be differentiated twice; this one
is made of differentiable operations, so that it works on every device and
under methods that differentiate the gradient (FA).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.parallel.group import Group


class _Mean(torch.autograd.Function):
    """The mean of the workers' ``values`` over the whole batch, differentiable any number of times.

    The loss is the sum of the workers' losses, weighted as `Group.mean_` weights them. For it the
    operation is its own adjoint: the backward pass is the same mean, of the gradients.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Group) -> Tensor:
        ctx.group = group
        mean = values.clone(memory_format=torch.contiguous_format)
        count = group.reductions
        group.mean_([mean])
        group.reductions = count  # counts exchanges of parameter-sized quantities alone
        return mean

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        return _Mean.apply(slope, ctx.group), None


class SyncBatchNorm(_BatchNorm):
    """``(x - μ) / √(σ² + eps) · weight + bias`` with μ, σ² of the whole batch.

    Two small exchanges forward (the mean, then the variance around it) and two backward.
    Running statistics move as torch's do, the variance unbiased over the whole batch.

    Args:
        layer: The layer that this one stands in for. Parameters, buffers and hooks are the very
            same objects: who holds one, or the handle of a hook, holds it still.
        group: The workers that share the batch.
    """

    def __init__(self, layer: _BatchNorm, group: Group) -> None:
        super().__init__(
            layer.num_features,
            layer.eps,
            layer.momentum,
            affine=False,
            track_running_stats=layer.track_running_stats,
        )
        self.group = group
        self.affine = layer.affine
        self.weight, self.bias = layer.weight, layer.bias
        for name, buffer in layer.named_buffers(recurse=False):
            setattr(self, name, buffer)
        for name, hooks in vars(layer).items():
            if "hook" in name:
                setattr(self, name, hooks)
        self.train(layer.training)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's own name
        """Any: the layer it was made from has checked its own."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if not self.training:
            return super().forward(input)
        dims = [d for d in range(input.dim()) if d != 1]
        shape = (1, -1, *[1] * (input.dim() - 2))
        mean = _Mean.apply(input.mean(dims), self.group)
        centered = input - mean.view(shape)
        variance = _Mean.apply((centered * centered).mean(dims), self.group)
        self._move(mean.detach(), variance.detach(), input.numel() // input.shape[1])
        normal = centered * (variance + self.eps).rsqrt().view(shape)
        if self.weight is None:
            return normal
        return normal * self.weight.view(shape) + self.bias.view(shape)

    def _move(self, mean: Tensor, variance: Tensor, local: int) -> None:
        if not self.track_running_stats or self.running_mean is None:
            return
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        momentum = self.momentum
        if momentum is None:
            momentum = 1.0 / float(self.num_batches_tracked)
        # The shards differ by at most a sample, so their positions are known from one of them.
        each = local / max(1, self.group.own)
        count = each * self.group.whole
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), momentum)


def synchronize(model: nn.Module, group: Group) -> nn.Module:
    """``model`` with every batch normalization in it replaced by one over the whole batch.

    As torch's ``convert_sync_batchnorm``: what is replaced is replaced in the model that was given,
    and a model that is itself such a layer is replaced as a whole. Names of parameters and buffers
    stay, and a layer that has several places in the model has the same ones afterwards.
    """
    replaced: dict[nn.Module, SyncBatchNorm] = {
        layer: SyncBatchNorm(layer, group)
        for layer in model.modules()
        if isinstance(layer, _BatchNorm)
    }
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if name and module in replaced:
            model.set_submodule(name, replaced[module])
    return replaced.get(model, model)


__all__ = ["SyncBatchNorm", "synchronize"]
