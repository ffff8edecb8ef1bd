"""What a search has tried: its history, what mattered, and each hyper-parameter against the number.

Optuna's own figures take a figure each and change matplotlib's style for good; here each is a panel
of a row among others. How much a hyper-parameter mattered is computed by Optuna.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from search_spaces.spec import Metric
from sweep.figures.page import COLORS, STYLE, canvas, caption, entitle, hide_empty
from sweep.plan.axes import DECADES
from sweep.plan.study import study
from sweep.plan.tried import TriedPoint, TriedRow, tried_rows, value_of
from trainables.errors import UsageError
from trainables.metric_name import MetricName

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan
    from sweep.record.record import Record

MOST_IN_A_ROW = 3
LEAST_POINTS = 4
"""Of fewer points with a number nothing is said of what mattered."""

SEED = 0
"""Of the random forest by which importances are estimated: equal figures for equal records."""

Panel = tuple[str, Callable[["Axes"], None]]
"""Its title, and what draws it."""


def search_figures(plan: Plan, record: Record) -> list[Figure]:
    """Figures of what was searched of an artifact: history, importances, slices, coordinates.

    Rows in which nothing is searched have no panel among others. Importances and coordinates are of
    rows with several hyper-parameters, and left out where there are none.

    Raises:
        UsageError: nothing was searched, or nothing of it has a number yet.
    """
    rule, rows = tried_rows(plan, record)
    if not any(row.complete for row in rows):
        raise UsageError(f"{plan.artifact.id}: no point of the search has a number yet")
    rows = [row for row in rows if row.axes] or rows
    several = [row for row in rows if len(row.axes) > 1 and len(row.complete) > 1]
    kinds: list[tuple[list[Panel], str]] = [
        (
            [(row.name, _drawn(_history, row)) for row in rows],
            "Points in the order in which they ended; line: the best so far; hollow: pruned, at "
            "the epoch where it was stopped.",
        ),
        (
            [
                (row.name, _drawn(_importances, row))
                for row in several
                if len({point.loss for point in row.complete}) > 1
                and len(row.complete) >= LEAST_POINTS
            ],
            "Share of the number's variance over the points that each explains (fANOVA).",
        ),
        (
            [(row.name, _drawn(_slice, row, axis)) for row in rows for axis in row.axes],
            "Every point along each hyper-parameter; hollow: pruned; star: the best.",
        ),
        (
            [(row.name, _drawn(_coordinates, row)) for row in several],
            "A line per point, dark where the number is small; black: the best.",
        ),
    ]
    shown = replace(plan, selection=rule)
    return [_figure(shown, panels, said) for panels, said in kinds if panels]


def _drawn(draw: Callable[..., None], *about: object) -> Callable[[Axes], None]:
    return lambda axis: draw(axis, *about)


def _figure(plan: Plan, panels: Sequence[Panel], said: str) -> Figure:
    import matplotlib as mpl

    columns = min(MOST_IN_A_ROW, len(panels))
    with mpl.rc_context(STYLE):
        figure, grid = canvas(-(-len(panels) // columns), columns)
        for axis, (title, draw) in zip(hide_empty(grid, len(panels)), panels, strict=True):
            entitle(axis, title)
            draw(axis)
        caption(figure, plan, f" {said}")
    return figure


def _metric(row: TriedRow) -> Metric:
    """The column that shows what the search looks at."""
    percent = MetricName(row.on).quantity == "error"
    words = row.on.replace("_", " ") + (" %" if percent else "")
    return Metric(row.on, words, shown="percent" if percent else "plain")


def _numbers(row: TriedRow, points: Sequence[TriedPoint]) -> list[float]:
    """In the unit of `_metric`; a point without a number has none here."""
    return [_metric(row).display(float("nan" if p.loss is None else p.loss)) for p in points]


def _history(axis: Axes, row: TriedRow) -> None:
    place = {point.trial_ids: i for i, point in enumerate(row.points, 1)}
    done, pruned = row.complete, [point for point in row.points if point.pruned]
    _marks(axis, [place[p.trial_ids] for p in done], _numbers(row, done))
    _marks(axis, [place[p.trial_ids] for p in pruned], _numbers(row, pruned), hollow=True)
    best = list(accumulate(_numbers(row, done), min))
    if best:
        x = [*(place[point.trial_ids] for point in done), len(row.points)]
        axis.step(x, [*best, best[-1]], where="post", color=COLORS[1], linewidth=1.2)
    axis.set_xlim(0.5, len(row.points) + 0.5)
    axis.locator_params(axis="x", nbins=6, integer=True)
    axis.set_xlabel("point")
    _of_losses(axis, row)


def _marks(axis: Axes, x: Sequence[float], y: Sequence[float], hollow: bool = False) -> None:
    face = "none" if hollow else COLORS[0]
    axis.plot(
        x, y, linestyle="", marker="v" if hollow else "o", markersize=4, color=COLORS[0],
        markerfacecolor=face, zorder=3,
    )  # fmt: skip


def _of_losses(axis: Axes, row: TriedRow) -> None:
    """The y axis, logarithmic where the numbers span decades."""
    shown = [p for p in row.points if p.loss is not None and p.loss < math.inf]
    losses = _numbers(row, shown)
    if losses and min(losses) > 0 and max(losses) / min(losses) >= DECADES:
        axis.set_yscale("log")
    axis.set_ylabel(_metric(row).label)


def _slice(axis: Axes, row: TriedRow, name: str) -> None:
    values = value_of(row, name)
    numbers = all(isinstance(value, float) for value in values)

    def along(points: Sequence[TriedPoint]) -> list[float]:
        found = [point.values[name] for point in points]
        return [float(v) for v in found] if numbers else [values.index(str(v)) for v in found]

    done, pruned = row.complete, [point for point in row.points if point.pruned]
    _marks(axis, along(done), _numbers(row, done))
    _marks(axis, along(pruned), _numbers(row, pruned), hollow=True)
    if row.best is not None:
        star = [row.best]
        axis.plot(along(star), _numbers(row, star), marker="*", markersize=11, color=COLORS[1])
    if numbers:
        _scale(axis, values)
    else:
        axis.set_xticks(range(len(values)), values)
    axis.set_xlabel(_short(name))
    _of_losses(axis, row)


def _scale(axis: Axes, values: Sequence[float]) -> None:
    """Logarithmic where the values above 0 span decades; 0 then stands left of them."""
    above = [value for value in values if value > 0]
    if not above or values[0] < 0 or values[-1] / above[0] < DECADES:
        whole = all(value.is_integer() for value in values)
        axis.locator_params(axis="x", nbins=6, integer=whole)
        return
    if above == list(values):
        axis.set_xscale("log")
    else:
        axis.set_xscale("symlog", linthresh=above[0])
    ticks = list(dict.fromkeys([values[0], values[len(values) // 2], values[-1]]))
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_xticks([], minor=True)


def _importances(axis: Axes, row: TriedRow) -> None:
    import optuna

    made = study(row)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=SEED)
    found = optuna.importance.get_param_importances(made, evaluator=evaluator)
    names = sorted(found, key=lambda name: found[name])
    axis.barh([_short(name) for name in names], [found[n] for n in names], color=COLORS[0])
    axis.set_xlim(0, 1)
    axis.set_xlabel("importance")


def _coordinates(axis: Axes, row: TriedRow) -> None:
    import matplotlib as mpl

    metric, points = _metric(row), row.complete
    losses = _numbers(row, points)
    least, most = min(losses), max(losses)
    color = mpl.colormaps["viridis"]
    scales = [_unit_scale(row, name) for name in row.axes]
    span = (most - least) or 1.0
    for point, loss in sorted(zip(points, losses, strict=True), key=lambda pair: -pair[1]):
        height = (loss - least) / span
        line = [scale(point) for scale in scales] + [height]
        best = point is row.best
        axis.plot(
            range(len(line)), line, color="black" if best else color(0.9 * height),
            linewidth=2 if best else 1, zorder=3 if best else 2,
        )  # fmt: skip
    for place, name in enumerate(row.axes):
        _ends(axis, place, value_of(row, name))
    _ends(axis, len(row.axes), [least, most], digits=metric.digits)
    names = [*map(_short, row.axes), metric.label]
    axis.set_xticks(range(len(names)), names, fontsize="small", rotation=20, ha="right")
    axis.set_yticks([])
    axis.set_ylim(-0.12, 1.12)
    axis.grid(visible=False)


def _unit_scale(row: TriedRow, name: str) -> Callable[[TriedPoint], float]:
    """Where a point lies on an axis between 0 and 1: its values evenly apart, in their order."""
    values = value_of(row, name)
    numbers = all(isinstance(value, float) for value in values)

    def place(point: TriedPoint) -> float:
        value = point.values[name]
        return values.index(value if numbers else str(value)) / max(1, len(values) - 1)

    return place


def _ends(axis: Axes, place: int, values: Sequence[object], digits: int | None = None) -> None:
    """The least value below an axis and the greatest above it."""
    axis.axvline(place, color="#999999", linewidth=0.8)
    for y, value, side in ((-0.02, values[0], "top"), (1.02, values[-1], "bottom")):
        text = str(value)
        if isinstance(value, float):
            text = f"{value:g}" if digits is None else f"{value:.{digits}f}"
        axis.text(place, y, text, ha="center", va=side, fontsize="x-small")


def _short(label: str) -> str:
    return label.rpartition(".")[2]


__all__ = ["search_figures"]
