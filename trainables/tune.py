"""The Ray Tune trainable around `trainables.train`.

One actor serves trial after trial (``reuse_actors``): a fresh process costs
seconds, a reused one milliseconds. Nothing outside the process happens in
``setup``, because Tune may set a trial up in one actor and run it in another.
"""

from __future__ import annotations

import json
import time
import traceback
from pathlib import Path
from typing import Any

from ray import tune

REPORT_EVERY = 2.0
"""Seconds between reports of a running trial; also how long a step may keep Tune waiting."""


class TrialTrainable(tune.Trainable):
    """Runs ``config["trial"]`` (JSON: ``trial_id``, ``config``, ``measures``).

    ``config["execution"]`` has the options of `trainables.train.Execution`.

    Reports ``identity`` (the trial's id; Tune keeps ``trial_id`` for its own), ``epoch``,
    ``epochs`` and the latest numbers, and at the end ``outcome``: ``done``, ``diverged`` or
    ``failed`` (with ``error``). The result itself is in storage before ``outcome`` is reported.
    An exception in the training code is an outcome, not
    a crash: it would be raised again on any node. A process that dies is retried by Tune and
    continues from the trial's checkpoint.
    """

    def setup(self, config: dict[str, Any]) -> None:
        self._config = config
        self._trial: Any = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: the trial keeps its own checkpoint, in storage, where a restart finds it."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing; see `save_checkpoint`."""

    def step(self) -> dict[str, Any]:
        asked = json.loads(self._config["trial"])
        try:
            return self._advance(asked)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            report = {"outcome": "failed", "error": message, "traceback": traceback.format_exc()}
            return self._final({"identity": asked["trial_id"], **report})

    def _advance(self, asked: dict[str, Any]) -> dict[str, Any]:
        from trainables.config import TrialConfig
        from trainables.measuring import Request
        from trainables.storage import Storage
        from trainables.train import Execution, Trial, settled

        if self._trial is None:
            config = TrialConfig(**asked["config"])
            storage = Storage(self._config["storage"]).below(f"trials/{config.trial_id}")
            options = {**self._config["execution"]}
            data_dir = options.pop("data_dir", None)
            execution = Execution(
                data_dir=Path(data_dir) if data_dir else None,
                measures=tuple(Request(**request) for request in asked["measures"]),
                **options,
            )
            stored = settled(config, execution, storage)
            if stored is not None:
                return self._final({"identity": config.trial_id, "outcome": stored.status})
            self._trial = Trial(config, execution, storage)
        trial, started = self._trial, time.monotonic()
        numbers: dict[str, float] = {}
        while not trial.finished and time.monotonic() - started < REPORT_EVERY:
            numbers = trial.run_epoch()
        report = {
            "identity": trial.config.trial_id,
            "epoch": trial.epoch,
            "epochs": trial.config.epochs,
            "numbers": numbers,
        }
        if trial.finished:
            return self._final({**report, "outcome": trial.finish().status})
        return report

    def _final(self, report: dict[str, Any]) -> dict[str, Any]:
        self._trial = None
        return {**report, "done": True}
