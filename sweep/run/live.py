"""What a driver says of its sweep while it runs, in one small file in the storage.

`sweep.run.announcer` writes it; ``sweep status``, ``logs`` and ``cancel`` read it, on any machine
that reaches the storage. A driver has a file of its own, in the folder of its sweep: two drivers of
one sweep are seen side by side.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

from sweep.record.membership import FOLDER, stored_at, sweep_name
from trainables.errors import UsageError
from trainables.parse_json import parse_json
from trainables.storage.files import Storage

State = Literal["queued", "waiting", "running", "retrying", "done", "diverged", "pruned", "failed"]

STATES: tuple[State, ...] = (
    "queued", "waiting", "running", "retrying", "done", "diverged", "pruned", "failed",
)  # fmt: skip
"""What a trial is. ``queued``: it can run, and does not yet; ``waiting``: for the winner of an
earlier stage; ``retrying``: its process died, and it goes on when another has started."""

EVERY_SECONDS = 10.0
"""Between two writes of a driver's file."""

SILENT_SECONDS = 120.0
"""A driver that wrote nothing for so long is taken to be dead."""

ERROR_LENGTH = 200
"""Characters of an error that are shown."""


@dataclass(frozen=True)
class LiveTrial:
    """A trial that a driver has something to say of.

    Attributes:
        state: ``running``, ``retrying`` or ``failed``; ``queued`` if it was cancelled.
        since: When it came to that, in Unix seconds of the driver's clock.
        epoch, epochs: Done so far, and in all.
        node: Where it runs.
        error: Why it failed, in one line.
        cancelled: Whether a person has stopped it; the next ``sweep run`` runs it.
    """

    state: State
    since: float
    epoch: int = 0
    epochs: int = 0
    node: str = ""
    error: str = ""
    cancelled: bool = False


@dataclass(frozen=True)
class Answer:
    """What a driver says to a request (`sweep.run.cancel`).

    Attributes:
        done: Whether it does what was asked.
        said: A sentence.
    """

    done: bool
    said: str


@dataclass(frozen=True)
class LiveSweep:
    """A driver's file.

    Attributes:
        artifact, preset, selection, variant: The sweep's name.
        driver: What the driver is called, in the file's name too.
        node, pid: The machine and the process that it is.
        started, written: When it started, and when it wrote this, in Unix seconds of its clock.
        ended: How it ended: ``finished``, ``stopped``, ``cancelled`` or an error; empty before.
        max_concurrent: How many trials run at once.
        counts: How many trials are in each of `STATES`, those of earlier runs among them.
        trials: Those that run, or have failed or were cancelled in this run, by id.
        answered: Id of a request -> what the driver says to it.
    """

    artifact: str
    preset: str
    selection: str
    variant: str
    driver: str
    node: str
    pid: int
    started: float
    written: float
    ended: str = ""
    max_concurrent: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    trials: Mapping[str, LiveTrial] = field(default_factory=dict)
    answered: Mapping[str, Answer] = field(default_factory=dict)

    @property
    def sweep(self) -> str:
        """The sweep's name, as that of its run in MLflow."""
        return sweep_name(self.artifact, self.preset, self.selection, self.variant)

    @property
    def paper(self) -> str:
        """What the artifact's name begins with."""
        return self.artifact.partition("/")[0]

    @property
    def folder(self) -> str:
        """Where the files of all drivers of this sweep are."""
        return stored_at(self.sweep)

    @property
    def file(self) -> str:
        """Where this driver's file is."""
        return f"{self.folder}/{self.driver}.json"

    def silent(self) -> float:
        """Seconds since it was heard of, by this machine's clock."""
        return max(0.0, time.time() - self.written)

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as can be told."""
        return not self.ended and self.silent() < SILENT_SECONDS

    def heard(self) -> str:
        """When it was heard of, in words."""
        seconds = self.silent()
        if seconds < SILENT_SECONDS:
            return f"heard of {seconds:.0f} s ago"
        return f"has not been heard of for {seconds / 60:.0f} minutes"

    def to_json(self) -> str:
        """The file's text; `from_json` reads it."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote.

        Raises:
            UsageError: it is of another version, or damaged.
        """
        try:
            fields: dict[str, Any] = parse_json(text)
            trials = {name: LiveTrial(**trial) for name, trial in fields.pop("trials").items()}
            answered = {name: Answer(**said) for name, said in fields.pop("answered").items()}
            return cls(**fields, trials=trials, answered=answered)
        except (AttributeError, KeyError, TypeError) as error:
            raise UsageError(f"no file of a driver ({error})") from error


def in_one_line(error: str) -> str:
    """What went wrong, short enough for a line."""
    return " ".join(error.split())[:ERROR_LENGTH]


def read(storage: Storage, file: str) -> LiveSweep | None:
    """What a driver wrote last; None: the file is damaged, or was removed meanwhile."""
    try:
        return LiveSweep.from_json(storage.read(file).decode())
    except (ValueError, FileNotFoundError):
        return None


def drivers(storage: Storage) -> list[LiveSweep]:
    """What the drivers of all sweeps wrote last, the latest start last; what is damaged is none."""
    found = (read(storage, name) for name in storage.names(f"{FOLDER}/*/*.json"))
    return sorted(filter(None, found), key=lambda one: one.started)


def latest(found: LiveSweep, storage: Storage) -> LiveSweep:
    """``found`` as its driver wrote it last."""
    return read(storage, found.file) or replace(found, ended=found.ended or "removed")


__all__ = [
    "EVERY_SECONDS",
    "SILENT_SECONDS",
    "STATES",
    "Answer",
    "LiveSweep",
    "LiveTrial",
    "State",
    "drivers",
    "in_one_line",
    "latest",
    "read",
]
