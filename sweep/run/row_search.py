"""The search of one row: what it has tried, what goes on after a rung, what is tried next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

from sweep.plan.axes import GridPoint, first_points
from sweep.plan.halving import loss_at, rung, rungs, survivors
from sweep.plan.proposals import Tried, propose
from sweep.selection.winner import Texts, candidates

if TYPE_CHECKING:
    from search_spaces.spec import Selection
    from sweep.plan.expand import PlannedTrial
    from sweep.plan.searched_rows import SearchedRow
    from sweep.record.record import Record

Trials = Sequence[Sequence["PlannedTrial"]]
"""Of each point its trials, one per seed."""


@dataclass(frozen=True)
class Budget:
    """What each row of a search may try.

    Attributes:
        points: How many points in all, those of the grid among them.
        at_once: How many are proposed at once, from all before.
        eta: Of how many points one goes on at a rung (`sweep.plan.halving`); 0: all go on.
    """

    points: int
    at_once: int = 4
    eta: int = 0

    def words(self) -> str:
        """What a table says of it."""
        said = (
            f"at most {self.points} points of each row: those of its grid, evenly among them where "
            f"they are more, then such as Optuna proposes from all before, {self.at_once} at once"
        )
        if self.eta:
            said += (
                f"; of those begun together the best 1/{self.eta} go on at each rung, the last rung"
                f" after 1/{self.eta} of the epochs; of equal ones the first that was tried"
            )
        return said


class RowSearch:
    """The points of a row.

    Nothing here is remembered from one command to the next: a new one, asked again and again with
    the same record, comes to the same points.

    Attributes:
        row: The row.
        points: That were tried, or are to be; those of the grid first.
        finished: Whether all of them have come to their end.
        waiting: How many more points wait for a trial that failed.
    """

    def __init__(self, row: SearchedRow, budget: Budget) -> None:
        self.row, self._budget = row, budget
        grid = first_points(row.grid, budget.points) if row.axes else row.grid
        self.points: list[GridPoint] = []
        self._tried: dict[int, Tried] = {}
        self._left_at: dict[int, int] = {}
        """Place of a point that was stopped -> how many rungs were left."""
        self._begin(grid)
        self._of_grid = len(grid)
        self.finished, self.waiting = False, 0

    def _begin(self, points: Sequence[GridPoint]) -> None:
        """Begin a bracket of further ``points``."""
        start = len(self.points)
        self.points += points
        self._bracket = self._alive = list(range(start, len(self.points)))
        self._passed, self._rungs = 0, -1

    @property
    def name(self) -> str:
        """Of the row, for people."""
        return " / ".join(map(self.row.cell.label, self.row.cell.key))

    def trials(self, planned: Iterable[PlannedTrial]) -> Trials:
        """Of each point its trials, among those of the row's stage."""
        text, found = Texts(), dict[str, list["PlannedTrial"]]()
        for trial in planned:
            found.setdefault(text(trial.point), []).append(trial)
        return [found.get(text(point), []) for point in self.points]

    def pauses(self, trials: Trials) -> dict[str, int]:
        """Trial -> the epoch to which it is trained for now."""
        left = {place: self._rungs_left(trials) for place in self._alive} | self._left_at
        return {
            trial.trial_id: self._rung(trial, left.get(place, 0))
            for place, own in enumerate(trials)
            for trial in own
        }

    def advance(self, trials: Trials, record: Record, rule: Selection) -> bool:
        """Decide what follows from what is recorded; whether there is something to run.

        Args:
            rule: By which losses are read.
        """
        if self.finished:
            return False
        left = self._rungs_left(trials)
        running = [trial for place in self._alive for trial in trials[place]]
        failed = "failed" in record.statuses(trial.trial_id for trial in running)
        self.waiting = self._budget.points - len(self.points) if failed and self.row.axes else 0
        if not all(self._has_come(trial, left, record) for trial in running):
            return False
        if left:
            self._halve(trials, record, rule, left)
            return True
        flat = [trial for place in self._alive for trial in trials[place]]
        for place, found in zip(self._alive, candidates(flat, record, rule), strict=True):
            loss = found.mean if found.complete else None
            self._tried[place] = Tried(self.points[place], loss)
        further = self._further()
        self.finished = not further
        if further:
            self._begin(further)
        return not self.finished

    def _has_come(self, trial: PlannedTrial, left: int, record: Record) -> bool:
        """Whether a trial is as far as the rung, or the end, that its bracket trains to."""
        end = record.status(trial.trial_id)
        if end in ("done", "diverged"):
            return True
        lasted = record.value(trial.trial_id, "epochs_run") or 0
        return end == "pruned" and left > 0 and lasted >= self._rung(trial, left)

    def _halve(self, trials: Trials, record: Record, rule: Selection, left: int) -> None:
        """Stop all points of the bracket but the best."""
        losses = [
            mean(
                loss_at(record.curves(trial.trial_id), rule, self._rung(trial, left))
                for trial in trials[place]
            )
            for place in self._alive
        ]
        kept = survivors(losses, self._budget.eta)
        for i, (place, loss) in enumerate(zip(self._alive, losses, strict=True)):
            if i not in kept:
                at = self._rung(trials[place][0], left)
                self._tried[place] = Tried(self.points[place], loss, at)
                self._left_at[place] = left
        self._alive = [self._alive[i] for i in kept]
        self._passed += 1

    def _further(self) -> list[GridPoint]:
        n = min(self._budget.at_once, self._budget.points - len(self.points))
        tried = [self._tried[place] for place in range(len(self.points))]
        return propose(self.row.axes, tried, n) if n > 0 else []

    def _rungs_left(self, trials: Trials) -> int:
        if self._rungs < 0:  # a bracket has as many as its shortest training
            epochs = [t.settings.epochs for place in self._bracket for t in trials[place]]
            eta = self._budget.eta if self.row.axes else 0
            self._rungs = rungs(min(epochs), eta, len(self._bracket))
        return self._rungs - self._passed

    def _rung(self, trial: PlannedTrial, left: int) -> int:
        return rung(trial.settings.epochs, self._budget.eta, left)

    def ranked(self) -> list[GridPoint]:
        """The points that were not stopped, the best first."""
        losses = {place: self._tried[place].loss for place in self._tried}
        order = [place for place in range(len(self.points)) if place not in self._left_at]
        worst = (math.inf if (loss := losses.get(place)) is None else loss for place in order)
        return [self.points[place] for _, place in sorted(zip(worst, order, strict=True))]

    def spent(self, trials: Trials, record: Record) -> str:
        """``16 points (9 of the 24 of its grid, 12 pruned), 48 trials, 2,400 epochs, ...``."""
        import numpy as np

        ids = list({trial.trial_id for own in trials for trial in own})
        epochs, gradients, seconds = (
            float(np.nansum(record.values(ids, name)))
            for name in ("epochs_run", "gradient_evaluations", "device_seconds")
        )
        ended = sum(end in ("done", "diverged", "pruned") for end in record.statuses(ids))
        points = "1 point" if len(self.points) == 1 else f"{len(self.points)} points"
        how = [f"{self._of_grid} of the {len(self.row.grid)} of its grid"]
        how = how if self.row.axes else ["nothing is searched"]
        how += [f"{len(self._left_at)} pruned"] if self._left_at else []
        said = (
            f"{points} ({', '.join(how)}), {ended} trials, {epochs:,.0f} epochs, "
            f"{gradients:,.0f} gradient evaluations, {seconds / 3600:.2g} device hours"
        )
        at_end = self._at_the_end()
        return f"{said}; the best is at the end of {' and '.join(at_end)}" if at_end else said

    def _at_the_end(self) -> list[str]:
        """The hyper-parameters whose range ends at the best point's value."""
        best, *_ = self.ranked()
        return [
            name.rpartition(".")[2]
            for name, axis in self.row.axes.items()
            if axis.between and best[name] in (axis.low, axis.high)
        ]


__all__ = ["Budget", "RowSearch", "Trials"]
