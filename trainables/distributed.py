"""Trials over several workers: Ray Train's TorchTrainer, kept alive over the trials of an actor.

Starting Ray Train costs tens of seconds and a handful of processes, so a `WorkerPool` is
started once for each Tune actor: one ``fit`` whose training function takes trial
after trial from the controller's mailbox, in the process group that Ray Train made. A
trial that fails in all its workers alike leaves them ready for the next; otherwise,
and when a worker dies, the pool ends and the next trial gets a fresh one.

The workers run in the bundles that Tune reserved together with the trial, all
or none: a trial that has started never waits for its workers, so that full
clusters cannot lock up.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray import train
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from trainables.execution import DEFAULT_EXECUTION
from trainables.job import Job, Report, WorkersLostError
from trainables.ports import LOOPBACK, use_loopback
from trainables.ray_private.train import (
    AcceleratorSetupCallback,
    BackendSetupCallback,
    DefaultPlacementGroupHandle,
    FixedScalingPolicy,
    TorchBackend,
    TrainController,
    WorkerGroup,
    get_env_vars_to_propagate,
    join_process_group,
    set_rank_variables,
)
from trainables.run_job import run_job
from trainables.scratch import Scratch, collect

RAY_TRAIN_SETTINGS = {
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # trials have checkpoints of their own
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",
}
"""Settings of Ray Train that spare processes and time; a setting of the user's own wins."""

SHUTDOWN_SECONDS = 20.0
"""Seconds that workers have to end by themselves before they are killed."""

SAVE_SECONDS = DEFAULT_EXECUTION.checkpoint_every
"""Seconds that a trial which is stopped has to save a checkpoint."""

COMMON_FAILURE_SECONDS = 3.0
"""Seconds within which all workers fail if what failed is the trial and not one of them."""

PEER_SECONDS = 300
"""Seconds that a worker waits for the others, after which they are taken for lost. Longer than a
first worker needs to read or write a checkpoint; Ray Train's default is half an hour."""

WORKER_REPORT_SECONDS = 0.5
"""Seconds between a worker's reports."""


