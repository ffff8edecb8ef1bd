"""From the record to numbers: which grid point counts, and its mean ± std over seeds.

Selection is named, never implied: a `SelectionRule` (`sweep.selection`) says on which metric
and at which epoch a grid point is chosen, and at which epoch the other metrics are then read.
Means are arithmetic, std is the sample standard deviation (divided by n - 1), both of what
was recorded and not of its rounding: the mean of equal numbers is that number, their std 0.
Nothing is dropped in silence: every trial that was asked for and gave no number is counted
in the `Summary` by the reason why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Cell
from sweep.record.columns import (
    column_rounding,
    column_values,
    expand_curves,
    names_of,
    only_at_the_end,
)
from sweep.selection import EPOCH_WORDS, SELECTIONS, SelectionRule, selection
from sweep.selection.winner import Texts, candidates_of, lowest, winner

if TYPE_CHECKING:  # planning needs `winner`: the plan itself is only a type here
    import numpy as np
    import pyarrow as pa

    from sweep.plan.expand import Plan, PlannedTrial
    from sweep.record.record import Record


@dataclass(frozen=True)
class Summary:
    """One number of a table: the mean over seeds, and what became of every seed asked for.

    Attributes:
        mean: None when n = 0.
        std: Sample standard deviation (divided by n - 1); None when n < 2.
        n: How many trials the mean is over.
        asked: How many were asked for: n and those that follow.
        diverged, pruned, failed, running: How many trials are so.
        missing: How many were not run.
        undefined: How many are done and have no finite value of this metric.
        values, trial_ids: Of the n trials that the mean is over, in the same order.
    """

    mean: float | None
    std: float | None
    n: int
    asked: int
    diverged: int = 0
    pruned: int = 0
    failed: int = 0
    running: int = 0
    missing: int = 0
    undefined: int = 0
    values: tuple[float, ...] = ()
    trial_ids: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every seed that was asked for gave a number."""
        return self.n == self.asked > 0

    @property
    def problems(self) -> tuple[str, ...]:
        """Why n is less than asked, e.g. ``("1 diverged", "2 not run")``."""
        counts = {
            "diverged": self.diverged,
            "pruned": self.pruned,
            "failed": self.failed,
            "running": self.running,
            "not run": self.missing,
            "undefined": self.undefined,
        }
        return tuple(f"{count} {reason}" for reason, count in counts.items() if count)


@dataclass(frozen=True)
class CellResult:
    """What was measured for a cell.

    Attributes:
        metrics: `Metric.key` -> its summary over the seeds of the selected point, as recorded
            (not yet in the column's unit, nor relative to another cell); of the columns that
            are of the cell.
        stage: The stage the numbers come from.
        point: The selected grid point; None while the stage waits for an earlier one.
        points: How many grid points were asked for.
        searched: For how many of them all seeds have ended.
        trial_ids: Trials of the selected point, whatever became of them.
        last_epoch: Keys of the metrics that are of the last epoch though another is asked for.
        waits: In words, which stage its trials wait for; empty if they can run.
        changed: Of ``trial_ids`` those that were made with other code or data than there is now,
            each with a clause that says which (`sweep.plan.changed`).
    """

    cell: Cell
    metrics: Mapping[str, Summary]
    stage: str
    point: Mapping[str, Any] | None
    points: int = 1
    searched: int = 1
    trial_ids: tuple[str, ...] = ()
    last_epoch: tuple[str, ...] = ()
    waits: str = ""
    changed: Mapping[str, str] = field(default_factory=dict)

    def with_changed(self, clauses: Mapping[str, str]) -> CellResult:
        """The same, with those of ``clauses`` (trial -> clause) that are of its trials."""
        return replace(self, changed={t: clauses[t] for t in self.trial_ids if t in clauses})

    @property
    def provisional(self) -> bool:
        """Whether another grid point may still win."""
        return self.points > 1 and self.searched < self.points


