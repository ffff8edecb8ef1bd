"""One trial at a time, in this process: without Ray, and with a debugger if one is wanted."""

from __future__ import annotations

import os
from bdb import BdbQuit
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sweep.run.interrupts import STOPPING, interrupts
from sweep.run.resources import Cluster, TrialResources
from sweep.run.time_limit import limited
from trainables.errors import UsageError
from trainables.run_job import run_job

if TYPE_CHECKING:
    from sweep.run.recorder import ResultRecorder
    from trainables.config import TrialConfig
    from trainables.job import Job

INSTEAD = "or take --executor ray"


class SerialExecutor:
    """An `Executor` of one trial at a time; see `sweep.run.executor.executor` for the arguments.

    A trial has the one GPU that torch takes first, or none with ``gpus=0``.
    """

    local = in_process = True

    def __init__(
        self,
        address: str | None = None,
        cpus: float = 1,
        gpus: float | None = None,
        concurrency: int | None = None,
        trial_timeout: float | None = None,
    ) -> None:
        if address:
            raise UsageError(
                f"--executor serial trains in this process and joins no cluster: leave --address "
                f"away, {INSTEAD}"
            )
        if gpus not in (None, 0, 1):
            raise UsageError(
                f"--gpus {gpus:g}: --executor serial gives a trial one whole GPU or none: ask for "
                f"1 or 0, {INSTEAD}"
            )
        if concurrency not in (None, 1):
            raise UsageError(
                f"--concurrency {concurrency}: --executor serial runs one trial at a time: leave "
                f"it away, {INSTEAD}"
            )
        self._request = TrialResources(1, cpus, gpus or 0)
        devices: dict[float | None, str] = {None: "auto", 0: "cpu", 1: "cuda"}
        self._device = devices[gpus]
        self._timeout = trial_timeout

    def refuse(self, config: TrialConfig) -> None:
        """Raise UsageError for a trial that several workers share."""
        if config.workers.count > 1:
            raise UsageError(
                f"trial {config.trial_id} is for {config.workers.count} workers and --executor "
                f"serial has one: leave --workers away, {INSTEAD}"
            )

    @contextmanager
    def start(self, notify: Callable[[str], None]) -> Iterator[None]:
        """Nothing is to be started."""
        self._notify = notify
        yield

    def max_concurrent(self, jobs: Sequence[Job]) -> int:
        """One; raises ResourceError if this machine has fewer CPUs or GPUs than a trial needs."""
        gpus = 0.0
        if self._request.gpus:
            import torch

            gpus = float(torch.cuda.device_count())
        Cluster([{"CPU": float(os.cpu_count() or 1), "GPU": gpus}]).check(self._request)
        return 1

    def run(self, jobs: Sequence[Job], recorder: ResultRecorder) -> None:
        """Run the jobs one after the other, until all are done or a signal comes.

        After an error of its device this process cannot train any more, and leaves the rest.
        """
        with suppress(BdbQuit), interrupts(lambda *_: self._notify(STOPPING)) as noted:
            for job in jobs:
                if recorder.is_cancelled(job.trial_id):
                    continue
                recorder.started(job.trial_id)
                with closing(run_job(self._placed(job))) as reports:
                    for report in limited(reports, self._timeout):
                        recorder.reported(report)
                        if noted.seen or recorder.stop or report.cause == "device":
                            return
                        if recorder.is_cancelled(job.trial_id):
                            break

    def _placed(self, job: Job) -> Job:
        return replace(job, execution={"device": self._device, **job.execution})
