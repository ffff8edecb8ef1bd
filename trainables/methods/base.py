"""What a training method is: a rule that turns a batch into a gradient.

A `Method` leaves its gradient in ``p.grad`` and the weights as they were; the
optimizer is torch's own. A `Regularizer` changes the batch, its targets or its
loss, and works with every rule, because a rule only sees the regularized loss
(`objective.Objective`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn

from trainables.methods.objective import (
    PLAIN,
    BatchNorm,
    Composition,
    LossFn,
    Objective,
    Regularizer,
)
from trainables.methods.ops.parameters import Scratch
from trainables.parallel.division import Division
from trainables.registry import Registry

FORWARD = 1 / 3
"""Cost of a forward pass in gradient evaluations: the backward pass takes twice its work."""

registry: Registry[Any] = Registry("method")


@dataclass(frozen=True)
class Progress:
    """How far the training is, for methods whose steps change with it.

    Attributes:
        step, steps: Optimizer steps done so far, and in all.
        epoch, epochs: Epochs done so far, and in all.
        lr_drops: How often a step or plateau schedule has lowered the learning rate.
    """

    step: int = 0
    steps: int = 1
    epoch: int = 0
    epochs: int = 1
    lr_drops: int = 0


@dataclass(frozen=True)
class Output:
    """What a step returns for the running log; everything is detached and stays on the device.

    Attributes:
        loss: 0-d, the (regularized) loss of the first forward pass.
        logits: (batch, classes), or the structure of the model's outputs, of the first forward
            pass, in the batch's order.
        objective: 0-d, the function of the weights whose gradient at fixed noise is in
            ``p.grad``; None where there is none (a perturbation that itself depends on the
            weights is held constant, as in SAM).
    """

    loss: Tensor
    logits: Any
    objective: Tensor | None


class Method:
    """An update rule. Subclasses take keyword-only hyper-parameters and define `step`.

    Attributes:
        composition: What the loss is composed with, and who shares the batch; see `compose`.
        progress: What `advance` was called with last; None before the first call, when every phase
            counts as active.
    """

    composition: Composition = PLAIN
    progress: Progress | None = None

    def compose(self, **parts: Any) -> Self:
        """This rule, with these fields of its `Composition` replaced."""
        self.composition = replace(self.composition, **parts)
        return self

    @cached_property
    def scratch(self) -> Scratch:
        """Parameter-sized buffers that are kept from step to step."""
        return Scratch()

    @property
    def cost(self) -> float:
        """Gradient evaluations (forward and backward on the whole batch) of the coming step."""
        separate = FORWARD if self.composition.batchnorm == "separate" else 0.0
        regularizers = sum(r.evaluations for r in self.composition.regularizers)
        return self.evaluations + regularizers + separate

    @property
    def evaluations(self) -> float:
        """`cost` of the rule itself, without regularizers and a separate pass for BatchNorm."""
        return 1.0

    @property
    def passes(self) -> float:
        """Forward passes of the coming step that can move running statistics."""
        return self.evaluations

    @property
    def own_parts(self) -> int:
        """How many parts the rule itself cuts every batch into, each of which is then normalized by
        its own statistics, whatever ``batchnorm_parts`` is; 1 where it passes whole batches."""
        return 1

    @property
    def most_parts(self) -> int:
        """Into how many parts any step cuts a batch, each passed by itself; see `own_parts`."""
        return self.own_parts

    def over_workers(self, division: Division) -> dict[str, Any]:
        """The options that have another value over several workers, such as one device for each.

        Raises:
            UsageError: options that several workers cannot follow together.
        """
        return {}

    def same_over_workers(self, division: Division) -> bool:
        """Whether W workers, each with its part of a batch, compute the gradient that one process
        computes from the whole batch, up to the order of sums; BatchNorm and dropout aside.

        True for a rule that is made of means over the batch. Where it is False, or not declared,
        the number of workers enters the trial's id.
        """
        return False

    @property
    def clean_first(self) -> bool:
        """Whether a step begins with a pass over the whole batch at w. Then such a pass before the
        step (``batchnorm: separate``) would only cost time."""
        return False

    def begin(self, model: nn.Module) -> None:
        """Called once, before training, with the initial weights in ``model``."""
        for regularizer in self.composition.regularizers:
            regularizer.begin(model)

    def advance(self, progress: Progress) -> None:
        """Called before every step."""
        self.progress = progress

    def gradient(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        inputs: Any,
        targets: Any,
        *,
        generator: torch.Generator | None,
    ) -> Output:
        """Leave the method's gradient in ``p.grad`` of every trainable parameter ``p``.

        It is the gradient of the whole batch on each of the workers that share one.

        Args:
            model: Its parameters are the same, bit for bit, when this returns or raises.
            loss_fn: ``loss_fn(logits, targets)``, 0-d, the mean over the batch.
            inputs, targets: One batch (or this worker's part of it) on the model's device. What
                the model is called with: a tensor, a dict, a pair, ... (`trainables.structures`).
            generator: Source of all noise, on the CPU or on the model's device.
        """
        objective = Objective(
            model, loss_fn, inputs, targets, generator, self.composition, self.scratch
        )
        for parameter in objective.params:
            parameter.grad = None
        separate = self.composition.batchnorm == "separate"
        seen = objective.clean_pass() if separate else None
        output = self.step(objective)
        objective.complete_gradient()
        if seen is not None:
            output = replace(output, loss=seen[0], logits=seen[1])
        return output

    def step(self, objective: Objective) -> Output:
        """One step of the paper's algorithm: leave this worker's gradient in ``p.grad``.

        Called by `gradient`, which makes it that of the whole batch.
        """
        raise NotImplementedError

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that a resumed run needs; empty for most methods."""
        return {
            f"regularizers.{index}.{key}": value
            for index, regularizer in enumerate(self.composition.regularizers)
            for key, value in regularizer.state_dict().items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up the state that `state_dict` gave."""
        for index, regularizer in enumerate(self.composition.regularizers):
            prefix = f"regularizers.{index}."
            regularizer.load_state_dict(
                {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            )


__all__ = [
    "FORWARD",
    "BatchNorm",
    "Composition",
    "LossFn",
    "Method",
    "Objective",
    "Output",
    "Progress",
    "Regularizer",
    "registry",
]
