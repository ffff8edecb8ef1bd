"""The oracle is plain Python: `statistics` over lists, in float64, one cell at a time."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.presets import find
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Metric,
    Notes,
    Selection,
    Stage,
    TableView,
)
from sweep.aggregate import (
    SELECTIONS,
    cells,
    selection,
    summarize,
    winner,
)
from sweep.aggregate import statistics as grouped
from sweep.plan.expand import Plan, PlannedStage
from sweep.record.columns import at_epoch, column_values, only_at_the_end
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables.layout import FORMATS, build, render

# The mean and std of a handful of float64 numbers are a few roundings of 2⁻⁵³ = 1.1e-16 each away
# from the oracle's; cancellation in x - mean multiplies that by |mean| / std, here at most 1e4.
CLOSE = 1e-11


@dataclass(frozen=True)
class Trial:
    """What `sweep.aggregate` reads of a planned trial."""

    trial_id: str
    cell: Cell = field(default_factory=lambda: Cell({}))
    seed: int = 0
    point: dict[str, Any] = field(default_factory=dict)
    stage: str = "train"


def search(values: dict[Any, list[float | str | None]], metric: str = "validation_error"):
    """Trials of a grid over ``lr`` and their record: a number is done, a word is the status."""
    trials, runs = [], []
    for lr, seeds in values.items():
        for seed, value in enumerate(seeds):
            trials.append(Trial(f"{lr}-{seed}", seed=seed, point={"lr": lr}))
            if isinstance(value, str):
                runs.append(Run(trials[-1].trial_id, value, {metric: 0.0}))
            elif value is not None:
                runs.append(Run(trials[-1].trial_id, "done", {metric: value}))
    return trials, Record.from_runs(runs)


RULE = SELECTIONS["validation"].criterion(
    Artifact(
        id="p/a",
        experiment=Experiment(
            cells=(),
            stages=(),
        ),
        view=TableView(metrics=(), rows=()),
        notes=Notes(""),
    )
)


# -- statistics --------------------------------------------------------------------------------


@given(
    st.lists(
        st.lists(st.floats(0.01, 100).map(lambda x: x + 100), min_size=0, max_size=6), max_size=8
    )
)
@settings(max_examples=100, deadline=None)
def test_summaries_agree_with_the_statistics_module(groups):
    ids = [[f"{g}-{i}" for i in range(len(group))] for g, group in enumerate(groups)]
    flat = [t for group in ids for t in group]
    values = [value for group in groups for value in group]
    record = Record.from_runs(Run(t, "done") for t in flat)
    for group, summary in zip(groups, summarize(ids, record, np.array(values)), strict=True):
        assert (summary.n, summary.asked) == (len(group), len(group))
        assert summary.values == tuple(group)
        if not group:
            assert summary.mean is summary.std is None
            continue
        assert summary.mean == pytest.approx(statistics.fmean(group), rel=CLOSE)
        if len(group) == 1:
            assert summary.std is None
        else:  # x - mean is known to about 200 * 2⁻⁵³
            assert summary.std == pytest.approx(statistics.stdev(group), rel=1e-9, abs=1e-12)


def test_std_divides_by_n_minus_1():
    record = Record.from_runs(Run(t, "done") for t in "ab")
    (summary,) = summarize([["a", "b"]], record, np.array([1.0, 3.0]))
    assert summary.std == pytest.approx(math.sqrt(2), rel=CLOSE)  # over n it would be 1


def test_every_trial_is_counted_once_by_what_became_of_it():
    states = ["done", "done", "diverged", "failed", "running", None, "done", "done"]
    values = np.array([1.0, 3.0, 100.0, 100.0, 100.0, 100.0, np.nan, np.inf])
    ids = [str(i) for i in range(len(states))]
    record = Record.from_runs(Run(i, s) for i, s in zip(ids, states, strict=True) if s)
    (summary,) = summarize([ids], record, values)
    assert (summary.mean, summary.n, summary.asked) == (2.0, 2, 8)
    assert summary.trial_ids == ("0", "1")
    assert summary.problems == ("1 diverged", "1 failed", "1 running", "1 not run", "2 undefined")
    assert not summary.complete


@pytest.mark.parametrize("keys", ["dictionary", "string"])
def test_grouping_agrees_with_a_loop_over_rows(keys):
    rng = np.random.default_rng(0)
    cell = np.array(["a", "b", "c"])[rng.integers(0, 3, 200)]
    metric = np.array(["x", "y"])[rng.integers(0, 2, 200)]
    value = rng.normal(size=200) + 5
    columns = {"cell": pa.array(cell), "metric": pa.array(metric)}
    if keys == "dictionary":
        columns = {name: column.dictionary_encode() for name, column in columns.items()}
    table = grouped(pa.table({**columns, "value": value}), ["cell", "metric"], "value")
    rows = {(row["cell"], row["metric"]): row for row in table.to_pylist()}
    assert len(rows) == 6
    for (c, m), row in rows.items():
        members = [
            v for v, c2, m2 in zip(value.tolist(), cell, metric, strict=True) if (c, m) == (c2, m2)
        ]
        assert row["n"] == len(members)
        assert row["mean"] == pytest.approx(statistics.fmean(members), rel=CLOSE)
        assert row["std"] == pytest.approx(statistics.stdev(members), rel=CLOSE)


# -- the winner --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "lr"),
    [
        ({0.1: [0.3, 0.3], 0.2: [0.1, 0.2]}, 0.2),  # lowest, not highest
        ({0.1: [0.1, 0.5], 0.2: [0.2, 0.2]}, 0.2),  # the mean, not the luckiest seed
        ({0.1: [0.0, "diverged"], 0.2: [0.9, 0.9]}, 0.2),  # diverged is +inf, not left out
        ({0.1: [0.0, None], 0.2: [0.9, 0.9]}, 0.2),  # incomplete is not eligible
        ({0.1: [0.0, "failed"], 0.2: [0.9, 0.9]}, 0.2),
        ({0.1: [0.0, "running"], 0.2: [0.9, 0.9]}, 0.2),
        ({0.1: [0.0, math.nan], 0.2: [0.9, 0.9]}, 0.2),  # undefined: no mean
        ({0.1: [0.0, math.inf], 0.2: [0.9, 0.9]}, 0.2),
        ({0.2: [0.3, 0.1], 0.1: [0.1, 0.3]}, 0.2),  # a tie: the first of the grid
        ({0.1: [0.1, 0.2, 0.3], 0.2: [0.3, 0.2, 0.1]}, 0.1),  # exactly, in any order of seeds
        ({0.1: ["diverged"] * 2, 0.2: ["diverged"] * 2}, 0.1),
        ({0.1: [0.1, None], 0.2: ["failed", 0.1]}, None),
        ({0.1: [None], 0.2: [None]}, None),
        ({}, None),
    ],
)
def test_winner(values, lr):
    trials, record = search(values)
    assert winner(trials, record, RULE) == (None if lr is None else {"lr": lr})


@given(
    st.dictionaries(
        st.integers(0, 5), st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_winner_has_the_lowest_mean_whatever_the_order_of_the_record(values, random):
    trials, record = search({k: [float(v) for v in seeds] for k, seeds in values.items()})
    best = winner(trials, record, RULE)
    lowest = min(sum(seeds) for seeds in values.values())
    assert best == {"lr": next(k for k, seeds in values.items() if sum(seeds) == lowest)}
    runs = [Run(t.trial_id, "done", {"validation_error": values[t.point["lr"]][t.seed]})
            for t in trials]  # fmt: skip
    random.shuffle(runs)
    assert winner(trials, Record.from_runs(runs), RULE) == best


NEAR = [0.1, 0.2, 0.3, math.nextafter(0.2, 1), 0.6 - 0.4, -1e17, 1e17, 1.7e308, math.inf]


@given(st.lists(st.lists(st.sampled_from(NEAR), min_size=3, max_size=3), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_winner_has_the_lowest_exact_mean_where_sums_cannot_tell(seeds):
    """The oracle is `statistics.mean`, which takes exact fractions and rounds once."""
    trials, record = search(dict(enumerate(seeds)))
    means = [statistics.mean(values) for values in seeds]
    assert winner(trials, record, RULE) == {"lr": means.index(min(means))}


def test_validation_never_looks_at_the_test_set():
    runs = [
        Run("0.1-0", "done", {"validation_error": 0.2, "test_error": 0.1}),
        Run("0.2-0", "done", {"validation_error": 0.1, "test_error": 0.3}),
    ]
    trials = [Trial("0.1-0", point={"lr": 0.1}), Trial("0.2-0", point={"lr": 0.2})]
    record = Record.from_runs(runs)
    assert winner(trials, record, RULE) == {"lr": 0.2}
    assert winner(trials, record, Selection("test_error")) == {"lr": 0.1}


def test_selecting_on_what_no_trial_recorded_is_an_error():
    trials, record = search({0.1: [0.1], 0.2: [0.2]}, metric="test_error")
    with pytest.raises(ValueError, match=r"'validation_error'.*data\.validation > 0"):
        winner(trials, record, RULE)


def test_a_single_point_wins_before_it_has_run():
    trials, record = search({0.1: [None, "failed"]})
    assert winner(trials, record, RULE) == {"lr": 0.1}
    trials, record = search({0.1: [0.1]}, metric="test_error")
    assert winner(trials, record, RULE) == {"lr": 0.1}


# -- epochs ------------------------------------------------------------------------------------


def test_what_was_measured_in_every_epoch_is_read_at_the_best_one():
    """Whatever it is called; what was measured once is of the last epoch, and said to be."""
    every = {"gap": 4.0, "best_test/gap": 2.0, "best_test/epoch": 3, "best_test/test_error": 0.2}
    once = {
        "gap": 5.0,
        "trace": 7.0,
        "training_seconds": 1.0,
        "test_error": 0.4,
        **{k: every[k] for k in list(every)[2:]},
    }
    record = Record.from_runs([Run("a", "done", every), Run("b", "done", once)])
    assert at_epoch(["a", "b"], record, "gap", "best_test").tolist() == [2.0, 5.0]
    assert at_epoch(["a", "b"], record, "gap", "last").tolist() == [4.0, 5.0]
    assert at_epoch(["b"], record, "trace", "best_test").tolist() == [7.0]
    rule = Selection("test_error", "best_test")
    late = [
        only_at_the_end(metric, rule, record)
        for metric in (
            Metric("trace", ""),
            Metric("gap", ""),
            Metric("trace", "", epoch="last"),
            Metric("test_error", "", minus="trace"),
            Metric("nothing", ""),
            Metric("training_seconds", ""),
        )
    ]
    assert late == [True, False, False, True, False, False]
    difference = Metric("test_error", "", minus="trace")
    assert column_values(["b"], record, difference, rule).tolist() == [0.4 - 7.0]


def test_a_table_says_which_columns_are_of_the_last_epoch():
    metrics = (Metric("test_error", "error"), Metric("trace", "Hessian trace"))
    rule = Selection("test_error", "best_test")
    plan = planned(artifact(metrics=metrics, stages=(Stage("train", seeds=1),), selection=rule))
    run = Run("erm-None-0", "done", {"trace": 1.0, "test_error": 3, "best_test/test_error": 2})
    results = cells(plan, Record.from_runs([run]))
    table = build(plan.artifact, results, find("paper"), selection("paper"))
    assert table.selection.endswith(". Measured at the last epoch only: Hessian trace")


def test_a_column_reads_its_own_epoch_or_the_rules():
    numbers = {
        "test_error": 0.4,
        "best_test/test_error": 0.2,
        "best_validation/test_error": 0.3,
        "train_error": 0.1,
        "best_validation/train_error": 0.05,
        "trace": 7.0,
    }
    record = Record.from_runs([Run("a", "done", numbers, {"test_error": [0.5, 0.3, 0.1]})])
    rule = Selection("validation_error", "best_validation")

    def read(name: str, **options: Any) -> float:
        return float(column_values(["a"], record, Metric(name, "", **options), rule)[0])

    assert read("test_error") == 0.3
    assert read("test_error", epoch="last") == 0.4
    assert read("test_error", epoch="best_test") == 0.2
    assert read("test_error", minus="train_error") == 0.3 - 0.05
    assert read("test_error", minus="train_error", epoch="last") == 0.4 - 0.1
    assert read("test_error", epoch="mean") == pytest.approx(0.3, rel=CLOSE)
    assert read("trace") == 7.0
    assert math.isnan(read("test_nll"))


# -- rules -------------------------------------------------------------------------------------


def artifact(metrics: tuple[Metric, ...] | None = None, **experiment: Any) -> Artifact:
    fields = {
        "cells": (Cell({"method": "erm"}), Cell({"method": "sam"}), Cell({"method": "amp"})),
        "stages": (
            Stage("erm", {"method": "erm"}, grid={"lr": (0.1, 0.2)}, seeds=2),
            Stage("rest", {"method": ("sam", "amp")}, seeds=2, after="erm"),
        ),
        "selection": Selection("test_error", "best_test", "as the authors did."),
    }
    return Artifact(
        id="paper/table",
        experiment=Experiment(**{**fields, **experiment}),
        view=TableView(rows=("method",), metrics=metrics or (Metric("test_error", "error"),)),
        notes=Notes(""),
    )


def test_rules_by_name():
    assert selection("paper").criterion(artifact()).on == "test_error"
    assert not selection("paper").needs_validation
    assert selection("validation").criterion(artifact()) == Selection("validation_error", "last")
    assert selection("best_validation").criterion(artifact()).epoch == "best_validation"
    assert selection("validation").needs_validation
    with pytest.raises(ValueError, match=r"'validaton' \(did you mean 'validation'\?\)"):
        selection("validaton")


def test_a_rule_says_where_it_looks():
    paper, validation = (selection(n).sentence(artifact()) for n in ("paper", "validation"))
    assert "test_error" in paper
    assert "chosen on the test set, so optimistic" in paper
    assert "as the authors did" in paper
    assert "validation_error" in validation
    assert "last epoch" in validation
    assert "optimistic" not in validation
    fixed = artifact(stages=(Stage("train"),), selection=Selection())
    assert "nothing is selected" in selection("paper").sentence(fixed)
    assert "optimistic" not in selection("paper").sentence(fixed)


# -- cells -------------------------------------------------------------------------------------


def planned(spec: Artifact, known: tuple[str, ...] = ("erm", "sam", "amp"), rule: str = "paper"):
    stages = []
    for stage in spec.experiment.stages:
        trials = [
            Trial(f"{cell.key['method']}-{point.get('lr')}-{seed}", cell, seed, point, stage.name)
            for cell in spec.experiment.cells
            if stage.covers(cell) and cell.key["method"] in known
            for point in stage.points()
            for seed in range(stage.seeds)
        ]
        stages.append(PlannedStage(stage.name, tuple(trials)))
    return Plan(spec, "paper", selection(rule), spec.experiment.cells, tuple(stages))


def done(trial_id: str, **metrics: float) -> Run:
    return Run(trial_id, "done", {f"best_test/{name}": v for name, v in metrics.items()} | metrics)


def test_cells_show_the_selected_point_and_who_waits():
    plan = planned(artifact(), known=("erm", "sam"))
    record = Record.from_runs(
        [
            done("erm-0.1-0", test_error=0.5),
            done("erm-0.1-1", test_error=0.3),
            done("erm-0.2-0", test_error=0.1),
            done("erm-0.2-1", test_error=0.2),
            done("sam-None-0", test_error=0.25),
            Run("sam-None-1", "diverged", {"best_test/test_error": 0.01}),
        ]
    )
    erm, sam, amp = cells(plan, record)
    assert erm.point == {"lr": 0.2}
    assert erm.metrics["test_error"].mean == pytest.approx(0.15, rel=CLOSE)
    assert (erm.points, erm.searched, erm.provisional) == (2, 2, False)
    assert erm.trial_ids == ("erm-0.2-0", "erm-0.2-1")
    assert sam.metrics["test_error"].mean == 0.25  # what a diverged trial left is not a number
    assert sam.metrics["test_error"].problems == ("1 diverged",)
    assert amp.point is None
    assert amp.metrics["test_error"].problems == ("2 not run",)
    assert amp.metrics["test_error"].asked == 2
    assert [r.stage for r in (erm, sam, amp)] == ["erm", "rest", "rest"]


def test_a_column_is_of_the_cells_that_it_names():
    """Of the others there is no number, and none is missing: their places are empty."""
    own = Metric("test_nll", "NLL", where={"method": ("erm", "nso")})
    columns = (*artifact().view.metrics, own)
    plan = planned(artifact().with_view(metrics=columns), known=("erm", "sam"))
    record = Record.from_runs([done("sam-None-0", test_error=0.25)])
    erm, sam, amp = cells(plan, record)
    assert [set(r.metrics) for r in (erm, sam, amp)] == [
        {"test_error", "test_nll"},
        {"test_error"},
        {"test_error"},
    ]
    table = build(plan.artifact, [erm, sam, amp], find("paper"), plan.selection)
    (at,) = (i for i, column in enumerate(table.columns) if column[-1] == "NLL")
    assert [line[at] is None for line in table.grid] == [False, True, True]
    assert all(render(table, kind) for kind in FORMATS)


def test_an_unfinished_search_shows_its_best_so_far_as_provisional():
    plan = planned(artifact(), known=("erm",))
    some = [done("erm-0.1-0", test_error=0.5), done("erm-0.2-0", test_error=0.6)]
    (erm, *_) = cells(plan, Record.from_runs(some))
    assert (erm.point, erm.searched, erm.provisional) == ({"lr": 0.1}, 0, True)
    assert erm.metrics["test_error"].problems == ("1 not run",)
    # A complete point goes before a better one that is not complete.
    (erm, *_) = cells(plan, Record.from_runs([*some, done("erm-0.2-1", test_error=0.8)]))
    assert (erm.point, erm.searched, erm.provisional) == ({"lr": 0.2}, 1, True)
    assert erm.metrics["test_error"].complete


def test_of_unfinished_points_the_lowest_mean_of_what_is_there_is_shown():
    stages = (Stage("train", grid={"lr": (0.1, 0.2)}, seeds=3),)
    plan = planned(artifact(stages=stages), known=("erm",))
    some = {"erm-0.1-0": 0.5, "erm-0.2-0": 0.4, "erm-0.2-1": 0.4}
    erm = cells(plan, Record.from_runs(done(t, test_error=v) for t, v in some.items()))[0]
    assert (erm.point, erm.provisional) == ({"lr": 0.2}, True)


def test_the_rule_decides_the_point_and_the_epoch():
    plan = planned(artifact(), known=("erm",))
    runs = [
        Run(
            f"erm-{lr}-{seed}",
            "done",
            {
                "validation_error": validation,
                "test_error": test,
                "best_test/test_error": best,
                "best_validation/validation_error": 1 - validation,
                "best_validation/test_error": test + 0.5,
            },
        )
        for lr, validation, test, best in [(0.1, 0.3, 0.35, 0.1), (0.2, 0.2, 0.25, 0.2)]
        for seed in (0, 1)
    ]
    record = Record.from_runs(runs)
    expected = {
        "paper": ({"lr": 0.1}, 0.1),
        "validation": ({"lr": 0.2}, 0.25),
        "best_validation": ({"lr": 0.1}, 0.85),
    }
    for name, (point, mean) in expected.items():
        under = Plan(plan.artifact, "paper", selection(name), plan.cells, plan.stages)
        erm = cells(under, record)[0]
        assert (erm.point, erm.metrics["test_error"].mean) == (point, pytest.approx(mean))


def test_columns_with_the_same_name_are_kept_apart_by_their_keys():
    metrics = (
        Metric("test_error", "last", epoch="last"),
        Metric("test_error", "best", epoch="best_test"),
        Metric("test_error", "gap", minus="train_error", epoch="last"),
    )
    plan = planned(artifact(metrics=metrics, stages=(Stage("train", seeds=1),)))
    run = Run("erm-None-0", "done", {"test_error": 3, "best_test/test_error": 2, "train_error": 1})
    erm = cells(plan, Record.from_runs([run]))[0]
    assert {key: summary.mean for key, summary in erm.metrics.items()} == {
        "test_error@last": 3,
        "test_error@best_test": 2,
        "test_error-train_error@last": 2,
    }
