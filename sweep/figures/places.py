"""How the cells of any artifact are dealt to panels: what competes shares one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from search_spaces.spec import Cell, Metric, Selection, TableView
from sweep.aggregate import cells
from sweep.tables.cells import TableCell, competing_label, make
from trainables.metric_name import MetricName

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.record import Record

T = TypeVar("T")

ON_A_PAGE = 6
"""Panels of a figure, at most, where an artifact has a panel for each of its places."""


def shown(plan: Plan) -> list[Cell]:
    """The cells that a table of ``plan`` has."""
    return [cell for cell in plan.cells if not cell.hidden]


def compared(plan: Plan) -> str:
    """The label whose entries compete, by which lines and points are named."""
    return competing_label(plan.artifact.view, plan.artifact.experiment)


def panel_labels(plan: Plan) -> tuple[str, ...]:
    """The labels that have a panel for each of their entries.

    They are those that every cell has and that are not `compared`, where cells differ in them; none
    if each cell would then have a panel of its own.
    """
    found, rival = shown(plan), compared(plan)
    labels = dict.fromkeys(label for cell in found for label in cell.key)
    named = tuple(
        label
        for label in labels
        if label != rival
        and all(cell.key.get(label) for cell in found)
        and len({cell.label(label) for cell in found}) > 1
    )
    sizes = Counter(tuple(map(cell.label, named)) for cell in found)
    return named if max(sizes.values(), default=0) > 1 else ()


def numbers(plan: Plan, record: Record, metrics: Sequence[Metric]) -> list[TableCell]:
    """``metrics`` of every cell that is shown, in the units of their columns."""
    view = plan.artifact.view
    table = TableView(
        metrics=tuple(metrics), rows=view.rows, columns=view.columns, competing=view.competing
    )
    plan = with_view(plan, table)
    return make(table, plan.artifact.experiment, cells(plan, record), comparable=False)


def with_view(plan: Plan, view: TableView) -> Plan:
    """``plan`` shown so."""
    return replace(plan, artifact=replace(plan.artifact, view=view))


def criterion(rule: Selection) -> Metric:
    """What points are chosen by, as a column."""
    words, percent = rule.on.replace("_", " "), MetricName(rule.on).quantity.startswith("error")
    return Metric(
        rule.on, words + (" %" if percent else ""), shown="percent" if percent else "plain"
    )


def pages(panels: Sequence[T], together: int = 1) -> Iterator[Sequence[T]]:
    """``panels`` in parts that fit on a page, of equal size but for the last.

    Args:
        together: So many that follow each other are not parted; a divisor of `ON_A_PAGE`.
    """
    count = -(-len(panels) // ON_A_PAGE)
    size = together * -(-len(panels) // max(1, count * together))
    return (panels[i : i + size] for i in range(0, len(panels), size or 1))


__all__ = [
    "ON_A_PAGE",
    "compared",
    "criterion",
    "numbers",
    "pages",
    "panel_labels",
    "shown",
    "with_view",
]
