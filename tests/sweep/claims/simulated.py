"""Many records of normal numbers at once, and the rules of judging applied to all of them.

The rules are written here a second time, over arrays of S records; `test_false_alarms` compares
them with `sweep.claims` record by record before it takes a rate from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from search_spaces.claim import Place
from sweep.claims.criteria import RESAMPLES
from sweep.claims.evidence import Entry, Evidence
from sweep.comparison import Sample

Verdicts = np.ndarray
"""(S,) of words."""
CHUNK = 100
"""Records that are resampled at once."""


@dataclass(frozen=True)
class Records:
    """S records of C cells: means and sample variances, (S, C), of ``n`` runs each."""

    mean: np.ndarray
    variance: np.ndarray
    n: int

    @classmethod
    def draw(cls, truth: Sequence[float], n: int, count: int, seed: int = 5) -> Records:
        """Of cells with these true means, each run being off by a normal number of std 1."""
        generator = np.random.default_rng(seed)
        values = np.array(truth) + generator.normal(size=(n, count, len(truth)))
        return cls(values.mean(axis=0), values.var(axis=0, ddof=1), n)

    def evidence(self, record: int) -> Evidence:
        """One of them, for `sweep.claims`: the cells are those of `cell`."""
        found = []
        for i, (mean, variance) in enumerate(
            zip(self.mean[record], self.variance[record], strict=True)
        ):
            sample = Sample(float(mean), float(variance) ** 0.5, self.n)
            found.append(({"cell": str(i)}, Entry(i, sample), dict))
        return Evidence({("paper/table", "number"): found}, comparable=True)


def cell(i: int) -> Place:
    return Place("number", {"cell": str(i)})


@dataclass(frozen=True)
class Contrasts:
    """K contrasts of S records: value, standard error and degrees of freedom, (S, K)."""

    value: np.ndarray
    error: np.ndarray
    df: np.ndarray

    @classmethod
    def of(cls, records: Records, weights: np.ndarray) -> Contrasts:
        """Welch-Satterthwaite of each row of ``weights``, (K, C)."""
        v = records.variance / records.n
        total = v @ (weights**2).T
        df = total**2 / (v**2 / (records.n - 1) @ (weights**4).T)
        return cls(records.mean @ weights.T, np.sqrt(total), df)

    @property
    def p(self) -> np.ndarray:
        found: np.ndarray = 2 * stdtr(self.df, -np.abs(self.value) / self.error)
        return found

    @property
    def better(self) -> np.ndarray:
        found: np.ndarray = (self.p < 0.05) & (self.value > 0)
        return found

    def ends(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        half = stdtrit(self.df, (1 + confidence) / 2) * self.error
        return self.value - half, self.value + half


def pairs(k: int) -> np.ndarray:
    """(K, 2K): cell k + i less cell i."""
    return np.hstack([-np.eye(k), np.eye(k)])


def against_first(others: int) -> np.ndarray:
    """(others, 1 + others): the first cell less each other."""
    return np.hstack([np.ones((others, 1)), -np.eye(others)])


def holm(p: np.ndarray) -> np.ndarray:
    """Corrected along the last axis."""
    k = p.shape[-1]
    order = np.argsort(p, axis=-1)
    stepped = np.take_along_axis(p, order, -1) * np.arange(k, 0, -1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.maximum.accumulate(stepped, axis=-1), -1)
    return np.minimum(corrected, 1.0)


def _verdicts(count: int, *rules: tuple[str, np.ndarray]) -> Verdicts:
    """The first word whose condition holds, else ``undecided``."""
    found = np.full(count, "undecided")
    for word, met in reversed(rules):
        found = np.where(met, word, found)
    return found


def all_better(records: Records, weights: np.ndarray) -> Verdicts:
    """ALL-BETTER, with POOLED for *weak*."""
    k = len(weights)
    each = Contrasts.of(records, weights)
    pooled = Contrasts.of(records, weights.mean(axis=0, keepdims=True))
    return _verdicts(
        len(records.mean),
        ("holds", each.better.all(axis=1)),
        ("fails", ((each.value < 0) & (each.p * k < 0.05)).any(axis=1)),
        ("weak", (each.value > 0).all(axis=1) & pooled.better[:, 0]),
    )


def equal(records: Records, weights: np.ndarray, margin: float, one_sided: bool) -> Verdicts:
    """EQUAL of the family's mean."""
    low, high = Contrasts.of(records, weights.mean(axis=0, keepdims=True)).ends(0.9)
    inside, outside = high < margin, low > margin
    if not one_sided:
        inside, outside = inside & (low > -margin), outside | (high < -margin)
    return _verdicts(len(records.mean), ("fails", outside[:, 0]), ("holds", inside[:, 0]))


