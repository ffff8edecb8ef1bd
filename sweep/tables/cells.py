"""The numbers of a table in their columns' units, compared with the printed ones and each other.

Bold, and whether the order of printed numbers is kept (`sweep.tables.reproduction`), compare the
cells of a *group*: those that differ in nothing but the method, or, in an artifact without methods,
in nothing but the innermost row label or the one that it names (`competing_label`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from search_spaces.spec import Cell, Experiment, Metric, Reported, View
from sweep.aggregate import CellResult, Summary
from sweep.comparison import Sample, compare, not_told_from_best

LEAST_SEEDS = 3
"""Of a number that may be bold: two have a spread of their own, and next to no power."""


@dataclass(frozen=True)
class TableCell:
    """One number of a table, in the unit of its column.

    Attributes:
        mean, std: Over the seeds that gave a number; None where there is none.
        result, summary: Where they come from: selected point, trials, what became of each.
        values: Of the seeds that gave a number, in the unit of the column, as ``summary.trial_ids``
            are ordered; a ratio is to the same mean for all.
        selected: Which point of a search won, in words; empty: nothing was searched.
        problems: What is short of the number asked for, e.g. ``("1 diverged", "search 5/9")``.
        reported: What was printed; ``mark`` refers to its footnote.
        difference: Measured less printed; None where they may not be compared.
        half_width, inside: Welch's 95 % interval for the difference, and whether it includes 0.
        incomparable: Of a printed number that has no such verdict, why, in a few words.
        bold: Best of those it competes with, or not distinguishable from the best (Holm).
        against: The same number of another variant (`sweep.tables.difference`), and ``difference``
            is then to it; None: ``difference`` is to what was printed.
    """

    metric: Metric
    mean: float | None
    std: float | None
    result: CellResult
    summary: Summary
    problems: tuple[str, ...]
    reported: Reported | None = None
    mark: str = ""
    difference: float | None = None
    half_width: float | None = None
    inside: bool | None = None
    incomparable: str = ""
    bold: bool = False
    against: TableCell | None = None
    values: tuple[float, ...] = ()
    selected: str = ""

    @property
    def reproduced(self) -> str:
        """``inside``, ``outside`` or ``not comparable`` of a printed number; empty: none is."""
        if self.reported is None:
            return ""
        return {True: "inside", False: "outside", None: "not comparable"}[self.inside]

    @property
    def same_trials(self) -> bool:
        """Whether the other variant's number is this one, of the same trials."""
        other = self.against
        ids = self.summary.trial_ids
        return other is not None and ids == other.summary.trial_ids and self.mean == other.mean

    @property
    def n(self) -> int:
        """How many seeds gave a number."""
        return self.summary.n

    @property
    def asked(self) -> int:
        """How many seeds were asked for."""
        return self.summary.asked

    @property
    def note(self) -> str:
        """What the paper's number needs to be read; empty: nothing."""
        return self.reported.note if self.reported else ""


def make(
    view: View, experiment: Experiment, results: Sequence[CellResult], comparable: bool
) -> list[TableCell]:
    """Every metric of every cell that is shown.

    Args:
        view, experiment: How is shown, and what.
        results: What was measured for each cell.
        comparable: Whether measured numbers are compared with printed ones.
    """
    compared = competing_label(view, experiment)
    cells = _bold(_footnoted(_in_units(view.metrics, results)), compared)
    return [_compared(cell) for cell in cells] if comparable else cells


def _in_units(metrics: Sequence[Metric], results: Sequence[CellResult]) -> list[TableCell]:
    cells = []
    for result in (result for result in results if not result.cell.hidden):
        for metric in (metric for metric in metrics if metric.key in result.metrics):
            summary = result.metrics[metric.key]
            problems = summary.problems
            if other := sum(trial_id in result.changed for trial_id in summary.trial_ids):
                problems += (f"{other} changed",)
            if result.waits:
                problems += (result.waits,)
            if result.provisional:
                problems += (f"search {result.searched}/{result.points}",)
            mean, std, values = summary.mean, summary.std, summary.values
            unit = metric
            if metric.relative_to is not None and mean is not None:
                mean, std, values = _ratio(result, metric, results)
                unit = replace(metric, scale=1.0)  # it cancels
                problems += () if mean is not None else ("nothing to relate it to",)
            cells.append(
                TableCell(
                    metric=metric,
                    mean=None if mean is None else unit.display(mean),
                    std=None if std is None else std * unit.unit,
                    result=result,
                    summary=summary,
                    problems=problems,
                    reported=_printed(result.cell, metric),
                    values=tuple(map(unit.display, values)),
                )
            )
    return cells


def _printed(cell: Cell, metric: Metric) -> Reported | None:
    reported = cell.reported.get(metric.key)
    return None if reported is None or reported.mean is None else reported


