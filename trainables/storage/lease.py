"""Who is at work on a trial, where several drivers share a storage.

In ``leases/`` each driver has a file that it touches every `BEAT` seconds, its heartbeat, and each
trial that is run a file with the name of its driver. A trial is free if it has no such file, or one
of a driver whose heartbeat is `STALE` seconds old or is gone, or whose process is, where it was one
of this machine. Files are made with O_EXCL, which is atomic on file systems, NFS among them; a
driver that ends leaves none, and those of one that was killed are removed by the next.

How old a heartbeat is, is the difference of two times that the file system has set: that of the
heartbeat, and that of a file which is made to learn the time now. No machine's clock is asked, so
that it does not matter by how much theirs differ.

Other stores (fsspec's) have no atomic creation: there every trial is free, two drivers may train
the same one, and its result, which is the same, is recorded once.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil

from trainables.parse_json import parse_json
from trainables.storage.files import Storage

BEAT = 20.0
"""Seconds between two heartbeats."""

STALE = 120.0
"""Age in seconds of a heartbeat that is none any more."""

CLOCK = 60.0
"""Seconds by which the start of one process may differ between two looks: the system derives it
from its clock, which may be set meanwhile."""

PATIENCE = 60.0
"""Seconds to wait for what others do in a moment."""

TRIES, WAIT = 50, 0.01
"""How often, and after how many seconds, a driver looks again at what another is removing."""

FOLDER = "leases"
DRIVER = ".driver"
"""Ends the name of a driver's file."""


@dataclass(frozen=True)
class Driver:
    """A process that drives a sweep.

    Attributes:
        host: Its machine's name, for people.
        machine: What tells one running system, whose process ids count, from all others.
        pid, started: Of the process; a process id is used again.
    """

    host: str
    machine: str
    pid: int
    started: float

    @classmethod
    def here(cls) -> Driver:
        """This process."""
        return cls(platform.node(), _machine(), os.getpid(), psutil.Process().create_time())

    @property
    def ended(self) -> bool:
        """Whether it was a process of this machine, and is gone."""
        if self.machine != _machine():
            return False
        try:
            process = psutil.Process(self.pid)
            other = abs(process.create_time() - self.started) > CLOCK
            return other or bool(process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True)
