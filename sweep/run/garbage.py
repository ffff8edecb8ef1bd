"""What lies in storage, and on this machine, and nothing refers to: found, and removed if asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from trainables import scratch
from trainables.storage.files import HALF_WRITTEN, SET_ASIDE, Storage
from trainables.storage.trial_folder import CHECKPOINT, RESULT

BUSY = 3600.0
"""Seconds in which a file may still be somebody's who is at work on it."""

UNFINISHED = 86400.0
"""The same of a trial's folder, whose trial may be written to once an epoch."""


@dataclass(frozen=True)
class Garbage:
    """Something that nothing refers to.

    Attributes:
        kind: ``temporary`` (a file that was being written), ``set aside`` (a damaged one that was
            kept), ``checkpoint`` (of a trial that has its result), ``trial`` (that neither the
            record nor a plan knows) or ``process`` (the folder of one that was killed, on this
            machine).
        files: Their names in the storage; of a process the folder's path alone.
        bytes: Their size together.
    """

    kind: str
    files: tuple[str, ...]
    bytes: int

    @property
    def name(self) -> str:
        """The file, or the trial's folder."""
        return self.files[0] if self.kind != "trial" else self.files[0].rpartition("/")[0]


def find(storage: Storage, known: Set[str] | None) -> Iterator[Garbage]:
    """Everything of the kind, the trials in order.

    Args:
        known: Ids of trials that the record or a plan has; None: nobody can say, and no trial's
            folder counts.
    """
    for folder in scratch.leftovers():
        yield Garbage("process", (str(folder),), _bytes_below(folder))
    for name in storage.names("*"):
        if HALF_WRITTEN.fullmatch(name):
            yield from _files("temporary", [name], storage, BUSY)
    names = [name for name in storage.names("trials/*/*") if name.count("/") == 2]
    for trial_id, group in groupby(names, lambda name: name.split("/")[1]):
        files = list(group)
        unknown = known is not None and trial_id not in known
        if unknown and (found := list(_files("trial", files, storage, UNFINISHED))):
            yield from found
            continue
        yield from _in_folder(files, storage)


def _in_folder(files: list[str], storage: Storage) -> Iterator[Garbage]:
    for name in files:
        folder, _, last = name.rpartition("/")
        if HALF_WRITTEN.fullmatch(last):
            yield from _files("temporary", [name], storage, BUSY)
        elif SET_ASIDE.fullmatch(last):
            yield from _files("set aside", [name], storage, 0)
        elif last == CHECKPOINT and f"{folder}/{RESULT}" in files:
            yield from _files("checkpoint", [name], storage, BUSY)


def _files(kind: str, names: Iterable[str], storage: Storage, busy: float) -> Iterator[Garbage]:
    """``names`` as garbage, if none of them was written within ``busy`` seconds."""
    names = tuple(names)
    with suppress(FileNotFoundError):  # its writer has just removed it
        if all(storage.age(name) >= busy for name in names):
            yield Garbage(kind, names, sum(map(storage.size, names)))


def remove(found: Iterable[Garbage], storage: Storage) -> None:
    """Remove what was found."""
    for each in found:
        if each.kind == "process":
            scratch.remove(Path(each.files[0]))
            continue
        for name in each.files:
            storage.delete(name)
        if each.kind == "trial" and storage.local:
            shutil.rmtree(storage.path(each.name), ignore_errors=True)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


__all__ = ["Garbage", "find", "remove"]
