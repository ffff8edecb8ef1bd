"""What every network promises."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from trainables import models
from trainables.compatibility import ARRAYS
from trainables.conformance.cases import equal, flat, generator, global_seed
from trainables.conformance.kinds import KINDS, Kind
from trainables.errors import UsageError, unknown
from trainables.methods.ops.attention import plain_attention
from trainables.structures import tensors

SHAPES = ((1, 8, 8), (3, 32, 32), (3, 64, 64), (3, 224, 224), (16,), (8, 8))
"""Of one input; a network is tried on the first that it takes."""

CLASSES = 5


def build(name: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> nn.Module:
    """With its defaults."""
    own = kind(name)
    size, spec = (shape(name), None) if own is None else ((), own.spec)
    with global_seed(seed):
        return models.build(name, CLASSES, size, spec).to(dtype)


def kind(name: str) -> Kind | None:
    """Of its inputs; None: arrays.

    Raises:
        UsageError: there is no batch of them to try it on.
    """
    inputs = models.registry.fit(name).inputs
    if inputs not in (ARRAYS, *KINDS):
        raise UsageError(unknown("kind of inputs", inputs, (ARRAYS, *KINDS)))
    return KINDS.get(inputs)


@cache
def shape(name: str) -> tuple[int, ...]:
    """The first of `SHAPES` that the network takes.

    Raises:
        Exception: what it says of the second of them, if it takes none.
    """
    errors = []
    for tried in SHAPES:
        try:
            with global_seed(0):
                models.build(name, CLASSES, tried).eval()(torch.zeros(2, *tried))
            return tried
        except (UsageError, RuntimeError, ValueError) as error:
            errors.append(error)
    raise errors[1]


def batch(name: str, dtype: torch.dtype = torch.float64, size: int = 4) -> Any:
    """Of its inputs."""
    if (own := kind(name)) is not None:
        return own.batch(size, dtype)
    return torch.randn(size, *shape(name), generator=generator(1), dtype=dtype)


def output(name: str) -> str:
    """A pass with float32 and float64 weights."""
    for dtype in (torch.float32, torch.float64):
        for found in tensors(build(name, dtype)(batch(name, dtype))):
            if kind(name) is None and found.shape != (4, CLASSES):
                shown = tuple(found.shape)
                return f"of 4 inputs and {CLASSES} classes its output has shape {shown}"
            if found.shape[:1] != (4,):
                return f"of 4 inputs its output has shape {tuple(found.shape)}"
            if found.dtype != dtype:
                return f"with {dtype} weights its output is {found.dtype}"
            if not found.isfinite().all():
                return "its first output is not finite"
    return ""


def outputs(model: nn.Module, name: str) -> Tensor:
    """Of a batch, in one vector."""
    return flat(tensors(model(batch(name))))


def initial_weights(name: str) -> str:
    """Initial weights."""
    one, again, other = (flat(build(name, seed=seed).parameters()) for seed in (3, 3, 4))
    if not equal(one, again):
        return "its initial weights differ where torch's global generator has the same seed"
    if equal(one, other):
        return "its initial weights do not depend on torch's global generator: every seed has them"
    return ""


def state(name: str) -> str:
    """A restart."""
    model = build(name, seed=3)
    model.train()(batch(name))
    new = build(name, seed=4)
    new.load_state_dict(model.state_dict())
    if equal(outputs(model.eval(), name), outputs(new.eval(), name)):
        return ""
    return (
        "what its outputs depend on is not all in its state_dict: register parameters and buffers"
    )


def evaluation_mode(name: str) -> str:
    """Two passes in evaluation mode."""
    model = build(name).eval()
    with global_seed(1):
        one = outputs(model, name)
    with global_seed(2):
        two = outputs(model, name)
    return "" if equal(one, two) else "two passes in evaluation mode differ"


def every_parameter(name: str) -> str:
    """A backward pass."""
    model = build(name)
    loss(model, name).backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None]
    return f"its parameter {idle[0]} is not used" if idle else ""


def second_derivative(name: str) -> str:
    """A second derivative, which measures of curvature and some methods take."""
    model = build(name)
    parameters = list(model.parameters())
    with plain_attention():
        first = torch.autograd.grad(loss(model, name), parameters, create_graph=True)
    product = torch.stack([g.square().sum() for g in first]).sum()
    torch.autograd.grad(product, parameters, allow_unused=True)
    return ""


def loss(model: nn.Module, name: str) -> Tensor:
    """Of a batch: cross-entropy, or the mean square of all that is no array's output."""
    found = model(batch(name))
    if kind(name) is None:
        return nn.functional.cross_entropy(found, torch.arange(len(found)) % CLASSES)
    return torch.cat([tensor.flatten() for tensor in tensors(found)]).square().mean()


def declared_layers(name: str) -> str:
    """Its declaration of layers."""
    declared = models.layers(name, models.registry.resolve(name, {}))
    if declared is None:
        return ""
    modules, params = list(build(name).modules()), list(build(name).parameters())
    found = {
        "batchnorm": any(isinstance(module, _NormBase) for module in modules),
        "dropout": any(isinstance(module, _DropoutNd) and module.p > 0 for module in modules),
        "vectors": any(parameter.ndim < 2 for parameter in params),
        "several_tensors": len(params) > 1,
    }
    wrong = [kind for kind, there in found.items() if there and not getattr(declared, kind)]
    return f"layers says {wrong[0]}=False, and it has some" if wrong else ""


CHECKS = (
    output,
    initial_weights,
    state,
    evaluation_mode,
    every_parameter,
    second_derivative,
    declared_layers,
)

__all__ = ["CHECKS"]
