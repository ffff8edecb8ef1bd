"""A paper's figure again, drawn from the record: lines, bars or maps, with spread and n.

Lines and bars show the mean over seeds, bands and whiskers the sample standard deviation
(n - 1), or the standard error of what is estimated on a single network; printed numbers are
hollow markers. Lines differ in color, dashes and markers, and where one lies on another both are
seen: those that are drawn first are thicker, and each has its markers at other places.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from operator import add, or_
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Artifact, CurveView, Label, MapView, Reported, TableView, View
from sweep.figures.data import Counts, Line, Map, Panel, maps, panels
from sweep.figures.page import (
    ACROSS,
    COLORS,
    DASHES,
    FIGURE_SUFFIXES,
    MARKERS,
    NO_SPREAD,
    STYLE,
    canvas,
    caption,
    entitle,
    hide_empty,
    legend_below,
    save,
    spans_decades,
    whiskers,
)
from trainables.errors import UsageError

if TYPE_CHECKING:  # matplotlib takes a second to import
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan
    from sweep.record.record import Record

HATCHES = ("", "////", "....", "\\\\\\\\", "xxx", "--", "++", "oo")
MANY_POINTS = 15
"""A line of more points has markers at some of them only."""
FEW_LINES, SHORT_NAME = 5, 12
"""Lines of a panel, and letters of their names, that are also written at their ends."""
REGIONS = "decision_boundary"
"""The measure whose map is of probabilities."""
FEW_BARS = 4
"""Groups of bars that one column of a page has room for."""

Look = dict[str, Any]
"""How a line is drawn: keywords of matplotlib."""


def figure_of(plan: Plan, record: Record) -> Figure:
    """The figure of ``plan.artifact``, as far as ``record`` has it.

    Raises:
        UsageError: if the artifact has no x axis, or the record nothing to draw.
    """
    import matplotlib as mpl

    artifact = plan.artifact
    match artifact.view:
        case TableView():
            raise UsageError(f"{artifact.id} is a table: `sweep table` shows it")
        case CurveView():
            return of_panels(plan, panels(plan, record))
        case MapView():
            charts = maps(plan, record)
            with mpl.rc_context(STYLE):
                figure = _draw_maps(charts, artifact)
                caption(figure, plan, _of_samples(charts))
            return figure


def of_panels(plan: Plan, rows: Sequence[Sequence[Panel]], further: str = "") -> Figure:
    """Rows of panels as a figure of ``plan``, whose caption says ``further``, too.

    Raises:
        UsageError: none of them has a point.
    """
    import matplotlib as mpl

    lines = [line for row in rows for panel in row for line in panel.lines]
    if not any(line.points for line in lines):
        raise UsageError(f"{plan.artifact.id}: nothing to draw yet; `sweep run` it first")
    with mpl.rc_context(STYLE):
        figure = _draw_panels(rows)
        said = _of_points(lines) + _of_missing(lines) + further
        caption(figure, plan, said, beside=_of_table(plan.artifact.view))
    return figure


def _of_table(view: View) -> bool:
    return isinstance(view, CurveView) and isinstance(view.x, Label)


def _of_samples(charts: Sequence[Map]) -> str:
    """What a caption says of the dots on maps."""
    if any(chart.samples for chart in charts):
        return " Dots: samples of each class."
    return " The record has no samples to draw on it."


def _of_points(lines: Iterable[Line]) -> str:
    """What a caption says of points that have no spread over seeds."""
    single = [point for line in lines for point in line.points if point.std is None]
    said = ""
    if any(point.band is not None for point in single):
        said = " Where n = 1: ± the standard error of the estimate on that network."
    if any(point.band is None and point.n == 1 for point in single):
        said += NO_SPREAD
    return said


def _of_missing(lines: Iterable[Line]) -> str:
    """What a caption says of cells that gave no number."""
    seeds = [n for line in lines for n, _ in line.counts.seeds]
    lacking = seeds.count(0)
    return f" {lacking} of {len(seeds)} have no number and are not drawn." if lacking else ""


# -- lines and bars ------------------------------------------------------------------------------


def _draw_panels(rows: Sequence[Sequence[Panel]]) -> Figure:
    rows = _on_the_page(rows)
    looks = _looks_of([line for row in rows for panel in row for line in panel.lines])
    categories = max(len(panel.categories) for row in rows for panel in row)
    figure, grid = canvas(len(rows), max(map(len, rows)), broad=categories > FEW_BARS)
    for axes, panel_row in zip(grid, rows, strict=True):
        hide_empty([axes], len(panel_row))
        for axis, panel in zip(axes, panel_row, strict=False):
            _draw_panel(axis, panel, [looks[_same_look(line)] for line in panel.lines])
    if len({panel.ylabel for panel in rows[0]}) == 1:
        _say_once(grid)
    _legend(figure, grid, rows)
    return figure


def _on_the_page(rows: Sequence[Sequence[Panel]]) -> list[Sequence[Panel]]:
    """Rows that are not longer than a page is wide; of one panel a row: side by side."""
    if len(rows[0]) == 1 and len(rows) > 1:
        rows = [[panel for row in rows for panel in row]]
    across = 2 if all(len(row) == 4 for row in rows) else ACROSS
    return [row[i : i + across] for row in rows for i in range(0, len(row), across)]


def _say_once(grid: Sequence[Sequence[Axes]]) -> None:
    """Rows have one y label; columns one x label and, where it is the same, one title."""
    for axes in grid:
        for axis in axes[1:]:
            axis.set_ylabel("")
    for column in zip(*grid, strict=True):
        shown = [axis for axis in column if axis.get_visible()]
        if len({axis.get_xlabel() for axis in shown}) == 1:
            for axis in shown[:-1]:
                axis.set_xlabel("")
        if len({axis.get_title() for axis in shown}) == 1:
            for axis in shown[1:]:
                axis.set_title("")


def _draw_panel(axis: Axes, panel: Panel, looks: Sequence[Look]) -> None:
    entitle(axis, panel.title)
    axis.set_xlabel(panel.xlabel)
    axis.set_ylabel(textwrap.fill(panel.ylabel, 26))
    if panel.categories:
        _bars(axis, panel, looks)
        return
    for i, (line, look) in enumerate(zip(panel.lines, looks, strict=True)):
        _curve(axis, line, {**look, **_seen_through(i, len(panel.lines), len(line.points))})
    _scales(axis, panel)
    _names_at_ends(axis, panel, looks)


def _same_look(line: Line) -> tuple[str, tuple[str, ...], bool]:
    return line.name, line.style, line.reference


def _looks_of(lines: Sequence[Line]) -> dict[Any, Look]:
    """A look for each name, the same one in every panel."""
    distinct = {_same_look(line): line for line in lines}
    return dict(zip(distinct, _looks(list(distinct.values())), strict=True))


def _looks(lines: Sequence[Line]) -> list[Look]:
    """Color and marker by the first label that tells lines apart, dash by the others, if any."""
    ordinary = [line for line in lines if not line.reference]
    heads = list(dict.fromkeys(line.style[:1] for line in ordinary))
    tails = list(dict.fromkeys(line.style[1:] for line in ordinary))
    looks: list[Look] = []
    levels = 0
    for line in lines:
        if line.reference:
            levels += 1
            dash = DASHES[levels % len(DASHES)]
            looks.append({"color": "black", "linestyle": dash, "marker": "", "linewidth": 1.2})
            continue
        head, tail = heads.index(line.style[:1]), tails.index(line.style[1:])
        dash = tail if len(tails) > 1 else head
        looks.append(
            {
                "color": COLORS[head % len(COLORS)],
                "linestyle": DASHES[dash % len(DASHES)],
                "marker": MARKERS[head % len(MARKERS)],
                "fillstyle": "none" if tail >= len(DASHES) else "full",
                "linewidth": 1.2,
            }
        )
    return looks


def _seen_through(i: int, lines: int, points: int) -> Look:
    """What lets line i of a panel be seen where others lie on it.

    The first is 2.4 points wide and the last 1.2; of many points every sixth part of the line has a
    marker, i / lines of that part further on than the first line's.
    """
    last = max(1, lines - 1)
    wide = 1.2 + 1.2 * (last - i) / last if lines > 1 else 1.2
    if points <= MANY_POINTS:
        return {"linewidth": wide, "markersize": 2.2 + 1.6 * wide}
    step = math.ceil(points / 6)
    return {"linewidth": wide, "markersize": 4.0, "markevery": (i * step // lines, step)}


def _curve(axis: Axes, line: Line, look: Look) -> None:
    points = sorted(line.points, key=lambda point: float(point.x))
    xs, means = [float(point.x) for point in points], [point.mean for point in points]
    axis.plot(xs, means, label=f"{line.name} ({line.counts})", **look)
    if any(point.band is not None for point in points):
        low, high = (
            [point.mean + sign * (point.band or 0.0) for point in points] for sign in (-1, 1)
        )
        axis.fill_between(xs, low, high, color=look["color"], alpha=0.15, linewidth=0)
    _printed(axis, [(float(x), reported) for x, reported in line.printed], look["color"])


def _printed(axis: Axes, places: Sequence[tuple[float, Reported]], color: str) -> None:
    for x, reported in places:
        if reported.mean is not None:
            axis.errorbar(
                x, reported.mean, yerr=reported.std, fmt="o", markersize=5, color=color,
                markerfacecolor="none", markeredgewidth=1.0, elinewidth=0.8, capsize=2, zorder=3,
            )  # fmt: skip


def _scales(axis: Axes, panel: Panel) -> None:
    """Logarithmic where the x are evenly spaced that way, or numbers span decades."""
    xs = sorted({float(point.x) for line in panel.lines for point in line.points})
    axis.locator_params(axis="x", nbins=6, integer=all(map(float.is_integer, xs)))
    if len(xs) > 2 and xs[0] > 0:
        ratios = [b / a for a, b in pairwise(xs)]
        if min(ratios) > 1.4 and max(ratios) < 1.2 * min(ratios):
            axis.set_xscale("log")
            axis.set_xticks(xs, [f"{x:g}" for x in xs])
            axis.minorticks_off()
        elif spans_decades(xs) and min(ratios) > 1.4:
            axis.set_xscale("log")
    if spans_decades(point.mean for line in panel.lines for point in line.points):
        axis.set_yscale("log")


def _names_at_ends(axis: Axes, panel: Panel, looks: Sequence[Look]) -> None:
    """Beside the axes, the name of each line where it ends, moved apart where they would touch."""
    lines = [(line, look) for line, look in zip(panel.lines, looks, strict=True) if line.points]
    names = [line.name for line, _ in lines]
    if not 1 < len(lines) <= FEW_LINES or max(map(len, names)) > SHORT_NAME:
        return
    axis.get_ylim()  # now the limits are those of what was drawn
    to_axes = axis.transScale + axis.transLimits
    ends = [max(line.points, key=lambda point: float(point.x)) for line, _ in lines]
    heights = [float(to_axes.transform((float(end.x), end.mean))[1]) for end in ends]
    for (line, look), height in zip(lines, _apart(heights), strict=True):
        axis.text(
            1.02, height, line.name, transform=axis.transAxes, va="center", fontsize=6.5,
            color=look["color"],
        )  # fmt: skip


def _apart(heights: Sequence[float], gap: float = 0.09) -> list[float]:
    """Heights in the same order, at least ``gap`` apart, all within 0 and 1 if there is room."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved = list(heights)
    low = 0.0
    for i in order:
        moved[i] = max(moved[i], low)
        low = moved[i] + gap
    high = 1.0
    for i in reversed(order):
        moved[i] = min(moved[i], high)
        high = moved[i] - gap
    return moved


