"""Measures on a trial's model, as its `trainables.config.Request` asks.

Measuring happens between epochs, in evaluation mode, without augmentation, off
the training clock and with noise of its own; it never changes a trial's numbers
and is no part of its identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from trainables.config import Request
from trainables.data.loader import Batches
from trainables.errors import UsageError
from trainables.measures import Target, measure
from trainables.measures.base import LossFn
from trainables.seeding import derive


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
        raise UsageError(f"measure {request.key!r}: the trial has no {request.split} images")
    batches = splits[request.split].head(request.samples, request.batch_size)
    generator = torch.Generator(batches.device)
    # By the measure's name: asked for twice, at another epoch or on another split, it draws the
    # same directions and probes, so that its numbers differ by what they are of alone.
    generator.manual_seed(derive(seed, f"measure {request.name}"))
    try:
        target = Target(model, loss_fn, list(batches), generator, initial)
        found = measure(request.name, target, **request.options)
    except UsageError as error:
        raise UsageError(f"measure {request.key!r}: {error}") from error
    return {request.key + name.removeprefix(request.name): value for name, value in found.items()}
