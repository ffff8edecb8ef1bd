"""A report as HTML and Markdown. Oracles: the standard library's parser of HTML, markdown-it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from sweep.report import SUFFIXES, Page, Section, render, write
from sweep.report.pictures import Picture
from sweep.tables.layout import Table
from tests.golden.make import FOLDER, report
from tests.sweep.report.cases import TOGETHER
from tests.sweep.report.cases import report as made_up
from tests.sweep.tables.cases import NASTY, nasty
from trainables.errors import UsageError

pytestmark = TOGETHER


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_golden_reports(suffix: str) -> None:
    """Exact, byte for byte. After a wanted change: ``python tests/golden/make.py``, and read."""
    kept = (FOLDER / f"report{suffix}").read_text(encoding="utf-8")
    assert render(report(), suffix) == kept


class Structure(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.inside = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.attributes.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside != "style" else ""

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.attributes if name == tag]


@pytest.fixture(scope="module")
def structure() -> Structure:
    return Structure(render(made_up("infomcr/table1")))


def test_headings_are_in_order(structure: Structure) -> None:
    assert structure.headings[0] == 1
    assert structure.headings.count(1) == 1
    steps = zip(structure.headings, structure.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)


def test_landmarks_and_links_lead_somewhere(structure: Structure) -> None:
    tags = Counter(tag for tag, _ in structure.attributes)
    assert (tags["main"], tags["header"], tags["nav"]) == (1, 1, 1)
    ids = [a["id"] for _, a in structure.attributes if "id" in a]
    assert len(ids) == len(set(ids))
    links = [(a["href"] or "")[1:] for a in structure.of("a")]
    named = [a["aria-labelledby"] for _, a in structure.attributes if "aria-labelledby" in a]
    assert links[0] == "main"
    assert {*links, *named} <= {*ids}


def test_tables_have_a_caption_and_heads_that_say_of_what(structure: Structure) -> None:
    tags = Counter(tag for tag, _ in structure.attributes)
    assert tags["caption"] == tags["table"] == 2  # numbers, claims
    scopes = {a.get("scope") for a in structure.of("th")}
    assert scopes <= {"col", "colgroup", "row"}
    assert {"col", "row"} <= scopes


def test_nothing_is_loaded_from_elsewhere(structure: Structure) -> None:
    tags = {tag for tag, _ in structure.attributes}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    (policy,) = (a["content"] for a in structure.of("meta") if "http-equiv" in a)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not [a for _, a in structure.attributes for key in ("src",) if key in a]


def test_pictures_are_whole_elements_with_names() -> None:
    page = made_up("amp/figure8")
    for section in page.sections:
        for picture in section.pictures:
            root = ElementTree.fromstring(picture.svg)
            assert root.get("role") == "img"
            assert root.get("aria-label") == picture.text
    ids = re.findall(r'\bid="([^"]+)"', render(page))
    assert len(ids) == len(set(ids))


def odd() -> Page:
    table: Table = replace(nasty(), verdicts=((NASTY, NASTY),))
    section = Section(table, ((NASTY, NASTY),), (NASTY,), (Picture(NASTY, "<svg></svg>", "grid"),))
    lines = ((NASTY, NASTY),)
    return Page(NASTY, NASTY, lines, (section,), None, lines, lines, (NASTY,))


def test_what_is_said_is_escaped_in_html() -> None:
    found = Structure(render(odd()))
    assert not {"i"} & {tag for tag, _ in found.attributes}
    assert found.text.count(NASTY) > 10


def test_what_is_said_is_escaped_in_markdown() -> None:
    tokens = MarkdownIt().enable("table").parse(render(odd(), ".md"))
    allowed = {
        "text", "html_inline", "strong_open", "strong_close", "text_special", "softbreak",
        "code_inline",
    }  # fmt: skip
    inline = [t for t in tokens if t.type == "inline"]
    assert {c.type for t in inline for c in t.children or ()} <= allowed
    assert {c.content for t in inline for c in t.children or () if c.type == "html_inline"} <= {
        "<br>"
    }
    assert [t.content for t in tokens if t.type == "fence"] == [f"{NASTY}\n"]
    title = next(t for t in tokens if t.type == "inline")
    assert "".join(c.content for c in title.children or ()) == NASTY


def test_markdown_names_the_command_that_draws_a_figure() -> None:
    text = render(made_up("amp/figure8"), ".md")
    assert "- `sweep plot amp/figure8` draws: amp/figure8: " in text
    assert "<svg" not in text


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_report_is_written_at_once_or_not_at_all(suffix: str, tmp_path: Path) -> None:
    page = odd()
    write(page, tmp_path / f"a{suffix}")
    assert (tmp_path / f"a{suffix}").read_text(encoding="utf-8") == render(page, suffix)
    assert [file.name for file in tmp_path.iterdir()] == [f"a{suffix}"]
    with pytest.raises(UsageError, match="name another file"):
        write(page, tmp_path / "nowhere" / f"a{suffix}")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one of \.html, \.md"):
        write(odd(), tmp_path / "a.pdf")
