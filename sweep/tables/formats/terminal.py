"""Tables for a terminal, in as many blocks as its width needs: a cell is never cut."""

from __future__ import annotations

import io
import os
import shutil
import sys

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from sweep.tables import text
from sweep.tables.cells import TableCell
from sweep.tables.layout import Table

UNLIMITED = 100_000


def render(table: Table, width: int | None = None, color: bool | None = None) -> str:
    """The table as text, at most ``width`` characters wide where a single column allows it.

    Without ``color`` a star follows the numbers that would be bold. None: as standard output
    has it; a file or a pipe is as wide as need be, and has no color.
    """
    live = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if width is None and live else width
    color = live and "NO_COLOR" not in os.environ if color is None else color
    out = io.StringIO()
    console = Console(
        file=out,
        width=UNLIMITED,  # blocks are made to fit; what cannot fit is not to be cut
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        emoji=False,
        markup=False,
    )
    _say(console, [(table.artifact, table.title), *text.header(table)], width)
    for block in _column_blocks(table, console, width):
        console.print(block, no_wrap=True, crop=False)
    _say(console, text.footer(table, "*" if console.color_system is None else "bold"), width)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _say(console: Console, lines: list[tuple[str, str]], width: int | None) -> None:
    indent = min(12, max(len(what) for what, _ in lines))
    for what, said in lines:
        line = Text(said)
        wrapped = line.wrap(console, max(20, (width or UNLIMITED) - indent - 2))
        for i, block in enumerate(wrapped):
            head = Text(f"{what if i == 0 else '':<{indent}}  ", style="dim")
            console.print(head + block, no_wrap=True, crop=False)


def _column_blocks(table: Table, console: Console, width: int | None) -> list[Grid]:
    """As few tables as fit: the columns dealt out in order, the row labels repeated."""
    blocks: list[list[int]] = [[]]
    for column in range(len(table.columns)):
        grown = _grid(table, [*blocks[-1], column], console)
        if blocks[-1] and width and console.measure(grown).maximum > width:
            blocks.append([])
        blocks[-1].append(column)
    return [_grid(table, block, console) for block in blocks]


def _grid(table: Table, columns: list[int], console: Console) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for label in table.row_labels:
        grid.add_column(Text(label), no_wrap=True)
    for i in columns:
        head = Text("\n".join(entry for entry in table.columns[i] if entry))
        grid.add_column(head, justify="right", no_wrap=True, vertical="top")
    starred = console.color_system is None
    for names, cells, starts in text.body(table):
        if starts:
            grid.add_section()
        grid.add_row(*map(Text, names), *(_cell(cells[i], starred) for i in columns))
    return grid


def _cell(cell: TableCell | None, starred: bool) -> Text:
    if cell is None:
        return Text("")
    entry = Text(text.value(cell), style="bold" if cell.bold else "")
    star = "*" if cell.bold and starred else ""
    entry = Text.assemble(entry, star, " ", (text.counts(cell), "red" if cell.problems else "dim"))
    if printed := text.printed(cell):
        entry.append(f"\nprinted {printed}", style="dim")
    if against := text.against(cell):
        entry.append(f"\nagainst {against}", style="dim")
    if difference := text.difference(cell):
        style = {True: "green", False: "red", None: "dim"}[cell.inside]
        entry.append(f"\nΔ {difference}", style=style)
    return entry


__all__ = ["render"]
