"""Adversarial training on the inputs (Goodfellow et al. 2015): a baseline of AMP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainables.methods.base import Regularizer, registry
from trainables.methods.objective import Objective
from trainables.methods.ops import noise
from trainables.registry import Count, NonNegative, Positive, Strength
from trainables.structures import one_tensor


@registry.register("adversarial")
@dataclass(kw_only=True)
class Adversarial(Regularizer):
    """x ← the adversarial example x' alone: there is no clean term.

    x' starts at x + U(-epsilon, epsilon), and ``num_steps`` times: x' ← x' + step · sign ∇_x L,
    clipped to within epsilon of x in every coordinate. The attack sees the model in evaluation
    mode (BatchNorm's running statistics, no dropout), as in AMP's first code, and the weights
    before any displacement. Each attack step is a gradient evaluation.

    Args:
        epsilon: Largest change of an input coordinate, in the units of the inputs the model
            sees; 1/255 in normalized units, as in AMP's first code (the paper: "1 for each
            pixel", Section 5.1). At 0: ERM.
        step: Size of an attack step, same units; 1/255.
        num_steps: 1 (Section 5.1).
        random_start: False starts at x.
        std: The normalization's standard deviation of each channel: epsilon and step are then
            in units of the raw pixels, 1/255 being one gray level. Empty: normalized units.
    """

    of_arrays = True

    epsilon: Strength = 1 / 255
    step: NonNegative = 1 / 255
    num_steps: Count = 1
    random_start: bool = True
    std: tuple[Positive, ...] = ()

    @property
    def evaluations(self) -> float:
        return float(self.num_steps)

    def __post_init__(self) -> None:
        self._units: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def _unit(self, inputs: Tensor) -> Tensor:
        """1 / std by channel, on the device of ``inputs``: copied there once."""
        kind = inputs.device, inputs.dtype
        if kind not in self._units:
            per_channel = torch.tensor(self.std, device=inputs.device, dtype=inputs.dtype)
            self._units[kind] = per_channel.reciprocal()
        return self._units[kind].view(-1, *[1] * (inputs.dim() - 2))

    def batch(self, objective: Objective, inputs: Any, targets: Any) -> tuple[Any, Any]:
        inputs = one_tensor(inputs, "regularizer 'adversarial'")
        unit = self._unit(inputs) if self.std else 1.0
        low, high = inputs - self.epsilon * unit, inputs + self.epsilon * unit
        attacked = inputs
        if self.random_start:
            start = torch.empty_like(inputs, memory_format=torch.contiguous_format)
            noise.fill(start, "symmetric", objective.local_generator)
            attacked = inputs + self.epsilon * unit * start
        with evaluation_mode(objective.model):
            for _ in range(self.num_steps):
                attacked = attacked.detach().requires_grad_()
                logits = objective.model(attacked)
                loss = objective.loss_fn(logits, objective.dense_targets(logits, given=targets))
                (slope,) = torch.autograd.grad(loss, attacked)
                moved = attacked.detach() + self.step * unit * slope.sign()
                attacked = torch.clamp(moved, low, high)
        return attacked.detach(), targets


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Within the block every layer is in evaluation mode; afterwards in the mode it was in."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
