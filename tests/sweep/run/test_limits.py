"""How far one command goes, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from search_spaces.spec import Cell, Stage
from sweep.cli.options import OrderName
from sweep.plan.expand import Plan
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.run.executor import Executor
from sweep.run.limits import Limits, Order, ordered
from sweep.run.loop import Sweep, run
from sweep.run.serial import SerialExecutor
from sweep.selection import selection
from tests.sweep.cases import TINY, Witness
from tests.sweep.files.cases import artifact, planned

UNEVEN = """\
name: x
base: {model: mlp_tiny, method: erm}
points: [{epochs: 1}, {epochs: 5}, {epochs: 2}]
seeds: 3
"""


def sweep(
    folder: Path, limits: Limits | None, executor: Executor | None = None, made: Any = TINY
) -> tuple[Plan, Record, Witness]:
    storage, witness = str(folder / "results"), Witness()
    plan, record = run(
        Sweep(made, "smoke", selection("paper"), storage, {"device": "cpu"}),
        tracker=Tracker(default_uri(storage)),
        observer=witness,
        executor=executor or SerialExecutor(),
        limits=limits,
    )
    return plan, record, witness


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("longest", [(5, 0), (5, 1), (5, 2), (2, 0), (2, 1), (2, 2), (1, 0), (1, 1), (1, 2)]),
        ("seeds", [(5, 0), (2, 0), (1, 0), (5, 1), (2, 1), (1, 1), (5, 2), (2, 2), (1, 2)]),
    ],
)
def test_trials_start_in_the_order_that_is_asked_for(
    order: str, expected: list[tuple[int, int]]
) -> None:
    trials = planned(artifact(UNEVEN)).trials
    found = ordered(trials, Order(order))
    assert [(t.config.epochs, t.seed) for t in found] == expected
    assert Limits(order).next(trials) == found


def test_a_random_order_is_another_each_time_and_has_every_trial() -> None:
    trials = planned(artifact(UNEVEN)).trials
    orders = [ordered(trials, Order.random) for _ in range(3)]
    # Two of three equal: at most 3 in 9! = 362,880.
    assert all(one != other for one, other in zip(orders, orders[1:] + orders[:1], strict=True))
    assert all(sorted(o, key=trials.index) == trials for o in orders)
    drawn = [ordered(trials, Order.random, Random(0)) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_the_command_has_every_order() -> None:
    assert [*map(str, OrderName)] == [*map(str, Order)]


def test_hours_are_counted_from_the_start_of_the_command() -> None:
    clock = iter([1000.0, 1000.0 + 3599, 1000.0 + 3600]).__next__
    limits = Limits(max_hours=1, clock=clock)
    assert limits.stop == ""
    assert limits.stop == "stopped after 1 hours (--max-hours)"


def test_so_many_trials_are_run_and_the_next_command_runs_the_rest(tmp_path: Path) -> None:
    plan, record, witness = sweep(tmp_path, Limits(max_trials=3))
    assert witness.waves == [3]
    assert [record.status(t.trial_id) for t in plan.trials].count("done") == 3
    assert len(plan.missing(record)) == 1
    assert witness.sentences == ["stopped after 3 trials (--max-trials)"]
    plan, record, witness = sweep(tmp_path, Limits(max_trials=3))
    assert (witness.waves, witness.sentences, plan.missing(record)) == ([1], [], [])


def test_trials_count_across_stages(tmp_path: Path) -> None:
    """The stage after has its winner, and is left all the same."""
    made = TINY.with_experiment(
        cells=TINY.experiment.cells[:1],
        stages=(
            Stage("grid", grid={"optimizer.lr": (0.1, 0.2)}, seeds=1),
            Stage("final", after="grid", inherit=("optimizer.lr",), seeds=3),
        ),
    )
    plan, record, witness = sweep(tmp_path, Limits(max_trials=2), made=made)
    assert (witness.waves, len(plan.missing(record)), plan.expected) == ([2], 2, [])
    plan, record, witness = sweep(tmp_path, Limits(max_trials=2), made=made)
    assert (witness.waves, witness.sentences, plan.missing(record)) == ([2], [], [])


@pytest.fixture(params=["serial", pytest.param("ray", marks=pytest.mark.ray)])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "serial":
        return SerialExecutor()
    found: Executor = request.getfixturevalue("by_ray")
    return found


@pytest.fixture
def clock() -> Callable[[], float]:
    """Time that stands still, at its attribute ``time``."""

    def now() -> float:
        return now.time  # type: ignore[attr-defined,no-any-return]

    now.time = 0.0  # type: ignore[attr-defined]
    return now


def test_after_its_hours_nothing_runs_and_the_next_command_goes_on(
    tmp_path: Path, executor: Executor, clock: Any
) -> None:
    long = TINY.with_experiment(
        base={**TINY.experiment.base, "epochs": 100_000}, stages=(Stage("train", seeds=1),)
    )

    class Clocked(Witness):
        def on_progress(self, trial: Any, epoch: int, epochs: int, node: str = "") -> None:
            super().on_progress(trial, epoch, epochs)
            if epoch > 1:
                clock.time = 7200.0

    storage, witness = str(tmp_path / "results"), Clocked()
    plan, record = run(
        Sweep(long, "smoke", selection("paper"), storage, {"device": "cpu"}),
        tracker=Tracker(default_uri(storage)),
        observer=witness,
        executor=executor,
        limits=Limits(max_hours=2, clock=clock),
    )
    assert len(plan.missing(record)) == 2
    assert witness.sentences[-1] == "stopped after 2 hours (--max-hours)"
    assert witness.outcomes == {}


@pytest.mark.parametrize(
    "executor",
    ["serial", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])],
    indirect=True,  # Ray stops what runs as it does after some hours, above
)
def test_the_first_failure_ends_it_if_that_is_asked_for(tmp_path: Path, executor: Executor) -> None:
    """The other one would train for hours."""
    broken = Cell({"method": "broken"}, {"batch_size": 5000, "epochs": 300_000})
    fails = TINY.with_experiment(
        base={**TINY.experiment.base, "epochs": 100_000},
        cells=(TINY.experiment.cells[0], broken),
        stages=(Stage("train", seeds=1),),
    )
    plan, record, witness = sweep(tmp_path, Limits(fail_fast=True), executor, fails)
    ends = [outcome.partition(":")[0] for outcome in witness.outcomes.values()]
    assert ends == ["failed"]
    assert witness.sentences[-1] == "stopped at the first trial that failed (--fail-fast)"
    assert len(plan.missing(record)) == 2


def test_the_longest_is_that_of_most_gradients() -> None:
    """Not of most epochs: a step of SAM takes two."""
    made = artifact(
        "name: x\nbase: {model: mlp_tiny}\nseeds: 1\n"
        "compare: {A: {method: erm, epochs: 3}, B: {method: sam, epochs: 2}}\n"
    )
    found = ordered(planned(made).trials, Order.longest)
    assert [trial.config.method.name for trial in found] == ["sam", "erm"]


@pytest.mark.parametrize("fail_fast", [True, False])
def test_a_failure_is_the_end_if_that_is_asked_for_alone(fail_fast: bool) -> None:
    one, *others = planned(artifact(UNEVEN)).trials
    limits = Limits(fail_fast=fail_fast)
    assert limits.next([one]) == [one]
    assert limits.stop == limits.reached == ""
    limits.note_failure()
    said = "stopped at the first trial that failed (--fail-fast)" if fail_fast else ""
    assert limits.stop == limits.reached == said
    assert len(limits.next(others)) == (0 if fail_fast else len(others))


def test_what_was_started_before_counts() -> None:
    trials = planned(artifact(UNEVEN)).trials
    limits = Limits(max_trials=3)
    assert [len(limits.next(some)) for some in (trials[:2], trials[2:], trials[3:])] == [2, 1, 0]
    assert limits.reached == "stopped after 3 trials (--max-trials)"
