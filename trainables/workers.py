"""Which trials come out the same on several workers, and which become another trial.

Nearly everything is made of means over the batch, which workers form exactly.
What is left: noise that belongs to a worker (dropout, mixup, a perturbation of
its own), statistics of its own part of the batch (BatchNorm), and losses that
are no means over samples (flooding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.errors import UsageError
from trainables.needs import SEVERAL_WORKERS, OfTrial, declared

if TYPE_CHECKING:
    from trainables.config import TrialConfig

OF_DEVICES = ("nrs", "rpr")
"""Methods with a perturbation for each device: W workers are W devices (Algorithm 1 of NRS)."""

_OWN_NOISE = ("mixup", "adversarial")
_NO_MEANS = ("flooding",)


def effective_devices(config: TrialConfig) -> int | None:
    """Devices M of NRS or RPR: at least one for each worker; None for other methods.

    Raises:
        ValueError: M is not a multiple of the workers.
    """
    if config.method.name not in OF_DEVICES:
        return None
    count = config.workers.count
    devices = max(int(config.method.options["num_devices"]), count)
    if devices % count:
        raise UsageError(
            f"trial: method.num_devices = {devices} is not a multiple of "
            f"workers.count = {count}; each worker takes equally many"
        )
    return devices


def refuse(config: TrialConfig) -> None:
    """Raise ValueError for what several workers cannot do together."""
    count, name, options = config.workers.count, config.method.name, config.method.options
    if count == 1:
        return
    if config.batch_size < count:
        raise UsageError(
            f"trial: batch_size = {config.batch_size} is less than workers.count = {count}"
        )
    if config.batchnorm_parts > 1 and (
        config.batchnorm_parts % count or config.workers.batchnorm == "sync"
    ):
        raise UsageError(
            f"trial: batchnorm_parts = {config.batchnorm_parts} over workers.count = {count} needs "
            "a multiple of that, and workers.batchnorm = 'local'"
        )
    if name == "infomcr" and options["num_splits"] % count:
        raise UsageError(
            f"trial: method.num_splits = {options['num_splits']} is not a multiple of "
            f"workers.count = {count}; sub-batches stay whole on a worker"
        )
    if config.workers.batchnorm == "sync" and name in (*OF_DEVICES, "infomcr"):
        raise UsageError(
            f"trial: workers.batchnorm = 'sync' and method {name!r}: its parts of a batch have "
            "statistics of their own; use 'local'"
        )
    stateful = options.get("code_faithful") or options.get("posterior") == "adaptive"
    if stateful and options.get("perturbation") == "local":
        raise UsageError(
            f"trial: method {name!r} with code_faithful or an adaptive posterior keeps state of "
            "its perturbation, which several workers must share: perturbation = 'global'"
        )


def own_noise(config: TrialConfig) -> bool:
    """Whether a worker draws from a generator of its own.

    NRS and RPR alone do not: each worker takes, of the draws that one process would make for
    its virtual devices, those of its own devices.
    """
    names = {config.method.name, *(r.name for r in config.regularizers)}
    return config.method.name not in OF_DEVICES or bool(names & set(_OWN_NOISE))


def change_numbers(config: TrialConfig) -> bool:
    """Whether the trial's numbers depend on ``workers``, beyond the order of sums.

    In doubt yes: then the trial has a name of its own.
    """
    if config.workers.count == 1:
        return False
    name, options = config.method.name, config.method.options
    names = {name, *(r.name for r in config.regularizers)}
    if names & {*_OWN_NOISE, *_NO_MEANS} or options.get("perturbation") == "local":
        return True
    from trainables import models

    layers = models.layers(config.model.name, config.model.options)
    if layers is None or layers.dropout:
        return True
    has_norm = layers.batchnorm
    even = config.drop_last and config.batch_size % config.workers.count == 0
    if config.batchnorm_parts > 1:  # each worker takes whole parts
        local_norm = has_norm and not (even and config.batch_size % config.batchnorm_parts == 0)
    else:
        local_norm = has_norm and config.workers.batchnorm == "local"
    if name in OF_DEVICES:
        parts = max(int(options["num_devices"]), config.batchnorm_parts)
        return not (even and config.batch_size % parts == 0)
    if name == "infomcr":
        whole = even and config.batch_size % int(options["num_splits"]) == 0
        own_statistics = has_norm and options["statistics"] == "full_batch"
        # Before its phase begins a step is plain, on the whole batch.
        always = options["start"] == 0 or options["phases"] == "111"
        return (
            not whole or options["split"] == "random" or own_statistics or (has_norm and not always)
        )
    return local_norm or (name == "fa" and not even)


def alone(config: TrialConfig) -> TrialConfig:
    """``config`` for one process that measures its weights: without what needs several workers."""
    from trainables import methods

    schema = methods.registry.schema(config.method.name)
    shared = {
        f"method.{option}": schema.model_fields[option].default
        for option, need in declared(schema, OfTrial)
        if need is SEVERAL_WORKERS
    }
    return config.replace(workers=1, **shared)


__all__ = ["alone", "change_numbers", "effective_devices", "own_noise", "refuse"]
