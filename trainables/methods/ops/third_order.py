"""Normalization layers made of operations whose third derivatives are right, and guards.

torch's fused batch, layer and instance normalization have a hand-written second
derivative that is itself not differentiable: at third order autograd raises an error
for some and is silently wrong, by up to 160 %, for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trainables.errors import UsageError
from trainables.methods.ops.attention import plain_attention

_WRONG_AT_THIRD_ORDER = (
    "BatchNorm", "LayerNorm", "InstanceNorm", "RmsNorm", "ScaledDotProduct", "CompiledFunction",
)  # fmt: skip
"""Parts of the names of graph nodes with a fused, not thrice differentiable backward."""

_KINKED = (
    "Relu", "Prelu", "Threshold", "Hardtanh", "Hardswish", "Hardsigmoid", "Hardshrink",
    "Softshrink", "MaxPool", "Abs", "Clamp", "Maximum", "Minimum", "AmaxBackward", "MaxBackward",
)  # fmt: skip
"""Parts of the names of graph nodes whose gradient jumps."""


@contextmanager
def exact_norms(model: nn.Module) -> Iterator[nn.Module]:
    """Within the block torch's normalization is that of this file, and attention is written out.

    Yields:
        ``model``, or what was compiled into it: a compiled model does not see the replacement.
    """
    with _Primitive(), plain_attention():
        yield getattr(model, "_orig_mod", model)


def require_third_order(value: Tensor) -> None:
    """Raise UsageError where the graph of ``value`` has a node that is wrong at third order."""
    node = _find(value, _WRONG_AT_THIRD_ORDER)
    if node:
        raise UsageError(
            f"method 'fa' needs third derivatives, and torch has none that are right for {node}: "
            "build that layer from torch.nn's normalization modules or from primitive operations"
        )


def require_smooth(value: Tensor) -> None:
    """Raise UsageError where the graph of ``value`` has a node whose gradient jumps (ReLU, ...)."""
    node = _find(value, _KINKED)
    if node:
        raise UsageError(
            f"method 'fa' with form = 'difference' needs smooth activations, and this network "
            f"has {node}: use form = 'exact', or an activation such as SiLU, GELU or tanh"
        )


def _find(value: Tensor, parts: Sequence[str]) -> str | None:
    pending, seen = [value.grad_fn], set()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        name = type(node).__name__
        if any(part in name for part in parts):
            return name
        pending.extend(child for child, _ in node.next_functions)
    return None


def _normalized(x: Tensor, dims: list[int], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    mean = x.mean(dims, keepdim=True)
    centered = x - mean
    variance = (centered * centered).mean(dims, keepdim=True)
    return centered * (variance + eps).rsqrt(), mean, variance


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """weight · x + bias along dimension 1."""
    shape = (1, -1, *[1] * (x.dim() - 2))
    x = x if weight is None else x * weight.view(shape)
    return x if bias is None else x + bias.view(shape)


def batch_norm(
    input: Tensor,  # noqa: A002  (torch's own name)
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.batch_norm`, of primitive operations."""
    dims = [d for d in range(input.dim()) if d != 1]
    if not training:
        assert running_mean is not None
        assert running_var is not None
        return _affine(
            _affine(input, None, -running_mean), (running_var + eps).rsqrt() * _or_one(weight), bias
        )
    normal, mean, variance = _normalized(input, dims, eps)
    _move(running_mean, running_var, mean, variance, input.numel() // input.shape[1], momentum)
    return _affine(normal, weight, bias)


def layer_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.layer_norm`, of primitive operations."""
    dims = list(range(input.dim() - len(normalized_shape), input.dim()))
    normal = _normalized(input, dims, eps)[0]
    normal = normal if weight is None else normal * weight
    return normal if bias is None else normal + bias


def instance_norm(
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.instance_norm`, of primitive operations."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    dims = list(range(2, input.dim()))
    normal, mean, variance = _normalized(input, dims, eps)
    count = input[0, 0].numel()
    _move(running_mean, running_var, mean.mean(0), variance.mean(0), count, momentum)
    return _affine(normal, weight, bias)


def rms_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """As `torch.nn.functional.rms_norm`, of primitive operations."""
    dims = list(range(input.dim() - len(normalized_shape), input.dim()))
    tiny = torch.finfo(input.dtype).eps if eps is None else eps
    normal = input * ((input * input).mean(dims, keepdim=True) + tiny).rsqrt()
    return normal if weight is None else normal * weight


@torch.no_grad()
def _move(
    running_mean: Tensor | None,
    running_var: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    count: int,
    momentum: float,
) -> None:
    """Running statistics, the variance unbiased, as torch's fused layers move them."""
    if running_mean is not None:
        running_mean.lerp_(mean.flatten(), momentum)
    if running_var is not None:
        running_var.lerp_(variance.flatten() * (count / max(count - 1, 1)), momentum)


def _or_one(weight: Tensor | None) -> Tensor | float:
    return 1.0 if weight is None else weight


_REPLACED: dict[Any, Callable[..., Tensor]] = {
    functional.batch_norm: batch_norm,
    functional.layer_norm: layer_norm,
    functional.instance_norm: instance_norm,
    functional.rms_norm: rms_norm,
}


class _Primitive(TorchFunctionMode):
    """Calls of torch's fused functions go to the ones above."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _REPLACED.get(func, func)(*args, **(kwargs or {}))