def arg_best(records: Records) -> Verdicts:
    """ARGBEST of the first cell, more being better."""
    each = Contrasts.of(records, against_first(records.mean.shape[1] - 1))
    behind = (holm(each.p) < 0.05) & (each.value < 0)
    return _verdicts(
        len(records.mean), ("holds", each.better.all(axis=1)), ("fails", behind.any(axis=1))
    )


def better_in(records: Records, weights: np.ndarray, at_least: int) -> Verdicts:
    """COUNT of comparisons."""
    each, k = Contrasts.of(records, weights), len(weights)
    worst = np.where(each.value < 0, each.p, 1.0).min(axis=1)
    return _verdicts(
        len(records.mean),
        ("holds", (each.better.sum(axis=1) >= at_least) & (worst >= 0.05)),
        ("fails", worst * k < 0.05),
    )


def mean_difference(records: Records, weights: np.ndarray) -> Verdicts:
    """NUMBER."""
    low, high = Contrasts.of(records, weights.mean(axis=0, keepdims=True)).ends(0.95)
    return _verdicts(len(records.mean), ("holds", low[:, 0] > 0), ("fails", high[:, 0] < 0))


def up_to(records: Records, weights: np.ndarray) -> Verdicts:
    """NUMBER "up to"."""
    each = Contrasts.of(records, weights)
    ahead = (holm(each.p) < 0.05) & (each.value > 0)
    return _verdicts(
        len(records.mean),
        ("holds", ahead.any(axis=1)),
        ("fails", ((each.value < 0) & (each.p < 0.05)).all(axis=1)),
    )


Drawn = Callable[[np.ndarray], np.ndarray]
"""From resampled means, (..., C), to numbers or truths of each, (...)."""


def _drawn(records: Records) -> Iterator[np.ndarray]:
    """The resampled means of all records, in chunks of (records, RESAMPLES, C)."""
    generator = np.random.default_rng(0)
    cells = range(records.mean.shape[1])
    t = [generator.standard_t(records.n - 1, size=RESAMPLES) for _ in cells]
    noise = np.stack(t, axis=1)
    error = np.sqrt(records.variance / records.n)
    for i in range(0, len(records.mean), CHUNK):
        yield records.mean[i : i + CHUNK, None] + error[i : i + CHUNK, None] * noise


def resampled(records: Records, met: Drawn) -> Verdicts:
    """COUNT and TREND: a criterion on the means."""
    share = np.concatenate([met(chunk).mean(axis=1) for chunk in _drawn(records)])
    return _verdicts(len(records.mean), ("holds", share >= 0.95), ("fails", share <= 0.05))


def reduction(records: Records) -> Verdicts:
    """NUMBER: the first cell below the least of the others, in per cent."""

    def reduced(means: np.ndarray) -> np.ndarray:
        found: np.ndarray = 1 - means[..., 0] / means[..., 1:].min(axis=-1)
        return found

    ends = [np.quantile(reduced(chunk), [0.025, 0.975], axis=1) for chunk in _drawn(records)]
    low, high = np.concatenate(ends, axis=1)
    return _verdicts(len(records.mean), ("holds", low > 0), ("fails", high < 0))


__all__ = [
    "Contrasts",
    "Records",
    "against_first",
    "all_better",
    "arg_best",
    "better_in",
    "cell",
    "equal",
    "mean_difference",
    "pairs",
    "reduction",
    "resampled",
    "up_to",
]
