"""A sweep that tells the storage how it goes, and can be stopped through it."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search_spaces.spec import Artifact, Cell
from sweep.aggregate import SELECTIONS
from sweep.cli import status
from sweep.plan.expand import Plan, PlannedTrial
from sweep.ray_executor import RayExecutor
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.run import StoppedError, announcer, cancel
from sweep.run.executor import Executor
from sweep.run.live import SILENT_SECONDS, LiveSweep, drivers
from sweep.run.loop import Sweep, run
from sweep.run.serial import SerialExecutor
from tests.sweep.cases import TINY, Witness, sweep
from trainables.storage.files import Storage, StorageError
from trainables.storage.trial_folder import trial_folder
from trainables.storage.trial_log import read

FAILING = TINY.with_experiment(
    cells=(*TINY.experiment.cells, Cell({"method": "broken"}, {"batch_size": 5000}))
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver looks for requests as often as it can."""
    monkeypatch.setattr(announcer, "REQUEST_SECONDS", 0.02)


class Looking(Witness):
    """Does something at each sign of life of a trial, in the driver's thread."""

    def __init__(self, look: Callable[[PlannedTrial, int], None]) -> None:
        super().__init__()
        self._look = look

    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int, node: str = "") -> None:
        super().on_progress(trial, epoch, epochs, node)
        self._look(trial, epoch)


def running(
    artifact: Artifact,
    folder: Path,
    look: Callable[[PlannedTrial, int], None],
    executor: Executor | None = None,
    **fields: Any,
) -> tuple[Plan, Record, Witness]:
    """As `tests.sweep.cases.sweep`, with a look at it while it runs."""
    storage, witness = str(folder / "results"), Looking(look)
    made = Sweep(artifact, "smoke", SELECTIONS["paper"], storage, {"device": "cpu"}, **fields)
    tracker = Tracker(default_uri(storage))
    by = executor or SerialExecutor()
    plan, record = run(made, tracker=tracker, observer=witness, executor=by)
    return plan, record, witness


def file_of(folder: Path) -> LiveSweep:
    (one,) = drivers(Storage(folder / "results"))
    return one


def asked(folder: Path, trial_id: str = "") -> str:
    """Ask the driver to stop a trial, or all; what it answers."""
    storage, one = Storage(folder / "results"), file_of(folder)
    answer = cancel.answer(storage, one, cancel.ask(storage, one, trial_id), 60)
    assert answer is not None
    return f"{'yes' if answer.done else 'no'}: {answer.said}"


def test_the_file_says_what_runs_how_far_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer, "EVERY_SECONDS", 0.0)
    seen: list[LiveSweep] = []

    def look(trial: PlannedTrial, epoch: int) -> None:
        happened = time.time()
        while (one := file_of(tmp_path)).written <= happened:
            time.sleep(0.01)
        now = one.trials[trial.trial_id]
        assert (now.state, now.epoch) == ("running", epoch)
        assert now.node == (platform.node() if epoch else "")
        assert one.started <= now.since <= one.written
        assert sum(one.counts.values()) == 4
        assert one.counts["running"] >= 1  # those before it may not be recorded yet
        assert one.alive
        seen.append(one)

    running(TINY, tmp_path, look)
    assert len(seen) == 12  # four trials of two epochs
    last = file_of(tmp_path)
    assert (last.ended, last.counts["done"], dict(last.trials)) == ("finished", 4, {})
    assert (last.node, last.pid, last.max_concurrent) == (platform.node(), os.getpid(), 1)


def test_what_failed_is_in_the_file_and_its_traceback_in_its_log(tmp_path: Path) -> None:
    plan, record, _ = sweep(FAILING, tmp_path)
    one = file_of(tmp_path)
    failed = [t.trial_id for t in plan.trials if record.status(t.trial_id) == "failed"]
    assert sorted(one.trials) == sorted(failed)
    assert one.counts["failed"] == len(failed) == 2
    for trial_id in failed:
        assert record.error(trial_id).startswith(one.trials[trial_id].error[:150])
        text = read(trial_folder(Storage(tmp_path / "results"), trial_id))[1]
        assert "Traceback (most recent call last)" in text
        assert record.error(trial_id) in text


def test_a_sweep_that_has_nothing_to_run_writes_no_file(tmp_path: Path) -> None:
    sweep(TINY, tmp_path)
    for name in Storage(tmp_path / "results").names("sweeps/*/*"):
        (tmp_path / "results" / name).unlink()
    sweep(TINY, tmp_path)
    assert drivers(Storage(tmp_path / "results")) == []


def test_trials_that_are_cancelled_do_not_run_on_and_the_next_run_runs_them(tmp_path: Path) -> None:
    said: list[str] = []

    def look(trial: PlannedTrial, epoch: int) -> None:
        if not said and epoch == 1:  # one trains, the others are queued
            queued = next(t for t in ids if t != trial.trial_id)
            said.extend(asked(tmp_path, t) for t in (trial.trial_id[:9], queued, "nosuch"))

    ids = [t.trial_id for t in Sweep(TINY, "smoke", SELECTIONS["paper"]).plan(EMPTY).trials]
    plan, record, witness = running(TINY, tmp_path, look)
    gone = [t for t, outcome in witness.outcomes.items() if outcome == "cancelled"]
    assert said == [
        f"yes: trial {gone[0]}, which ends with its epoch, is cancelled; "
        "the next `sweep run` runs it",
        f"yes: trial {gone[1]} is cancelled; the next `sweep run` runs it",
        "no: no trial of test/tiny smoke (paper) begin with 'nosuch'",
    ]
    assert sorted(witness.outcomes.values()) == ["cancelled", "cancelled", "done", "done"]
    assert witness.started.count(gone[1]) == 0
    assert sorted(t.trial_id for t in plan.missing(record)) == sorted(gone)
    found = status.of_sweep(plan, record, drivers(Storage(tmp_path / "results")))
    notes = {one.trial.trial_id: (one.now.state, one.note) for one in found.trials if one.note}
    assert notes == dict.fromkeys(gone, ("queued", "cancelled; the next `sweep run` runs it"))
    _, _, again = sweep(TINY, tmp_path)
    assert sorted(again.outcomes) == sorted(gone)
    assert file_of(tmp_path).trials == {}


