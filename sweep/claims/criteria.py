"""Claims about means of settings, by resampling: COUNT and TREND.

A criterion on the means HOLDS if at least 95 % of resamples meet it and FAILS if at most 5 % do. A
resample draws each cell on its own as mean + std / sqrt(n) * t(n - 1), a cell that occurs twice
once. Drawing among the seeds themselves would be too narrow: of three or five seeds, a nominal 95 %
interval covers 80 to 91 %, and one of this rule 98 to 100 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from search_spaces.claim import (
    AllWithin,
    BestAmong,
    Contrast,
    FollowsBetter,
    Increasing,
    MeanRank,
    NarrowerRange,
    Place,
    Ranked,
    Tau,
    places,
)
from sweep.claims.curves import InMost
from sweep.claims.families import Read, same_trials
from sweep.claims.finding import Finding, Verdict, direction_only
from sweep.comparison import Sample

if TYPE_CHECKING:
    import numpy as np

    Of = Callable[[Place], np.ndarray]
    """The means of a place, one per resample."""
    Criterion = Callable[[Any, Of], np.ndarray]

RESAMPLES = 4000
ENOUGH, TOO_FEW = 0.95, 0.05
CLOSE = 1e-9
"""Sums of signs and shares that differ by less are equal."""


def _value(of: Of, what: Place | Contrast) -> np.ndarray:
    if isinstance(what, Place):
        return of(what)
    value: np.ndarray = sum(weight * of(place) for weight, place in what.terms)  # type: ignore[assignment]
    return value


def _ranks(setting: tuple[Place, ...], of: Of, lower: bool) -> np.ndarray:
    """(resamples, candidates) from 1; equal means share the better rank."""
    import numpy as np

    means = np.stack([of(place) for place in setting], axis=1) * (1 if lower else -1)
    ranks: np.ndarray = 1 + np.sum(means[:, None, :] < means[:, :, None], axis=2)
    return ranks


def _ranked(predicate: Ranked, of: Of) -> np.ndarray:
    import numpy as np

    ranks = [_ranks(setting, of, predicate.lower)[:, 0] for setting in predicate.settings]
    counts: np.ndarray = np.sum(np.stack(ranks) <= predicate.at_most, axis=0)
    return counts >= (predicate.in_at_least or len(ranks))


def _mean_rank(predicate: MeanRank, of: Of) -> np.ndarray:
    import numpy as np

    total = np.sum([_ranks(setting, of, predicate.lower) for setting in predicate.settings], axis=0)
    first: np.ndarray = total[:, 0] < total[:, 1:].min(axis=1)
    return first


def _increasing(predicate: Increasing, of: Of) -> np.ndarray:
    import numpy as np

    steps = np.diff(np.stack([of(place) for place in predicate.places]), axis=0)
    counts: np.ndarray = np.sum(steps > 0, axis=0)
    return counts >= predicate.at_least


def tau(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Kendall's tau-a along the last axis: (concordant - discordant) / all pairs."""
    import numpy as np

    i, j = np.triu_indices(x.shape[-1], 1)
    signs = np.sign(x[..., i] - x[..., j]) * np.sign(y[..., i] - y[..., j])
    found: np.ndarray = signs.mean(axis=-1)
    return found


def _tau(predicate: Tau, of: Of) -> np.ndarray:
    import numpy as np

    y = np.stack([_value(of, each) for each in predicate.y], axis=1)
    known = [of(x) if isinstance(x, Place) else np.full(len(y), x) for x in predicate.x]
    return tau(np.stack(known, axis=1), y)


def _in_range(predicate: Tau, of: Of) -> np.ndarray:
    found = _tau(predicate, of)
    return (found >= predicate.at_least - CLOSE) & (found <= predicate.at_most + CLOSE)


def _out_of_range(predicate: Tau, of: Of) -> np.ndarray:
    import numpy as np

    found = _tau(predicate, of)
    low = -np.inf if predicate.fails_at_most is None else predicate.fails_at_most
    high = np.inf if predicate.fails_at_least is None else predicate.fails_at_least
    return (found <= low + CLOSE) | (found >= high - CLOSE)


def _follows_better(predicate: FollowsBetter, of: Of) -> np.ndarray:
    import numpy as np

    def row(places: tuple[Place, ...]) -> np.ndarray:
        return np.stack([of(place) for place in places], axis=1)

    ahead = []
    for target, own, *rivals in predicate.scenarios:
        aim = row(target)
        ahead.append([tau(row(own), aim) - tau(row(rival), aim) for rival in rivals])
    found: np.ndarray = np.all(np.mean(ahead, axis=0) > CLOSE, axis=0)
    return found


