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
from typing import TYPE_CHECKING, Any

from ray import tune

from trainables.errors import FlatsweepError
from trainables.masking import mask

if TYPE_CHECKING:
    from trainables.train import Execution

REPORT_EVERY = 2.0
"""Seconds between reports of a running trial; also how long a step may keep Tune waiting."""


class WorkersLostError(FlatsweepError, RuntimeError):
    """Workers died or stopped answering; the trial can go on from its checkpoint elsewhere."""


class TrialTrainable(tune.Trainable):
    """Runs ``config["trial"]`` (JSON: ``trial_id``, ``config``, ``measures``).

    ``config["execution"]`` has the options of `trainables.train.Execution`.

    Reports ``identity`` (the trial's id; Tune keeps ``trial_id`` for its own), ``epoch``,
    ``epochs`` and the latest numbers, and at the end ``outcome``: ``done``, ``diverged`` or
    ``failed`` (with ``error``). The result itself is in storage before ``outcome`` is reported.
    An exception in the training code is an outcome, not a crash: it would be raised again on any
    node. A process that dies is retried by Tune and continues from the trial's checkpoint.

    A trial for several workers is handed to a crew of them (`trainables.distributed`), which
    this actor keeps for its next trials. ``config["worker"]`` has the CPUs and GPUs of each.
    """

    def setup(self, config: dict[str, Any]) -> None:
        self._config = config
        self._trial: Any = None
        if getattr(self, "_crew", None) is None:
            self._crew: Any = None
        elif self._crew.busy:  # with a trial that was stopped in the middle
            self._dismiss()

    def cleanup(self) -> None:
        self._dismiss()

    def _dismiss(self) -> None:
        if self._crew is not None:
            self._crew.close()
            self._crew = None

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
            if asked["config"]["workers"]["count"] > 1:
                return self._advance_together(asked)
            return self._advance(asked)
        except WorkersLostError:
            self._dismiss()
            raise  # for Tune to try again
        except Exception as error:
            report = failure(error, self._config["storage"])
            return self._final({"identity": asked["trial_id"], **report})

    def _advance(self, asked: dict[str, Any]) -> dict[str, Any]:
        from trainables.config import TrialConfig
        from trainables.storage import Storage
        from trainables.train import Trial, settled

        if self._trial is None:
            config = TrialConfig(**asked["config"])
            storage = Storage(self._config["storage"]).below(f"trials/{config.trial_id}")
            execution = execution_of(self._config["execution"], asked["measures"])
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

    def _advance_together(self, asked: dict[str, Any]) -> dict[str, Any]:
        identity = {"identity": asked["trial_id"]}
        if self._crew is None or not self._crew.busy:
            stored = self._stored(asked)
            if stored is not None:
                return self._final({**identity, "outcome": stored})
            if self._crew is None:
                from trainables.distributed import Crew

                self._crew = Crew(asked["config"]["workers"]["count"], **self._config["worker"])
            fields = ("storage", "execution")
            self._crew.start({**asked, **{field: self._config[field] for field in fields}})
        report = self._crew.hear(REPORT_EVERY)
        if "outcome" not in report:
            return {**identity, "epoch": 0, "epochs": asked["config"]["epochs"], **report}
        if self._crew.busy:  # it failed in some workers, and others may be waiting for them
            self._dismiss()
        return self._final({**identity, **report})

    def _stored(self, asked: dict[str, Any]) -> str | None:
        """The outcome that is in storage, if the trial need not be trained."""
        from trainables.storage import Storage

        storage = Storage(self._config["storage"]).below(f"trials/{asked['trial_id']}")
        if not storage.exists("result.json"):  # the usual case, settled without importing torch
            return None
        from trainables.config import TrialConfig
        from trainables.train import settled

        execution = execution_of(self._config["execution"], asked["measures"])
        stored = settled(TrialConfig(**asked["config"]), execution, storage)
        return None if stored is None else stored.status

    def _final(self, report: dict[str, Any]) -> dict[str, Any]:
        self._trial = None
        return {**report, "done": True}


def failure(error: Exception, storage: str) -> dict[str, Any]:
    """What is reported of a trial that raised ``error``; secrets of ``storage`` are not told."""
    said = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    return {"outcome": "failed", **{name: mask(text, storage) for name, text in said.items()}}


def execution_of(options: dict[str, Any], measures: list[dict[str, Any]]) -> Execution:
    """An `Execution` from what travels to a trial as JSON."""
    from trainables.config import Request
    from trainables.train import Execution

    options = {**options}
    data_dir = options.pop("data_dir", None)
    return Execution(
        data_dir=Path(data_dir) if data_dir else None,
        measures=tuple(Request(**request) for request in measures),
        **options,
    )


def reservation(option: dict[str, Any]) -> tune.PlacementGroupFactory:
    """What a trial reserves: a bundle for each worker, and then none for Tune's own actor."""
    count = json.loads(option["trial"])["config"]["workers"]["count"]
    cpus, gpus = option["worker"]["cpus"], option["worker"]["gpus"]
    bundle = {"CPU": float(cpus), **({"GPU": float(gpus)} if gpus else {})}
    if count == 1:
        return tune.PlacementGroupFactory([bundle])
    return tune.PlacementGroupFactory([{"CPU": 0.0}] + [bundle] * count, strategy="PACK")
