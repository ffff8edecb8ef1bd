"""A trial that a search has stopped on its way: what it leaves, so that it can go on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trainables.storage.trial_folder import write_pruned

if TYPE_CHECKING:
    from trainables.storage.result import TrialResult
    from trainables.train import Trial


def pruned(trial: Trial) -> TrialResult:
    """Write a checkpoint and the numbers so far to the trial's storage, and return them.

    Whoever makes the trial again goes on from there.
    """
    result = replace(trial.result(), status="pruned")
    if trial.storage is not None and trial.group.rank == 0:
        trial.save()
        write_pruned(trial.storage, result)
    return result


__all__ = ["pruned"]
