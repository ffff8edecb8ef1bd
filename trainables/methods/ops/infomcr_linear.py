"""InfoMCR for networks of linear layers, without ever forming the displaced weights.

The gradient of sub-batch i at a linear layer z = W x + c is G_i = Σ_j d_j a_jᵀ over its
samples j (d_j the loss's gradient at z_j, a_j the layer's input), so the displaced layer is

    (W - alpha G_i) x + (c - alpha Σ_j d_j)  =  W x + c - alpha Σ_j d_j (a_jᵀ x + 1)

and the sum over j is a small matrix product within the sub-batch. One forward and
one backward pass of the whole batch serve all sub-batches at once, twice; the first layer's
W x, and its weight gradient, are computed once for both.

Letters: B batch, M sub-batches, b = B / M, I and O a layer's inputs and outputs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trainables.methods.base import Regularizer
from trainables.methods.objective import Objective
from trainables.structures import take, tensors

_SAMPLEWISE = (
    nn.Linear, nn.Identity, nn.Flatten, nn.Unflatten, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU,
    nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign,
    nn.LogSigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Dropout,
)  # fmt: skip

_independent: weakref.WeakKeyDictionary[nn.Module, bool] = weakref.WeakKeyDictionary()


@dataclass
class Layer:
    """One linear layer's inputs a_BI and outputs z_BO of the clean pass, and the slopes d_BO there.

    ``moved_a`` and ``moved_z`` are those of the pass at displaced weights.
    """

    module: nn.Linear
    a: Tensor | None = None
    z: Tensor | None = None
    d: Tensor | None = None
    moved_a: Tensor | None = None
    moved_z: Tensor | None = None
    calls: int = 0


def applies(objective: Objective, count: int) -> bool:
    """Whether the formula above holds: linear layers only, equal sub-batches, a mean loss.

    A container with a ``forward`` of its own could mix samples; that is measured once for each
    model, by comparing a sub-batch's logits with those of the whole batch.

    Args:
        count: M, the number of sub-batches.
    """
    model = objective.model
    floating = all(t.is_floating_point() for t in tensors(objective.inputs))
    if objective.size % count or not floating:
        return False
    for regularizer in objective.composition.regularizers:  # these are not means over samples
        kind = type(regularizer)
        if kind.penalty is not Regularizer.penalty or kind.loss is not Regularizer.loss:
            return False
    for module in model.modules():
        leaf = next(module.children(), None) is None
        if leaf and type(module) not in _SAMPLEWISE:
            return False
        if isinstance(module, nn.Dropout) and module.training and module.p > 0:
            return False
        if not isinstance(module, nn.Linear) and next(module.parameters(False), None) is not None:
            return False
        if isinstance(module, nn.Linear) and not all(p.requires_grad for p in module.parameters()):
            return False
    if len({id(p) for p in model.parameters()}) != sum(
        len(m._parameters) - (m.bias is None) for m in model.modules() if isinstance(m, nn.Linear)
    ):
        return False  # a weight shared between layers
    if model not in _independent:
        _independent[model] = _samples_do_not_interact(objective, count)
    return _independent[model]


def gradient(objective: Objective, count: int, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
    """Leave InfoMCR's gradient in ``p.grad``.

    Args:
        count, alpha, beta: M, α and β of `trainables.methods.rules.infomcr.InfoMCR`.

    Returns:
        (loss, logits) of the clean pass, detached.
    """
    layers = [Layer(m) for m in objective.model.modules() if isinstance(m, nn.Linear)]
    with _recording(layers):
        loss, logits = objective.evaluate()
    for layer, slope in zip(layers, _slopes(loss, [layer.z for layer in layers]), strict=True):
        layer.d = slope
    with _displaced(layers, count, alpha):
        moved, _ = objective.evaluate()
    slopes = _slopes(moved, [layer.moved_z for layer in layers])
    # (1 + beta) ∇L(B, w) - beta · mean_i ∇L(B_i, w - alpha g_i)
    for layer, slope in zip(layers, slopes, strict=True):
        assert layer.d is not None
        assert layer.a is not None
        clean_d = layer.d.mul_(1 + beta)
        moved_d = slope.mul_(-beta)
        if layer.moved_a is None:  # the layer that sees the inputs themselves
            d_BO = clean_d.add_(moved_d)
            layer.module.weight.grad = d_BO.T @ layer.a
        else:
            layer.module.weight.grad = torch.addmm(clean_d.T @ layer.a, moved_d.T, layer.moved_a)
            d_BO = clean_d.add_(moved_d)
        if layer.module.bias is not None:
            layer.module.bias.grad = d_BO.sum(0)
    return loss.detach(), logits.detach()


def _slopes(value: Tensor, outputs: list[Tensor | None]) -> list[Tensor]:
    return list(torch.autograd.grad(value, [z for z in outputs if z is not None]))


class _Linear(TorchFunctionMode):
    """Within the block a linear layer of the network computes ``forward(layer, x)``."""

    def __init__(self, layers: list[Layer], forward: Callable[[Layer, Tensor], Tensor]) -> None:
        super().__init__()
        self._layers = {layer.module.weight: layer for layer in layers}
        self._forward = forward

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.linear and len(args) > 1 and args[1] in self._layers:
            return self._forward(self._layers[args[1]], args[0])
        return func(*args, **(kwargs or {}))


def _recording(layers: list[Layer]) -> _Linear:
    """The clean pass: keeps each layer's inputs and outputs."""

    def forward(layer: Layer, x: Tensor) -> Tensor:
        layer.calls += 1
        z = functional.linear(x, layer.module.weight.detach(), layer.module.bias)
        layer.a = x.detach()
        layer.z = z if z.requires_grad else z.requires_grad_()
        return layer.z

    return _Linear(layers, forward)


