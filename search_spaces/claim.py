"""What a paper says of its numbers: pure data, judged on a record by `sweep.claims`.

A `Claim` has a sentence and a predicate. Predicates are made of places, which are columns of cells
by their labels, and of contrasts of places, each of which the sentence says to be above 0:

    acc = Place("test_error", {"model": "VGG16", "method": "NRS"})
    Claim("nrs-05", "better", "NRS ...", ("nrs/table1",), AllBetter((higher(acc, base), ...)))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from search_spaces.contrast import Contrast, Place, gain_over, higher, lower, mean_of, places
from search_spaces.predicate import (
    AllBetter,
    AllWithin,
    Approximates,
    ArgBest,
    BestAmong,
    BestBalance,
    BestMean,
    BetterIn,
    Dearer,
    Diverges,
    Equal,
    Every,
    FollowsBetter,
    Increasing,
    MeanDifference,
    MeanRank,
    NarrowerRange,
    Predicate,
    Property,
    Ranked,
    Ratio,
    Reduction,
    Some,
    Tau,
    Text,
    Throughout,
    UpTo,
)


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper.

    Attributes:
        id: ``nrs-01``; the facts that it is compared with have the same.
        kind: better, equal, count, trend, argbest, number, cost, other; property: a unit test;
            text: never judged.
        sentence: What is said, in our words.
        artifacts: Whose numbers it is about, the first being meant where a place names none.
        predicate: When it holds; None: there is no artifact.
        needs: Where there is no artifact, or none that can be run: what it would take.
        source: ``sentence`` or ``caption`` (the paper says it), ``implied``, or ``table or figure
            only`` (it is read off).
    """

    id: str
    kind: str
    sentence: str
    artifacts: tuple[str, ...] = ()
    predicate: Predicate | None = None
    needs: str = ""
    source: str = "sentence"

    @property
    def judged_on(self) -> tuple[str, ...]:
        """The artifacts that its predicate has numbers of."""
        first = self.artifacts[0] if self.artifacts else ""
        return tuple(dict.fromkeys(place.artifact or first for place in self.places))

    @property
    def places(self) -> Iterator[Place]:
        """Those of its predicate, as often as they occur."""
        return places(self.predicate)


__all__ = [
    "AllBetter",
    "AllWithin",
    "Approximates",
    "ArgBest",
    "BestAmong",
    "BestBalance",
    "BestMean",
    "BetterIn",
    "Claim",
    "Contrast",
    "Dearer",
    "Diverges",
    "Equal",
    "Every",
    "FollowsBetter",
    "Increasing",
    "MeanDifference",
    "MeanRank",
    "NarrowerRange",
    "Place",
    "Predicate",
    "Property",
    "Ranked",
    "Ratio",
    "Reduction",
    "Some",
    "Tau",
    "Text",
    "Throughout",
    "UpTo",
    "gain_over",
    "higher",
    "lower",
    "mean_of",
    "places",
]
