"""What NSO's released code prints as "Trace" and "lambda_1" (its tables 3, 4, 5 and 6).

Neither is the trace or the largest eigenvalue of the Hessian of the training
loss, so neither is called so here; those are in `trace` and `spectrum`. The
code works on 63 batches of 16 images, each with a Hessian of its own, over the
weights of the convolutions and of the head: no biases, no normalisation, no
1x1 convolutions of the shortcuts. Of CLIP and GPT-2 (table 5) it works on 100
batches, over the weights of the linear layers, attention's included.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainables.measures.base import Estimate, Result, Target, registry
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.parameters import last_linear, vector_to_tensors
from trainables.methods.ops.noise import fill
from trainables.registry import Count, Positive
from trainables.structures import batch_size as size_of
from trainables.structures import join, take

Layers = Literal["convolutions_and_head", "linear"]
"""Whose weights: those of the code's image classifiers, or of its transformers."""

_SHORTCUTS = {"downsample", "shortcut"}


def convolutions_and_head(model: nn.Module) -> tuple[str, ...]:
    """Names of the weights the code measures: 34 tensors of torchvision's ResNet-34."""
    names = [
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and not _SHORTCUTS & set(name.split("."))
    ]
    return (*names, f"{last_linear(model)[0]}.weight".lstrip("."))


def linear_layers(model: nn.Module) -> tuple[str, ...]:
    """Names of the weights of linear layers: torch's, the projections of its attention, and the
    transposed ones (``Conv1D``) of GPT-2 in the library transformers. One that an embedding shares
    is the embedding's, and is left out, as the output layer of GPT-2."""
    kinds = {
        f"{name}.{weight}".lstrip(".")
        for name, module in model.named_modules()
        for weight in _linear_weights(module)
    }
    return tuple(name for name, _ in model.named_parameters() if name in kinds)


def _linear_weights(module: nn.Module) -> tuple[str, ...]:
    if isinstance(module, nn.MultiheadAttention):
        return ("in_proj_weight",)
    return ("weight",) if isinstance(module, nn.Linear) or _is_conv1d(module) else ()


def _is_conv1d(module: nn.Module) -> bool:
    return type(module).__name__ == "Conv1D"


_NAMES = {"convolutions_and_head": convolutions_and_head, "linear": linear_layers}


def _operators(
    target: Target, batch_size: int, num_batches: int, layers: Layers
) -> Iterator[HessianOperator]:
    """The Hessians of the first ``num_batches`` batches of ``batch_size`` samples."""
    names = _NAMES[layers](target.model)
    pieces: list[tuple[Any, Any]] = []
    for batch in target.batches:
        if sum(size_of(y) for _, y in pieces) >= batch_size * num_batches:
            break
        pieces.append(batch)
    whole = join(pieces)
    starts = range(0, size_of(whole), batch_size)
    for start in itertools.islice(starts, num_batches):
        batch = take(whole, slice(start, start + batch_size))
        yield HessianOperator(target.model, target.loss_fn, [batch], names)


@registry.register("nso_code_trace")
def nso_code_trace(
    target: Target,
    *,
    batch_size: Count = 16,
    num_batches: Count = 63,
    num_samples: Count = 100,
    tolerance: Positive = 1e-3,
    layers: Layers = "convolutions_and_head",
) -> Result:
    """Mean over small batches of the trace of each one's Hessian, by Hutchinson's estimator.

    All defaults are the code's.

    Args:
        batch_size, num_batches: Samples of a batch, and how many batches, from the first on.
        num_samples: Rademacher probes per batch, at most.
        tolerance: Stops when the running mean moves by less, relative.
        layers: Over whose weights; see `Layers`.

    Returns:
        The mean, with the standard error of its estimation for these batches (the code's ± is
        the spread over three seeds of this estimator), and ``sum_of_max``: the sum over layers
        of the largest trace of the layer in any batch, which its bound uses.
    """
    traces, variances, by_layer = [], [], []
    for operator in _operators(target, batch_size, num_batches, layers):
        draws = _hutchinson(operator, target.generator, num_samples, tolerance)
        totals = draws.sum(dim=1)
        traces.append(float(totals.mean()))
        variances.append(float(totals.var() / len(totals)) if len(totals) > 1 else float("nan"))
        by_layer.append(draws.mean(dim=0))
    mean = Estimate(sum(traces) / len(traces), sum(variances) ** 0.5 / len(traces))
    return {"": mean, "sum_of_max": float(torch.stack(by_layer).amax(dim=0).sum())}


def _hutchinson(
    operator: HessianOperator, generator: torch.Generator | None, most: int, tolerance: float
) -> Tensor:
    """v_l'(Hv)_l for every probe and layer l, (probes, layers), float64."""
    v, mean = operator.vector(), 0.0
    draws: list[Tensor] = []
    while len(draws) < most:
        fill(v, "rademacher", generator)
        pairs = zip(_layers(operator, v), _layers(operator, operator @ v), strict=True)
        draws.append(torch.stack([(a * b).sum(dtype=torch.float64) for a, b in pairs]))
        before, mean = mean, float(torch.stack(draws).sum(dim=1).mean())
        if abs(mean - before) / (abs(before) + 1e-6) < tolerance:
            break
    return torch.stack(draws)


@registry.register("nso_code_lambda1")
def nso_code_lambda1(
    target: Target,
    *,
    batch_size: Count = 16,
    num_batches: Count = 63,
    max_products: Count = 100,
    tolerance: Positive = 1e-8,
    layers: Layers = "convolutions_and_head",
) -> float:
    """Mean over small batches of ``sum_l v_l'(Hv)_l`` with every layer's v_l of unit norm.

    The code's power iteration, v_l <- (Hv)_l / ‖(Hv)_l‖ layer by layer: ‖v‖² is the number of
    layers L, so the result may be up to L times the largest eigenvalue, and it is an eigenvalue
    of nothing unless L = 1. All defaults are the code's.

    Args:
        batch_size, num_batches: Samples of a batch, and how many batches, from the first on.
        max_products: Iterations per batch, at most.
        tolerance: Stops when the value moves by less, relative.
        layers: Over whose weights; see `Layers`.
    """
    values = []
    for operator in _operators(target, batch_size, num_batches, layers):
        v = operator.vector()
        fill(v, "normal", target.generator)
        value: float | None = None
        for _ in range(max_products):
            for layer in _layers(operator, v):
                layer.div_(torch.linalg.vector_norm(layer) + 1e-6)
            hv = operator @ v
            before, value = value, float((v * hv).sum(dtype=torch.float64))
            if before is not None and abs(before - value) / (abs(before) + 1e-6) < tolerance:
                break
            v = hv
        values.append(value or 0.0)
    return sum(values) / len(values)


def _layers(operator: HessianOperator, vector: Tensor) -> list[Tensor]:
    return vector_to_tensors(vector, operator.point.values())
