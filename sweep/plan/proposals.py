"""Points of a grid's space that Optuna proposes, from those that were tried.

A hyper-parameter is searched between the least and the greatest value of its grid, on a
logarithmic scale where these are far apart; or, where values between make no sense, in its list.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

DIGITS = 3
"""Significant digits of a proposed number: a person can read it, and no result needs more."""

AS_LISTED = ("batch_size", "epochs")
"""Whole numbers that are tried as the grid lists them, and not between; a part says so of its own
options (`trainables.needs.Searched`)."""

DECADES = 10.0
"""A range whose ends differ by this factor is searched on a logarithmic scale."""

STARTUP = 4
"""As long as fewer points have a number, proposals are drawn at random from the ranges."""

ATTEMPTS = 20
"""How often a point that has been tried is proposed again before the search ends early."""

GridPoint = Mapping[str, Any]
"""Dotted field -> value."""


@dataclass(frozen=True)
class Axis:
    """The values of one hyper-parameter that a search may propose: a range, or a list.

    Attributes:
        values: Of the grid; a range goes from the least of them to the greatest.
        between: Whether values between them make sense.
    """

    values: tuple[Any, ...]
    between: bool

    @classmethod
    def of(cls, name: str, values: tuple[Any, ...], method: str) -> Axis:
        """The axis of a dotted field.

        Args:
            name: The field; ``method.rho`` is the option ``rho`` of the method.
            values: Of the grid.
            method: Name of the method, which may say that its options are lists.
        """
        from trainables import methods

        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        part, _, option = name.rpartition(".")
        searched = methods.registry.searched(method).get(option) if part == "method" else None
        listed = name in AS_LISTED or (searched is not None and not searched.between)
        return cls(values, numbers and not listed)

    @property
    def distribution(self) -> BaseDistribution:
        """What Optuna draws from: a range, or the places in the list."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if not self.between:
            return CategoricalDistribution(range(len(self.values)))
        low, high = min(self.values), max(self.values)
        log = low > 0 and high / low >= DECADES
        if all(isinstance(value, int) for value in self.values):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)

    def encode(self, value: Any) -> Any:
        """What stands for ``value`` in Optuna: itself or, of a list, its place there."""
        return value if self.between else self.values.index(value)

    def decode(self, code: Any) -> Any:
        """The value that ``code`` stands for; a fraction is rounded to `DIGITS` digits."""
        if not self.between:
            return self.values[code]
        if isinstance(code, int):
            return code
        low, high = min(self.values), max(self.values)
        return min(max(float(f"{code:.{DIGITS}g}"), low), high)


def propose(
    axes: Mapping[str, Axis],
    tried: Sequence[tuple[GridPoint, float]],
    pending: Sequence[GridPoint],
    n: int,
) -> list[GridPoint]:
    """Further points, by a tree-structured Parzen estimator on what was tried.

    They are the same ones whenever it is called with the same arguments.

    Args:
        axes: Dotted field -> its axis.
        tried: Points with their loss, which is to be small; inf: the trial diverged.
        pending: Points whose loss is not known; they are not proposed either.
        n: How many.

    Returns:
        New points, all different; fewer than ``n`` where no others are found.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: axis.distribution for name, axis in axes.items()}
    taken = [point for point, _ in tried] + list(pending)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=_sampler(len(taken)))
        for point, number in tried:
            coded = {name: axis.encode(point[name]) for name, axis in axes.items()}
            study.add_trial(
                optuna.trial.create_trial(params=coded, distributions=distributions, value=number)
            )
        found: list[GridPoint] = []
        for _ in range(ATTEMPTS * n):
            asked = study.ask(distributions).params
            point = {name: axis.decode(asked[name]) for name, axis in axes.items()}
            if point not in taken and point not in found:
                found.append(point)
            if len(found) == n:
                break
    return found


def _sampler(seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=STARTUP, seed=seed)
