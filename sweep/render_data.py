"""Tables for programs: JSON (a cell an object) and CSV (a line a number)."""

from __future__ import annotations

import csv as csv_module
import io
import json as json_module
from dataclasses import asdict
from typing import Any

from sweep.table_cells import TableCell
from sweep.tables import Table


def json(table: Table) -> str:
    """The whole table; every cell an object with ``mean``, ``std``, ``n`` and the rest."""
    head = {
        name: getattr(table, name)
        for name in ("artifact", "title", "preset", "comparable", "rule", "selection", "epoch")
    }
    tree = {
        **head,
        "held_out": table.held_out,
        "switched_off": table.switched_off,
        "notes": table.notes,
        "claims": table.claims,
        "choices": [asdict(choice) for choice in table.choices],
        "directions": table.directions,
        "provenance": table.provenance,
        "row_labels": table.row_labels,
        "column_labels": table.column_labels,
        "cells": [
            {
                "row": _as_in_the_paper(table.row_labels, row, cell),
                "column": _as_in_the_paper(table.column_labels, column, cell),
                "ran": dict(cell.result.cell.ran),
                **_fields(cell),
                "reported": None if cell.reported is None else asdict(cell.reported),
                "point": None if cell.result.point is None else dict(cell.result.point),
                "values": cell.summary.values,
                "trial_ids": cell.result.trial_ids,
            }
            for row, column, cell in table.cells
        ],
    }
    return json_module.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _as_in_the_paper(
    labels: tuple[str, ...], entries: tuple[str, ...], cell: TableCell
) -> dict[str, str]:
    """A row or column by the paper's labels, by which cells are found; ``ran`` says what ran."""
    shown = dict(zip(labels, entries, strict=True))
    ran = cell.result.cell.ran
    return {label: cell.result.cell.key[label] if label in ran else shown[label] for label in shown}


def csv(table: Table) -> str:
    """One line a number, each with its artifact, preset and selection rule."""
    text = io.StringIO()
    writer = csv_module.writer(text, lineterminator="\n")
    labels = (*table.row_labels, *table.column_labels)
    lines = [_line(table, row, column, cell) for row, column, cell in table.cells]
    writer.writerow(["artifact", "preset", "comparable", "selection", "epoch", *labels, *_COLUMNS])
    writer.writerows(lines)
    return text.getvalue()


_COLUMNS = (
    "name", "mean", "std", "n", "asked", "diverged", "failed", "running", "missing", "undefined",
    "searched", "points", "difference", "half_width", "inside", "bold",
    "reported_mean", "reported_std", "reported_n", "reported_note", "point", "trial_ids",
    "waits", "reported_comparable",
)  # fmt: skip


def _line(
    table: Table, row: tuple[str, ...], column: tuple[str, ...], cell: TableCell
) -> list[Any]:
    reported, result = cell.reported, cell.result
    fields: dict[str, Any] = {
        **_fields(cell),
        "reported_mean": reported.mean if reported else None,
        "reported_std": reported.std if reported else None,
        "reported_n": reported.n if reported else None,
        "reported_note": reported.note if reported else "",
        "reported_comparable": reported.comparable if reported else None,
        "point": json_module.dumps(dict(result.point)) if result.point else "",
        "trial_ids": " ".join(result.trial_ids),
    }
    about = [table.artifact, table.preset, table.comparable, table.rule, table.epoch]
    return [*about, *row, *column, *(fields[name] for name in _COLUMNS)]


def _fields(cell: TableCell) -> dict[str, Any]:
    summary, result = cell.summary, cell.result
    return {
        "name": cell.metric.key,
        "mean": cell.mean,
        "std": cell.std,
        "n": cell.n,
        "asked": cell.asked,
        "diverged": summary.diverged,
        "failed": summary.failed,
        "running": summary.running,
        "missing": summary.missing,
        "undefined": summary.undefined,
        "searched": result.searched,
        "points": result.points,
        "waits": result.waits,
        "difference": cell.difference,
        "half_width": cell.half_width,
        "inside": cell.inside,
        "bold": cell.bold,
    }


__all__ = ["csv", "json"]
