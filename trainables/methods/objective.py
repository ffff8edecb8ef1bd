"""The regularized loss of one batch, as a function of the weights wherever they now are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.batch import batch_size, portions, take
from trainables.methods.ops.batchnorm import moving, tracked_layers
from trainables.methods.ops.parameters import Displacement, Scratch, trainable
from trainables.parallel.division import Division
from trainables.parallel.group import SINGLE_PROCESS, Group

LossFn = Callable[[Tensor, Any], Tensor]
"""``loss_fn(logits, targets)``: 0-d, the *mean* over the batch."""

BatchNorm = Literal["clean", "all", "separate"]


class Mixed(NamedTuple):
    """Targets of a mixed batch: ``weight · first + (1 - weight) · second``, one row per sample."""

    first: Tensor
    second: Tensor
    weight: Tensor

    def dense(self, classes: int, dtype: torch.dtype) -> Tensor:
        """The mixed targets as probabilities, (batch, classes)."""
        first, second = (probabilities(t, classes, dtype) for t in (self.first, self.second))
        weight = self.weight.to(dtype).view(-1, *[1] * (first.dim() - 1))
        return torch.lerp(second, first, weight)


def probabilities(targets: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """(batch, classes) from class indices; anything else as it is."""
    if targets.is_floating_point():
        return targets.to(dtype)
    return functional.one_hot(targets, classes).to(dtype)


class Regularizer:
    """A change of the batch, its targets or its loss. Subclasses override what they change."""

    @property
    def evaluations(self) -> float:
        """Gradient evaluations it adds to a step."""
        return 0.0

    def over_workers(self, division: Division) -> dict[str, Any]:
        """Nothing; raises UsageError for what several workers cannot do together."""
        return {}

    def same_over_workers(self, division: Division) -> bool:
        """As of `trainables.methods.base.Method`."""
        return False

    def begin(self, model: nn.Module) -> None:
        """Once, before training."""

    def batch(self, objective: Objective, inputs: Any, targets: Any) -> tuple[Any, Any]:
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
        """Tensors that a resumed run needs; empty for most regularizers."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take up the state that `state_dict` gave."""


