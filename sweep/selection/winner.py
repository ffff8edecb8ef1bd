"""Which grid point wins: the lowest mean over seeds of the metric that the rule looks at."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Selection
from sweep.record.columns import at_epoch
from trainables.errors import UsageError
from trainables.metric_name import MetricName

if TYPE_CHECKING:  # planning needs `winner`: the plan itself is only a type here
    from sweep.plan.expand import PlannedTrial
    from sweep.record.record import Record


@dataclass
class Candidate:
    """A grid point and its trials, with the criterion's mean; a diverged trial counts as +inf."""

    point: Mapping[str, Any]
    trials: list[PlannedTrial] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all its trials have ended with a number."""
        return len(self.values) == len(self.trials)

    @property
    def mean(self) -> float:
        """Of the criterion over the trials that have ended; inf if none has."""
        if not self.values:
            return math.inf
        return statistics.mean(self.values)


def winner(
    trials: Iterable[PlannedTrial], record: Record, rule: Selection
) -> Mapping[str, Any] | None:
    """The grid point with the lowest mean over seeds of the rule's metric.

    Only points whose trials are all done or diverged are eligible; a diverged trial counts as
    +inf. The first in grid order wins a tie. None if no point is complete. A single point is the
    winner before it has run: there is nothing to choose.

    Raises:
        UsageError: all trials have ended and none of them recorded the rule's metric.
    """
    points = candidates(list(trials), record, rule)
    if len(points) == 1:
        return points[0].point
    complete = [point for point in points if point.complete]
    return lowest(complete).point if complete else None


def lowest(points: Sequence[Candidate]) -> Candidate:
    """The first of ``points`` whose mean is the lowest.

    The mean is the exact one, rounded once, which takes fifty times as long as a sum: it is taken
    of those points alone that a sum cannot tell from the lowest.
    """
    if len(points) == 1:
        return points[0]
    bounds = [_bounds(point.values) for point in points]
    least = min(upper for _, upper in bounds)
    near = [point for point, (lower, _) in zip(points, bounds, strict=True) if lower <= least]
    return min(near, key=_mean_of)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Numbers between which the mean of n ``values`` lies, none of which is NaN.

    Each of the n - 1 additions and the division is off by at most u = 2⁻⁵³ of its result, and no
    result is above the sum of the magnitudes, times (1 + u)ⁿ.
    """
    count = len(values)
    if not count or not math.isfinite(total := sum(values)):
        return -math.inf, math.inf
    rough = total / count
    error = 2 * sys.float_info.epsilon * count * max(map(abs, values))
    return rough - error, rough + error


def _mean_of(point: Candidate) -> float:
    return point.mean


def candidates(trials: Sequence[PlannedTrial], record: Record, rule: Selection) -> list[Candidate]:
    """The grid points of ``trials`` in their order, each with what is recorded of its trials.

    Raises:
        UsageError: as `winner`.
    """
    return candidates_of([trials], record, rule)[0]


def candidates_of(
    groups: Sequence[Sequence[PlannedTrial]], record: Record, rule: Selection
) -> list[list[Candidate]]:
    """The `candidates` of each group of trials; the record is asked once, for all of them."""
    ids = [trial.trial_id for trials in groups for trial in trials]
    statuses = record.statuses(ids)
    numbers = at_epoch(ids, record, rule.on, rule.epoch).tolist()
    found, start = [], 0
    for trials in groups:
        own = slice(start, start := start + len(trials))
        found.append(_candidates(trials, statuses[own], numbers[own], rule.on))
    return found


def _candidates(
    trials: Sequence[PlannedTrial], statuses: Sequence[str], numbers: Sequence[float], key: str
) -> list[Candidate]:
    points: dict[str, Candidate] = {}
    text = Texts()
    point = Candidate({})
    for trial, status, value in zip(trials, statuses, numbers, strict=True):
        if trial.point is not point.point:  # as that of the seed before
            point = points.setdefault(text(trial.point), Candidate(trial.point))
        point.trials.append(trial)
        if status == "diverged":
            point.values.append(math.inf)
        elif status == "done" and not math.isnan(value):
            point.values.append(value)
    if len(points) > 1:
        _must_be_recorded(key, statuses, numbers)
    return list(points.values())


def _must_be_recorded(key: str, statuses: Sequence[str], values: Sequence[float]) -> None:
    done = [value for status, value in zip(statuses, values, strict=True) if status == "done"]
    if done and set(statuses) <= {"done", "diverged"} and all(map(math.isnan, done)):
        blind = MetricName(key).data_split == "validation"
        held_out = "; hold data out (data.validation > 0)" if blind else ""
        raise UsageError(f"cannot select on {key!r}: none of {len(done)} trials has it{held_out}")


class Texts:
    """Grid points and cells' keys as text, equal for equal ones.

    A text is made once for a mapping, which many trials share.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, Mapping[str, Any]]] = {}

    def __call__(self, mapping: Mapping[str, Any]) -> str:
        known = self._known.get(id(mapping))
        if known is None:
            # The mapping is kept, too: another one may else get its id.
            known = json.dumps(mapping, sort_keys=True, default=str), mapping
            self._known[id(mapping)] = known
        return known[0]


__all__ = ["Candidate", "Texts", "candidates", "candidates_of", "lowest", "winner"]
