"""What `sweep plot --kind` draws of any artifact: a new kind is one entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.figures import curves, grid, scatter
from trainables.errors import UsageError, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sweep.plan.expand import Plan
    from sweep.record.record import Record


@dataclass(frozen=True)
class Kind:
    """A way to draw a sweep.

    Attributes:
        why_not: Why a sweep cannot be drawn so, as what is said of it; empty: it can.
        draw: Its figures. Raises UsageError where the record has nothing to draw.
    """

    why_not: Callable[[Plan], str]
    draw: Callable[[Plan, Record], list[Figure]]


KINDS = {
    "printed": Kind(scatter.why_not_printed, scatter.printed_of),
    "cost": Kind(scatter.why_not_cost, scatter.cost_of),
    "curves": Kind(curves.why_not, curves.curves_of),
    "grid": Kind(grid.why_not, grid.grids_of),
}


def of_kind(plan: Plan, record: Record, name: str) -> list[Figure]:
    """The figures of kind ``name``.

    Raises:
        UsageError: there is no such kind, it cannot be of this sweep (the message says which kinds
            can), or the record has nothing to draw.
    """
    if name not in KINDS:
        raise UsageError(unknown("kind of figure", name, KINDS))
    why = KINDS[name].why_not(plan)
    if why:
        raise UsageError(f"{plan.artifact.id} {why}; {possible(plan)}")
    return KINDS[name].draw(plan, record)


def possible(plan: Plan) -> str:
    """Which kinds can be drawn, as the end of a sentence."""
    found = [name for name, kind in KINDS.items() if not kind.why_not(plan)]
    if not found:
        return "no --kind of figure can be drawn of it"
    *others, last = found
    words = f"{', '.join(others)} or {last}" if others else last
    return f"`sweep plot --kind` can be {words}"


__all__ = ["KINDS", "Kind", "of_kind", "possible"]
