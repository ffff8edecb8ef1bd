"""What a figure draws, as plain numbers: panels of lines with mean, spread and n at every x.

The view says what runs along the x axis (`CurveView.x`):

* `Label`: the table's numbers, one point per cell;
* `Epochs`: the metrics' histories, averaged over seeds epoch by epoch;
* `InName`: metrics recorded under names with numbers in them (`CurveName`).

Of a `MapView` there is one map per cell, recorded as `MapName` says. All is a function of the view,
the experiment and the record: no data set is read and no network built.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search_spaces.spec import Cell, CurveView, Epochs, InName, Label, MapView, Metric, Reported
from sweep.aggregate import CellResult, cells
from sweep.tables.cells import TableCell, make
from trainables.errors import UsageError
from trainables.metric_name import NUMBER, CurveName, MapName, MetricName, is_number

if TYPE_CHECKING:
    from search_spaces.spec import Experiment
    from sweep.plan.expand import Plan
    from sweep.record.record import Record


@dataclass(frozen=True)
class DataPoint:
    """Mean ± std over seeds at one x.

    Attributes:
        x: A number, or a word of a label.
        mean, std: In the metric's unit; the std is the sample's (n - 1), None when n < 2.
        n: How many seeds.
        std_error: Standard error of a measure's estimate on a single network, where it gives one.
    """

    x: float | str
    mean: float
    std: float | None
    n: int
    std_error: float | None = None

    @property
    def band(self) -> float | None:
        """What is drawn to either side of the mean: the std or, of one seed, the standard error."""
        return self.std_error if self.std is None else self.std


@dataclass(frozen=True)
class Counts:
    """Of how many seeds a line or map is made.

    Attributes:
        seeds: Of each of its cells, how many seeds gave a number and how many were asked for.
        problems: What became of the others -> how many.
    """

    seeds: tuple[tuple[int, int], ...]
    problems: Mapping[str, int]

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.seeds + other.seeds, Counter(self.problems) + Counter(other.problems))

    def __or__(self, other: Counts) -> Counts:
        """The counts of one line that is made of two metrics of the same trials."""
        problems = Counter(self.problems) | Counter(other.problems)
        return Counts(tuple(dict.fromkeys(self.seeds + other.seeds)), problems)

    def __str__(self) -> str:
        """``n = 3`` or ``n = 2/3, 1 diverged``; ``n = 1–3`` where cells differ in it."""
        ns, asked = sorted({n for n, _ in self.seeds}), max((a for _, a in self.seeds), default=0)
        n = f"{ns[0]}" if len(ns) == 1 else f"{ns[0]}–{ns[-1]}" if ns else "0"
        short = [f"{count} {what}" for what, count in self.problems.items() if count]
        complete = asked and all(n == a for n, a in self.seeds)
        return ", ".join([f"n = {n}" if complete else f"n = {n}/{asked}", *short])


@dataclass(frozen=True)
class Line:
    """A line of a panel.

    Attributes:
        name: As the legend calls it.
        counts: Of how many seeds it is made.
        points: By x.
        style: The entries of its labels that tell it from the other lines: lines that agree in
            one of them have the same color, or the same dash.
        reference: Whether it is what the others are compared with, such as the one baseline of
            lines that differ in a hyper-parameter. Its cell lacks labels that theirs have.
        printed: (x, what the paper prints there).
        trials: Ids of the trials that it is made of.
    """

    name: str
    counts: Counts
    points: tuple[DataPoint, ...]
    style: tuple[str, ...] = ()
    reference: bool = False
    printed: tuple[tuple[float | str, Reported], ...] = ()
    trials: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One set of axes."""

    title: str
    xlabel: str
    ylabel: str
    lines: tuple[Line, ...]

    @property
    def categories(self) -> list[str]:
        """Every x in order, if some are words; empty if all are numbers."""
        xs = [x for line in self.lines for x in (*(p.x for p in line.points), *dict(line.printed))]
        return list(dict.fromkeys(map(str, xs))) if any(isinstance(x, str) for x in xs) else []


@dataclass(frozen=True)
class Map:
    """A quantity over a plane.

    Attributes:
        counts: Of how many seeds it is made.
        values: (x, y) -> mean over seeds.
        samples: (x, y, class) of samples in the plane, where some are recorded.
    """

    title: str
    counts: Counts
    values: Mapping[tuple[float, float], float]
    samples: tuple[tuple[float, float, int], ...] = ()


Reader = Callable[[Metric, Sequence[CellResult]], Line]
"""A line of the cells that share it, without its name and style."""


def panels(plan: Plan, record: Record) -> list[list[Panel]]:
    """Rows of panels: one row per metric, one column per value of `CurveView.panels`."""
    view = plan.artifact.view
    assert isinstance(view, CurveView)
    results = cells(plan, record)
    return _arranged(
        view,
        [result for result in results if not result.cell.hidden],
        _reader(view, plan.artifact.experiment, results, record),
    )


