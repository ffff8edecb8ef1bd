"""A search between the points of a grid: what is proposed, run once, and shown best first."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces.spec import Artifact, Cell, Measure, Metric, Selection, Stage, Variant
from sweep import aggregate
from sweep.aggregate import SELECTIONS, Summary
from sweep.plan.expand import Plan, plan
from sweep.plan.proposals import Axis, propose
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.run.loop import Extension, Sweep
from sweep.run.search import as_rows, chosen, columns, narrowed, search, search_loss
from sweep.run.serial import SerialExecutor
from tests.sweep.cases import TINY, Witness

EMPTY = Record.from_runs([])
RATES = (0.01, 0.1)
STAGED = (
    replace(TINY, id="test/staged")
    .with_experiment(
        cells=tuple(
            Cell(
                {"method": method, "data": data},
                {"method": {"name": method}, "data.validation": 40 + index},
            )
            for method in ("erm", "sam", "asam")
            for index, data in enumerate("ab")
        ),
        stages=(
            Stage("rate", {"method": "erm"}, grid={"optimizer.lr": RATES}, seeds=2),
            Stage(
                "rho",
                {"method": "sam"},
                grid={"method.rho": (0.05, 0.5), "optimizer.nesterov": (True, False)},
                seeds=2,
                after="rate",
                match=("data",),
                inherit=("optimizer.lr",),
            ),
        ),
    )
    .with_view(rows=("method", "data"))
)
SAM = {"method": "sam", "data": "a"}


def planned(artifact: Artifact, record: Record = EMPTY) -> Plan:
    return plan(artifact, "smoke", SELECTIONS["validation"], record)


def test_a_search_is_of_the_variant_that_it_is_asked_of() -> None:
    artifact = replace(STAGED, variant=Variant(settings={"epochs": 3}))
    narrow = narrowed(artifact, *chosen(artifact, "smoke", SAM))
    assert planned(narrow).variant == "--set epochs=3"


@pytest.mark.parametrize(
    ("name", "values", "distribution"),
    [
        ("method.epsilon", (0.05, 0.1, 0.5), FloatDistribution(0.05, 0.5, log=True)),
        ("method.alpha", (2.0, 0.5, 1.0), FloatDistribution(0.5, 2.0)),
        ("method.lambda", (0.0, 0.1), FloatDistribution(0.0, 0.1)),
        ("method.beta", (1, 5, 100), IntDistribution(1, 100, log=True)),
        ("batch_size", (128, 256), CategoricalDistribution((0, 1))),
        ("method.adaptive", (True, False), CategoricalDistribution((0, 1))),
        ("model", ({"name": "mlp"}, {"name": "cnn"}), CategoricalDistribution((0, 1))),
    ],
)
def test_a_range_where_values_between_make_sense_and_a_list_elsewhere(
    name: str, values: tuple[object, ...], distribution: object
) -> None:
    axis = Axis.of(name, values, "nso")
    assert axis.distribution == distribution
    assert [axis.decode(axis.encode(value)) for value in values] == list(values)


def test_a_proposed_number_has_three_digits_and_stays_in_the_range() -> None:
    axis = Axis.of("method.rho", (0.0123456, 0.5004), "sam")
    assert axis.decode(0.123456) == 0.123
    assert axis.decode(0.0123457) == 0.0123456
    assert axis.decode(0.5003) == 0.5
    assert Axis.of("method.beta", (1, 2000), "infomcr").decode(1234) == 1234


AXES = {"x": Axis((0.0, 1.0), True), "kind": Axis(("p", "q"), False)}
TRIED = [({"x": 0.2 * i, "kind": "pq"[i % 2]}, abs(0.2 * i - 0.6)) for i in range(5)]


def test_proposals_are_new_distinct_and_follow_from_what_was_tried() -> None:
    pending = [{"x": 0.555, "kind": "p"}]
    found = propose(AXES, TRIED, pending, 5)
    assert found == propose(AXES, TRIED, pending, 5)
    assert len({repr(point) for point in found}) == 5
    assert all(0 <= point["x"] <= 1 and point["kind"] in "pq" for point in found)
    assert not [point for point in found if point in [p for p, _ in TRIED] + pending]
    opposite = [(point, 1 - value) for point, value in TRIED]
    assert propose(AXES, opposite, pending, 5) != found


def test_a_search_of_a_list_ends_when_all_of_it_has_been_tried() -> None:
    axes = {"kind": Axis(("p", "q", "r"), False)}
    tried = [({"kind": "p"}, 0.5)]
    assert propose(axes, tried, [{"kind": "q"}], 4) == [{"kind": "r"}]
    assert propose(axes, [*tried, ({"kind": "r"}, math.inf)], [{"kind": "q"}], 4) == []


def test_a_loss_is_the_mean_and_infinite_where_a_seed_diverged() -> None:
    assert search_loss(Summary(0.25, 0.1, n=2, asked=2)) == 0.25
    assert search_loss(Summary(0.25, None, n=1, asked=2, diverged=1)) == math.inf
    assert search_loss(Summary(0.25, None, n=1, asked=2, failed=1)) is None
    assert search_loss(Summary(None, None, n=0, asked=2, missing=2)) is None


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({}, "4 are left, such as erm / a; erm / b; sam / a; sam / b; .* being method or data"),
        ({"method": "sam"}, "2 are left, such as sam / a; sam / b; .* being data"),
        ({"method": "nso"}, "no method 'nso' there; it has: erm, sam, asam"),
        ({"colour": "red"}, "test/staged has no colour 'red'"),
    ],
)
def test_a_search_is_for_one_row(where: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        chosen(STAGED, "small", where)


def test_a_row_without_a_grid_is_not_searched() -> None:
    with pytest.raises(ValueError, match="test/tiny has no grid to search there at preset small"):
        chosen(TINY, "small", {"method": "sam"})


def test_only_what_the_row_starts_from_runs_before_it() -> None:
    cell, stage = chosen(STAGED, "small", SAM)
    assert (cell.key, stage.name) == (SAM, "rho")
    small = planned(narrowed(STAGED, cell, stage))
    assert [[tuple(t.cell.key.values()) for t in s.trials] for s in small.stages] == [
        [("erm", "a")] * 4,
        [],
    ]
    assert small.stages[1].pending == 8
    assert len(small.cells) == 2
    said = STAGED.with_notes(claims=("SAM is better",))  # of the table, not of one row
    only = narrowed(said, *chosen(said, "small", {"method": "erm", "data": "b"}))
    assert only.notes.claims == ()
    assert [stage.name for stage in only.experiment.stages] == ["rate"]
    assert len(only.experiment.cells) == 1


def known(artifact: Artifact) -> Record:
    """Every trial of the rate's stage done; 0.1 is the better rate."""
    return Record.from_runs(
        Run(t.trial_id, "done", {"validation_error": 1 - t.config.optimizer.lr})
        for t in planned(artifact).trials
    )


