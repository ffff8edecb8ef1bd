"""What is tried, what is watched meanwhile, and what counts as a fault.

A `Kind` makes cases and tries them, each in a folder of its own. A case is taken (read, run) or
refused by one of our errors, in one sentence with a word of what was wrong. Everything else is a
fault: another exception, a traceback, a hang, a write outside of the folder, a record that is lost.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

from trainables.errors import PLEASE_REPORT, FlatsweepError

CPU_SECONDS, SECONDS = 20.0, 90.0
"""A case that takes longer hangs. A busy machine is none: wall time has more room."""


class FaultError(AssertionError):
    """What must not happen."""


@dataclass(frozen=True)
class Kind:
    """Cases of one kind.

    Attributes:
        cases: Makes them.
        try_: ``try_(case, folder)``: gives the case to what reads it, with ``folder`` as working
            folder. Returns the sentence by which it was refused, or "" if it was taken; errors of
            ours may pass through. Raises FaultError for what only it can see.
        words: ``words(case)``: texts of which the sentence must have one; none: any sentence does.
        weight: How many cases of it are tried, relative to other kinds: few of slow ones.
    """

    name: str
    cases: SearchStrategy[Any]
    try_: Callable[[Any, Path], str]
    words: Callable[[Any], Sequence[str]] = field(default=lambda _: ())
    weight: float = 1.0


def judge(kind: Kind, case: Any) -> bool:
    """Try a case: whether it was taken. Raises FaultError."""
    with tempfile.TemporaryDirectory(prefix="bad-input-") as made:
        folder = Path(made) / "inside"
        folder.mkdir()
        with _inside(folder), _written(folder) as outside, _in_time():
            try:
                sentence = kind.try_(case, folder)
            except FlatsweepError as error:
                sentence = str(error) or "(an error without a sentence)"
        _look_at(sentence, kind.words(case))
        strays = [path for path in Path(made).iterdir() if path != folder]
        if outside or strays:
            raise FaultError(f"written outside: {[*outside, *strays][:3]}")
    return not sentence


def _look_at(sentence: str, words: Sequence[str]) -> None:
    if len(sentence) > 50_000:
        raise FaultError(f"{len(sentence)} characters are no sentence: {sentence[:200]} ...")
    if "\n" in sentence.strip():
        raise FaultError(f"several lines: {sentence[:500]!r}")
    if sentence and words and not any(word in sentence for word in words):
        raise FaultError(f"names none of {list(words)[:5]}: {sentence[:500]!r}")


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """With ``folder`` as working folder, and as home of whatever looks for one."""
    before, environment = os.getcwd(), dict(os.environ)
    os.chdir(folder)
    os.environ["HOME"] = str(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)


_watched: list[tuple[Path, list[str]]] = []
_hooked = False
WRITES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate"}
TEMPORARY = tuple(f"{tempfile.gettempdir()}/{name}" for name in ("tmp", "torch", "bad-input-t"))
OWN = ("__pycache__", "/dev/null", "/proc/self/fd")


@contextlib.contextmanager
def _written(folder: Path) -> Iterator[list[str]]:
    """Collects the paths that Python writes to outside of ``folder`` and of our cache."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True
    found: list[str] = []
    _watched.append((folder.resolve(), found))
    try:
        yield found
    finally:
        _watched.pop()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or not (event in WRITES or event == "open"):
        return
    path = arguments[0]
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITING):
        return
    if not isinstance(path, str | bytes | os.PathLike):
        return
    folder, found = _watched[-1]
    where = os.path.realpath(os.fsdecode(path))
    allowed = (str(folder), os.environ.get("FLATSWEEP_CACHE", "\0"), *TEMPORARY)
    if not where.startswith(allowed) and not any(own in where for own in OWN):
        found.append(f"{event} {where}")


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    hung = FaultError(f"more than {CPU_SECONDS:g} s of work, or {SECONDS:g} s in all")
    noticed: list[bool] = []

    def late(*_: object) -> None:
        noticed.append(True)
        raise hung

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, CPU_SECONDS),
              (signal.SIGALRM, signal.ITIMER_REAL, SECONDS))  # fmt: skip
    before = [signal.signal(number, late) for number, _, _ in timers]
    for _, timer, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
    if noticed:  # whoever caught it
        raise hung


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """By which it was refused; "" where it did its work, or said what failed in its own way.

        Raises:
            FaultError: it ended in another way than commands do.
        """
        if self.code not in (0, 1, 2) or "Traceback" in self.err or PLEASE_REPORT in self.err:
            raise FaultError(f"exit code {self.code}: {self.err[-3000:]}")
        if self.code == 0:
            return ""
        said = [line for line in self.err.splitlines() if line.startswith("sweep: ")]
        usage = self.err.rpartition("Error: ")[2] if "Usage: " in self.err else ""
        found = said[-1] if said else " ".join(usage.split())
        if not found and not self.err.strip():
            raise FaultError(f"exit code {self.code} and not a word")
        return found


def command(*words: str, variables: Mapping[str, str] = {}) -> Outcome:
    """``sweep WORDS``, in this process, as a shell would start it."""
    from sweep.cli import commands

    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace") for _ in range(2)]
    before = sys.argv, sys.stdout, sys.stderr, gc.get_threshold()
    environment = dict(os.environ)
    sys.argv, (sys.stdout, sys.stderr) = ["sweep", *words], streams
    os.environ.update(variables)
    code: Any = 0
    try:
        commands.main()
    except SystemExit as left:
        code = left.code or 0
    finally:
        sys.argv, sys.stdout, sys.stderr, threshold = before
        gc.set_threshold(*threshold)
        os.environ.clear()
        os.environ.update(environment)
    out, err = (_text(stream) for stream in streams)
    return Outcome(code if isinstance(code, int) else 1, out, err)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


def copied(made: Path, folder: Path) -> None:
    """Put a copy of what is in ``made`` into ``folder``."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
