"""Claims about costs, which have next to no spread, and about trials that diverge."""

from __future__ import annotations

from search_spaces.claim import Dearer, Diverges, Ratio
from sweep.claims.families import Read
from sweep.claims.finding import Finding, Verdict


def ratio(predicate: Ratio, read: Read) -> Finding:
    """Of two costs, which have next to no spread: HOLDS within the range, FAILS outside.

    A range of no width is met by what rounding alone keeps from it.
    """
    value = read(predicate.of).median / read(predicate.over).median
    inside = abs(value - predicate.printed) <= predicate.within + 1e-9
    note = f"{value:.2f}; the paper says {predicate.printed:g}, ± {predicate.within:g} is allowed"
    return Finding(
        "holds" if inside else "fails", int(inside), 1, effect=value, test="ratio", note=note
    )


def dearer(predicate: Dearer, read: Read) -> Finding:
    """Of costs: HOLDS if every multiple is large enough and all are about the same, else FAILS."""
    over = read(predicate.over).median
    multiples = [read(place).median / over for place in predicate.of]
    least, most = min(multiples), max(multiples)
    alike = most <= (1 + predicate.within) * least
    held = sum(m > predicate.more_than for m in multiples)
    note = f"{least:.3g} to {most:.3g} times, the largest {most / least:.2f} times the least"
    verdict: Verdict = "holds" if held == len(multiples) and alike else "fails"
    return Finding(verdict, held, len(multiples), margin=least, test="ratio", note=note)


def diverges(predicate: Diverges, read: Read) -> Finding:
    """HOLDS if a trial diverged; else it is undecided, or not yet while some have not ended."""
    entries = [read(place) for place in predicate.places]
    count = sum(entry.diverged for entry in entries)
    if count:
        return Finding("holds", note=f"{count} diverged")
    lacking = next((e.lacking or "not run" for e in entries if e.lacking or not e.sample), "")
    if lacking:
        return Finding("not yet", note=lacking)
    return Finding("undecided", note="none diverged, which says nothing against it")


__all__ = ["dearer", "diverges", "ratio"]
