"""The ear of a sweep inside Ray Tune's loop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ray import tune

if TYPE_CHECKING:
    from sweep.run import _Reporter


class Listener(tune.Callback):  # type: ignore[misc]
    """Passes trial reports on to the driver's reporter.

    Tune pickles its callbacks into a snapshot that is never restored here (the
    storage is what a restart reads), so the reporter stays out of the pickle.
    """

    def __init__(self, reporter: _Reporter | None = None) -> None:
        self._reporter = reporter

    def __getstate__(self) -> dict[str, Any]:
        return {"_reporter": None}

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Any],
        trial: Any,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        if self._reporter is not None:
            self._reporter.heard(result)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if self._reporter is not None:
            died = "its process died more often than it may be restarted (out of memory?)"
            self._reporter.failed(json.loads(trial.config["trial"])["trial_id"], died)
