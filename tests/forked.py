"""A driver in a process of its own, without the seconds in which Python imports torch."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path


@dataclass(frozen=True)
class Forked:
    """A copy of this process that calls a function, and what it says on standard error."""

    process: ForkProcess
    file: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def wait(self, seconds: float) -> str:
        """What it had said when it ended."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"it goes on: {self.file.read_text()}"
        return self.file.read_text()


@contextlib.contextmanager
def forked(call: Callable[[], object], said: Path) -> Iterator[Forked]:
    """``call()`` in a fork of this process, in a session of its own; what is left of it is killed.

    Args:
        said: The file that its standard error and output go to.
    """

    def child() -> None:
        os.setsid()
        with said.open("wb", buffering=0) as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        # What pytest has put in their place holds what it has captured of this process.
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        call()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    try:
        yield Forked(process, said)
    finally:
        process.kill()
        process.join()
