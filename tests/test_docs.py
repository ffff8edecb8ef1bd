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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    assert [path for path in linked if not (document.parent / path).exists()] == []


def test_every_page_is_linked() -> None:
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    pages = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert [name for name in pages if not any(f"{name})" in text for text in texts)] == []


def test_the_questions_are_fifteen() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().partition("## Fifteen questions")[2]
    assert len(re.findall(r"^\| .*\? \| `", text, re.M)) == 15
