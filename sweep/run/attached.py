"""What is attached to a sweep's run in MLflow: its table and, of a figure, what it looks like."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces.spec import TableView
from sweep import tables
from trainables.errors import UsageError

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.record import Record

LARGEST = 1_000_000
"""Characters of a figure that is kept with the sweep's note."""


def attachments(plan: Plan, record: Record) -> dict[str, str]:
    """The table as Markdown and HTML, and figures as SVG: name -> text.

    A figure that has nothing to draw yet is left out, and one as large as only a map of thousands
    of points is: `sweep plot` draws it.
    """
    return tables.attachments(plan, record) | dict(_figures(plan, record))


def _figures(plan: Plan, record: Record) -> Iterator[tuple[str, str]]:
    views = plan.artifact.figures or (plan.artifact.view,)
    if all(isinstance(view, TableView) for view in views):
        return
    from sweep import figures

    with suppress(UsageError), tempfile.TemporaryDirectory() as folder:
        drawn = figures.figures_of(plan, record)
        for i, figure in enumerate(drawn, 1):
            file = Path(folder) / ("figure.svg" if len(drawn) == 1 else f"figure-{i}.svg")
            figures.save(figure, file)
            text = file.read_text(encoding="utf-8")
            if len(text) <= LARGEST:
                yield file.name, text


__all__ = ["attachments"]
