"""Claims about families of comparisons: BETTER, ALL-BETTER, POOLED, EQUAL, ARGBEST, COUNT.

BETTER: two-sided p < 0.05 and the mean in the claimed direction. POOLED: the mean of the family as
one contrast of independent cells; a cell that occurs in several enters once, with the sum of its
weights. Comparisons whose cells a preset runs by the same trials count once, and none between a
cell and itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from search_spaces.claim import (
    AllBetter,
    ArgBest,
    BestBalance,
    BetterIn,
    Contrast,
    Equal,
    Place,
    higher,
    lower,
)
from sweep.claims.evidence import Entry
from sweep.claims.finding import Finding, Verdict, direction_only, magnitude
from sweep.comparison import LEVEL, Estimate, Sample, compare, contrast, holm

Read = Callable[[Place], Entry]
ZERO = 1e-12
"""Weights below it are what is left of a sum that is 0."""


@dataclass(frozen=True)
class Comparison:
    """A contrast with its numbers: identity of a cell -> (weight, sample)."""

    name: str
    terms: Mapping[Any, tuple[float, Sample]]
    test: str = "Welch"

    @cached_property
    def estimate(self) -> Estimate:
        """The contrast's value and its standard error."""
        return contrast(self.terms.values())


def comparisons(
    family: Iterable[Contrast], read: Read, log: bool = False, paired: bool = False
) -> list[Comparison]:
    """The family on its numbers, which are all there: each once, and none that cancels.

    Raises:
        ValueError: the logarithm of a mean that is not positive.
    """
    found: dict[Any, Comparison] = {}
    for each in family:
        weights: dict[Any, float] = defaultdict(float)
        samples: dict[Any, Sample] = {}
        for weight, place in each.terms:
            entry = read(place)
            assert entry.sample is not None
            weights[entry.identity] += weight
            samples[entry.identity] = entry.sample
        left = {i: w for i, w in weights.items() if abs(w) > ZERO}
        if not left:
            continue
        made = (
            _by_seed(left, samples, log)
            if paired
            else {i: (w, samples[i].log() if log else samples[i]) for i, w in left.items()}
        )
        test = "paired" if paired else "Welch"
        found.setdefault(frozenset(left.items()), Comparison(each.name, made, test))
    return list(found.values())


def _by_seed(
    weights: Mapping[Any, float], samples: Mapping[Any, Sample], log: bool
) -> dict[Any, tuple[float, Sample]]:
    """The difference of two as one sample, of the seeds that both have."""
    (first, weight), (second, _) = weights.items()
    found = compare(samples[first], samples[second], paired=True, log=log)
    n = None if found.std_error is None else round(found.df) + 1
    std = None if n is None or found.std_error is None else found.std_error * math.sqrt(n)
    return {(first, second): (weight, Sample(found.value, std, n))}


def pooled(family: list[Comparison]) -> Comparison:
    """POOLED: the mean of the family, as one comparison."""
    weights: dict[Any, float] = defaultdict(float)
    samples: dict[Any, Sample] = {}
    for each in family:
        for identity, (weight, sample) in each.terms.items():
            weights[identity] += weight / len(family)
            samples[identity] = sample
    return Comparison("pooled", {i: (w, samples[i]) for i, w in weights.items() if abs(w) > ZERO})


def all_better(predicate: AllBetter, read: Read, comparable: bool = True) -> Finding:
    """HOLDS if each is BETTER. FAILS if one is the other way with p x K < 0.05. WEAK if all have
    the claimed direction, and POOLED is BETTER (of one alone, POOLED is itself: it is never weak).
    """
    family = comparisons(predicate.family, read, predicate.log, predicate.paired)
    if not family:
        return same_trials()
    estimates = [each.estimate for each in family]
    k, held = len(family), sum(each.better for each in estimates)
    verdict: Verdict = "undecided"
    note = ""
    whole = pooled(family).estimate
    if any(e.p is None for e in estimates):
        held = sum(e.value > 0 for e in estimates)
        note = direction_only(held == k)
    elif held == k:
        verdict = "holds"
    elif any(e.value < 0 and (e.p or 0.0) * k < LEVEL for e in estimates):
        verdict = "fails"
    elif all(e.value > 0 for e in estimates) and whole.better:
        verdict = "weak"
    if predicate.printed is not None and not note:
        note = magnitude(predicate.printed, *_sizes(whole, predicate.log), comparable)
    return _about(family, verdict, held, whole, predicate.log, note)


