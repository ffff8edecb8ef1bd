"""Trials by Ray Tune, on this machine or on a cluster."""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sweep.ray_executor.cluster import free_resources, is_reserved, joined_cluster
from sweep.ray_executor.session import address_of, session
from sweep.run.interrupts import Interrupts, interrupts
from sweep.run.resources import Cluster, TrialResources, WaitNotice

if TYPE_CHECKING:
    from sweep.run.recorder import ResultRecorder
    from trainables.config import TrialConfig
    from trainables.job import Job

RETRIES = 2
"""How often a trial whose process died is started again (from its checkpoint)."""

WAVE = 1000
"""Trials that Tune is given at once. It keeps what it knows of each until its run ends: 0.03 to 0.1
MB, so that a hundred thousand would be gigabytes. And each run starts its actors anew, which took 5
to 12 s on two busy cores: a tenth to a fifth of the time of a thousand trials that do nothing."""

WAVE_PER_SLOT = 32
"""On a large cluster more are given at once, this many for each that runs at a time: the slots that
are done first wait for the last trial of a wave, half a trial's time on average."""


class RayExecutor:
    """An `Executor` by Ray Tune; see `sweep.run.executor.executor` for the arguments.

    Args:
        trainable: Instead of `trainables.tune.TrialTrainable` (benchmarks measure with one that
            does nothing).
    """

    in_process = False

    def __init__(
        self,
        address: str | None = None,
        cpus: float = 1,
        gpus: float | None = None,
        concurrency: int | None = None,
        trainable: type | None = None,
    ) -> None:
        self._address, self._concurrency = address, concurrency
        self._cpus, self._asked_gpus = cpus, gpus
        self._trainable = trainable

    @property
    def local(self) -> bool:
        """Whether no cluster is joined, and Ray is started on this machine."""
        return address_of(self._address) is None

    def refuse(self, config: TrialConfig) -> None:
        """Refuse none: whether a cluster can run a trial is a matter of its resources."""

    @contextmanager
    def start(self, notify: Callable[[str], None]) -> Iterator[None]:
        """Within it, Ray is there: joined, or started and stopped at the end."""
        with session(self._address, notify) as self._cluster:
            self._notify = notify
            some = 1.0 if self._cluster.total("GPU") else 0.0
            self._gpus = some if self._asked_gpus is None else self._asked_gpus
            yield

    def max_concurrent(self, jobs: Sequence[Job]) -> int:
        """As many as fit the cluster; raises ResourceError if one can never fit."""
        requests = {self._request(job) for job in jobs}
        for request in requests:
            self._cluster.check(request)
        return max(self._cluster.max_concurrent(request, self._concurrency) for request in requests)

    def run(self, jobs: Sequence[Job], recorder: ResultRecorder) -> None:
        """Run the jobs wave by wave, each again where its process dies."""
        # What Tune would print of a failure is in the recorder's one sentence.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        max_concurrent = self.max_concurrent(jobs)
        with suppress(KeyboardInterrupt), interrupts() as noted:
            for wave in waves(jobs, max_concurrent):
                self._run_wave(wave, max_concurrent, recorder, noted)
                if (
                    noted.seen
                    or recorder.stop
                    or any(job.trial_id in recorder.unfinished for job in wave)
                ):
                    return

    def _run_wave(
        self,
        jobs: Sequence[Job],
        max_concurrent: int,
        recorder: ResultRecorder,
        noted: Interrupts,
    ) -> None:
        """Run the jobs as trials of one Tune experiment."""
        from ray import tune

        from sweep.ray_executor.callback import LimitStopper, RayTuneCallback
        from sweep.ray_executor.scheduler import CancellingScheduler
        from trainables.tune import JOB, TrialTrainable, reservation

        notice = _wait_notice(self._cluster, self._request(jobs[0]), self._notify)
        scratch = tempfile.mkdtemp(prefix="flatsweep-")
        try:
            tune.Tuner(
                tune.with_resources(self._trainable or TrialTrainable, reservation),
                param_space={JOB: tune.grid_search([self._placed(j).to_json() for j in jobs])},
                tune_config=tune.TuneConfig(
                    max_concurrent_trials=max_concurrent,
                    reuse_actors=True,
                    scheduler=CancellingScheduler(recorder),
                ),
                run_config=tune.RunConfig(
                    name="trials",
                    storage_path=scratch,
                    callbacks=[RayTuneCallback(recorder, notice, noted)],
                    stop=LimitStopper(recorder),
                    failure_config=tune.FailureConfig(max_failures=RETRIES),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    verbose=0,
                ),
            ).fit()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _request(self, job: Job) -> TrialResources:
        return TrialResources(job.workers, self._cpus, self._gpus)

    def _placed(self, job: Job) -> Job:
        """``job`` with what each of its workers reserves."""
        execution = {"shared_device": 0 < self._gpus < 1, **job.execution}
        return replace(job, cpus=self._cpus, gpus=self._gpus, execution=execution)


def waves(jobs: Sequence[Job], max_concurrent: int) -> Iterator[Sequence[Job]]:
    """``jobs`` in order, in as few parts as `WAVE` and `WAVE_PER_SLOT` allow, equally long."""
    most = max(WAVE, WAVE_PER_SLOT * max_concurrent)
    size = math.ceil(len(jobs) / math.ceil(len(jobs) / most))
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]


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


__all__ = ["RETRIES", "RayExecutor", "waves"]
