"""Tables as CSV: one line per number."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from sweep.tables.cells import TableCell
from sweep.tables.fields import fields
from sweep.tables.layout import Table


def render(table: Table) -> str:
    """One line per number, each with its artifact, preset and selection rule."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    labels = (*table.row_labels, *table.column_labels)
    lines = [_line(table, row, column, cell) for row, column, cell in table.cells]
    writer.writerow(
        ["artifact", "preset", "comparable", "selection", "epoch", *labels, *_names(table)]
    )
    writer.writerows(lines)
    return text.getvalue()


_COLUMNS = (
    "name", "mean", "std", "n", "asked", "diverged", "failed", "running", "missing", "undefined",
    "searched", "points", "difference", "half_width", "inside", "bold",
    "reported_mean", "reported_std", "reported_n", "reported_note", "point", "trial_ids",
    "waits", "reported_comparable", "variant", "readings", "reproduced", "incomparable",
)  # fmt: skip


_AGAINST = ("against_variant", "against_mean", "against_std", "against_n", "against_trial_ids")


def _names(table: Table) -> tuple[str, ...]:
    return _COLUMNS if table.against is None else _COLUMNS + _AGAINST


def _line(
    table: Table, row: tuple[str, ...], column: tuple[str, ...], cell: TableCell
) -> list[Any]:
    reported, result, other = cell.reported, cell.result, cell.against
    known: dict[str, Any] = {
        **fields(cell),
        "reported_mean": reported.mean if reported else None,
        "reported_std": reported.std if reported else None,
        "reported_n": reported.n if reported else None,
        "reported_note": reported.note if reported else "",
        "reported_comparable": reported.comparable if reported else None,
        "point": json.dumps(dict(result.point)) if result.point else "",
        "trial_ids": " ".join(result.trial_ids),
        "variant": table.variant,
        "against_variant": table.against,
        "against_mean": other.mean if other else None,
        "against_std": other.std if other else None,
        "against_n": other.n if other else None,
        "against_trial_ids": " ".join(other.result.trial_ids) if other else "",
        "readings": " ".join(f"{name}={value}" for name, value in table.readings.items()),
    }
    about = [table.artifact, table.preset, table.comparable, table.rule, table.epoch]
    return [*about, *row, *column, *(known[name] for name in _names(table))]


__all__ = ["render"]
