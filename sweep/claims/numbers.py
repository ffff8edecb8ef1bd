"""Claims that quote a number: NUMBER and cost.

HOLDS if the 95 % interval excludes 0 in the claimed direction; whether the quoted magnitude lies in
it is said, and compared only where numbers may be compared with printed ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces.claim import MeanDifference, Place, Ratio, Reduction, UpTo
from sweep.claims.criteria import RESAMPLES, draws, samples_of
from sweep.claims.families import Read, comparisons, pooled, same_trials
from sweep.claims.finding import Finding, Verdict, direction_only
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
    note = _said(predicate.printed, whole.value, found, comparable)
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


def _said(
    printed: float, value: float, interval: tuple[float, float] | None, comparable: bool
) -> str:
    if interval is None:
        return direction_only(value > 0)
    if not comparable:
        return f"the paper says {printed:g}, of other data and networks"
    inside = interval[0] <= printed <= interval[1]
    return f"the paper says {printed:g}, {'inside' if inside else 'outside'} the interval"


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
        note = _said(predicate.printed, value, None, comparable)
        return Finding("undecided", int(value > 0), k, effect=value, note=note)
    low, high = np.quantile(mean(draws(samples, RESAMPLES)), [0.025, 0.975]).tolist()
    return Finding(
        _sign((low, high)),
        of=k,
        effect=value,
        low=low,
        high=high,
        test="resampled",
        note=_said(predicate.printed, value, (low, high), comparable),
    )


def up_to(predicate: UpTo, read: Read, comparable: bool) -> Finding:
    """HOLDS if one is BETTER after Holm, FAILS if each is worse after Holm; it has no interval."""
    family = comparisons(predicate.family, read)
    if not family:
        return same_trials()
    estimates = [each.estimate for each in family]
    largest = max(family, key=lambda each: each.estimate.value)
    note = f"largest: {largest.name} {largest.estimate.value:+.3g}"
    if comparable:
        note += f", the paper says up to {predicate.printed:g}"
    if any(e.p is None for e in estimates):
        ahead = sum(e.value > 0 for e in estimates)
        note = f"{direction_only(ahead > 0)}; {note}"
        return Finding("undecided", ahead, len(family), note=note)
    told = [p < LEVEL for p in holm([e.p if e.p is not None else 1.0 for e in estimates])]
    held = sum(apart and e.value > 0 for apart, e in zip(told, estimates, strict=True))
    worse = sum(apart and e.value < 0 for apart, e in zip(told, estimates, strict=True))
    verdict: Verdict = "holds" if held else "fails" if worse == len(family) else "undecided"
    return Finding(verdict, held, len(family), test="Welch", note=note)


def ratio(predicate: Ratio, read: Read) -> Finding:
    """Of two costs, which have next to no spread: HOLDS within the range, FAILS outside."""
    of, over = read(predicate.of).sample, read(predicate.over).sample
    assert of is not None
    assert over is not None
    value = of.mean / over.mean
    inside = abs(value - predicate.printed) <= predicate.within
    note = f"{value:.2f}; the paper says {predicate.printed:g}, ± {predicate.within:g} is allowed"
    return Finding(
        "holds" if inside else "fails", int(inside), 1, effect=value, test="ratio", note=note
    )


__all__ = ["mean_difference", "ratio", "reduction", "up_to"]
