"""What Ray Tune's loop tells of its trials, passed on to the reporter of a sweep."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from ray import tune

from trainables.job import Job, Report
from trainables.tune import JOB, REPORT

if TYPE_CHECKING:
    from sweep.run.recorder import Reporter
    from sweep.run.resources import Patience

_listening: dict[int, tuple[Reporter, Patience]] = {}
_numbers = itertools.count()


class ReporterCallback(tune.Callback):
    """Passes trial reports on to the driver's reporter, and lets ``patience`` speak.

    Tune pickles its callbacks, also on their way into its own loop, and a reporter
    holds connections that cannot be pickled; so the callback carries only a number.
    """

    def __init__(self, reporter: Reporter, patience: Patience) -> None:
        self._number = next(_numbers)
        _listening[self._number] = reporter, patience

    @property
    def _reporter(self) -> Reporter:
        return _listening[self._number][0]

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        _, patience = _listening[self._number]
        patience.look(any(trial.status == "RUNNING" for trial in trials))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._reporter.started(_trial_id(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._reporter.heard(Report.from_json(result[REPORT]))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        died = "its process died more often than it may be restarted (out of memory?)"
        self._reporter.failed(_trial_id(trial), died)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        del _listening[self._number]


def _trial_id(trial: Any) -> str:
    """Our id of one of Tune's trials, which has another of its own."""
    return Job.from_json(trial.config[JOB]).trial_id
