"""What was searched: lines with their spread over one axis, a heat map over two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweep.aggregate import cells
from sweep.figures.data import with_label
from sweep.figures.page import (
    COLORS,
    STYLE,
    canvas,
    caption,
    entitle,
    hide_empty,
    of_seeds,
    spans_decades,
    whiskers,
)
from sweep.figures.places import criterion, pages
from sweep.plan.points import every_point
from sweep.tables.cells import TableCell, make
from sweep.tables.text import NOTHING, format_number
from trainables.errors import UsageError
from trainables.metric_name import is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from sweep.plan.expand import Plan
    from sweep.record.record import Record

FAR_APART = 10
"""A range whose ends differ by this factor is drawn on a logarithmic scale."""
MANY = 6
"""Values of a setting that half a page has room for, at most."""


def why_not(plan: Plan) -> str:
    """Why no search of ``plan`` can be drawn; empty: it can."""
    searched = len(every_point(plan).cells) > len(plan.cells)
    return "" if searched else "searches nothing: it has no grid and no points"


def grids_of(plan: Plan, record: Record) -> list[Figure]:
    """A panel for each cell that is searched, and for each value of a third axis or further one.

    What is drawn is what the winner is chosen by: its mean over seeds and, over one axis, its
    sample standard deviation. The winner is marked.

    Raises:
        UsageError: nothing of it is recorded.
    """
    import matplotlib as mpl

    panels = _panels(plan, record)
    drawn = [panel for panel in panels if any(m.mean is not None for m in panel.members)]
    if not drawn:
        raise UsageError(f"{plan.artifact.id}: nothing to draw yet; `sweep run` it first")
    norm = _norm([m.mean for panel in drawn for m in panel.members if m.mean is not None])
    with mpl.rc_context(STYLE):
        figures = [_figure(page, norm) for page in pages(drawn)]
        for figure in figures:
            caption(figure, plan, _said(panels))
    return figures


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


def _figure(panels: Sequence[GridPanel], norm: Normalize) -> Figure:
    broad = max(len(_entries(panel.members, panel.axes[0])) for panel in panels) > MANY
    columns = 1 if broad else min(2, len(panels))
    figure, grid = canvas(-(-len(panels) // columns), columns, broad)
    axes = hide_empty(grid, len(panels))
    maps = []
    for axis, panel in zip(axes, panels, strict=True):
        entitle(axis, panel.title)
        if len(panel.axes) == 1:
            _line(axis, panel)
        else:
            maps.append(_map(axis, panel, norm))
    if maps:
        figure.colorbar(maps[0], ax=axes, label=panels[0].members[0].metric.label)
    return figure


def _said(panels: Sequence[GridPanel]) -> str:
    """What a caption says of the points."""
    members = [member for panel in panels for member in panel.members]
    ends = [member.summary for member in members]
    ended = not any(summary.running or summary.failed or summary.missing for summary in ends)
    said = ""
    if any(panel.best for panel in panels):
        said = " Marked: the winner." if ended else " Marked: the winner so far."
    if lacking := sum(m.mean is None for m in members):
        said += f" {lacking} of {len(members)} points have no number."
    return said + of_seeds(m.n for m in members)


def _panels(plan: Plan, record: Record) -> list[GridPanel]:
    rule = plan.selection.criterion(plan.artifact)
    metric = criterion(rule)
    every = every_point(plan)
    view = replace(every.artifact.view, metrics=(metric,))
    every = replace(every, artifact=replace(every.artifact, view=view))
    made = make(view, every.artifact.experiment, cells(every, record), comparable=False)
    panels: list[GridPanel] = []
    for cell in plan.cells:
        points = [m for m in made if cell.key.items() < m.result.cell.key.items()]
        names = _varying(points)
        best = _best(points)
        named = [with_label(label, cell.label(label)) for label in cell.key]
        parts: dict[str, list[TableCell]] = {}
        for point in points:
            key = point.result.cell.key
            further = [f"{_short(name)} {key.get(name, NONE)}" for name in names[2:]]
            parts.setdefault(", ".join([*named, *further]), []).append(point)
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
    from matplotlib.ticker import NullLocator

    (label,), members, best = panel.axes, panel.members, panel.best
    entries = _entries(members, label)
    numbers = all(map(is_number, entries))
    x = list(map(float, entries)) if numbers else list(range(len(entries)))
    place = dict(zip(entries, x, strict=True))
    shown = sorted(
        (m for m in members if m.mean is not None),
        key=lambda m: place[m.result.cell.key.get(label, NONE)],
    )
    at = [place[m.result.cell.key.get(label, NONE)] for m in shown]
    axis.errorbar(
        at, [m.mean or 0.0 for m in shown], yerr=whiskers(m.std for m in shown), marker="o",
        markersize=4, capsize=2, color=COLORS[0],
    )  # fmt: skip
    if best is not None and best.mean is not None:
        axis.plot(
            [place[best.result.cell.key.get(label, NONE)]], [best.mean], marker="*", markersize=13,
            color=COLORS[1], markeredgecolor="black", markeredgewidth=0.6, zorder=3,
            linestyle="none",
        )  # fmt: skip
    if numbers and spans_decades(x, FAR_APART):
        axis.set_xscale("log")
    if spans_decades(m.mean or 0.0 for m in shown):
        axis.set_yscale("log")
    if len(x) <= MANY or not numbers:
        axis.set_xticks(x, entries)
        axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(_short(label))
    axis.set_ylabel(members[0].metric.label)


def _map(axis: Axes, panel: GridPanel, norm: Normalize) -> AxesImage:
    """A heat map, its numbers written on it; ``norm`` is that of all panels."""
    import numpy as np
    from matplotlib.patches import Rectangle

    (across, up), members, best = panel.axes, panel.members, panel.best
    columns, rows = _entries(members, across), _entries(members, up)
    values = np.full((len(rows), len(columns)), np.nan)
    axis.grid(visible=False)
    for m in members:
        key = m.result.cell.key
        i, j = rows.index(key.get(up, NONE)), columns.index(key.get(across, NONE))
        text = NOTHING if m.mean is None else format_number(m.mean, m.metric.digits)
        if m.mean is not None:
            values[i, j] = m.mean
        if m is best:
            text += "*"
            axis.add_patch(
                Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="white", linewidth=2)
            )
        axis.text(j, i, text, ha="center", va="center", fontsize=6.5, backgroundcolor=PALE)
    image = axis.imshow(values, origin="lower", aspect="auto", cmap="viridis", norm=norm)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xlabel(_short(across))
    axis.set_ylabel(_short(up))
    return image


def _norm(means: Sequence[float]) -> Normalize:
    """One color scale for all numbers."""
    from matplotlib.colors import LogNorm, Normalize

    kind = LogNorm if spans_decades(means) else Normalize
    return kind(min(means), max(means))


def _best(members: Sequence[TableCell]) -> TableCell | None:
    """The point with the lowest mean of those whose seeds all gave a number."""
    complete = [m for m in members if m.mean is not None and m.summary.complete]
    return min(complete, key=lambda m: m.mean or 0.0) if complete else None


__all__ = ["grids_of", "why_not"]
