"""`sweep search` as a person calls it: run, ended, gone on with, shown, drawn, exported."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweep.cli import commands
from sweep.cli.beyond import parse_ranges
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.run.recorder import ResultRecorder
from tests.forked import forked
from tests.sweep.called import call
from trainables.errors import UsageError
from trainables.job import Report
from trainables.storage.trial_folder import RESULT

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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """What a search that nothing happens to prints, and how its trials ended."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        patch.chdir(folder)
        (folder / "s.yaml").write_text(FILE)
        found = json.loads(call(*SEARCH, "--format", "json")[1])
        return found, ends(folder / "results")


def ends(storage: Path) -> dict[str, str]:
    record = Tracker(default_uri(str(storage))).load()
    return dict(zip(record.trial_ids, record.statuses(record.trial_ids), strict=True))


@pytest.mark.parametrize("after", [3, 9])
def test_a_search_that_is_killed_goes_on_and_prints_the_table_of_one_that_was_not(
    folder: Path, after: int, whole: tuple[Any, Any]
) -> None:
    """SIGKILL after so many epochs of all trials: nothing of the driver's memory is left."""
    expected, ended = whole

    def run() -> None:
        told, left = ResultRecorder.reported, [after]

        def reported(self: ResultRecorder, report: Report) -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            told(self, report)

        ResultRecorder.reported = reported  # type: ignore[method-assign]
        commands.app(SEARCH)

    with forked(run, folder / "said") as driver:
        said = driver.wait(240)
    assert driver.process.exitcode == -signal.SIGKILL, said
    before = len(list(folder.glob(f"results/trials/*/{RESULT}")))
    assert before < len(ended)
    code, out, error = call(*SEARCH, "--format", "json")
    found = json.loads(out)
    assert code == 0, error
    for name in ("winners", "selection"):
        assert found[name] == expected[name]
    assert [c["values"] for c in found["cells"]] == [c["values"] for c in expected["cells"]]
    assert ends(folder / "results") == ended


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
