"""A search of rows: equal budgets, proposals and survivors that follow from the record alone."""

from __future__ import annotations

import math
from collections import Counter
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from search_spaces.spec import Artifact, Cell, Stage
from sweep import aggregate
from sweep.plan.expand import Plan, PlannedTrial
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.record.sync import Sync
from sweep.run import garbage
from sweep.run.executor import Executor
from sweep.run.loop import Sweep
from sweep.run.search import Budget, search
from sweep.run.serial import SerialExecutor
from sweep.tables import render, table_of
from tests.sweep.cases import TINY, Witness
from tests.sweep.run.searching import (
    ROWS,
    RULE,
    KilledError,
    MadeUp,
    dying,
    ends,
    points,
    searched,
    valley,
)
from trainables.errors import UsageError
from trainables.storage.files import Storage
from trainables.storage.trial_folder import CHECKPOINT, PRUNED, RESULT, trials_with


def test_every_row_has_as_many_points_its_grid_s_among_them() -> None:
    made = MadeUp(valley, slots=64)
    planned, record, _ = searched(made, Budget(8, at_once=3))
    assert [len(points(planned, row)) for row in ("erm", "sam")] == [8, 8]
    assert {"optimizer.lr": 0.1} in points(planned, "erm")
    assert {"optimizer.lr": 0.1, "method.rho": 0.05} in points(planned, "sam")
    assert planned.artifact.id == "test/tiny:search"
    assert ends(record) == {"done": 2 * 8 * 2}
    assert len(made.trained) == 2 * 8 * 2  # none of them twice
    assert planned.missing(record) == []


def test_of_a_grid_with_more_points_so_many_are_taken_from_end_to_end() -> None:
    planned, _, _ = searched(MadeUp(valley), Budget(3))
    assert len(points(planned, "erm")) == 3
    found = {(p["optimizer.lr"], p["method.rho"]) for p in points(planned, "sam")}
    assert found == {(0.01, 0.01), (0.1, 0.05), (0.01, 0.05)}
    assert "spent: sam: 3 points (3 of the 6 of its grid), " in planned.artifact.notes.changes[-1]


def test_a_table_says_what_each_row_spent_and_what_won() -> None:
    planned, record, _ = searched(MadeUp(valley), Budget(4, eta=2))
    text = render(table_of(planned, record), "terminal", width=2000, color=False)
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    spent = [said for what, said in lines_of(lines, "spent")]
    # Two of the grid: one is stopped at epoch 4 of 9; then two are proposed, likewise.
    assert spent[0].startswith(
        "erm: 4 points (2 of the 2 of its grid, 2 pruned), 8 trials, 52 epochs, 520 gradient "
        "evaluations, 0.52 device hours"
    )
    assert spent[1].startswith("sam: 4 points (4 of the 6 of its grid, 3 pruned), 8 trials, ")
    searched_ = [said for what, said in lines_of(lines, "searched")]
    assert "of those begun together the best 1/2 go on at each rung" in searched_[0]
    assert searched_[1:] == ["lr 0.01 to 0.1 (log): erm, sam", "rho 0.01 to 0.05: sam"]
    ((_, won),) = lines_of(lines, "winner")
    best, (sam,) = points(planned, "erm")[0], points(planned, "sam")
    assert won == (
        f"lr = {best['optimizer.lr']:g} for erm; lr = {sam['optimizer.lr']:g}, "
        f"rho = {sam['method.rho']:g} for sam"
    )


def lines_of(lines: list[list[str]], label: str) -> list[list[str]]:
    return [line for line in lines if line[:1] == [label]]


def test_a_best_point_at_the_end_of_its_range_is_said() -> None:
    def falling(trial: PlannedTrial) -> list[float]:
        return [1 - trial.config.optimizer.lr] * trial.config.epochs

    planned, _, _ = searched(MadeUp(falling), Budget(4), where={"method": "erm"})
    assert planned.artifact.notes.changes[-1].endswith("; the best is at the end of lr")
    planned, _, _ = searched(MadeUp(valley), Budget(6), where={"method": "erm"})
    assert planned.artifact.notes.changes[-1].endswith(" device hours")