EMPTY = Record.from_runs([])


@pytest.fixture(params=["heard", "ignored"])
def ctrl_c(request: pytest.FixtureRequest) -> Iterator[str]:
    """Whether the driver hears Ctrl-C; a shell's background jobs ignore it."""
    before = signal.getsignal(signal.SIGINT)
    if request.param == "ignored":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield request.param
    signal.signal(signal.SIGINT, before)


def test_a_sweep_that_is_cancelled_ends_as_one_that_is_stopped(tmp_path: Path, ctrl_c: str) -> None:
    said: list[str] = []

    def look(trial: PlannedTrial, epoch: int) -> None:
        if not said and epoch == 1:
            said.append("")
            said[:] = [asked(tmp_path)]

    with pytest.raises(StoppedError, match=r"^cancelled with 4 trials unfinished; "):
        running(TINY, tmp_path, look)
    one = file_of(tmp_path)
    assert one.ended == "cancelled"
    assert [answer.done for answer in one.answered.values()] == [True]
    assert ctrl_c == "heard" or said[0].startswith("yes: test/tiny smoke (paper) is cancelled")
    _, _, again = sweep(TINY, tmp_path)
    assert list(again.outcomes.values()) == ["done"] * 4


def test_ray_stops_what_is_cancelled_whether_it_runs_or_not(
    tmp_path: Path, by_ray: RayExecutor
) -> None:
    said: list[str] = []

    def look(trial: PlannedTrial, epoch: int) -> None:
        if not said:  # two train at once
            said.extend(asked(tmp_path, t) for t in (trial.trial_id, last))

    long = TINY.with_experiment(base={**TINY.experiment.base, "epochs": 30})
    last = Sweep(long, "smoke", SELECTIONS["paper"]).plan(EMPTY).trials[-1].trial_id
    plan, record, witness = running(long, tmp_path, look, by_ray)
    gone = {t for t, outcome in witness.outcomes.items() if outcome == "cancelled"}
    assert len(said) == len(gone) == 2
    assert last in gone
    assert {t.trial_id for t in plan.missing(record)} == gone
    assert last not in witness.started


def test_only_what_failed_is_run(tmp_path: Path) -> None:
    _, record, _ = sweep(FAILING, tmp_path)
    failed = sorted(t for t in record.trial_ids if record.status(t) == "failed")
    more = FAILING.with_experiment(stages=(replace(FAILING.experiment.stages[0], seeds=3),))
    plan, _, witness = running(more, tmp_path, lambda *_: None, only_failed=True)
    assert len(plan.trials) == 9
    assert sorted(witness.started) == failed
    _, _, witness = running(TINY, tmp_path, lambda *_: None, only_failed=True)
    assert witness.waves == []


def test_the_files_of_drivers_that_live_stay_and_those_of_others_go(tmp_path: Path) -> None:
    sweep(TINY, tmp_path / "a")
    ended = file_of(tmp_path / "a")
    storage = Storage(tmp_path / "b" / "results")
    alive = replace(ended, driver="alive", ended="", written=ended.written + 1e6)
    silent = replace(ended, driver="silent", ended="", written=ended.written - SILENT_SECONDS - 1)
    other = replace(silent, driver="other", preset="small")
    for one in (ended, alive, silent, other):
        storage.write(one.file, one.to_json().encode())
        cancel.ask(storage, one)
    sweep(TINY, tmp_path / "b")
    names = {one.driver for one in drivers(storage)}
    assert names - {"alive", "other"} == {names.difference({"alive", "other"}).pop()}
    assert {"alive", "other"} < names
    left = {
        name.rpartition("/")[2].partition(".")[0] for name in storage.names("sweeps/*/*.cancel")
    }
    assert left == {"alive", "other"}


def test_a_storage_that_takes_no_such_file_costs_no_trial_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Storage.write

    def full(self: Storage, name: str, content: bytes) -> None:
        if name.startswith("sweeps/"):
            raise StorageError("no room")
        write(self, name, content)

    monkeypatch.setattr(Storage, "write", full)
    monkeypatch.setattr(announcer, "EVERY_SECONDS", 0.0)
    _, _, witness = sweep(TINY, tmp_path)
    assert list(witness.outcomes.values()) == ["done"] * 4
    assert witness.sentences == ["`sweep status` does not see this sweep: no room"]


def test_the_file_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand failures and more it lists the latest."""
    monkeypatch.setattr(announcer, "MOST_ENDED", 1)
    _, _, witness = sweep(FAILING, tmp_path)
    failed = [t for t, outcome in witness.outcomes.items() if outcome[:6] == "failed"]
    assert list(file_of(tmp_path).trials) == failed[-1:]
