"""What all figures look like, how large they are, and what is said around their panels.

A figure of one panel is as wide as a column of a two-column page, all others as the page: printed
at that size, all text is at least 6.5 points high. Colors are never the only thing that tells two
lines or points apart.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.aggregate import EPOCH_WORDS
from trainables.data_folder import copied
from trainables.errors import UsageError

if TYPE_CHECKING:  # matplotlib takes a second to import
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan

FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
COLORS = (  # Okabe & Ito, told apart by color-blind readers; the yellow is too light for lines
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#882255",
)  # fmt: skip
DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "osD^vPX*"
STYLE: Any = {  # rc parameters
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "flatsweep",
    "pdf.fonttype": 42,
}
COLUMN, PAGE = 3.25, 6.75
"""Widths of figures in inches: of a column of a two-column page, and of both."""
ACROSS = 3
"""Panels that stand side by side, at most."""
DECADES = 100.0
"""Numbers whose ends differ by this factor are drawn on a logarithmic axis."""
NO_SPREAD = " Where n = 1: no spread."
"""What a caption says where numbers of a single seed are drawn."""
_GAP = 0.05  # between legend and caption, in inches


def save(figure: Figure, path: Path | str) -> None:
    """Write ``figure``; the suffix of ``path`` says the format.

    Raises:
        UsageError: if the suffix is none of `FIGURE_SUFFIXES`.
    """
    import matplotlib as mpl

    suffix = Path(path).suffix.lower()
    if suffix not in FIGURE_SUFFIXES:
        raise UsageError(
            f"cannot draw {str(path)!r}: a figure is one of {', '.join(FIGURE_SUFFIXES)}"
        )
    undated = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=200, metadata=undated[suffix])


def canvas(rows: int, columns: int, broad: bool = False) -> tuple[Figure, list[list[Axes]]]:
    """An empty figure with rows and columns of panels, all of one size.

    Args:
        broad: One panel is as wide as the page, too.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = PAGE if columns > 1 or broad else COLUMN
    height = 1.9 if columns >= ACROSS else 2.3
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in grid]


def hide_empty(grid: Sequence[Sequence[Axes]], used: int) -> list[Axes]:
    """The first ``used`` panels of ``grid``; the others are not shown."""
    places = [axis for axes in grid for axis in axes]
    for axis in places[used:]:
        axis.set_visible(False)
    return places[:used]


def entitle(axis: Axes, title: str) -> None:
    """Set the title of a panel, in lines that are no longer than the panel is wide."""
    spot = axis.get_subplotspec()
    assert spot is not None
    inches = axis.get_figure().get_figwidth() / spot.get_gridspec().ncols  # type: ignore[union-attr]
    axis.set_title(_wrapped(title, 12 * inches))


def spans_decades(values: Iterable[float], factor: float = DECADES) -> bool:
    """Whether all are positive, and the greatest is at least ``factor`` times the least."""
    values = list(values)
    return bool(values) and min(values) > 0 and max(values) >= factor * min(values)


def whiskers(stds: Iterable[float | None]) -> list[float] | None:
    """Error bars as matplotlib takes them: none for a single seed, which has no spread."""
    known = list(stds)
    if all(std is None for std in known):
        return None
    return [math.nan if std is None else std for std in known]


def of_seeds(counts: Iterable[int]) -> str:
    """What a caption says of how many seeds the means that are drawn are of."""
    known = sorted(set(counts) - {0})
    said = f" n = {known[0]}" + (f"–{known[-1]}" if len(known) > 1 else "") + "."
    return said + (NO_SPREAD if 1 in known else "")


