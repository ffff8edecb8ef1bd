"""Folders that last as long as the process that made them, also where that is killed.

Who makes one holds a lock on it, which the system releases with the process. So whoever looks next
knows which folders nobody needs any more, whatever process has the owner's number by then.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "flatsweep."
VARIABLE = "FLATSWEEP_SCRATCH"
"""In the environment of the processes that belong to a folder: its path."""

LONGEST = 20
"""Characters of the path to such folders: Ray's sockets are in them, of at most 107 each."""


class Scratch:
    """A folder of this process.

    Attributes:
        path: Where it is.
    """

    def __init__(self) -> None:
        made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=base()))
        self._lock: int | None = os.open(made, os.O_RDONLY)
        _try_lock(self._lock)
        # Only now has it a name by which others find it.
        self.path = made.rename(made.with_name(made.name.removeprefix(".")))

    def close(self) -> None:
        """Remove it, and end the processes that belong to it."""
        if self._lock is not None:
            remove(self.path)
            os.close(self._lock)
            self._lock = None


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Within, there is such a folder."""
    folder = Scratch()
    try:
        yield folder.path
    finally:
        folder.close()


def base() -> Path:
    """Where such folders are made: the system's place for temporary files, if its path is short."""
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= LONGEST or not Path("/tmp").is_dir() else Path("/tmp")


def leftovers() -> list[Path]:
    """This user's folders that no process holds: their makers were killed."""
    return [folder for folder in sorted(base().glob(f"{PREFIX}*")) if _left(folder)]


def collect() -> list[Path]:
    """Remove the `leftovers`, and what still runs of the processes that belonged to them."""
    found = leftovers()
    for folder in found:
        remove(folder)
    return found


def remove(folder: Path) -> None:
    """Remove a folder; the processes that belong to it would make its files again."""
    end_processes(folder)
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def end_processes(folder: Path) -> None:
    """Kill this user's processes, other than this one, that belong to a folder."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # another's, or it has just ended
            own = process.pid == os.getpid()
            if not own and process.environ().get(VARIABLE) == str(folder):
                process.kill()


def _left(folder: Path) -> bool:
    try:
        if folder.stat().st_uid != os.getuid():
            return False
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # it has just been removed
        return False
    try:
        return _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


__all__ = ["PREFIX", "VARIABLE", "Scratch", "collect", "leftovers", "remove", "scratch"]