def _bars(axis: Axes, panel: Panel, looks: Sequence[Look]) -> None:
    categories = panel.categories
    width = 0.8 / len(panel.lines)
    for i, (line, look) in enumerate(zip(panel.lines, looks, strict=True)):
        shift = (i - (len(panel.lines) - 1) / 2) * width
        xs = [categories.index(str(point.x)) + shift for point in line.points]
        axis.bar(
            xs, [point.mean for point in line.points], 0.92 * width,
            yerr=whiskers(point.std for point in line.points),
            color=look["color"], hatch=HATCHES[i % len(HATCHES)], edgecolor="white", linewidth=0,
            label=f"{line.name} ({line.counts})",
            error_kw={"elinewidth": 0.8, "capsize": 1.5, "capthick": 0.8},
        )  # fmt: skip
        places = [(categories.index(str(x)) + shift, reported) for x, reported in line.printed]
        _printed(axis, places, "#222222")
    axis.set_xticks(range(len(categories)), [c.replace(", for ", ",\nfor ") for c in categories])
    axis.grid(axis="x", visible=False)


def _legend(
    figure: Figure, grid: Sequence[Sequence[Axes]], rows: Sequence[Sequence[Panel]]
) -> None:
    """One legend for all panels: a name that several have stands there once."""
    handles: dict[Any, Artist] = {}
    for axes, panel_row in zip(grid, rows, strict=True):
        for axis, panel in zip(axes, panel_row, strict=False):
            drawn = axis.get_legend_handles_labels()[0]
            for line, handle in zip(panel.lines, drawn, strict=True):
                handles.setdefault(_same_look(line), handle)
    counts = _merged([panel for row in rows for panel in row])
    texts = [f"{key[0]} ({counts[key]})" if key[0] else str(counts[key]) for key in handles]
    legend_below(figure, list(handles.values()), texts)


