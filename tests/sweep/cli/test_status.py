"""What a trial is said to be, from the record and from what drivers wrote."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from search_spaces.spec import Artifact
from sweep.aggregate import SELECTIONS
from sweep.cli import status
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.run.live import SILENT_SECONDS, STATES, LiveSweep, LiveTrial
from tests.sweep.cases import EQUAL_ROWS, TINY


def planned(artifact: Artifact = TINY, record: Record | None = None) -> Plan:
    return plan(artifact, "smoke", SELECTIONS["paper"], record or Record.from_runs([]))


IDS = [trial.trial_id for trial in planned().trials]


def driver(trials: Mapping[str, LiveTrial] = {}, **fields: Any) -> LiveSweep:
    """One that wrote its file just now; ``silent``: so many seconds ago."""
    now = time.time() - fields.pop("silent", 0)
    made = LiveSweep("test/tiny", "smoke", "paper", "", "d1", "node7", 12, now - 60, now,
                     trials=trials)  # fmt: skip
    return replace(made, **fields)


def states(record: Record, *drivers: LiveSweep) -> list[tuple[str, str]]:
    """State and note of each trial of TINY."""
    found = status.of_sweep(planned(record=record), record, drivers)
    return [(one.now.state, one.note) for one in found.trials]


def recorded(*ends: str) -> Record:
    runs = [
        Run(t, end, {"training_seconds": 36.0, "epochs_run": 2}, error="boom\nE: no memory")  # type: ignore[arg-type]
        for t, end in zip(IDS, ends, strict=False)
        if end
    ]
    return Record.from_runs(runs)


def test_without_a_driver_it_is_what_the_record_says() -> None:
    found = states(recorded("done", "diverged", "failed"))
    assert found == [("done", ""), ("diverged", ""), ("failed", ""), ("queued", "")]


def test_a_failed_trial_is_queued_while_a_driver_runs_that_has_not_tried_it_again() -> None:
    record = recorded("failed", "failed", "failed", "failed")
    now = {IDS[1]: LiveTrial("running", 5.0, 1, 2, "n"), IDS[2]: LiveTrial("failed", 5.0)}
    assert [s for s, _ in states(record, driver(now))] == ["queued", "running", "failed", "queued"]
    other = driver(now, preset="small")
    assert [s for s, _ in states(record, other)] == ["failed", "running", "failed", "failed"]


def test_what_a_silent_or_ended_driver_ran_is_queued_and_said_so() -> None:
    now = {IDS[0]: LiveTrial("running", 5.0, 3, 10, "n")}
    none = recorded()
    assert states(none, driver(now, silent=SILENT_SECONDS - 5))[0] == ("running", "")
    silent = states(none, driver(now, silent=601))[0]
    assert silent == ("queued", "at epoch 3 when its driver has not been heard of for 10 minutes")
    ended = states(none, driver(now, ended="stopped"))[0]
    assert ended == ("queued", "at epoch 3 when its driver was stopped")
    assert states(recorded("done"), driver(now, silent=601))[0] == ("done", "")


def test_what_was_cancelled_is_queued_and_said_so() -> None:
    none = recorded()
    now = {
        IDS[0]: LiveTrial("running", 5.0, 3, 10, "n", cancelled=True),
        IDS[1]: LiveTrial("queued", 5.0, 3, 10, cancelled=True),
    }
    assert states(none, driver(now))[:2] == [
        ("running", "cancelled: it ends with its epoch"),
        ("queued", "cancelled; the next `sweep run` runs it"),
    ]
    assert states(none, driver(now, ended="finished"))[1][1].startswith("cancelled")
    assert states(recorded("", "done"), driver(now))[1] == ("done", "")


def test_of_two_drivers_the_one_that_runs_it_is_believed() -> None:
    cancelled = driver({IDS[0]: LiveTrial("queued", 1.0, cancelled=True)}, ended="finished")
    running = driver({IDS[0]: LiveTrial("running", 2.0)}, driver="d2")
    for order in ((cancelled, running), (running, cancelled)):
        assert states(recorded(), *order)[0] == ("running", "")


def test_the_text_has_cells_and_the_trials_that_run_or_failed() -> None:
    record = recorded("done", "", "failed")
    now = {IDS[1]: LiveTrial("running", 5.0, 1, 2, "node7")}
    one = driver(now, max_concurrent=2, preset="smoke")
    found = status.of_sweep(planned(record=record), record, [one])
    head, who, hours, empty, *cells = status.as_text(found).splitlines()
    assert head == "test/tiny smoke (paper): 4 trials: 2 queued, 1 running, 1 done"
    assert who.startswith("the driver on node7 (process 12) since 20")
    assert who.endswith(", 2 at once, heard of 0 s ago")
    assert (hours[:26], empty) == ("device hours of training: ", "")
    assert cells[0] == "erm  1 running, 1 done"
    assert cells[1].startswith(
        f"    {IDS[1]}  running  erm · seed 1, epoch 1 of 2, on node7, since"
    )
    assert cells[2:] == ["sam  2 queued"]
    failed = status.as_text(status.of_sweep(planned(record=record), record, [])).splitlines()
    assert failed[1] == "nobody runs it now; `sweep run` continues"
    assert failed[-1] == f"    {IDS[2]}  failed  sam · seed 0, boom E: no memory"
    every = status.as_text(status.of_sweep(planned(record=record), record, []), every=True)
    assert sum(trial in every for trial in IDS) == 4


def test_nobody_need_run_what_is_done() -> None:
    record = recorded("done", "done", "diverged", "done")
    assert "nobody" not in status.as_text(status.of_sweep(planned(record=record), record, []))


def test_trials_that_wait_for_a_winner_are_waiting_and_a_shared_one_counts_once() -> None:
    found = status.as_dict(status.of_sweep(planned(EQUAL_ROWS), Record.from_runs([]), []))
    assert found["size"] == sum(found["counts"].values()) == 5
    assert {state: n for state, n in found["counts"].items() if n} == {"queued": 2, "waiting": 3}
    assert list(found["counts"]) == list(STATES)
    counts = {tuple(one["cell"].values()): one["counts"] for one in found["cells"]}
    assert counts == {
        ("erm", "a"): {"queued": 2}, ("erm", "b"): {"queued": 2},
        ("sam", "a"): {"waiting": 3}, ("sam", "b"): {"waiting": 3},
    }  # fmt: skip
    json.dumps(found)


def test_hours_spent_and_left_count_what_a_running_trial_has_behind_it() -> None:
    record = recorded("done", "done")
    found = status.of_sweep(planned(record=record), record, [])
    assert found.hours_spent == pytest.approx(72 / 3600)
    assert found.hours_left is not None
    running = {IDS[2]: LiveTrial("running", time.time() - 36, 1, 2)}
    half = status.of_sweep(planned(record=record), record, [driver(running)])
    assert half.hours_spent == pytest.approx(108 / 3600, rel=0.01)  # the test itself takes time
    # two of equal costs are left, then one and a half; the estimate has four decimals
    assert half.hours_left == pytest.approx(0.75 * found.hours_left, abs=1e-4)
    none = Record.from_runs([])
    assert status.of_sweep(planned(), none, []).hours_left is None


def test_all_sweeps_with_those_that_run_and_have_recorded_nothing_yet() -> None:
    one = driver(counts={"running": 1, "queued": 3, "done": 2}, max_concurrent=1)
    silent = driver(preset="small", silent=601, counts={"running": 1})
    ended = driver(preset="paper", ended="finished")
    (tiny, small) = sorted(
        status.rows(Record.from_runs([]), [one, silent, ended]), key=lambda row: row["running"],
        reverse=True,
    )  # fmt: skip
    assert (tiny["preset"], tiny["running"], tiny["queued"], tiny["done"]) == ("smoke", 1, 3, 0)
    assert [d["alive"] for d in tiny["drivers"]] == [True]
    assert (small["preset"], small["running"]) == ("small", 0)
    assert [d["alive"] for d in small["drivers"]] == [False]
    text = status.rows_text([tiny, small], [one, silent, ended]).splitlines()
    assert text[-2].startswith("test/tiny smoke (paper) runs: 3 queued, 1 running, 2 done; the dr")
    assert text[-1] == (
        "test/tiny small (paper): the driver on node7 (process 12) "
        "has not been heard of for 10 minutes"
    )
