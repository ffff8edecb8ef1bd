"""Welch's interval for the difference of two means, from mean, std and n alone.

    m1 - m2 ± t(0.975, df) sqrt(v1 + v2),   vi = si² / ni  (si: sample std, n - 1)
    df = (v1 + v2)² / (v1² / (n1 - 1) + v2² / (n2 - 1))

B. L. Welch, The generalization of "Student's" problem when several different
population variances are involved, Biometrika 34 (1947); df is Welch-Satterthwaite.
"""

from __future__ import annotations

import math
from typing import NamedTuple

CONFIDENCE = 0.95


class Sample(NamedTuple):
    """Mean, sample standard deviation (n - 1) and size. None: not known."""

    mean: float
    std: float | None
    n: int | None


def half_width(a: Sample, b: Sample, confidence: float = CONFIDENCE) -> float | None:
    """Half the width of the interval around ``a.mean - b.mean``; None if a spread is not known.

    Two samples without any spread give 0: they agree only where they are equal.
    """
    if a.std is None or b.std is None or a.n is None or b.n is None or min(a.n, b.n) < 2:
        return None
    va, vb = a.std**2 / a.n, b.std**2 / b.n
    if va + vb == 0:
        return 0.0
    # Of relative variances, since squares of tiny variances would underflow.
    pa, pb = va / (va + vb), vb / (va + vb)
    df = 1 / (pa**2 / (a.n - 1) + pb**2 / (b.n - 1))
    from scipy.special import stdtrit  # Student's quantile, without the import time of scipy.stats

    return float(stdtrit(df, (1 + confidence) / 2)) * math.sqrt(va + vb)


def distinguishable(a: Sample, b: Sample) -> bool | None:
    """Whether the interval around the difference of the means excludes 0; None if not known."""
    width = half_width(a, b)
    return None if width is None else abs(a.mean - b.mean) > width


__all__ = ["CONFIDENCE", "Sample", "distinguishable", "half_width"]
