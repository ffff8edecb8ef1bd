"""Tables as JSON: one object per cell."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from search_spaces.spec import Choice
from sweep.tables.cells import TableCell
from sweep.tables.fields import fields
from sweep.tables.layout import Table
from sweep.tables.reproduction import Reproduction


def render(table: Table) -> str:
    """The whole table; every cell an object with ``mean``, ``std``, ``n`` and the rest."""
    head = {
        name: getattr(table, name)
        for name in (
            "artifact",
            "title",
            "preset",
            "variant",
            "comparable",
            "rule",
            "selection",
            "epoch",
        )
    }
    tree = {
        **head,
        **({} if table.against is None else _against(table)),
        **{sentence.field: sentence.text for sentence in table.sentences},
        "notes": table.notes,
        "claims": table.claims,
        "verdicts": dict(table.verdicts),
        "choices": [_choice(choice, table) for choice in table.choices],
        "directions": table.directions,
        "reproduction": _reproduction(table.reproduction) if table.any_reported else None,
        "provenance": table.provenance,
        "row_labels": table.row_labels,
        "column_labels": table.column_labels,
        "cells": [
            {
                "row": _as_in_the_paper(table.row_labels, row, cell),
                "column": _as_in_the_paper(table.column_labels, column, cell),
                "ran": dict(cell.result.cell.ran),
                **fields(cell),
                **({} if table.against is None else {"against": _other(cell), "lacks": cell.mark}),
                "reported": None if cell.reported is None else asdict(cell.reported),
                "point": None if cell.result.point is None else dict(cell.result.point),
                "values": cell.summary.values,
                "trial_ids": cell.result.trial_ids,
            }
            for row, column, cell in table.cells
        ],
    }
    return json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _reproduction(found: Reproduction) -> dict[str, Any]:
    return {
        "inside": found.inside,
        "compared": found.compared,
        "not_comparable": dict(found.not_comparable),
        "pairs": len(found.pairs),
        "tau": found.tau,
        "baseline": found.baseline,
        "directions": [asdict(each) for each in found.directions],
    }


def _against(table: Table) -> dict[str, Any]:
    return {
        "against": table.against,
        "compared": table.difference,
        "missing": dict(table.footnotes),
    }


def _other(cell: TableCell) -> dict[str, Any] | None:
    """The other variant's number; ``difference`` of the cell is its own less this one.

    ``lacks`` of the cell names the entries of ``missing``.
    """
    other = cell.against
    if other is None:
        return None
    return {
        **{name: fields(other)[name] for name in ("mean", "std", "n", "asked", "waits")},
        "values": other.summary.values,
        "trial_ids": other.result.trial_ids,
    }


def _choice(choice: Choice, table: Table) -> dict[str, Any]:
    """``reading`` is what programs know the interpretation by."""
    return {
        "name": choice.name,
        "value": table.readings.get(choice.name, ""),
        "default": choice.default,
        "what": choice.what,
        "reading": choice.interpretation,
        "why": choice.why,
        "field": choice.field,
        "others": {value: reading.what for value, reading in choice.others.items()},
    }


def _as_in_the_paper(
    labels: tuple[str, ...], entries: tuple[str, ...], cell: TableCell
) -> dict[str, str]:
    """A row or column by the paper's labels, by which cells are found; ``ran`` says what ran."""
    shown = dict(zip(labels, entries, strict=True))
    ran = cell.result.cell.ran
    return {label: cell.result.cell.key[label] if label in ran else shown[label] for label in shown}


__all__ = ["render"]
