"""Tables as GitHub Markdown."""

from __future__ import annotations

import re

from sweep.tables import text
from sweep.tables.cells import TableCell
from sweep.tables.layout import Table


def render(table: Table) -> str:
    """A heading, what is said above, the table, what is said below."""
    heads = [
        *map(escape, table.row_labels),
        *("<br>".join(escape(entry) for entry in column if entry) for column in table.columns),
    ]
    lines = [
        f"### {escape(table.artifact)}: {escape(table.title)}",
        "",
        *(f"- {what}: {escape(said)}" for what, said in text.header(table)),
        "",
        _row(heads),
        _row([":--" for _ in table.row_labels] + ["--:" for _ in table.columns]),
    ]
    for row, cells in zip(table.rows, table.grid, strict=True):
        lines.append(_row([*map(escape, row), *(_cell(cell) for cell in cells)]))
        won = [point for point, width in text.selected(cells) for _ in range(width)]
        if any(won):
            lines.append(_row([*[""] * (len(row) - 1), "selected", *map(escape, won)]))
    lines += ["", *(f"- {escape(what)}: {escape(said)}" for what, said in text.footer(table))]
    return "\n".join(lines) + "\n"


def _row(entries: list[str]) -> str:
    return f"| {' | '.join(entries)} |"


def _cell(cell: TableCell | None) -> str:
    if cell is None:
        return ""
    number = text.value(cell)
    lines = [f"{f'**{number}**' if cell.bold else number} {escape(text.counts(cell))}"]
    if printed := text.printed(cell):
        lines.append(f"printed {escape(printed)}")
    if against := text.against(cell):
        lines.append(f"against {escape(against)}")
    if difference := text.difference(cell):
        lines.append(f"Δ {escape(difference)}")
    return "<br>".join(lines)


def escape(plain: str) -> str:
    """Markdown's and HTML's own characters made literal; a line break becomes a space."""
    plain = " ".join(plain.split())
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", plain)


__all__ = ["escape", "render"]
