"""What a column reads of the record: which recorded number of each trial, and at which epoch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from search_spaces.spec import Artifact, Epoch, Metric, Selection
from trainables.storage.result import TOTALS

if TYPE_CHECKING:
    import numpy as np

    from sweep.record.record import Record


def at_epoch(trial_ids: Sequence[str], record: Record, name: str, epoch: Epoch) -> np.ndarray:
    """Metric ``name`` of each trial at ``epoch``; NaN: none.

    What a trial measured in every epoch is recorded for its best ones too (``best_test/NAME``);
    what it measured once exists at the last epoch, whatever epoch is asked for.
    """
    import numpy as np

    last = record.values(trial_ids, name)
    if epoch == "last" or f"{epoch}/{name}" not in record.metric_names():
        return last
    best = record.values(trial_ids, f"{epoch}/{name}")
    once = np.isnan(best) & ~np.isnan(record.values(trial_ids, f"{epoch}/epoch"))
    return np.where(once, last, best)


def only_at_the_end(metric: Metric, rule: Selection, record: Record) -> bool:
    """Whether ``metric`` is not of the epoch that is asked for, since no trial has it there.

    A difference is then of the last epoch as a whole.
    """
    epoch = metric.epoch or rule.epoch
    known = record.metric_names()
    names = [n for n in (metric.name, metric.minus) if n in known and n not in TOTALS]
    return epoch not in ("last", "mean") and any(f"{epoch}/{n}" not in known for n in names)


NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def curve_points(metric: Metric, names: Iterable[str]) -> list[tuple[float, str]]:
    """(x, name) of the recorded points of a curve, by x: ``<metric>/<x>`` or ``<metric>@<x>``.

    A name with an ``@`` in it says where x stands: ``gap@/hessian`` is ``gap/<x>/hessian``.
    """
    head, _, tail = metric.name.partition("@")
    pattern = re.compile(rf"{re.escape(head)}[@/]({NUMBER}){re.escape(tail)}")
    return sorted((float(match[1]), name) for name in names if (match := pattern.fullmatch(name)))


def expand_curves(artifact: Artifact, names: Iterable[str]) -> Artifact:
    """``artifact`` with a metric for every recorded point of its curves, run down."""
    if not artifact.x_from_names:
        return artifact
    names = list(names)
    metrics = [
        replace(metric, name=name, label=f"{metric.label} at {x:g}")
        for metric in artifact.metrics
        for x, name in curve_points(metric, names)
    ]
    return artifact.replace(metrics=tuple(metrics) or artifact.metrics, metrics_down=bool(metrics))


def column_values(
    trial_ids: Sequence[str], record: Record, metric: Metric, rule: Selection
) -> np.ndarray:
    """A column's number for each trial, as recorded (not yet in the column's unit); NaN: none.

    It is read at the column's own epoch, or at the rule's, if it was measured there
    (`only_at_the_end`). ``Metric.minus`` is subtracted trial by trial, read at the same epoch.
    """
    first, *minus = _terms(trial_ids, record, metric, rule)
    return first - minus[0] if minus else first


def column_rounding(
    trial_ids: Sequence[str], record: Record, metric: Metric, rule: Selection
) -> np.ndarray:
    """By how much rounding alone moves each number that `column_values` returns.

    A recorded number counts as exact. A difference a - b is as coarse as its terms: half a unit
    in the last place of each, since 0.4 - 0.3 and 0.3 - 0.2 are one number and two floats.
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
    "NUMBER",
    "at_epoch",
    "column_rounding",
    "column_values",
    "curve_points",
    "expand_curves",
    "only_at_the_end",
]