class WorkerPool:
    """Workers that train one trial after another, all of them each trial.

    Args:
        workers: How many.
        cpus, gpus: Resources of each worker. Workers that share a GPU talk over gloo, since NCCL
            cannot have two of them on one.
    """

    def __init__(self, workers: int, cpus: float, gpus: float) -> None:
        for name, value in RAY_TRAIN_SETTINGS.items():
            os.environ.setdefault(name, value)
        collect()
        self._scratch = Scratch()
        resources = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
        self._trainer = _Trainer(
            _serve,
            train_loop_config={"mailbox": f"flatsweep-workers-{uuid.uuid4().hex}"},
            torch_config=_Torch(
                backend="nccl" if gpus >= 1 else "gloo",
                timeout_s=PEER_SECONDS,
                rendezvous=f"{self._scratch.path}/rendezvous",
            ),
            scaling_config=train.ScalingConfig(
                num_workers=workers, use_gpu=gpus > 0, resources_per_worker=resources
            ),
            run_config=train.RunConfig(
                name="workers",
                storage_path=str(self._scratch.path),
                failure_config=train.FailureConfig(max_failures=0),
            ),
        )
        self.busy = False
        self._workers = workers
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._fit, name="workers", daemon=True)
        self._thread.start()

    def _fit(self) -> None:
        try:
            self._trainer.fit()
        except BaseException as error:  # raised where `poll` next asks for reports
            self._error = error

    def submit(self, job: Job) -> None:
        """Hand the workers a trial; `poll` then tells how far it is."""
        self.busy = True
        self._latest = Report(job.trial_id, epochs=job.config["epochs"])
        self._ask("submit", job)

    def poll(self, seconds: float) -> Report:
        """The latest report on the trial, after at most ``seconds``.

        Once a report has ended the trial, the pool can take the next one. If the trial failed in
        only some of the workers, the pool stays ``busy``: the others may wait for them for ever.

        Raises:
            WorkersLostError: the workers are gone.
        """
        reports = self._reports(seconds)
        failures = [report for report in reports if report.outcome == "failed"]
        deadline = time.monotonic() + COMMON_FAILURE_SECONDS
        while failures and len(failures) < self._workers and time.monotonic() < deadline:
            failures += self._reports(deadline - time.monotonic())
        if failures:
            self.busy = len(failures) < self._workers
            return failures[0]
        if reports:
            self._latest = functools.reduce(lambda before, last: last.after(before), reports)
        self.busy = not self._latest.ended
        return self._latest

    def _reports(self, seconds: float) -> list[Report]:
        reports: list[Report] = self._ask("poll", max(0.0, seconds))
        for report in reports:
            if report.lost:
                raise WorkersLostError(report.error)
        if not reports and not self._thread.is_alive():
            raise WorkersLostError(f"the workers of the trial are gone ({_reason(self._error)})")
        return reports

    def _ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the mailbox, which is there a few seconds after the pool is made."""
        while self._trainer.mailbox is None and self._thread.is_alive():
            time.sleep(0.01)
        if self._trainer.mailbox is None:
            raise WorkersLostError(f"the workers could not be started ({_reason(self._error)})")
        try:
            return ray.get(getattr(self._trainer.mailbox, method).remote(*arguments))
        except ray.exceptions.RayActorError as error:
            raise WorkersLostError(f"the workers' controller died ({_reason(error)})") from error

    def stop(self) -> None:
        """Have the trial that the workers are at save a checkpoint, when its epoch is over.

        That is waited for as long as a trial trains between two checkpoints: an epoch that takes
        longer has begun with one.
        """
        with contextlib.suppress(WorkersLostError):
            if self._thread.is_alive():
                self._ask("stop", SAVE_SECONDS)

    def close(self) -> None:
        """End the workers; those in the middle of a trial are killed."""
        with contextlib.suppress(WorkersLostError):
            if self._thread.is_alive() and not self.busy:
                self._ask("submit", None)
                self._thread.join(SHUTDOWN_SECONDS)
        if self._thread.is_alive() and self._trainer.mailbox is not None:
            ray.kill(self._trainer.mailbox)  # its workers belong to it and go with it
            self._thread.join(SHUTDOWN_SECONDS)
        self._scratch.close()


def _reason(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else "no reason was given"


# -- inside Ray Train -------------------------------------------------------------------------


class _Borrowed(DefaultPlacementGroupHandle):
    """A placement group that belongs to Tune, and so is not removed with the workers."""

    def shutdown(self) -> None:
        """Does nothing: Tune frees the group when its actor is done."""


class _WorkerGroup(WorkerGroup):
    """Workers in the bundles of the trial that their controller runs in."""

    def _create_placement_group(self, *arguments: Any) -> Any:
        reserved = ray.util.get_current_placement_group()
        if reserved is None:  # not under Tune: Ray Train reserves for itself
            return super()._create_placement_group(*arguments)
        return _Borrowed(reserved)


class _Policy(FixedScalingPolicy):
    """A fixed number of workers, for which Tune has asked the autoscaler already."""

    def after_controller_start(self, train_run_context: Any) -> None:
        """Does nothing: there is nothing to ask for."""

    def _maybe_send_resource_request(self) -> None:
        """Does nothing, likewise."""


class _Controller(TrainController):
    """Ray Train's controller with a mailbox: jobs go to the workers, reports come from them."""

    worker_group_cls = _WorkerGroup

    def __init__(self, **arguments: Any) -> None:
        self._jobs: list[Job | None] = []
        self._reports: list[Report] = []
        self._news, self._saved = asyncio.Event(), asyncio.Event()
        self._stopping = False
        super().__init__(**arguments)

    async def submit(self, job: Job | None) -> None:
        """Leave a job for the workers; None tells them to end."""
        self._jobs.append(job)
        self._reports.clear()

    async def next(self, number: int) -> Job | None:
        """Wait for job ``number`` and return it. Every worker asks for every job."""
        while len(self._jobs) <= number:
            await asyncio.sleep(0.01)
        return self._jobs[number]

    async def report(self, number: int, report: Report) -> bool:
        """Leave a worker's report on job ``number``; one on an earlier job comes too late.

        Returns:
            Whether the worker is to save a checkpoint and end.
        """
        if number == len(self._jobs) - 1:
            self._reports.append(report)
            self._news.set()
        return self._stopping

    async def stop(self, seconds: float) -> None:
        """Wait at most ``seconds`` until a checkpoint is saved."""
        self._stopping = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._saved.wait(), seconds)

    async def saved(self) -> None:
        """A checkpoint is saved."""
        self._saved.set()

    async def poll(self, seconds: float) -> list[Report]:
        """Wait at most ``seconds`` for a report, and return all since the last call."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()
        reports, self._reports = self._reports, []
        return reports


@dataclass
class _Torch(TorchConfig):
    """torch's process group, with a file at which the workers of one machine can meet."""

    rendezvous: str = ""

    @property
    def backend_cls(self) -> type[TorchBackend]:
        return _Backend


