"""Trials through Ray, on this machine or on a cluster, as the sweep's own process sees it.

Ray lives in a process of its own (`sweep.ray_executor.driver`): where Ray's processes die, it ends
whoever has joined them or leaves him waiting for ever. This one lives on, and starts another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweep.ray_executor.process import DriverProcess, RayLostError
from sweep.ray_executor.session import address_of
from sweep.run.interrupts import STOPPING, Interrupts, interrupts
from sweep.run.resources import ResourceError, TrialResources
from trainables.job import Report
from trainables.masking import mask

if TYPE_CHECKING:
    from sweep.run.recorder import ResultRecorder
    from trainables.config import TrialConfig
    from trainables.job import Job

RESTARTS = 5
"""How often Ray is started again in one command."""

WAVE = 1000
"""Trials that Tune is given at once. It keeps what it knows of each until its run ends: 0.03 to 0.1
MB, so that a hundred thousand would be gigabytes. And each run starts its actors anew, which took 5
to 12 s on two busy cores: a tenth to a fifth of the time of a thousand trials that do nothing."""

WAVE_PER_SLOT = 32
"""On a large cluster more are given at once, this many for each that runs at a time: the slots that
are done first wait for the last trial of a wave, half a trial's time on average."""

CONTINUES = "what is finished is recorded, the same command continues"


class RayExecutor:
    """An `Executor` by Ray Tune; see `sweep.run.executor.executor` for the arguments.

    Args:
        trainable: MODULE:CLASS in place of `trainables.tune.TrialTrainable` (benchmarks measure
            with one that does nothing).
    """

    in_process = False

    def __init__(
        self,
        address: str | None = None,
        cpus: float = 1,
        gpus: float | None = None,
        concurrency: int | None = None,
        trial_timeout: float | None = None,
        trainable: str = "",
    ) -> None:
        self._address, self._concurrency = address, concurrency
        self._cpus, self._asked_gpus = cpus, gpus
        self._settings = {
            "address": address, "trial_timeout": trial_timeout, "trainable": trainable
        }  # fmt: skip
        self._restarts = 0

    @property
    def local(self) -> bool:
        """Whether no cluster is joined, and Ray is started on this machine."""
        return address_of(self._address) is None

    def refuse(self, config: TrialConfig) -> None:
        """Refuse none: whether a cluster can run a trial is a matter of its resources."""

    @contextmanager
    def start(self, notify: Callable[[str], None]) -> Iterator[None]:
        """Within it, Ray is there: joined, or started and stopped at the end."""
        self._notify, self._restarts = notify, 0
        self._driver = DriverProcess(self._settings, notify)
        try:
            self._cluster = self._driver.start()
            some = 1.0 if self._cluster.total("GPU") else 0.0
            self._gpus = some if self._asked_gpus is None else self._asked_gpus
            yield
        finally:
            self._driver.close()

    def max_concurrent(self, jobs: Sequence[Job]) -> int:
        """As many as fit the cluster; raises ResourceError if one can never fit."""
        requests = {self._request(job) for job in jobs}
        for request in requests:
            self._cluster.check(request)
        return max(self._cluster.max_concurrent(request, self._concurrency) for request in requests)

    def run(self, jobs: Sequence[Job], recorder: ResultRecorder) -> None:
        """Run the jobs wave by wave, each again where its process dies or Ray does."""
        max_concurrent = self.max_concurrent(jobs)
        with interrupts(self._stop) as noted:
            for wave in waves(jobs, max_concurrent):
                self._run_wave(wave, max_concurrent, recorder, noted)
                left = any(job.trial_id in recorder.unfinished for job in wave)
                if noted.seen or recorder.stop or left:
                    return

    def _run_wave(
        self, wave: Sequence[Job], max_concurrent: int, recorder: ResultRecorder, noted: Interrupts
    ) -> None:
        while not noted.seen and not recorder.stop:
            left = [self._placed(job) for job in wave if job.trial_id in recorder.unfinished]
            try:
                self._listen(left, max_concurrent, recorder)
                return
            except RayLostError as error:
                for trial_id in recorder.running:
                    recorder.stopped(trial_id)
                if not noted.seen:
                    self._start_again(error)

    def _listen(self, jobs: Sequence[Job], max_concurrent: int, recorder: ResultRecorder) -> None:
        """Have jobs run and the recorder told, until they have ended or it has reached a limit."""
        stopping, cancelled = False, set[str]()
        for event, *values in self._driver.run(jobs, max_concurrent):
            _tell(recorder, event, *values)
            for job in jobs if recorder.any_cancelled else ():
                if job.trial_id not in cancelled and recorder.is_cancelled(job.trial_id):
                    cancelled.add(job.trial_id)
                    self._driver.cancel(job.trial_id)
            if recorder.stop and not stopping:
                stopping = True
                self._driver.stop()

    def _stop(self, *_: object) -> None:
        self._notify(STOPPING)
        self._driver.stop()

    def _start_again(self, lost: RayLostError) -> None:
        """Start Ray on this machine anew; a cluster's is others' to mend.

        Raises:
            ResourceError: it is a cluster's, or dies too often.
        """
        if not self.local:
            address = address_of(self._address) or ""
            raise ResourceError(
                mask(f"Ray at {address} is lost ({lost})", address)
                + f"; see whether the cluster is up; {CONTINUES}"
            ) from lost
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise ResourceError(
                f"Ray died {self._restarts} times on this machine ({lost}); see whether it lacks "
                f"memory; {CONTINUES}"
            ) from lost
        self._notify(f"Ray died ({lost}): it is started again, trials go on from their checkpoints")
        self._driver.close()
        self._cluster = self._driver.start()

    def _request(self, job: Job) -> TrialResources:
        return TrialResources(job.workers, self._cpus, self._gpus)

    def _placed(self, job: Job) -> Job:
        """``job`` with what each of its workers reserves, and the kind of device that this is.

        A node is not asked: one without a GPU reserved may have some, which are others', and one
        whose driver failed would train on its CPUs.
        """
        execution = {
            "device": "cuda" if self._gpus else "cpu",
            "shared_device": 0 < self._gpus < 1,
            **job.execution,
        }
        return replace(job, cpus=self._cpus, gpus=self._gpus, execution=execution)


def _tell(recorder: ResultRecorder, event: str, *values: Any) -> None:
    """Pass an event of `sweep.ray_executor.driver.Events` on."""
    if event == "reported":
        recorder.reported(Report.from_json(values[0]))
    elif event != "tick":
        getattr(recorder, event)(*values)


def waves(jobs: Sequence[Job], max_concurrent: int) -> Iterator[Sequence[Job]]:
    """``jobs`` in order, in as few parts as `WAVE` and `WAVE_PER_SLOT` allow, equally long."""
    most = max(WAVE, WAVE_PER_SLOT * max_concurrent)
    size = math.ceil(len(jobs) / math.ceil(len(jobs) / most))
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]


__all__ = ["RESTARTS", "RayExecutor", "waves"]
