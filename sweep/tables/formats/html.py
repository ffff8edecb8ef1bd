"""Tables as one HTML page that needs nothing else."""

from __future__ import annotations

from html import escape

from sweep.tables import text
from sweep.tables.cells import TableCell
from sweep.tables.layout import Table

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #777; --bad: #b3261e;
        --good: #1b7f3b; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem;
       width: fit-content; max-width: 100%; box-sizing: border-box; }
h1 { font-size: 1.25rem; margin: 0 0 .6rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 46rem); gap: .15rem 1rem;
     margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
.scroll { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; border-block: 2px solid; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; text-align: right; vertical-align: top; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--line); text-align: center; font-weight: 600; }
thead tr:last-child th { border-bottom: 1px solid; }
tbody th { text-align: left; font-weight: 400; }
tbody tr.first > * { border-top: 1px solid var(--line); }
small { display: block; color: var(--soft); } td > span { color: var(--soft); }
.inside { color: var(--good); } .outside, .short { color: var(--bad) !important; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; --bad: #ff8a80; --good: #7fd99a; } }
"""


def render(table: Table) -> str:
    """The table; hovering over a number names the selected point, the values and the trials."""
    title = escape(f"{table.artifact}: {table.title}")
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            _said(text.header(table)),
            '<div class="scroll"><table><thead>',
            *_head(table),
            "</thead><tbody>",
            *_body(table),
            "</tbody></table></div>",
            _said(text.footer(table)),
            "</body></html>",
            "",
        ]
    )


def _said(lines: list[tuple[str, str]]) -> str:
    entries = (f"<dt>{escape(what)}</dt><dd>{escape(said)}</dd>" for what, said in lines)
    return f"<dl>{''.join(entries)}</dl>"


def _head(table: Table) -> list[str]:
    lines = []
    depth = len(table.column_labels)
    for level in range(depth):
        names = "".join(f"<th rowspan={depth}>{escape(n)}</th>" for n in table.row_labels)
        entries = [names if level == 0 else ""]
        entries += [f"<th colspan={n}>{escape(name)}</th>" for name, n in text.spans(table, level)]
        lines.append(f"<tr>{''.join(entries)}</tr>")
    return lines


def _body(table: Table) -> list[str]:
    lines = []
    previous: tuple[str, ...] = ()
    starts = text.group_starts(table)
    for row, cells, start in zip(table.rows, table.grid, starts, strict=True):
        first = ' class="first"' if start else ""
        names = (f"<th>{escape(name)}</th>" for name in text.row_names(row, previous))
        lines.append(f"<tr{first}>{''.join(names)}{''.join(map(_cell, cells))}</tr>")
        previous = row
    return lines


def _cell(cell: TableCell | None) -> str:
    if cell is None:
        return "<td></td>"
    number = escape(text.value(cell))
    number = f"<b>{number}</b>" if cell.bold else number
    short = ' class="short"' if cell.problems else ""
    entry = f"{number} <span{short}>{escape(text.counts(cell))}</span>"
    if printed := text.printed(cell):
        entry += f"<small>printed {escape(printed)}</small>"
    if difference := text.difference(cell):
        verdict = {True: ' class="inside"', False: ' class="outside"', None: ""}[cell.inside]
        entry += f"<small{verdict}>Δ {escape(difference)}</small>"
    return f'<td title="{escape(_details(cell))}">{entry}</td>'


def _details(cell: TableCell) -> str:
    point = ", ".join(f"{name} = {value}" for name, value in (cell.result.point or {}).items())
    values = zip(cell.summary.trial_ids, cell.summary.values, strict=True)
    lines = [f"selected: {point}"] if point else []
    return "\n".join(lines + [f"{trial_id}: {value:.6g}" for trial_id, value in values])


__all__ = ["render"]
