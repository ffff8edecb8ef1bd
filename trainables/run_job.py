"""Running a job: the same loop in this process, in an actor of Ray Tune, and in each worker."""

from __future__ import annotations

import time
from bdb import BdbQuit
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from trainables.job import Job, Report
from trainables.storage.trial_folder import RESULT
from trainables.storage.trial_log import TrialLog

if TYPE_CHECKING:
    import torch

    from trainables.parallel.group import Group


def run_job(job: Job, group: Callable[[torch.device], Group] | None = None) -> Generator[Report]:
    """Train ``job`` (from its checkpoint, if it has one), an epoch between two reports.

    Closed between two reports, it saves a checkpoint.

    Args:
        group: Called with this process's device, returns the group of workers that it belongs to;
            each of them runs the job. None: this process trains alone.

    Yields:
        A report after each epoch, and at last one with an outcome. An exception is an outcome, not
        a crash: it would be raised again on any node.

    What is printed meanwhile is kept in the trial's folder too (`trainables.storage.trial_log`).
    """
    log = TrialLog(lambda: job.folder)
    reports = _reports(job, group, log)
    try:
        while True:
            with log.capturing():
                report = next(reports)
            if report.ended:
                log.flush()
            yield report
            if report.ended:
                return
    finally:
        reports.close()
        log.flush()


def _reports(
    job: Job, group: Callable[[torch.device], Group] | None, log: TrialLog
) -> Generator[Report, None, None]:
    try:
        if group is None and not job.lease():
            yield Report(job.trial_id, outcome="waiting")
            return
        from trainables.gpu_memory import share_of_memory
        from trainables.parallel.group import SINGLE_PROCESS
        from trainables.train import training

        config, execution = job.checked_config(), job.make_execution()
        members = SINGLE_PROCESS if group is None else group(execution.torch_device())
        log.rank = members.rank
        with share_of_memory(execution.torch_device(), job.gpus):
            result = yield from training(config, execution, job.folder, members, job.until)
        epoch = job.until if result.status == "pruned" else config.epochs
        last = Report(job.trial_id, epoch, config.epochs, outcome=result.status)
    except BdbQuit:  # a person has left the debugger: nothing is wrong with the trial
        raise
    except Exception as error:
        from trainables.parallel.group import PeerLostError

        last = Report.of_failure(job, error, lost=isinstance(error, PeerLostError))
    yield last


def cached_report(job: Job) -> Report | None:
    """The last report of a job that is not to be trained: its result is in storage already, or it
    is another driver's; else None.

    Of a result that does not count the report says so, and is not the last one.
    """
    if not job.lease():
        return Report(job.trial_id, outcome="waiting")
    if not job.folder.exists(RESULT):  # the usual case, seen without importing torch
        return None
    from trainables.train import cached_result

    notes: list[str] = []
    # A GPU is reserved for those who train, and not for this process.
    config, execution = job.checked_config(), replace(job.make_execution(), device="cpu")
    result = cached_result(config, execution, job.folder, notes.append)
    if result is not None:
        return Report(job.trial_id, outcome=result.status)
    return Report(job.trial_id, epochs=config.epochs, notes=tuple(notes)) if notes else None


def latest(reports: Iterator[Report], seconds: float) -> Report:
    """Read reports for ``seconds`` or until the trial ends, and return the last one."""
    until = time.monotonic() + seconds
    report = next(reports)
    while not report.ended and time.monotonic() < until:
        report = next(reports).after(report)
    return report


__all__ = ["cached_report", "latest", "run_job"]
