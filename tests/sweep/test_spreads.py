"""Means and spreads against exact arithmetic: `fractions` in the loops, `statistics` for the root.

With u = 2⁻⁵³ and D the largest difference from a group's first value, grouping by Arrow may be off
by u |mean| + (n + 1) u D in the mean and (5 n + 9) u D in the std (`sweep.aggregate.statistics`);
terms of u² are covered by a factor of 1 + 2⁻⁴⁰. What plain Python computes is correctly rounded.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.spec import (
    Artifact,
    Cell,
    CurveView,
    Epochs,
    Experiment,
    Metric,
    Notes,
    Selection,
    Stage,
    TableView,
)
from sweep.aggregate import SELECTIONS, cells, summarize
from sweep.aggregate import statistics as grouped
from sweep.figures.data import panels
from sweep.plan.expand import Plan, PlannedStage
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables.layout import build, render
from tests.sweep.tables.cases import ERROR, SMALL
from trainables.measures.base import Estimate

U = 2.0**-53
HIGHER_ORDER = 1 + 2.0**-40

# Squares of numbers in this range neither overflow nor lose digits below the normal ones.
numbers = st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100)
near = st.tuples(st.floats(0.01, 100), st.lists(st.integers(0, 9), min_size=1, max_size=8)).map(
    lambda pair: [pair[0] + k * float(np.spacing(pair[0])) for k in pair[1]]
)
"""Numbers that differ in their last bits."""
groups = st.lists(numbers, min_size=1, max_size=12) | near


def by_arrow(values: list[list[float]]) -> list[dict[str, Any]]:
    flat = [(i, v) for i, group in enumerate(values) for v in group]
    table = pa.table({"group": [i for i, _ in flat], "value": [v for _, v in flat]})
    return sorted(grouped(table, ["group"], "value").to_pylist(), key=lambda row: row["group"])


@given(st.lists(groups, min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_grouping_is_as_near_to_exact_arithmetic_as_roundings_explain(values):
    for group, row in zip(values, by_arrow(values), strict=True):
        n, exact = len(group), sum(map(Fraction, group)) / len(group)
        apart = float(max(abs(Fraction(x) - Fraction(group[0])) for x in group))
        slack = U * float(abs(exact)) + (n + 1) * U * apart
        assert abs(Fraction(row["mean"]) - exact) <= Fraction(slack * HIGHER_ORDER)
        assert row["n"] == n
        if n > 1:
            slack = (5 * n + 9) * U * apart
            assert abs(row["std"] - statistics.stdev(group)) <= slack * HIGHER_ORDER
        else:
            assert np.isnan(row["std"])


@given(st.lists(st.tuples(numbers, st.integers(1, 50)), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_equal_numbers_have_themselves_for_a_mean_and_no_spread(equal):
    """By Arrow, in plain Python, for an estimator's samples, and of a history over epochs."""
    values = [[x] * n for x, n in equal]
    for (x, n), row in zip(equal, by_arrow(values), strict=True):
        assert row["mean"] == x
        assert n == 1 or row["std"] == 0.0
        assert statistics.mean([x] * n) == x
        estimate = Estimate.of(torch.full((n,), x, dtype=torch.float64))
        assert estimate.value == x
        assert n == 1 or estimate.std_error == 0.0
        record = Record.from_runs([Run("a", "done", {}, {"loss": [x] * n})])
        assert record.history_means(["a"], "loss").tolist() == [x]


def test_nothing_grouped_is_nothing():
    empty = pa.table({"group": pa.array([], pa.int64()), "value": pa.array([], pa.float64())})
    found = grouped(empty, ["group"], "value")
    assert (found.num_rows, found.column_names) == (0, ["group", "mean", "std", "n"])


# -- as printed --------------------------------------------------------------------------------

GAP = Metric("test_error", "gap %", shown="percent", minus="train_error")
ACCURACY = Metric("test_error", "accuracy %", better="higher", shown="accuracy_percent")
OVER_EPOCHS = Metric("test_error", "mean error %", shown="percent", epoch="mean")


class Trial:
    def __init__(self, cell: Cell, seed: int) -> None:
        self.cell, self.seed, self.point = cell, seed, {}
        self.trial_id = f"{cell.key['method']}{seed}"


def swept(tests: list[float], trains: list[float], *metrics: Metric) -> tuple[Plan, Record]:
    cell = Cell({"method": "m"})
    stages = (Stage("train", seeds=len(tests)),)
    artifact = Artifact(
        id="p/t",
        experiment=Experiment(
            cells=(cell,),
            stages=stages,
            selection=Selection(),
        ),
        view=TableView(metrics=metrics, rows=("method",)),
        notes=Notes(""),
    )
    trials = tuple(Trial(cell, seed) for seed in range(len(tests)))
    plan = Plan(artifact, "paper", SELECTIONS["paper"], (cell,), (PlannedStage("train", trials),))
    runs = [
        Run(f"m{i}", "done", {"test_error": a, "train_error": b}, {"test_error": [a] * 7})
        for i, (a, b) in enumerate(zip(tests, trains, strict=True))
    ]
    return plan, Record.from_runs(runs)


def printed(plan: Plan, record: Record, kind: str = "md") -> str:
    table = build(plan.artifact, cells(plan, record), SMALL, SELECTIONS["paper"])
    return render(table, kind)


@pytest.mark.parametrize("error", [0.05, 0.1, 1 / 3, 0.2818, 0.6109, 0.5513])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_equal_seeds_print_a_spread_of_zero(error, seeds):
    plan, record = swept([error] * seeds, [0.0] * seeds, ERROR, ACCURACY, OVER_EPOCHS)
    text = printed(plan, record)
    assert text.count("± 0.00") == 3
    assert f"{100 * error:.2f} ± 0.00 ({seeds})" in text
    assert "e−" not in text
    view = CurveView(x=Epochs(), rows=("method",), metrics=(ERROR,))
    curve = replace(plan, artifact=replace(plan.artifact, view=view))
    ((panel,),) = panels(curve, record)
    assert {(p.mean, p.std) for p in panel.lines[0].points} == {(100 * error, 0.0)}


def test_equal_gaps_print_a_spread_of_zero():
    """0.4 - 0.3, 0.3 - 0.2 and 0.2 - 0.1 are three floats and one number."""
    tests, trains = [0.4, 0.3, 0.2], [0.3, 0.2, 0.1]
    assert len({a - b for a, b in zip(tests, trains, strict=True)}) == 3
    plan, record = swept(tests, trains, GAP)
    assert "10.00 ± 0.00 (3)" in printed(plan, record)


@pytest.mark.parametrize("ulps", [3, 100])
def test_a_spread_beyond_rounding_stays(ulps):
    """A recorded number counts as exact, and a gap as what its terms are known to."""
    one = 0.4
    other = one + ulps * float(np.spacing(one))
    record = Record.from_runs([Run("a", "done"), Run("b", "done")])
    (exact,) = summarize([["a", "b"]], record, np.array([one, other]))
    spread = pytest.approx(statistics.stdev([one, other]), rel=8 * U, abs=0)
    assert exact.std == spread
    plan, record = swept([one, other], [0.0, 0.0], GAP)
    (cell,) = cells(plan, record)
    assert cell.metrics[GAP.key].std == spread
