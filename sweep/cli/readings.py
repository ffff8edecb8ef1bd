"""`--read list`: what a paper leaves open, how that can be read, and what each reading changes."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.cli.options import SweepOptions
from sweep.cli.workflow import find_whole, show

if TYPE_CHECKING:
    from search_spaces.spec import Artifact, Cell, Choice

LIST = "list"
"""What --read takes for a question."""

WIDTH = 100


@dataclass(frozen=True)
class Touched:
    """What a reading changes in an artifact.

    Attributes:
        cells: Those that it runs otherwise, or whose printed numbers it compares with nothing.
        columns: Heads of those that show another number.
        labels: Under which it records what was recorded under others.
        selection: Whether another number chooses, or is read at another epoch.
        of: All cells of the artifact.
    """

    cells: tuple[Cell, ...]
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    selection: bool
    of: tuple[Cell, ...]

    @classmethod
    def between(cls, before: Artifact, after: Artifact) -> Touched:
        """What is other in ``after``."""
        old, new = before.experiment, after.experiment
        there = {tuple(cell.key.items()): cell for cell in new.cells}

        def changed(cell: Cell) -> bool:
            other = there.get(tuple(cell.key.items()))
            return other is None or _run(before, cell) != _run(after, other)

        columns = zip(before.view.metrics, after.view.metrics, strict=True)
        known = {measure.key for measure in old.measures}
        return cls(
            cells=tuple(filter(changed, old.cells)),
            columns=tuple(metric.label for metric, now in columns if metric != now),
            labels=tuple(m.key for m in new.measures if m.key not in known),
            selection=old.selection != new.selection,
            of=old.cells,
        )

    def __str__(self) -> str:
        parts = [_in_words(self.cells, self.of)] if self.cells else []
        if self.columns:
            parts.append(f"column {', '.join(self.columns)}")
        elif self.labels:
            parts.append(f"measure {', '.join(self.labels)}")
        if self.selection:
            parts.append("what is selected on")
        return "; ".join(parts)


def _in_words(cells: Sequence[Cell], everything: Sequence[Cell]) -> str:
    """``model VGG16, ResNet18; method NRS``: the labels by which they are told from the others."""
    if len(cells) == len(everything):
        return "all cells"
    labels = dict.fromkeys(label for cell in everything for label in cell.key)
    entries = {label: dict.fromkeys(cell.key.get(label, "") for cell in cells) for label in labels}
    found = [c for c in everything if all(c.key.get(n, "") in entries[n] for n in labels)]
    if len(found) > len(cells):
        return f"{len(cells)} of {len(everything)} cells"
    known = {label: {cell.key.get(label, "") for cell in everything} for label in labels}
    telling = [label for label in labels if len(entries[label]) < len(known[label])]
    return "; ".join(f"{label} {', '.join(filter(None, entries[label]))}" for label in telling)


def _run(artifact: Artifact, cell: Cell) -> Any:
    """How a cell is run and compared."""
    experiment = artifact.experiment
    stages = [stage for stage in experiment.stages if stage.covers(cell)]
    compared = [number.comparable for number in cell.reported.values()]
    return cell.fields, cell.fixed, cell.hidden, compared, stages


def rows(artifact: Artifact) -> list[dict[str, Any]]:
    """Every choice of ``artifact``, as its paper's file has it, with its values.

    ``touches`` of a value is what it changes; a choice without ``name`` cannot be chosen yet.
    """
    return [_row(artifact, choice) for choice in artifact.notes.choices]


def _row(artifact: Artifact, choice: Choice) -> dict[str, Any]:
    values = [_value(artifact, choice, value) for value in choice.values if value]
    return {
        "name": choice.name,
        "what": choice.what,
        "interpretation": choice.interpretation,
        "default": choice.default,
        "text": choice.text,
        "code": choice.code,
        "why": choice.why,
        "single": choice.single,
        "source": choice.source,
        "values": values,
    }


def _value(artifact: Artifact, choice: Choice, value: str) -> dict[str, Any]:
    from search_spaces.readings import read

    if value == choice.default:
        return {"value": value, "what": choice.interpretation, "touches": None}
    touched = Touched.between(artifact, read(artifact, choice.name, value))
    return {
        "value": value,
        "what": choice.others[value].what,
        "touches": {
            "words": str(touched),
            "cells": [dict(cell.key) for cell in touched.cells],
            "columns": list(touched.columns),
            "labels": list(touched.labels),
            "selection": touched.selection,
        },
    }


def text(artifact: Artifact) -> str:
    """`rows` for a person: of each choice its values, then why, and the source."""
    if not artifact.notes.choices:
        return f"{artifact.id} leaves nothing open"
    lines = [
        f"{artifact.id}: what the paper leaves open; --read NAME=VALUE takes another value,",
        "--read text or --read code all that the text states or the code has",
    ]
    for row in rows(artifact):
        lines += ["", f"{row['name'] or '(not to be chosen)'}: {row['what']}"]
        for value in row["values"]:
            marks = [word for word in ("default", "text", "code") if row[word] == value["value"]]
            head = value["value"] + (f" [{', '.join(marks)}]" if marks else "")
            touches = f" -> {value['touches']['words']}" if value["touches"] else ""
            lines += _wrapped("  ", f"{head}: {value['what']}{touches}")
        if not row["values"]:
            lines += _wrapped("  ", row["interpretation"])
        lines += _wrapped("  why: ", row["why"])
        for what, said in (("only one value", row["single"]), ("source", row["source"])):
            lines += _wrapped(f"  {what}: ", said) if said else []
    return "\n".join(lines)


def _wrapped(head: str, said: str) -> list[str]:
    return textwrap.wrap(f"{head}{said}", WIDTH, subsequent_indent=" " * (len(head) + 2))


def or_list_readings(command: Callable[..., None]) -> Callable[..., None]:
    """``command``, which takes `SweepOptions`; with ``--read list`` the readings are printed."""

    @functools.wraps(command)
    def called(sweep: SweepOptions, **others: Any) -> None:
        if LIST not in (sweep.read or ()):
            command(sweep=sweep, **others)
            return
        artifact = find_whole(sweep.artifact)
        show(rows(artifact) if others.get("format") == "json" else text(artifact))

    return called


__all__ = ["LIST", "Touched", "or_list_readings", "rows", "text"]
