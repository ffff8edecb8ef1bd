"""The Ray Tune trainable around `trainables.job.run_job`.

One actor serves trial after trial (``reuse_actors``): a fresh process costs
seconds, a reused one milliseconds. Nothing outside the process happens in
``setup``, because Tune may set a trial up in one actor and run it in another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ray import tune

from trainables.job import Job, Report, WorkersLostError
from trainables.run_job import cached_report, latest, run_job

if TYPE_CHECKING:
    from trainables.distributed import WorkerPool

JOB = "job"
"""Under which Tune carries a `Job` to a trial; as text, so that it sees one value and no tree."""

REPORT = "report"
"""Under which it carries a `Report` back, as text."""

REPORT_SECONDS = 2.0
"""Seconds between reports of a running trial; also how long a step may keep Tune waiting."""


class TrialTrainable(tune.Trainable):
    """Runs the `Job` in ``config``, and reports a `Report` every `REPORT_SECONDS` seconds.

    A trial that raises has an outcome; a process that dies is retried by Tune and continues from
    the trial's checkpoint.

    A trial for several workers is handed to a pool of them (`trainables.distributed`), which
    this actor keeps for its next trials.
    """

    _pool: WorkerPool | None = None

    def setup(self, config: dict[str, Any]) -> None:
        self._job = Job.from_json(config[JOB])
        self._reports = self.reports(self._job)
        if self._pool is not None and self._pool.busy:  # with a trial stopped in the middle
            self._dismiss()

    def reports(self, job: Job) -> Iterator[Report]:
        """What a trial of one worker reports (benchmarks measure with one that does nothing)."""
        return run_job(job)

    def cleanup(self) -> None:
        self._dismiss()

    def _dismiss(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing: the trial keeps its own checkpoint, in storage, where a restart finds it."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing; see `save_checkpoint`."""

    def step(self) -> dict[str, Any]:
        report = (
            self._together() if self._job.workers > 1 else latest(self._reports, REPORT_SECONDS)
        )
        return {REPORT: report.to_json(), "done": report.ended}

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
            stored = cached_report(self._job)
            if stored is not None:
                return stored
            if self._pool is None:
                from trainables.distributed import WorkerPool

                self._pool = WorkerPool(self._job.workers, self._job.cpus, self._job.gpus)
            self._pool.submit(self._job)
        report = self._pool.poll(REPORT_SECONDS)
        if report.ended and self._pool.busy:
            self._dismiss()  # it failed in some workers, and others may be waiting for them
        return report


def reservation(config: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """What a trial reserves: a bundle for each worker, and then none for Tune's own actor."""
    job = Job.from_json(config[JOB])
    bundle = {"CPU": float(job.cpus), **({"GPU": float(job.gpus)} if job.gpus else {})}
    if job.workers == 1:
        return tune.PlacementGroupFactory([bundle])
    return tune.PlacementGroupFactory([{"CPU": 0.0}] + [bundle] * job.workers, strategy="PACK")
