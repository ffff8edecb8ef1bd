"""What storage knows of sweeps: with it a lost record is made again from storage alone.

A result says what was trained, and not what for. That is in ``sweeps/<hash of its name>.json``, a
note that the driver writes before the trials of a stage start and when all are done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

from sweep.record.membership import FOLDER, Membership, stored_at, sweep_name
from trainables.parse_json import parse_json
from trainables.storage.files import Storage


class Point(NamedTuple):
    """A cell of a sweep at a point of a stage's grid, of which MLflow has a summary.

    Attributes:
        name: For people, as its trials are called but for their seeds.
        stage: The stage that needs it.
        cell: Entries of its cell, in one text.
        trials: Their ids, by seed.
    """

    name: str
    stage: str
    cell: str
    trials: tuple[str, ...]


class Place(NamedTuple):
    """What a trial is in a sweep.

    Attributes:
        name: For people, as its MLflow run is called.
        stage: The stage that needs it.
        cell: Entries of its cell, in one text.
        seed: Its seed in the sweep.
    """

    name: str
    stage: str
    cell: str
    seed: int


@dataclass(frozen=True)
class Note:
    """A sweep, its trials and what was attached to its MLflow run.

    Attributes:
        artifact, preset, selection, variant: What makes the sweep's name.
        title: For people.
        trials: Id -> what the trial is in it.
        files: Name -> text.
        points: Those of which MLflow has summaries; empty: it has none.
    """

    artifact: str
    preset: str
    selection: str
    title: str
    variant: str = ""
    trials: Mapping[str, Place] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()

    @property
    def name(self) -> str:
        """The sweep's name."""
        return sweep_name(self.artifact, self.preset, self.selection, self.variant)

    @property
    def paper(self) -> str:
        """The paper whose experiment its runs are in."""
        return self.artifact.partition("/")[0]

    def membership(self, trial_id: str) -> Membership:
        """The entry of one of its trials."""
        stage = self.trials[trial_id].stage
        return Membership(self.artifact, self.preset, self.selection, stage, self.variant)


def write(storage: Storage, note: Note) -> None:
    """Keep ``note``, with what an earlier one of the sweep has more: trials, files, points."""
    file = f"{stored_at(note.name)}.json"
    if (earlier := _read(storage, file)) is not None:
        trials, files = {**earlier.trials, **note.trials}, {**earlier.files, **note.files}
        points = note.points or earlier.points
        note = replace(note, trials=trials, files=files, points=points)
    if note != earlier:
        storage.write(file, json.dumps(asdict(note), sort_keys=True).encode())


def read_all(storage: Storage) -> Iterator[Note]:
    """The notes of all sweeps, sorted by name; one that is damaged says nothing."""
    found = (_read(storage, file) for file in storage.names(f"{FOLDER}/*.json"))
    yield from sorted(filter(None, found), key=lambda note: note.name)


def _read(storage: Storage, file: str) -> Note | None:
    try:
        fields = parse_json(storage.read(file))
        fields["trials"] = {trial: Place(*place) for trial, place in fields["trials"].items()}
        fields["points"] = tuple(
            Point(name, stage, cell, tuple(trials))
            for name, stage, cell, trials in fields.get("points", ())
        )
        return Note(**fields)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None


__all__ = ["Note", "Place", "Point", "read_all", "write"]
