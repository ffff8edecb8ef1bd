"""Claims that quote a number: NUMBER.

HOLDS if the 95 % interval excludes 0 in the claimed direction; whether the quoted magnitude lies in
it is said, and compared only where numbers may be compared with printed ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces.claim import BestMean, MeanDifference, Place, Reduction, UpTo
from sweep.claims.criteria import RESAMPLES, draws, samples_of
from sweep.claims.curves import Close
from sweep.claims.families import Comparison, Read, comparisons, pooled, same_trials
from sweep.claims.finding import Finding, Verdict, direction_only, magnitude
from sweep.comparison import LEVEL, holm

if TYPE_CHECKING:
    import numpy as np


def mean_difference(predicate: MeanDifference, read: Read, comparable: bool) -> Finding:
    """POOLED over the family."""
    family = comparisons(predicate.family, read, predicate.log)
    if not family:
        return same_trials()
    whole = pooled(family).estimate
    ahead = sum(each.estimate.value > 0 for each in family)
    found = whole.interval()
    low, high = found or (None, None)
    note = magnitude(predicate.printed, whole.value, found, comparable)
    return Finding(
        _sign(found),
        ahead,
        len(family),
        effect=whole.value,
        low=low,
        high=high,
        p=whole.p,
        log=predicate.log,
        test="Welch",
        note=note,
    )


def _sign(interval: tuple[float, float] | None) -> Verdict:
    if interval is None:
        return "undecided"
    return "holds" if interval[0] > 0 else "fails" if interval[1] < 0 else "undecided"


def reduction(predicate: Reduction, read: Read, comparable: bool) -> Finding:
    """100 (1 - x / r), on average over the settings, with the interval of resamples."""
    import numpy as np

    samples = samples_of(predicate, read)

    def mean(of: dict[object, np.ndarray]) -> np.ndarray:
        def reduced(setting: tuple[Place, ...]) -> np.ndarray:
            own, *others = (of[read(place).identity] for place in setting)
            rivals = np.stack(others)
            best = predicate.reference == "best"
            reference = rivals.min(axis=0) if best else rivals.mean(axis=0)
            found: np.ndarray = 100 * (1 - own / reference)
            return found

        whole: np.ndarray = np.mean([reduced(each) for each in predicate.settings], axis=0)
        return whole

    value = float(mean({i: np.array([s.mean]) for i, s in samples.items()})[0])
    k = len(predicate.settings)
    if not all(sample.has_spread for sample in samples.values()):
        note = magnitude(predicate.printed, value, None, comparable)
        return Finding("undecided", int(value > 0), k, effect=value, note=note)
    low, high = np.quantile(mean(draws(samples, RESAMPLES)), [0.025, 0.975]).tolist()
    return Finding(
        _sign((low, high)),
        of=k,
        effect=value,
        low=low,
        high=high,
        test="resampled",
        note=magnitude(predicate.printed, value, (low, high), comparable),
    )


def up_to(predicate: UpTo, read: Read, comparable: bool) -> Finding:
    """HOLDS if one is BETTER after Holm, FAILS if each is worse; it has no interval.

    That each is worse is an intersection, which needs no correction.
    """
    family = comparisons(predicate.family, read)
    if not family:
        return same_trials()
    estimates = [each.estimate for each in family]
    note = _largest(family)
    if comparable and predicate.printed is not None:
        note += f", the paper says up to {predicate.printed:g}"
    if any(e.p is None for e in estimates):
        ahead = sum(e.value > 0 for e in estimates)
        note = f"{direction_only(ahead > 0)}; {note}"
        return Finding("undecided", ahead, len(family), note=note)
    held = len(_after_holm(family))
    worse = all(e.value < 0 and e.distinguishable for e in estimates)
    verdict: Verdict = "holds" if held else "fails" if worse else "undecided"
    return Finding(verdict, held, len(family), test="Welch", note=note)


def best_mean(predicate: BestMean, read: Read, comparable: bool) -> Finding:
    """As `up_to`, with the interval of the largest, which the quoted number is compared with."""
    found = up_to(UpTo(predicate.family), read, comparable)
    if not found.of:
        return found
    family = comparisons(predicate.family, read)
    largest = max(family, key=lambda each: each.estimate.value).estimate
    interval = largest.interval()
    low, high = interval or (None, None)
    said = magnitude(predicate.printed, largest.value, interval, comparable)
    note = found.note if interval is None else f"{found.note}; {said}"
    return Finding(
        found.verdict,
        found.held,
        found.of,
        effect=largest.value,
        low=low,
        high=high,
        p=largest.p,
        test="Welch",
        note=note,
    )


def _largest(family: list[Comparison]) -> str:
    largest = max(family, key=lambda each: each.estimate.value)
    return f"largest: {largest.name} {largest.estimate.value:+.3g}"


def _after_holm(family: list[Comparison]) -> list[Comparison]:
    """Those that are BETTER after Holm."""
    ps = [1.0 if each.estimate.p is None else each.estimate.p for each in family]
    told = zip(family, holm(ps), strict=True)
    return [each for each, p in told if p < LEVEL and each.estimate.value > 0]


STD_ERRORS = 3
"""Of an estimate: so far from a limit it is on one side of it."""


def close(predicate: Close, read: Read) -> Finding:
    """HOLDS if every point is within the share, FAILS if one is not, by `STD_ERRORS` of each.

    A point is the mean of n networks' estimates, whose error is that of one over sqrt(n).
    """
    apart, errors = [], []
    for places in predicate.points:
        measured, by, error = (read(place).sample for place in places)
        assert measured is not None
        assert by is not None
        assert error is not None
        size = abs(measured.mean)
        apart.append(abs(measured.mean - by.mean) / size)
        errors.append(STD_ERRORS * error.mean / (size * (error.n or 1) ** 0.5))
    within = predicate.within
    inside = [a + e <= within for a, e in zip(apart, errors, strict=True)]
    outside = [a - e > within for a, e in zip(apart, errors, strict=True)]
    verdict: Verdict = "fails" if any(outside) else "holds" if all(inside) else "undecided"
    note = f"at most {100 * max(apart):.3g} % apart, {100 * within:.3g} % are allowed"
    note += f"; {STD_ERRORS} standard errors are up to {100 * max(errors):.2g} %"
    return Finding(verdict, sum(inside), len(inside), effect=max(apart), test="estimate", note=note)


__all__ = ["best_mean", "close", "mean_difference", "reduction", "up_to"]
