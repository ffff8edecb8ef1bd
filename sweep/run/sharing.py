"""Several drivers on one storage: each runs what no other is at, and waits for the rest.

Whoever trains a trial, or writes its run in MLflow, holds its lease (`trainables.storage.lease`),
so that what is looked up and then made is made once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from sweep.record.sync import edited_again
from trainables.storage.trial_folder import RESULT, trial_folder

if TYPE_CHECKING:
    from sweep.plan.expand import PlannedTrial
    from sweep.record.mlflow_store import Tracker
    from sweep.record.record import Record
    from sweep.run.loop import Tags
    from trainables.storage.lease import Leases
    from trainables.storage.result import TrialResult

POLL = 1.0
"""Seconds between two looks at what others are at."""

RECORD = "record"
"""Name of the lease under which what is of several trials is looked up in MLflow and made."""


def looked_through(tracker: Tracker, leases: Leases, notify: Callable[[str], None]) -> Record:
    """The record, from the whole store: what was edited there is written again from storage, and
    what was deleted or restored by hand is found."""
    record = folded(tracker.load(refresh=True), tracker, leases)
    if not tracker.edited:
        return record
    with leases.alone(RECORD):
        edited_again(tracker, leases.storage, notify)
    return tracker.load(refresh=True)


def folded(record: Record, tracker: Tracker, leases: Leases) -> Record:
    """``record`` with one run a trial: where the storage has no leases two may have made one."""
    if not record.doubles():
        return record
    with leases.alone(RECORD):
        tracker.fold(tracker.load(refresh=True))
    return tracker.load(refresh=True)


def apart(
    leases: Leases, trials: Sequence[PlannedTrial]
) -> tuple[list[PlannedTrial], list[PlannedTrial]]:
    """``trials`` that are free, and those that other drivers are at."""
    held = leases.held_by_others(trial.trial_id for trial in trials)
    free = [trial for trial in trials if trial.trial_id not in held]
    return free, [trial for trial in trials if trial.trial_id in held]


def wait_for_others(
    leases: Leases, trials: Collection[PlannedTrial], notify: Callable[[str], None]
) -> bool:
    """Wait until other drivers are done with ``trials``, or have left one without a result.

    Returns:
        False if Ctrl-C was pressed.
    """
    names = [trial.trial_id for trial in trials]
    held = leases.held_by_others(names)
    if held:
        who = " and ".join(sorted({str(driver or "another driver") for driver in held.values()}))
        notify(f"{len(held)} trials are run by {who}: waiting for their results")
    try:
        while held and all(n in held or _has_result(leases, n) for n in names):
            time.sleep(POLL)
            held = leases.held_by_others(names)
    except KeyboardInterrupt:
        return False
    return True


def _has_result(leases: Leases, trial_id: str) -> bool:
    return trial_folder(leases.storage, trial_id).exists(RESULT)


def record_found(
    found: Iterable[tuple[PlannedTrial, TrialResult]], leases: Leases, tracker: Tracker, tags: Tags
) -> int:
    """Record results that were found in storage, but for those that another driver has taken since;
    returns how many."""
    count = 0
    for trial, result in found:
        if leases.claim(trial.trial_id):
            tracker.write(trial, result, tags.of(trial))
            leases.release(trial.trial_id)
            count += 1
    return count


__all__ = ["RECORD", "apart", "folded", "looked_through", "record_found", "wait_for_others"]
