"""A new line above every table is one entry in one place."""

from __future__ import annotations

import json

import pytest

from sweep import aggregate
from sweep.record.record import Record
from sweep.record.runs import read_runs
from sweep.tables import FORMATS, render, sentences, text
from sweep.tables.layout import Table, build
from sweep.tables.sentences import TableLine
from tests.golden.make import ARTIFACT, FOLDER, PAPER, plans
from tests.sweep.tables.cases import THREE, table_of


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """The kept sweep's, under a further line."""
    line = TableLine(
        "reset", "reset", lambda plan, results: f"{len(results) // 2} networks were reset by hand"
    )
    monkeypatch.setattr(sentences, "LINES", (line,))
    plan, record = plans()["paper"], Record.from_runs(read_runs(FOLDER / "runs.jsonl"))
    results = aggregate.cells(plan, record)
    said = sentences.sentences(plan, results)
    return build(ARTIFACT, results, PAPER, plan.selection, sentences=said)


@pytest.mark.parametrize("kind", sorted({*FORMATS} - {"csv", "json"}))
def test_every_format_for_people_shows_it(table: Table, kind: str) -> None:
    assert text.header(table)[2] == ("reset", "3 networks were reset by hand")
    assert "3 networks were reset by hand" in " ".join(render(table, kind).split())


def test_programs_find_it_under_its_field(table: Table) -> None:
    assert json.loads(render(table, "json"))["reset"] == "3 networks were reset by hand"


def test_a_line_without_words_is_left_out_and_its_field_stays() -> None:
    table = table_of({("erm",): THREE})
    assert not {"held out", "switched off"} & dict(text.header(table)).keys()
    tree = json.loads(render(table, "json"))
    assert (tree["held_out"], tree["switched_off"]) == ("", "")
