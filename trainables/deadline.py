"""Waiting for an answer, and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

ANSWER_SECONDS = 9.0
"""In which whatever is asked before work starts must answer: a store, a database, a cluster."""

T = TypeVar("T")


class NoAnswerError(TimeoutError):
    """Nothing came in time."""


def in_time(call: Callable[[], T], seconds: float) -> T:
    """What ``call`` returns or raises; NoAnswerError if it takes so many seconds.

    Then it goes on, in a thread that nobody waits for: a call into the network, or the lookup of a
    name, cannot be ended from outside.
    """
    ended: Future[T] = Future()

    def run() -> None:
        try:
            ended.set_result(call())
        except Exception as error:
            ended.set_exception(error)

    # No pool: at exit Python would wait for its thread, which hangs.
    threading.Thread(target=run, daemon=True).start()
    wait([ended], seconds)
    if not ended.done():
        raise NoAnswerError(f"no answer within {seconds:g} s")
    return ended.result()


__all__ = ["ANSWER_SECONDS", "NoAnswerError", "in_time"]
