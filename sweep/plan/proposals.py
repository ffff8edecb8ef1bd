"""Points that Optuna proposes, from those that were tried.

A setting is a range between the ends of its grid, on a logarithmic scale where they are far
apart, or a list where values between make no sense.
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


@dataclass(frozen=True)
class Axis:
    """The values of one setting that a search may propose: a range, or a list.

    Attributes:
        values: Of the grid; a range goes from the least of them to the greatest.
        between: Whether values between them make sense.
    """

    values: tuple[Any, ...]
    between: bool

    @classmethod
    def of(cls, name: str, values: tuple[Any, ...], method: str) -> Axis:
        """That of the setting ``name``, an option of the ``method`` where it begins with method."""
        from trainables import methods

        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        part, _, option = name.rpartition(".")
        searched = methods.registry.searched(method).get(option) if part == "method" else None
        listed = name in AS_LISTED or (searched is not None and not searched.between)
        return cls(values, numbers and not listed)

    @property
    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if not self.between:
            return CategoricalDistribution(range(len(self.values)))
        low, high = min(self.values), max(self.values)
        log = low > 0 and high / low >= DECADES
        if all(isinstance(value, int) for value in self.values):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)

    def encode(self, value: Any) -> Any:
        """``value`` as Optuna knows it."""
        return value if self.between else self.values.index(value)

    def decode(self, code: Any) -> Any:
        """What Optuna calls ``code``, in `DIGITS` digits where it is no whole number."""
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
    """``n`` further points, by a tree-structured Parzen estimator on what was ``tried``.

    Args:
        tried: Points with their loss; inf: diverged.
        pending: Points without a number, which are not proposed either.

    Returns:
        Fewer than ``n`` where no others are found.
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