def _sizes(whole: Estimate, log: bool) -> tuple[float, tuple[float, float] | None]:
    """Value and interval; of the logarithm of a ratio as a reduction, in per cent."""
    if not log:
        return whole.value, whole.interval()

    def reduction(value: float) -> float:
        return -100 * math.expm1(-value)

    low, high = whole.interval() or (math.nan, math.nan)
    return reduction(whole.value), (reduction(low), reduction(high))


def same_trials() -> Finding:
    """Of a family of which the preset leaves no comparison."""
    return Finding("undecided", 0, 0, note="the same trials stand on both sides at this preset")


def _about(
    family: list[Comparison],
    verdict: Verdict,
    held: int,
    whole: Estimate,
    log: bool,
    note: str = "",
    confidence: float = 0.95,
) -> Finding:
    worst = min(family, key=lambda each: each.estimate.value)
    low, high = whole.interval(confidence) or (None, None)
    return Finding(
        verdict,
        held,
        len(family),
        margin=worst.estimate.value,
        margin_at=worst.name,
        margin_p=worst.estimate.p,
        effect=whole.value,
        low=low,
        high=high,
        p=whole.p,
        log=log,
        test=family[0].test,
        note=note,
    )


def margin_of(predicate: Equal, read: Read) -> float:
    """``share`` of the mean of the gains."""
    gains = comparisons(predicate.gains, read, predicate.log)
    return predicate.share * pooled(gains).estimate.value if gains else 0.0


def equal(predicate: Equal, read: Read, margin: float) -> Finding:
    """HOLDS if the 90 % interval lies within the margin, FAILS if it lies outside.

    One-sided: HOLDS if its upper end is below the margin, FAILS if its lower end is above.
    """
    family = comparisons(predicate.family, read, predicate.log)
    if not family:
        return same_trials()
    whole = pooled(family).estimate
    judged = [whole] if predicate.pooled else [each.estimate for each in family]
    known = [i for each in judged if (i := each.interval(0.9)) is not None]
    verdict: Verdict = "undecided"
    note = f"margin {margin:.3g}"
    held = sum(_inside(e.estimate.interval(0.9), margin, predicate.one_sided) for e in family)
    if margin <= 0:
        note = "no margin: the method gains nothing over its baseline"
    elif len(known) < len(judged):
        within = all(_within(e.value, margin, predicate.one_sided) for e in judged)
        note = f"{direction_only(within)}; {note}"
    else:
        apart = predicate.none_apart and _apart(family)
        if apart or any(_outside(i, margin, predicate.one_sided) for i in known):
            verdict = "fails"
        elif all(_inside(i, margin, predicate.one_sided) for i in known):
            verdict = "holds"
    about = _about(family, verdict, held, whole, predicate.log, note, confidence=0.9)
    widest = max(family, key=lambda e: e.estimate.value if predicate.one_sided else _size(e))
    return replace(
        about,
        margin=margin,
        margin_at=f"largest: {widest.name} {widest.estimate.value:+.3g}",
        margin_p=widest.estimate.p,
    )


def equal_means(predicate: Equal, read: Read, margin: float) -> Finding:
    """Of printed means, arithmetic: HOLDS if each difference is below the margin, else FAILS."""
    family = comparisons(predicate.family, read, predicate.log)
    within = [_within(e.estimate.value, margin, predicate.one_sided) for e in family]
    held, k = sum(within), len(family)
    note = f"of the means themselves: {held} of {k} differences are below {margin:g}"
    verdict: Verdict = "holds" if held == k else "fails"
    whole = pooled(family).estimate
    return replace(_about(family, verdict, held, whole, predicate.log, note, 0.9), test="means")


def _size(each: Comparison) -> float:
    return abs(each.estimate.value)


def _within(value: float, margin: float, one_sided: bool) -> bool:
    return value < margin and (one_sided or value > -margin)


def _inside(interval: tuple[float, float] | None, margin: float, one_sided: bool) -> bool:
    if interval is None:
        return False
    return interval[1] < margin and (one_sided or interval[0] > -margin)


def _outside(interval: tuple[float, float], margin: float, one_sided: bool) -> bool:
    return interval[0] > margin or (not one_sided and interval[1] < -margin)


