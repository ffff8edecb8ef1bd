"""`sweep search` as a person calls it: run, ended, gone on with, shown, drawn, exported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweep.cli.beyond import parse_ranges
from sweep.record.mlflow_store import Tracker, default_uri
from tests.sweep.called import call
from trainables.errors import UsageError

FILE = """
name: x
base: {data.source: digits, data.subset: 200, data.validation: 40, model: mlp_tiny, epochs: 4,
       batch_size: 32}
compare:
  ERM: {method: erm, grid: {optimizer.lr: [0.01, 0.1]}}
  SAM: {method: sam}
seeds: 1
"""
SEARCH = ("search", "s.yaml", "--executor", "serial", "--points", "3", "--halving", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(FILE)
    return tmp_path


def test_a_search_prints_one_table_and_is_drawn_and_exported(folder: Path) -> None:
    code, out, _ = call(*SEARCH, "--format", "json")
    found = json.loads(out)
    assert (code, found["artifact"], found["preset"]) == (0, "mine/x:search", "full")
    assert [cell["row"]["method"] for cell in found["cells"]] == ["ERM", "SAM"]
    assert any(note.startswith("spent: ERM: 3 points") for note in found["notes"])
    assert "lr = " in found["winners"]
    assert " for SAM" in found["winners"]
    again = call(*SEARCH, "--format", "json")
    assert json.loads(again[1]) == found
    assert "[1/" not in again[2]  # nothing is trained
    code, out, _ = call(*SEARCH, "--where", "method=ERM", "--format", "json")
    (shown,) = {cell["row"]["method"] for cell in json.loads(out)["cells"]}
    assert (code, shown) == (0, "ERM")
    assert all(cell["points"] == 1 for cell in json.loads(out)["cells"])  # each point is a row
    code, out, _ = call("plot", "s.yaml", "--kind", "search", "--out", "f.png")
    assert (code, out) == (0, "f-1.png\nf-2.png\n")
    code, out, _ = call("export", "s.yaml", "s.journal")
    assert out == "6 points of 2 rows written to s.journal; optuna-dashboard s.journal\n"
    storage = JournalStorage(JournalFileBackend("s.journal"))
    assert len(optuna.load_study(study_name="SAM", storage=storage).trials) == 3


@pytest.mark.parametrize("after", [3, 9])
def test_a_search_that_is_killed_goes_on_and_prints_the_table_of_one_that_was_not(
    folder: Path, after: int
) -> None:
    """SIGKILL after so many epochs of all trials: nothing of the driver's memory is left."""
    expected = json.loads(call(*SEARCH, "--storage", "whole", "--format", "json")[1])
    code = f"""
import os, signal, sys
from sweep.run.recorder import ResultRecorder
told, left = ResultRecorder.reported, [{after}]
def reported(self, report):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    told(self, report)
ResultRecorder.reported = reported
from sweep.cli import commands
commands.app(sys.argv[1:])
"""
    words = [*SEARCH, "--storage", "killed"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    code, out, error = call(*words, "--format", "json")
    found = json.loads(out)
    assert code == 0, error
    for name in ("winners", "selection"):
        assert found[name] == expected[name]
    assert [c["values"] for c in found["cells"]] == [c["values"] for c in expected["cells"]]
    records = [Tracker(default_uri(name)).load() for name in ("whole", "killed")]
    ends = [dict(zip(r.trial_ids, r.statuses(r.trial_ids), strict=True)) for r in records]
    assert ends[0] == ends[1]
    assert os.path.isdir("killed")


@pytest.mark.parametrize(
    ("text", "range_"),
    [
        ("method.rho=0.001:1", (0.001, 1)),
        ("method.rho=0:1e-1", (0, 0.1)),
        ("batch_size=16:64", (16, 64)),
    ],
)
def test_a_range_is_two_numbers_whole_if_they_are_written_so(
    text: str, range_: tuple[float, float]
) -> None:
    ((name, found),) = parse_ranges([text]).items()
    assert (name, found) == (text.partition("=")[0], range_)
    assert [type(end) for end in found] == [type(end) for end in range_]


@pytest.mark.parametrize(
    "text", ["rho", "=0:1", "rho=1", "rho=1:", "rho=a:b", "rho=1:0", "rho=1:1", "rho=0:1e999",
             "rho=NaN:1", "rho=true:2"],
)  # fmt: skip
def test_anything_else_is_said_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"give FIELD=LOW:HIGH, such as method\.rho=0\.001:1"):
        parse_ranges([text])


def test_what_was_not_searched_cannot_be_drawn_or_exported(folder: Path) -> None:
    assert call("run", "s.yaml", "--executor", "serial", "--max-trials", "1")[0] == 1
    sentence = "sweep: nothing was searched of mine/x at preset full; `sweep search` does that\n"
    assert call("plot", "s.yaml", "--kind", "search") == (2, "", sentence)
    assert call("export", "s.yaml", "s.journal") == (2, "", sentence)
    code, _, error = call("export", "s.journal")
    assert (code, error) == (
        2, "sweep: name the artifact that was searched: sweep export ARTIFACT s.journal\n"
    )  # fmt: skip
