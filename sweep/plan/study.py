"""What a search has tried as studies of Optuna's, one per row: for figures and its dashboard."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.plan.axes import DECADES
from sweep.plan.tried import TriedPoint, TriedRow, value_of
from trainables.errors import UsageError
from trainables.storage.files import replacing

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

SUFFIX = ".journal"
"""Of a file that ``optuna-dashboard`` opens."""


def write(rows: Sequence[TriedRow], out: Path) -> int:
    """Write a study of each row, called by its name, to ``out``, atomically.

    ``optuna-dashboard FILE`` shows it, and ``optuna.load_study`` reads it from a
    ``JournalStorage(JournalFileBackend(FILE))``.

    Returns:
        The number of trials of all studies: points that have come to an end.

    Raises:
        UsageError: the file cannot be written.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        with replacing(out) as temporary:
            storage = JournalStorage(JournalFileBackend(str(temporary)))
            return sum(len(study(row, storage).trials) for row in rows)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot write {str(out)!r} ({reason}); name another file") from error


def study(row: TriedRow, storage: BaseStorage | None = None) -> Study:
    """The study of a row: its points are trials, a point that was pruned one that was pruned.

    A point that diverged is a failed one, for it has no number. Those that have not ended are left
    out.

    Args:
        storage: Of Optuna; None: the study is in memory.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made = optuna.create_study(study_name=row.name, storage=storage)
        made.set_user_attr("metric", row.on)
        distributions = {axis: _distribution(row, axis) for axis in row.axes}
        ended = [point for point in row.points if point.loss is not None]
        made.add_trials([_trial(point, row.on, distributions) for point in ended])
    return made


def _distribution(row: TriedRow, axis: str) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values: list[Any] = value_of(row, axis)
    if not all(isinstance(value, float) for value in values):
        return CategoricalDistribution(values)
    low, high = values[0], values[-1]
    log = low > 0 and high / low >= DECADES
    if all(value.is_integer() for value in values):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)


def _trial(point: TriedPoint, on: str, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    assert point.loss is not None
    state = TrialState.PRUNED if point.pruned else TrialState.COMPLETE
    state = TrialState.FAIL if point.loss == math.inf else state
    loss = None if state is TrialState.FAIL else point.loss
    made = create_trial(
        state=state,
        value=loss,
        params={a: _coded(value, distributions[a]) for a, value in point.values.items()},
        distributions=distributions,
        intermediate_values={} if loss is None or not point.pruned else {point.pruned: loss},
        user_attrs={"trials": list(point.trial_ids), on: "diverged" if loss is None else loss},
    )
    made.datetime_start = datetime.fromtimestamp(max(0.0, point.ended / 1000 - point.seconds))
    made.datetime_complete = datetime.fromtimestamp(point.ended / 1000)
    return made


def _coded(value: float | str, distribution: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return str(value)
    return int(value) if isinstance(distribution, IntDistribution) else value


__all__ = ["SUFFIX", "study", "write"]
