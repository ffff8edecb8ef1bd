"""Which trials come out the same on several workers, and which become another trial.

Nearly everything is made of means over the batch, which workers form exactly. What is left: noise
that belongs to a worker (dropout, mixup, a perturbation of its own), statistics of its own part of
the batch (BatchNorm), and losses that are no means over samples (flooding). What a method or
regularizer does over workers it declares itself (``same_over_workers``, ``over_workers``); one that
declares nothing makes another trial.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.errors import UsageError
from trainables.needs import SEVERAL_WORKERS, OfTrial, declared

if TYPE_CHECKING:
    from trainables.config import TrialConfig


@dataclass(frozen=True)
class Division:
    """How a trial's batches are divided among its workers: each has a neighboring part of each.

    Attributes:
        workers: W.
        batch_size: Of a whole batch; where ``drop_last`` is false the last of an epoch is smaller.
        has_batchnorm: Whether the network has BatchNorm; true where it does not say.
        sync_batchnorm: Whether BatchNorm's statistics are of the whole batch.
    """

    workers: int
    batch_size: int
    drop_last: bool = True
    has_batchnorm: bool = False
    sync_batchnorm: bool = False

    @classmethod
    def of(cls, trial: TrialConfig) -> Division:
        layers = _layers(trial)
        return cls(
            workers=trial.workers.count,
            batch_size=trial.batch_size,
            drop_last=trial.drop_last,
            has_batchnorm=layers is None or layers.batchnorm,
            sync_batchnorm=trial.workers.batchnorm == "sync",
        )

    @property
    def even(self) -> bool:
        """Whether all workers have equally many samples of every batch."""
        return self.whole(self.workers)

    def whole(self, parts: int) -> bool:
        """Whether every batch has ``parts`` equal parts, of which each worker has whole ones."""
        counts = (self.batch_size % parts, parts % self.workers)
        return self.drop_last and not any(counts)

    def check_whole(self, option: str, parts: int) -> None:
        """Raise UsageError where a method's parts of the batch cannot each stay whole on a worker.

        Args:
            option: The method's option that says how many ``parts`` there are.
        """
        if parts % self.workers:
            raise UsageError(
                f"method.{option} = {parts} is not a multiple of workers.count = {self.workers}; "
                "each part of the batch stays whole on a worker"
            )
        if self.sync_batchnorm:
            raise UsageError(
                f"workers.batchnorm = 'sync' and method.{option} = {parts}: these parts of the "
                "batch have statistics of their own; use 'local'"
            )


def options(config: TrialConfig) -> dict[str, Any]:
    """Options of the trial's method that several workers change, such as one device for each.

    Raises:
        ValueError: what several workers cannot do together.
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
    division = Division.of(config)
    changed: dict[str, Any] = {}
    for part in _parts(config):
        changed |= part.over_workers(division)
    return changed


def change_numbers(config: TrialConfig) -> bool:
    """Whether the trial's numbers depend on ``workers``, beyond the order of sums.

    In doubt yes: then the trial has a name of its own.
    """
    if config.workers.count == 1:
        return False
    division, layers = Division.of(config), _layers(config)
    if layers is None or layers.dropout:
        return True
    rule, *regularizers = _parts(config)
    if not all(part.same_over_workers(division) for part in (rule, *regularizers)):
        return True
    if not division.has_batchnorm or division.sync_batchnorm:
        return False
    # Statistics of a worker's own samples are the same only if they are of parts that stay whole.
    parts = max(config.batchnorm_parts, rule.own_parts)
    return parts == 1 or not division.whole(parts)


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


def _parts(config: TrialConfig) -> Iterable[Any]:
    """The trial's method, and then its regularizers."""
    from trainables import methods

    rule = methods.build(
        config.method.name,
        regularizers=[(r.name, r.options) for r in config.regularizers],
        **config.method.options,
    )
    return rule, *rule.composition.regularizers


def _layers(config: TrialConfig) -> Any:
    from trainables import models

    return models.layers(config.model.name, config.model.options)


__all__ = ["Division", "alone", "change_numbers", "options"]
