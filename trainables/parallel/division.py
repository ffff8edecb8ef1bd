"""The division of batches among workers: each has a part of every batch."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.errors import UsageError


@dataclass(frozen=True)
class Division:
    """The division of a trial's batches among its workers: each has consecutive samples of each.

    Attributes:
        workers: How many there are.
        batch_size: Samples of a whole batch.
        drop_last: False: the last batch of an epoch may be smaller.
        has_batchnorm: Whether the network has BatchNorm; true where that is not declared.
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
        """Whether a batch can be cut into ``parts`` equal parts, each whole on one worker."""
        counts = (self.batch_size % parts, parts % self.workers)
        return self.drop_last and not any(counts)

    def check_whole(self, option: str, parts: int) -> None:
        """Raise UsageError where ``parts`` parts of a batch cannot each stay whole on a worker.

        Args:
            option: The method's option that sets the number of parts.
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
