"""What runs, seen and stopped from another terminal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.cli import main, watch
from sweep.run.live import LiveSweep, LiveTrial, drivers
from tests.forked import Forked, forked
from tests.sweep.called import call
from trainables.storage.files import Storage
from trainables.storage.trial_folder import RESULT, trial_folder
from trainables.storage.trial_log import LIMIT, append, name_of

METHOD = '''
"""A method that takes its time, and says so."""
import time
from dataclasses import dataclass
from trainables.methods.base import Method, Output, registry

@registry.register("slow")
@dataclass(kw_only=True)
class Slow(Method):
    """A step in a twentieth of a second."""

    def step(self, objective) -> Output:
        print("a step")
        time.sleep(0.05)
        loss, logits = objective.accumulate()
        return Output(loss, logits, objective=None)
'''

SWEEP = """
name: slow
import: slow.py
base: {data.source: digits, data.subset: 200, model: mlp_tiny, epochs: 1000, batch_size: 100}
compare:
  slow: {method: slow}
seeds: 3
metrics: [test_error]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A sweep that takes minutes."""
    (tmp_path / "slow.py").write_text(METHOD)
    (tmp_path / "slow.yaml").write_text(SWEEP)
    return str(tmp_path / "slow.yaml")


@contextmanager
def driver(file: str, storage: Storage) -> Iterator[Forked]:
    """``sweep run`` in a process of its own, whose first trial has begun."""

    def run() -> None:
        sys.argv = ["sweep", "run", file, "--executor", "serial", "--storage", storage.root]
        main()

    with forked(run, Path(file).with_name("said")) as started:
        wait(lambda: any(t.epoch for one in alive(storage, started) for t in one.trials.values()))
        yield started


def alive(storage: Storage, driver: Forked) -> list[LiveSweep]:
    assert driver.process.is_alive()
    return [one for one in drivers(storage) if one.pid == driver.pid]


def wait(until: Callable[[], Any], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_driver_is_seen_and_stopped_from_another_process_and_seen_to_be_dead(
    tmp_path: Path, file: str
) -> None:
    storage = Storage(tmp_path / "results")
    options = ("--storage", storage.root)
    with driver(file, storage) as started:
        found = json.loads(call("status", file, *options, "--format", "json")[1])
        trials = {trial["trial_id"]: trial for trial in found["cells"][0]["trials"]}
        (running,) = (t for t, trial in trials.items() if trial["state"] == "running")
        assert trials[running]["epoch"] >= 1
        assert trials[running]["epochs"] == 1000
        assert trials[running]["node"] == os.uname().nodename
        assert found["counts"]["queued"] == 2
        assert [(one["pid"], one["alive"]) for one in found["drivers"]] == [(started.pid, True)]
        (row,) = json.loads(call("status", *options, "--format", "json")[1])
        assert (row["artifact"], row["running"], row["queued"]) == ("mine/slow", 1, 2)
        assert (
            "mine/slow full (paper) runs: 2 queued, 1 running; the driver on"
            in (call("status", *options)[1])
        )

        code, out, _ = call("cancel", running[:10], *options)
        assert (code, out) == (
            0,
            f"trial {running}, which ends with its epoch, is cancelled; "
            "the next `sweep run` runs it\n",
        )
        wait(lambda: alive(storage, started)[0].trials[running].state == "queued")
        code, out, _ = call("cancel", file, *options)
        assert code == 0
        assert out.startswith("mine/slow full (paper) is cancelled with ")
        said = started.wait(60)
        assert started.process.exitcode == 1
        assert f"from another terminal: trial {running}" in said
        assert "sweep: cancelled with " in said
        assert "a step" in call("logs", running[:10], *options)[1]
    assert call("cancel", *options) == (1, "", f"sweep: no sweep runs in {storage.root}\n")

    with driver(file, storage) as started:
        os.kill(started.pid, signal.SIGKILL)
        started.process.join(60)
        (one,) = drivers(storage)
        assert one.pid == started.pid
    storage.write(one.file, replace(one, written=one.written - 600).to_json().encode())
    said = f"(process {started.pid}) has not been heard of for 10 minutes"
    assert said in call("status", file, *options)[1]
    assert said in call("status", *options)[1]
    code, out, error = call("cancel", file, *options)
    assert (code, out) == (1, "")
    assert f"{said}: there is nothing to cancel" in error


ONE = LiveSweep("test/tiny", "smoke", "paper", "", "d1", "node7", 12, 1.0, 0.0)


def offered(storage: Storage, **fields: Any) -> LiveSweep:
    """The file of a driver that wrote it just now."""
    one = replace(ONE, written=time.time(), **fields)
    storage.write(one.file, one.to_json().encode())
    return one


@pytest.mark.usefixtures("offer")
def test_of_several_sweeps_one_must_be_named(tmp_path: Path) -> None:
    storage, options = Storage(tmp_path), ("--storage", str(tmp_path))
    offered(storage)
    offered(storage, preset="small", driver="d2")
    for words in ((), ("test/tiny",)):
        code, _, error = call("cancel", *words, *options)
        assert code == 2
        assert error == (
            "sweep: several sweeps run (test/tiny small (paper); test/tiny smoke (paper)): name "
            "one, and its --preset\n"
        )
    code, _, error = call("cancel", "nrs/table1", *options)
    assert (code, error) == (1, f"sweep: no sweep of nrs/table1 runs in {storage.root}\n")


@pytest.mark.usefixtures("offer")
def test_a_driver_that_does_not_answer_is_said_and_not_asked_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.run.cancel.ANSWER_SECONDS", 0.1)
    storage, options = Storage(tmp_path), ("--storage", str(tmp_path))
    offered(storage, preset="small", driver="d2")
    offered(storage)
    code, _, error = call("cancel", "test/tiny", "--preset", "smoke", *options)
    assert (code, error) == (1, "sweep: the driver on node7 (process 12) does not answer\n")
    assert storage.names("sweeps/*/*.cancel") == []


# -- logs ------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path) -> Storage:
    """Three trials, two of which have printed."""
    storage = Storage(tmp_path)
    for trial, text in (("aa11" * 4, "one\n"), ("aa22" * 4, "two")):
        append(trial_folder(storage, trial), text)
    trial_folder(storage, "bb33" * 4).write(RESULT, b"{}")
    return storage


def test_a_trial_is_named_by_how_its_id_begins(stored: Storage) -> None:
    options = ("--storage", stored.root)
    assert call("logs", "aa11", *options) == (0, "one\n", "")
    assert call("logs", "aa22" * 4, *options) == (0, "two\n", "")
    assert call("logs", "bb", *options) == (
        0, "", f"trial {'bb33' * 4} has printed nothing so far\n"
    )  # fmt: skip
    code, _, error = call("logs", "aa", *options)
    assert (code, error) == (
        2, f"sweep: 2 trials begin with 'aa': {'aa11' * 4}, {'aa22' * 4}\n"
    )  # fmt: skip
    for unknown in ("cc", "cc44" * 4):
        code, _, error = call("logs", unknown, *options)
        assert code == 2
        assert error.startswith(f"sweep: no trial '{unknown}' has run or runs in {stored.root};")


def test_a_trial_that_runs_and_has_no_folder_yet_is_known(stored: Storage) -> None:
    offered(stored, trials={"dd55" * 4: LiveTrial("running", 1.0)})
    code, _, error = call("logs", "dd", "--storage", stored.root)
    assert (code, error) == (0, f"trial {'dd55' * 4} has printed nothing so far\n")


def test_workers_follow_each_other_in_order_and_what_is_left_out_is_said(stored: Storage) -> None:
    folder = trial_folder(stored, "aa11" * 4)
    for rank in (10, 2, 1):
        append(folder, f"of {rank}\n", name_of(rank))
    append(folder, "x" * LIMIT)
    _, out, _ = call("logs", "aa11", "--storage", stored.root)
    lines = out.splitlines()
    assert [line for line in lines if line[0] in "-o["] == [
        "-- log.txt --", "[4 earlier characters are left out]", "-- log.1.txt --", "of 1",
        "-- log.2.txt --", "of 2", "-- log.10.txt --", "of 10",
    ]  # fmt: skip


def test_what_is_followed_is_printed_once_until_the_trial_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its beginning is left out meanwhile, and what comes with the end."""
    monkeypatch.setattr(watch, "FOLLOW_SECONDS", 0)
    texts = iter([(0, ""), (0, "one\n"), (0, "one\n"), (4, "two\n"), (20, "last\n")])
    ends = iter([True, True, True, True, False])
    watch._follow(lambda: next(texts), lambda: next(ends))
    assert capsys.readouterr().out == "one\ntwo\nlast\n"
    assert list(texts) == list(ends) == []


def test_a_trial_goes_on_as_long_as_a_driver_runs_it_or_may_yet(stored: Storage) -> None:
    trial = "aa11" * 4
    folder = trial_folder(stored, trial)

    def goes_on(state: Any = None, **fields: Any) -> bool:
        shutil.rmtree(stored.path("sweeps"), ignore_errors=True)
        offered(stored, trials={trial: LiveTrial(state, 1.0)} if state else {}, **fields)
        return watch._goes_on(trial, stored, folder)

    assert not watch._goes_on(trial, stored, folder)  # nobody runs anything
    assert goes_on("running")
    assert goes_on("retrying")
    assert goes_on()  # it is queued
    assert not goes_on("failed")
    assert not goes_on("running", ended="stopped")
    folder.write(RESULT, b"{}")
    assert not goes_on()
    assert goes_on("running")  # measured again


def test_help_of_each_has_an_example() -> None:
    for command in ("status", "logs", "cancel", "run"):
        assert f"Example: sweep {command} " in call(command, "--help")[1]