def _reader(
    view: CurveView, experiment: Experiment, results: Sequence[CellResult], record: Record
) -> Reader:
    match view.x:
        case Epochs():
            return lambda metric, group: _history(metric, group[0], record)
        case InName():
            return lambda metric, group: _curve(metric, group[0], record)
        case Label(name):
            made = make(view, experiment, results, comparable=False)
            found = {(id(cell.result), cell.metric.key): cell for cell in made}
            return lambda metric, group: _of_table(
                [found[id(result), metric.key] for result in group], name
            )


def _arranged(view: CurveView, results: Sequence[CellResult], read: Reader) -> list[list[Panel]]:
    """Deal the cells to panels by their ``panels`` entries, and to lines by the labels left."""
    x = view.x
    places = _grouped(results, view.panels)
    apart = {*view.panels, *([x.name] if isinstance(x, Label) else [])}
    xlabel = "epoch" if isinstance(x, Epochs) else x.name
    by_panel = isinstance(x, Label) and x.called_by in view.panels
    rows = [
        [
            Panel(
                title="" if by_panel else ", ".join(map(with_label, view.panels, place)),
                xlabel=", ".join(place) if by_panel else xlabel,
                ylabel=metric.label,
                lines=tuple(_lines(metric, members, apart, read, levels=isinstance(x, Epochs))),
            )
            for place, members in places.items()
        ]
        for metric in view.metrics
    ]
    if isinstance(x, InName) and len(results) == 1:  # a single network: its metrics are the lines
        lines = [
            replace(panel.lines[0], name=panel.ylabel, style=(panel.ylabel,)) for (panel,) in rows
        ]
        named = " and ".join(dict.fromkeys(metric.label for metric in view.metrics))
        return [[Panel(_title(results[0].cell), xlabel, named, tuple(lines))]]
    return rows


def _grouped(
    results: Iterable[CellResult], labels: Iterable[str]
) -> dict[tuple[str, ...], list[CellResult]]:
    labels = tuple(labels)
    groups: dict[tuple[str, ...], list[CellResult]] = {}
    for result in results:
        entries = tuple(result.cell.label(label) for label in labels)
        groups.setdefault(entries, []).append(result)
    return groups


def _lines(
    metric: Metric,
    members: Sequence[CellResult],
    apart: set[str],
    read: Reader,
    levels: bool,
) -> list[Line]:
    """The lines of a panel.

    Args:
        apart: Labels that do not tell lines apart.
        levels: Whether a line that the others are compared with is shown as a level.
    """
    labels = list(dict.fromkeys(la for r in members for la in r.cell.key if la not in apart))
    groups = _grouped(members, labels)
    most = max(sum(map(bool, entries)) for entries in groups)
    full = [entries for entries in groups if sum(map(bool, entries)) == most]
    telling = [i for i in range(len(labels)) if len({entries[i] for entries in full}) > 1]
    varying = [i for i in range(len(labels)) if len({entries[i] for entries in groups}) > 1]
    lines = []
    for entries, group in groups.items():
        reference = entries not in full
        kept = [i for i in varying if entries[i]] if reference else telling
        line = read(metric, group)
        line = replace(
            line,
            name=", ".join(with_label(labels[i], entries[i]) for i in kept),
            style=() if reference else tuple(entries[i] for i in telling),
            reference=reference,
        )
        lines.append(_level(line, metric) if reference and levels else line)
    return lines


def with_label(label: str, entry: str) -> str:
    """A number is called by its label, a word by itself."""
    return f"{label} {entry}" if re.fullmatch(rf"{NUMBER}(, for .+)?", entry) else entry


def _title(cell: Cell) -> str:
    return ", ".join(map(cell.label, cell.key))


def _level(line: Line, metric: Metric) -> Line:
    """A reference line as a level: the number of its best epoch, drawn along the whole axis."""
    if not line.points:
        return line
    pick = max if metric.better == "higher" else min
    best = pick(line.points, key=lambda point: point.mean)
    ends = (line.points[0], line.points[-1])
    points = tuple(replace(best, x=end.x, std=None) for end in ends)
    return replace(line, name=f"{line.name}, best epoch", points=points)


# -- the three ways to read a line ---------------------------------------------------------------


def _of_table(made: Sequence[TableCell], x: str) -> Line:
    pairs = [(_x(c.result.cell, x), c) for c in made]
    beside = [(at if isinstance(at, str) else _number(c.result.cell, x), c) for at, c in pairs]
    problems: Counter[str] = Counter()
    for cell in made:
        for problem in cell.problems:
            count, _, what = problem.partition(" ")
            problems[what] += int(count) if count.isdigit() else 1
    return Line(
        name="",
        counts=Counts(tuple((cell.n, cell.asked) for cell in made), problems),
        points=tuple(DataPoint(x, c.mean, c.std, c.n) for x, c in pairs if c.mean is not None),
        printed=tuple((x, c.reported) for x, c in beside if c.reported is not None),
        trials=tuple(trial_id for cell in made for trial_id in cell.result.trial_ids),
    )


