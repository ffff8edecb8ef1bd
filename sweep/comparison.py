"""How two cells are compared, wherever they are: in bold, directions, reproduction and claims.

`compare` gives the difference of two means with its standard error and degrees of freedom, from
mean, std and n alone (Welch). It is a `contrast` of independent means, sum c_i m_i, like the
average of several differences:

    variance  v = sum v_i,   v_i = c_i² s_i² / n_i   (s_i: sample std, n - 1)
    df = v² / sum(v_i² / (n_i - 1))
    interval: sum c_i m_i ± t(0.975, df) sqrt(v)

B. L. Welch, The generalization of "Student's" problem when several different population variances
are involved, Biometrika 34 (1947); df is Welch-Satterthwaite. Of several comparisons with one
family-wise error rate, p is corrected by `holm` (S. Holm, A simple sequentially rejective multiple
test procedure, Scandinavian Journal of Statistics 6, 1979).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal, NamedTuple

CONFIDENCE = 0.95
LEVEL = 0.05
"""Below it a two-sided p tells two cells apart."""


class Sample(NamedTuple):
    """Mean, sample standard deviation (n - 1) and size. None: not known.

    ``by_seed``: seed -> value, where a comparison is to be paired.
    """

    mean: float
    std: float | None
    n: int | None
    by_seed: Mapping[int, float] | None = None

    @property
    def has_spread(self) -> bool:
        """Whether a comparison with it can be tested."""
        return _variance(1.0, self) is not None

    def log(self) -> Sample:
        """Of the logarithms, to first order: log mean and std / mean.

        Raises:
            ValueError: the mean is not positive.
        """
        std = None if self.std is None else self.std / self.mean
        return Sample(math.log(self.mean), std, self.n)


@dataclass(frozen=True)
class Estimate:
    """A difference of two means, or another contrast.

    Attributes:
        value: Of the contrast.
        std_error: None if a spread, or the n of one, is not known: then there is no test.
        df: Degrees of freedom.
        test: Which one was used.
    """

    value: float
    std_error: float | None
    df: float = math.nan
    test: Literal["Welch", "paired"] = "Welch"

    def half_width(self, confidence: float = CONFIDENCE) -> float | None:
        """Half the width of the two-sided interval; 0 where there is no spread at all."""
        if self.std_error is None:
            return None
        if self.std_error == 0:
            return 0.0
        from scipy.special import stdtrit  # the quantile, without the import time of scipy.stats

        return float(stdtrit(self.df, (1 + confidence) / 2)) * self.std_error

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
        """The two-sided interval; None if a spread is not known."""
        width = self.half_width(confidence)
        return None if width is None else (self.value - width, self.value + width)

    @property
    def p(self) -> float | None:
        """Two-sided, of no difference; None if a spread is not known."""
        if self.std_error is None:
            return None
        if self.std_error == 0:
            return float(self.value == 0)
        from scipy.special import stdtr

        return 2 * float(stdtr(self.df, -abs(self.value) / self.std_error))

    @property
    def distinguishable(self) -> bool | None:
        """Whether the interval excludes 0; None if a spread is not known."""
        width = self.half_width()
        return None if width is None else abs(self.value) > width

    @property
    def better(self) -> bool:
        """Whether it is above 0, significantly."""
        return self.p is not None and self.p < LEVEL and self.value > 0


def contrast(terms: Iterable[tuple[float, Sample]]) -> Estimate:
    """sum c_i m_i of independent means with weights c_i; see the head of the file."""
    used = [(c, sample) for c, sample in terms if c != 0]
    value = math.fsum(c * sample.mean for c, sample in used)
    variances = [_variance(c, sample) for c, sample in used]
    known = [v for v in variances if v is not None]
    if len(known) < len(variances):
        return Estimate(value, None)
    total = math.fsum(known)
    if total == 0:
        return Estimate(value, 0.0)
    # Of relative variances, since squares of tiny variances would underflow.
    parts = [(v / total) ** 2 / (s.n - 1) for v, (_, s) in zip(known, used, strict=True) if s.n]
    return Estimate(value, math.sqrt(total), 1 / math.fsum(parts))


def _variance(weight: float, sample: Sample) -> float | None:
    if sample.std is None or sample.n is None or sample.n < 2:
        return None
    return (weight * sample.std) ** 2 / sample.n


def compare(a: Sample, b: Sample, *, paired: bool = False, log: bool = False) -> Estimate:
    """The mean of ``a`` less that of ``b``.

    Args:
        paired: By seed, over the seeds that both have: the mean of the differences with their own
            spread. For two numbers of the same trials, which are not independent.
        log: Of the logarithms, so that the value is the log of a ratio.
    """
    if paired:
        return _paired(a.by_seed or {}, b.by_seed or {}, log)
    if log:
        a, b = a.log(), b.log()
    return contrast([(1.0, a), (-1.0, b)])


def _paired(a: Mapping[int, float], b: Mapping[int, float], log: bool) -> Estimate:
    pairs = [(a[seed], b[seed]) for seed in a if seed in b]
    differences = [math.log(x) - math.log(y) if log else x - y for x, y in pairs]
    if not differences:
        return Estimate(math.nan, None, test="paired")
    if len(differences) < 2:
        return Estimate(differences[0], None, test="paired")
    n = len(differences)
    return Estimate(fmean(differences), stdev(differences) / math.sqrt(n), n - 1, "paired")


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's corrected p of each of a family: the k-th smallest times (K - k + 1), in order.

    Those below a level are told apart with that level as the error rate of the whole family.
    """
    corrected, so_far = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        so_far = max(so_far, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = so_far
    return corrected


def not_told_from_best(
    samples: Sequence[Sample], *, lower: bool, log: bool = False
) -> tuple[bool, ...]:
    """Of each sample whether it is the best, or Holm's test cannot tell it from the best.

    Args:
        lower: Whether the lowest mean is the best.
        log: Whether ratios are compared, not differences.
    """
    if not samples:
        return ()
    best = (min if lower else max)(samples, key=lambda sample: sample.mean)
    others = [i for i, sample in enumerate(samples) if sample is not best]
    ps = [compare(samples[i], best, log=log).p for i in others]
    # What has no spread is told from nothing.
    corrected = dict(zip(others, holm([1.0 if p is None else p for p in ps]), strict=True))
    return tuple(corrected.get(i, 1.0) >= LEVEL for i in range(len(samples)))


__all__ = [
    "CONFIDENCE",
    "LEVEL",
    "Estimate",
    "Sample",
    "compare",
    "contrast",
    "holm",
    "not_told_from_best",
]
