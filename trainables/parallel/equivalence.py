"""Which trials have the same numbers on several workers, and which become another trial.

Nearly everything is made of means over the batch, which workers form exactly. What is left: noise
that belongs to a worker (dropout, mixup, a perturbation of its own), statistics of its own part of
the batch (BatchNorm), and losses that are no means over samples (flooding). What a method or
regularizer does over workers it declares itself (``same_over_workers``, ``over_workers``); one that
declares nothing makes another trial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainables.errors import UsageError
from trainables.needs import SEVERAL_WORKERS, OfTrial, declared
from trainables.parallel.division import Division

if TYPE_CHECKING:
    from trainables.config import TrialConfig


def options(config: TrialConfig) -> dict[str, Any]:
    """The method's options that have another value over the trial's workers, by name.

    Raises:
        UsageError: a configuration that several workers cannot follow together.
    """
    count, parts = config.workers.count, config.batchnorm_parts
    if count == 1:
        return {}
    if config.batch_size < count:
        raise UsageError(f"batch_size = {config.batch_size} is less than workers.count = {count}")
    if parts > 1 and (parts % count or config.workers.batchnorm == "sync"):
        raise UsageError(
            f"batchnorm_parts = {parts} over workers.count = {count} needs a multiple of that, and "
            "workers.batchnorm = 'local'"
        )
    division = _division(config)
    changed: dict[str, Any] = {}
    for part in config.rules:
        changed |= part.over_workers(division)
    return changed


def change_numbers(config: TrialConfig) -> bool:
    """Whether the trial's numbers depend on ``workers``, beyond the order of sums.

    If that is not known, True: the trial then has an id of its own.
    """
    if config.workers.count == 1:
        return False
    division, layers = _division(config), config.layers
    if layers is None or layers.dropout:
        return True
    rule, *regularizers = config.rules
    if not all(part.same_over_workers(division) for part in (rule, *regularizers)):
        return True
    if not division.has_batchnorm or division.sync_batchnorm:
        return False
    # Statistics of a worker's own samples are the same only if they are of parts that stay whole.
    parts = max(config.batchnorm_parts, rule.own_parts)
    return parts == 1 or not division.whole(parts)


def for_single_process(config: TrialConfig) -> TrialConfig:
    """``config`` with one worker, to measure its weights; options that need several are reset."""
    schema = config.method.declared("methods")
    shared = {
        f"method.{option}": schema.model_fields[option].default
        for option, need in declared(schema, OfTrial)
        if need is SEVERAL_WORKERS
    }
    return config.replace(workers=1, **shared)


def _division(trial: TrialConfig) -> Division:
    layers = trial.layers
    return Division(
        workers=trial.workers.count,
        batch_size=trial.batch_size,
        drop_last=trial.drop_last,
        has_batchnorm=layers is None or layers.batchnorm,
        sync_batchnorm=trial.workers.batchnorm == "sync",
    )


__all__ = ["change_numbers", "for_single_process", "options"]
