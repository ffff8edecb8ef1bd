"""A whole paper where one of its tables or figures is taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import search_spaces
from search_spaces.choice import Choice, Reading, everywhere
from search_spaces.spec import Cell, Paper
from tests.sweep.called import call
from tests.sweep.cases import TINY

FIRST = replace(TINY.with_experiment(base={**TINY.experiment.base, "epochs": 1}), id="pair/first")
SECOND = replace(
    FIRST.with_experiment(
        cells=(FIRST.experiment.cells[0], Cell({"method": "usam"}, {"method": "usam"}))
    ),
    id="pair/second",
)
NEVER = replace(FIRST.with_experiment(blocked="nobody has its data"), id="pair/never")
PAIR = Paper("pair", "two tables that share a row", "nowhere", (FIRST, SECOND, NEVER))


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The paper is known; the options of the folder where its results go."""
    everything = (*search_spaces.papers(), PAIR)
    monkeypatch.setattr(search_spaces, "papers", lambda: everything)
    known = (*search_spaces.artifacts(), *PAIR.artifacts)
    monkeypatch.setattr(search_spaces, "artifacts", lambda: known)
    return ["--storage", str(tmp_path / "results")]


def test_a_paper_is_run_trial_by_trial_once_and_shown_table_by_table(storage: list[str]) -> None:
    code, out, _ = call("plan", "pair", *storage)
    assert code == 0
    assert "\npair: 6 trials in all, each counted once: 0 done, 6 to run now\n" in out
    tree = json.loads(call("plan", "pair", *storage, "--format", "json")[1])
    assert (tree["paper"], tree["trials"], tree["missing"]) == ("pair", 6, 6)
    assert [each["artifact"] for each in tree["artifacts"]] == ["pair/first", "pair/second"]
    assert [each["trials"] for each in tree["artifacts"]] == [4, 4]

    words = ["run", "pair", *storage, "--executor", "serial"]
    code, _, said = call(*words, "--max-trials", "5")
    assert code == 1
    assert "[4/4]" in said
    assert "stopped after 5 trials (--max-trials)\n" in said
    assert "\npair/second: 1 of 4 trials are queued; `sweep status` counts" in said
    code, _, said = call(*words)
    assert code == 0
    assert said.count("[1/1]") == said.count("to run") == 1
    assert said.endswith(
        "pair/first: 4 trials recorded; `sweep ui` shows them\n"
        "pair/second: 4 trials recorded; `sweep ui` shows them\n"
    )

    alone = [call("table", f"pair/{name}", *storage)[1] for name in ("first", "second")]
    assert call("table", "pair", *storage)[1] == "\n".join(alone)
    assert call("reproduce", "pair", *storage)[:2] == (0, "\n".join(alone))
    listed = json.loads(call("status", "pair", *storage, "--format", "json")[1])
    assert [(row["artifact"], row["done"]) for row in listed] == [
        ("pair/first", 4), ("pair/second", 4),
    ]  # fmt: skip
    assert json.loads(call("status", "nrs", *storage, "--format", "json")[1]) == []
    assert call("status", "pare", *storage)[2].startswith("sweep: unknown paper 'pare' (did you ")
    exported = str(Path(storage[1]).parent / "pair.json")
    assert call("export", "pair", exported, *storage)[1] == f"6 trials written to {exported}\n"
    tables = json.loads(call("table", "pair", *storage, "--format", "json")[1])
    assert [table["artifact"] for table in tables] == ["pair/first", "pair/second"]


def test_of_a_paper_some_cells(storage: list[str]) -> None:
    tree = json.loads(
        call("plan", "pair", "--where", "method=sam", *storage, "--format", "json")[1]
    )
    assert [each["artifact"] for each in tree["artifacts"]] == ["pair/first"]
    assert tree["trials"] == 2


