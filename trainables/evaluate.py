"""What a trained model's numbers are: those of every epoch, and the measures that were asked for.

Both are taken between epochs, in evaluation mode, without augmentation and off the training clock;
measures draw noise of their own. Neither changes a trial's later numbers, and what is measured is
no part of its identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from trainables.structures import join


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
    try:
        for request in requests:
            numbers |= _measured(request, subject)
    finally:
        subject.model.train(training)
    return numbers


def _measured(request: Request, subject: Subject) -> dict[str, float]:
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
            list(batches),
            generator,
            subject.initial,
            subject.extra,
            subject.method,
            len(subject.splits["train"].images),
        )
        found = measure(request.name, target, **request.options)
    except UsageError as error:
        raise UsageError(f"measure {request.key!r}: {error}") from error
    return {
        MetricName(name).relabelled(request.name, request.key): value
        for name, value in found.items()
    }
