"""How likely a run like the one at hand was to let a claim hold, and how many seeds would do.

By simulation: each cell's mean and variance are drawn from a truth, m + s / sqrt(n) z and
s² chi²(n - 1) / (n - 1), and the rule is applied to each draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sweep.claims.families import Comparison
from sweep.comparison import LEVEL

if TYPE_CHECKING:
    import numpy as np

DRAWS = 2000
"""The standard error of a probability of a half is then 1.1 %."""
WANTED = 0.8
MOST_SEEDS = 200


def of_all_better(family: Sequence[Comparison], extra: int = 0) -> float:
    """The probability that each comparison is BETTER, with ``extra`` more seeds of each cell."""
    import numpy as np
    from scipy.special import stdtr

    value, error, df = _drawn(family, extra)
    p = 2 * stdtr(df, -np.abs(value) / error)
    return float(np.all((p < LEVEL) & (value > 0), axis=1).mean())


def of_equal(family: Sequence[Comparison], margin: float, one_sided: bool, extra: int = 0) -> float:
    """The probability that every 90 % interval lies within the margin."""
    import numpy as np
    from scipy.special import stdtrit

    value, error, df = _drawn(family, extra)
    half = stdtrit(df, 0.95) * error
    inside = value + half < margin
    if not one_sided:
        inside &= value - half > -margin
    return float(np.all(inside, axis=1).mean())


def _drawn(family: Sequence[Comparison], extra: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(draws, K) values, standard errors and degrees of freedom."""
    import numpy as np

    samples = {identity: term[1] for each in family for identity, term in each.terms.items()}
    weights = np.array([[each.terms.get(i, (0.0,))[0] for i in samples] for each in family])
    mean = np.array([s.mean for s in samples.values()])
    std = np.array([s.std for s in samples.values()], dtype=float)
    n = np.array([(s.n or 0) + extra for s in samples.values()])
    generator = np.random.default_rng(0)
    size = (DRAWS, len(samples))
    means = mean + std / np.sqrt(n) * generator.normal(size=size)
    v = std**2 * generator.chisquare(n - 1, size=size) / (n - 1) / n
    total = v @ (weights**2).T
    df = total**2 / (v**2 / (n - 1) @ (weights**4).T)
    return means @ weights.T, np.sqrt(total), df


def more_seeds(probability: Callable[[int], float]) -> int | None:
    """The fewest further seeds that give `WANTED`; None: more than `MOST_SEEDS` are needed."""
    if probability(0) >= WANTED:
        return 0
    low, high = 0, 1
    while probability(high) < WANTED:
        low, high = high, 2 * high
        if high > MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if probability(middle) >= WANTED else (middle, high)
    return high


def known(family: Sequence[Comparison]) -> bool:
    """Whether every cell has a spread."""
    return all(sample.has_spread for each in family for _, sample in each.terms.values())


__all__ = ["MOST_SEEDS", "WANTED", "known", "more_seeds", "of_all_better", "of_equal"]
