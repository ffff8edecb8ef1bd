"""What a paper says of its numbers, as predicates: pure data, judged on a record by `sweep.claims`.

A `Claim` has a sentence and a predicate. Predicates are made of places, which are columns of cells
by their labels, and of contrasts of places, each of which the sentence says to be above 0:

    acc = Place("test_error", {"model": "VGG16", "method": "NRS"})
    Claim("nrs-05", "better", "NRS ...", ("nrs/table1",), AllBetter((higher(acc, base), ...)))

Numbers are in the unit of their column: of an accuracy more is better, of an error less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Literal


@dataclass(frozen=True)
class Place:
    """A number of a table.

    Attributes:
        column: ``key`` of a `view.Metric`.
        key: Entries by which the cell is found; it may have further labels.
        artifact: Where it is; empty: the first that the claim names.
    """

    column: str
    key: Mapping[str, str] = field(default_factory=dict)
    artifact: str = ""

    def at(self, **entries: str) -> Place:
        """The place with other entries, or more."""
        return Place(self.column, {**self.key, **entries}, self.artifact)


@dataclass(frozen=True)
class Contrast:
    """sum of weight x place, which the claim says to be above 0.

    Attributes:
        terms: Weights and places.
        name: What tells it from the others of its family.
    """

    terms: tuple[tuple[float, Place], ...]
    name: str = ""


def higher(a: Place, b: Place, name: str = "") -> Contrast:
    """a - b."""
    return Contrast(((1.0, a), (-1.0, b)), name or _difference(a, b))


def lower(a: Place, b: Place, name: str = "") -> Contrast:
    """b - a: ``a`` is said to be below."""
    return Contrast(((1.0, b), (-1.0, a)), name or _difference(a, b))


def gain_over(a: Contrast, b: Contrast, name: str = "") -> Contrast:
    """a - b of two contrasts: the one gain is said to be larger."""
    return Contrast((*a.terms, *((-weight, place) for weight, place in b.terms)), name)


def _difference(a: Place, b: Place) -> str:
    """What both have in common, and in what they differ: ``VGG16 Cifar10: NRS, Baseline``."""
    common = [v for k, v in a.key.items() if b.key.get(k) == v]
    sides = [[v for k, v in x.key.items() if y.key.get(k) != v] for x, y in ((a, b), (b, a))]
    told = ", ".join(" ".join(side) for side in sides if side)
    return ": ".join(filter(None, (" ".join(common), told)))


# -- predicates ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class AllBetter:
    """Every contrast is above 0: BETTER where there is one, ALL-BETTER where there are several.

    Attributes:
        family: The K contrasts.
        log: On logarithms (traces, eigenvalues, losses, times).
        paired: Two numbers of the same trials are compared seed by seed.
    """

    family: tuple[Contrast, ...]
    log: bool = False
    paired: bool = False


@dataclass(frozen=True)
class Equal:
    """No difference beyond a margin: EQUAL.

    Attributes:
        family: The differences.
        margin: In the columns' unit, where numbers may be compared with the printed ones; None: as
            elsewhere, ``share`` of the mean of ``gains``.
        gains: Of the paper's method over its baseline, in the same cells.
        pooled: Of the family's mean; else of every difference.
        one_sided: The difference is no gain: it is below the margin, however far.
        none_apart: Nor is any single difference told from 0, by Holm.
        log: On logarithms.
        share: See ``margin``.
    """

    family: tuple[Contrast, ...]
    gains: tuple[Contrast, ...] = ()
    margin: float | None = None
    pooled: bool = True
    one_sided: bool = False
    none_apart: bool = False
    log: bool = False
    share: float = 1 / 3


@dataclass(frozen=True)
class ArgBest:
    """One candidate is the best: ARGBEST.

    Attributes:
        candidates: All of them.
        claimed: Index of the one that is said to be best.
        lower: Whether less is better.
    """

    candidates: tuple[Place, ...]
    claimed: int
    lower: bool


@dataclass(frozen=True)
class BetterIn:
    """COUNT: at least ``at_least`` of the family are BETTER, and none significantly worse."""

    family: tuple[Contrast, ...]
    at_least: int
    log: bool = False


@dataclass(frozen=True)
class Ranked:
    """COUNT: the first of each setting is among its ``at_most`` best means.

    Attributes:
        settings: Of each, the places that compete, the one that is meant first.
        lower: Whether less is better.
        at_most: The worst rank that counts.
        in_at_least: In how many settings; None: in all.
    """

    settings: tuple[tuple[Place, ...], ...]
    lower: bool
    at_most: int
    in_at_least: int | None = None


@dataclass(frozen=True)
class MeanRank:
    """COUNT: of several candidates the first has the lowest mean rank over all settings.

    Attributes:
        settings: Of each, one place per candidate, in the same order.
        lower: Whether less is better.
    """

    settings: tuple[tuple[Place, ...], ...]
    lower: bool


@dataclass(frozen=True)
class Increasing:
    """TREND: means increase at ``at_least`` of the steps from one place to the next."""

    places: tuple[Place, ...]
    at_least: int


@dataclass(frozen=True)
class Tau:
    """TREND: Kendall's tau between two rows of means is in a range.

    Attributes:
        x: Places, or numbers that are known (radii).
        y: Places, as many.
        at_least, at_most: The range.
        fails_at_least, fails_at_most: Where the claim fails; None: outside the range.
    """

    x: tuple[Place, ...] | tuple[float, ...]
    y: tuple[Place, ...]
    at_least: float = -1.0
    at_most: float = 1.0
    fails_at_least: float | None = None
    fails_at_most: float | None = None


@dataclass(frozen=True)
class BestAmong:
    """TREND: the best mean of all places is one of some.

    Attributes:
        places: All of them.
        allowed: Indices of those that the claim names.
        lower: Whether less is better.
    """

    places: tuple[Place, ...]
    allowed: tuple[int, ...]
    lower: bool


@dataclass(frozen=True)
class NarrowerRange:
    """TREND: the means of ``narrow`` span less than those of ``wide``."""

    narrow: tuple[Place, ...]
    wide: tuple[Place, ...]


@dataclass(frozen=True)
class AllWithin:
    """COUNT: every mean is at most ``limit``."""

    places: tuple[Place, ...]
    limit: float


@dataclass(frozen=True)
class MeanDifference:
    """NUMBER: the mean of the family, as one contrast, is above 0; ``printed`` is what is said."""

    family: tuple[Contrast, ...]
    printed: float
    log: bool = False


@dataclass(frozen=True)
class Reduction:
    """NUMBER: mean over settings of 100 (1 - x / r), in per cent, is above 0.

    Attributes:
        settings: Of each x first and then those that r is of.
        printed: What is said.
        reference: r is the ``best`` (lowest) of a setting, or the ``mean``.
    """

    settings: tuple[tuple[Place, ...], ...]
    printed: float
    reference: Literal["best", "mean"] = "best"


@dataclass(frozen=True)
class UpTo:
    """NUMBER "up to": some contrast is BETTER after Holm; ``printed`` is said of the largest."""

    family: tuple[Contrast, ...]
    printed: float


@dataclass(frozen=True)
class Ratio:
    """COST: a mean over another lies within ``within`` of ``printed``."""

    of: Place
    over: Place
    printed: float
    within: float


@dataclass(frozen=True)
class Every:
    """All parts hold; it fails where one fails."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True)
