"""Signals: which are noted, what the first and the second do, and what is as before afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sweep.run import interrupts as module
from sweep.run.interrupts import SIGNALS, Interrupts, interrupts, like_ctrl_c

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_told_and_raises_nothing(number: signal.Signals) -> None:
    told = list[int]()

    def handled(*_: object) -> None: ...

    before = signal.signal(number, handled)  # the tests may run under nohup
    try:
        with interrupts(lambda n, _: told.append(n)) as noted:
            assert not noted.seen
            os.kill(os.getpid(), number)
            assert noted.seen
            os.kill(os.getpid(), number)  # the same press of a key, passed on by a program between
        assert told == [number]
        assert signal.getsignal(number) is handled
    finally:
        signal.signal(number, before)


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts(lambda *_: None) as noted:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not noted.seen
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_nothing_is_noted_and_nothing_is_raised() -> None:
    """Python lets no other thread have handlers."""

    def within() -> bool:
        with interrupts(lambda *_: None) as noted:
            return noted.seen

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(within).result() is False


def test_a_handler_that_others_have_put_in_place_is_called_and_the_signal_is_noted() -> None:
    """Ray Tune's own."""
    called, noted = list[int](), Interrupts((signal.SIGINT,))
    before = signal.signal(signal.SIGINT, lambda number, _: called.append(number))
    try:
        noted.listen_through()
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted.seen
    assert called == [signal.SIGINT]


def test_sigterm_is_like_ctrl_c_where_nothing_trains() -> None:
    closed = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            closed.append(True)

    with like_ctrl_c(), pytest.raises(KeyboardInterrupt):
        work()
    assert closed == [True]


SECOND = """
import os, signal, time
from sweep.run import interrupts
interrupts.ONE_PRESS = 0.0
with interrupts.interrupts(lambda *_: print("first", flush=True)):
    os.kill(os.getpid(), signal.{first})
    print("goes on", flush=True)
    try:
        os.kill(os.getpid(), signal.{second})
        time.sleep(5)
    finally:
        print("tidied", flush=True)
"""


@pytest.mark.parametrize("second", ["SIGINT", "SIGTERM"])
def test_the_second_ends_at_once(second: str) -> None:
    """By the signal itself, as whoever waits for the process expects; nothing is tidied."""
    done = subprocess.run(
        [sys.executable, "-c", SECOND.format(first="SIGTERM", second=second)],
        cwd=ROOT, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["first", "goes on"]
    assert done.returncode == -getattr(signal, second)
    assert module.ONE_PRESS < 1
