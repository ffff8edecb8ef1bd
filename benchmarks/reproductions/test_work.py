"""A small item, run, stopped, continued elsewhere from its files alone, and printed again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reproductions.__main__ import listed, rendered, run
from benchmarks.reproductions.items import Item, Sweep
from benchmarks.reproductions.work import PART, POINTS, Work, WorkError
from sweep.record import export
from tests.sweep.called import call

TINY = """
base: {data.source: digits, data.subset: 300, model: mlp_tiny, epochs: 2}
compare:
  erm: {method: erm}
  sam: {method: sam}
table: {rows: [method]}
seeds: 2
"""
SWEEP = Sweep("tiny.yaml", "full", figures=("cost",))
SEARCH = Sweep("tiny.yaml", "full", search=("--points", "2", "--range", "optimizer.lr=0.01:0.5"))
ITEMS = {"1": Item("Tiny", "does it work?", (SWEEP, SEARCH))}


Calls = list[tuple[str, ...]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Of commands, in a folder with a sweep's file."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    return []


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the item was run."""
    folder = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("tiny.yaml").write_text(TINY)
        assert run(working("a", []), ["1"])
    return folder


@pytest.fixture
def finished(once: Path, calls: Calls) -> Calls:
    """`calls`, in a copy of it."""
    shutil.copytree(once, Path.cwd(), dirs_exist_ok=True)
    return calls


def working(storage: str, calls: Calls, hours: float | None = None) -> Work:
    def noted(*words: str) -> tuple[int, str, str]:
        calls.append(words)
        return call(*words)

    execution = ("--executor", "serial")
    return Work(Path("out"), Path(storage), "cifar10", hours, execution, noted, ITEMS)


def trials(storage: str) -> int:
    return len(list(Path(storage).glob("trials/*/result.json")))


def test_an_item_is_run_written_and_continued_elsewhere(finished: Calls) -> None:
    here = working("a", finished)
    written = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    assert set(written) == {
        *("tiny-yaml-full.md", "tiny-yaml-full-cost.png", "tiny-yaml-full-search.md"),
        *("README.md", "ledger.json", "record-1-1.parquet"),
    }
    entry = here.ledger.of(SWEEP)
    assert (entry.item, entry.trials, bool(entry.done)) == ("1", 4, True)
    assert entry.foreseen is not None
    assert entry.spent >= 0 < entry.waited
    assert here.ledger.of(SEARCH).trials == 8
    assert trials("a") == 8  # the search's first point is the table's

    there = working("b", finished)
    there.take_over()
    assert there.table(SWEEP, "md").encode() == written["tiny-yaml-full.md"]
    assert there.table(SEARCH, "md").encode() == written["tiny-yaml-full-search.md"]
    assert there.page().encode() == written["README.md"]
    finished.clear()
    assert run(there, ["1"])  # what is done is not run
    assert [words[0] for words in finished] == []
    assert there.run(SWEEP, "1")
    assert there.run(SEARCH, "1")  # nor trained, if it were run
    assert trials("b") == 0


def test_after_its_hours_it_ends_and_the_same_command_goes_on(calls: Calls) -> None:
    assert not run(working("a", calls, hours=0.0), ["1"])
    assert trials("a") == 0
    assert not Path("out", "tiny-yaml-full.md").exists()
    (first, second) = listed(working("a", calls), ["1"])
    assert "0 of 4 trials recorded" in first
    assert "not begun" in second
    assert run(working("a", calls), ["1"])
    assert all("done 20" in line for line in listed(working("a", calls), ["1"]))


def test_what_is_done_can_be_written_anew_from_the_record(finished: Calls) -> None:
    Path("out", "README.md").write_text("something else")
    rendered(working("a", finished), ["1"])
    assert "What came out" in Path("out", "README.md").read_text()
    assert "run" not in [words[0] for words in finished]
    assert trials("a") == 8


def test_a_trial_that_fails_is_said_and_nothing_written(calls: Calls) -> None:
    Path("tiny.yaml").write_text(TINY.replace("data.subset: 300", "data.subset: 300000"))
    with pytest.raises(WorkError, match="tiny-yaml-full is not whole"):
        run(working("a", calls), ["1"])
    assert not Path("out", "tiny-yaml-full.md").exists()


@pytest.mark.usefixtures("finished")
def test_results_are_of_one_form_of_the_images() -> None:
    with pytest.raises(WorkError, match="are of cifar10"):
        Work(Path("out"), Path("a"), "parquet", items=ITEMS)
    assert Work(Path("out"), Path("a"), items=ITEMS).source == "cifar10"


def test_curves_are_thinned_until_a_record_can_be_committed(
    finished: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, write = working("a", finished), export.write
    tried: list[tuple[int, str]] = []

    def noted(record: Any, out: Path, *rest: Any) -> int:
        tried.append((rest[-1], rest[1]))
        return write(record, out, *rest)

    monkeypatch.setattr(export, "write", noted)
    monkeypatch.setattr("benchmarks.reproductions.work.LIMIT", 1)
    work.export("1")
    assert tried == [(points, layout) for points in POINTS for layout in ("long", "wide")]
    monkeypatch.setattr("benchmarks.reproductions.ledger.LIMIT", 1)
    with pytest.raises(WorkError, match=r"too large to be committed: .*record-1-1.parquet"):
        work.export("1")


def test_a_record_of_many_trials_is_several_files(
    finished: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = working("a", finished)
    assert PART >= 100
    monkeypatch.setattr("benchmarks.reproductions.work.PART", 3)
    work.export("1")
    assert len(list(Path("out").glob("record-1-*.parquet"))) == 3  # of eight trials
    there = working("b", finished)
    there.take_over()
    kept = Path("out", "tiny-yaml-full-search.md").read_bytes()
    assert there.table(SEARCH, "md").encode() == kept


@pytest.mark.usefixtures("finished")
def test_the_ledger_has_the_commands_that_made_a_table() -> None:
    kept = json.loads(Path("out", "ledger.json").read_text())["sweeps"]["tiny-yaml-full"]
    run_it, print_it = kept["commands"]
    assert run_it == "sweep run tiny.yaml --preset full"
    assert print_it == "sweep table tiny.yaml --preset full"
    assert "torch" in kept["environment"]
    assert "hardware" in kept["environment"]
