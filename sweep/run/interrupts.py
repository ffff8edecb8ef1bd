"""Ctrl-C, SIGTERM and SIGHUP: the first ends a sweep in good order, the second at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""A person at a terminal; a scheduler, service manager or `kill`; a terminal that is closed."""

ONE_PRESS = 0.5
"""Seconds in which a second signal is the first one: programs in between pass Ctrl-C on, too."""

STOPPING = (
    "stopping: what is being trained saves a checkpoint when its epoch is over; "
    "once more (Ctrl-C or SIGTERM) ends all at once"
)


class Interrupts:
    """Whether one of the signals came.

    Args:
        signals: Which are noted.
    """

    def __init__(self, signals: Sequence[signal.Signals] = SIGNALS) -> None:
        self.seen = False
        self._signals, self._at = signals, 0.0

    def listen(self, first: Callable[[int, FrameType | None], Any]) -> None:
        """From now on note the first signal and call ``first``, which may raise; the next one does
        what it does by default: it ends this process."""
        if threading.current_thread() is not threading.main_thread():
            return

        def note(number: int, frame: FrameType | None) -> None:
            if self.seen and time.monotonic() - self._at < ONE_PRESS:
                return
            if self.seen:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            self.seen, self._at = True, time.monotonic()
            first(number, frame)

        for number in self._signals:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, note)

    def listen_through(self) -> None:
        """Ctrl-C has a handler that others have put in place: note it before that is called."""
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            self.listen(handler)


@contextmanager
def interrupts(
    first: Callable[[int, FrameType | None], Any], signals: Sequence[signal.Signals] = SIGNALS
) -> Iterator[Interrupts]:
    """Within: signals are noted, and ``first`` is called on the first. Afterwards they do what they
    did before, whatever handlers others have left."""
    before = {number: signal.getsignal(number) for number in signals}
    noted = Interrupts(signals)
    noted.listen(first)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextmanager
def like_ctrl_c() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP raise KeyboardInterrupt, so that what is open is closed."""
    with interrupts(signal.default_int_handler, (signal.SIGTERM, signal.SIGHUP)):
        yield


__all__ = ["SIGNALS", "STOPPING", "Interrupts", "interrupts", "like_ctrl_c"]
