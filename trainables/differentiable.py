"""Normalisation that can be differentiated any number of times.

torch's fused kernels cannot: the third derivative of ``batch_norm`` in training mode is an
error, and that of ``layer_norm`` is silently wrong (torch 2.15: its double backward holds mean
and scale constant). A method whose objective has second derivatives in it, such as FA's
``|H v|^2``, makes its forward pass inside

    with any_order():
        logits = model(inputs)

where both are computed from elementary operations: the same values but for rounding, at the
cost of a few passes over memory. Outside, the fused kernels are right up to the second derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class any_order(TorchFunctionMode):  # noqa: N801 (used as a context manager)
    """Within the block ``batch_norm`` and ``layer_norm`` are made of elementary operations."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is functional.batch_norm:
            func = batch_norm
        elif func is functional.layer_norm:
            func = layer_norm
        return func(*args, **kwargs or {})


def batch_norm(
    input: Tensor,  # noqa: A002 (torch's name)
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm`: ``(x - mean) / sqrt(var + eps) * weight + bias``.

    ``(B, C, ...) -> (B, C, ...)``, mean and (biased) variance over all dimensions but the
    second; running statistics move by ``momentum`` towards the mean and the unbiased variance.
    """
    shape = (1, -1, *[1] * (input.dim() - 2))
    if training:
        over = (0, *range(2, input.dim()))
        mean = input.mean(over, keepdim=True)
        var = (input - mean).square().mean(over, keepdim=True)
        if running_mean is not None and running_var is not None:
            count = input.numel() // input.shape[1]
            with torch.no_grad():
                running_mean.lerp_(mean.flatten().to(running_mean), momentum)
                unbiased = var.flatten() * (count / max(count - 1, 1))
                running_var.lerp_(unbiased.to(running_var), momentum)
    else:
        assert running_mean is not None
        assert running_var is not None
        mean, var = running_mean.view(shape), running_var.view(shape)
    normal = (input - mean) * (var + eps).rsqrt()
    return _affine(
        normal,
        None if weight is None else weight.view(shape),
        None if bias is None else bias.view(shape),
    )


def layer_norm(
    input: Tensor,  # noqa: A002 (torch's name)
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.layer_norm`: mean and variance over the last dimensions."""
    over = tuple(range(-len(normalized_shape), 0))
    centered = input - input.mean(over, keepdim=True)
    normal = centered * (centered.square().mean(over, keepdim=True) + eps).rsqrt()
    return _affine(normal, weight, bias)


def _affine(normal: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = normal if weight is None else normal * weight
    return scaled if bias is None else scaled + bias