class Leases:
    """The leases of a storage, as one driver sees them.

    Attributes:
        storage: Where the results are.
        owner: Name of the driver.
    """

    storage: Storage
    owner: str

    def claim(self, name: str) -> bool:
        """Whether ``name``, a trial's id, is this driver's: it is from now on, if it was free.

        Where no file can be made, for want of room or of rights, nobody can be asked: it is.
        """
        if not self.storage.local:
            return True
        file = self._folder / name
        try:
            for _ in range(TRIES):
                if _created(file, self.owner):
                    return True
                found = _text(file)
                if found == self.owner:
                    return True
                if found is not None and not self._free(file, found, _now(self._folder)):
                    return False
                if not _remove(file, found):
                    time.sleep(WAIT)  # another one is about to
            return _created(file, self.owner)
        except OSError:
            return True

    def release(self, name: str) -> None:
        """Let others have it, if it is this driver's."""
        if self.storage.local:
            for _ in range(TRIES):
                if _remove(self._folder / name, self.owner):
                    return
                time.sleep(WAIT)

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Within, no other driver is in a block of this name, unless one stays in it for long."""
        until = time.monotonic() + PATIENCE
        while not self.claim(name) and time.monotonic() < until:
            time.sleep(0.05)
        try:
            yield
        finally:
            self.release(name)

    def held_by_others(self, names: Iterable[str]) -> dict[str, Driver | None]:
        """Those of ``names`` that others are at, with whom as far as that is known."""
        names = set(names)
        found: dict[str, Driver | None] = {}
        try:
            listed = names.intersection(os.listdir(self._folder)) if self.storage.local else ()
            now = _now(self._folder) if listed else 0.0
        except OSError:
            return {}
        for name in listed:
            file = self._folder / name
            owner = _text(file)
            if owner is not None and owner != self.owner and not self._free(file, owner, now):
                found[name] = self._driver(owner)
        return found

    def remove_stale(self) -> None:
        """Remove what drivers have left that were killed."""
        with contextlib.suppress(OSError):
            now = _now(self._folder)
            for name in os.listdir(self._folder):
                file = self._folder / name
                if name.endswith(DRIVER):
                    if not self._beats(name.removesuffix(DRIVER), now):
                        file.unlink(missing_ok=True)
                elif name.startswith("."):
                    if now - file.stat().st_mtime > STALE:
                        file.unlink(missing_ok=True)
                elif (owner := _text(file)) is not None and self._free(file, owner, now):
                    _remove(file, owner)

    @property
    def _folder(self) -> Path:
        return Path(self.storage.path(FOLDER))

    def _free(self, file: Path, owner: str, now: float) -> bool:
        """Whether the lease in ``file`` counts no more."""
        if owner:
            return not self._beats(owner, now)
        # Its owner's name is about to be written, or the machine broke down before it was.
        try:
            return now - file.stat().st_mtime > STALE
        except OSError:
            return True

    def _beats(self, owner: str, now: float) -> bool:
        """Whether that driver's heart beats."""
        try:
            # Opened, not looked at: NFS asks the server for the times of a file that is opened.
            with open(self._folder / f"{owner}{DRIVER}", "rb") as file:
                last = os.fstat(file.fileno()).st_mtime
        except OSError:
            return False
        driver = self._driver(owner)
        return now - last < STALE and not (driver is not None and driver.ended)

    def _driver(self, owner: str) -> Driver | None:
        try:
            return Driver(**parse_json((self._folder / f"{owner}{DRIVER}").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None


@contextlib.contextmanager
def driving(storage: Storage) -> Iterator[Leases]:
    """Within, this process drives a sweep: its heart beats. Its leases end with it."""
    leases = Leases(storage, uuid.uuid4().hex)
    if not storage.local:
        yield leases
        return
    leases.remove_stale()
    folder = Path(storage.path(FOLDER))
    file, ended = folder / f"{leases.owner}{DRIVER}", threading.Event()
    described = json.dumps(asdict(Driver.here()))
    _beat(file, described)
    heart = threading.Thread(
        target=_beat_until, args=(ended, file, described), daemon=True, name="heartbeat"
    )
    heart.start()
    try:
        yield leases
    finally:
        ended.set()
        heart.join()
        _leave(folder, leases.owner)


def _beat_until(ended: threading.Event, file: Path, described: str) -> None:
    while not ended.wait(BEAT):
        _beat(file, described)


def _beat(file: Path, described: str) -> None:
    """Touch the file, at the file system's own time; make it if it is not there."""
    with contextlib.suppress(OSError):  # a full or missing disk is the trials' to say
        _created(file, described)
        os.utime(file)


def _leave(folder: Path, owner: str) -> None:
    """Remove all that the driver has there, and the folder if nobody else is in it."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if not name.endswith(DRIVER):
                _remove(folder / name, owner)
        (folder / f"{owner}{DRIVER}").unlink(missing_ok=True)
        folder.rmdir()


def _created(file: Path, content: str) -> bool:
    """Whether this call has made the file: of several at once, one does. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):  # the last driver to leave removes the folder
        return _create(file, content)
    return _create(file, content)


def _create(file: Path, content: str) -> bool:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(file, "x", encoding="utf-8") as made:
            made.write(content)
    except FileExistsError:
        return False
    return True


def _text(file: Path) -> str | None:
    """What is in the file; None: there is none."""
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return None


def _remove(file: Path, owner: str | None) -> bool:
    """Remove a lease of ``owner``, and none that another driver has made in its place since.

    One alone of several looks and removes, who has made a file beside it.

    Returns:
        False if another one was at it; it may be there still.
    """
    if owner is None:
        return True
    beside = file.with_name(f".{file.name}.removed")
    with contextlib.suppress(OSError):
        if not _create(beside, ""):
            if _now(file.parent) - beside.stat().st_mtime > STALE:  # that one was killed
                beside.unlink(missing_ok=True)
            return False
        try:
            if _text(file) == owner:
                file.unlink()
        finally:
            beside.unlink()
    return True


def _now(folder: Path) -> float:
    """The file system's time. Raises OSError."""
    file = folder / f".now.{uuid.uuid4().hex}"
    try:
        file.touch()
        os.utime(file)  # without a time: a server of files then sets its own
        return file.stat().st_mtime
    finally:
        file.unlink(missing_ok=True)


@cache
def _machine() -> str:
    """This running system: its name, its start and, in a container, its process ids' namespace."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


__all__ = ["BEAT", "STALE", "Driver", "Leases", "driving"]