def legend_below(figure: Figure, handles: Sequence[Artist], texts: Sequence[str]) -> None:
    """One legend for all panels, in as many columns as fit; `caption` puts it under them."""
    width = int(figure.get_figwidth() * 13)
    wrapped = ["\n".join(textwrap.wrap(text, width)) for text in texts]
    for columns in range(min(len(texts), 6), 0, -1):
        legend = figure.legend(
            handles,
            wrapped,
            loc="lower center",
            ncols=columns,
            columnspacing=1.2,
            handlelength=2.8,
            borderaxespad=0,
        )
        if columns == 1 or legend.get_window_extent(_renderer(figure)).width < figure.bbox.width:
            return
        legend.remove()


def caption(figure: Figure, plan: Plan, further: str, beside: bool = False) -> None:
    """Write around a figure what it is of, as the last step of all.

    Args:
        further: Is said, too.
        beside: Numbers of the table are drawn, and printed ones as hollow markers beside them.
    """
    from search_spaces import presets

    artifact, rule = plan.artifact, plan.selection.criterion(plan.artifact)
    inches = figure.get_figwidth()
    whole = f"{artifact.id}: {artifact.notes.title}"
    title = figure.suptitle(_wrapped(whole, 12.5 * inches), fontsize=8, fontweight="bold")
    reading = f"; {EPOCH_WORDS[rule.epoch]}" if beside else ""
    variant = f"; {plan.variant}" if plan.variant else ""
    said = (
        f"Preset {plan.preset}, selection {plan.selection.shown_as(artifact)}{reading}{variant}. "
        f"Mean ± sample std over n seeds.{further}"
    )
    other = [note for note in artifact.notes.changes if note.startswith(("data.source:", "model:"))]
    if other:
        said += f" Not as {'written' if artifact.own else 'in the paper'}: {'; '.join(other)}."
    if copies := _copies(plan):
        said += f" Images: {copies}."
    if beside and any(cell.reported for cell in artifact.experiment.cells):
        said += " Hollow: printed"
        comparable = presets.of(artifact, plan.preset).comparable
        said += "." if comparable else f" ({directions_only(plan)})."
    below = figure.supxlabel(_wrapped(said, 16.5 * inches), fontsize=6.5, color="#444444")
    _make_room(figure, title, below)


def _copies(plan: Plan) -> str:
    """Whose images are trained on, of copies that are not bit-identical to the original."""
    base = plan.artifact.experiment.base
    sources = [{**base, **cell.fields}.get("data.source") for cell in plan.cells]
    names = {copied(s if isinstance(s, Mapping) else {"name": s}) for s in sources}
    return ", ".join(sorted(filter(None, names)))


def directions_only(plan: Plan) -> str:
    """Why printed and measured numbers are not compared."""
    other = "other fields" if plan.artifact.variant.settings else "other data and network"
    return f"{other}: compare directions only"


def _wrapped(text: str, width: float) -> str:
    return "\n".join(textwrap.wrap(text, int(width)))


def _make_room(figure: Figure, title: Artist, below: Artist) -> None:
    """Let the figure grow by what stands around its panels: legend under them, caption under it."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    renderer = _renderer(figure)

    def inches(artist: Artist) -> float:
        return float(artist.get_window_extent(renderer).height) / figure.dpi

    legend = sum(inches(each) + 2 * _GAP for each in figure.legends)
    height = figure.get_figheight() + inches(title) + inches(below) + legend
    figure.set_figheight(height)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0, legend / height, 1, 1 - legend / height))
    for each in figure.legends:
        anchor = (0.5, (inches(below) + 2 * _GAP) / height)
        each.set_bbox_to_anchor(anchor, transform=figure.transFigure)


def _renderer(figure: Figure) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    return canvas.get_renderer()


__all__ = [
    "ACROSS",
    "COLORS",
    "COLUMN",
    "DASHES",
    "FIGURE_SUFFIXES",
    "MARKERS",
    "NO_SPREAD",
    "PAGE",
    "STYLE",
    "canvas",
    "caption",
    "directions_only",
    "entitle",
    "hide_empty",
    "legend_below",
    "of_seeds",
    "save",
    "spans_decades",
    "whiskers",
]
