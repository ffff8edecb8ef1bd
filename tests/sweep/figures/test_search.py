"""What a search has tried, drawn: read back from what was drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate, combinations

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from sweep.aggregate import SELECTIONS
from sweep.figures import figures_of
from sweep.plan.expand import plan
from sweep.plan.tried import TriedRow, tried_rows
from sweep.record.record import Record
from sweep.run.search import Budget
from tests.sweep.run.searching import ROWS, MadeUp, searched, valley
from trainables.errors import UsageError

PLAN = plan(ROWS, "smoke", SELECTIONS["paper"], Record.from_runs([]))


def drawn(eta: int = 0, count: int = 8) -> tuple[list[Figure], list[TriedRow]]:
    _, record, _ = searched(MadeUp(valley), Budget(count, eta=eta))
    return figures_of(PLAN, record, "search"), tried_rows(PLAN, record)[1]


def panels(figure: Figure) -> list[Axes]:
    return [axis for axis in figure.axes if axis.get_title()]


def marked(axis: Axes) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The full marks and the hollow ones."""
    full, hollow = (
        [*zip(map(float, line.get_xdata()), map(float, line.get_ydata()), strict=True)]
        for line in axis.lines[:2]
    )
    assert axis.lines[1].get_markerfacecolor() == "none"
    return full, hollow


def test_the_history_has_every_point_and_the_best_so_far() -> None:
    figures, rows = drawn(eta=3)
    for axis, row in zip(panels(figures[0]), rows, strict=True):
        assert axis.get_title() == row.name
        assert (axis.get_xlabel(), axis.get_ylabel()) == ("point", "validation error %")
        full, hollow = marked(axis)
        losses = {i: 100 * (point.loss or 0.0) for i, point in enumerate(row.points, 1)}
        done = [i for i, point in enumerate(row.points, 1) if not point.pruned]
        assert full == [(i, pytest.approx(losses[i])) for i in done]
        assert hollow == [(i, pytest.approx(losses[i])) for i in losses if i not in done]
        step = axis.lines[2]
        assert list(step.get_xdata()) == [*done, len(row.points)]
        best = list(accumulate([losses[i] for i in done], min))
        assert list(step.get_ydata()) == pytest.approx([*best, best[-1]])


def test_titles_of_neighbours_do_not_meet() -> None:
    long = ROWS.with_experiment(
        cells=tuple(
            replace(cell, key={**cell.key, "data": "digits, in place of a set with a long name"})
            for cell in ROWS.experiment.cells
        )
    )
    _, record, _ = searched(MadeUp(valley), Budget(4), long)
    planned = plan(long, "smoke", SELECTIONS["paper"], Record.from_runs([]))
    for figure in figures_of(planned, record, "search"):
        figure.draw_without_rendering()
        boxes = [axis.title.get_window_extent() for axis in panels(figure)]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_importances_are_of_rows_with_several_axes_and_of_enough_points() -> None:
    figures, rows = drawn(count=8)
    (axis,) = panels(figures[1])
    assert axis.get_title() == "sam"
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert sorted(names) == ["lr", "rho"]
    shares = [bar.get_width() for bar in axis.patches]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares)  # the greatest is on top
    again, _ = drawn(count=8)
    assert [bar.get_width() for bar in panels(again[1])[0].patches] == shares
    few, _ = drawn(count=3)
    assert len(few) == 3  # of so few points nothing is said of what mattered
    assert len(rows) == 2


def test_slices_have_a_panel_for_each_axis_and_the_best_is_marked() -> None:
    figures, (erm, sam) = drawn(eta=3)
    found = panels(figures[2]) if len(figures) == 4 else panels(figures[1])
    assert [(axis.get_title(), axis.get_xlabel()) for axis in found] == [
        ("erm", "lr"), ("sam", "rho"), ("sam", "lr"),
    ]  # fmt: skip
    assert [axis.get_xscale() for axis in found] == ["log", "linear", "log"]
    for axis, row, name in zip(
        found, (erm, sam, sam), ("optimizer.lr", "method.rho", "optimizer.lr"), strict=True
    ):
        full, hollow = marked(axis)
        assert full == [
            (p.values[name], pytest.approx(100 * (p.loss or 0.0))) for p in row.complete
        ]
        assert len(hollow) == len(row.points) - len(row.complete)
        assert row.best is not None
        (star,) = [line for line in axis.lines if line.get_marker() == "*"]
        assert list(star.get_xdata()) == [row.best.values[name]]


def test_coordinates_have_a_line_for_each_point_the_best_in_black() -> None:
    figures, (_, sam) = drawn()
    (axis,) = panels(figures[-1])
    labels = [label.get_text() for label in axis.get_xticklabels()]
    assert labels == ["rho", "lr", "validation error %"]
    lines = [line for line in axis.lines if len(line.get_xdata()) == 3]
    assert len(lines) == len(sam.complete)
    losses = sorted((100 * (p.loss or 0.0) for p in sam.complete), reverse=True)
    heights = [float(line.get_ydata()[-1]) for line in lines]
    span = losses[0] - losses[-1]
    assert heights == pytest.approx([(loss - losses[-1]) / span for loss in losses])
    assert [to_hex(line.get_color()) == "#000000" for line in lines] == [False] * 7 + [True]
    said = {text.get_text() for text in axis.texts}
    assert {f"{losses[-1]:.2f}", f"{losses[0]:.2f}", "0.01", "0.05", "0.1"} <= said


def test_a_0_and_texts_have_their_places_on_an_axis() -> None:
    made = MadeUp(valley)
    _, record, _ = searched(made, Budget(6))
    runs = [
        replace(
            run,
            settings={
                **run.settings,
                "optimizer.lr": {"0.1": "0"}.get(run.settings["optimizer.lr"], "0.001"),
                "model": "mlp" if run.settings.get("method.rho") == "0.05" else "cnn",
            },
        )
        for run in made.runs.values()
    ]
    last = max(i for i, run in enumerate(runs) if run.memberships[0].stage == "search:sam")
    runs[last] = replace(runs[last], settings={**runs[last].settings, "optimizer.lr": "0.5"})
    figures = figures_of(PLAN, Record.from_runs(runs), "search")
    by_name = {
        axis.get_xlabel(): axis
        for figure in figures
        for axis in panels(figure)
        if axis.get_title() == "sam"
    }
    assert by_name["lr"].get_xscale() == "symlog"
    assert {label.get_text() for label in by_name["model"].get_xticklabels()} == {"mlp", "cnn"}
    assert len(record) == len(runs)


def test_where_no_point_has_a_number_it_says_so() -> None:
    made = MadeUp(valley)
    searched(made, Budget(2))
    failed = [replace(run, status="failed", metrics={}) for run in made.runs.values()]
    with pytest.raises(UsageError, match="no point of the search has a number yet"):
        figures_of(PLAN, Record.from_runs(failed), "search")


def test_the_caption_says_under_which_rule_it_was_searched() -> None:
    figures, _ = drawn()
    for figure in figures:
        assert "selection validation" in figure.get_supxlabel().replace("\n", " ")
        assert not math.isnan(figure.get_figwidth())
