"""Points of a grid's space that Optuna proposes, from those that were tried."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.plan.axes import Axis, GridPoint

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

STARTUP = 4
"""As long as fewer points have a number, proposals are drawn at random from the ranges."""

ATTEMPTS = 20
"""How often a point that has been tried is proposed again before the search ends early."""


@dataclass(frozen=True)
class Tried:
    """What came of a point.

    Attributes:
        point: The point.
        loss: Its number, which is to be small; inf: a trial diverged; None: it is not known.
        pruned: The epoch at which it was stopped, ``loss`` being its number there; 0: it was not.
    """

    point: GridPoint
    loss: float | None
    pruned: int = 0


def propose(axes: Mapping[str, Axis], tried: Sequence[Tried], n: int) -> list[GridPoint]:
    """Further points, by a tree-structured Parzen estimator on what was tried.

    They are the same ones whenever it is called with the same arguments. To it, those that were
    pruned are worse than all others.

    Args:
        axes: Dotted field -> its axis.
        tried: None of them is proposed again, those without a loss neither.
        n: How many.

    Returns:
        New points, all different; fewer than ``n`` where no others are found.
    """
    import optuna

    if not axes:
        return []
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: axis.distribution for name, axis in axes.items()}
    taken = [each.point for each in tried]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=_sampler(len(taken)))
        study.add_trials([_frozen(each, axes) for each in tried if each.loss is not None])
        found: list[GridPoint] = []
        for _ in range(ATTEMPTS * n):
            asked = study.ask(distributions).params
            point = {name: axis.decode(asked[name]) for name, axis in axes.items()}
            if point not in taken and point not in found:
                found.append(point)
            if len(found) == n:
                break
    return found


def _frozen(tried: Tried, axes: Mapping[str, Axis]) -> FrozenTrial:
    """A point as Optuna knows it."""
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.PRUNED if tried.pruned else TrialState.COMPLETE,
        params={name: axis.encode(tried.point[name]) for name, axis in axes.items()},
        distributions={name: axis.distribution for name, axis in axes.items()},
        value=tried.loss,
        intermediate_values={tried.pruned: tried.loss or 0.0} if tried.pruned else {},
    )


def _sampler(seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=STARTUP, seed=seed)


__all__ = ["Tried", "propose"]