class Property:
    """A unit test, by the name of its function; never judged on a record."""

    test: str


@dataclass(frozen=True)
class Text:
    """A fact about the paper's text: shown, and never judged."""


Predicate = (
    AllBetter
    | Equal
    | ArgBest
    | BetterIn
    | Ranked
    | MeanRank
    | Increasing
    | Tau
    | BestAmong
    | NarrowerRange
    | AllWithin
    | MeanDifference
    | Reduction
    | UpTo
    | Ratio
    | Every
    | Property
    | Text
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
        predicate: When it holds; None: not written yet, or there is no artifact.
        needs: Where there is no artifact: what it would take.
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


def places(within: object) -> Iterator[Place]:
    """Every place that a predicate, or a part of one, is about, as often as it is."""
    if isinstance(within, Place):
        yield within
    elif isinstance(within, tuple):
        for part in within:
            yield from places(part)
    elif is_dataclass(within):
        yield from places(tuple(vars(within).values()))


__all__ = [
    "AllBetter",
    "AllWithin",
    "ArgBest",
    "BestAmong",
    "BetterIn",
    "Claim",
    "Contrast",
    "Equal",
    "Every",
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
    "Tau",
    "Text",
    "UpTo",
    "gain_over",
    "higher",
    "lower",
    "places",
]
