"""What becomes of a claim: a verdict, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "weak", "fails", "undecided", "not yet", "never judged"]


@dataclass(frozen=True)
class Finding:
    """A judged claim.

    Attributes:
        verdict: ``weak``: every mean has the claimed direction, and their average is told from 0,
            but not each. ``not yet``: a number is missing, or there is no predicate.
        held, of: How many comparisons hold, of how many.
        margin: The smallest difference, in the claimed direction; of a claim of no difference, how
            large one may be. ``margin_at`` says where it is, and ``margin_p`` its p.
        effect: The average over the family, with the ends ``low`` and ``high`` of its interval and
            ``p``; logarithms of ratios where ``log``.
        test: How single comparisons were made.
        power: Of a run like this one to hold, were the effects true that ``power_of`` names.
        more_seeds: How many more of each cell would give that a probability of 80 %.
        note: What else is to be said.
    """

    verdict: Verdict
    held: int | None = None
    of: int | None = None
    margin: float | None = None
    margin_at: str = ""
    margin_p: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    log: bool = False
    test: str = ""
    power: float | None = None
    power_of: str = ""
    more_seeds: int | None = None
    note: str = ""


def direction_only(claimed: bool) -> str:
    """What is said where a spread is not known: whether the means lie in the claimed direction."""
    return f"direction only: {'for' if claimed else 'against'}"


def magnitude(
    printed: float, value: float, interval: tuple[float, float] | None, comparable: bool
) -> str:
    """What is said of the size that a sentence quotes; of no spread, which way the means lie."""
    if interval is None:
        return direction_only(value > 0)
    if not comparable:
        return f"the paper says {printed:g}, of other data and networks"
    inside = interval[0] <= printed <= interval[1]
    return f"the paper says {printed:g}, {'inside' if inside else 'outside'} the interval"


__all__ = ["Finding", "Verdict", "direction_only", "magnitude"]
