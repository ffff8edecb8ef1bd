"""Every figure of the benchmark of scale at toy size, and how figures are kept; no clock here."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import report, scale
from benchmarks.scale import FIGURES, Options
from tests.nodes import ENVIRONMENT

TOY = Options(sizes=(100,), trials=10, tracked=(1, 2), slots=2, seconds=0.2, minutes=0.01)
ROWS = {
    "commands": 8, "missing": 1, "plan": 1, "table": 2, "tracking": 2,
    "ray": 2, "stock": 1, "busy": 1, "soak": 3,
}  # fmt: skip
RAY = ("ray", "stock", "busy", "soak")


def marks(name: str) -> list[pytest.MarkDecorator]:
    """What starts many processes waits for `make test-slow`."""
    slow = [pytest.mark.slow] if name in (*RAY, "commands") else []
    return [*slow, pytest.mark.ray] if name in RAY else slow


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is saved among the results, and Ray and MLflow are as tests want them."""
    monkeypatch.setattr(scale, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in FIGURES])
def test_a_figure_at_toy_size(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = TOY if name != "stock" else Options(trials=1)
    monkeypatch.setenv("BENCHMARK_SECONDS", "")
    monkeypatch.setattr(scale, "command", cache(scale.command))  # the second call is as the first
    rows = FIGURES[name](options)
    assert len(rows) == ROWS[name]
    assert all(row["measured"] and row["trials"] > 0 for row in rows)


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="unknown artifact 'no/such'"):
        scale.command("sweep", "plan", "no/such", cache=tmp_path)


def test_memory_is_that_of_the_command_alone(tmp_path: Path) -> None:
    """A child starts with its parent's peak; this process has imported torch."""
    assert scale.command("this", cache=tmp_path).memory < 0.1


def trial(process: int, began: float, ended: float) -> Any:
    return SimpleNamespace(metrics={"process": process, "began": began, "ended": ended})


def test_the_busy_share_is_of_the_time_when_all_slots_have_started_and_trials_wait() -> None:
    from benchmarks.driver import busy_share

    # All run from 3 on, and none waits after 9: of 2 x 6 the first uses 1 + 3, the other 4 + 0.
    results = [trial(1, 0, 4), trial(1, 6, 12), trial(2, 3, 7), trial(2, 9, 12)]
    assert busy_share(results, 2) == 8 / 12
    with pytest.raises(IndexError):  # not all slots were used
        busy_share(results, 3)


def test_what_is_run_replaces_the_same_of_as_many_trials_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run(*words: str) -> list[tuple[str, str]]:
        monkeypatch.setattr(sys, "argv", ["scale", *words])
        scale.main()
        saved = json.loads((tmp_path / "scale.json").read_text())["rows"]
        return [(row["figure"], row["measured"]) for row in saved]

    for name in ("plan", "table"):
        monkeypatch.setitem(FIGURES, name, lambda o: [scale.row("it", f"{o.trials}", "", 1)])
    assert run("table", "--trials", "1", "--save") == [("table", "1")]
    assert run("plan", "--trials", "2", "--save") == [("plan", "2"), ("table", "1")]
    assert run("table", "--trials", "3", "--save") == [("plan", "2"), ("table", "3")]
    assert run("plan", "--trials", "4") == [("plan", "2"), ("table", "3")]
    monkeypatch.setitem(FIGURES, "plan", lambda o: [scale.row("it", f"{o.trials}", "", 2)])
    assert run("plan", "--trials", "5", "--save") == [("plan", "2"), ("plan", "5"), ("table", "3")]
    with pytest.raises(SystemExit):
        run("plain")


def test_the_study_has_as_many_trials_as_are_asked_for_and_its_record_is_its_own() -> None:
    from benchmarks.study import planned, study

    assert len(planned(study(300)).trials) == 300
