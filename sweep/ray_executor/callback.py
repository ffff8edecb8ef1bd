"""What Ray Tune's loop tells of its trials, passed on to the recorder of a sweep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from sweep.run.time_limit import TrialTimeoutError
from trainables.job import Job, Report
from trainables.tune import JOB, REPORT

if TYPE_CHECKING:
    from sweep.ray_executor.driver import Events
    from sweep.ray_executor.retries import Retries
    from sweep.run.interrupts import Interrupts
    from sweep.run.resources import WaitNotice


class RayTuneCallback(tune.Callback):
    """Passes what Tune hears of trials on to the recorder, and keeps the wait notice up to date.

    Tune calls this very object, in the driver's process. It also pickles it, into a file from
    which an interrupted experiment could be restored. We restore from our own storage, and a
    recorder holds connections and threads that no file can: a copy is a callback that does nothing.

    Args:
        recorder: Told when a trial starts, reports, loses its process and fails.
        notice: Told whether any trial runs, whenever Tune looks at its trials.
        interrupts: Told when Tune has put its own handler of Ctrl-C in place.
        retries: Told what trials report of their failures, and asked why one is started again.
        trial_timeout: Seconds that a trial may run, all its processes together; None: any.
    """

    def __init__(
        self,
        recorder: Events,
        notice: WaitNotice,
        interrupts: Interrupts,
        retries: Retries,
        trial_timeout: float | None = None,
    ) -> None:
        self._recorder, self._notice, self._interrupts = recorder, notice, interrupts
        self._retries, self._timeout = retries, trial_timeout
        self._began: dict[str, float] = {}
        self._running: dict[str, Any] = {}
        """Id -> Tune's trial, of those that a process is at work on."""
        self._late: set[str] = set()

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        return tune.Callback, ()

    def setup(self, *_: Any, **info: Any) -> None:
        """Tune begins."""
        self._interrupts.listen_through()

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune is about to look at its trials; this must not, for it does so at every event."""
        self._notice.update(self._recorder.any_running)
        if self._timeout is not None:
            for trial_id, trial in self._running.items():
                if time.monotonic() - self._began[trial_id] > self._timeout:
                    self._end(trial_id, trial)

    def _end(self, trial_id: str, trial: Any) -> None:
        """End the process of a trial that has run too long; it is not started again."""
        actor = trial.temporary_state.ray_actor
        if trial_id not in self._late and actor is not None:
            self._late.add(trial_id)
            trial.max_failures = 0
            ray.kill(actor)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A process has the trial now."""
        trial_id = _trial_id(trial)
        self._began.setdefault(trial_id, time.monotonic())
        self._running[trial_id] = trial
        self._recorder.started(trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """The trial reports an epoch, or its end."""
        report = Report.from_json(result[REPORT])
        if report.retried:
            self._retries.note(report)
            return
        if report.ended:
            self._running.pop(report.trial_id, None)
            if report.cause == "device":
                self._retries.absolve(report.trial_id)
        self._recorder.reported(report)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial's process died, and Tune starts it again."""
        trial_id = _trial_id(trial)
        self._running.pop(trial_id, None)
        self._recorder.stopped(trial_id, self._retries.reason(trial_id))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial's process died, and Tune does not start it again."""
        trial_id = _trial_id(trial)
        self._running.pop(trial_id, None)
        late = self._timeout is not None and trial_id in self._late
        why = f"{TrialTimeoutError(self._timeout)}" if late else self._retries.last(trial)  # type: ignore[arg-type]
        self._recorder.failed(trial_id, why)


def _trial_id(trial: Any) -> str:
    """Our id of one of Tune's trials, which has another of its own."""
    return Job.from_json(trial.config[JOB]).trial_id
