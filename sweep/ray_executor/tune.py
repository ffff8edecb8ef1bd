"""Trials by Ray Tune, in the process that has joined Ray."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweep.ray_executor.cluster import free_resources, is_reserved, joined_cluster
from sweep.run.interrupts import Interrupts, interrupts
from sweep.run.resources import Cluster, TrialResources, WaitNotice
from trainables.causes import TRIES_AGAIN
from trainables.scratch import VARIABLE

if TYPE_CHECKING:
    from sweep.ray_executor.driver import Events
    from trainables.job import Job


class TuneRunner:
    """Runs jobs as trials of one Tune experiment after another.

    Args:
        cluster: What has been joined.
        events: Told what Tune tells.
        trial_timeout: Seconds that a trial may run; None: any.
        trainable: MODULE:CLASS in place of `trainables.tune.TrialTrainable`.
    """

    def __init__(
        self, cluster: Cluster, events: Events, trial_timeout: float | None, trainable: str = ""
    ) -> None:
        from sweep.ray_executor.retries import Retries

        self._cluster, self._events, self._timeout = cluster, events, trial_timeout
        self._trainable = _named(trainable or "trainables.tune:TrialTrainable")
        self._retries = Retries(self._say)

    def _say(self, sentence: str) -> None:
        self._events.tell("say", sentence)

    def run(self, jobs: Sequence[Job], max_concurrent: int) -> None:
        """Run the jobs, in this order as far as there is one, until they have ended or SIGINT
        comes; then each saves a checkpoint."""
        # What Tune would print of a failure is in the recorder's one sentence.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        only = (signal.SIGINT,)
        with suppress(KeyboardInterrupt), interrupts(signal.default_int_handler, only) as noted:
            self._run(jobs, max_concurrent, noted)

    def _run(self, jobs: Sequence[Job], max_concurrent: int, noted: Interrupts) -> None:
        from ray import tune

        from sweep.ray_executor.callback import RayTuneCallback
        from sweep.ray_executor.retries import RetryScheduler
        from trainables.ray_private.tune import patient
        from trainables.tune import JOB

        notice = _wait_notice(self._cluster, _request(jobs[0]), self._say)
        scratch = tempfile.mkdtemp(prefix="tune-", dir=os.environ.get(VARIABLE))
        callback = RayTuneCallback(self._events, notice, noted, self._retries, self._timeout)
        try:
            with patient():
                tune.Tuner(
                    tune.with_resources(self._trainable, self._retries),
                    param_space={JOB: tune.grid_search([job.to_json() for job in jobs])},
                    tune_config=tune.TuneConfig(
                        max_concurrent_trials=max_concurrent,
                        reuse_actors=True,
                        scheduler=RetryScheduler(self._events, self._retries),
                    ),
                    run_config=tune.RunConfig(
                        name="trials",
                        storage_path=scratch,
                        callbacks=[callback],
                        failure_config=tune.FailureConfig(max_failures=TRIES_AGAIN["process"]),
                        checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                        verbose=0,
                    ),
                ).fit()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _request(job: Job) -> TrialResources:
    return TrialResources(job.workers, job.cpus, job.gpus)


def _wait_notice(
    cluster: Cluster, request: TrialResources, notify: Callable[[str], None]
) -> WaitNotice:
    """What a sweep says when its trials get no room: others hold it, or nodes are still coming."""

    def sentence() -> str | None:
        now, unheld = joined_cluster(), free_resources()
        idle = all(0 < now.total(kind) <= unheld.get(kind, 0.0) for kind in request.bundle)
        if is_reserved(request) or (idle and now.capacity(request)):
            return None  # it is starting, not waiting
        return replace(cluster, nodes=now.nodes).waiting_message(request, unheld)

    return WaitNotice(sentence, notify)


__all__ = ["TuneRunner"]