def test_the_points_of_a_row_are_there_best_first_and_the_winner_is_the_first() -> None:
    planned, record, _ = searched(MadeUp(valley), Budget(6))
    for result in aggregate.cells(planned, record):
        row = result.cell.key["method"]
        assert result.point == points(planned, row)[0]
        assert (result.points, result.searched) == (6, 6)
    every = table_of(planned, record, all_points=True)
    errors = [cell.mean for row, _, cell in every.cells if row[0] == "erm"]
    assert errors == sorted(errors, key=lambda error: error or 0.0)


def test_a_row_that_starts_from_a_winner_waits_for_it_and_keeps_it() -> None:
    """What the first row proposes further changes nothing for those that start from its grid."""
    staged = ROWS.with_experiment(
        stages=(
            Stage("rate", {"method": "erm"}, grid={"optimizer.lr": (0.01, 0.1)}, seeds=2),
            Stage(
                "rho",
                {"method": "sam"},
                grid={"method.rho": (0.05, 0.5)},
                seeds=2,
                after="rate",
                match=(),
                inherit=("optimizer.lr",),
            ),
        )
    )
    made = MadeUp(valley, slots=64)
    planned, record, _ = searched(made, Budget(5), staged)
    rates = {t.config.optimizer.lr for t in planned.trials if t.config.method.name == "sam"}
    assert rates == {0.01}  # of the grid the nearer to 0.03, as a factor
    assert len({t.config.optimizer.lr for t in planned.trials}) == 5
    assert planned.missing(record) == []
    halved = MadeUp(valley, slots=64)
    _, record, _ = searched(halved, Budget(5, eta=3), staged)
    before = planned.stages[0].trials
    assert {record.status(t.trial_id) for t in before} == {"done"}  # others start from their winner


def test_where_chooses_rows_and_their_trials_are_those_of_a_search_of_all() -> None:
    whole, one = MadeUp(valley), MadeUp(valley)
    searched(whole, Budget(6))
    planned, record, _ = searched(one, Budget(6), where={"method": "sam"})
    assert [cell.key["method"] for cell in planned.cells] == ["sam"]
    assert one.runs.keys() < whole.runs.keys()
    assert len(one.runs) == 6 * 2
    assert planned.missing(record) == []


@pytest.mark.parametrize("eta", [0, 3])
def test_it_is_the_same_search_on_any_number_of_slots_in_any_order_and_after_any_death(
    eta: int,
) -> None:
    budget = Budget(8, at_once=4, eta=eta)
    alone = MadeUp(valley)
    planned, record, _ = searched(alone, budget)
    expected = points(planned, "erm"), points(planned, "sam")

    def compare(made: MadeUp) -> None:
        again, known, _ = searched(made, budget)
        assert (points(again, "erm"), points(again, "sam")) == expected
        assert {t: (run.status, run.metrics) for t, run in made.runs.items()} == {
            t: (run.status, run.metrics) for t, run in alone.runs.items()
        }
        assert known.trial_ids
        assert len(made.trained) == len(set(made.trained))

    compare(MadeUp(valley, slots=64))
    for seed in range(2):
        compare(MadeUp(valley, slots=5, draws=Random(seed)))
    for after in range(0, len(alone.trained), 7):
        made = MadeUp(valley, slots=2)
        with dying(made, after):
            searched(made, budget)
        compare(made)
        assert len(made.trained) == len(alone.trained)
    trained = len(alone.trained)
    compare(alone)
    assert len(alone.trained) == trained  # the same command again trains nothing
    assert len(record) == len(alone.runs)


def test_a_training_of_two_epochs_has_one_rung_before_its_end() -> None:
    """Not as many as its points could be halved."""
    short = ROWS.with_experiment(base={**ROWS.experiment.base, "epochs": 2})
    made = MadeUp(valley)
    searched(made, Budget(6, eta=2), short)
    # Of each row six points of two seeds, of which half go on.
    assert Counter(until for _, until in made.trained) == {1: 24, 2: 12}


