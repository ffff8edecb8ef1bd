"""A sweep's own run: its table is its description, unless a person has written one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.sweep_runs import LONGEST, TABLE


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    Tracker(default_uri(str(folder))).connect()
    return folder


@pytest.fixture
def tracker(made: Path, tmp_path: Path) -> Tracker:
    """Of an empty store."""
    return Tracker(default_uri(str(shutil.copytree(made, tmp_path / "store"))))


def started(tracker: Tracker) -> str:
    return tracker.start_sweep("test/tiny", "smoke", "paper", "A title")


def description(tracker: Tracker, run_id: str) -> Any:
    return MlflowClient(tracker.uri).get_run(run_id).data.tags["mlflow.note.content"]


def test_a_run_of_a_sweep_is_described_by_its_table(tracker: Tracker) -> None:
    run = started(tracker)
    assert description(tracker, run) == "A title"
    for table in ("| a | b |\n", "| a | c |\n"):
        tracker.finish_sweep(run, {TABLE: table, "table.html": "<p>"})
        assert description(tracker, run) == table
    assert MlflowClient(tracker.uri).get_run(run).data.tags["kind"] == "sweep"


@pytest.mark.parametrize("when", ["before the table", "after it"])
def test_what_a_person_has_written_stays(when: str, tracker: Tracker) -> None:
    run = started(tracker)
    if when == "after it":
        tracker.finish_sweep(run, {TABLE: "| a |\n"})
    MlflowClient(tracker.uri).set_tag(run, "mlflow.note.content", "mine")
    tracker.finish_sweep(run, {TABLE: "| b |\n"})
    assert description(tracker, run) == "mine"


def test_a_run_from_before_tables_were_descriptions_gets_its_own(tracker: Tracker) -> None:
    client, run = MlflowClient(tracker.uri), started(tracker)
    client.delete_tag(run, "described")
    client.delete_tag(run, "kind")
    tracker.finish_sweep(run, {TABLE: "| a |\n"})
    assert description(tracker, run) == "| a |\n"
    assert client.get_run(run).data.tags["kind"] == "sweep"


def test_a_long_table_is_cut_between_lines_and_says_so(tracker: Tracker) -> None:
    run, line = started(tracker), f"| {'x' * 96} |\n"
    tracker.finish_sweep(run, {TABLE: line * 100})
    found = description(tracker, run)
    assert len(found) <= LONGEST
    kept, more = found.split("\n\n")
    assert {f"{each}\n" for each in kept.split("\n")} == {line}
    assert TABLE in more


def test_a_sweep_is_found_by_its_name(tracker: Tracker) -> None:
    run = started(tracker)
    assert tracker.find_sweep("test/tiny smoke (paper)") == run
    assert tracker.find_sweep("test/tiny small (paper)") == ""
