"""How a trial's batches are divided among its workers: each has a part of every batch."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.errors import UsageError


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
