"""The Ray Tune trainable around `trainables.job.run_job`.

One actor serves trial after trial (``reuse_actors``): a fresh process costs
seconds, a reused one milliseconds. Nothing outside the process happens in
``setup``, because Tune may set a trial up in one actor and run it in another.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from trainables.causes import explained
from trainables.errors import FlatsweepError
from trainables.job import Job, Report, WorkersLostError
from trainables.run_job import cached_report, latest, run_job

if TYPE_CHECKING:
    from trainables.distributed import WorkerPool

JOB = "job"
"""Key of Tune's configuration that holds a `Job`, as text: one value for Tune, not a tree."""

REPORT = "report"
"""Key of Tune's result that holds a `Report`, as text."""

UNUSABLE = ("memory", "device")
"""Causes after which a trial is tried again, in another process: of those that a trial reports."""

REPORT_SECONDS = 2.0
"""Seconds between the reports of a running trial, and so the longest that Tune waits for one."""


class ProcessSpentError(FlatsweepError):
    """This process must not train any more; what it had begun is tried again in another."""


class TrialTrainable(tune.Trainable):
    """Runs the `Job` in ``config``, and reports a `Report` every `REPORT_SECONDS` seconds.

    A trial that raises an exception has the outcome ``failed``. Where the process dies, Tune tries
    again, from the trial's checkpoint. Where the exception is the device's or the memory's, the
    report says so, is not the last one, and the next step ends this process, so that Tune tries
    again in another: what is wrong with a device lasts as long as the process that uses it.

    A trial for several workers is handed to a pool of them (`trainables.distributed`), which
    this actor keeps for its next trials.
    """

    _pool: WorkerPool | None = None
    _reports: Generator[Report] | None = None

    def setup(self, config: dict[str, Any]) -> None:
        self._stop_trial()
        self._job = Job.from_json(config[JOB])
        self._reports = self.reports(self._job)
        self._failed: Report | None = None

    def reports(self, job: Job) -> Generator[Report]:
        """The reports of a trial with one worker. Benchmarks override it to measure Tune alone."""
        return run_job(job)

    def cleanup(self) -> None:
        self._stop_trial()
        self._dismiss()

    def _stop_trial(self) -> None:
        """One that is stopped in the middle saves a checkpoint."""
        if self._reports is not None:
            self._reports.close()
        if self._pool is not None and self._pool.busy:
            self._pool.stop()
            self._dismiss()

    def _dismiss(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing for Tune to keep: the trial writes its checkpoints to storage by itself."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Does nothing; see `save_checkpoint`."""

    def step(self) -> dict[str, Any]:
        if self._failed is not None:
            raise ProcessSpentError(explained(self._failed.cause, self._failed.error))
        report = self._next_report()
        again = report.outcome == "failed" and report.cause in UNUSABLE
        if again and report.cause not in self._job.retried:
            self._failed = report = replace(
                report, node=ray.get_runtime_context().get_node_id(), retried=True
            )
        return {REPORT: report.to_json(), "done": report.ended}

    def _next_report(self) -> Report:
        if self._job.workers > 1:
            return self._together()
        assert self._reports is not None
        return latest(self._reports, REPORT_SECONDS)

    def _together(self) -> Report:
        try:
            return self._advance_pool()
        except WorkersLostError:
            self._dismiss()
            raise  # for Tune to try again
        except Exception as error:
            return Report.of_failure(self._job, error)

    def _advance_pool(self) -> Report:
        if self._pool is None or not self._pool.busy:
            finished = cached_report(self._job)
            if finished is not None:
                return finished
            if self._pool is None:
                from trainables.distributed import WorkerPool

                self._pool = WorkerPool(self._job.workers, self._job.cpus, self._job.gpus)
            self._pool.submit(self._job)
        report = self._pool.poll(REPORT_SECONDS)
        if report.ended and self._pool.busy:
            self._dismiss()  # it failed in some workers, and others may be waiting for them
        return report


def reservation(config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """The resources that a trial reserves.

    One bundle for a trial of one process; otherwise an empty one for Tune's own actor, which only
    waits, and one for each worker.
    """
    job = Job.from_json(config[JOB])
    bundle = {"CPU": float(job.cpus), **({"GPU": float(job.gpus)} if job.gpus else {})}
    if job.workers == 1:
        return tune.PlacementGroupFactory([bundle])
    return tune.PlacementGroupFactory([{"CPU": 0.0}] + [bundle] * job.workers, strategy="PACK")
