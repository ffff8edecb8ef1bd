"""What a trial prints and why it failed, kept in its folder: of bounded size, without passwords.

A store of objects appends nothing to a file, so the file is written anew: not more often than every
`FLUSH_SECONDS`, and never for more than a hundredth of the time. A trial that prints nothing writes
none. What cannot be written costs the log, never the trial.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from trainables.masking import mask
from trainables.storage.files import Storage

LOG = "log.txt"
LIMIT = 256 * 1024
"""Characters that are kept, the last ones."""

FLUSH_SECONDS = 10.0
"""Least time between two writes of a trial that goes on."""

SHARE = 100
"""A write that took a second is not repeated before so many have passed."""

LONGEST_LINE = 4096
"""Characters after which a line that has no end is taken as it is: a bar that is redrawn."""

_LEFT_OUT = re.compile(r"\[(\d+) earlier characters are left out\]\n")


def name_of(rank: int) -> str:
    """The file of one of the workers that share a trial; `LOG` is that of the first."""
    return f"log.{rank}.txt" if rank else LOG


def read(folder: Storage, name: str = LOG) -> tuple[int, str]:
    """(how many characters are left out before it, the text); nothing of a file that is not there.

    Raises:
        trainables.storage.files.StorageError: it cannot be read.
    """
    try:
        text = folder.read(name).decode(errors="replace")
    except FileNotFoundError:
        return 0, ""
    left_out = _LEFT_OUT.match(text)
    return (int(left_out[1]), text[left_out.end() :]) if left_out else (0, text)


def append(folder: Storage, text: str, name: str = LOG, left_out: int = 0) -> None:
    """Add text to the file, without the passwords of the folder's URI and of those in the text.

    Args:
        left_out: Characters that were printed between what the file has and this.

    Raises:
        trainables.storage.files.StorageError: it cannot be read or written.
    """
    before, kept = read(folder, name)
    if left_out:
        before, kept = before + len(kept) + left_out, ""
    whole = kept + mask(text, folder.root)
    dropped = max(0, len(whole) - LIMIT)
    before += dropped
    said = f"[{before} earlier characters are left out]\n" if before else ""
    folder.write(name, (said + whole[dropped:]).encode(errors="replace"))


def opening() -> str:
    """The line at which a process begins to print: when, and where."""
    now = datetime.now(UTC).isoformat(" ", "seconds")
    return f"== {now}, {platform.node()}, process {os.getpid()} ==\n"


class TrialLog:
    """Collects what one process prints while it trains, and keeps it in the trial's folder.

    Args:
        folder: Opens the trial's folder, when there is something to write.

    Attributes:
        rank: Which of the workers that share the trial this process is; each has a file.
    """

    def __init__(self, folder: Callable[[], Storage]) -> None:
        self._folder = folder
        self.rank = 0
        self._pieces: list[str] = []
        self._length = self._left_out = 0
        self._begun = False
        self._due = time.monotonic() + FLUSH_SECONDS

    @contextlib.contextmanager
    def capturing(self) -> Iterator[None]:
        """Within, what this thread prints is collected too."""
        before = getattr(_current, "log", None)
        _current.log = self
        try:
            with (
                contextlib.redirect_stdout(_Tee(sys.stdout)),
                contextlib.redirect_stderr(_Tee(sys.stderr)),
            ):
                yield
        finally:
            _current.log = before

    def add(self, text: str) -> None:
        """Collect text; write what there is, if the last time is long enough ago."""
        self._pieces.append(text)
        self._length += len(text)
        if self._length > 2 * LIMIT:
            self._shorten()
        if time.monotonic() >= self._due:
            self.flush(whole_lines=True)

    def _shorten(self) -> None:
        self._left_out += self._length - LIMIT
        self._pieces, self._length = ["".join(self._pieces)[-LIMIT:]], LIMIT

    def flush(self, whole_lines: bool = False) -> None:
        """Write what was collected since the last time.

        Args:
            whole_lines: Leave a line that has no end yet: half a password is not known as one.
        """
        text = "".join(self._pieces)
        ends = text.rfind("\n") + 1 if whole_lines else len(text)
        if whole_lines and len(text) - ends > LONGEST_LINE:
            ends = len(text)
        if not ends:
            return
        self._pieces = [text[ends:]] if text[ends:] else []
        self._length = len(text) - ends
        started = time.monotonic()
        with contextlib.suppress(Exception):
            begin = "" if self._begun else opening()
            self._begun = True
            append(self._folder(), begin + text[:ends], name_of(self.rank), self._left_out)
        self._left_out = 0
        now = time.monotonic()
        self._due = now + max(FLUSH_SECONDS, SHARE * (now - started))


_current = threading.local()
"""``log``: of the trial that this thread trains, if it does."""


class _Tee:
    """A stream that also goes into the log of the trial that the writing thread trains.

    All else is the stream's: a debugger finds its terminal. It may outlive the trial, in a handler
    of ``logging``, and then serves the next.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        log = getattr(_current, "log", None)
        if log is not None:
            log.add(text)
        return int(self._stream.write(text) or 0)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


__all__ = ["LOG", "TrialLog", "append", "name_of", "opening", "read"]
