"""The callback that Ray Tune calls: the recorder's ear, of which Tune makes copies."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import cloudpickle, tune

from sweep.ray_executor.callback import RayTuneCallback
from trainables.config import TrialConfig
from trainables.job import Job, Report
from trainables.tune import JOB, REPORT


class Told:
    """A recorder and a wait notice that, like the real ones, cannot be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls: list[tuple[Any, ...]] = []
        self.any_running = True

    def started(self, trial_id: str) -> None:
        self.calls.append(("started", trial_id))

    def reported(self, report: Report) -> None:
        self.calls.append(("reported", report.trial_id, report.epoch))

    def listen_through(self) -> None:
        self.calls.append(("listen",))

    def stopped(self, trial_id: str, why: str) -> None:
        self.calls.append(("stopped", trial_id, why))

    def failed(self, trial_id: str, error: str) -> None:
        self.calls.append(("failed", trial_id, error))

    def note(self, report: Report) -> None:
        self.calls.append(("again", report.cause))

    def reason(self, trial_id: str) -> str:
        return "its node was lost"

    def last(self, trial: Any) -> str:
        return "its process died"

    def update(self, running: bool) -> None:
        self.calls.append(("running", running))


class Untouched(list[Any]):
    """Tune's list of all its trials, of which nobody may look at more than one at an event."""

    def __iter__(self) -> Any:
        raise AssertionError("a look at every trial at every event is quadratic")

    __getitem__ = __len__ = __contains__ = __iter__  # type: ignore[assignment]


def tell(callback: tune.Callback) -> str:
    """Everything that Tune tells of one trial; its id."""
    job = Job.of(TrialConfig())
    trial = SimpleNamespace(status="RUNNING", config={JOB: job.to_json()})
    about: dict[str, Any] = {"iteration": 1, "trials": Untouched([trial])}
    report = Report(job.trial_id, epoch=1, epochs=2)
    callback.setup(stop=None)
    callback.on_step_begin(**about)
    callback.on_trial_start(**about, trial=trial)
    callback.on_trial_result(**about, trial=trial, result={REPORT: report.to_json()})
    again = replace(report, outcome="failed", cause="device", retried=True)
    callback.on_trial_result(**about, trial=trial, result={REPORT: again.to_json()})
    callback.on_trial_recover(**about, trial=trial)
    callback.on_trial_error(**about, trial=trial)
    callback.on_experiment_end(trials=about["trials"])
    return job.trial_id


def test_it_passes_on_what_tune_tells_also_after_tune_has_pickled_it() -> None:
    told = Told()
    callback = RayTuneCallback(told, told, told, told)  # type: ignore[arg-type]
    copy = cloudpickle.loads(cloudpickle.dumps([callback]))[0]
    tell(copy)
    assert told.calls == []
    trial_id = tell(callback)
    assert told.calls == [
        ("listen",),
        ("running", True),
        ("started", trial_id),
        ("reported", trial_id, 1),
        ("again", "device"),
        ("stopped", trial_id, "its node was lost"),
        ("failed", trial_id, "its process died"),
    ]


def test_a_trial_that_runs_too_long_is_ended_and_is_not_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its time counts over all its processes; another one that began later has time left."""
    killed: list[Any] = []
    monkeypatch.setattr(ray, "kill", killed.append)
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    told = Told()
    callback = RayTuneCallback(told, told, told, told, trial_timeout=60)  # type: ignore[arg-type]
    jobs = [Job.of(TrialConfig(seed=seed)) for seed in range(2)]
    late, young = (
        SimpleNamespace(
            config={JOB: job.to_json()}, max_failures=2,
            temporary_state=SimpleNamespace(ray_actor=job.trial_id),
        )
        for job in jobs
    )  # fmt: skip
    callback.on_trial_start(1, [], late)
    clock.now = 40
    callback.on_trial_recover(1, [], late)
    callback.on_step_begin(1, [])
    callback.on_trial_start(1, [], late)
    callback.on_trial_start(1, [], young)
    for clock.now in (59, 61, 62):
        callback.on_step_begin(1, [])
    assert killed == [jobs[0].trial_id]
    assert (late.max_failures, young.max_failures) == (0, 2)
    callback.on_trial_error(1, [], late)
    callback.on_step_begin(1, [])
    last, _ = told.calls[-2:]
    assert last[:2] == ("failed", jobs[0].trial_id)
    assert last[2].startswith("it ran longer than --trial-timeout 1m; ")
    assert len(killed) == 1