def _reference(result: CellResult, metric: Metric, results: Sequence[CellResult]) -> Summary | None:
    """The cell with the entries ``metric.relative_to`` that else agrees with this one."""
    wanted = {**result.cell.key, **(metric.relative_to or {})}
    exact = [r for r in results if r.cell.key == wanted]
    partial = [
        r
        for r in results
        if r.cell.key.items() <= wanted.items()
        and (metric.relative_to or {}).items() <= r.cell.key.items()
    ]
    found = (exact or partial)[:1]
    return found[0].metrics.get(metric.key) if found else None


def _ratio(
    result: CellResult, metric: Metric, results: Sequence[CellResult]
) -> tuple[float | None, float | None, tuple[float, ...]]:
    """a / b of the means, with std |a / b| sqrt((sa / a)² + (sb / b)²), to first order.

    The third are the seeds' ratios, each to the mean b. None where the reference has no mean, or
    0. The reference itself is 1, without a spread.
    """
    own, reference = result.metrics[metric.key], _reference(result, metric, results)
    if own.mean is None or reference is None or not reference.mean:
        return None, None, ()
    ratio, values = own.mean / reference.mean, tuple(v / reference.mean for v in own.values)
    if own is reference:
        return ratio, None, values
    if own.std is None or reference.std is None or own.mean == 0:
        return ratio, None, values
    std = abs(ratio) * math.hypot(own.std / own.mean, reference.std / reference.mean)
    return ratio, std, values


def _compared(cell: TableCell) -> TableCell:
    reported = cell.reported
    if reported is None or reported.mean is None or cell.mean is None or not reported.comparable:
        return cell
    return with_difference(cell, Sample(reported.mean, reported.std, reported.n))


def with_difference(cell: TableCell, other: Sample) -> TableCell:
    """``cell``, which has a mean, compared with ``other`` in its unit."""
    assert cell.mean is not None
    found = compare(Sample(cell.mean, cell.std, cell.n), other)
    width, apart = found.half_width(), found.distinguishable
    inside = None if apart is None else not apart
    return replace(cell, difference=found.value, half_width=width, inside=inside)


def _footnoted(cells: list[TableCell]) -> list[TableCell]:
    notes = dict.fromkeys(cell.note for cell in cells if cell.note)
    marks = {note: _letters(i) for i, note in enumerate(notes)}
    return [replace(cell, mark=marks.get(cell.note, "")) for cell in cells]


def _letters(i: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    return (_letters(i // 26 - 1) if i >= 26 else "") + chr(ord("a") + i % 26)


def groups_of(cells: Sequence[TableCell], compared: str) -> dict[Any, list[int]]:
    """Places in ``cells`` of those that compete: they differ in the label ``compared`` alone."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        rest = {k: v for k, v in cell.result.cell.key.items() if k != compared}
        groups[cell.metric.label, cell.metric.key, tuple(sorted(rest.items()))].append(i)
    return groups


def competing_label(view: View, experiment: Experiment) -> str:
    """The label whose values compete for bold (`View.competing`)."""
    if view.competing:
        return view.competing
    labels = {label for cell in experiment.cells for label in cell.key} | set(experiment.fan_out)
    return "method" if "method" in labels or not view.rows else view.rows[-1]


def as_rival(cell: TableCell) -> Sample | None:
    """A cell's number as it is compared with others; None: it is not.

    Only complete cells are compared, so that no lucky seed wins. Ratios are compared without the
    spread of what they are relative to, which is the same for all of them.
    """
    if cell.mean is None or not cell.summary.complete or cell.result.provisional:
        return None
    std = cell.std
    if cell.metric.relative_to is not None and cell.summary.std is not None and cell.summary.mean:
        scale = abs((cell.mean - cell.metric.display(0.0)) / cell.summary.mean)
        std = cell.summary.std * scale
    return Sample(cell.mean, std, cell.n)


def _bold(cells: list[TableCell], compared: str) -> list[TableCell]:
    """Family-wise over each group, in which places that show the same trials are one number."""
    cells = list(cells)
    for members in groups_of(cells, compared).values():
        metric = cells[members[0]].metric
        places: dict[Any, list[int]] = defaultdict(list)
        for i in members:
            rival = as_rival(cells[i])
            if rival is not None and cells[i].n >= LEAST_SEEDS:
                places[cells[i].result.trial_ids or i].append(i)
        if len(places) < 2 or metric.better == "neither":
            continue
        rivals = [rival for same in places.values() if (rival := as_rival(cells[same[0]]))]
        lower, log = metric.better == "lower", by_ratio(metric, rivals)
        chosen = not_told_from_best(rivals, lower=lower, log=log)
        for same, bold in zip(places.values(), chosen, strict=True):
            for i in same:
                cells[i] = replace(cells[i], bold=bold)
    return cells


def by_ratio(metric: Metric, samples: Sequence[Sample]) -> bool:
    """Whether numbers of a column are compared by their ratio, not by their difference."""
    return metric.in_proportion and all(sample.mean > 0 for sample in samples)


__all__ = [
    "LEAST_SEEDS",
    "TableCell",
    "as_rival",
    "by_ratio",
    "competing_label",
    "groups_of",
    "make",
    "with_difference",
]
