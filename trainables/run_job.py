"""The one way in which a job is run: in this process, in an actor of Ray Tune, or in workers."""

from __future__ import annotations

import time
from bdb import BdbQuit
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from trainables.job import Job, Report
from trainables.storage.trial_folder import RESULT

if TYPE_CHECKING:
    import torch

    from trainables.parallel.group import Group


def run_job(job: Job, group: Callable[[torch.device], Group] | None = None) -> Iterator[Report]:
    """Train ``job`` (from its checkpoint, if it has one), an epoch between two reports.

    Args:
        group: Makes, on its device, the group of workers that this process is one of; None: it
            trains alone. Every worker runs the job.

    Yields:
        A report after each epoch, and at last one with an outcome. An exception is an outcome, not
        a crash: it would be raised again on any node.
    """
    try:
        from trainables.parallel.group import SINGLE_PROCESS
        from trainables.train import training

        config, execution = job.checked_config(), job.make_execution()
        members = SINGLE_PROCESS if group is None else group(execution.torch_device())
        result = yield from training(config, execution, job.folder, members)
        last = Report(job.trial_id, config.epochs, config.epochs, outcome=result.status)
    except BdbQuit:  # a person has left the debugger: nothing is wrong with the trial
        raise
    except Exception as error:
        from trainables.parallel.group import PeerLostError

        last = Report.of_failure(job, error, lost=isinstance(error, PeerLostError))
    yield last


def cached_report(job: Job) -> Report | None:
    """The last report of a ``job`` that need not be trained (again); None if it must."""
    if not job.folder.exists(RESULT):  # the usual case, seen without importing torch
        return None
    from trainables.train import cached_result

    result = cached_result(job.checked_config(), job.make_execution(), job.folder)
    return None if result is None else Report(job.trial_id, outcome=result.status)


def latest(reports: Iterator[Report], seconds: float) -> Report:
    """The report that is the latest after ``seconds``, or the one that ends the trial before."""
    until = time.monotonic() + seconds
    report = next(reports)
    while not report.ended and time.monotonic() < until:
        report = next(reports)
    return report


__all__ = ["cached_report", "latest", "run_job"]
