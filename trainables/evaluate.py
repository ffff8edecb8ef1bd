"""What a trained model's numbers are: those of every epoch, and the measures that were asked for.

Both are taken between epochs, in evaluation mode, without augmentation and off the training clock;
measures draw noise of their own. Neither changes a trial's later numbers, and what is measured is
no part of its identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainables import tasks
from trainables.config import Request
from trainables.data.loader import BatchLoader
from trainables.errors import UsageError
from trainables.measures import Target, measure
from trainables.methods.base import Method
from trainables.methods.objective import LossFn
from trainables.metric_name import MetricName
from trainables.parallel.group import SINGLE_PROCESS, Group
from trainables.seeding import derive
from trainables.structures import join, tensors


def evaluate(
    model: nn.Module, batches: BatchLoader, loss: str, group: Group = SINGLE_PROCESS
) -> dict[str, float]:
    """The numbers of one split that every epoch has.

    The model is left in the mode it was in. Several workers evaluate some of the batches each; all
    get the same numbers, bit for bit those that one worker gets.

    Args:
        loss: The task, as in the configuration.

    Returns:
        The task's `summary` of the split (`trainables.tasks.base.Task`).
    """
    task = tasks.get(loss)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            judged = [task.judge(model, *batch) for batch in group.portion(batches)]
            # With fewer batches than workers, some have none.
            return dict(task.summary(group.gather(join(judged) if judged else None)))
    finally:
        model.train(training)


HELD_BYTES = 2**28
"""Batches that are measured on are made once for all passes if they take no more than that, and
anew for each pass otherwise: of a large split the device holds the pixels, a quarter as much."""


class Remade(Sequence[tuple[Any, Any]]):
    """The batches of a split, each made when it is read."""

    def __init__(self, batches: BatchLoader) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: Any) -> Any:
        return self._batches.batch(range(len(self))[index])

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(self._batches)


def _held_or_remade(batches: BatchLoader) -> Sequence[tuple[Any, Any]]:
    each = sum(tensor.nbytes for tensor in tensors(batches.batch(0)))
    return list(batches) if each * len(batches) <= HELD_BYTES else Remade(batches)


@dataclass(frozen=True)
class Subject:
    """What requests are measured on.

    Attributes:
        splits: Unshuffled, unaugmented batches of each split.
        initial: The state of the model when training started.
        extra: What the data set knows besides its samples.
        seed: The trial's; every measure draws its noise from a stream of its own.
        method: That it was trained by.
    """

    model: nn.Module
    loss_fn: LossFn
    splits: Mapping[str, BatchLoader]
    initial: Mapping[str, Tensor]
    extra: Mapping[str, Tensor]
    seed: int
    method: Method | None = None


def measure_requests(requests: Sequence[Request], subject: Subject) -> dict[str, float]:
    """Measure what is requested on ``subject`` as it now is.

    Returns:
        The numbers of all requests, by name; a name begins with the request's key.

    Raises:
        UsageError: a request that cannot be met, naming it.
    """
    training = subject.model.training
    subject.model.eval()
    numbers: dict[str, float] = {}
    checked: set[tuple[str, int | None, int | None]] = set()
    try:
        for request in requests:
            images = request.split, request.samples, request.batch_size
            numbers |= _measured(request, subject, images in checked)
            checked.add(images)
    finally:
        subject.model.train(training)
    return numbers


def _measured(request: Request, subject: Subject, checked: bool) -> dict[str, float]:
    if request.split not in subject.splits:
        raise UsageError(f"measure {request.key!r}: the trial has no {request.split} images")
    batches = subject.splits[request.split].head(request.samples, request.batch_size)
    generator = torch.Generator(batches.device)
    # By the measure's name: asked for twice, at another epoch or on another split, it draws the
    # same directions and probes, so that its numbers differ by what they are of alone.
    generator.manual_seed(derive(subject.seed, f"measure {request.name}"))
    try:
        target = Target(
            subject.model,
            subject.loss_fn,
            _held_or_remade(batches),
            generator,
            subject.initial,
            subject.extra,
            subject.method,
            len(subject.splits["train"].images),
            checked,
        )
        found = measure(request.name, target, **request.options)
    except UsageError as error:
        raise UsageError(f"measure {request.key!r}: {error}") from error
    return {
        MetricName(name).relabelled(request.name, request.key): value
        for name, value in found.items()
    }
