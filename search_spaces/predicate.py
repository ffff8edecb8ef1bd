"""When a sentence of a paper holds: pure data, made of places and contrasts.

`sweep.claims` judges them by the rules that the capital words name (docs/claims.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from search_spaces.contrast import Contrast, Place

# -- families of comparisons -----------------------------------------------------------------------


@dataclass(frozen=True)
class AllBetter:
    """Every contrast is above 0: BETTER where there is one, ALL-BETTER where there are several.

    Attributes:
        family: The K contrasts.
        log: On logarithms (traces, eigenvalues, losses, times).
        paired: Two numbers of the same trials are compared seed by seed.
        printed: NUMBER: how large the paper says that they are, in the columns' unit and of
            logarithms as a reduction in per cent; it is said beside, and decides nothing.
    """

    family: tuple[Contrast, ...]
    log: bool = False
    paired: bool = False
    printed: float | None = None


@dataclass(frozen=True)
class Equal:
    """No difference beyond a margin: EQUAL.

    Attributes:
        family: The differences.
        margin: In the columns' unit; None: ``share`` of the mean of ``gains``.
        gains: Of the paper's method over its baseline, in the same cells. Where numbers may not be
            compared with printed ones, ``share`` of them is the margin whatever ``margin`` is.
        pooled: Of the family's mean; else of every difference.
        one_sided: The difference is no gain: it is below the margin, however far.
        none_apart: Nor is any single difference told from 0, by Holm.
        log: On logarithms.
        share: See ``margin``.
        of_means: The sentence is of the printed means themselves: on print it is arithmetic.
    """

    family: tuple[Contrast, ...]
    gains: tuple[Contrast, ...] = ()
    margin: float | None = None
    pooled: bool = True
    one_sided: bool = False
    none_apart: bool = False
    log: bool = False
    share: float = 1 / 3
    of_means: bool = False


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
class BestBalance:
    """ARGBEST of one column, at no cost in another: it fails where another is BETTER in both.

    Attributes:
        best: ARGBEST of the first column.
        other: The same candidates in the second column.
        baseline: Index of the candidate that the claimed one may not be below there.
        margin: By how much it would be: the one-sided bound of EQUAL, in the column's unit.
    """

    best: ArgBest
    other: tuple[Place, ...]
    baseline: int
    margin: float


@dataclass(frozen=True)
class BetterIn:
    """COUNT: at least ``at_least`` of the family are BETTER, and none significantly worse."""

    family: tuple[Contrast, ...]
    at_least: int
    log: bool = False


# -- criteria on means -----------------------------------------------------------------------------


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
        y: Places or contrasts, as many.
        at_least, at_most: The range.
        fails_at_least, fails_at_most: Where the claim fails; None: outside the range.
    """

    x: tuple[Place, ...] | tuple[float, ...]
    y: tuple[Place | Contrast, ...]
    at_least: float = -1.0
    at_most: float = 1.0
    fails_at_least: float | None = None
    fails_at_most: float | None = None


@dataclass(frozen=True)
class FollowsBetter:
    """TREND: on average over scenarios the first row's tau with a target is above each rival's.

    Attributes:
        scenarios: Of each the rows of means: the target, the row that is meant, and the rivals.
    """

    scenarios: tuple[tuple[tuple[Place, ...], ...], ...]


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
    """COUNT: every mean is at most ``limit``, or ``limit`` times the mean that ``over`` has."""

    places: tuple[Place, ...]
    limit: float
    over: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Throughout:
    """COUNT: in every group all contrasts of means are above 0 at most points of their curves.

    Attributes:
        groups: Contrasts whose places are curves.
        share: At how many of the points that all curves of a group have.
        without: Points that are left out.
    """

    groups: tuple[tuple[Contrast, ...], ...]
    share: float = 0.9
    without: tuple[float, ...] = ()


# -- quoted numbers, and costs ---------------------------------------------------------------------


@dataclass(frozen=True)
class MeanDifference:
    """NUMBER: the mean of the family, as one contrast, is above 0; ``printed`` is what is said."""

    family: tuple[Contrast, ...]
    printed: float
    log: bool = False


@dataclass(frozen=True)
class BestMean:
    """NUMBER: of several contrasts one is BETTER after Holm; ``printed`` is said of the largest."""

    family: tuple[Contrast, ...]
    printed: float


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
    """NUMBER "up to": some contrast is BETTER after Holm; it fails where each is worse.

    Attributes:
        family: The contrasts.
        printed: What is said of the largest, which has no interval; None: no number is.
    """

    family: tuple[Contrast, ...]
    printed: float | None = None


@dataclass(frozen=True)
class Approximates:
    """NUMBER: a curve predicts another within a share of it, at every point.

    Attributes:
        measured, by: The curves.
        error: The standard error of the measured one's points, as an estimate of one network.
        within: How large the largest |measured - by| / |measured| may be.
    """

    measured: Place
    by: Place
    error: Place
    within: float


@dataclass(frozen=True)
class Ratio:
    """COST: a median over another lies within ``within`` of ``printed``."""

    of: Place
    over: Place
    printed: float
    within: float


@dataclass(frozen=True)
class Dearer:
    """COST: each of some means is more than a multiple of another, and they are about the same.

    Attributes:
        of, over: Each of the former over the latter.
        more_than: The multiple.
        within: By which share of the least the largest may be above it.
    """

    of: tuple[Place, ...]
    over: Place
    more_than: float
    within: float


@dataclass(frozen=True)
class Diverges:
    """A trial of one of the places diverged; that none did says nothing against it."""

    places: tuple[Place, ...]


# -- several, or none ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Every:
    """All parts hold; it fails where one fails."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True)
class Some:
    """One part holds; it fails where all fail."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True)
class Property:
    """A unit test; never judged on a record.

    Attributes:
        test: The name of its function.
        shows: What it shows of the sentence as it is printed.
    """

    test: str
    shows: Literal["holds", "fails", "undecided"] = "undecided"


@dataclass(frozen=True)
class Text:
    """A fact about the paper's text: shown, and never judged."""


Predicate = (
    AllBetter
    | Equal
    | ArgBest
    | BestBalance
    | BetterIn
    | Ranked
    | MeanRank
    | Increasing
    | Tau
    | FollowsBetter
    | BestAmong
    | NarrowerRange
    | AllWithin
    | Throughout
    | MeanDifference
    | BestMean
    | Reduction
    | UpTo
    | Approximates
    | Ratio
    | Dearer
    | Diverges
    | Every
    | Some
    | Property
    | Text
)

__all__ = [
    "AllBetter",
    "AllWithin",
    "Approximates",
    "ArgBest",
    "BestAmong",
    "BestBalance",
    "BestMean",
    "BetterIn",
    "Dearer",
    "Diverges",
    "Equal",
    "Every",
    "FollowsBetter",
    "Increasing",
    "MeanDifference",
    "MeanRank",
    "NarrowerRange",
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
]