def cells(plan: Plan, record: Record) -> list[CellResult]:
    """The numbers of every cell of ``plan``, in its order.

    A cell's numbers are those of the last stage that covers it, at the point that the plan's
    selection rule chooses there. While no point is complete, the best so far is shown.

    Raises:
        ValueError: if the rule's metric was never recorded (see `winner`).
    """
    rule = plan.selection.criterion(plan.artifact)
    trials: dict[tuple[str, str], list[PlannedTrial]] = defaultdict(list)
    text = Texts()
    for stage in plan.stages:
        for trial in stage.trials:
            trials[stage.name, text(trial.cell.key)].append(trial)

    shown = [plan.artifact.experiment.last_stage(cell) for cell in plan.cells]
    own = [trials[s.name, text(c.key)] for c, s in zip(plan.cells, shown, strict=True)]
    found = []
    for cell, spec, points in zip(plan.cells, shown, candidates_of(own, record, rule), strict=True):
        eligible = [p for p in points if p.complete] or [p for p in points if p.values] or points
        best = lowest(eligible) if eligible else None
        asked = 0 if best else spec.seeds
        searched = sum(point.complete for point in points)
        found.append((cell, spec, best, asked, len(points), searched))

    waits = _Waits(plan, record)
    groups = [[t.trial_id for t in best.trials] if best else [] for _, _, best, *_ in found]
    ids = [trial_id for group in groups for trial_id in group]
    view = expand_curves(plan.artifact.view, names_of(ids, record))
    metrics = (*view.metrics, *view.judged)
    summaries = {
        metric.key: summarize(
            groups,
            record,
            column_values(ids, record, metric, rule),
            column_rounding(ids, record, metric, rule) if metric.minus else None,
        )
        for metric in metrics
    }
    last_epoch = tuple(m.key for m in metrics if only_at_the_end(m, rule, record))
    return [
        CellResult(
            cell=cell,
            metrics={
                metric.key: summaries[metric.key][i]
                if best
                else Summary(None, None, 0, asked, missing=asked)
                for metric in metrics
                if metric.covers(cell.key)
            },
            stage=spec.name,
            point=best.point if best else None,
            points=points,
            searched=searched,
            trial_ids=tuple(groups[i]),
            last_epoch=last_epoch,
            waits="" if best else waits.sentence(cell, spec.name),
        )
        for i, (cell, spec, best, asked, points, searched) in enumerate(found)
    ]


class _Waits:
    """What cells wait for whose trials cannot run yet."""

    def __init__(self, plan: Plan, record: Record) -> None:
        self._experiment, self._record = plan.artifact.experiment, record
        self._text = Texts()
        self._of_cell: dict[tuple[str, str], PlannedTrial] = {}
        self._of_id: dict[tuple[str | None, str], tuple[int, PlannedTrial]] = {}
        expected = (trial for stage in plan.stages for trial in stage.expected)
        for i, trial in enumerate(expected):
            self._of_cell.setdefault((trial.stage, self._text(trial.cell.key)), trial)
            self._of_id.setdefault((trial.stage, trial.trial_id), (i, trial))

    def sentence(self, cell: Cell, stage: str) -> str:
        """``waits for stage baseline, 1 failed``: the first stage that it cannot start from."""
        trial = self._of_cell.get((stage, self._text(cell.key)))
        if trial is None:
            return ""
        while (before := self._first_awaited(trial)) is not None:
            trial = before
        failed = sum(self._record.status(trial_id) == "failed" for trial_id in trial.awaits)
        said = f"waits for stage {self._experiment.stage(trial.stage).after}"
        return f"{said}, {failed} failed" if failed else said

    def _first_awaited(self, trial: PlannedTrial) -> PlannedTrial | None:
        """The first of the trials that ``trial`` waits for which wait themselves."""
        # By the stages' order, not by ids alone: a trial may repeat one of those that it waits for.
        after = self._experiment.stage(trial.stage).after
        found = [self._of_id[after, t] for t in trial.awaits if (after, t) in self._of_id]
        return min(found, key=lambda placed: placed[0])[1] if found else None