ERROR = Selection("validation_error")


def test_the_rows_of_a_search_are_the_trials_of_the_stage_and_the_proposals() -> None:
    cell, stage = chosen(STAGED, "small", SAM)
    small = narrowed(STAGED, cell, stage)
    assert small.id == "test/staged:search:sam/a"
    first = planned(small, known(small))
    points = [*stage.points(), {"method.rho": 0.2, "optimizer.nesterov": True}]
    made = as_rows(first, STAGED.view.metrics, points, ERROR)
    assert made.view.rows == ("method", "data", "rho", "nesterov")
    assert [tuple(c.key.values()) for c in made.experiment.cells][-2:] == [
        ("sam", "a", "0.5", "False"),
        ("sam", "a", "0.2", "True"),
    ]
    assert [metric.name for metric in made.view.metrics] == ["validation_error", "test_error"]
    own = planned(made, known(small))
    assert [t.trial_id for t in own.trials][:8] == [t.trial_id for t in first.stages[1].trials]
    proposed = own.trials[8]
    assert proposed.config.method.options["rho"] == 0.2
    assert proposed.config.optimizer.lr == 0.1
    assert proposed.config.data.validation == 40
    assert made.notes.changes[-1] == "4 points of the grid and 1 that Optuna proposed"
    said = SELECTIONS["validation"].sentence(made)
    assert "every point that was tried, in the order of mean validation_error over seeds" in said
    assert "optimistic" not in said
    test = as_rows(first, (), points, Selection("test_error"))
    assert "the first is chosen on the test set" in SELECTIONS["paper"].sentence(test)


