"""What was searched: lines with their spread over one axis, a map over two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search_spaces.spec import Metric
from sweep.aggregate import cells
from sweep.figures.drawing import STYLE, canvas, caption
from sweep.plan.points import every_point
from sweep.tables.cells import TableCell, make
from sweep.tables.text import format_number
from trainables.errors import UsageError
from trainables.metric_name import MetricName, is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan
    from sweep.record.record import Record

MOST_IN_A_ROW = 4
FAR_APART = 10
"""A range whose ends differ by this factor is drawn on a logarithmic scale."""


def grid_of(plan: Plan, record: Record) -> Figure:
    """A panel for each cell that is searched, and for each value of a third axis or further one.

    What is drawn is what the winner is chosen by: its mean over seeds and, over one axis, its
    sample standard deviation. The winner is marked.

    Raises:
        UsageError: nothing is searched, or nothing of it is recorded.
    """
    import matplotlib as mpl

    panels = _panels(plan, record)
    if not panels:
        raise UsageError(f"{plan.artifact.id} searches nothing: it has no grid and no points")
    means = [m.mean for panel in panels for m in panel.members if m.mean is not None]
    if not means:
        raise UsageError(f"{plan.artifact.id}: nothing to draw yet; `sweep run` it first")
    columns = min(MOST_IN_A_ROW, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        figure, axes = canvas(rows, columns)
        places = [axis for row in axes for axis in row]
        for axis in places[len(panels) :]:
            axis.set_axis_off()
        for axis, panel in zip(places, panels, strict=False):
            axis.set_title(panel.title)
            if len(panel.axes) == 1:
                _line(axis, panel)
            else:
                _map(axis, panel, (min(means), max(means)))
        caption(figure, plan, " Marked: the winner.")
    return figure


@dataclass(frozen=True)
class GridPanel:
    """Points of one cell's search that differ in one or two settings.

    Attributes:
        title: The cell, and what else its points have in common.
        axes: The settings in which they differ, that with the most values first.
        members: The points.
        best: The winner of the cell's search, be it in this panel or another; None: not known yet.
    """

    title: str
    axes: tuple[str, ...]
    members: list[TableCell]
    best: TableCell | None


def _panels(plan: Plan, record: Record) -> list[GridPanel]:
    rule = plan.selection.criterion(plan.artifact)
    percent = MetricName(rule.on).quantity.startswith("error")
    metric = Metric(
        rule.on,
        rule.on.replace("_", " ") + (" %" if percent else ""),
        shown="percent" if percent else "plain",
    )
    every = every_point(plan)
    view = replace(every.artifact.view, metrics=(metric,))
    every = replace(every, artifact=replace(every.artifact, view=view))
    made = make(view, every.artifact.experiment, cells(every, record), comparable=False)
    panels: list[GridPanel] = []
    for cell in plan.cells:
        points = [m for m in made if cell.key.items() < m.result.cell.key.items()]
        names = _varying(points)
        best = _best(points)
        parts: dict[str, list[TableCell]] = {}
        for point in points:
            key = point.result.cell.key
            further = [f"{_short(name)} {key.get(name, NONE)}" for name in names[2:]]
            parts.setdefault(", ".join([*map(cell.label, cell.key), *further]), []).append(point)
        panels += [GridPanel(title, tuple(names[:2]), part, best) for title, part in parts.items()]
    return [panel for panel in panels if panel.axes]


def _varying(members: Sequence[TableCell]) -> list[str]:
    """Labels in which the points differ, that with the most values first."""
    labels = dict.fromkeys(label for m in members for label in m.result.cell.key)
    counts = {label: len(_entries(members, label)) for label in labels}
    return sorted((la for la in labels if counts[la] > 1), key=lambda label: -counts[label])


def _entries(members: Sequence[TableCell], label: str) -> list[str]:
    """The values of a setting, numbers in ascending order."""
    found = list(dict.fromkeys(m.result.cell.key.get(label, NONE) for m in members))
    return sorted(found, key=float) if all(map(is_number, found)) else found


PALE = (1.0, 1.0, 1.0, 0.6)
"""Behind numbers on a map, so that they can be read on all colours."""

NONE = "–"
"""In place of a setting that a point has not."""


def _short(label: str) -> str:
    return label.rpartition(".")[2]


def _line(axis: Axes, panel: GridPanel) -> None:
    (label,), members, best = panel.axes, panel.members, panel.best
    entries = _entries(members, label)
    numbers = all(map(is_number, entries))
    x = list(map(float, entries)) if numbers else list(range(len(entries)))
    place = dict(zip(entries, x, strict=True))
    shown = [m for m in members if m.mean is not None]
    shown.sort(key=lambda m: place[m.result.cell.key[label]])
    at = [place[m.result.cell.key[label]] for m in shown]
    mean, std = [m.mean or 0.0 for m in shown], [m.std or 0.0 for m in shown]
    axis.errorbar(at, mean, yerr=std, marker="o", capsize=2)
    if best is not None and best.mean is not None:
        axis.plot([place[best.result.cell.key[label]]], [best.mean], marker="*", markersize=12)
    if numbers and min(x) > 0 and max(x) / min(x) >= FAR_APART:
        axis.set_xscale("log")
    if not numbers:
        axis.set_xticks(x, entries)
    axis.set_xlabel(_short(label))
    axis.set_ylabel(members[0].metric.label)


def _map(axis: Axes, panel: GridPanel, limits: tuple[float, float]) -> None:
    """A map; ``limits`` are the least and the greatest number of all panels, of one scale."""
    import numpy as np

    (across, up), members, best = panel.axes, panel.members, panel.best
    columns, rows = _entries(members, across), _entries(members, up)
    values = np.full((len(rows), len(columns)), np.nan)
    axis.grid(visible=False)
    for m in members:
        key = m.result.cell.key
        i, j = rows.index(key.get(up, NONE)), columns.index(key.get(across, NONE))
        if m.mean is not None:
            values[i, j] = m.mean
            text = format_number(m.mean, m.metric.digits) + ("*" if m is best else "")
            axis.text(
                j, i, text, ha="center", va="center", fontsize="x-small", backgroundcolor=PALE
            )
    axis.imshow(
        values, origin="lower", aspect="auto", cmap="viridis", vmin=limits[0], vmax=limits[1]
    )
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xlabel(_short(across))
    axis.set_ylabel(_short(up))


def _best(members: Sequence[TableCell]) -> TableCell | None:
    """The point with the lowest mean of those whose seeds all gave a number."""
    complete = [m for m in members if m.mean is not None and m.summary.complete]
    return min(complete, key=lambda m: m.mean or 0.0) if complete else None


__all__ = ["grid_of"]
