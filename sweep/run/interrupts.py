"""Ctrl-C, noted by whoever runs trials: its exception alone may be lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


class Interrupts:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.seen = False

    def listen(self) -> None:
        """Note every Ctrl-C from now on, before what else is done on it."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(before):
            return

        def note(number: int, frame: FrameType | None) -> None:
            self.seen = True
            before(number, frame)

        signal.signal(signal.SIGINT, note)


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Within: every Ctrl-C is noted. Afterwards it does what it did before.

    Python drops what is raised while an object is being destroyed, and a trial that ends destroys
    many. Ray Tune has a handler of its own, which it leaves behind when it is done: the next Ctrl-C
    does nothing.
    """
    before = signal.getsignal(signal.SIGINT)
    noted = Interrupts()
    noted.listen()
    try:
        yield noted
    finally:
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


__all__ = ["Interrupts", "interrupts"]
