"""What a training method is: a rule that turns a batch into a gradient, and what composes with it.

A `Method` leaves its gradient in ``p.grad`` and the weights as they were; the
optimizer is torch's own. A `Regularizer` changes the batch, its targets or its
loss, and works with every rule, because a rule only sees the regularized loss
(`problem.Problem`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainables.methods.problem import Problem
from trainables.methods.weights import Scratch
from trainables.registry import Registry
from trainables.workers import Division

LossFn = Callable[[Tensor, Any], Tensor]

BatchNorm = Literal["clean", "all", "separate"]

FORWARD = 1 / 3
"""A forward pass in gradient evaluations: going backward is twice its work."""

registry: Registry[Any] = Registry("method")


@dataclass(frozen=True)
class Progress:
    """Where training is, told before every step: for phases and schedules.

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
    """What a step tells the running log; everything is detached and stays on the device.

    Attributes:
        loss: 0-d, the (regularized) loss of the first forward pass.
        logits: (batch, classes), of the first forward pass, in the batch's order.
        objective: 0-d, the function of the weights whose gradient at fixed noise is in
            ``p.grad``; None where there is none (a perturbation that itself depends on the
            weights is held constant, as in SAM).
    """

    loss: Tensor
    logits: Tensor
    objective: Tensor | None


class Method:
    """An update rule. Subclasses take keyword-only hyper-parameters and define `step`.

    Attributes:
        regularizers: What the loss is composed with; set by ``methods.build``.
        batchnorm: Running statistics move once a step, with the clean pass where the rule has one
            and with its first pass otherwise (``clean``); with ``all`` passes; or with a forward
            pass at w of their own before the step (``separate``), whose loss and logits are then
            the output's.
        batchnorm_parts: Neighboring parts of a batch, each normalized by statistics of its own;
            the running ones move by the mean over the parts.
        progress: The last one told to `advance`; None before the first, when every phase
            counts as active.
        workers, rank: Number of workers that share a batch, each with its own part of it, and
            which of them this is.
        reduce: Mean over the workers, in place, of a list of tensors; the identity for one
            worker. Only inner quantities are reduced with it; the caller reduces ``p.grad``,
            unless ``reduced`` says that the step has (because something followed).
        local_generator: For noise that belongs to a worker's own data (mixup, adversarial
            examples, NRS and RPR: one perturbation a device); None takes the ``generator`` given,
            which is equal on all workers, so that all draw the same weight noise.
    """

    regularizers: tuple[Regularizer, ...] = ()
    batchnorm: BatchNorm = "clean"
    batchnorm_parts: int = 1
    progress: Progress | None = None
    workers: int = 1
    rank: int = 0
    reduced: bool = False
    local_generator: torch.Generator | None = None

    def __init__(self) -> None:
        self.scratch = Scratch()

    def reduce(self, tensors: list[Tensor]) -> None:
        """Replaced by the data-parallel trainer."""

    @property
    def cost(self) -> float:
        """Gradient evaluations (forward and backward on the whole batch) of the coming step."""
        separate = FORWARD if self.batchnorm == "separate" else 0.0
        return self.evaluations + sum(r.evaluations for r in self.regularizers) + separate

    @property
    def evaluations(self) -> float:
        """`cost` of the rule alone."""
        return 1.0

    @property
    def passes(self) -> float:
        """Forward passes in training mode of the coming step: those that can move statistics."""
        return self.evaluations

    @property
    def own_parts(self) -> int:
        """Parts of the batch that every pass of every step is of one of: each is normalized by
        itself, whatever `batchnorm_parts` says."""
        return 1

    def over_workers(self, division: Division) -> dict[str, Any]:
        """The options that several workers change, such as one device for each.

        Raises:
            UsageError: what they cannot do together.
        """
        return {}

    def same_over_workers(self, division: Division) -> bool:
        """Whether W workers, each with its part of a batch, give the gradient of one process with
        the whole batch, but for the order of sums; BatchNorm and dropout aside.

        A rule made of means over the batch says True. One that says nothing makes another trial:
        its name then tells the number of workers.
        """
        return False

    @property
    def clean_first(self) -> bool:
        """Whether the first pass of a step is of the whole batch at w, so that a ``separate`` one
        before it would only cost."""
        return False

    def begin(self, model: nn.Module) -> None:
        """Once, before training."""
        for regularizer in self.regularizers:
            regularizer.begin(model)

    def advance(self, progress: Progress) -> None:
        """Before every step."""
        self.progress = progress

    def gradient(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        inputs: Tensor,
        targets: Tensor,
        *,
        generator: torch.Generator | None,
    ) -> Output:
        """Leave the method's gradient in ``p.grad`` of every trainable parameter ``p``.

        Args:
            model: Its parameters are the same, bit for bit, when this returns or raises.
            loss_fn: ``loss_fn(logits, targets)``, 0-d, the mean over the batch.
            inputs, targets: One batch on the model's device.
            generator: Source of all noise, on the CPU or on the model's device.
        """
        problem = Problem(self, model, loss_fn, inputs, targets, generator)
        for parameter in problem.params:
            parameter.grad = None
        seen = problem.clean_pass() if self.batchnorm == "separate" else None
        output = self.step(problem)
        if seen is not None:
            output = replace(output, loss=seen[0], logits=seen[1])
        for parameter in problem.params:  # the loss may not depend on all of them
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return output

    def step(self, problem: Problem) -> Output:
        """The algorithm box of the paper."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that a resumed run needs; empty for most methods."""
        return {
            f"regularizers.{index}.{key}": value
            for index, regularizer in enumerate(self.regularizers)
            for key, value in regularizer.state_dict().items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for index, regularizer in enumerate(self.regularizers):
            prefix = f"regularizers.{index}."
            regularizer.load_state_dict(
                {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            )


class Regularizer:
    """A change of the batch, its targets or its loss. Subclasses override what they change."""

    evaluations: float = 0.0
    """Gradient evaluations it adds to a step."""

    def over_workers(self, division: Division) -> dict[str, Any]:
        """Nothing; raises UsageError for what several workers cannot do together."""
        return {}

    def same_over_workers(self, division: Division) -> bool:
        """As of `Method`."""
        return False

    def begin(self, model: nn.Module) -> None:
        """Once, before training."""

    def batch(self, problem: Problem, inputs: Tensor, targets: Any) -> tuple[Tensor, Any]:
        """New inputs and targets, once a step."""
        return inputs, targets

    def targets(self, logits: Tensor, targets: Tensor) -> Tensor:
        """New targets (class indices or probabilities), for each forward pass."""
        return targets

    def loss(self, value: Tensor) -> Tensor:
        """New loss of a forward pass."""
        return value

    def penalty(self, params: Sequence[Tensor]) -> Tensor | None:
        """0-d term added to the loss: a function of the weights where they now are."""
        return None

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
