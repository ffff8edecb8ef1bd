"""What a plan says it will cost: exact arithmetic on made-up records and made-up clocks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from search_spaces.spec import Artifact, Cell, Stage, StepTime, StepTimes
from sweep.aggregate import SELECTIONS
from sweep.plan import budget
from sweep.plan.cost import (
    CostEstimate,
    EpochCost,
    UntimedError,
    estimate,
    estimate_all,
    timed_here,
)
from sweep.plan.expand import Plan, PlannedTrial, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from tests.sweep.cases import TINY
from trainables.train import Execution, Trial

EMPTY = Record.from_runs([])
STAGED = TINY.with_experiment(
    stages=(
        Stage("erm", {"method": "erm"}, grid={"optimizer.lr": (0.1, 0.2)}, seeds=2),
        Stage("sam", {"method": "sam"}, seeds=2, after="erm", match=(), inherit=("optimizer.lr",)),
    )
)


def planned(artifact: Artifact = TINY, record: Record = EMPTY) -> Plan:
    return plan(artifact, "smoke", SELECTIONS["paper"], record)


def done(trial: PlannedTrial, seconds: float, parameters: int = 1000) -> Run:
    numbers = {"training_seconds": seconds, "epochs_run": 2, "parameters": parameters}
    return Run(trial.trial_id, "done", {"test_error": 0.5, **numbers})


@pytest.mark.parametrize(
    ("recorded", "hours"),
    [((0, 1), (24 + 24) * 2 / 3600), ((2, 3), (12 + 12) / 3600)],
    ids=["erm", "sam"],
)
def test_hours_follow_from_recorded_trials_in_proportion_to_gradients(
    recorded: tuple[int, int], hours: float
) -> None:
    """Two of a method took 20 s and 28 s; the other's two need twice the gradients, or half."""
    trials = planned().trials
    assert [t.config.method.name for t in trials] == ["erm", "erm", "sam", "sam"]
    first, second = recorded
    record = Record.from_runs([done(trials[first], 20.0), done(trials[second], 28.0)])
    found = estimate(planned(record=record), record)
    assert found.device_hours == round(hours, 4)
    assert (found.from_trials, found.timed, found.unknown_trials) == (2, 0, 0)
    assert found.weight_megabytes == round(2 * 4 * 1000 / 1e6, 1)
    assert found.result_megabytes == 0.2


def test_hours_follow_from_measured_step_times_where_the_artifact_has_them() -> None:
    """SAM declares two gradients; its step was measured to take as long as 1.5 of ERM."""
    one, *_ = (t.config for t in planned().trials if t.config.method.name == "sam")
    step = StepTime(one.method.naming("methods"), 1.5, (1.4, 1.6))
    timed = TINY.with_experiment(
        step_times=(StepTimes(budget.setting(one), "", "", "", "", (step,)),)
    )
    found = estimate(planned(timed), EMPTY, lambda trial: EpochCost(10.0, 5))
    assert found.device_hours == round((2 * 2 * 10 + 2 * 2 * 1.5 * 10) / 3600, 4)
    trials = planned(timed).trials
    record = Record.from_runs([done(t, 30.0) for t in trials if t.config.method.name == "sam"])
    assert estimate(planned(timed, record), record).device_hours == round(2 * 20 / 3600, 4)


def test_trials_that_wait_for_a_winner_are_counted() -> None:
    """Four of 1 gradient and two of 2, two epochs each, 10 s a gradient and epoch."""
    assert [stage.pending for stage in planned(STAGED).stages] == [0, 2]
    found = estimate(planned(STAGED), EMPTY, lambda trial: EpochCost(10.0, 5))
    assert found.device_hours == round((4 * 2 * 10 + 2 * 2 * 2 * 10) / 3600, 4)
    assert (found.timed, found.unknown_trials) == (1, 0)


def test_each_network_and_data_set_is_timed_once_and_recorded_ones_never() -> None:
    other = Cell({"method": "other"}, {"model": {"name": "resnet_tiny"}})
    subset = Cell({"method": "subset"}, {"data.subset": 100})
    batch = Cell({"method": "batch"}, {"batch_size": 32})
    mixed = planned(TINY.with_experiment(cells=(*TINY.experiment.cells, other, subset, batch)))
    record = Record.from_runs([done(mixed.trials[0], 20.0)])
    asked: list[str] = []

    def time(trial: PlannedTrial) -> EpochCost:
        asked.append(trial.cell.key["method"])
        return EpochCost(1.0, 5)

    found = estimate(mixed, record, time)
    assert asked == ["other", "subset", "batch"]
    assert (found.from_trials, found.timed, found.unknown_trials) == (1, 3, 0)


