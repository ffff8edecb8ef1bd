"""The result that a trial has in storage already, and what is measured later on its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from trainables.config import TrialConfig
from trainables.execution import Execution, reproducible
from trainables.own_parts import used
from trainables.parallel import equivalence
from trainables.parallel.group import Group
from trainables.storage import checkpoint
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult
from trainables.storage.trial_folder import WEIGHTS, read_result, read_weights, tidy, write_result

Make = Callable[[TrialConfig, Execution], Any]
"""Makes a `trainables.train.Trial`, whose file imports this one."""


def cached_result_for_all(
    config: TrialConfig,
    execution: Execution,
    storage: Storage,
    group: Group,
    make: Make,
    notify: Callable[[str], None],
) -> TrialResult | None:
    """`cached_result` of the first worker, on all of them: either all train or none does.

    What a killed process left beside the result is removed.
    """

    def found() -> bytes | None:
        result = cached_result(config, execution, storage, make, notify)
        if result is None:
            return None
        tidy(storage)
        return result.to_json().encode()

    content = group.from_first(found)
    return None if content is None else TrialResult.from_json(content)


def cached_result(
    config: TrialConfig,
    execution: Execution,
    storage: Storage,
    make: Make,
    notify: Callable[[str], None],
) -> TrialResult | None:
    """The result of a trial that is finished already; None if it must be trained.

    A finished trial that lacks one of ``execution.measures`` is measured from its weights, if
    those of its last epoch were kept. Damaged ones are removed, and ``notify`` is told.
    """
    finished = read_result(storage, config.trial_id, notify=notify)
    if finished is None:
        return None
    lacking = [r for r in execution.measures if not r.within(finished.metrics | finished.history)]
    if not lacking or finished.status != "done":
        return finished
    if not all(request.final_only for request in lacking):
        return None
    try:
        trial = _with_kept_weights(config, execution, storage, make)
    except checkpoint.CheckpointError as error:
        storage.delete(WEIGHTS)
        notify(f"{error}; they are removed and the trial is trained again")
        return None
    if trial is None:
        return None
    with reproducible(execution.threads, config.varying):
        numbers = trial.measure(lacking)
    measured = replace(
        finished,
        metrics={**finished.metrics, **numbers},
        provenance=finished.provenance | used.with_measures(finished.provenance, config, lacking),
    )
    return write_result(storage, measured, notify)


def _with_kept_weights(
    config: TrialConfig, execution: Execution, storage: Storage, make: Make
) -> Any:
    """The trial as its last epoch left it; None if those weights were not kept.

    Raises:
        trainables.storage.checkpoint.CheckpointError: they are damaged, or do not fit.
    """
    kept = read_weights(storage)
    if kept is None or kept[0] != config.epochs:
        return None
    # One process is enough to measure.
    trial = make(equivalence.for_single_process(config), execution)
    with reproducible(execution.threads, config.varying), checkpoint.fitting(storage.path(WEIGHTS)):
        checkpoint.require_form(kept[1], trial.model.state_dict(), "model")
        trial.model.load_state_dict(kept[1])
    return trial


__all__ = ["cached_result", "cached_result_for_all"]