def _x(cell: Cell, label: str) -> float | str:
    """Where a cell stands along ``label``: at the number that was run, or under its words."""
    entry = cell.ran.get(label, str(cell.key.get(label, "")))
    return float(entry) if is_number(entry) else cell.label(label)


def _number(cell: Cell, label: str) -> float | str:
    """The paper's own number along ``label``, at which its printed values stand."""
    entry = str(cell.key.get(label, ""))
    return float(entry) if is_number(entry) else entry


def _history(metric: Metric, result: CellResult, record: Record) -> Line:
    def read(name: str) -> list[dict[float, float]]:
        return [
            {float(x): value for x, value in record.curve(trial_id, name)}
            for trial_id in _done(result, record)
        ]

    curves = read(metric.name)
    if not metric.minus:
        return _averaged(metric, curves, read(MetricName(metric.name).std_error), result, record)
    gaps = [
        {x: value - other[x] for x, value in curve.items() if x in other}
        for curve, other in zip(curves, read(metric.minus), strict=True)
    ]
    return _averaged(metric, gaps, [], result, record)


def _curve(metric: Metric, result: CellResult, record: Record) -> Line:
    points = CurveName.parse(metric.name).points(record.metric_names())

    def read(names: Sequence[tuple[float, str]]) -> list[dict[float, float]]:
        return [
            {x: value for x, name in names if (value := record.value(trial_id, name)) is not None}
            for trial_id in _done(result, record)
        ]

    errors = [(x, MetricName(name).std_error) for x, name in points]
    return _averaged(metric, read(points), read(errors), result, record)


def _averaged(
    metric: Metric,
    curves: Sequence[Mapping[float, float]],
    errors: Sequence[Mapping[float, float]],
    result: CellResult,
    record: Record,
) -> Line:
    """The mean over ``curves``, of which each trial has one.

    Args:
        errors: The standard errors of their points.
    """
    of_one = errors[0] if len(errors) == 1 else {}
    points = []
    for x in sorted({x for curve in curves for x in curve}):
        at = [curve[x] for curve in curves if x in curve and math.isfinite(curve[x])]
        values = [metric.display(value) for value in at]
        if values:
            std = statistics.stdev(values) if len(values) > 1 else None
            error = of_one.get(x, math.nan) * metric.unit
            known = error if math.isfinite(error) else None
            points.append(DataPoint(x, statistics.mean(values), std, len(values), known))
    used = sum(any(map(math.isfinite, curve.values())) for curve in curves)
    counts = _tally(used, result, record)
    return Line(name="", counts=counts, points=tuple(points), trials=result.trial_ids)


def _done(result: CellResult, record: Record) -> list[str]:
    return [t for t in result.trial_ids if record.status(t) == "done"]


def _tally(used: int, result: CellResult, record: Record) -> Counts:
    problems = Counter(record.status(t) for t in result.trial_ids)
    problems["undefined"] = problems.pop("done", 0) - used
    problems["not run"] = problems.pop("missing", 0)
    asked = len(result.trial_ids)
    if not asked:  # its stage waits for the winner of an earlier one
        asked = problems["not run"] = next(iter(result.metrics.values())).asked
    return Counts(((used, asked),), +problems)


def maps(plan: Plan, record: Record) -> list[Map]:
    """One map per cell: the mean over its seeds, and the samples of the first that has some.

    Raises:
        UsageError: if nothing was recorded over a plane.
    """
    import numpy as np

    view = plan.artifact.view
    assert isinstance(view, MapView)
    recorded = record.metric_names()
    points = list(MapName(view.over_plane).points(recorded))
    samples = list(MapName(view.over_plane).samples(recorded))
    if not points:
        raise UsageError(
            f"{plan.artifact.id}: no map ('{view.over_plane}/<x>/<y>') is in the record; "
            f"first: sweep run {plan.artifact.id} --preset {plan.preset} {plan.variant}".rstrip()
        )
    found = []
    for result in (result for result in cells(plan, record) if not result.cell.hidden):
        done = _done(result, record)
        values = {
            (x, y): statistics.mean(finite.tolist())
            for x, y, name in points
            if len(finite := (v := record.values(done, name))[np.isfinite(v)])
        }
        first = (_samples(trial_id, samples, record) for trial_id in done)
        counts = _tally(len(done) if values else 0, result, record)
        found.append(Map(_title(result.cell), counts, values, next(filter(None, first), ())))
    return found


def _samples(
    trial_id: str, samples: Sequence[tuple[float, float, str]], record: Record
) -> tuple[tuple[float, float, int], ...]:
    classes = ((x, y, record.value(trial_id, name)) for x, y, name in samples)
    return tuple((x, y, int(label)) for x, y, label in classes if label is not None)


__all__ = ["DataPoint", "Line", "Map", "Panel", "maps", "panels", "with_label"]
