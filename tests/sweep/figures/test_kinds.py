"""Every kind of figure of every artifact: from made-up numbers, read back, and looked at."""

from __future__ import annotations

from functools import cache

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

import search_spaces
from search_spaces.spec import Artifact
from sweep.aggregate import SELECTIONS
from sweep.cli.options import FigureKind
from sweep.figures import figures_of
from sweep.figures.kinds import KINDS
from sweep.figures.page import COLUMN, PAGE, STYLE
from sweep.figures.scatter import COSTS
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables import Table, table_of
from tests.sweep.figures.cases import dots, panels
from tests.sweep.test_views import read_names
from trainables.errors import UsageError

RUNNABLE = [a.id for a in search_spaces.artifacts() if not a.experiment.blocked]
LEAST_POINTS = 6.5
"""Of text at the size of print."""


@cache
def recorded(artifact_id: str) -> tuple[Plan, Record]:
    """A finished sweep at preset smoke, every trial with numbers of its own."""
    artifact: Artifact = search_spaces.apply(search_spaces.find(artifact_id), "smoke")
    names, record = [*read_names(artifact), *COSTS], Record.from_runs([])
    planned = plan(artifact, "smoke", SELECTIONS["paper"], record)
    while planned.missing(record):
        runs = []
        for trial in planned.trials:
            at = 0.1 + int(trial.trial_id[:6], 16) / 16**6
            curves = {name: [2 * at, 1.5 * at, at] for name in names}
            runs.append(Run(trial.trial_id, "done", dict.fromkeys(names, at), curves))
        record = Record.from_runs(runs)
        planned = plan(artifact, "smoke", SELECTIONS["paper"], record)
    return planned, record


def test_the_command_offers_every_kind() -> None:
    assert set(KINDS) <= set(FigureKind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "artifact_id",  # what is recorded of one is made up once
    [pytest.param(name, marks=pytest.mark.xdist_group(f"kinds {name}")) for name in RUNNABLE],
)
def test_a_kind_is_drawn_or_refused_with_those_that_can(artifact_id: str, kind: str) -> None:
    planned, record = recorded(artifact_id)
    why = KINDS[kind].why_not(planned)
    if why:
        with pytest.raises(UsageError) as refused:
            figures_of(planned, record, kind)
        words = str(refused.value)
        assert words.startswith(f"{artifact_id} {why}; ")
        assert words.count("\n") == 0
        for name, other in KINDS.items():
            assert (name in words.partition("; ")[2]) == (not other.why_not(planned))
        return
    figures = figures_of(planned, record, kind)
    the_tables_numbers(table_of(planned, record), figures, kind)
    for figure in figures:
        assert artifact_id in figure.get_suptitle()
        assert figure.get_figwidth() in (COLUMN, PAGE)
        assert all(axis.has_data() for axis in panels(figure))
        named_on_all_sides(figure)
        told_apart_without_color(figure)
    fits(figures[0])


def named_on_all_sides(figure: Figure) -> None:
    """The leftmost panel of a row has a y label, the lowest of a column an x label."""
    rows: dict[int, list[Axes]] = {}
    columns: dict[int, list[Axes]] = {}
    for axis in panels(figure):
        spot = axis.get_subplotspec()
        assert spot is not None
        rows.setdefault(spot.rowspan.start, []).append(axis)
        columns.setdefault(spot.colspan.start, []).append(axis)
    for row in rows.values():
        assert min(row, key=lambda a: a.get_subplotspec().colspan.start).get_ylabel()  # type: ignore[union-attr]
    for column in columns.values():
        assert max(column, key=lambda a: a.get_subplotspec().rowspan.start).get_xlabel()  # type: ignore[union-attr]
    assert all(a.get_ylabel() for a in figure.axes if a.get_label() == "<colorbar>")


def told_apart_without_color(figure: Figure) -> None:
    """Lines and points of a panel that the legend names differ in marker, filling or dashes."""
    for axis in panels(figure):
        points = [(c.get_label(), c[0]) for c in axis.containers if hasattr(c, "has_xerr")]
        shown = [*points, *((line.get_label(), line) for line in axis.lines)]
        looks = [
            (line.get_marker(), line.get_fillstyle(), str(line._dash_pattern))
            for label, line in shown
            if not str(label).startswith("_")
        ]
        assert len(set(looks)) == len(looks)


def fits(figure: Figure) -> None:
    """Nothing sticks out, and no text is smaller than can be read."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert -0.01 <= box.x0 <= box.x1 <= width + 0.01
    assert -0.01 <= box.y0 <= box.y1 <= height + 0.01
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]  # type: ignore[attr-defined]
    assert min(text.get_fontsize() for text in texts) >= LEAST_POINTS  # type: ignore[attr-defined]


def the_tables_numbers(table: Table, figures: list[Figure], kind: str) -> None:
    """Every number beside which one is printed is drawn; a column's errors are the table's."""
    cells = [cell for _, _, cell in table.cells]
    found = [(axis, dots(axis)) for figure in figures for axis in panels(figure)]
    if kind == "printed":
        both = [(c.reported.mean, c.mean) for c in cells if c.reported and c.mean is not None]
        assert sorted(dot for _, of_panel in found for dot in of_panel) == sorted(both)  # type: ignore[type-var]
    if kind == "cost":
        for axis, of_panel in found:
            column = {c.mean for c in cells if c.metric.label == axis.get_ylabel()}
            assert not column or {y for _, y in of_panel} <= column


def test_text_is_of_the_size_that_it_has_in_print() -> None:
    assert min(size for name, size in STYLE.items() if name.endswith("size")) >= LEAST_POINTS