def test_halving_stops_the_worse_points_at_a_rung_and_trains_the_best_to_the_end() -> None:
    """Sixteen points, five at epoch 1 of 9, one at epoch 3."""
    grid = {"optimizer.lr": (0.01, 0.02, 0.03, 0.1), "method.rho": (0.01, 0.02, 0.03, 0.05)}
    wide = ROWS.with_experiment(stages=(Stage("grid", grid=grid, seeds=2),)).with_experiment(
        cells=ROWS.experiment.cells[1:]
    )
    made = MadeUp(valley)
    planned, record, _ = searched(made, Budget(16, eta=3), wide)
    assert points(planned, "sam") == [{"optimizer.lr": 0.03, "method.rho": 0.03}]
    lasted = sorted(run.metrics["epochs_run"] for run in made.runs.values())
    assert lasted == [1] * 22 + [3] * 8 + [9] * 2
    assert ends(record) == {"pruned": 30, "done": 2}
    assert [until for _, until in made.trained] == [1] * 32 + [3] * 10 + [9] * 2


def test_of_equal_points_the_first_go_on() -> None:
    def flat(trial: PlannedTrial) -> list[float]:
        return [0.5] * trial.config.epochs

    planned, _, _ = searched(MadeUp(flat, draws=Random(1)), Budget(6, eta=3))
    assert points(planned, "erm")[0] == {"optimizer.lr": 0.01}
    assert points(planned, "sam") == [{"optimizer.lr": 0.01, "method.rho": 0.01}]


def test_a_trial_that_was_trained_to_the_end_before_is_stopped_where_others_would_be() -> None:
    """What its curve says after the rung is not looked at."""

    def late(trial: PlannedTrial) -> list[float]:
        error = 0.1 if trial.config.optimizer.lr == 0.1 else 0.5
        return [1 - error] * 4 + [error] * 5

    fresh, known = MadeUp(late), MadeUp(late)
    searched(known, Budget(2))  # the grid of one, and its best is the one with the late fall
    first, _, _ = searched(fresh, Budget(2, eta=2))
    again, record, _ = searched(known, Budget(2, eta=2))
    assert points(again, "erm") == points(first, "erm") == [{"optimizer.lr": 0.01}]
    assert "pruned" not in ends(record)


def test_a_point_that_diverges_counts_as_infinitely_bad_at_a_rung_and_at_the_end() -> None:
    def far(trial: PlannedTrial) -> list[float]:
        return [*valley(trial)] if trial.config.optimizer.lr < 0.05 else [0.0, math.nan]

    made = MadeUp(far)
    planned, record, _ = searched(made, Budget(2, eta=2), where={"method": "erm"})
    assert points(planned, "erm") == [{"optimizer.lr": 0.01}]
    assert ends(record) == {"diverged": 2, "done": 2}
    planned, _, _ = searched(MadeUp(far), Budget(2), where={"method": "erm"})
    assert points(planned, "erm") == [{"optimizer.lr": 0.01}, {"optimizer.lr": 0.1}]


@pytest.mark.parametrize("eta", [0, 2])
def test_nothing_is_proposed_or_stopped_in_a_row_beside_a_failed_trial(eta: int) -> None:
    """Its number would make the proposals others, and those trained meanwhile be for nothing."""
    whole = MadeUp(valley)
    expected, _, _ = searched(whole, Budget(6, eta=eta))
    made = MadeUp(valley)
    made.fails = {whole.trained[0][0]}
    planned, record, witness = searched(made, Budget(6, eta=eta))
    assert len(points(planned, "erm")) == 2
    assert witness.sentences == ["4 further points wait for the trials that failed"]
    assert (
        "searched: 4 more points wait for the trials that failed" in planned.artifact.notes.changes
    )
    assert points(planned, "sam") == points(expected, "sam")
    assert len(planned.missing(record)) >= 1
    made.fails = set()
    planned, record, witness = searched(made, Budget(6, eta=eta))
    assert points(planned, "erm") == points(expected, "erm")
    assert witness.sentences == []