@dataclass(frozen=True)
class Composition:
    """What a step's loss is composed with, and who shares the batch it is of.

    Attributes:
        regularizers: In the order in which they change the batch, its targets and its loss.
        batchnorm: Running statistics move once a step, with the clean pass where the rule has one
            and with its first pass otherwise (``clean``); with ``all`` passes; or with a forward
            pass at w of their own before the step (``separate``), whose loss and logits are then
            the output's.
        batchnorm_parts: Neighboring parts of the whole batch, each normalized by statistics of
            its own; the running ones move by the mean over the parts.
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
"""One worker, no regularizer."""


class Objective:
    """f(w): the mean loss of the batch, changed by the regularizers.

    Args:
        scratch: Buffers for displaced weights that outlive the step; None: of this step alone.

    Attributes:
        params: The trainable parameters, in the model's order.
        inputs, targets: This worker's part of the batch, after the regularizers that change it;
            inputs may be any structure of tensors (`trainables.batch`).
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
        """Put the samples of the batch in a random order; returns where each of them went."""
        local = self.local_generator
        order = torch.randperm(
            self.size, generator=local, device=self.device if local is None else local.device
        ).to(self.device)
        self.inputs, self.targets = take((self.inputs, self.targets), order)
        return order.argsort()

    # The pieces of f.

    def forward(self, samples: Any = None, microbatch: tuple[int, int] | None = None) -> Tensor:
        """Logits of the batch, or of those of its ``samples`` (an index along the first dimension).

        Running statistics move as `Composition.batchnorm` says. A pass that is the i-th of M which
        together see the batch once says ``microbatch = (i, M)``: all M then count as that one pass,
        and the statistics move by the mean of theirs. With `Composition.batchnorm_parts` the pass
        is made part by part, each normalized by statistics of its own.
        """
        inputs = self.inputs if samples is None else take(self.inputs, samples)
        if not self._norms:
            return self.model(inputs)
        moves = self._moving_statistics(microbatch)
        pieces = self._normalized_together(batch_size(inputs))
        logits = []
        for index, piece in enumerate(pieces):
            own = moves and (moves[0] * len(pieces) + index, moves[1] * len(pieces))
            with moving(self._norms, own):
                logits.append(self.model(take(inputs, piece)))
        return torch.cat(logits) if len(logits) > 1 else logits[0]

    def _moving_statistics(self, microbatch: tuple[int, int] | None) -> tuple[int, int] | None:
        """As which of how many passes the coming one moves the running statistics; None: not."""
        first, self._begun = not self._begun, True
        if self.composition.batchnorm == "all":
            return 0, 1
        if microbatch is None:
            return (0, 1) if first else None
        if microbatch[0] == 0:
            self._first_group = first
        return microbatch if self._first_group else None

    def _normalized_together(self, size: int) -> list[slice]:
        """The parts of a pass over ``size`` samples that have batch statistics of their own."""
        own = max(1, self.composition.batchnorm_parts // self.workers)
        parts = round(own * size / self.size)
        return portions(size, min(max(1, parts), size))

    def clean_pass(self) -> tuple[Tensor, Tensor]:
        """(f, logits) at w without a graph; moves the running statistics (``separate``)."""
        with torch.no_grad():
            return self.evaluate()

    def data_loss(self, logits: Tensor, samples: Any = None) -> Tensor:
        """The loss of the logits, without `penalty`."""
        value = self.loss_fn(logits, self.dense_targets(logits, samples))
        for regularizer in self.composition.regularizers:
            value = regularizer.loss(value)
        return value

    def dense_targets(self, logits: Tensor, samples: Any = None, given: Any = None) -> Any:
        """The batch's targets, or those ``given``, as the regularizers make them."""
        targets = self.targets if given is None else given
        targets = targets if samples is None else take(targets, samples)
        if isinstance(targets, Mixed):
            targets = targets.dense(logits.shape[-1], logits.dtype)
        for regularizer in self.composition.regularizers:
            targets = regularizer.targets(logits, targets)
        return targets

    def penalty(self) -> Tensor | None:
        """What regularizers add as a function of the weights alone; None if nothing."""
        terms = [r.penalty(self.params) for r in self.composition.regularizers]
        given = [term for term in terms if term is not None]
        return torch.stack(given).sum() if given else None

    # f and its gradient.

    def evaluate(
        self, samples: Any = None, microbatch: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(f, logits), with their graph."""
        logits = self.forward(samples, microbatch)
        value = self.data_loss(logits, samples)
        penalty = self.penalty()
        return (value if penalty is None else value + penalty), logits

    def accumulate(self, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Add ``weight · ∇f`` to ``p.grad``; returns (f, logits), detached.

        Autograd adds layer by layer, so no second gradient of full size is ever held.
        """
        self._whole = False
        value, logits = self.evaluate()
        (value if weight == 1.0 else weight * value).backward()
        self._fill_with_zeros()
        return value.detach(), logits.detach()

    def gradient(self, value: Tensor) -> list[Tensor]:
        """∇ of ``value`` as a list of its own; zeros where it does not depend on a parameter."""
        return list(
            torch.autograd.grad(value, self.params, allow_unused=True, materialize_grads=True)
        )

    def take_gradient(self) -> list[Tensor]:
        """The tensors in ``p.grad``, taken away from there."""
        taken = []
        for p in self.params:
            taken.append(p.grad if p.grad is not None else torch.zeros_like(p))
            p.grad = None
        return taken

    def held_gradient(self) -> list[Tensor]:
        """The tensors in ``p.grad``, in place."""
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
        """``p.grad`` ← that of the whole batch, and zeros where the loss does not depend on ``p``.

        Every step ends with it. A rule that goes on from the whole batch's gradient (clips it,
        keeps a mean of it) asks for it before, and then the end has nothing left to do.
        """
        if self._whole:
            return
        self._fill_with_zeros()
        self.mean_over_workers(self.held_gradient())
        self._whole = True

    def _fill_with_zeros(self) -> None:
        """The gradient of parameters on which the loss does not depend."""
        for p in self.params:
            if p.grad is None:
                p.grad = torch.zeros_like(p)

    def displaced(self) -> Displacement:
        """A block in which the weights can be perturbed, and after which they are as before."""
        return Displacement(self.params, self.scratch)

    def dropout_state(self) -> list[Tensor]:
        """Where torch's global generators now are."""
        state = [torch.get_rng_state()]
        if self.device.type == "cuda":
            state.append(torch.cuda.get_rng_state(self.device))
        return state

    def rewind_dropout(self, state: list[Tensor]) -> None:
        """Let the next pass draw the masks that were drawn from `dropout_state`."""
        torch.set_rng_state(state[0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state[1], self.device)
