"""The ear of a sweep inside Ray Tune's loop."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from ray import tune

from trainables.job import Job, Report
from trainables.tune import JOB, REPORT

if TYPE_CHECKING:
    from sweep.reporter import Reporter

_reporters: dict[int, Reporter] = {}
_numbers = itertools.count()


class Listener(tune.Callback):
    """Passes trial reports on to the driver's reporter.

    Tune pickles its callbacks, also on their way into its own loop, and a reporter
    holds connections that cannot be pickled; so the callback carries only a number.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._number = next(_numbers)
        _reporters[self._number] = reporter

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        patience = _reporters[self._number].patience
        if patience is not None:
            patience.look(any(trial.status == "RUNNING" for trial in trials))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        _reporters[self._number].started(_trial_id(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        _reporters[self._number].heard(Report.from_json(result[REPORT]))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        died = "its process died more often than it may be restarted (out of memory?)"
        _reporters[self._number].failed(_trial_id(trial), died)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        del _reporters[self._number]


def _trial_id(trial: Any) -> str:
    """Our id of one of Tune's trials, which has another of its own."""
    return Job.from_json(trial.config[JOB]).trial_id
