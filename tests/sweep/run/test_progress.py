"""What a person sees of a running sweep, on a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from rich.console import Console

from sweep.aggregate import SELECTIONS
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.run import progress
from tests.sweep.cases import EQUAL_ROWS, TINY
from trainables.storage.result import TrialResult


@pytest.fixture
def planned() -> Plan:
    return plan(TINY, "smoke", SELECTIONS["paper"], Record.from_runs([]))


def done(trial_id: str) -> TrialResult:
    return TrialResult(trial_id, "done", {}, {"test_error": 0.125, "training_seconds": 3.0}, {})


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Standard error as a terminal; what it shows."""
    console = Console(record=True, force_terminal=True, width=160, file=SimpleNamespace(
        write=lambda text: None, flush=lambda: None, isatty=lambda: True))  # fmt: skip
    monkeypatch.setattr(progress, "_console", lambda: console)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    return console.export_text


def test_the_bar_counts_the_trials_in_each_state(
    planned: Plan, terminal: Callable[[], str]
) -> None:
    bar = progress.observer()
    assert isinstance(bar, progress._Bar)
    first, second = planned.trials[:2]
    bar.on_submit(planned, planned.trials, max_concurrent=2, recorded=0)
    bar.on_progress(first, 0, 2)
    bar.on_progress(second, 0, 2)
    counts = bar._progress.tasks[0].fields["counts"]
    assert counts == "0 done  2 running  2 queued"
    bar.on_progress(first, 1, 2)
    assert bar._progress.tasks[0].completed == 0.5
    bar.on_end(first, "done", done(first.trial_id))
    assert bar._progress.tasks[0].fields["counts"] == "1 done  1 running  2 queued"
    bar.on_progress(second, 1, 2)
    assert bar._progress.tasks[0].completed == 1.5
    bar.on_retry(second)
    assert bar._progress.tasks[0].fields["counts"] == "1 done  0 running  2 queued  1 retrying"
    bar.on_progress(second, 1, 2)
    assert bar._progress.tasks[0].fields["counts"] == "1 done  1 running  2 queued"
    bar.on_end(second, "failed: out of memory", None)
    assert bar._progress.tasks[0].fields["counts"] == "1 done  0 running  2 queued  1 failed"
    bar.close()
    assert bar._progress is None
    assert "erm · seed 0: test error 12.50 % in 3.0 s" in terminal()


def test_a_bar_ends_with_its_last_trial_and_bears_a_second_end(
    planned: Plan, terminal: Callable[[], str]
) -> None:
    bar = progress.observer()
    bar.on_submit(planned, planned.trials, max_concurrent=2, recorded=0)
    for trial in planned.trials:
        bar.on_end(trial, "diverged", None)
    assert bar._progress is None
    bar.close()
    assert sum(line.endswith(": diverged") for line in terminal().splitlines()) == 4


def test_the_opening_counts_each_trial_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Two rows of equal settings are two trials, not four; so are those that wait for a winner."""
    found = plan(EQUAL_ROWS, "smoke", SELECTIONS["paper"], Record.from_runs([]))
    progress.observer().on_submit(found, found.trials[1:], max_concurrent=1, recorded=1)
    assert capsys.readouterr().err == (
        "test/tiny, preset smoke: 1 to run, 1 at once, 1 already recorded, "
        "3 more once this stage has its winners\n"
    )


def test_a_pipe_gets_plain_lines(planned: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress.observer()
    lines.on_submit(planned, planned.trials, max_concurrent=2, recorded=0)
    trial = planned.trials[0]
    lines.on_progress(trial, 0, 2)
    lines.on_end(trial, "done", done(trial.trial_id))
    lines.on_end(planned.trials[1], "failed: out of memory", None)
    lines.close()
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "test/tiny, preset smoke: 4 to run, 2 at once",
        "[1/4] erm · seed 0: test error 12.50 % in 3.0 s",
        "[2/4] erm · seed 1: failed: out of memory",
    ]