def _best_among(predicate: BestAmong, of: Of) -> np.ndarray:
    import numpy as np

    means = np.stack([of(place) for place in predicate.places], axis=1)
    best = (means if predicate.lower else -means).argmin(axis=1)
    return np.isin(best, predicate.allowed)


def _narrower(predicate: NarrowerRange, of: Of) -> np.ndarray:
    import numpy as np

    narrow = np.stack([of(place) for place in predicate.narrow])
    wide = np.stack([of(place) for place in predicate.wide])
    found: np.ndarray = np.ptp(narrow, axis=0) < np.ptp(wide, axis=0)
    return found


def _all_within(predicate: AllWithin, of: Of) -> np.ndarray:
    import numpy as np

    means = np.stack([of(place) for place in predicate.places])
    over = np.stack([of(place) for place in predicate.over]) if predicate.over else 1.0
    found: np.ndarray = np.all(means <= predicate.limit * over, axis=0)
    return found


def _in_most(predicate: InMost, of: Of) -> np.ndarray:
    import numpy as np

    def share(group: tuple[tuple[Contrast, ...], ...]) -> np.ndarray:
        met = [[_value(of, each) > 0 for each in point] for point in group]
        found: np.ndarray = np.all(met, axis=1).mean(axis=0)
        return found

    groups = [share(group) >= predicate.share - CLOSE for group in predicate.groups]
    found: np.ndarray = np.all(groups, axis=0)
    return found


CRITERIA: Mapping[type, Criterion] = {
    Ranked: _ranked,
    MeanRank: _mean_rank,
    Increasing: _increasing,
    Tau: _in_range,
    FollowsBetter: _follows_better,
    BestAmong: _best_among,
    NarrowerRange: _narrower,
    AllWithin: _all_within,
    InMost: _in_most,
}


def resampled(predicate: Any, read: Read) -> Finding:
    """The verdict of a criterion, with the share of resamples that meet it."""
    criterion = CRITERIA[type(predicate)]
    samples = samples_of(predicate, read)
    if len(samples) == 1 and not isinstance(predicate, AllWithin):
        return same_trials()
    met = bool(criterion(predicate, lambda place: _means(samples, read(place).identity))[0])
    if not all(sample.has_spread for sample in samples.values()):
        return Finding("undecided", int(met), 1, note=direction_only(met))
    drawn = draws(samples, RESAMPLES)

    def of(place: Place) -> np.ndarray:
        return drawn[read(place).identity]

    share = float(criterion(predicate, of).mean())
    verdict: Verdict = "undecided"
    if share >= ENOUGH:
        verdict = "holds"
    elif _fails(predicate, of, share):
        verdict = "fails"
    note = f"met by {100 * share:.1f} % of {RESAMPLES} resamples"
    chance = _by_chance(predicate, samples, read)
    if not isinstance(predicate, AllWithin) and chance >= 0.01:
        note += f", and by {100 * chance:.0f} % of random orders"
    return Finding(verdict, int(met), 1, test="resampled", note=note)


def _fails(predicate: Any, of: Of, share: float) -> bool:
    if isinstance(predicate, Tau) and {predicate.fails_at_least, predicate.fails_at_most} != {None}:
        return float(_out_of_range(predicate, of).mean()) >= ENOUGH
    return share <= TOO_FEW


def samples_of(predicate: Any, read: Read) -> dict[Any, Sample]:
    """Identity -> numbers of every place of a predicate, which are all there."""
    found = {}
    for place in places(predicate):
        entry = read(place)
        assert entry.sample is not None
        found[entry.identity] = entry.sample
    return found


def _means(samples: Mapping[Any, Sample], identity: Any) -> np.ndarray:
    import numpy as np

    return np.array([samples[identity].mean])


def draws(samples: Mapping[Any, Sample], count: int) -> dict[Any, np.ndarray]:
    """Identity -> ``count`` resampled means; the same for the same samples."""
    import numpy as np

    generator = np.random.default_rng(0)
    return {
        identity: sample.mean
        + (sample.std or 0.0)
        / (sample.n or 1) ** 0.5
        * generator.standard_t((sample.n or 2) - 1, size=count)
        for identity, sample in samples.items()
    }


def _by_chance(predicate: Any, samples: Mapping[Any, Sample], read: Read) -> float:
    """How often it is met where every cell is a draw of the same."""
    import numpy as np

    generator = np.random.default_rng(1)
    drawn = {identity: generator.normal(size=RESAMPLES) for identity in samples}
    criterion = CRITERIA[type(predicate)]
    return float(criterion(predicate, lambda place: drawn[read(place).identity]).mean())


__all__ = ["CRITERIA", "RESAMPLES", "draws", "resampled", "samples_of", "tau"]
