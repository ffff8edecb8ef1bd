"""Tables as one HTML page that needs nothing else: ``table.html.jinja``.

What other pages with tables share with it is in ``grid.html.jinja``.
"""

from __future__ import annotations

import html
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sweep.tables import text
from sweep.tables.cells import TableCell
from sweep.tables.layout import Table


def render(table: Table) -> str:
    """The table; hovering over a number names the selected point and the trials.

    Their numbers are in the unit of the column.
    """
    return (
        environment()
        .get_template("table.html.jinja")
        .render(
            title=f"{table.artifact}: {table.title}",
            header=text.header(table),
            footer=text.footer(table),
            table=table,
            text=text,
            details=details,
        )
    )


def environment(*folders: str) -> Environment:
    """What fills in the templates of this folder, and of other ``folders`` of `sweep`."""
    own = PackageLoader("sweep.tables", "formats")
    return Environment(
        loader=ChoiceLoader([*(PackageLoader("sweep", folder) for folder in folders), own]),
        autoescape=True,
        finalize=_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _escaped(value: Any) -> Markup:
    """As the standard library escapes: pages compare equal whichever version of Jinja made them."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def details(cell: TableCell) -> str:
    """The selected point of a number, and each trial with its value."""
    point = ", ".join(f"{name} = {value}" for name, value in (cell.result.point or {}).items())
    lines = [f"selected: {point}"] if point else []
    if cell.values:  # a ratio to nothing has none
        values = zip(cell.summary.trial_ids, cell.values, strict=True)
        lines += [cell.metric.label, *(f"{trial_id}: {value:.6g}" for trial_id, value in values)]
    return "\n".join(lines)


__all__ = ["details", "environment", "render"]
