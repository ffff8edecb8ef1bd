"""torch's optimizer for an `Optimizer`, and the learning rate over time for a `Schedule`."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from trainables.config import Optimizer, Schedule
from trainables.errors import UsageError
from trainables.uncompiled import SGD, Adam, AdamW

LAST = torch.channels_last

IMPROVEMENT = 1e-4
"""A plateau ends when the loss falls below (1 - this) times its best: torch's ReduceLROnPlateau."""


def build_optimizer(model: nn.Module, config: Optimizer) -> torch.optim.Optimizer:
    """torch's optimizer of this name over the trainable parameters of ``model``.

    It is the fused one, a single operation, if every parameter fills its memory.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]]
    if config.decay == "all":
        groups = [{"params": parameters, "weight_decay": config.weight_decay}]
    else:
        weights = [p for p in parameters if p.ndim > 1]
        others = [p for p in parameters if p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
    fused = all(map(_fills_its_memory, parameters))
    how = {"fused": fused, "foreach": not fused}
    made: torch.optim.Optimizer
    if config.name == "sgd":
        made = SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, **how)
    else:
        adam = AdamW if config.name == "adamw" else Adam
        made = adam(
            groups,
            lr=config.lr,
            betas=config.betas,
            eps=config.eps,
            amsgrad=config.amsgrad,
            **how,
        )
    if fused:
        made.register_step_pre_hook(_lay_out_gradients)
    return made


def _fills_its_memory(p: Tensor) -> bool:
    return p.is_contiguous() or (p.dim() == 4 and p.is_contiguous(memory_format=LAST))


def _lay_out_gradients(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Put the gradients in the order of their parameters: on a CPU the fused optimizers take the
    numbers of both as they lie in memory, whatever their strides say."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None and p.grad.stride() != p.stride():
                p.grad = torch.empty_like(p).copy_(p.grad)


def require_state(optimizer: torch.optim.Optimizer) -> None:
    """Raise UsageError where what the optimizer keeps of a parameter has not the parameter's shape.

    torch takes up a state without a look at it, and fails in the next step.
    """
    for parameter, kept in optimizer.state.items():
        for name, value in kept.items():
            like = torch.zeros(()) if name == "step" else parameter
            fits = isinstance(value, Tensor) and value.shape == like.shape
            if not fits and value is not None:
                raise UsageError(f"the optimizer's {name} is not of shape {tuple(like.shape)}")


class LearningRate:
    """Sets the learning rate before every step.

    Args:
        config: The schedule.
        base: The rate that it scales.
        steps_per_epoch, epochs: Length of an epoch in steps, and of the training in epochs.

    Attributes:
        drops: How often a ``step`` or ``plateau`` schedule has lowered the rate; some methods
            change at a drop.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        config: Schedule,
        base: float,
        steps_per_epoch: int,
        epochs: int,
    ) -> None:
        self.optimizer, self.config, self.base = optimizer, config, base
        self.steps_per_epoch, self.epochs = steps_per_epoch, epochs
        self.best = math.inf
        self.stagnant = 0
        self.plateaus = 0
        self.drops = 0

    def before_step(self, step: int) -> float:
        """Set and return the learning rate of optimizer step ``step`` (from 0)."""
        self.drops = self._drops(step / self.steps_per_epoch)
        rate = self.base * self._scale(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def after_epoch(self, loss: float) -> None:
        """Take note of an epoch's mean training loss, by which ``plateau`` goes."""
        if loss < self.best * (1 - IMPROVEMENT):
            self.best, self.stagnant = loss, 0
        else:
            self.stagnant += 1
        if self.stagnant > self.config.patience:
            self.plateaus, self.stagnant = self.plateaus + 1, 0

    def _drops(self, epoch: float) -> int:
        if self.config.name == "plateau":
            return self.plateaus
        return self.config.drops(epoch, self.epochs)

    def _scale(self, step: int) -> float:
        warmup = self.config.warmup_epochs * self.steps_per_epoch
        if step < warmup:
            return min(1.0, (step + 1) / warmup)  # the last step may end a fraction of one
        if self.config.name in ("cosine", "linear"):
            total = self.epochs * self.steps_per_epoch
            done = (step - warmup) / max(1, total - warmup)
            return (
                1 - done if self.config.name == "linear" else 0.5 * (1 + math.cos(math.pi * done))
            )
        return self.config.gamma**self.drops

    def state_dict(self) -> dict[str, float]:
        """What a plateau schedule has seen; the other schedules follow from the step alone."""
        return {"best": self.best, "stagnant": self.stagnant, "plateaus": self.plateaus}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take up the state that `state_dict` gave."""
        self.best = state["best"]
        self.stagnant, self.plateaus = int(state["stagnant"]), int(state["plateaus"])
