"""What the documents speak of exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("sweep", "trainables", "search_spaces", "tests", "benchmarks", "docs", "examples")
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_in_a_document_exists(document: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w./]*)`", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert named


def test_the_questions_are_twelve() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().partition("## Twelve questions")[2]
    assert len(re.findall(r"^\| .*\? \| `", text, re.M)) == 12
