"""What is done once per trial is not done once per pair of trials: calls are counted, no time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Measure,
    Metric,
    Notes,
    Stage,
    TableView,
)
from sweep import aggregate
from sweep.aggregate import SELECTIONS
from sweep.plan import expand
from sweep.plan.cost import estimate
from sweep.plan.expand import Plan, PlannedTrial, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.run.limits import expected_cost
from trainables import methods
from trainables.config import TrialConfig
from trainables.methods.rules.erm import ERM

EMPTY = Record.from_runs([])


def study(rows: int) -> Artifact:
    """Two stages: in each row three learning rates are tried, and the best is measured."""
    return Artifact(
        id="test/study",
        view=TableView(rows=("row",), metrics=(Metric("test_error", "error %"),)),
        notes=Notes(title="a study"),
        experiment=Experiment(
            base={"epochs": 3, "method": {"name": "infomcr", "start": 0.437}},
            cells=tuple(
                Cell({"row": f"{i}"}, {"optimizer.weight_decay": 1e-6 * i}) for i in range(rows)
            ),
            stages=(
                Stage("search", grid={"optimizer.lr": (0.1, 0.2, 0.3)}, seeds=2),
                Stage(
                    "final",
                    after="search",
                    inherit=("optimizer.lr",),
                    seeds=2,
                    fields={"epochs": 4},
                ),
            ),
            measures=(Measure("weight_norm"), Measure("sharpness")),
        ),
    )


def planned(rows: int, record: Record = EMPTY) -> Plan:
    return plan(study(rows), "paper", SELECTIONS["paper"], record)


def recorded(trials: list[PlannedTrial], *measured: str) -> Record:
    metrics = {"test_error": 0.1, "epochs_run": 3.0, "training_seconds": 2.0}
    numbers = metrics | dict.fromkeys(measured, 1.0)
    return Record.from_runs(Run(trial.trial_id, "done", numbers) for trial in trials)


def whole(rows: int, *measured: str) -> tuple[Plan, Record]:
    """The plan whose winners are known, and its record."""
    searched = recorded(planned(rows).trials)
    trials = planned(rows, searched).trials
    return planned(rows, searched), recorded(trials, *measured)


class Looks:
    """Counts calls of what it stands for."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            return real(*arguments, **options)

        self.count = 0
        patch.setattr(owner, name, counted)


def test_a_cell_finds_the_trials_it_starts_from_without_a_look_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = Looks(monkeypatch, expand, "_entries")
    made = planned(40)
    assert looks.count == 40 * 6 + 2 * 40  # trials of the search, and cells of both stages
    for trial in made.stages[1].expected:
        own = {t.trial_id for t in made.stages[0].trials if t.cell is trial.cell}
        assert trial.awaits == own


def test_labels_that_are_not_matched_and_absent_ones_are_as_before() -> None:
    first, last = study(3).experiment.stages
    match_all = study(3).with_experiment(stages=(first, replace(last, match=("absent",))))
    made = plan(match_all, "paper", SELECTIONS["paper"], EMPTY)
    every = {trial.trial_id for trial in made.stages[0].trials}
    assert {trial.awaits for trial in made.stages[1].expected} == {frozenset(every)}


class Seeded(ERM):
    """A method that has a seed of its own."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()


def test_ids_of_seeds_are_those_of_whole_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods.registry._parts, "seeded", Seeded)
    monkeypatch.setitem(methods.registry._added, "seeded", {})
    method = {"name": "seeded", "seed": 13}
    config = TrialConfig(seed=13, data={"split_seed": 13}, method=method)
    assert config.canonical.count('"seed":13') == 2
    seeds = (0, 7, 120)
    for seed, name in zip(seeds, config.ids_with_seeds(seeds), strict=True):
        copied = config.with_seed(seed)
        assert copied == TrialConfig(**config.model_dump() | {"seed": seed})
        assert (
            copied.trial_id == TrialConfig(**config.model_dump() | {"seed": seed}).trial_id == name
        )


@pytest.mark.parametrize("rows", [5, 50])
def test_what_is_missing_asks_the_record_once_per_measure_and_name(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    made, record = whole(rows, "weight_norm", "sharpness@1/mean", "sharpness/rho")
    looks = [Looks(monkeypatch, Record, name) for name in ("_find", "metric_names")]
    assert made.missing(record) == []
    assert [look.count for look in looks] == [3, 1]
    lacking = made.missing(recorded(made.trials, "weight_norm"))
    assert lacking == [trial for trial in made.trials if trial.stage == "final"]


def test_nan_counts_as_measured() -> None:
    made, record = whole(2, "weight_norm", "sharpness")
    runs = [
        replace(run, metrics={**run.metrics, "sharpness": float("nan")}) for run in record.runs()
    ]
    assert made.missing(Record.from_runs(runs)) == []


def test_a_cell_that_waits_is_told_so_without_a_look_at_all_that_wait() -> None:
    class Counted(tuple[Any, ...]):
        looks = 0

        def __iter__(self) -> Iterator[Any]:
            Counted.looks += 1
            return super().__iter__()

    made = planned(30)
    first, last = made.stages
    made = replace(made, stages=(first, replace(last, expected=Counted(last.expected))))
    found = aggregate.cells(made, EMPTY)
    assert {cell.waits for cell in found} == {"waits for stage search"}
    assert Counted.looks == 1


def test_the_cost_of_a_step_is_simulated_once_for_equal_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, record = whole(20)
    built = Looks(monkeypatch, methods, "build")
    costs = {trial.stage: expected_cost(trial) for trial in made.trials}
    assert built.count == 2  # those of 3 epochs, and those of 4
    assert estimate(made, record).from_trials == len(made.trials) == 20 * 8
    assert built.count == 2
    assert costs.keys() == {"search", "final"}