def _merged(shown: Sequence[Panel]) -> dict[Any, Counts]:
    """Seeds of each name over all panels.

    Panels of another metric show the same trials again, and so do those of two data sets for which
    one was run.
    """
    found: dict[Any, dict[str, dict[Any, Counts]]] = {}
    for i, panel in enumerate(shown):
        for line in panel.lines:
            of_metric = found.setdefault(_same_look(line), {}).setdefault(panel.ylabel, {})
            of_metric[line.trials or i] = line.counts  # of those that wait nothing is known
    return {
        key: reduce(or_, (reduce(add, same.values()) for same in by_metric.values()))
        for key, by_metric in found.items()
    }


# -- maps ----------------------------------------------------------------------------------------


def _draw_maps(found: Sequence[Map], artifact: Artifact) -> Figure:
    import numpy as np

    view = artifact.view
    assert isinstance(view, MapView)
    regions = any(
        each.key == view.over_plane and each.name == REGIONS
        for each in artifact.experiment.measures
    )
    named = "input, normalized" if regions else "direction"
    columns = min(ACROSS, len(found))
    figure, grid = canvas(-(-len(found) // columns), columns)
    axes = hide_empty(grid, len(found))
    values = [value for chart in found for value in chart.values.values()]
    least, most = (0.0, 1.0) if regions or not values else (min(values), max(values))
    levels = np.linspace(least, most if most > least else least + 1, 11)
    filled = None
    for axis, chart in zip(axes, found, strict=True):
        entitle(axis, f"{chart.title} ({chart.counts})")
        axis.set_aspect("equal")
        axis.set_xlabel(f"first {named}")
        axis.set_ylabel(f"second {named}")
        axis.grid(visible=False)
        if chart.values:
            filled = _map(axis, chart, levels, regions)
    if filled is not None:
        label = "probability of the second class" if regions else view.metrics[0].label
        figure.colorbar(filled, ax=axes, shrink=0.8, label=label)
    return figure


def _map(axis: Axes, chart: Map, levels: Any, regions: bool) -> Any:
    """Light is more, in grey, too; the boundary of ``regions`` is where the probability is 1/2."""
    import numpy as np

    xs, ys = (sorted({place[i] for place in chart.values}) for i in (0, 1))
    values = np.array([[chart.values.get((x, y), np.nan) for x in xs] for y in ys])
    filled = axis.contourf(xs, ys, values, levels, cmap="cividis", extend="both")
    if regions:
        axis.contour(xs, ys, values, [0.5], colors="black", linewidths=1)
    for label, (marker, color) in enumerate((("o", "black"), ("^", "white"))):
        own = [(x, y) for x, y, label_ in chart.samples if label_ == label]
        xs, ys = [x for x, _ in own], [y for _, y in own]
        axis.scatter(xs, ys, s=9, c=color, marker=marker, edgecolors="gray", linewidths=0.4)
    return filled


__all__ = [
    "COLORS",
    "FIGURE_SUFFIXES",
    "figure_of",
    "of_panels",
    "save",
]