def test_a_network_without_its_data_is_left_out_and_said_once() -> None:
    def time(trial: PlannedTrial) -> EpochCost:
        raise UntimedError("data set 'x' is missing")

    found = estimate(planned(), EMPTY, time)
    assert (found.device_hours, found.unknown_trials) == (0.0, 4)
    assert found.lines() == [
        "disk: about 0 MB of results",
        "time: unknown until trials are recorded",
        "data set 'x' is missing",
    ]


def test_what_a_person_reads() -> None:
    known = CostEstimate(1.5, 3.0, 7.0, from_trials=2, timed=1, unknown_trials=4)
    assert known.lines() == [
        "disk: about 3 MB of results, 7 MB more with --keep-weights",
        "time: about 1.50 device hours left, from 2 recorded trials and a few steps of 1 networks, "
        "timed here, not counting 4 trials of other networks; "
        "--time times a few steps of each network",
    ]


def test_a_price_is_that_of_the_hours_and_known_where_these_are() -> None:
    trials = planned().trials
    record = Record.from_runs([done(trials[0], 1800.0)])
    found = estimate(planned(record=record), record, price=2.5)
    # One more of ERM, and two of SAM at twice its gradients: 5 x 1800 s.
    assert (found.device_hours, found.price) == (2.5, 6.25)
    assert "price: about 6.25, where each trial has one GPU to itself" in found.lines()
    assert found.as_dict()["price"] == 6.25
    unknown = estimate(planned(), EMPTY, price=2.5)
    assert "price: unknown as the time is" in unknown.lines()
    assert not [line for line in estimate(planned(), EMPTY).lines() if "price" in line]


def test_a_trial_of_several_plans_costs_once() -> None:
    trials = planned().trials
    record = Record.from_runs([done(trials[0], 1800.0)])
    plans = [planned(record=record)] * 2
    assert estimate_all(plans, record) == estimate(plans[0], record)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps that train nothing and take 9 s the first time, 2 s ever after; their numbers."""
    now, steps = [100.0], list[int]()

    def step(self: Trial, number: int, *batch: object) -> None:
        now[0] += 2.0 if steps else 9.0
        steps.append(number)

    monkeypatch.setattr(Trial, "_step", step)
    monkeypatch.setattr("trainables.train.time.perf_counter", lambda: now[0])
    return steps


@pytest.mark.parametrize(("at_least", "steps"), [(0.0, 2), (1.0, 2), (7.0, 5)])
def test_the_first_step_is_not_counted(clock: list[int], at_least: float, steps: int) -> None:
    trial = Trial(planned().trials[0].config, Execution(device="cpu"))
    assert trial.time_step(at_least) == 2.0
    assert clock == list(range(steps))


def test_a_cost_is_of_plain_gradients_and_an_epoch(clock: list[int]) -> None:
    """200 digits in batches of 64 are 4 steps an epoch, or 3 that are full."""
    sam = planned().trials[2]
    said: list[str] = []
    cost = timed_here(sam, notify=said.append)
    trial = Trial(sam.config, Execution(device="cpu"))
    assert cost.seconds == 2.0 * len(trial.batches)
    assert cost.parameters == sum(p.numel() for p in trial.model.parameters())
    assert len(said) == 1
    assert "2000.0 ms a step of 64" in said[0]


def test_data_that_is_missing_is_said(tmp_path: Path) -> None:
    trial = planned(
        TINY.with_experiment(base={**TINY.experiment.base, "data.source": "cifar10"})
    ).trials[0]
    with pytest.raises(UntimedError, match="'cifar10' is missing"):
        timed_here(trial, data=tmp_path)


def test_a_network_that_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Trial) -> float:
        raise torch.OutOfMemoryError("of 139 GiB")

    monkeypatch.setattr(Trial, "time_step", full)
    with pytest.raises(UntimedError, match="mlp_tiny with batches of 64 does not fit here"):
        timed_here(planned().trials[0])