def test_a_reading_is_that_of_the_tables_that_know_it(
    storage: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = Reading("more of it", everywhere(optimizer__weight_decay=0.5))
    choice = Choice(
        "weight decay", "5e-4", "0.0005", name="decay", default="little", others={"half": more}
    )
    paper = replace(PAIR, artifacts=(FIRST, SECOND.with_notes(choices=(choice,))))
    monkeypatch.setattr(search_spaces, "papers", lambda: (paper,))
    monkeypatch.setattr(search_spaces, "artifacts", lambda: paper.artifacts)
    words = ["plan", "pair", "--read", "decay=half", *storage, "--format", "json"]
    code, out, error = call(*words)
    assert code == 0, error
    found = json.loads(out)["artifacts"]
    assert [
        {t["config"]["optimizer"]["weight_decay"] for s in a["stages"] for t in s["trials"]}
        for a in found
    ] == [{0.0005}, {0.5}]


def test_a_cell_that_is_not_shown_is_none_that_can_be_chosen(
    storage: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    erm, usam = SECOND.experiment.cells
    paper = replace(
        PAIR,
        artifacts=(FIRST, SECOND.with_experiment(cells=(erm, replace(usam, hidden=True)))),
    )
    monkeypatch.setattr(search_spaces, "papers", lambda: (paper,))
    monkeypatch.setattr(search_spaces, "artifacts", lambda: paper.artifacts)
    code, _, error = call("plan", "pair", "--where", "method=usam", *storage)
    assert code == 2
    assert error.startswith(
        "sweep: unknown method of pair 'usam' (did you mean 'sam'?); known: erm"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["plan", "pair", "--where", "metod=sam"],
            "unknown label of pair 'metod' (did you mean 'method'?); known: method",
        ),
        (
            ["run", "pair", "--where", "method=sem"],
            "unknown method of pair 'sem' (did you mean 'sam'?); known: erm, sam, usam",
        ),
        (["plan", "nrs", "--read", "stp=literal"], "nrs: unknown reading 'stp' (did you mean"),
        (
            ["plot", "pair"],
            "pair is a whole paper; name one of its tables and figures: pair/first, pair/second, "
            "pair/never",
        ),
        (["run", "nrs", "--selection", "validaton"], "unknown selection rule 'validaton'"),
    ],
)
def test_what_a_paper_cannot_have_is_said(
    words: list[str], said: str, storage: list[str], tmp_path: Path
) -> None:
    code, out, error = call(*words, *storage)
    assert (code, out) == (2, "")
    assert error.startswith(f"sweep: {said}")
    assert list(tmp_path.iterdir()) == []


def test_what_one_table_lacks_is_said_before_the_other_is_run(
    storage: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = replace(SECOND.with_experiment(base={"data.source": "cifar10"}), id="pair/apart")
    monkeypatch.setattr(search_spaces, "papers", lambda: (replace(PAIR, artifacts=(FIRST, apart)),))
    known = (FIRST, apart)
    monkeypatch.setattr(search_spaces, "artifacts", lambda: known)
    nowhere = ["--data", storage[1] + "-none"]
    code, _, error = call("run", "pair", "--preset", "paper", *storage, *nowhere)
    assert code == 1
    assert "cifar10" in error
    assert not (Path(storage[1]) / "trials").exists()


@pytest.mark.parametrize("paper", [paper.key for paper in search_spaces.papers()])
def test_every_paper_is_planned_whole(paper: str, tmp_path: Path) -> None:
    storage = ["--storage", str(tmp_path / "results")]
    code, out, _ = call("plan", paper, *storage, "--format", "json")
    assert code == 0
    tree = json.loads(out)
    runnable = [a for a in search_spaces.artifacts() if a.paper == paper]
    runnable = [a for a in runnable if not a.experiment.blocked]
    assert [each["artifact"] for each in tree["artifacts"]] == [a.id for a in runnable]
    assert max(e["trials"] for e in tree["artifacts"]) <= tree["trials"]
    assert tree["trials"] <= sum(e["trials"] for e in tree["artifacts"])
    assert tree["trials"] == tree["missing"] + tree["waiting"]