def test_a_trial_of_two_rows_goes_as_far_as_one_of_them_needs_it() -> None:
    """Rows of equal settings try the same trials, with other rivals."""
    cells = tuple(
        Cell({"method": "erm", "row": row}, {"method": {"name": "erm"}}) for row in ("a", "b")
    )
    two = ROWS.with_experiment(
        cells=cells,
        stages=(
            Stage("a", {"row": "a"}, grid={"optimizer.lr": (0.01, 0.03)}, seeds=1),
            Stage("b", {"row": "b"}, grid={"optimizer.lr": (0.01, 0.1)}, seeds=1),
        ),
    ).with_view(rows=("method", "row"))
    made = MadeUp(valley)
    planned, record, _ = searched(made, Budget(2, eta=2), two)
    assert points(planned, "erm/a") == [{"optimizer.lr": 0.03}]
    assert points(planned, "erm/b") == [{"optimizer.lr": 0.01}]
    rates = {made.runs[t].settings["optimizer.lr"]: record.status(t) for t in made.runs}
    assert rates == {"0.01": "done", "0.03": "done", "0.1": "pruned"}
    shared = [t for t in made.runs if made.runs[t].settings["optimizer.lr"] == "0.01"]
    assert [m.stage for m in record.memberships(shared[0])] == ["search:erm/a", "search:erm/b"]


