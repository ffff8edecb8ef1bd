"""What travels to a trial and back, and the one way in which a job is run.

A `Job` goes from the sweep to the process that trains, and one `Report` after the other comes back,
the last with the trial's outcome. `run_job` is the loop between them, in this process, in an actor
of Ray Tune or in the workers of a group. The result is in storage before its outcome is reported.
"""

from __future__ import annotations

import json
import platform
import time
import traceback
from bdb import BdbQuit
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from trainables.config import Request, TrialConfig
from trainables.errors import FlatsweepError
from trainables.masking import mask
from trainables.storage import Storage
from trainables.stored import RESULT, trial_folder

if TYPE_CHECKING:
    import torch

    from trainables.execution import Execution
    from trainables.group import Group


class IdentityError(FlatsweepError):
    """A node gives a trial another name than it was sent under: its code is not the sender's."""


@dataclass(frozen=True)
class Job:
    """One trial, as it is sent to be run.

    Attributes:
        trial_id: The configuration's, as the sender computed it.
        config: The fields of its `TrialConfig`, as JSON has them.
        measures: What is measured on the trained model.
        storage: Folder or URI of all results; the trial's own is `trial_folder` in it.
        execution: Further options of `trainables.execution.Execution`, as JSON has them.
        cpus, gpus: Reserved for each of the trial's workers.
    """

    trial_id: str
    config: Mapping[str, Any]
    measures: tuple[Request, ...] = ()
    storage: str = "results"
    execution: Mapping[str, Any] = field(default_factory=dict)
    cpus: float = 1
    gpus: float = 0

    @classmethod
    def of(cls, config: TrialConfig, **fields: Any) -> Self:
        """The job that trains ``config``."""
        return cls(config.trial_id, config.model_dump(mode="json"), **fields)

    @property
    def workers(self) -> int:
        """How many share the trial's batches."""
        return int(self.config["workers"]["count"])

    @property
    def folder(self) -> Storage:
        """The trial's own."""
        return trial_folder(Storage(self.storage), self.trial_id)

    def checked_config(self) -> TrialConfig:
        """The configuration, after the check that it is the one which was meant.

        Raises:
            IdentityError: its id is another one here.
        """
        config = TrialConfig(**self.config)
        if config.trial_id != self.trial_id:
            raise IdentityError(
                f"the configuration that was sent as trial {self.trial_id} is trial "
                f"{config.trial_id} on {platform.node()}: its code, or that of a part, is of "
                "another version; install the same on all nodes"
            )
        return config

    def make_execution(self) -> Execution:
        """How the trial is run on this machine."""
        from trainables.execution import Execution

        options = {**self.execution}
        data_dir = options.pop("data_dir", None)
        return Execution(
            data_dir=Path(data_dir) if data_dir else None, measures=self.measures, **options
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields = json.loads(text)
        measures = tuple(Request(**{**r, "at": tuple(r["at"])}) for r in fields.pop("measures"))
        return cls(measures=measures, **fields)


@dataclass(frozen=True)
class Report:
    """What is heard of a trial.

    Attributes:
        epoch, epochs: Done, and to do.
        numbers: Of the last epoch.
        outcome: How the trial ended; None while it runs.
        error, traceback: Of a failed trial, without the passwords of its storage.
        lost: It failed because another worker of its group is gone, and can go on elsewhere.
    """

    trial_id: str
    epoch: int = 0
    epochs: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)
    outcome: Literal["done", "diverged", "failed"] | None = None
    error: str = ""
    traceback: str = ""
    lost: bool = False

    @classmethod
    def of_failure(cls, job: Job, error: Exception, lost: bool = False) -> Self:
        """The last report of a ``job`` that raised ``error``."""
        trace = "".join(traceback.format_exception(error))
        return cls(
            job.trial_id,
            outcome="failed",
            error=mask(f"{type(error).__name__}: {error}", job.storage),
            traceback=mask(trace, job.storage),
            lost=lost,
        )

    @property
    def ended(self) -> bool:
        return self.outcome is not None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


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
        from trainables.group import ALONE
        from trainables.train import training

        config, execution = job.checked_config(), job.make_execution()
        members = ALONE if group is None else group(execution.torch_device())
        result = yield from training(config, execution, job.folder, members)
        last = Report(job.trial_id, config.epochs, config.epochs, outcome=result.status)
    except BdbQuit:  # a person has left the debugger: nothing is wrong with the trial
        raise
    except Exception as error:
        from trainables.group import PeerLostError

        last = Report.of_failure(job, error, lost=isinstance(error, PeerLostError))
    yield last


def already_run(job: Job) -> Report | None:
    """The last report of a ``job`` that need not be trained (again); None if it must."""
    if not job.folder.exists(RESULT):  # the usual case, seen without importing torch
        return None
    from trainables.train import settled

    result = settled(job.checked_config(), job.make_execution(), job.folder)
    return None if result is None else Report(job.trial_id, outcome=result.status)


def latest(reports: Iterator[Report], seconds: float) -> Report:
    """The report that is the latest after ``seconds``, or the one that ends the trial before."""
    until = time.monotonic() + seconds
    report = next(reports)
    while not report.ended and time.monotonic() < until:
        report = next(reports)
    return report


__all__ = ["IdentityError", "Job", "Report", "already_run", "latest", "run_job"]
