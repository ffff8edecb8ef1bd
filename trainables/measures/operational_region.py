"""Where the flatter of two minima has the lower AMP loss (AMP figure 4, Corollary 2)."""

from __future__ import annotations

import math

from trainables.measures.base import Target, registry
from trainables.metric_name import place
from trainables.registry import Count, Positive


def least_flatness(beta: float, ratio: float) -> float:
    """The r above which AMP prefers the second of two minima, 1 / (1 + log(beta) / ratio); inf
    where it prefers it at no r (AMP, Equation 15).

    Both are inverted Gaussian surfaces with the same C. The second has beta < 1 times the first's
    depth A, and r times the smallest eigenvalue sigma_1² of its covariance.

    Args:
        ratio: epsilon² / (2 sigma_1²).
    """
    if beta <= math.exp(-ratio):
        return math.inf
    return 1 / (1 + math.log(beta) / ratio)


@registry.register("operational_region")
def operational_region(
    target: Target,
    *,
    ratio: Positive = 1.0,
    points: Count = 100,
    largest: Positive = 20.0,
) -> dict[str, float]:
    """`least_flatness` for beta = 1 / ``points``, 2 / ``points``, ..., 1; named after beta.

    It is a property of the surfaces alone: of the target nothing is looked at.

    Args:
        ratio: epsilon² / (2 sigma_1²), sigma_1² being the first minimum's width.
        points: How many values of beta.
        largest: Values of r above it are left out: the axis of AMP's figure ends at 20.
    """
    betas = [step / points for step in range(1, points + 1)]
    line = {place(beta): least_flatness(beta, ratio) for beta in betas}
    return {beta: r for beta, r in line.items() if r <= largest}
