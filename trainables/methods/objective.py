"""The regularized loss of one batch, as a function of the weights wherever they now are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.divergence import kl_divergence
from trainables.methods.ops.batchnorm import moving, tracked_layers
from trainables.methods.ops.parameters import Displacement, Scratch, trainable
from trainables.parallel.division import Division
from trainables.parallel.group import SINGLE_PROCESS, Group
from trainables.parallel.whole_batch import whole_batch
from trainables.structures import batch_size, detached, join, portions, take

LossFn = Callable[[Any, Any], Tensor]
"""``loss_fn(logits, targets)``: 0-d, the *mean* over the batch. One that is more than a mean over
samples has an attribute ``whole_batch`` that is true; one of which logits are no (..., classes) has
``divergence`` (`trainables.tasks.base.Task`)."""

BatchNorm = Literal["clean", "all", "separate"]


class Mixed(NamedTuple):
    """Targets of a mixed batch: ``weight · first + (1 - weight) · second``.

    ``first`` and ``second`` are class indices or probabilities, ``weight`` is (batch,).
    """

    first: Tensor
    second: Tensor
    weight: Tensor

    def dense(self, classes: int, dtype: torch.dtype) -> Tensor:
        """The mixed targets as probabilities, (batch, classes)."""
        first, second = (probabilities(t, classes, dtype) for t in (self.first, self.second))
        weight = self.weight.to(dtype).view(-1, *[1] * (first.dim() - 1))
        return torch.lerp(second, first, weight)


def probabilities(targets: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Targets as probabilities, (batch, classes): class indices become one-hot rows."""
    if targets.is_floating_point():
        return targets.to(dtype)
    return functional.one_hot(targets, classes).to(dtype)


class Regularizer:
    """A change of the batch, its targets or its loss. Subclasses override what they change.

    A rule sees the regularized loss wherever its formula says loss, so each composes with all.

    Attributes:
        of_arrays: Whether it changes inputs, which then are one tensor of real numbers.
        of_labels: Whether it changes targets that are classes.
    """

    of_arrays = False
    of_labels = False

    @property
    def evaluations(self) -> float:
        """Gradient evaluations it adds to a step."""
        return 0.0

    def over_workers(self, division: Division) -> dict[str, Any]:
        """As `trainables.methods.base.Method.over_workers`."""
        return {}

    def same_over_workers(self, division: Division) -> bool:
        """As `trainables.methods.base.Method.same_over_workers`."""
        return False

    def begin(self, model: nn.Module) -> None:
        """Called once, before training, with the initial weights in ``model``."""

    def batch(self, objective: Objective, inputs: Any, targets: Any) -> tuple[Any, Any]:
        """The inputs and targets to train on instead of these; called once per step."""
        return inputs, targets

    def targets(self, logits: Any, targets: Any) -> Any:
        """The targets (class indices or probabilities) to use instead; called after each pass."""
        return targets

    def loss(self, value: Tensor) -> Tensor:
        """The loss (0-d) to use instead of this one; called after each forward pass."""
        return value

    def penalty(self, params: Sequence[Tensor]) -> Tensor | None:
        """0-d term added to the loss: a function of the weights where they now are."""
        return None

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that a resumed run needs; empty for most regularizers."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up the state that `state_dict` gave."""


@dataclass(frozen=True)
class Composition:
    """What the loss of a step is composed with, and which workers share the batch.

    Attributes:
        regularizers: In the order in which they change the batch, its targets and its loss.
        batchnorm: Running statistics move once per step, with the clean pass where the rule has one
            and with its first pass otherwise (``clean``); with ``all`` passes; or with a forward
            pass at w of their own before the step (``separate``), whose loss and logits are then
            the output's.
        batchnorm_parts: How many consecutive parts of the whole batch BatchNorm normalizes, each by
            statistics of its own; the running ones move by the mean over the parts.
        group: The workers that share a batch, each with its own part of it.
        local_generator: For noise that belongs to a worker's own data (mixup, adversarial
            examples); None takes the ``generator`` of the step, which is equal on all workers, so
            that all draw the same weight noise.
    """

    regularizers: tuple[Regularizer, ...] = ()
    batchnorm: BatchNorm = "clean"
    batchnorm_parts: int = 1
    group: Group = SINGLE_PROCESS
    local_generator: torch.Generator | None = None


PLAIN = Composition()
"""One worker and no regularizer."""


