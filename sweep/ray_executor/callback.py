"""What Ray Tune's loop tells of its trials, passed on to the recorder of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.stopper import NoopStopper

from trainables.job import Job, Report
from trainables.tune import JOB, REPORT

if TYPE_CHECKING:
    from sweep.run.interrupts import Interrupts
    from sweep.run.recorder import ResultRecorder
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
    """

    def __init__(
        self, recorder: ResultRecorder, notice: WaitNotice, interrupts: Interrupts
    ) -> None:
        self._recorder, self._notice, self._interrupts = recorder, notice, interrupts

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        return tune.Callback, ()

    def setup(self, *_: Any, **info: Any) -> None:
        """Tune begins."""
        self._interrupts.listen()

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune is about to look at its trials; this must not, for it does so at every event."""
        self._notice.update(self._recorder.any_running)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A process has the trial now."""
        self._recorder.started(_trial_id(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """The trial reports an epoch, or its end."""
        self._recorder.reported(Report.from_json(result[REPORT]))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial's process died, and Tune starts it again."""
        self._recorder.stopped(_trial_id(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial's process died, and Tune does not start it again."""
        died = "its process died more often than it may be restarted (out of memory?)"
        self._recorder.failed(_trial_id(trial), died)


class LimitStopper(tune.Stopper):
    """Ends Tune's run when the recorder of a sweep has reached a limit; a copy of it never does."""

    def __init__(self, recorder: ResultRecorder) -> None:
        self._recorder = recorder

    def __reduce__(self) -> tuple[type[tune.Stopper], tuple[()]]:
        return NoopStopper, ()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No single trial is stopped."""
        return False

    def stop_all(self) -> bool:
        """Asked between any two events."""
        return self._recorder.stop


def _trial_id(trial: Any) -> str:
    """Our id of one of Tune's trials, which has another of its own."""
    return Job.from_json(trial.config[JOB]).trial_id
