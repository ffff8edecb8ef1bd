"""What a column reads of the record: which recorded number of each trial, and at which epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from search_spaces.spec import CurveView, Epoch, InName, Metric, Selection, View
from trainables.metric_name import CurveName, MetricName
from trainables.storage.result import TOTALS

if TYPE_CHECKING:
    import numpy as np

    from sweep.record.record import Record


def at_epoch(trial_ids: Sequence[str], record: Record, name: str, epoch: Epoch) -> np.ndarray:
    """A recorded metric of each trial, at an epoch; NaN where a trial has none.

    What a trial measures in every epoch is recorded of the last one as ``NAME``, and of the best
    ones as ``best_test/NAME`` and ``best_validation/NAME``. What it measures once, at the end, has
    the first name alone, and is read there whatever epoch is asked for.

    Args:
        trial_ids: The trials, N of them.
        name: Of the metric.
        epoch: Which epoch's number is read.

    Returns:
        (N,) float64.
    """
    import numpy as np

    last = record.values(trial_ids, name)
    then = MetricName(name).at_epoch(epoch)
    if then == name or then not in record.metric_names():
        return last
    best = record.values(trial_ids, then)
    when = record.values(trial_ids, MetricName("epoch").at_epoch(epoch))
    once = np.isnan(best) & ~np.isnan(when)
    return np.where(once, last, best)


def only_at_the_end(metric: Metric, rule: Selection, record: Record) -> bool:
    """Whether a column shows numbers of the last epoch though those of a best one are asked for.

    So it is where no trial has the metric at the epoch that is asked for. Of a difference both
    numbers are then of the last epoch, even if only one of them lacks the other.
    """
    epoch = metric.epoch or rule.epoch
    if epoch == "last" or epoch == "mean":
        return False
    known = record.metric_names()
    names = [n for n in (metric.name, metric.minus) if n in known and n not in TOTALS]
    return any(MetricName(n).at_epoch(epoch) not in known for n in names)


def names_of(trial_ids: Iterable[str], record: Record) -> Iterator[str]:
    """Of all that these trials have recorded; looked up when they are asked for."""
    yield from record.metric_names(trial_ids)


def expand_curves(view: View, names: Iterable[str]) -> View:
    """``view`` with one metric per recorded point of its curves, as the rows of a table.

    A view whose x is not a number in metrics' names (`InName`) is returned as it is.

    Args:
        names: Of all that the view's trials have recorded: other trials have other points.
    """
    if not (isinstance(view, CurveView) and isinstance(view.x, InName)):
        return view
    names = list(names)

    def points(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
        return tuple(
            replace(metric, name=name, label=f"{metric.label} at {x:g}")
            for metric in metrics
            for x, name in CurveName.parse(metric.name).points(names)
        )

    metrics, judged = points(view.metrics), points(view.judged)
    return replace(
        view,
        metrics=metrics or view.metrics,
        judged=judged or view.judged,
        metrics_down=bool(metrics),
    )


def column_values(
    trial_ids: Sequence[str], record: Record, metric: Metric, rule: Selection
) -> np.ndarray:
    """A column's number of each trial, as recorded (not yet in the column's unit).

    It is read at the column's own epoch or, where it has none, at the rule's; at the last one, if
    it was measured only there (`only_at_the_end`). ``Metric.minus`` is subtracted trial by trial,
    read at the same epoch.

    Args:
        trial_ids: The trials, N of them.
        metric: The column.
        rule: How the table selects.

    Returns:
        (N,) float64; NaN where a trial has no such number.
    """
    first, *minus = _terms(trial_ids, record, metric, rule)
    return first - minus[0] if minus else first


def column_rounding(
    trial_ids: Sequence[str], record: Record, metric: Metric, rule: Selection
) -> np.ndarray:
    """By how much rounding alone may move each number that `column_values` returns.

    A recorded number counts as exact: 0. A difference a - b is as coarse as a and b are: half a
    unit in the last place of each. (0.4 - 0.3 and 0.3 - 0.2 are the same number, and as floats
    they are not.)

    Returns:
        (N,) float64.
    """
    import numpy as np

    terms = _terms(trial_ids, record, metric, rule)
    if len(terms) == 1:
        return np.zeros(len(trial_ids))
    total: np.ndarray = sum(np.spacing(np.abs(term)) for term in terms) / 2
    return total


def _terms(
    trial_ids: Sequence[str], record: Record, metric: Metric, rule: Selection
) -> list[np.ndarray]:
    """What a metric's number is made of: itself, or what is subtracted from it, too."""
    epoch = "last" if only_at_the_end(metric, rule, record) else metric.epoch or rule.epoch

    def read(name: str) -> np.ndarray:
        if epoch == "mean":
            return record.history_means(trial_ids, name)
        return at_epoch(trial_ids, record, name, epoch)

    return [read(name) for name in (metric.name, metric.minus) if name]


__all__ = [
    "at_epoch",
    "column_rounding",
    "column_values",
    "expand_curves",
    "names_of",
    "only_at_the_end",
]
