"""A paper's figure again, drawn from the record: lines, bars or maps, with spread and n.

Lines and bars show the mean over seeds, bands and whiskers the sample standard deviation
(n - 1), or the standard error of what is estimated on a single network; printed numbers are
hollow markers. ``save`` writes PNG, SVG or PDF, the same bytes
for the same record.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add, or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces.spec import CurveView, Label, MapView, Reported, TableView
from sweep.aggregate import EPOCH_WORDS
from sweep.figures.data import Counts, DataPoint, Line, Map, Panel, maps, panels
from trainables.errors import UsageError

if TYPE_CHECKING:  # matplotlib takes a second to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan
    from sweep.record.record import Record

FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
COLORS = (  # Okabe & Ito, told apart by color-blind readers; the yellow is too light for lines
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#882255",
)  # fmt: skip
DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "osD^vPX*"
STYLE: Any = {  # rc parameters
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "flatsweep",
    "pdf.fonttype": 42,
}
WIDTH, HEIGHT = 3.4, 2.5  # of a panel, in inches: a column of a two-column page


def save(figure: Figure, path: Path | str) -> None:
    """Write ``figure``; the suffix of ``path`` says the format.

    Raises:
        ValueError: if the suffix is none of `FIGURE_SUFFIXES`.
    """
    import matplotlib as mpl

    suffix = Path(path).suffix.lower()
    if suffix not in FIGURE_SUFFIXES:
        raise UsageError(
            f"cannot draw {str(path)!r}: a figure is one of {', '.join(FIGURE_SUFFIXES)}"
        )
    undated = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=200, metadata=undated[suffix], bbox_inches="tight")


def figure_of(plan: Plan, record: Record) -> Figure:
    """The figure of ``plan.artifact``, as far as ``record`` has it.

    Raises:
        ValueError: if the artifact has no x axis, or the record nothing to draw.
    """
    import matplotlib as mpl

    artifact = plan.artifact
    with mpl.rc_context(STYLE):
        match artifact.view:
            case TableView():
                raise UsageError(
                    f"{artifact.id} is a table: `sweep table` shows it, and `sweep plot --kind "
                    "grid` what was searched for it"
                )
            case MapView():
                charts = maps(plan, record)
                figure, said = _draw_maps(charts), _of_samples(charts)
            case CurveView():
                rows = panels(plan, record)
                lines = [line for row in rows for panel in row for line in panel.lines]
                points = [point for line in lines for point in line.points]
                if not points:
                    raise UsageError(f"{artifact.id}: nothing to draw yet; `sweep run` it first")
                figure, said = _draw_panels(rows), _of_errors(points)
        caption(figure, plan, said)
    return figure


def _of_samples(charts: Sequence[Map]) -> str:
    """What a caption says of the dots on maps."""
    if any(chart.samples for chart in charts):
        return " Dots: samples of each class."
    return " The record has no samples to draw on it."


def _of_errors(points: Sequence[DataPoint]) -> str:
    """What a caption says of whiskers that are no spread over seeds."""
    if any(point.std is None and point.band is not None for point in points):
        return " Where n = 1: ± the standard error of the estimate on that network."
    return ""


def canvas(rows: int, columns: int, wider: float = 1.0) -> tuple[Figure, list[list[Axes]]]:
    """An empty figure with rows and columns of panels, all of one size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = (WIDTH if columns < 4 else 0.75 * WIDTH) * columns * wider
    figure = Figure(figsize=(width, HEIGHT * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in grid]


def caption(figure: Figure, plan: Plan, further: str) -> None:
    """Write below a figure what it is of; ``further`` is said after that."""
    from search_spaces import presets

    artifact, rule = plan.artifact, plan.selection.criterion(plan.artifact)
    width = max(60, int(figure.get_figwidth() * 17))
    title = "\n".join(textwrap.wrap(f"{artifact.id}: {artifact.notes.title}", int(width * 0.8)))
    figure.suptitle(title, fontsize=9.5, fontweight="bold")
    view = artifact.view
    of_table = isinstance(view, CurveView) and isinstance(view.x, Label)
    reading = f"; {EPOCH_WORDS[rule.epoch]}" if of_table else ""
    variant = f"; {plan.variant}" if plan.variant else ""
    said = (
        f"Preset {plan.preset}, selection {plan.selection.shown_as(artifact)}{reading}{variant}. "
        f"Mean ± sample std over n seeds.{further}"
    )
    other = [note for note in artifact.notes.changes if note.startswith(("data.source:", "model:"))]
    if other:
        said += f" Not as {'written' if artifact.own else 'in the paper'}: {'; '.join(other)}."
    if of_table and any(cell.reported for cell in artifact.experiment.cells):
        said += " Hollow: printed"
        apart = not presets.of(artifact, plan.preset).comparable
        other_ones = "other fields" if artifact.variant.settings else "other data and network"
        said += f" ({other_ones}: compare directions only)." if apart else "."
    figure.supxlabel("\n".join(textwrap.wrap(said, width)), fontsize=7, color="#555555")


# -- lines and bars ------------------------------------------------------------------------------


def _draw_panels(rows: Sequence[Sequence[Panel]]) -> Figure:
    if len(rows[0]) == 1 and len(rows) > 1:  # one panel a metric: side by side, three in a row
        flat = [panel for row in rows for panel in row]
        across = min(3, len(flat)) if len(flat) != 4 else 2
        rows = [flat[i : i + across] for i in range(0, len(flat), across)]
    categories = max(len(panel.categories) for row in rows for panel in row)
    across = max(map(len, rows))
    wider = 1 + 0.12 * max(0, categories - 2) + (0.3 if across == 1 else 0)
    figure, grid = canvas(len(rows), across, wider)
    for axes, panel_row in zip(grid, rows, strict=True):
        for axis in axes[len(panel_row) :]:
            axis.set_visible(False)
        for axis, panel in zip(axes, panel_row, strict=False):
            _draw_panel(axis, panel)
    if len(rows[0]) > 1 and len({panel.ylabel for panel in rows[0]}) == 1:
        _only_outer(grid)
    _legend(figure, grid, rows)
    return figure


def _only_outer(grid: list[list[Axes]]) -> None:
    """Rows share their y label and columns their title and x label: say each once."""
    for i, axes in enumerate(grid):
        for j, axis in enumerate(axes):
            axis.set_title(axis.get_title() if i == 0 else "")
            axis.set_xlabel(axis.get_xlabel() if i == len(grid) - 1 else "")
            axis.set_ylabel(axis.get_ylabel() if j == 0 else "")


def _draw_panel(axis: Axes, panel: Panel) -> None:
    axis.set_title(panel.title)
    axis.set_xlabel(panel.xlabel)
    axis.set_ylabel(panel.ylabel)
    looks = _looks(panel.lines)
    if panel.categories:
        _bars(axis, panel, looks)
    else:
        for line, look in zip(panel.lines, looks, strict=True):
            _curve(axis, line, look)
        _scales(axis, panel)


def _looks(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Color by the first label that tells lines apart, dash and marker by the others."""
    ordinary = [line for line in lines if not line.reference]
    heads = list(dict.fromkeys(line.style[:1] for line in ordinary))
    tails = list(dict.fromkeys(line.style[1:] for line in ordinary))
    looks: list[dict[str, Any]] = []
    for line in lines:
        if line.reference:
            looks.append({"color": "black", "linestyle": "--", "marker": "", "linewidth": 1.2})
            continue
        head, tail = heads.index(line.style[:1]), tails.index(line.style[1:])
        looks.append(
            {
                "color": COLORS[head % len(COLORS)],
                "linestyle": DASHES[
                    (tail if len(tails) > 1 else head // len(COLORS)) % len(DASHES)
                ],
                "marker": MARKERS[(tail if len(tails) > 1 else head) % len(MARKERS)],
                "linewidth": 1.3,
            }
        )
    return looks


def _curve(axis: Axes, line: Line, look: dict[str, Any]) -> None:
    xs = [float(point.x) for point in line.points]
    means = [point.mean for point in line.points]
    order = sorted(range(len(xs)), key=xs.__getitem__)
    xs, means = [xs[i] for i in order], [means[i] for i in order]
    low, high = (
        [line.points[i].mean + sign * (line.points[i].band or 0.0) for i in order]
        for sign in (-1, 1)
    )
    look = dict(look)
    if len(xs) > 15:
        look["marker"] = ""
    axis.plot(xs, means, markersize=3.5, label=f"{line.name} ({line.counts})", **look)
    if any(point.band is not None for point in line.points):
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
    """Logarithmic where the x are evenly spaced that way, or the means span decades."""
    axis.locator_params(axis="x", nbins=6)
    xs = sorted({float(point.x) for line in panel.lines for point in line.points})
    if len(xs) > 2 and xs[0] > 0:
        ratios = [b / a for a, b in pairwise(xs)]
        if min(ratios) > 1.4 and max(ratios) < 1.2 * min(ratios):
            axis.set_xscale("log")
            axis.set_xticks(xs, [f"{x:g}" for x in xs])
            axis.minorticks_off()
    ys = [point.mean for line in panel.lines for point in line.points]
    if ys and min(ys) > 0 and max(ys) > 100 * min(ys):
        axis.set_yscale("log")


def _bars(axis: Axes, panel: Panel, looks: Sequence[dict[str, Any]]) -> None:
    categories = panel.categories
    width = 0.8 / len(panel.lines)
    for i, (line, look) in enumerate(zip(panel.lines, looks, strict=True)):
        shift = (i - (len(panel.lines) - 1) / 2) * width
        xs = [categories.index(str(point.x)) + shift for point in line.points]
        axis.bar(
            xs, [point.mean for point in line.points], 0.92 * width,
            yerr=[point.std or 0.0 for point in line.points], color=look["color"],
            label=f"{line.name} ({line.counts})",
            error_kw={"elinewidth": 0.8, "capsize": 1.5, "capthick": 0.8},
        )  # fmt: skip
        places = [(categories.index(str(x)) + shift, reported) for x, reported in line.printed]
        _printed(axis, places, "#222222")
    axis.set_xticks(range(len(categories)), [c.replace(", for ", ",\nfor ") for c in categories])
    axis.grid(axis="x", visible=False)


def _legend(figure: Figure, grid: list[list[Axes]], rows: Sequence[Sequence[Panel]]) -> None:
    """One legend beside the panels where they have the same lines; else one in each."""
    drawn = [axis for axes in grid for axis in axes if axis.get_visible()]
    shown = [panel for row in rows for panel in row]
    names = [[line.name for line in panel.lines] for panel in shown]
    if any(own != names[0] for own in names):
        for axis in drawn:
            axis.legend()
        return
    handles = drawn[0].get_legend_handles_labels()[0]
    texts = [
        f"{name} ({counts})" if name else str(counts)
        for name, counts in zip(names[0], _merged(shown), strict=True)
    ]
    if len(drawn) == 1 and len(texts) <= 4:
        drawn[0].legend(handles, texts)
    else:
        wrapped = ["\n".join(textwrap.wrap(text, 34)) for text in texts]
        longest = max(len(part) for text in wrapped for part in text.split("\n"))
        figure.set_figwidth(figure.get_figwidth() + 0.45 + 0.058 * longest)
        figure.legend(handles, wrapped, loc="outside right center")


def _merged(shown: Sequence[Panel]) -> list[Counts]:
    """Seeds of each line over all panels.

    Panels of another metric show the same trials again, and so do those of two data sets for which
    one was run.
    """
    by_metric: dict[str, list[tuple[Line, ...]]] = {}
    for panel in shown:
        by_metric.setdefault(panel.ylabel, []).append(panel.lines)
    sums = [
        [reduce(add, _distinct(same).values()) for same in zip(*all_, strict=True)]
        for all_ in by_metric.values()
    ]
    return [reduce(or_, same) for same in zip(*sums, strict=True)]


def _distinct(lines: Sequence[Line]) -> dict[Any, Counts]:
    """Counts by what lines are made of; of those that wait for their trials nothing is known."""
    return {line.trials or i: line.counts for i, line in enumerate(lines)}


# -- maps ----------------------------------------------------------------------------------------


def _draw_maps(found: Sequence[Map]) -> Figure:
    import numpy as np

    figure, grid = canvas(1, len(found))
    filled = None
    for axis, chart in zip(grid[0], found, strict=True):
        axis.set_title(f"{chart.title} ({chart.counts})")
        axis.set_aspect("equal")
        axis.grid(visible=False)
        if not chart.values:
            continue
        xs, ys = (sorted({place[i] for place in chart.values}) for i in (0, 1))
        values = np.array([[chart.values.get((x, y), np.nan) for x in xs] for y in ys])
        levels = np.linspace(0, 1, 11)
        filled = axis.contourf(xs, ys, values, levels, cmap="RdBu_r", alpha=0.75, extend="both")
        axis.contour(xs, ys, values, [0.5], colors="black", linewidths=1)
        for label, color in enumerate(("#2166ac", "#b2182b")):
            own = [(x, y) for x, y, label_ in chart.samples if label_ == label]
            xs, ys = [x for x, _ in own], [y for _, y in own]
            axis.scatter(xs, ys, s=7, c=color, edgecolors="white", linewidths=0.3)
    if filled is not None:
        figure.colorbar(filled, ax=grid[0], shrink=0.8, label="probability of the second class")
    return figure


__all__ = ["figure_of", "save"]
