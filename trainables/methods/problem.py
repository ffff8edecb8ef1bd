"""The regularized loss of one batch, as a function of the weights wherever they now are."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.methods.statistics import moving, tracked_layers
from trainables.methods.weights import Displacement, trainable

if TYPE_CHECKING:
    from trainables.methods.base import Method


@dataclass(frozen=True)
class Mixed:
    """Targets of a mixed batch: ``weight · first + (1 - weight) · second``, a row a sample."""

    first: Tensor
    second: Tensor
    weight: Tensor

    def __getitem__(self, part: Any) -> Mixed:
        return Mixed(self.first[part], self.second[part], self.weight[part])

    def dense(self, classes: int, dtype: torch.dtype) -> Tensor:
        first, second = (probabilities(t, classes, dtype) for t in (self.first, self.second))
        weight = self.weight.to(dtype).view(-1, *[1] * (first.dim() - 1))
        return torch.lerp(second, first, weight)


def probabilities(targets: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """(batch, classes) from class indices; anything else as it is."""
    if targets.is_floating_point():
        return targets.to(dtype)
    return functional.one_hot(targets, classes).to(dtype)


def portions(size: int, count: int) -> list[slice]:
    """The samples 0 to ``size`` in ``count`` neighboring parts, as even as they can be."""
    edges = [size * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


class Problem:
    """f(w): the mean loss of the batch, changed by the method's regularizers.

    Attributes:
        params: The trainable parameters, in the model's order.
        inputs, targets: The batch after the regularizers that change it.
        generator: Noise shared by all workers; ``local`` is the worker's own.
    """

    def __init__(
        self,
        method: Method,
        model: nn.Module,
        loss_fn: Callable[[Tensor, Any], Tensor],
        inputs: Tensor,
        targets: Any,
        generator: torch.Generator | None,
    ) -> None:
        self.method = method
        self.model = model
        self.loss_fn = loss_fn
        self.params = trainable(model)
        self.generator = generator
        self.local = method.local_generator if method.local_generator is not None else generator
        self.inputs, self.targets = inputs, targets
        self._norms = tracked_layers(model)
        self._begun = False  # has any pass been made
        self._first_group = False  # did the passes that share the batch come first
        for regularizer in method.regularizers:
            self.inputs, self.targets = regularizer.batch(self, self.inputs, self.targets)

    @property
    def size(self) -> int:
        return int(self.inputs.shape[0])

    def shuffle(self) -> Tensor:
        """Put the samples of the batch in a random order; returns where each of them went."""
        source = self.local.device if self.local is not None else self.inputs.device
        order = torch.randperm(self.size, generator=self.local, device=source)
        order = order.to(self.inputs.device)
        self.inputs, self.targets = self.inputs[order], self.targets[order]
        return order.argsort()

    # The pieces of f.

    def forward(self, part: Any = None, share: tuple[int, int] | None = None) -> Tensor:
        """Logits of the batch or of its ``part`` (an index).

        Running statistics move as ``Method.batchnorm`` says. A pass that is the i-th of M which
        together see the batch once says ``share = (i, M)``: all M then count as that one pass,
        and the statistics move by the mean of theirs. With ``Method.batchnorm_parts`` the pass
        is made part by part, each normalized by statistics of its own.
        """
        inputs = self.inputs if part is None else self.inputs[part]
        if not self._norms:
            return self.model(inputs)
        share = self._share_of_statistics(share)
        pieces = self._normalized_together(len(inputs))
        logits = []
        for index, piece in enumerate(pieces):
            own = share and (share[0] * len(pieces) + index, share[1] * len(pieces))
            with moving(self._norms, own):
                logits.append(self.model(inputs[piece]))
        return torch.cat(logits) if len(logits) > 1 else logits[0]

    def _share_of_statistics(self, share: tuple[int, int] | None) -> tuple[int, int] | None:
        """By which share the pass that begins now moves the running statistics; None: not."""
        first, self._begun = not self._begun, True
        if self.method.batchnorm == "all":
            return 0, 1
        if share is None:
            return (0, 1) if first else None
        if share[0] == 0:
            self._first_group = first
        return share if self._first_group else None

    def _normalized_together(self, size: int) -> list[slice]:
        """The parts of a pass over ``size`` samples that have batch statistics of their own."""
        parts = round(self.method.batchnorm_parts * size / self.size)
        return portions(size, min(max(1, parts), size))

    def clean_pass(self) -> tuple[Tensor, Tensor]:
        """(f, logits) at w without a graph; moves the running statistics (``separate``)."""
        with torch.no_grad():
            return self.evaluate()

    def data_loss(self, logits: Tensor, part: Any = None) -> Tensor:
        """The loss of the logits, without `penalty`."""
        value = self.loss_fn(logits, self.dense_targets(logits, part))
        for regularizer in self.method.regularizers:
            value = regularizer.loss(value)
        return value

    def dense_targets(self, logits: Tensor, part: Any = None, given: Any = None) -> Tensor:
        """The batch's targets, or those ``given``, as the regularizers make them."""
        targets = self.targets if given is None else given
        targets = targets if part is None else targets[part]
        if isinstance(targets, Mixed):
            targets = targets.dense(logits.shape[-1], logits.dtype)
        for regularizer in self.method.regularizers:
            targets = regularizer.targets(logits, targets)
        return targets

    def penalty(self) -> Tensor | None:
        """What regularizers add as a function of the weights alone; None if nothing."""
        terms = [r.penalty(self.params) for r in self.method.regularizers]
        given = [term for term in terms if term is not None]
        return torch.stack(given).sum() if given else None

    # f and its gradient.

    def evaluate(
        self, part: Any = None, share: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(f, logits), with their graph."""
        logits = self.forward(part, share)
        value = self.data_loss(logits, part)
        penalty = self.penalty()
        return (value if penalty is None else value + penalty), logits

    def accumulate(self, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Add ``weight · ∇f`` to ``p.grad``; returns (f, logits), detached.

        Autograd adds layer by layer, so no second gradient of full size is ever held.
        """
        value, logits = self.evaluate()
        (value if weight == 1.0 else weight * value).backward()
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
        for p, tensor in zip(self.params, tensors, strict=True):
            p.grad = tensor

    def displaced(self) -> Displacement:
        return Displacement(self.params, self.method.scratch)

    def dropout_state(self) -> list[Tensor]:
        """Where torch's global generators now are."""
        state = [torch.get_rng_state()]
        if self.inputs.is_cuda:
            state.append(torch.cuda.get_rng_state(self.inputs.device))
        return state

    def rewind_dropout(self, state: list[Tensor]) -> None:
        """Let the next pass draw the masks that were drawn from `dropout_state`."""
        torch.set_rng_state(state[0])
        if self.inputs.is_cuda:
            torch.cuda.set_rng_state(state[1], self.inputs.device)