def test_only_trials_whose_numbers_the_table_shows_are_measured() -> None:
    """A later training is measured: its search is not. A row that is searched last is."""
    trace = Measure("hessian_trace")
    shown = (*STAGED.view.metrics, Metric("hessian_trace", "trace"))
    final = Stage("final", {"method": "sam"}, after="rho", inherit=("method.rho",))
    last = STAGED.with_experiment(measures=(trace,)).with_view(metrics=shown)
    searched = narrowed(last, *chosen(last, "small", SAM))
    assert columns(last, searched) == shown
    full = planned(searched, known(searched))
    assert {t.cell.key["method"] for t in full.trials if full.measures_of(t)} == {"sam"}
    later = last.with_experiment(stages=(*last.experiment.stages, final))
    searched = narrowed(later, *chosen(later, "small", SAM))
    assert searched.experiment.measures == ()
    assert columns(later, searched) == STAGED.view.metrics
    ratio = Metric("test_nll", "ratio", relative_to={"method": "erm"})
    assert columns(last.with_view(metrics=(*shown, ratio)), searched) == STAGED.view.metrics


def test_a_criterion_that_no_trial_can_have_is_said_before_anything_runs(tmp_path: Path) -> None:
    regression = TINY.with_experiment(
        base={**TINY.experiment.base, "loss": "mse", "data.source": "matrix_sensing"},
        stages=(Stage("train", grid={"optimizer.lr": (1e-4, 0.1)}, seeds=1),),
    )
    tracker = Tracker(default_uri(str(tmp_path)))
    with pytest.raises(ValueError, match=r"test/tiny has no validation_error .* loss is mse"):
        search(
            Sweep(regression, "small", SELECTIONS["validation"], str(tmp_path)),
            tracker=tracker, observer=Witness(), executor=SerialExecutor(),
            where={"method": "sam"}, proposals=1, at_once=1,
        )  # fmt: skip


def test_nothing_is_proposed_beside_a_failed_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number would make the proposals others, and those trained meanwhile be for nothing."""
    artifact = TINY.with_experiment(
        stages=(Stage("train", grid={"optimizer.lr": (1e-4, 0.1)}, seeds=1),)
    )
    rule, witness = SELECTIONS["validation"], Witness()
    made: dict[str, list[Artifact]] = {"failed": [], "done": []}

    def ends_as(last: str) -> None:
        def run(sweep: Sweep, *, extension: Extension, **_: object) -> None:
            current: Artifact | None = sweep.artifact
            while current is not None and len(made[last]) < 3:
                found = planned(current)
                runs = [Run(t.trial_id, "done", {"validation_error": 0.5}) for t in found.trials]
                runs[1] = replace(runs[1], status=last)
                record = Record.from_runs(runs)
                current = extension(planned(current, record), record)
                made[last] += [current] if current else []

        monkeypatch.setattr("sweep.run.search.run", run)
        search(
            Sweep(artifact, "smoke", rule, str(tmp_path)),
            tracker=None, observer=witness, executor=SerialExecutor(),
            where={"method": "sam"}, proposals=3, at_once=2,
        )  # fmt: skip

    ends_as("done")
    assert [len(each.experiment.cells) for each in made["done"]] == [2, 4, 5]
    assert witness.sentences == []
    ends_as("failed")
    assert [len(each.experiment.cells) for each in made["failed"]] == [2, 2]
    assert made["failed"][-1].notes.changes[-1].endswith("; 3 more wait for the trials that failed")
    assert witness.sentences == ["3 further points wait for the trials that failed"]


def test_a_search_runs_its_points_once_and_shows_them_best_first(tmp_path: Path) -> None:
    artifact = TINY.with_experiment(
        stages=(Stage("train", grid={"optimizer.lr": (1e-4, 0.1)}, seeds=1),)
    )
    storage = str(tmp_path / "results")

    def searched() -> tuple[Plan, Record, Witness]:
        witness = Witness()
        rule, tracker = SELECTIONS["validation"], Tracker(default_uri(storage))
        found = search(
            Sweep(artifact, "smoke", rule, storage, {"device": "cpu"}),
            tracker=tracker, observer=witness, executor=SerialExecutor(),
            where={"method": "sam"}, proposals=3, at_once=2,
        )  # fmt: skip
        return *found, witness

    best_first, record, witness = searched()
    assert witness.waves == [2, 2, 1]
    assert best_first.artifact.experiment.selection.ranks
    assert {trial.config.method.name for trial in best_first.trials} == {"sam"}
    errors = [r.metrics["validation_error"].mean for r in aggregate.cells(best_first, record)]
    assert len(errors) == 5
    assert errors == sorted(errors, key=lambda error: error if error is not None else math.inf)
    assert best_first.missing(record) == []
    again, _, witness = searched()
    assert witness.waves == []
    assert [t.trial_id for t in again.trials] == [t.trial_id for t in best_first.trials]
