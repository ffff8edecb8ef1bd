"""A report as one HTML page that needs nothing else (``report.html.jinja``), or as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from sweep.record.export import writing
from sweep.report.page import Page, Section
from sweep.tables import claims as judged
from sweep.tables import render as as_table
from sweep.tables import text
from sweep.tables.formats.html import details, environment
from sweep.tables.formats.md import escape
from trainables.errors import UsageError

SUFFIXES = (".html", ".md")


def write(page: Page, path: Path) -> None:
    """Write ``page`` to ``path``, atomically; the suffix names the format.

    Raises:
        UsageError: another suffix, or a folder that cannot be written.
    """
    check(path)
    content = render(page, path.suffix)
    with writing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def check(path: Path) -> None:
    """Raise UsageError for a file whose suffix names no format."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"a report is one of {', '.join(SUFFIXES)}, and {str(path)!r} is none")


def render(page: Page, suffix: str = ".html") -> str:
    """The report as text, in the format of one of the `SUFFIXES`."""
    return html(page) if suffix == ".html" else markdown(page)


def html(page: Page) -> str:
    """With headings in order, landmarks, and figures that say what they show."""
    return (
        environment("report")
        .get_template("report.html.jinja")
        .render(
            page=page,
            text=text,
            details=details,
            anchor=anchor,
            drawn=Markup,
            claims=Markup(judged.grid(page.claims)) if page.claims else None,
        )
    )


def anchor(name: str) -> str:
    """``nrs-table1``: by which a part of the page is linked."""
    return re.sub(r"\W+", "-", name)


def markdown(page: Page) -> str:
    """Figures are named with the commands that draw them: a file of Markdown has none in it."""
    parts = [f"# {escape(page.title)}", _listed(page.summary), "## Tables and figures"]
    parts += [_section(section) for section in page.sections]
    if page.claims:
        parts += ["## Claims", judged.md(page.claims).rstrip("\n")]
    parts += ["## What is missing", _listed(page.missing) or "Nothing."]
    parts += ["## Environment", _listed(page.environment) or "Nothing is recorded."]
    parts += ["## Commands", "\n".join(["```sh", *page.commands, "```"])]
    return "\n\n".join(parts) + "\n"


def _listed(lines: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {escape(what)}: {escape(said)}" for what, said in lines)


def _section(section: Section) -> str:
    name = section.table.artifact
    kinds = [f" --kind {picture.kind}" if picture.kind else "" for picture in section.pictures]
    drawn = [
        (f"`sweep plot {name}{kind}`", picture.text)
        for kind, picture in zip(kinds, section.pictures, strict=True)
    ]
    parts = [as_table(section.table, "md").rstrip("\n"), _listed(section.trials)]
    parts += ["\n".join(f"- {command} draws: {escape(said)}" for command, said in drawn)]
    return "\n\n".join(filter(None, parts))


__all__ = ["SUFFIXES", "anchor", "check", "html", "markdown", "render", "write"]
