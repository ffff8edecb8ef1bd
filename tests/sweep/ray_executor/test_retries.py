"""Which trials are started again, and where: by cause, on a cluster of two nodes, without a GPU."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import cloudpickle
from ray.tune.schedulers import FIFOScheduler

from search_spaces.spec import Cell, Stage
from sweep.ray_executor import RayExecutor
from sweep.ray_executor.driver import Events
from sweep.ray_executor.retries import Retries, RetryScheduler, cause_of_death
from tests.nodes import Nodes
from tests.sweep.cases import TINY, sweep
from tests.sweep.ray_executor.failing import CODE, DEAD, DEVICE, MEMORY, SICK, STUBBORN
from trainables.causes import TRIES_AGAIN, Cause
from trainables.config import TrialConfig
from trainables.job import Job
from trainables.tune import JOB, reservation

FAILING = TINY.with_experiment(cells=(Cell({"method": "erm"}),), stages=(Stage("train", seeds=7),))


@pytest.mark.ray
def test_each_cause_has_its_own_way(tmp_path: Path) -> None:
    """The device of one node fails in every trial that it gets of `SICK`.

    Such a trial is tried on the other node, in another process; after two, the node is left out and
    named. One whose device fails wherever it runs, and an error of the code, are the trial's own.
    """
    with Nodes(cpus=0) as nodes:
        nodes.join(cpus=2)
        nodes.join(cpus=2)
        by = RayExecutor(nodes.address, trainable="tests.sweep.ray_executor.failing:Failing")
        plan, record, witness = sweep(FAILING, tmp_path, by)
    starts: dict[int, list[list[str]]] = {}
    for file in sorted((tmp_path / "results" / "starts").glob("*-*")):
        starts.setdefault(int(file.name.partition("-")[0]), []).append(file.read_text().split())
    ended = {trial.seed: record.status(trial.trial_id) for trial in plan.trials}
    errors = {trial.seed: record.error(trial.trial_id) for trial in plan.trials}
    done = {*SICK, MEMORY, DEAD}
    assert ended == {seed: "done" if seed in done else "failed" for seed in range(7)}
    assert len(starts[CODE]) == 1
    assert errors[CODE] == "ValueError: of the code"
    assert [cpus for _, _, cpus, _ in starts[MEMORY]] == [
        "1",
        "2",
    ]  # the second time, all of a node
    assert len(starts[DEAD]) == 3
    assert len(starts[STUBBORN]) == 2
    assert "illegal memory access" in errors[STUBBORN]
    for again in (starts[STUBBORN], *(starts[seed] for seed in SICK if len(starts[seed]) > 1)):
        (first, *_), (second, *_) = again
        assert first != second
    # A process in which the device failed has trained nothing afterwards.
    every = sorted(
        (float(when), process) for again in starts.values() for _, process, _, when in again
    )
    for again in (starts[STUBBORN], *(starts[seed] for seed in SICK if len(starts[seed]) > 1)):
        _, process, _, when = again[0]
        assert [p for t, p in every if t > float(when)].count(process) == 0
    said = Counter(sentence.partition(" (")[0] for sentence in witness.sentences)
    names = {trial.seed: trial.name for trial in plan.trials}
    assert said[f"{names[DEAD]}: its process died; it is tried again from its checkpoint"] == 2
    assert said[f"{names[MEMORY]}: it ran out of memory"] == 1
    sick = (tmp_path / "results" / "starts" / "sick").read_text()
    failed_there = [seed for seed in (*SICK, STUBBORN) if starts[seed][0][0] == sick]
    left_out = [s for s in witness.sentences if "is left out from now on" in s]
    assert len(failed_there) >= 1
    assert bool(left_out) == (len(failed_there) >= 2)


def scheduler_of(retries: Retries) -> RetryScheduler:
    return RetryScheduler(Events(os.dup(2)), retries)


class Trial(SimpleNamespace):
    """As Tune's, as far as it is asked."""

    def update_resources(self, resources: Any) -> None:
        self.placed = resources

    def get_pickled_error(self) -> Exception | None:
        return self.error

    def should_recover(self) -> bool:
        return self.max_failures < 0 or self.run_metadata.num_failures <= self.max_failures


