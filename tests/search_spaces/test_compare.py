"""compare/methods: its three budgets, and the step times that one of them rests on."""

from __future__ import annotations

from functools import cache

import pytest

import search_spaces
from search_spaces import compare
from search_spaces.compare_times import STEP_TIMES
from search_spaces.spec import Artifact, StepTime
from sweep.plan import budget
from sweep.plan.expand import PlannedTrial, plan
from sweep.record.record import Record
from sweep.selection import SELECTIONS
from trainables import methods

every_preset = pytest.mark.parametrize("preset", search_spaces.PRESETS)


def first_trials(artifact: Artifact, preset: str, kind: str) -> dict[str, PlannedTrial]:
    """Method -> its first trial in the panel of budget ``kind``."""
    found = plan(artifact, preset, SELECTIONS["paper"], Record.from_runs([]))
    return {
        trial.config.method.name: trial
        for trial in found.stages[0].trials
        if trial.cell.budget == kind and trial.seed == 0
    }


@cache
def trials(preset: str, kind: str) -> dict[str, PlannedTrial]:
    """Those of compare/methods."""
    return first_trials(search_spaces.apply(compare.METHODS, preset), preset, kind)


def epochs_of(found: dict[str, PlannedTrial]) -> dict[str, int]:
    return {name: trial.config.epochs for name, trial in found.items()}


def step_times_of(preset: str) -> list[StepTime]:
    return [step for table in STEP_TIMES[preset] for step in table.steps]


def test_there_are_step_times_for_each_preset_and_no_other() -> None:
    assert sorted(STEP_TIMES) == sorted(search_spaces.PRESETS)


@every_preset
def test_step_times_are_of_exactly_what_the_preset_runs(preset: str) -> None:
    """After a change of a method's options or of a preset: ``python -m benchmarks.step_times``."""
    run = trials(preset, "time")
    assert sorted(run) == methods.names()
    by_name = sorted(step_times_of(preset), key=lambda step: str(step.method["name"]))
    assert [step.method for step in by_name] == [
        run[name].config.method.naming("methods") for name in sorted(run)
    ]
    assert all(
        table.setting == budget.setting(trial.config)
        for table in STEP_TIMES[preset]
        for trial in run.values()
    )
    for trial in run.values():
        found = budget.measured_step_time(trial.config, compare.METHODS.experiment.step_times)
        assert found is not None
        assert found[0] in STEP_TIMES[preset]


@every_preset
def test_step_times_say_where_they_are_from(preset: str) -> None:
    for table in STEP_TIMES[preset]:
        assert "cores" in table.hardware
        assert "torch" in table.versions
        assert len(table.date) == len("2026-01-01")
        assert "median" in table.how
    for step in step_times_of(preset):
        low, high = step.quartiles
        assert 0 < low <= step.ratio <= high
        if step.method["name"] == "erm":
            assert step.ratio == 1


GRADIENTS = {
    1: ("erm", "flooding", "l2_sp", "label_smoothing", "mixup", "rmp", "rpr", "wp_sgd"),
    1.7: ("infomcr",),
    2: ("adversarial", "amp", "asam", "bsam", "nrs", "nso", "rsam", "sam", "usam"),
    21: ("fa",),
}


@pytest.mark.parametrize(
    ("preset", "epochs"),
    [
        ("smoke", {1: 50, 1.7: 29, 2: 25, 21: 2}),
        ("small", {1: 6, 1.7: 4, 2: 3, 21: 1}),
        ("laptop", {1: 20, 1.7: 12, 2: 10, 21: 1}),
        ("paper", {1: 200, 1.7: 118, 2: 100, 21: 10}),
    ],
)
def test_epochs_at_equal_epochs_and_at_equal_gradients(
    preset: str, epochs: dict[float, int]
) -> None:
    divided = {name: epochs[cost] for cost, names in GRADIENTS.items() for name in names}
    assert epochs_of(trials(preset, "epochs")) == dict.fromkeys(divided, epochs[1])
    assert epochs_of(trials(preset, "gradients")) == divided


def test_a_method_that_waits_for_a_drop_of_the_rate_costs_more_from_there() -> None:
    """InfoMCR from the first milestone on: as many epochs as when it is told to start there."""
    schedule = {"schedule.name": "step", "schedule.milestones": (0.3, 0.6)}
    waiting = compare.METHODS.with_experiment(
        per_name_overrides={}, base={**compare.PROTOCOL, **schedule}
    )
    assert epochs_of(first_trials(waiting, "paper", "gradients")) == epochs_of(
        trials("paper", "gradients")
    )


@every_preset
def test_epochs_at_equal_time(preset: str) -> None:
    given = {"smoke": 50, "laptop": 20, "small": 6, "paper": 200}[preset]
    ratios = {step.method["name"]: step.ratio for step in step_times_of(preset)}
    for name, trial in trials(preset, "time").items():
        # within half an epoch of the quotient, but at least one
        assert abs(trial.config.epochs - max(1, given / ratios[name])) <= 0.5, name


def test_every_panel_shows_what_was_spent_and_says_what_was_held_equal() -> None:
    shown = {metric.name: metric for metric in compare.METRICS}
    for spent in ("gradient_evaluations", "device_seconds"):
        assert shown[spent].relative_to == {"method": "erm", "budget": "equal epochs"}
    assert compare.METHODS.view.rows == ("budget", "method")
    assert [cell.key["budget"] for cell in compare.METHODS.experiment.cells] == [
        "equal epochs",
        "equal gradients",
        "equal time",
    ]
    (held,) = (c for c in compare.METHODS.notes.choices if c.what == "what is held equal")
    assert all(
        f"'{cell.key['budget']}'" in held.interpretation
        for cell in compare.METHODS.experiment.cells
    )