@pytest.mark.parametrize(
    ("artifact", "where", "sentence"),
    [
        (ROWS, {"method": "nso"}, "unknown method of test/tiny:search 'nso'; known: erm, sam"),
        (ROWS, {"colour": "red"}, "unknown label of test/tiny:search 'colour'; known: method"),
        (TINY, {"method": "erm"}, "test/tiny has no grid to search there at preset smoke"),
        (
            TINY.with_experiment(
                stages=(Stage("a", settings=({"optimizer.lr": 0.1}, {"optimizer.lr": 0.2})),)
            ),
            {},
            r"test/tiny tries settings that go together there \(erm, points\)",
        ),
        (
            ROWS.with_experiment(
                base={**ROWS.experiment.base, "loss": "mse", "data.source": "matrix_sensing"}
            ),
            {},
            "test/tiny has no validation_error to select on, its loss is mse",
        ),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_runs(
    artifact: Artifact, where: dict[str, str], sentence: str
) -> None:
    made = MadeUp(valley)
    with pytest.raises(UsageError, match=sentence):
        searched(made, Budget(4), artifact, where)
    assert made.trained == []


# -- of real trials --------------------------------------------------------------------------------

TUNED = TINY.with_experiment(
    base={**TINY.experiment.base, "epochs": 4, "data.validation": 40},
    stages=(Stage("train", grid={"optimizer.lr": (1e-4, 0.1)}, seeds=1),),
)


class Dying:
    """An executor whose driver is gone after so many reports of its trials."""

    local = in_process = True

    def __init__(self, after: int) -> None:
        self._executor, self._left = SerialExecutor(), count(after, -1)
        self.refuse, self.start = self._executor.refuse, self._executor.start
        self.max_concurrent = self._executor.max_concurrent

    def run(self, jobs: Any, recorder: Any) -> None:
        told = recorder.reported

        def reported(report: Any) -> None:
            if next(self._left) <= 0:
                raise KilledError
            told(report)

        recorder.reported = reported
        self._executor.run(jobs, recorder)


def really(
    folder: Path, budget: Budget, executor: Executor | None = None
) -> tuple[Plan, Record, Witness]:
    storage, witness = str(folder / "results"), Witness()
    found = search(
        Sweep(TUNED, "smoke", RULE, storage, {"device": "cpu"}),
        budget=budget,
        tracker=Tracker(default_uri(storage)),
        observer=witness,
        executor=executor or SerialExecutor(),
    )
    return *found, witness


def numbers(record: Record) -> dict[str, tuple[str, float | None]]:
    return {t: (record.status(t), record.value(t, "validation_error")) for t in record.trial_ids}


def test_trials_that_are_stopped_and_go_on_have_the_numbers_of_those_that_never_were(
    tmp_path: Path,
) -> None:
    whole, known, witness = really(tmp_path / "whole", Budget(3, at_once=2))
    assert witness.waves == [4, 2]
    assert [len(points(whole, row)) for row in ("erm", "sam")] == [3, 3]
    _, _, witness = really(tmp_path / "whole", Budget(3, at_once=2))
    assert witness.waves == []
    halved, record, witness = really(tmp_path / "halved", Budget(3, at_once=2, eta=2))
    assert witness.waves == [4, 2, 2]  # two points a row to epoch 2, the better one to the end
    assert ends(record) == {"pruned": 2, "done": 4}
    assert set(witness.outcomes.values()) == {"pruned", "done"}
    for trial in halved.trials:
        for name in ("validation_error", "test_nll", "train_nll", "gradient_evaluations"):
            if trial.trial_id in known.trial_ids:
                assert record.value(trial.trial_id, name) == known.value(trial.trial_id, name)
                curves = (each.curve(trial.trial_id, name) for each in (record, known))
                assert len({*map(repr, curves)}) == 1  # NaN where an epoch has no such number
    stopped = {t for t in record.trial_ids if record.status(t) == "pruned"}
    for name in stopped:
        assert record.value(name, "epochs_run") == 2
        whole_curve = known.curve(name, "validation_error")
        assert record.curve(name, "validation_error") == whole_curve[:2]
    storage = Storage(str(tmp_path / "halved" / "results"))
    assert trials_with(storage, PRUNED) == stopped
    assert trials_with(storage, CHECKPOINT) == set()  # the search has ended
    assert trials_with(storage, RESULT) == set(record.trial_ids) - stopped


@pytest.mark.parametrize("after", [5, 11])
def test_a_real_search_that_dies_and_is_repeated_proposes_no_point_twice(
    tmp_path: Path, after: int
) -> None:
    budget = Budget(3, at_once=1, eta=2)
    planned, record, _ = really(tmp_path / "undisturbed", budget)
    with pytest.raises(KilledError):
        really(tmp_path / "dies", budget, Dying(after))
    storage = Storage(str(tmp_path / "dies" / "results"))
    again, known, _ = really(tmp_path / "dies", budget)
    for row in ("erm", "sam"):
        assert points(again, row) == points(planned, row)
    assert numbers(known) == numbers(record)
    assert trials_with(storage, PRUNED) == {
        t for t, (s, _) in numbers(record).items() if s == "pruned"
    }


def test_a_pruned_trial_keeps_its_checkpoint_until_the_search_ends(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        really(tmp_path, Budget(3, at_once=1, eta=2), Dying(13))
    storage = Storage(str(tmp_path / "results"))
    record = Tracker(default_uri(storage.root)).load()
    stopped = {t for t in record.trial_ids if record.status(t) == "pruned"}
    assert stopped
    assert trials_with(storage, CHECKPOINT) >= stopped


def test_runs_of_pruned_trials_are_killed_in_mlflow_and_are_of_no_table(tmp_path: Path) -> None:
    _, record, _ = really(tmp_path, Budget(2, eta=2))
    tracker = Tracker(default_uri(str(tmp_path / "results")))
    runs = {r.data.tags["trial_id"]: r for r in tracker.search("tags.trial_id != ''")}
    assert len(runs) == 4
    for name, run in runs.items():
        pruned = record.status(name) == "pruned"
        assert run.info.status == ("KILLED" if pruned else "FINISHED")
        assert run.data.tags["outcome"] == ("pruned" if pruned else "done")
    grid = Sweep(TUNED, "smoke", RULE).plan(record)
    for result in aggregate.cells(grid, record):
        assert (result.points, result.searched) == (2, 1)
    assert len(grid.missing(record)) == 2
    table = render(table_of(grid, record, all_points=True), "terminal", width=200, color=False)
    assert table.count("(0/1, 1 pruned)") == 2
    storage = Storage(str(tmp_path / "results"))
    assert Sync(tracker, storage).differences() == []  # that they have no result is no difference
    assert [*garbage.find(storage, set(record.trial_ids))] == []
