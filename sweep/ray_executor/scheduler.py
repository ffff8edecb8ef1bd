"""The order of trials in Ray Tune: as they are given, less those that a person cancels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from trainables.job import Job
from trainables.tune import JOB

if TYPE_CHECKING:
    from sweep.ray_executor.driver import Events


class CancellingScheduler(FIFOScheduler):
    """Stops the trials that the recorder knows as cancelled, at Tune's next look at its trials.

    A trial that trains ends its epoch before its process takes another one. As `RayTuneCallback`,
    this is pickled into a file that nobody reads, as a scheduler that knows of no recorder.
    """

    def __init__(self, recorder: Events) -> None:
        super().__init__()
        self._recorder = recorder

    def __reduce__(self) -> tuple[type[TrialScheduler], tuple[()]]:
        return FIFOScheduler, ()

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The next trial, when the cancelled ones are out of the way."""
        if self._recorder.any_cancelled:
            for trial in tune_controller.get_trials():
                trial_id = Job.from_json(trial.config[JOB]).trial_id
                if not trial.is_finished() and self._recorder.is_cancelled(trial_id):
                    tune_controller.stop_trial(trial)
        return super().choose_trial_to_run(tune_controller)


__all__ = ["CancellingScheduler"]