class Objective:
    """f(w): the mean loss of the batch with its regularizers, wherever the weights w now are.

    Args:
        scratch: Buffers for displaced weights, kept from step to step; None: made for this one.

    Attributes:
        params: The trainable parameters, in the model's order.
        inputs, targets: This worker's part of the batch, after the regularizers that change it;
            inputs may be any structure of tensors (`trainables.structures`).
        generator: Noise shared by all workers; ``local_generator`` is the worker's own.
        workers, rank: How many share the batch, and which of them this is.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        inputs: Any,
        targets: Any,
        generator: torch.Generator | None = None,
        composition: Composition = PLAIN,
        scratch: Scratch | None = None,
    ) -> None:
        self.model = model
        self.loss_fn = loss_fn
        self.params = trainable(model)
        self.generator = generator
        self.composition = composition
        self.scratch = scratch or Scratch()
        local = composition.local_generator
        self.local_generator = local if local is not None else generator
        self.inputs, self.targets = inputs, targets
        self._norms = tracked_layers(model)
        self._begun = False  # has any pass been made
        self._first_group = False  # did the passes that share the batch come first
        self._whole = False  # is the gradient in p.grad that of the whole batch
        for regularizer in composition.regularizers:
            self.inputs, self.targets = regularizer.batch(self, self.inputs, self.targets)

    @property
    def size(self) -> int:
        """Samples in this worker's part of the batch."""
        return batch_size(self.inputs)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.params[0].device

    @property
    def workers(self) -> int:
        """How many workers share the batch."""
        return self.composition.group.size

    @property
    def rank(self) -> int:
        """Which of them this is, counted from 0."""
        return self.composition.group.rank

    def shuffle(self) -> Tensor:
        """Put the samples of the batch in a random order.

        Returns:
            int64 (batch,): where each sample is now; ``logits[places]`` are in the old order.
        """
        local = self.local_generator
        order = torch.randperm(
            self.size, generator=local, device=self.device if local is None else local.device
        ).to(self.device)
        self.inputs, self.targets = take((self.inputs, self.targets), order)
        return order.argsort()

    # The pieces of f.

    def forward(self, samples: Any = None, microbatch: tuple[int, int] | None = None) -> Any:
        """Logits (or whatever the model's outputs are) of the batch, or of those of its ``samples``
        (an index along the first dimension).

        Running statistics move as `Composition.batchnorm` says. A pass that is the i-th of M which
        together see the batch once is given ``microbatch = (i, M)``: all M then count as one pass,
        and the statistics move by the mean of theirs. With `Composition.batchnorm_parts` the pass
        is made part by part, each normalized by statistics of its own.
        """
        inputs = self.inputs if samples is None else take(self.inputs, samples)
        if not self._norms:
            return self.model(inputs)
        moves = self._moving_statistics(microbatch)
        parts = self.composition.batchnorm_parts // self.workers
        pieces = normalized_together(batch_size(inputs), self.size, parts)
        logits = []
        for index, piece in enumerate(pieces):
            own = moves and (moves[0] * len(pieces) + index, moves[1] * len(pieces))
            with moving(self._norms, own):
                logits.append(self.model(take(inputs, piece)))
        return join(logits)

    def _moving_statistics(self, microbatch: tuple[int, int] | None) -> tuple[int, int] | None:
        """(i, M) where the coming pass moves the running statistics as the i-th of M; else None."""
        first, self._begun = not self._begun, True
        if self.composition.batchnorm == "all":
            return 0, 1
        if microbatch is None:
            return (0, 1) if first else None
        if microbatch[0] == 0:
            self._first_group = first
        return microbatch if self._first_group else None

    def clean_pass(self) -> tuple[Tensor, Any]:
        """(f, logits) at w without a graph; moves the running statistics (``separate``)."""
        with torch.no_grad():
            return self.evaluate()

    def data_loss(self, logits: Any, samples: Any = None) -> Tensor:
        """The loss of the logits, 0-d, without `penalty`.

        Where the loss is of the whole batch, so is the value, on each of the workers.
        """
        targets = self.dense_targets(logits, samples)
        if samples is None and self.workers > 1 and getattr(self.loss_fn, "whole_batch", False):
            logits, targets = whole_batch((logits, targets), self.composition.group)
        value = self.loss_fn(logits, targets)
        for regularizer in self.composition.regularizers:
            value = regularizer.loss(value)
        return value

    def divergence(self, p: Any, q: Any, samples: Any = None) -> Tensor:
        """Mean over the batch, or its ``samples``, of KL(p ‖ q), logits given: of softmax over the
        last dimension, or as the loss defines it."""
        targets = self.targets if samples is None else take(self.targets, samples)
        return divergence(self.loss_fn, p, q, targets)

    def dense_targets(self, logits: Any, samples: Any = None, given: Any = None) -> Any:
        """The batch's targets, or those ``given``, after the regularizers' changes."""
        targets = self.targets if given is None else given
        targets = targets if samples is None else take(targets, samples)
        if isinstance(targets, Mixed):
            targets = targets.dense(logits.shape[-1], logits.dtype)
        for regularizer in self.composition.regularizers:
            targets = regularizer.targets(logits, targets)
        return targets

    def penalty(self) -> Tensor | None:
        """The sum of the regularizers' terms in the weights, 0-d; None if there are none."""
        terms = [r.penalty(self.params) for r in self.composition.regularizers]
        given = [term for term in terms if term is not None]
        return torch.stack(given).sum() if given else None

    # f and its gradient.

    def evaluate(
        self, samples: Any = None, microbatch: tuple[int, int] | None = None
    ) -> tuple[Tensor, Any]:
        """(f, logits), with their graph."""
        logits = self.forward(samples, microbatch)
        value = self.data_loss(logits, samples)
        penalty = self.penalty()
        return (value if penalty is None else value + penalty), logits

    def accumulate(self, weight: float = 1.0) -> tuple[Tensor, Any]:
        """Add ``weight · ∇f`` to ``p.grad``; returns (f, logits), detached."""
        value, logits = self.evaluate()
        self.add_gradient([value if weight == 1.0 else weight * value])
        return value.detach(), detached(logits)

    def add_gradient(
        self, outputs: Sequence[Tensor], slopes: Sequence[Tensor | None] | None = None
    ) -> None:
        """Add the gradient of ``Σ <slope, output>`` to ``p.grad``; without slopes of 0-d outputs.

        The two gradients are added at once, not by autograd parameter by parameter.
        """
        self._whole = False
        held = [p.grad for p in self.params]
        for p in self.params:
            p.grad = None
        torch.autograd.backward(outputs, slopes)
        self._fill_with_zeros()
        added = [(p.grad, old) for p, old in zip(self.params, held, strict=True) if old is not None]
        if added:
            torch._foreach_add_(*map(list, zip(*added, strict=True)))

    def gradient(self, value: Tensor) -> list[Tensor]:
        """∇ of ``value``, one tensor per parameter; zeros where it does not depend on one."""
        return list(
            torch.autograd.grad(value, self.params, allow_unused=True, materialize_grads=True)
        )

    def take_gradient(self) -> list[Tensor]:
        """The tensors in ``p.grad``, which is None afterwards."""
        taken = []
        for p in self.params:
            taken.append(p.grad if p.grad is not None else torch.zeros_like(p))
            p.grad = None
        return taken

    def held_gradient(self) -> list[Tensor]:
        """The tensors in ``p.grad`` themselves: changing them changes the gradient."""
        return [p.grad for p in self.params if p.grad is not None]

    def set_gradient(self, tensors: list[Tensor]) -> None:
        """``p.grad`` ← the tensors, one per parameter in the order of ``params``."""
        self._whole = False
        for p, tensor in zip(self.params, tensors, strict=True):
            p.grad = tensor

    def mean_over_workers(self, tensors: list[Tensor]) -> None:
        """Each tensor ← its mean over the samples of the whole batch, in place."""
        if self.workers > 1:
            self.composition.group.mean_(tensors)

    def complete_gradient(self) -> None:
        """``p.grad`` ← gradient of the whole batch; zeros where the loss does not depend on ``p``.

        Called at the end of every step. A rule that works on with the whole batch's gradient (clips
        it, keeps a mean of it) calls it before, and the last call then does nothing.
        """
        if self._whole:
            return
        self._fill_with_zeros()
        self.mean_over_workers(self.held_gradient())
        self._whole = True

    def _fill_with_zeros(self) -> None:
        """Give parameters on which the loss does not depend a gradient of zeros."""
        for p in self.params:
            if p.grad is None:
                p.grad = torch.zeros_like(p)

    def displaced(self, params: Sequence[nn.Parameter] | None = None) -> Displacement:
        """A block in which the weights, or ``params`` among them, can be perturbed, and after which
        they are as before."""
        return Displacement(self.params if params is None else params, self.scratch)

    def dropout_state(self) -> list[Tensor]:
        """The states of torch's global generators, from which dropout draws its masks."""
        state = [torch.get_rng_state()]
        if self.device.type == "cuda":
            state.append(torch.cuda.get_rng_state(self.device))
        return state

    def rewind_dropout(self, state: list[Tensor]) -> None:
        """Let the next pass draw the same masks as a pass that began in this state."""
        torch.set_rng_state(state[0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state[1], self.device)


def divergence(loss_fn: LossFn, p: Any, q: Any, targets: Any) -> Tensor:
    """Mean over a batch of KL(p ‖ q), logits given: of softmax over the last dimension, or as the
    loss defines it."""
    own = getattr(loss_fn, "divergence", None)
    return kl_divergence(p, q) if own is None else own(p, q, targets)


def normalized_together(samples: int, batch: int, parts: int) -> list[slice]:
    """The slices of a pass over ``samples`` of ``batch`` that BatchNorm normalizes one by one.

    Args:
        batch: How many samples this worker has in all.
        parts: Into how many they are cut; 0 counts as 1.
    """
    wanted = round(max(1, parts) * samples / batch)
    return portions(samples, min(max(1, wanted), samples))
