"""How far one command goes, and in which order: what is left, the next one does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

from sweep.plan.budget import gradients_per_step

if TYPE_CHECKING:
    from sweep.plan.expand import PlannedTrial


class Order(StrEnum):
    """In which order trials are started. It changes no number."""

    longest = "longest"
    seeds = "seeds"
    random = "random"


def ordered(
    trials: Iterable[PlannedTrial], order: Order, draws: Random | None = None
) -> list[PlannedTrial]:
    """``trials`` in the order in which they are started.

    Args:
        order: ``longest``: the longest first, so that no slot waits for one late long trial.
            ``seeds``: the first seed of every point, then the second: a whole table soon.
            ``random``: so that what is there at any time is a sample of all.
        draws: Of ``random``; None: other ones each time, so that two drivers begin apart.
    """
    longest = sorted(trials, key=expected_cost, reverse=True)
    if order is Order.seeds:
        return sorted(longest, key=lambda trial: trial.seed)
    if order is Order.random:
        (draws or Random()).shuffle(longest)
    return longest


def expected_cost(trial: PlannedTrial) -> float:
    """Of the whole trial, in gradient evaluations over all training batches."""
    return trial.config.epochs * gradients_per_step(trial.config)


class Limits:
    """What one command may do; its hours run from when this is made.

    Args:
        order: In which order trials are started.
        fail_fast: No further trial after one that failed; those that run are stopped.
        max_hours: After so many hours no trial is started, and those that run are stopped; they go
            on from their checkpoints the next time.
        max_trials: So many trials are started at most.
        clock: Seconds that pass.
    """

    def __init__(
        self,
        order: Order | str = Order.longest,
        fail_fast: bool = False,
        max_hours: float | None = None,
        max_trials: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.order = Order(order)
        self._fail_fast, self._max_hours, self._max_trials = fail_fast, max_hours, max_trials
        self._clock, self._began = clock, clock()
        self._started, self._failed = 0, False

    def next(self, trials: Iterable[PlannedTrial]) -> list[PlannedTrial]:
        """Those of ``trials`` that are started now, in order, and count from now on; maybe none."""
        if self.reached:
            return []
        found = ordered(trials, self.order)
        if self._max_trials is not None:
            found = found[: self._max_trials - self._started]
        self._started += len(found)
        return found

    def note_failure(self) -> None:
        """A trial has failed."""
        self._failed = True

    @property
    def stop(self) -> str:
        """Why trials that run are stopped, in words; empty: they go on."""
        if self._fail_fast and self._failed:
            return "stopped at the first trial that failed (--fail-fast)"
        hours = (self._clock() - self._began) / 3600
        if self._max_hours is not None and hours >= self._max_hours:
            return f"stopped after {self._max_hours:g} hours (--max-hours)"
        return ""

    @property
    def reached(self) -> str:
        """Why no further trial is started, in words; empty: there may be some."""
        if self._max_trials is not None and self._started >= self._max_trials:
            return self.stop or f"stopped after {self._started} trials (--max-trials)"
        return self.stop


__all__ = ["Limits", "Order", "expected_cost", "ordered"]
