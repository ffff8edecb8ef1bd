"""What a table says of a sweep above its numbers, a sentence each: a new line is one entry here.

Every format for people shows the lines by `sweep.tables.text.header`; JSON has the same sentences
under their fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.plan import changed, held_out
from sweep.tables import averages, strengths, winners

if TYPE_CHECKING:
    from sweep.aggregate import CellResult
    from sweep.plan.expand import Plan


@dataclass(frozen=True)
class Sentence:
    """A line above a table.

    Attributes:
        field: Its name for programs, which is kept.
        what: What it is about, as people read it.
        text: The sentence; empty: the line is left out.
    """

    field: str
    what: str
    text: str


@dataclass(frozen=True)
class TableLine:
    """How a `Sentence` is made.

    Attributes:
        field, what: As in the sentence.
        text: The sentence of a plan and the results of its cells.
    """

    field: str
    what: str
    text: Callable[[Plan, Sequence[CellResult]], str]


LINES = (
    TableLine("caveat", "caveat", lambda plan, _: plan.artifact.notes.caveat),
    TableLine("winners", "winner", winners.sentence),
    TableLine("held_out", "held out", lambda plan, _: held_out.sentence(plan)),
    TableLine("switched_off", "switched off", strengths.sentence),
    TableLine("averages", "averages", averages.sentence),
    TableLine("changed", "changed", lambda _, results: _changed(results)),
)


def _changed(results: Sequence[CellResult]) -> str:
    """Which trials were made with other code or data than there is now; empty: none."""
    said = changed.sentence({t: what for r in results for t, what in r.changed.items()})
    return f"{said}; `sweep run --changed retrain` trains again" if said else ""


def sentences(plan: Plan, results: Sequence[CellResult]) -> tuple[Sentence, ...]:
    """What the `LINES` say of a sweep, in their order."""
    return tuple(Sentence(line.field, line.what, line.text(plan, results)) for line in LINES)


def unsaid() -> tuple[Sentence, ...]:
    """The `LINES` of a table that is of no plan: all empty."""
    return tuple(Sentence(line.field, line.what, "") for line in LINES)


__all__ = ["LINES", "Sentence", "TableLine", "sentences", "unsaid"]
