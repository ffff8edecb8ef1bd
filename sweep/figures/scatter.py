"""Numbers of a table as points: measured against printed, and error against cost.

Points are named by what competes (`sweep.figures.places.compared`), in the legend, by color and by
marker. Whiskers are sample standard deviations over seeds; a number of a single seed has none.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search_spaces import presets
from search_spaces.spec import CurveView, InName, Metric
from sweep.aggregate import EPOCH_WORDS
from sweep.figures.data import with_label
from sweep.figures.page import (
    ACROSS,
    COLORS,
    MARKERS,
    STYLE,
    canvas,
    caption,
    directions_only,
    entitle,
    hide_empty,
    legend_below,
    of_seeds,
    spans_decades,
    whiskers,
)
from sweep.figures.places import (
    compared,
    criterion,
    numbers,
    pages,
    panel_labels,
    shown,
)
from sweep.record.columns import expand_curves, names_of
from trainables.errors import UsageError
from trainables.metric_name import MetricName

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan
    from sweep.record.record import Record
    from sweep.tables.cells import TableCell

COSTS = ("gradient_evaluations", "device_seconds", "training_seconds", "step_seconds")
"""What a column of costs shows."""
EVALUATIONS = Metric("gradient_evaluations", "gradient evaluations", better="neither", digits=0)
"""The cost of a training, which every trial records, where an artifact has no column of costs."""
DIAGONAL, FRONT = "measured = printed", "Pareto front of the means"


@dataclass(frozen=True)
class Dot:
    """A number against another, each with its sample standard deviation where it has one.

    Attributes:
        name: As the legend calls it.
        hollow: The two are not of the same thing, and are not compared.
        n: How many seeds it is the mean of.
    """

    name: str
    x: float
    y: float
    x_std: float | None
    y_std: float | None
    n: int
    hollow: bool = False


@dataclass(frozen=True)
class Cloud:
    """The points of one set of axes.

    Attributes:
        lacking: How many cells have no number, and so no point.
        better: Which y is good.
    """

    title: str
    xlabel: str
    ylabel: str
    dots: tuple[Dot, ...]
    lacking: int
    better: str


# -- measured against printed ----------------------------------------------------------------------


def why_not_printed(plan: Plan) -> str:
    """Why measured numbers cannot be drawn against printed ones; empty: they can."""
    printed = any(r.mean is not None for cell in shown(plan) for r in cell.reported.values())
    return "" if printed else "has no printed numbers"


def printed_of(plan: Plan, record: Record) -> list[Figure]:
    """A panel for each column of which something is printed, with the diagonal.

    Raises:
        UsageError: none of the cells has a number.
    """
    recorded = names_of((trial.trial_id for trial in plan.trials), record)
    view = expand_curves(plan.artifact.view, recorded)
    made = [cell for cell in numbers(plan, record, view.metrics) if cell.reported]
    keys = dict.fromkeys((cell.metric.key, cell.metric.label) for cell in made)
    clouds = [
        _against_printed([c for c in made if (c.metric.key, c.metric.label) == key], compared(plan))
        for key in keys
    ]
    apart = not presets.of(plan.artifact, plan.preset).comparable
    said = f" {_upper(directions_only(plan))}." if apart else ""
    if any(dot.hollow for cloud in clouds for dot in cloud.dots):
        said += " Hollow: what was printed is of something else."
    return _figures(plan, clouds, said, _diagonal)


def _against_printed(cells: Sequence[TableCell], rival: str) -> Cloud:
    label = cells[0].metric.label
    dots = [
        Dot(_name(cell, rival), r.mean, cell.mean, r.std, cell.std, cell.n, not r.comparable)
        for cell in cells
        if cell.mean is not None and (r := cell.reported) is not None and r.mean is not None
    ]
    lacking = len(cells) - len(dots)
    return Cloud("", f"printed {label}", f"measured {label}", tuple(dots), lacking, "neither")


def _diagonal(axis: Axes, cloud: Cloud) -> None:
    """Both axes alike, and the line on which measured and printed numbers are equal."""
    ends = [
        side
        for dot in cloud.dots
        for side in (*_range(dot.x, dot.x_std), *_range(dot.y, dot.y_std))
    ]
    values = [value for dot in cloud.dots for value in (dot.x, dot.y)]
    if spans_decades(values):
        axis.set_xscale("log")
        axis.set_yscale("log")
        limits = min(values) / 1.5, max(ends) * 1.5
    else:
        room = 0.06 * (max(ends) - min(ends)) or 0.06 * abs(max(ends)) or 1.0
        limits = min(ends) - room, max(ends) + room
    axis.plot(
        limits, limits, color="#555555", linestyle="--", linewidth=1, label=DIAGONAL, zorder=1
    )
    axis.set_xlim(limits)
    axis.set_ylim(limits)
    axis.set_box_aspect(1)


def _range(value: float, std: float | None) -> tuple[float, float]:
    return value - (std or 0.0), value + (std or 0.0)


# -- error against cost ----------------------------------------------------------------------------


def why_not_cost(plan: Plan) -> str:
    """Why errors cannot be drawn against what they cost; empty: they can."""
    if _quality(plan) is None:
        return "has no column to set against its cost"
    return "" if len(shown(plan)) > 1 else "has a single cell, and nothing to compare its cost with"


def cost_of(plan: Plan, record: Record) -> list[Figure]:
    """The first column that can be good or bad against each column of costs, place by place.

    The Pareto front is of the means: no other point of the panel is as cheap and as good, and
    cheaper or better.

    Raises:
        UsageError: none of the cells has both numbers.
    """
    quality = _quality(plan)
    assert quality is not None
    costs = tuple(m for m in plan.artifact.view.metrics if m.name in COSTS) or (EVALUATIONS,)
    made = numbers(plan, record, (*costs, quality))
    at: dict[int, dict[str, TableCell]] = {}
    for cell in made:
        at.setdefault(id(cell.result), {})[cell.metric.label] = cell
    labels, rival = panel_labels(plan), compared(plan)
    places: dict[tuple[str, ...], list[dict[str, TableCell]]] = {}
    for found in at.values():
        if quality.label not in found:  # a cell that the column is not about
            continue
        key = tuple(map(found[quality.label].result.cell.label, labels))
        places.setdefault(key, []).append(found)
    clouds = [
        _against_cost(", ".join(map(with_label, labels, place)), cost, quality, members, rival)
        for place, members in places.items()
        for cost in costs
    ]
    return _figures(plan, clouds, "", _front, len(costs))


def _quality(plan: Plan) -> Metric | None:
    """The first column in which a direction is better and that is no cost, or the criterion."""
    view = plan.artifact.view
    in_name = isinstance(view, CurveView) and isinstance(view.x, InName)
    for metric in () if in_name else view.metrics:
        if metric.better != "neither" and metric.name not in COSTS:
            return metric
    chosen = criterion(plan.selection.criterion(plan.artifact))
    return chosen if MetricName(chosen.name).data_split else None


def _against_cost(
    title: str,
    cost: Metric,
    quality: Metric,
    members: Sequence[dict[str, TableCell]],
    rival: str,
) -> Cloud:
    pairs = [(found[cost.label], found[quality.label]) for found in members]
    dots = tuple(
        Dot(_name(y, rival), x.mean, y.mean, x.std, y.std, y.n)
        for x, y in pairs
        if x.mean is not None and y.mean is not None
    )
    return Cloud(title, cost.label, quality.label, dots, len(pairs) - len(dots), quality.better)


def pareto(dots: Iterable[Dot], better: str) -> list[Dot]:
    """The points that no other dominates, the cheapest first.

    One dominates another that is no cheaper and no better, if it is cheaper or better.
    """
    sign = -1 if better == "higher" else 1
    found: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (dot.x, sign * dot.y)):
        same = found and (dot.x, dot.y) == (found[-1].x, found[-1].y)
        if not found or same or sign * dot.y < sign * found[-1].y:
            found.append(dot)
    return found


def _front(axis: Axes, cloud: Cloud) -> None:
    front = pareto(cloud.dots, cloud.better)
    if spans_decades((dot.x for dot in cloud.dots), 10):
        axis.set_xscale("log")
    if spans_decades(dot.y for dot in cloud.dots):
        axis.set_yscale("log")
    axis.plot(
        [dot.x for dot in front], [dot.y for dot in front], drawstyle="steps-post",
        color="#555555", linestyle="--", linewidth=1, marker="o",
        markersize=9, fillstyle="none", label=FRONT, zorder=1,
    )  # fmt: skip


# -- both ------------------------------------------------------------------------------------------


def _name(cell: TableCell, rival: str) -> str:
    return cell.result.cell.label(rival) or ", ".join(
        map(cell.result.cell.label, cell.result.cell.key)
    )


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _figures(
    plan: Plan,
    clouds: Sequence[Cloud],
    said: str,
    line: Callable[[Axes, Cloud], None],
    together: int = 1,
) -> list[Figure]:
    """Figures of the clouds that have points.

    Args:
        line: Draws what the points are compared with.
        together: So many clouds stand side by side.
    """
    import matplotlib as mpl

    drawn = [cloud for cloud in clouds if cloud.dots]
    if not drawn:
        raise UsageError(f"{plan.artifact.id}: nothing to draw yet; `sweep run` it first")
    epoch = plan.selection.criterion(plan.artifact).epoch
    said = f" Numbers at the {EPOCH_WORDS[epoch]}.{said}"
    lacking = sum(cloud.lacking for cloud in clouds)
    total = lacking + sum(len(cloud.dots) for cloud in clouds)
    if lacking:
        said += f" {lacking} of {total} have no number and are not drawn."
    said += of_seeds(dot.n for cloud in drawn for dot in cloud.dots)
    names = list(dict.fromkeys(dot.name for cloud in drawn for dot in cloud.dots))
    figures = []
    with mpl.rc_context(STYLE):
        for page in pages(drawn, together):
            across = min(len(page), 2 if together == 2 or len(drawn) in (2, 4) else ACROSS)
            figure, grid = canvas(-(-len(page) // across), across)
            handles: dict[str, Any] = {}
            for axis, cloud in zip(hide_empty(grid, len(page)), page, strict=True):
                _draw(axis, cloud, names)
                line(axis, cloud)
                found = zip(*axis.get_legend_handles_labels(), strict=True)
                handles |= {label: handle for handle, label in found}
            order = sorted(handles, key=lambda name: [*names, DIAGONAL, FRONT].index(name))
            legend_below(figure, [handles[name] for name in order], order)
            caption(figure, plan, said)
            figures.append(figure)
    return figures


def _draw(axis: Axes, cloud: Cloud, names: Sequence[str]) -> None:
    """Whiskers and markers, those of a name all alike; a name stands in the legend once."""
    entitle(axis, cloud.title)
    axis.set_xlabel(textwrap.fill(cloud.xlabel, 34))
    axis.set_ylabel(textwrap.fill(cloud.ylabel, 26))
    axis.locator_params(nbins=5)
    seen: Counter[str] = Counter()
    for dot in cloud.dots:
        i = names.index(dot.name)
        color = COLORS[i % len(COLORS)]
        # 40 names: i modulo 8 and modulo 5 are a pair of their own for each
        fill = ("full", "left", "right", "top", "bottom")[i % 5 if len(names) > len(MARKERS) else 0]
        axis.errorbar(
            dot.x, dot.y, xerr=whiskers([dot.x_std]), yerr=whiskers([dot.y_std]), color=color,
            marker=MARKERS[i % len(MARKERS)], markersize=4.5, linestyle="none", elinewidth=0.7,
            fillstyle="none" if dot.hollow else fill, capsize=1.5,
            label="" if seen[dot.name] else dot.name, zorder=2,
        )  # fmt: skip
        seen[dot.name] += 1


__all__ = [
    "Cloud",
    "Dot",
    "cost_of",
    "pareto",
    "printed_of",
    "why_not_cost",
    "why_not_printed",
]
