"""Successive halving: where the points of a search stop, and which of them go on.

All points of a bracket are trained to its first rung. Of n of them the best n // eta go on, at
least one, to the next rung, which is eta times as far; after the last rung they train to the end
(Jamieson and Talwalkar, 2016). What decides stands in the curves up to a rung: whoever trains, in
whatever order, and however often it is stopped, finds the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trainables.errors import UsageError
from trainables.storage.result import best_first

if TYPE_CHECKING:
    from search_spaces.spec import Selection


def rungs(epochs: int, eta: int, points: int) -> int:
    """How many rungs a bracket has before the end of the training.

    It is how often ``points`` can be divided by ``eta`` until one is left, as far as the first
    rung is an epoch or later.

    Args:
        epochs: Of the shortest training.
        eta: Of how many points one goes on; 0: all do.
        points: How many there are at the start.
    """
    count = 0
    while eta and points > 1 and epochs >= eta:
        count, points, epochs = count + 1, max(1, points // eta), epochs // eta
    return count


def rung(epochs: int, eta: int, left: int) -> int:
    """The epoch of the rung from which ``left`` are left, itself among them: epochs / eta^left,
    rounded down; the end of the training where none is left."""
    return epochs // eta**left if left else epochs


def survivors(losses: Sequence[float], eta: int) -> list[int]:
    """The places of the ``len(losses) // eta`` least losses, at least one, in ascending order.

    Of equal losses the first go on: points of the grid before those that were proposed, and these
    in the order in which they were. inf is a loss as others are: where all diverged the first goes
    on.
    """
    order = sorted(range(len(losses)), key=lambda place: (losses[place], place))
    return sorted(order[: max(1, len(losses) // eta)])


def loss_at(curves: Mapping[str, Sequence[float]], rule: Selection, epoch: int) -> float:
    """What the rule looks at, as if the training had ended after ``epoch``; inf if it diverged
    before.

    Args:
        curves: Of a trial: metric -> its value in each epoch.

    Raises:
        UsageError: it is not measured in every epoch.
    """
    curve = curves.get(rule.on, ())
    if len(curve) < epoch and all(len(each) < epoch for each in curves.values()):
        return math.inf
    place = epoch - 1
    if rule.epoch != "last":
        judge = rule.epoch.removeprefix("best_")
        place = best_first({name: list(each[:epoch]) for name, each in curves.items()}, judge)[0]
    if len(curve) <= place or math.isnan(curve[place]):
        raise UsageError(
            f"--halving looks at {rule.on} in every epoch, and it is measured at the end alone; "
            "leave --halving away, or take another --selection"
        )
    return curve[place]


__all__ = ["loss_at", "rung", "rungs", "survivors"]
