"""A report as a browser shows it, at the widths of a telephone, a tablet and a desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.report import write
from tests.browser import PROGRAMS, Browser, browser
from tests.needs import needs_program
from tests.sweep.report.cases import NAMES, TOGETHER, report

pytestmark = [needs_program(*PROGRAMS), TOGETHER]
WIDTHS = (360, 800, 1400)


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    found = {name: folder / f"{name.replace('/', '-')}.html" for name in NAMES}
    for name, file in found.items():
        write(report(name), file)
    return found


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_overflows_nothing_is_loaded_nothing_goes_wrong(
    tab: Browser, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    tab.open(pages[name], width, dark)
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.said == []
    assert tab.asked == []
    assert tab.value("performance.getEntriesByType('resource').length") == 0


def test_a_page_that_overflows_asks_and_complains_is_noticed(tab: Browser, tmp_path: Path) -> None:
    file = tmp_path / "bad.html"
    file.write_text(
        "<!doctype html><p style='width:900px'>wide</p><img src='http://127.0.0.1:9/x.png'>"
        "<script>console.error('no')</script>"
    )
    tab.open(file, 360)
    assert tab.value("document.documentElement.scrollWidth") > 360
    assert tab.asked == ["http://127.0.0.1:9/x.png"]
    assert any("no" in said for said in tab.said)


@pytest.mark.parametrize("name", NAMES)
def test_a_screen_reader_is_told_what_everything_is(
    tab: Browser, pages: dict[str, Path], name: str
) -> None:
    tab.open(pages[name], 800)
    told = tab.names()
    roles = {role for role, _ in told}
    assert {"banner", "navigation", "main", "heading", "region", "table", "link"} <= roles
    assert ("heading", f"{name}, preset smoke") in told
    assert ("navigation", "Contents") in told
    assert ("region", f"Numbers of {name}") in told
    named = ("link", "region", "table", "image", "img", "heading", "columnheader", "rowheader")
    assert [role for role, text in told if role in named and not text.strip()] == []
    # A region without a name is none, and the tree leaves it out.
    assert tab.value("document.querySelectorAll('[role=region]:not([aria-label])').length") == 0
    pictures = [text for role, text in told if role in ("image", "img")]
    assert all(text.startswith(f"{name}: ") for text in pictures)
    assert pictures


@pytest.mark.parametrize("name", NAMES)
def test_the_keyboard_reaches_all_that_scrolls_and_sees_where_it_is(
    tab: Browser, pages: dict[str, Path], name: str
) -> None:
    tab.open(pages[name], 360)
    tab.press("Tab", 9)
    assert tab.value("document.activeElement.className") == "skip"
    left, top = (
        tab.value(f"document.activeElement.getBoundingClientRect().{s}") for s in ("left", "top")
    )
    assert left >= 0 <= top
    tab.press("Enter", 13)
    assert tab.value("location.hash") == "#main"
    scrolling = tab.value(
        "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).map(e => e.tabIndex)"
    )
    assert scrolling
    assert set(scrolling) == {0}
    tab.press("Tab", 9)
    assert tab.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_what_is_behind_it(
    tab: Browser, pages: dict[str, Path], dark: bool
) -> None:
    """4.5 : 1, as WCAG 2 asks of text of this size, by its formula of relative luminance."""
    tab.open(pages["infomcr/table1"], 800, dark)
    found = tab.value(CONTRASTS)
    assert len(found) >= 3  # text, soft text, links
    assert min(found) >= 4.5


CONTRASTS = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(x => x / 255)
      .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const probe = document.createElement('div');
  probe.style.backgroundColor = 'Canvas'; document.body.append(probe);
  const behind = light(getComputedStyle(probe).backgroundColor);
  const seen = new Set([...document.querySelectorAll('body *:not(svg *)')]
    .filter(e => e.textContent.trim()).map(e => getComputedStyle(e).color));
  return [...seen].map(light).map(l => (Math.max(l, behind) + .05) / (Math.min(l, behind) + .05));
})()
"""


def test_on_paper_it_is_all_there(tab: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    """Nothing scrolls on paper: what does not fit would be cut off."""
    tab.open(pages["infomcr/table1"], 700, media="print")
    assert tab.value("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    assert tab.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert tab.value("document.documentElement.scrollWidth") <= 700
    tab.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
