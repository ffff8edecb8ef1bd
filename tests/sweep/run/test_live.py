"""The file in which a driver says how its sweep goes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.run import cancel
from sweep.run.live import (
    SILENT_SECONDS,
    Answer,
    LiveSweep,
    LiveTrial,
    drivers,
    in_one_line,
    latest,
)
from trainables.storage.files import Storage

ONE = LiveSweep(
    "test/tiny", "smoke", "paper", "lr=[0.1]", "d1", "node7", 12, 1.0, 2.0, counts={"running": 1},
    trials={"t": LiveTrial("running", 1.5, 1, 2, "node8")}, answered={"r": Answer(True, "it is")},
)  # fmt: skip


def test_it_is_read_as_it_was_written() -> None:
    assert LiveSweep.from_json(ONE.to_json()) == ONE


@pytest.fixture(params=["folder", "objects"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A folder, and what has no folders."""
    return Storage(tmp_path if request.param == "folder" else f"memory://{tmp_path}")


def test_drivers_are_found_in_the_order_of_their_start_and_damaged_files_are_none(
    storage: Storage,
) -> None:
    assert drivers(storage) == []
    later = replace(ONE, driver="a", started=9.0)
    other = replace(ONE, preset="small", driver="d3", started=5.0)
    assert other.folder != ONE.folder == later.folder
    for one in (later, ONE, other):
        storage.write(one.file, one.to_json().encode())
    for number, content in enumerate(
        [b"", b"{}", b"[]", b'{"trials": 1, "answered": {}}', b"\xff"]
    ):
        storage.write(f"{ONE.folder}/x{number}.json", content)
    assert drivers(storage) == [ONE, other, later]


def test_a_request_is_taken_once_by_whom_it_is_for_and_answered(storage: Storage) -> None:
    other = replace(ONE, driver="d2")
    whole, trial = cancel.ask(storage, ONE), cancel.ask(storage, ONE, "abc")
    late = cancel.ask(storage, other, "abc")
    assert drivers(storage) == []  # a request is no driver
    taken = cancel.take(storage, ONE)
    assert sorted(taken, key=lambda one: one.trial_id) == [whole, trial]
    assert cancel.take(storage, ONE) == []
    cancel.withdraw(storage, other, late)
    assert cancel.take(storage, other) == []
    said = Answer(True, "so be it")
    storage.write(ONE.file, replace(ONE, answered={whole.id: said}).to_json().encode())
    assert cancel.answer(storage, ONE, whole, 0) == said
    assert cancel.answer(storage, ONE, trial, 0) is None


def test_a_file_that_is_gone_is_of_a_driver_that_has_ended(storage: Storage) -> None:
    assert latest(ONE, storage).ended == "removed"
    storage.write(ONE.file, replace(ONE, written=7.0).to_json().encode())
    assert latest(ONE, storage) == replace(ONE, written=7.0)


@pytest.mark.parametrize(
    ("ago", "ended", "alive", "words"),
    [
        (3, "", True, "heard of 3 s ago"),
        (-50, "", True, "heard of 0 s ago"),  # its clock is ahead
        (SILENT_SECONDS, "", False, "has not been heard of for 2 minutes"),
        (3600, "", False, "has not been heard of for 60 minutes"),
        (3, "finished", False, "heard of 3 s ago"),
    ],
)
def test_who_wrote_nothing_for_two_minutes_is_taken_to_be_dead(
    ago: float, ended: str, alive: bool, words: str
) -> None:
    one = replace(ONE, written=time.time() - ago, ended=ended)
    assert (one.alive, one.heard()) == (alive, words)


def test_an_error_of_many_lines_is_one_line() -> None:
    assert in_one_line("CUDA error\n  out of memory\n") == "CUDA error out of memory"
    assert len(in_one_line("x" * 1000)) == 200