def _apart(family: list[Comparison]) -> bool:
    """Whether a single difference is told from 0, by Holm."""
    ps = [p for each in family if (p := each.estimate.p) is not None]
    return min(holm(ps), default=1.0) < LEVEL


def arg_best(predicate: ArgBest, read: Read) -> Finding:
    """HOLDS if it is BETTER than each other candidate, FAILS if one is BETTER after Holm."""
    claimed = predicate.candidates[predicate.claimed]
    others = [p for i, p in enumerate(predicate.candidates) if i != predicate.claimed]
    ahead = lower if predicate.lower else higher
    family = comparisons((ahead(claimed, other) for other in others), read)
    if not family:
        return same_trials()
    estimates = [each.estimate for each in family]
    held = sum(each.better for each in estimates)
    verdict: Verdict = "undecided"
    if any(e.p is None for e in estimates):
        note = direction_only(all(e.value > 0 for e in estimates))
    else:
        note = "not distinguishable from the best is no support"
        corrected = holm([1.0 if e.p is None else e.p for e in estimates])
        if held == len(family):
            verdict, note = "holds", ""
        elif any(p < LEVEL and e.value < 0 for p, e in zip(corrected, estimates, strict=True)):
            verdict, note = "fails", ""
    return _about(family, verdict, held, pooled(family).estimate, False, note)


def best_balance(predicate: BestBalance, read: Read) -> Finding:
    """HOLDS if it is best in the first column and, by the one-sided 95 % bound, less than the
    margin below the baseline in the other; FAILS if another one is BETTER in both after Holm.
    """
    best, found = predicate.best, arg_best(predicate.best, read)
    claimed = best.claimed
    ahead = lower if best.lower else higher
    loss = ahead(predicate.other[predicate.baseline], predicate.other[claimed])
    behind = [each.estimate for each in comparisons((loss,), read)]
    kept = all(_inside(e.interval(0.9), predicate.margin, one_sided=True) for e in behind)
    columns = [_beaten(c, claimed, ahead, read) for c in (best.candidates, predicate.other)]
    verdict: Verdict = "undecided"
    if set.intersection(*columns):
        verdict = "fails"
    elif found.verdict == "holds" and kept:
        verdict = "holds"
    cost = f"{max((e.value for e in behind), default=0.0):+.3g} below the baseline there"
    return replace(
        found, verdict=verdict, note="; ".join(filter(None, (found.note, f"in the other: {cost}")))
    )


def _beaten(
    candidates: tuple[Place, ...],
    claimed: int,
    ahead: Callable[[Place, Place], Contrast],
    read: Read,
) -> set[int]:
    """Which candidates are BETTER than the claimed one, after Holm."""
    others = [i for i in range(len(candidates)) if i != claimed]
    pairs = [comparisons((ahead(candidates[i], candidates[claimed]),), read) for i in others]
    apart = [(i, pair[0].estimate) for i, pair in zip(others, pairs, strict=True) if pair]
    corrected = holm([1.0 if e.p is None else e.p for _, e in apart])
    told = zip(apart, corrected, strict=True)
    return {i for (i, e), p in told if p < LEVEL and e.value > 0}


def better_in(predicate: BetterIn, read: Read) -> Finding:
    """HOLDS if at least so many are BETTER and none is significantly worse; FAILS if one is worse
    with p x K < 0.05. Of a family that a preset shrinks, the same share is asked for.
    """
    family = comparisons(predicate.family, read, predicate.log)
    if not family:
        return same_trials()
    estimates = [each.estimate for each in family]
    k, held = len(family), sum(each.better for each in estimates)
    asked = math.ceil(predicate.at_least * k / len(predicate.family))
    verdict: Verdict = "undecided"
    note = f"asked for {asked} of {k}"
    worse = [e.p for e in estimates if e.value < 0 and e.p is not None]
    if any(e.p is None for e in estimates):
        held = sum(e.value > 0 for e in estimates)
        note += f"; {direction_only(held >= asked)}"
    elif held >= asked and min(worse, default=1.0) >= LEVEL:
        verdict = "holds"
    elif min(worse, default=1.0) * k < LEVEL:
        verdict = "fails"
    return _about(family, verdict, held, pooled(family).estimate, predicate.log, note)


__all__ = [
    "Comparison",
    "Read",
    "all_better",
    "arg_best",
    "best_balance",
    "better_in",
    "comparisons",
    "equal",
    "equal_means",
    "margin_of",
    "pooled",
    "same_trials",
]
