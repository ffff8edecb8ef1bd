"""What is sent to the process that trains, and what it sends back.

A `Job` goes there, and one `Report` after another comes back, the last with the trial's outcome.
The result is in storage before its outcome is reported.
"""

from __future__ import annotations

import json
import platform
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from trainables import own_parts
from trainables.causes import Cause, cause_of
from trainables.config import Request, TrialConfig
from trainables.errors import FlatsweepError
from trainables.masking import mask
from trainables.own_parts import Source
from trainables.storage.files import Storage
from trainables.storage.lease import Leases
from trainables.storage.trial_folder import trial_folder

if TYPE_CHECKING:
    from trainables.execution import Execution


class IdentityError(FlatsweepError):
    """A configuration has another id on a node than where it was sent: the code differs."""


class WorkersLostError(FlatsweepError, RuntimeError):
    """Workers died or stopped answering; the trial can go on from its checkpoint elsewhere."""


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
        sources: Code of a person's own that is to be imported first.
        retried: Causes for which it has been started again as often as it may be.
        driver: Name under which the driver leases trials (`trainables.storage.lease`); empty: it
            leases none.
        until: After so many epochs it is stopped for now, with a checkpoint; 0: it is not.
    """

    trial_id: str
    config: Mapping[str, Any]
    measures: tuple[Request, ...] = ()
    storage: str = "results"
    execution: Mapping[str, Any] = field(default_factory=dict)
    cpus: float = 1
    gpus: float = 0
    sources: tuple[Source, ...] = ()
    retried: tuple[Cause, ...] = ()
    driver: str = ""
    until: int = 0

    @classmethod
    def of(cls, config: TrialConfig, **fields: Any) -> Self:
        """The job that trains ``config``."""
        return cls(config.trial_id, config.model_dump(mode="json"), **fields)

    @property
    def workers(self) -> int:
        """How many workers share each of the trial's batches."""
        return int(self.config["workers"]["count"])

    @property
    def folder(self) -> Storage:
        """The trial's own folder in ``storage``."""
        return trial_folder(Storage(self.storage), self.trial_id)

    def checked_config(self) -> TrialConfig:
        """The configuration, after the check that it has the id which it was sent under.

        Raises:
            IdentityError: it has another id here.
            trainables.own_parts.load.MissingPartsError: code of a person's own is not here.
        """
        own_parts.require(self.sources)
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

    def lease(self) -> bool:
        """Whether the trial may be run: no other driver is at it, and from now on none will be."""
        return not self.driver or Leases(Storage(self.storage), self.driver).claim(self.trial_id)

    def to_json(self) -> str:
        """The job as text; `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The job that `to_json` wrote."""
        fields = json.loads(text)
        measures = tuple(Request(**{**r, "at": tuple(r["at"])}) for r in fields.pop("measures"))
        sources = tuple(Source(**{**s, "files": tuple(s["files"])}) for s in fields.pop("sources"))
        retried = tuple(fields.pop("retried"))
        return cls(measures=measures, sources=sources, retried=retried, **fields)


@dataclass(frozen=True)
class Report:
    """How far a trial is, or how it ended.

    Attributes:
        epoch, epochs: Epochs done so far, and in all.
        numbers: Those of the last epoch, by name.
        outcome: How the trial ended; None while it runs; ``waiting``: it is another driver's.
        error, traceback: Of a failed trial, without the passwords of its storage.
        lost: Whether it failed because another worker of its group is gone; then it can go on from
            its checkpoint with other workers.
        notes: Sentences for a person: what was found damaged, and is made anew.
        host: Name of the machine that made the report.
        cause: Why a failed trial failed.
        node: Id of Ray's node that it failed on, where that matters.
        retried: Whether it is tried again after this failure, in another process.
    """

    trial_id: str
    epoch: int = 0
    epochs: int = 0
    numbers: Mapping[str, float] = field(default_factory=dict)
    outcome: Literal["done", "diverged", "pruned", "failed", "waiting"] | None = None
    error: str = ""
    traceback: str = ""
    lost: bool = False
    notes: Sequence[str] = ()
    host: str = field(default_factory=platform.node)
    cause: Cause = "code"
    node: str = ""
    retried: bool = False

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
            cause=cause_of(error),
        )

    @property
    def ended(self) -> bool:
        """Whether this is the trial's last report."""
        return self.outcome is not None and not self.retried

    def after(self, earlier: Report) -> Report:
        """This report, with the notes of an ``earlier`` one that nobody has read."""
        return replace(self, notes=(*earlier.notes, *self.notes)) if earlier.notes else self

    def to_json(self) -> str:
        """The report as text; `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The report that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**fields | {"notes": tuple(fields["notes"])})


__all__ = ["IdentityError", "Job", "Report", "WorkersLostError"]
