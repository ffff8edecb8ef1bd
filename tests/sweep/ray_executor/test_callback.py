"""The callback that Ray Tune calls: the recorder's ear, of which Tune makes copies."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

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

    def listen(self) -> None:
        self.calls.append(("listen",))

    def stopped(self, trial_id: str) -> None:
        self.calls.append(("stopped", trial_id))

    def failed(self, trial_id: str, error: str) -> None:
        self.calls.append(("failed", trial_id))

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
    callback.on_trial_recover(**about, trial=trial)
    callback.on_trial_error(**about, trial=trial)
    callback.on_experiment_end(trials=about["trials"])
    return job.trial_id


def test_it_passes_on_what_tune_tells_also_after_tune_has_pickled_it() -> None:
    told = Told()
    callback = RayTuneCallback(told, told, told)  # type: ignore[arg-type]
    copy = cloudpickle.loads(cloudpickle.dumps([callback]))[0]
    tell(copy)
    assert told.calls == []
    trial_id = tell(callback)
    assert told.calls == [
        ("listen",),
        ("running", True),
        ("started", trial_id),
        ("reported", trial_id, 1),
        ("stopped", trial_id),
        ("failed", trial_id),
    ]
