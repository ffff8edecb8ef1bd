"""How long a trial may run: ``--trial-timeout``."""

from __future__ import annotations

import math
import re
import signal
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

from trainables.errors import FlatsweepError, UsageError
from trainables.job import Report

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


class TrialTimeoutError(FlatsweepError):
    """A trial ran longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"it ran longer than --trial-timeout {shown(seconds)}; it goes on from its checkpoint "
            "with a longer one"
        )


def seconds_of(text: str, flag: str) -> float:
    """Seconds of ``text``: hours, such as 1.5, or a duration, such as 1h30m, 90m or 45s.

    Raises:
        UsageError: it is neither, or not above 0.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text)
    with suppress(ValueError):
        if "".join(map("".join, parts)) == text and parts:
            seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
        else:
            seconds = 3600 * float(text)
        if 0 < seconds < math.inf:
            return seconds
    raise UsageError(f"{flag} {text!r}: give hours, such as 1.5, or a duration, such as 1h30m")


def shown(seconds: float) -> str:
    """``seconds`` as `seconds_of` reads it: 5400 as 1h30m."""
    text, left = "", seconds
    for unit, size in UNITS.items():
        whole = left if unit == "s" else left // size
        if whole:
            text += f"{whole:g}{unit}"
        left -= whole * size
    return text or "0s"


def limited(reports: Generator[Report], seconds: float | None) -> Iterator[Report]:
    """``reports`` of a trial in this process, which raises `TrialTimeoutError` after ``seconds``.

    In the main thread it does so wherever it is, elsewhere when its epoch is over.
    """
    if seconds is None:
        yield from reports
        return
    deadline = time.monotonic() + seconds
    ended = False
    while not ended:
        left = deadline - time.monotonic()
        if left <= 0:
            report = reports.throw(TrialTimeoutError(seconds))
        else:
            with _alarm(left, TrialTimeoutError(seconds)):
                report = next(reports)
        ended = report.ended
        yield report


@contextmanager
def _alarm(seconds: float, error: Exception) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


__all__ = ["TrialTimeoutError", "limited", "seconds_of", "shown"]
