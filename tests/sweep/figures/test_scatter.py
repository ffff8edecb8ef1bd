"""Points are read back from matplotlib and compared with numbers that plain Python makes."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from search_spaces.spec import Metric, Reported
from sweep.figures import figures_of
from sweep.figures.page import spans_decades
from sweep.figures.scatter import DIAGONAL, FRONT, Dot, pareto
from tests.sweep.figures.cases import ERROR, dots, named, panels, said, swept, whiskers
from trainables.errors import UsageError

# Means and spreads of three float64 numbers, times 100.
CLOSE = 1e-12


def errors(*values: float | None) -> list[dict[str, float] | None]:
    return [None if value is None else {"test_error": value} for value in values]


def reported(mean: float, std: float | None = None, **more: Any) -> dict[str, Reported]:
    return {"test_error": Reported(mean, std, **more)}


SEEDS = {
    ("ERM",): [0.10, 0.12, 0.17],
    ("SAM",): [0.08, 0.09, 0.10],
    ("AMP",): [None, None, None],
}
PRINTED = {
    ("ERM",): reported(12.5, 0.5),
    ("SAM",): reported(8.0),
    ("AMP",): reported(7.0),
}


def test_measured_is_drawn_against_printed_with_spread_and_diagonal() -> None:
    plan, record = swept({k: errors(*v) for k, v in SEEDS.items()}, printed=PRINTED)
    (figure,) = figures_of(plan, record, "printed")
    (axis,) = panels(figure)
    means = {k: 100 * statistics.mean(v) for k, v in SEEDS.items() if None not in v}  # type: ignore[type-var]
    assert dots(axis) == [
        (12.5, pytest.approx(means["ERM",], rel=CLOSE)),
        (8.0, pytest.approx(means["SAM",], rel=CLOSE)),
    ]
    erm, sam = whiskers(axis)
    half = 100 * statistics.stdev([0.10, 0.12, 0.17])
    across, up = erm
    assert [x for x, _ in across] == pytest.approx([12.0, 13.0])
    assert [y for _, y in up] == pytest.approx([means["ERM",] - half, means["ERM",] + half])
    assert len(sam) == 1  # nothing is printed of its spread
    (diagonal,) = [line for line in axis.lines if line.get_label() == DIAGONAL]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == list(axis.get_xlim())
    assert axis.get_xlim() == axis.get_ylim()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("printed error %", "measured error %")
    assert named(figure) == ["ERM", "SAM", DIAGONAL]
    assert "1 of 3 have no number and are not drawn. n = 3." in said(figure)
    assert "compare directions only" not in said(figure)


def test_what_is_printed_of_something_else_is_hollow_and_said() -> None:
    other = {**PRINTED, ("SAM",): reported(8.0, note="the smoothed loss", comparable=False)}
    numbers = {k: errors(*v) for k, v in SEEDS.items()}
    (figure,) = figures_of(*swept(numbers, printed=other, preset="small"), "printed")
    (axis,) = panels(figure)
    filled = [container[0].get_fillstyle() for container in axis.containers]
    assert filled == ["full", "none"]
    assert "Hollow: what was printed is of something else." in said(figure)
    assert "Other data and network: compare directions only." in said(figure)


def test_numbers_that_span_decades_are_on_logarithmic_axes() -> None:
    numbers = {("ERM",): errors(0.001, 0.001), ("SAM",): errors(0.5, 0.5)}
    for far, scale in [(40.0, "log"), (0.2, "log"), (0.1, "log")]:
        printed = {("ERM",): reported(0.1), ("SAM",): reported(far)}
        (axis,) = panels(figures_of(*swept(numbers, printed=printed), "printed")[0])
        assert (axis.get_xscale(), axis.get_yscale()) == (scale, scale)
    printed = {("ERM",): reported(10.0), ("SAM",): reported(40.0)}
    numbers = {("ERM",): errors(0.1, 0.1), ("SAM",): errors(0.5, 0.5)}
    (axis,) = panels(figures_of(*swept(numbers, printed=printed), "printed")[0])
    assert (axis.get_xscale(), axis.get_yscale()) == ("linear", "linear")
    assert not spans_decades([0.0, 5.0])
    assert not spans_decades([-1.0, 500.0])
    assert not spans_decades([])


def test_a_single_seed_has_no_whiskers_and_it_is_said() -> None:
    (figure,) = figures_of(*swept({("ERM",): errors(0.1)}, printed=PRINTED), "printed")
    (axis,) = panels(figure)
    (only,) = whiskers(axis)
    assert len(only) == 1  # the printed spread
    assert "n = 1. Where n = 1: no spread." in said(figure)


def test_each_column_with_printed_numbers_has_a_panel() -> None:
    metrics = (ERROR, Metric("test_nll", "NLL"), Metric("test_ece", "ECE"))
    numbers = {("ERM",): [{"test_error": 0.1, "test_nll": 0.4, "test_ece": 0.2}] * 2}
    printed = {("ERM",): {"test_error": Reported(11.0), "test_nll": Reported(0.5)}}
    (figure,) = figures_of(*swept(numbers, metrics=metrics, printed=printed), "printed")
    assert [axis.get_xlabel() for axis in panels(figure)] == ["printed error %", "printed NLL"]


# -- cost ------------------------------------------------------------------------------------------

GRADIENTS = Metric(
    "gradient_evaluations", "gradients / ERM", better="neither", relative_to={"method": "ERM"}
)
TIME = Metric("device_seconds", "seconds")
ACCURACY = Metric("test_error", "accuracy %", better="higher", shown="accuracy_percent")


def trials(error: float, gradients: float, seconds: float = 1.0) -> list[dict[str, float] | None]:
    """Two seeds."""
    numbers = {"gradient_evaluations": gradients, "device_seconds": seconds}
    return [{"test_error": error + d, **numbers} for d in (-0.01, 0.01)]


COSTS = {
    ("ERM",): trials(0.20, 100, 3.0),
    ("SAM",): trials(0.10, 200, 2.0),
    ("AMP",): trials(0.15, 400, 1.0),
}


def front(axis: Any) -> list[tuple[float, float]]:
    (line,) = [line for line in axis.lines if line.get_label() == FRONT]
    return [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]


def close(pairs: list[tuple[float, float]]) -> list[Any]:
    return [pytest.approx(pair, rel=CLOSE) for pair in pairs]


def test_errors_stand_against_every_cost_of_the_table() -> None:
    metrics = (ERROR, GRADIENTS, TIME)
    (figure,) = figures_of(*swept(COSTS, metrics=metrics), "cost")
    by_gradients, by_time = panels(figure)
    assert dots(by_gradients) == close([(1, 20), (2, 10), (4, 15)])
    assert dots(by_time) == close([(3, 20), (2, 10), (1, 15)])
    assert front(by_gradients) == close([(1, 20), (2, 10)])
    assert front(by_time) == close([(1, 15), (2, 10)])
    assert [a.get_xlabel() for a in (by_gradients, by_time)] == ["gradients / ERM", "seconds"]
    assert {a.get_ylabel() for a in (by_gradients, by_time)} == {"error %"}
    assert named(figure) == ["ERM", "SAM", "AMP", FRONT]
    assert "Numbers at the last epoch." in said(figure)


def test_without_a_column_of_costs_gradient_evaluations_are_the_cost() -> None:
    (figure,) = figures_of(*swept(COSTS, metrics=(ACCURACY,)), "cost")
    (axis,) = panels(figure)
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("gradient evaluations", "accuracy %")
    assert dots(axis) == close([(100, 80), (200, 90), (400, 85)])
    assert front(axis) == close([(100, 80), (200, 90)])


def test_what_competes_shares_a_panel() -> None:
    numbers = {(m, d): COSTS[m,] for m in ("ERM", "SAM") for d in ("A", "B")}
    plan, record = swept(numbers, ("method", "data"))
    (figure,) = figures_of(plan, record, "cost")
    assert [axis.get_title() for axis in panels(figure)] == ["A", "B"]
    assert [len(dots(axis)) for axis in panels(figure)] == [2, 2]
    numbers = {(f"net{i}", str(i)): COSTS["ERM",] for i in range(3)}  # each alone in its place
    (figure,) = figures_of(*swept(numbers, ("network", "size"), competing="size"), "cost")
    assert len(panels(figure)) == 1
    assert named(figure)[:3] == ["0", "1", "2"]


def test_many_places_are_dealt_to_several_figures() -> None:
    numbers = {(m, str(i)): COSTS[m,] for m in ("ERM", "SAM") for i in range(8)}
    figures = figures_of(*swept(numbers, ("method", "data")), "cost")
    titles = [[axis.get_title() for axis in panels(figure)] for figure in figures]
    assert titles == [[f"data {i}" for i in range(4)], [f"data {i}" for i in range(4, 8)]]


def test_a_cell_without_a_number_is_left_out_and_counted() -> None:
    numbers = {**COSTS, ("AMP",): [None, None]}
    (figure,) = figures_of(*swept(numbers), "cost")
    (axis,) = panels(figure)
    assert len(dots(axis)) == 2
    assert "1 of 3 have no number and are not drawn." in said(figure)


def test_nobody_dominates_a_point_of_the_front() -> None:
    def dot(x: float, y: float) -> Dot:
        return Dot("", x, y, None, None, 1)

    found = [dot(1, 5), dot(1, 4), dot(1, 4), dot(2, 4), dot(3, 3), dot(4, 9), dot(5, 1)]

    def beaten(a: Dot, sign: int) -> bool:
        return any(
            b.x <= a.x and sign * b.y <= sign * a.y and (b.x, b.y) != (a.x, a.y) for b in found
        )

    for better, sign in (("lower", 1), ("higher", -1)):
        expected = [d for d in sorted(found, key=lambda d: d.x) if not beaten(d, sign)]
        assert pareto(found, better) == expected


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("printed", "has no printed numbers"),
        ("cost", "has a single cell, and nothing to compare its cost with"),
        ("grid", "searches nothing: it has no grid and no points"),
    ],
)
def test_what_cannot_be_drawn_says_which_kinds_can(kind: str, said: str) -> None:
    plan, record = swept({("ERM",): trials(0.1, 1)})
    with pytest.raises(UsageError) as refused:
        figures_of(plan, record, kind)
    assert str(refused.value) == f"paper/table1 {said}; `sweep plot --kind` can be curves"


def test_costs_alone_have_nothing_to_stand_against() -> None:
    plan, record = swept(COSTS, metrics=(TIME,))
    chosen = plan.artifact.experiment.selection.__class__("device_seconds")
    artifact = plan.artifact.with_experiment(selection=chosen)
    plan = plan.__class__(artifact, plan.preset, plan.selection, plan.cells, plan.stages)
    for kind, why in [
        ("cost", "has no column to set against its cost"),
        ("curves", "has no column that is recorded in every epoch"),
    ]:
        with pytest.raises(UsageError) as refused:
            figures_of(plan, record, kind)
        assert str(refused.value) == f"paper/table1 {why}; no --kind of figure can be drawn of it"


def test_before_anything_ran_there_is_nothing_to_draw() -> None:
    numbers = {k: [None] for k in SEEDS}
    for kind in ("printed", "cost", "curves"):
        with pytest.raises(UsageError, match="paper/table1: nothing to draw yet; `sweep run` it"):
            figures_of(*swept(numbers, printed=PRINTED), kind)
