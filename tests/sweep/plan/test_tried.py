"""What a search has tried, read from the record alone; and as studies that Optuna opens."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from sweep.aggregate import SELECTIONS
from sweep.plan import study
from sweep.plan.expand import Plan, plan
from sweep.plan.tried import TriedRow, tried_rows
from sweep.record.record import Record
from sweep.run.search import Budget
from tests.sweep.run.searching import ROWS, MadeUp, points, searched, valley
from trainables.errors import UsageError

PLAN = plan(ROWS, "smoke", SELECTIONS["paper"], Record.from_runs([]))
"""As the commands that draw and export make it: `--selection` is not asked for."""


def tried(eta: int = 0, count: int = 6) -> tuple[list[TriedRow], Plan, MadeUp]:
    made = MadeUp(valley)
    planned, record, _ = searched(made, Budget(count, eta=eta))
    rule, rows = tried_rows(PLAN, record)
    assert rule.name == "validation"
    return rows, planned, made


def test_its_rows_and_points_are_those_that_were_tried() -> None:
    rows, planned, made = tried()
    assert [row.name for row in rows] == ["erm", "sam"]
    assert [row.axes for row in rows] == [("optimizer.lr",), ("method.rho", "optimizer.lr")]
    for row in rows:
        assert row.best is not None
        by_loss = sorted(row.complete, key=lambda point: point.loss or 0.0)
        assert [dict(point.values) for point in by_loss] == [
            {n: p[n] for n in sorted(p)} for p in points(planned, row.name)
        ]
        assert row.best == by_loss[0]
        ends = [point.ended for point in row.points]
        assert ends == sorted(ends)
        for point in row.points:
            losses = [made.runs[t].metrics["validation_error"] for t in point.trial_ids]
            assert (len(losses), point.pruned) == (2, 0)
            assert point.loss == pytest.approx(sum(losses) / 2, rel=1e-15)
            assert point.seconds == 2 * 36 * 9


def test_pruned_points_are_there_with_the_epoch_where_they_were_stopped() -> None:
    rows, planned, made = tried(eta=3)
    for row in rows:
        stopped = [point for point in row.points if point.pruned]
        assert len(row.points) == 6
        assert len(row.complete) == len(points(planned, row.name)) == 6 - len(stopped) > 0
        for point in stopped:
            runs = [made.runs[t] for t in point.trial_ids]
            assert {run.metrics["epochs_run"] for run in runs} == {point.pruned}
            assert point.loss == pytest.approx(
                sum(run.metrics["validation_error"] for run in runs) / 2, rel=1e-15
            )


def test_a_trial_of_two_rows_is_a_point_of_both() -> None:
    cells = tuple(replace(ROWS.experiment.cells[0], key={"row": name}) for name in "ab")
    twice = ROWS.with_experiment(
        cells=cells, stages=(replace(ROWS.experiment.stages[0], where={}),)
    ).with_view(rows=("row",))
    made = MadeUp(valley)
    _, record, _ = searched(made, Budget(3), twice)
    _, rows = tried_rows(plan(twice, "smoke", SELECTIONS["paper"], record), record)
    assert [len(row.points) for row in rows] == [3, 3]
    assert len(made.runs) == 3 * 2


def test_epochs_that_follow_from_a_setting_are_no_axis() -> None:
    made = MadeUp(valley)
    _, record, _ = searched(made, Budget(4))
    runs = [
        replace(run, settings={**run.settings, "epochs": run.settings["optimizer.lr"]})
        for run in made.runs.values()
    ]
    _, rows = tried_rows(PLAN, Record.from_runs(runs))
    assert rows[0].axes == ("optimizer.lr",)
    runs = [replace(run, settings={**run.settings, "epochs": run.settings["seed"]}) for run in runs]
    _, rows = tried_rows(PLAN, Record.from_runs(runs))
    assert rows[0].axes == ("epochs", "optimizer.lr")
    assert len(record) == len(runs)


def test_a_point_that_has_not_ended_has_no_number_and_one_that_diverged_an_infinite_one() -> None:
    made = MadeUp(valley)
    searched(made, Budget(2))
    first, *others = made.runs.values()
    _, (erm, _) = tried_rows(
        PLAN, Record.from_runs([replace(first, status="failed", metrics={}), *others])
    )
    assert [point.loss is None for point in erm.points] == [True, False]
    assert len(erm.complete) == 1
    _, (erm, _) = tried_rows(
        PLAN, Record.from_runs([replace(first, status="diverged", metrics={}), *others])
    )
    assert erm.points[0].loss == math.inf
    assert len(erm.complete) == 1


def test_where_nothing_was_searched_it_says_so() -> None:
    made = MadeUp(valley)
    _, record, _ = searched(made, Budget(2))
    for other in (replace(PLAN, preset="small"), replace(PLAN, artifact=replace(ROWS, id="a/b"))):
        with pytest.raises(UsageError, match=r"nothing was searched of .* at preset"):
            tried_rows(other, record)


def test_of_two_rules_one_is_to_be_named() -> None:
    made = MadeUp(valley)
    searched(made, Budget(2))
    both = [
        replace(
            run,
            memberships=(
                *run.memberships,
                *(m._replace(selection="best_validation") for m in run.memberships),
            ),
        )
        for run in made.runs.values()
    ]
    record = Record.from_runs(both)
    with pytest.raises(UsageError, match="--selection best_validation or validation"):
        tried_rows(PLAN, record)
    rule, _ = tried_rows(replace(PLAN, selection=SELECTIONS["best_validation"]), record)
    assert rule.name == "best_validation"


def test_optuna_loads_the_studies_of_a_search(tmp_path: Path) -> None:
    rows, _, _ = tried(eta=3)
    file = tmp_path / "search.journal"
    assert study.write(rows, file) == sum(len(row.points) for row in rows)
    storage = JournalStorage(JournalFileBackend(str(file)))
    for row in rows:
        found = optuna.load_study(study_name=row.name, storage=storage)
        assert found.user_attrs == {"metric": "validation_error"}
        assert row.best is not None
        assert found.best_value == row.best.loss
        assert found.best_params == dict(row.best.values)
        states = [TrialState.PRUNED if p.pruned else TrialState.COMPLETE for p in row.points]
        assert [trial.state for trial in found.trials] == states
        for trial, point in zip(found.trials, row.points, strict=True):
            assert trial.params == dict(point.values)
            assert trial.intermediate_values == ({point.pruned: point.loss} if point.pruned else {})
            assert trial.user_attrs["trials"] == list(point.trial_ids)
            assert trial.duration is not None
            assert trial.duration.total_seconds() == pytest.approx(
                min(point.seconds, point.ended / 1000)
            )
    assert study.write(rows[:1], file) == len(rows[0].points)  # in the place of what was there
    assert optuna.get_all_study_names(JournalStorage(JournalFileBackend(str(file)))) == ["erm"]


def test_values_of_every_kind_are_told_to_optuna() -> None:
    rows, _, _ = tried(count=2)
    row = rows[0]
    values = [{"a": 0.0, "b": "True", "c": 2.0}, {"a": 0.1, "b": "False", "c": 64.0}]
    two = [replace(p, values=v) for p, v in zip(row.points, values, strict=True)]
    two.append(replace(two[0], loss=math.inf))
    two.append(replace(two[0], loss=None))
    made = study.study(replace(row, axes=("a", "b", "c"), points=tuple(two)))
    assert [trial.params for trial in made.trials] == [
        {"a": 0.0, "b": "True", "c": 2},
        {"a": 0.1, "b": "False", "c": 64},
        {"a": 0.0, "b": "True", "c": 2},
    ]
    assert [trial.state for trial in made.trials][-1] is TrialState.FAIL


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    rows, _, _ = tried(count=2)
    with pytest.raises(UsageError, match=r"cannot write .*no/s.journal.* name another file"):
        study.write(rows, tmp_path / "no" / "s.journal")