def _displaced(layers: list[Layer], count: int, alpha: float) -> _Linear:
    """The pass at the displaced weights of ``count`` sub-batches."""

    def forward(layer: Layer, x: Tensor) -> Tensor:
        assert layer.a is not None
        assert layer.z is not None
        assert layer.d is not None
        same = not x.requires_grad and x.data_ptr() == layer.a.data_ptr()
        a_MbI, x_MbI = layer.a.unflatten(0, (count, -1)), x.unflatten(0, (count, -1))
        # L(B) is the mean of the L(B_i): d holds 1/M of each sub-batch's own slopes.
        d_MbO = layer.d.unflatten(0, (count, -1))
        inner_Mbb = torch.bmm(x_MbI, a_MbI.transpose(1, 2))
        if layer.module.bias is not None:
            inner_Mbb = inner_Mbb + 1
        z = (
            layer.z.detach()
            if same
            else functional.linear(x, layer.module.weight.detach(), layer.module.bias)
        )
        moved = torch.baddbmm(
            z.detach().unflatten(0, (count, -1)) if same else z.unflatten(0, (count, -1)),
            inner_Mbb, d_MbO, alpha=-alpha * count,
        ).flatten(0, 1)  # fmt: skip
        layer.moved_a = None if same else x.detach()
        layer.moved_z = moved if moved.requires_grad else moved.requires_grad_()
        return layer.moved_z

    return _Linear(layers, forward)


@torch.no_grad()
def _samples_do_not_interact(objective: Objective, count: int) -> bool:
    layers = [Layer(m) for m in objective.model.modules() if isinstance(m, nn.Linear)]
    with _recording(layers):
        whole = objective.model(objective.inputs)
    if not isinstance(whole, Tensor):
        return False
    if any(la.calls != 1 or la.a is None or la.a.dim() != 2 for la in layers):
        return False
    if any(la.a.shape[0] != objective.size for la in layers if la.a is not None):
        return False
    part = objective.model(take(objective.inputs, slice(objective.size // count)))
    scale = whole.abs().max()
    return bool((whole[: len(part)] - part).abs().max() <= 1e-4 * scale)
