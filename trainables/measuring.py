"""Measures on a trial's model: what is asked for, when it is due, on which images.

Measuring happens between epochs, in evaluation mode, without augmentation, off
the training clock and with noise of its own; it never changes a trial's numbers
and is no part of its identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainables.data.loader import Batches
from trainables.measures import measure
from trainables.measures.base import LossFn
from trainables.seeding import derive


@dataclass(frozen=True)
class Request:
    """A measure of a trial, recorded under ``label`` (default: the measure's name).

    Attributes:
        name, options: In `trainables.measures`.
        split: The images it is measured on.
        samples: At most so many, the first ones; None: all.
        batch_size: None: the trial's.
        at: Fractions of the training, 1 being its end; each means the nearest epoch's end.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    split: Literal["train", "validation", "test"] = "train"
    samples: int | None = None
    batch_size: int | None = None
    at: tuple[float, ...] = (1.0,)

    @property
    def key(self) -> str:
        return self.label or self.name

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether it is measured when ``epoch`` of ``epochs`` is done."""
        return epoch in {max(1, round(part * epochs)) for part in self.at}

    def within(self, recorded: Mapping[str, Any]) -> bool:
        """Whether metrics ``recorded`` of a trial have it."""
        return any(name == self.key or name.startswith(_parts(self.key)) for name in recorded)


def _parts(key: str) -> tuple[str, ...]:
    return f"{key}/", f"{key}@"


def measure_now(
    requests: Sequence[Request],
    model: nn.Module,
    loss_fn: LossFn,
    splits: Mapping[str, Batches],
    initial: Mapping[str, Tensor],
    seed: int,
) -> dict[str, float]:
    """Every request on ``model`` as it is, under the requests' keys.

    Args:
        splits: Unshuffled, unaugmented batches of each split.
        initial: The weights training started from.

    Raises:
        ValueError: a request that cannot be met, naming it.
    """
    training = model.training
    model.eval()
    numbers: dict[str, float] = {}
    try:
        for request in requests:
            numbers |= _measured(request, model, loss_fn, splits, initial, seed)
    finally:
        model.train(training)
    return numbers


def _measured(
    request: Request,
    model: nn.Module,
    loss_fn: LossFn,
    splits: Mapping[str, Batches],
    initial: Mapping[str, Tensor],
    seed: int,
) -> dict[str, float]:
    if request.split not in splits:
        raise ValueError(f"measure {request.key!r}: the trial has no {request.split} images")
    batches = splits[request.split].head(request.samples, request.batch_size)
    generator = torch.Generator(batches.device)
    generator.manual_seed(derive(seed, f"measure {request.key}"))
    try:
        found = measure(
            request.name,
            model,
            loss_fn,
            list(batches),
            generator=generator,
            initial=initial,
            **request.options,
        )
    except ValueError as error:
        raise ValueError(f"measure {request.key!r}: {error}") from error
    return {request.key + name.removeprefix(request.name): value for name, value in found.items()}