class _Backend(TorchBackend):
    """Where Ray listens on 127.0.0.1 alone, the workers do too.

    A rendezvous of ``torch.distributed`` at an address opens a port on all interfaces.
    """

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        if ray.util.get_node_ip_address() != LOOPBACK:
            super().on_start(worker_group, backend_config)
            return
        worker_group.execute(set_rank_variables)
        worker_group.execute(use_loopback)
        ray.get(
            [
                worker_group.execute_single_async(
                    rank,
                    join_process_group,
                    backend=backend_config.backend,
                    world_rank=rank,
                    world_size=len(worker_group),
                    init_method=f"file://{backend_config.rendezvous}",
                    timeout_s=backend_config.timeout_s,
                )
                for rank in range(len(worker_group))
            ]
        )


class _Trainer(TorchTrainer):
    """TorchTrainer in the resources that Tune has reserved, without Ray Train's other processes."""

    mailbox: Any = None
    train_loop_config: dict[str, Any]

    def _create_default_callbacks(self) -> list[Any]:
        needed = (AcceleratorSetupCallback, BackendSetupCallback)
        every = super()._create_default_callbacks()  # type: ignore[misc]
        return [callback for callback in every if isinstance(callback, needed)]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        arguments["scaling_policy"] = _Policy(arguments["train_run_context"].scaling_config)
        environment = {"env_vars": get_env_vars_to_propagate()}
        actor: Any = ray.remote(num_cpus=0, runtime_env=environment)(_Controller)
        mailbox = actor.options(name=self.train_loop_config["mailbox"]).remote(**arguments)
        self.mailbox = mailbox
        ray.get(mailbox.run.remote())
        return ray.get(mailbox.get_result.remote())


def _serve(settings: dict[str, Any]) -> None:
    """What each worker runs: one trial after another, until there are no more."""
    from trainables.parallel.group import DistributedGroup

    mailbox = ray.get_actor(settings["mailbox"])
    first = train.get_context().get_world_rank() == 0
    for number in itertools.count():
        job: Any = ray.get(mailbox.next.remote(number))
        if job is None:
            return
        told = time.monotonic()
        reports = run_job(_on_this_device(job), DistributedGroup)
        for report in reports:
            passed = time.monotonic() - told >= WORKER_REPORT_SECONDS
            due = report.ended or report.notes or passed
            if report.outcome == "failed" or (first and due):
                stop = ray.get(mailbox.report.remote(number, report))
                told = time.monotonic()
                if stop and first and not report.ended:
                    reports.close()
                    ray.get(mailbox.saved.remote())
                    return


def _on_this_device(job: Job) -> Job:
    """``job`` on the device that Ray Train gave this worker, unless another kind was asked for."""
    asked, given = job.execution.get("device", "auto"), get_device()
    if asked not in ("auto", given.type):
        return job
    return replace(job, execution={**job.execution, "device": str(given)})


__all__ = ["WorkerPool"]
