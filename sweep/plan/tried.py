"""What a search has tried, from the record alone: its rows, their points, what came of each.

Which trials are a row's stands in their memberships, and what tells its points apart in their
settings: neither the search's options nor what it has proposed is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from sweep.plan.searched_rows import SUFFIX, stage_name
from sweep.record.columns import at_epoch
from sweep.selection import SelectionRule, selection
from trainables.errors import UsageError
from trainables.metric_name import is_number

if TYPE_CHECKING:
    from search_spaces.spec import Cell, Selection
    from sweep.plan.expand import Plan
    from sweep.record.record import Record
    from sweep.record.runs import Run

NO_AXES = ("seed", "protocol")
"""Settings in which trials differ that are no hyper-parameters."""


@dataclass(frozen=True)
class TriedPoint:
    """A point of a row.

    Attributes:
        values: Axis -> its value: a number, or a text.
        loss: The mean over seeds of what the search looks at; inf: one of them diverged; None: one
            of them has not ended.
        pruned: The epoch after which it was stopped, where ``loss`` is of; 0: it was not.
        ended: When the last of its trials was recorded, in Unix milliseconds.
        seconds: Of training, all trials together.
        trial_ids: Its trials.
    """

    values: Mapping[str, float | str]
    loss: float | None
    pruned: int
    ended: int
    seconds: float
    trial_ids: tuple[str, ...]


@dataclass(frozen=True)
class TriedRow:
    """A row of a search.

    Attributes:
        cell: The row.
        name: Of the row, for people.
        on: The metric that is looked at.
        axes: The settings in which its points differ.
        points: In the order in which they ended.
    """

    cell: Cell
    name: str
    on: str
    axes: tuple[str, ...]
    points: tuple[TriedPoint, ...]

    @property
    def complete(self) -> list[TriedPoint]:
        """The points that have come to their end with a number."""
        return [p for p in self.points if p.loss is not None and not p.pruned and p.loss < math.inf]

    @property
    def best(self) -> TriedPoint | None:
        """The one with the least number, of equal ones the first; None: there is none yet."""
        return min(self.complete, key=lambda point: point.loss or 0.0, default=None)


def tried_rows(plan: Plan, record: Record) -> tuple[SelectionRule, list[TriedRow]]:
    """What was tried of the rows of ``plan``, the plan of the artifact that was searched.

    Returns:
        The rule that the search was made under, and its rows.

    Raises:
        UsageError: nothing was, or under several selection rules, none of which is the plan's.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for trial_id in record.trial_ids:
        for member in record.memberships(trial_id):
            sweep = (member.artifact, member.preset, member.variant)
            if sweep == (f"{plan.artifact.id}{SUFFIX}", plan.preset, plan.variant):
                places.setdefault((member.selection, member.stage), []).append(trial_id)
    rule = _rule(plan, {name for name, _ in places})
    runs = {
        run.trial_id: run for run in record.runs(False, {t for p in places.values() for t in p})
    }
    return rule, [
        _row(cell, [runs[t] for t in found], record, rule.criterion(plan.artifact))
        for cell in plan.cells
        if not cell.hidden and (found := places.get((rule.name, stage_name(cell))))
    ]


def _rule(plan: Plan, known: set[str]) -> SelectionRule:
    """The rule that the search was made under: the plan's, or the only one that there is."""
    if not known:
        raise UsageError(
            f"nothing was searched of {plan.artifact.id} at preset {plan.preset}; `sweep search` "
            "does that"
        )
    if plan.selection.name in known or len(known) > 1:
        if plan.selection.name not in known:
            raise UsageError(
                f"{plan.artifact.id} was searched under several rules: name one, "
                f"--selection {' or '.join(sorted(known))}"
            )
        return plan.selection
    return selection(*known)


def _row(cell: Cell, runs: Sequence[Run], record: Record, rule: Selection) -> TriedRow:
    axes = _axes([run.settings for run in runs])
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run.settings.get(axis, "") for axis in axes), []).append(run)
    points = [_point(axes, values, group, record, rule) for values, group in groups.items()]
    points.sort(key=lambda point: (point.ended, point.trial_ids))
    return TriedRow(cell, " / ".join(map(cell.label, cell.key)), rule.on, axes, tuple(points))


def _axes(settings: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """The settings in which trials differ; epochs that follow from the others are none."""
    names = sorted(reduce(set.union, (set(each) for each in settings), set[str]()) - {*NO_AXES})
    varying = [n for n in names if len({each.get(n) for each in settings}) > 1]
    others = [name for name in varying if name != "epochs"]

    def places(fields: Iterable[str]) -> int:
        fields = list(fields)
        return len({tuple(each.get(name) for name in fields) for each in settings})

    follows = others and places(others) == places(varying)
    return tuple(others if follows else varying)


def _point(
    axes: Sequence[str], values: Sequence[str], runs: Sequence[Run], record: Record, rule: Selection
) -> TriedPoint:
    ids = sorted(run.trial_id for run in runs)
    ends = [run.status for run in runs]
    numbers = at_epoch(ids, record, rule.on, rule.epoch).tolist()
    loss: float | None = None
    if "diverged" in ends:
        loss = math.inf
    elif {*ends} <= {"done", "pruned"} and not any(map(math.isnan, numbers)):
        loss = math.fsum(numbers) / len(numbers)
    stopped = [run.metrics.get("epochs_run", 0) for run in runs if run.status == "pruned"]
    return TriedPoint(
        {a: float(v) if is_number(v) else v for a, v in zip(axes, values, strict=True)},
        loss,
        int(min(stopped, default=0)),
        max(run.ended for run in runs),
        sum(run.metrics.get("training_seconds", 0.0) for run in runs),
        tuple(ids),
    )


def value_of(row: TriedRow, axis: str) -> list[Any]:
    """The values of an axis, each once: numbers in ascending order, texts as they came."""
    found = list(dict.fromkeys(p.values[axis] for p in row.points))
    numbers = all(isinstance(value, float) for value in found)
    return sorted(found) if numbers else list(map(str, found))


__all__ = ["TriedPoint", "TriedRow", "tried_rows", "value_of"]