def summarize(
    groups: Sequence[Sequence[str]],
    record: Record,
    values: np.ndarray,
    rounding: np.ndarray | None = None,
) -> list[Summary]:
    """Mean, sample std and count of a metric over each group of trials.

    Only trials that are done and have a finite value enter the mean. A group whose values lie no
    further apart than rounding explains has a std of 0.

    Args:
        groups: The ids of each group's trials, N trials in all.
        record: What is known of them.
        values: (N,) the metric of each trial, in the order of the groups; NaN: none.
        rounding: (N,) by how much rounding may move each value; None: they are exact.
    """
    import numpy as np

    ids = [trial_id for group in groups for trial_id in group]
    statuses = record.statuses(ids)
    usable = np.isfinite(values) & np.array([s == "done" for s in statuses], dtype=bool)
    ends = np.cumsum([0, *map(len, groups)])
    counts = np.diff(np.concatenate([[0], np.cumsum(usable)])[ends])
    found = moments(values[usable], counts[counts > 0])
    of_group = iter(zip(*map(np.ndarray.tolist, found), strict=True))

    summaries, start = [], 0
    for members, count in zip(groups, counts, strict=True):
        span = slice(start, start := start + len(members))
        moment = next(of_group) if count else None
        summary = _summary(members, statuses[span], values[span], usable[span], moment)
        if summary.std and rounding is not None:
            used = values[span][usable[span]]
            if np.ptp(used) <= 2 * rounding[span][usable[span]].max():
                summary = replace(summary, std=0.0)
        summaries.append(summary)
    return summaries


def _summary(
    members: Sequence[str],
    statuses: Sequence[str],
    values: np.ndarray,
    usable: np.ndarray,
    moment: tuple[float, float] | None,
) -> Summary:
    n = int(usable.sum())
    mean, std = moment or (None, None)
    return Summary(
        mean=mean,
        std=std if n > 1 else None,
        n=n,
        asked=len(members),
        diverged=statuses.count("diverged"),
        pruned=statuses.count("pruned"),
        failed=statuses.count("failed"),
        running=statuses.count("running"),
        missing=statuses.count("missing"),
        undefined=statuses.count("done") - n,
        values=tuple(values[usable].tolist()),
        trial_ids=tuple(m for m, use in zip(members, usable, strict=True) if use),
    )


def moments(x: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``mean`` and ``std`` (n - 1; NaN when n < 2) of groups of numbers that follow each other.

    Both are taken of d_i = x_i - x_1, which is exact for numbers within a factor of two:

        mean = x_1 + c,  c = sum d_i / n,    std = sqrt(sum (d_i - c)² / (n - 1))

    so that equal numbers have that number for a mean and no spread. With unit roundoff
    u = 2⁻⁵³, mean is within u |mean| + (n + 1) u max|d| of the exact one, and std within
    (5 n + 9) u max|d|.

    Args:
        x: (N,) float64 without NaN.
        n: (groups,) how many of them are each group's, at least 1.
    """
    import numpy as np

    if not len(n):
        return np.empty(0), np.empty(0)
    starts = np.cumsum(n) - n
    first = x[starts]
    d = x - np.repeat(first, n)
    c = np.add.reduceat(d, starts) / n
    r = d - np.repeat(c, n)
    most = np.maximum.reduceat(np.abs(r), starts)
    scale = np.where(most > 0, most, 1.0)  # squares of r would overflow or vanish
    squares = np.add.reduceat((r / np.repeat(scale, n)) ** 2, starts)
    std = np.where(n > 1, scale * np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)
    return first + c, std


def statistics(table: pa.Table, by: Sequence[str], value: str) -> pa.Table:
    """`moments` of ``value``, and ``n``, for each group of rows of a table.

    Args:
        table: ``value`` is float64 without nulls. Columns of ``by`` are fastest as integers or
            dictionary-encoded strings.
    """
    import numpy as np
    import pyarrow as pa

    # One thread keeps the rows of a group in order, and with it the last bit.
    grouped = table.group_by(list(by), use_threads=False).aggregate([(value, "list")])
    lists = grouped[f"{value}_list"].combine_chunks()
    n = np.diff(lists.offsets.to_numpy())
    mean, std = moments(lists.values.to_numpy(), n)
    columns = {name: grouped[name] for name in by}
    return pa.table({**columns, "mean": mean, "std": std, "n": n})


__all__ = [
    "EPOCH_WORDS",
    "SELECTIONS",
    "CellResult",
    "SelectionRule",
    "Summary",
    "cells",
    "moments",
    "selection",
    "statistics",
    "summarize",
    "winner",
]