def failing_trial(error: Exception) -> Trial:
    return Trial(
        config={JOB: Job.of(TrialConfig()).to_json()}, error=error, max_failures=2,
        run_metadata=SimpleNamespace(num_failures=0),
    )  # fmt: skip


DEATHS = [
    (ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory."),
     "memory"),
    (ray.exceptions.NodeDiedError("gone"), "node"),
    (ray.exceptions.ActorDiedError(), "process"),
    (ray.exceptions.WorkerCrashedError(), "process"),
    (RuntimeError("the workers' controller died"), "process"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "cause"), DEATHS)
def test_a_trial_is_started_again_as_often_as_its_cause_allows(
    error: Exception, cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = {"NodeID": "a", "Alive": True, "Resources": {"CPU": 8.0}}
    monkeypatch.setattr(ray, "nodes", lambda: [node])
    assert cause_of_death(error)[0] == cause
    retries, trial = Retries(lambda _: None), failing_trial(error)
    scheduler = scheduler_of(retries)
    starts = 1
    while True:
        trial.run_metadata.num_failures += 1  # as Tune does before it asks
        if not trial.should_recover():
            break
        scheduler.on_trial_error(None, trial)
        starts += 1
        assert retries.reason(Job.from_json(trial.config[JOB]).trial_id)
    assert starts == 1 + TRIES_AGAIN[cause]
    assert retries.last(trial).endswith(f"it was started {starts} times")
    bundles = trial.placed.bundles
    assert bundles == [{"CPU": 8.0 if cause == "memory" else 1.0}]


def test_one_preempted_is_not_started_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune does not count these."""
    error = ray.exceptions.ActorDiedError()
    monkeypatch.setattr(type(error), "preempted", True)
    monkeypatch.setattr(ray, "nodes", list)
    retries, trial, starts = Retries(lambda _: None), failing_trial(error), 1
    scheduler = scheduler_of(retries)
    while trial.should_recover() and starts < 100:
        starts += 1
        scheduler.on_trial_error(None, trial)
    assert starts == 1 + TRIES_AGAIN["preemption"]


def test_what_tune_writes_to_a_file_or_sends_has_no_driver_in_it() -> None:
    retries = Retries(lambda _: None)
    assert cloudpickle.loads(cloudpickle.dumps(retries)) is reservation
    assert type(cloudpickle.loads(cloudpickle.dumps(scheduler_of(retries)))) is FIFOScheduler


def test_a_node_that_is_the_only_one_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"NodeID": "a", "NodeManagerAddress": "h", "Alive": True, "Resources": {"CPU": 8.0}}
    monkeypatch.setattr(ray, "nodes", lambda: [node])
    said: list[str] = []
    retries = Retries(said.append)
    for trial_id in "xyz":
        retries._blame("a", trial_id)
    assert retries.left_out == set()
    assert said[0] == "node h is the only one, and its device failed in 2 trials: see to its GPU"


def test_a_node_is_used_again_when_its_trials_fail_elsewhere_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [
        {"NodeID": name, "NodeManagerAddress": f"h{name}", "Alive": True, "Resources": {"CPU": 8.0}}
        for name in "ab"
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    said: list[str] = []
    retries, config = Retries(said.append), {JOB: Job.of(TrialConfig()).to_json()}
    retries._blame("a", "x")
    assert retries(config) == reservation(config)
    assert retries.placed(config, {"a"})._kwargs["bundle_label_selector"] == [
        {"ray.io/node-id": "!in(a)"}
    ]
    retries._blame("a", "y")
    assert retries(config)._kwargs["bundle_label_selector"] == [{"ray.io/node-id": "!in(a)"}]
    retries.absolve("x")
    assert retries(config) == reservation(config)
    assert said == [
        "node ha is left out from now on: its device failed in 2 trials",
        "node ha is used again: the trial was at fault",
    ]
    assert DEVICE in SICK
