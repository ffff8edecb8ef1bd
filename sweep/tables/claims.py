"""Judged claims as text, Markdown, a page, or JSON."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Mapping

from sweep.claims.show import COLUMNS, NOTHING, Report, fields, words
from sweep.tables.formats.md import escape


def terminal(report: Report, width: int = 100) -> str:
    """A claim in a few lines each."""
    lines = [f"{report.about}: claims", *report.head, ""]
    for each in report.judged:
        told = words(each)
        smallest = "allowed" if each.claim.kind == "equal" else "smallest"
        named = [(smallest, "margin"), ("mean", "effect")]
        named += [(name, name) for name in ("interval", "p", "printed", "power", "more seeds")]
        said = ", ".join(f"{what} {told[key]}" for what, key in named if told[key] != NOTHING)
        held = "" if told["held"] == NOTHING else f"  {told['held']}"
        lines.append(f"{told['id']:<12}{told['verdict']:<12}{held}  {told['runs']} runs")
        lines += _indented(told["claim"], width)
        lines += _indented(said, width) if said else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _indented(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=" " * 12, subsequent_indent=" " * 12)


def md(report: Report) -> str:
    """A Markdown table."""
    lines = [f"### {report.about}: claims", "", *(f"- {line}" for line in report.head), ""]
    lines += [f"| {' | '.join(COLUMNS)} |", f"|{' :-- |' * len(COLUMNS)}"]
    lines += [
        f"| {' | '.join(escape(words(each)[name]) for name in COLUMNS)} |" for each in report.judged
    ]
    return "\n".join(lines) + "\n"


def grid(report: Report) -> str:
    """The claims as a table of HTML."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    rows = "".join(f"<tr>{_row(words(each))}</tr>\n" for each in report.judged)
    caption = f'<caption class="unseen">{html.escape(report.about)}: claims</caption>'
    return f"<table>\n{caption}<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"


def _row(told: Mapping[str, str]) -> str:
    first, *others = (html.escape(told[name]) for name in COLUMNS)
    return f'<th scope="row">{first}</th>' + "".join(f"<td>{other}</td>" for other in others)


def page(report: Report) -> str:
    """One HTML page that needs nothing else."""
    title = html.escape(f"{report.about}: claims")
    head = "".join(f"<p>{html.escape(line)}</p>\n" for line in report.head)
    style = (
        "body{font-family:sans-serif}table{border-collapse:collapse}"
        "caption{position:absolute;clip-path:inset(50%)}"
        "th,td{border-bottom:1px solid #999;padding:.3em;text-align:left;vertical-align:top}"
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head>\n<body>\n<h1>{title}</h1>\n{head}"
        f"{grid(report)}</body>\n</html>\n"
    )


def as_json(report: Report) -> str:
    """The claims as objects."""
    tree = {
        "about": report.about,
        "preset": report.preset.name,
        "comparable": report.preset.comparable,
        "claims": [fields(each) for each in report.judged],
    }
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


FORMATS = {"terminal": terminal, "md": md, "html": page, "json": as_json}

__all__ = ["FORMATS", "grid", "md"]
