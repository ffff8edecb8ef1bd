"""Convolution and evaluation-mode batch norm with a fast second derivative.

torch differentiates both twice, but pays for it: its double backward of a
convolution runs twice as many kernels as are needed, that of batch norm a
dozen elementwise passes. Inside ``with fast_double_backward():`` the two are replaced while a
graph is built; everything else is torch's own. On ResNet-20 this takes a
Hessian-vector product from 2.4 gradients to 2.0 (CPU).

A convolution y = x * w is bilinear, so <y*, x * w> is linear in each of its
three arguments, and the derivatives of each of its gradients are the other two.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_conv_backward = torch.ops.aten.convolution_backward
_norm_backward = torch.ops.aten.native_batch_norm_backward


class fast_double_backward(TorchFunctionMode):  # noqa: N801 - used as a context manager, like torch.no_grad
    """Within the block `conv2d` and evaluation-mode `batch_norm` are those of this file."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.conv2d:
            x, w, b, *geometry = _convolution(*args, **kwargs)
            if x.ndim == 4 and not isinstance(geometry[1], str):
                return _Convolution.apply(x, w, b, *map(_pair, geometry[:3]), geometry[3])
        if func is functional.batch_norm:
            x, mean, var, w, b, training, _, eps = _batch_norm(*args, **kwargs)
            constant = not training and None not in (mean, var, w, b)
            if constant and x.dtype == w.dtype == mean.dtype:
                return _BatchNorm.apply(x, w, b, mean, var, eps)
        return func(*args, **kwargs)


def _convolution(
    input: Tensor,  # noqa: A002 - torch's names, they may be given as keywords
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Any, ...]:
    return input, weight, bias, stride, padding, dilation, groups


def _batch_norm(
    input: Tensor,  # noqa: A002
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Any, ...]:
    return input, running_mean, running_var, weight, bias, training, momentum, eps


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value) * (2 // len(value))


class _Convolution(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w: Tensor,
        b: Tensor | None,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.geometry = (stride, padding, dilation, False, [0, 0], groups)
        return torch.convolution(x, w, b, *ctx.geometry)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        need_x, need_w, need_b = ctx.needs_input_grad[:3]
        dx, dw = _ConvolutionBackward.apply(dy, x, w, ctx.geometry, (need_x, need_w))
        return dx, dw, dy.sum((0, 2, 3)) if need_b else None, None, None, None, None


class _ConvolutionBackward(Function):
    """(dy, x, w) -> gradients in x and w of <dy, x * w>."""

    @staticmethod
    def forward(
        ctx: Any, dy: Tensor, x: Tensor, w: Tensor, geometry: Any, needs: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        ctx.save_for_backward(dy, x, w)
        ctx.geometry = geometry
        ctx.set_materialize_grads(False)
        dx, dw, _ = _conv_backward(dy, x, w, None, *geometry, [*needs, False])
        return dx, dw

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor | None, v: Tensor | None) -> tuple[Tensor | None, ...]:
        """``u``, ``v``: what multiplies the gradients in x and in w."""
        dy, x, w = ctx.saved_tensors
        need_dy, need_x, need_w = ctx.needs_input_grad[:3]
        along_dy = None
        if need_dy and u is not None:
            along_dy = torch.convolution(u, w, None, *ctx.geometry)
        if need_dy and v is not None:
            other = torch.convolution(x, v, None, *ctx.geometry)
            along_dy = other if along_dy is None else along_dy.add_(other)
        mask = [need_x and v is not None, need_w and u is not None, False]
        along_x, along_w, _ = _conv_backward(
            dy, x if u is None else u, w if v is None else v, None, *ctx.geometry, mask
        )
        return along_dy, along_x, along_w, None, None


class _BatchNorm(Function):
    """y = w (x - m) r + b, r = 1 / sqrt(var + eps), channel by channel; m and var are constants."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, b: Tensor, m: Tensor, var: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(x, w, m, var)
        ctx.eps = eps
        return torch.native_batch_norm(x, w, b, m, var, False, 0.0, eps)[0]

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, w, m, var = ctx.saved_tensors
        return (*_BatchNormBackward.apply(dy, x, w, m, var, ctx.eps), None, None, None)


class _BatchNormBackward(Function):
    """(dy, x, w) -> dy w r, sum dy (x - m) r, sum dy."""

    @staticmethod
    def forward(
        ctx: Any, dy: Tensor, x: Tensor, w: Tensor, m: Tensor, var: Tensor, eps: float
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(dy, x, w, m, var)
        ctx.eps = eps
        return _norm_backward(dy, x, w, m, var, None, None, False, eps, [True, True, True])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor, v: Tensor, c: Tensor) -> tuple[Tensor | None, ...]:
        """``u``, ``v``, ``c``: what multiplies the gradients in x, w and b."""
        dy, x, w, m, var = ctx.saved_tensors
        r = (var + ctx.eps).rsqrt()
        shape = (-1,) + (1,) * (x.ndim - 2)
        vr = v * r
        along_dy = torch.addcmul((c - vr * m).view(shape), x, vr.view(shape))
        along_dy.addcmul_(u, (w * r).view(shape))
        along_x = dy * vr.view(shape)
        zero = torch.zeros_like(m)  # sum dy u r is the gradient in w with u for x and no mean
        one = [False, True, False]
        along_w = _norm_backward(dy, u, w, zero, var, None, None, False, ctx.eps, one)[1]
        return along_dy, along_x, along_w, None, None, None
