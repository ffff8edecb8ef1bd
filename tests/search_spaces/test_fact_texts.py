"""The check of printed numbers against the papers' texts, on texts made up here."""

from __future__ import annotations

from pathlib import Path

import pytest

import search_spaces
from tests.facts import PAPERS, facts
from tests.facts.check_texts import QUOTED, main


def write(folder: Path) -> None:
    for paper in PAPERS:
        numbers = [
            f"{number.mean} $\\pm$ {number.std} |" if number.std is not None else f"{number.mean} |"
            for artifact in search_spaces.artifacts()
            if artifact.paper == paper
            for cell in artifact.experiment.cells
            for number in cell.reported.values()
            if number.mean is not None and not number.note.startswith("not printed")
        ]
        title = facts(paper)["paper"]["title"].replace(" ", "\n", 1)
        lines = [f"# **{title}**", *numbers, *QUOTED.get(paper, ())]
        (folder / f"{paper}.txt").write_text("\n".join(lines), encoding="utf-8")


def test_all_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    assert main(tmp_path) == 0


def test_what_is_absent_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    file = tmp_path / "nso.txt"
    cell = next(c for c in search_spaces.find("nso/table3").experiment.cells if c.reported)
    metric, number = next(iter(cell.reported.items()))
    there = f"{number.mean} $\\pm$ {number.std} |"
    text = file.read_text(encoding="utf-8").replace(QUOTED["nso"][0], "")
    file.write_text(text.replace(there, f"{number.mean} | {number.std}9 |"), encoding="utf-8")
    assert main(tmp_path) == 1
    printed = capsys.readouterr().out.splitlines()
    assert f"nso: {QUOTED['nso'][0]!r}" in printed
    assert any(f"{metric}: {number.mean} ± {number.std}" in line for line in printed)


def test_a_text_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    (tmp_path / "fa.txt").unlink()
    assert main(tmp_path) == 2
    assert "0 files" in (said := capsys.readouterr().err)
    assert facts("fa")["paper"]["title"] in said
    assert main(tmp_path / "nowhere") == 2
