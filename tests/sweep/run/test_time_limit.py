"""How a limit is written, and what a trial in this process does when its time is over."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator, Iterator

import pytest

from sweep.run.time_limit import TrialTimeoutError, limited, seconds_of, shown
from trainables.config import TrialConfig
from trainables.errors import UsageError
from trainables.job import Job, Report

JOB = Job.of(TrialConfig())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 7200), ("1.5", 5400), ("90m", 5400), ("1h30m", 5400), ("45s", 45), ("1d", 86400)],
)
def test_hours_or_a_duration(text: str, seconds: float) -> None:
    assert seconds_of(text, "--x") == seconds
    assert seconds_of(shown(seconds), "--x") == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "h", "1x", "90m!", "1 h", "0s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--trial-timeout .*: give hours, such as 1\.5"):
        seconds_of(text, "--trial-timeout")


def training(epochs: int, seconds: float) -> Generator[Report]:
    """As `trainables.run_job.run_job`: an exception is the last report."""
    try:
        for epoch in range(epochs):
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                pass
            yield Report(JOB.trial_id, epoch + 1, epochs)
        yield Report(JOB.trial_id, epochs, epochs, outcome="done")
    except Exception as error:
        yield Report.of_failure(JOB, error)


def ends(reports: Iterator[Report]) -> Report:
    *_, last = reports
    return last


def test_a_trial_fails_in_the_middle_of_an_epoch_with_that_reason() -> None:
    before = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    last = ends(limited(training(1, 30), 0.2))
    assert time.monotonic() - began < 30
    assert last.outcome == "failed"
    assert last.error.startswith("TrialTimeoutError: it ran longer than --trial-timeout 0.2s; ")
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_limit_is_of_all_epochs_together() -> None:
    assert "TrialTimeoutError" in ends(limited(training(10**9, 0.01), 0.2)).error


def test_outside_the_main_thread_it_fails_when_its_epoch_is_over() -> None:
    found: list[Report] = []
    thread = threading.Thread(target=lambda: found.append(ends(limited(training(3, 0.1), 0.15))))
    thread.start()
    thread.join()
    assert "TrialTimeoutError" in found[0].error


def test_one_in_time_is_left_alone() -> None:
    assert ends(limited(training(2, 0), 600)).epoch == 2
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)  # else it rings in what comes next
    assert ends(limited(training(2, 0), None)).epoch == 2
    assert TrialTimeoutError(7200).code == 1
