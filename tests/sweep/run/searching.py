"""Searches of made-up trials: they have their curves at once, and can be ended anywhere."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from search_spaces.spec import Artifact, Cell, Stage
from sweep.aggregate import SELECTIONS
from sweep.plan.expand import Plan, PlannedTrial
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.run.loop import Extension, Sweep, memberships
from sweep.run.search import Budget, search
from tests.sweep.cases import TINY, Witness

RULE = SELECTIONS["validation"]

Curve = Callable[[PlannedTrial], Sequence[float]]
"""The validation error of a trial after each epoch; NaN: it has diverged there."""


class KilledError(Exception):
    """The driver is gone."""


class MadeUp:
    """A storage, a record and slots: what is trained stays, whoever drives.

    Attributes:
        runs: Trial -> its run.
        trained: (trial, epochs) in the order in which they were trained.
        fails: Ids of trials that fail.

    Args:
        slots: How many trials end between two looks at the record.
        draws: In which order they end; None: as planned.
        dies_after: Of so many trainings the last one; None: never.
    """

    def __init__(
        self,
        curve: Curve,
        slots: int = 1,
        draws: Random | None = None,
        dies_after: int | None = None,
    ) -> None:
        self.runs: dict[str, Run] = {}
        self.trained: list[tuple[str, int]] = []
        self.fails: set[str] = set()
        self._curve, self._slots, self._draws, self.dies_after = curve, slots, draws, dies_after

    @property
    def record(self) -> Record:
        return Record.from_runs(self.runs.values())

    def run(self, sweep: Sweep, *, extension: Extension, **_: object) -> tuple[Plan, Record]:
        """As `sweep.run.loop.run`."""
        attempted: set[tuple[str, int]] = set()
        while True:
            record = self.record
            planned = sweep.plan(record)
            pauses = sweep.pauses(planned)
            todo = [
                (trial, pauses.get(trial.trial_id, trial.config.epochs))
                for trial in sweep.missing(planned, record)
            ]
            todo = [(t, until) for t, until in todo if (t.trial_id, until) not in attempted]
            if self._draws:
                self._draws.shuffle(todo)
            if not todo:
                further = extension(planned, record)
                if further is None:
                    return planned, record
                sweep = replace(sweep, artifact=further)
            for trial, until in islice(todo, self._slots):
                attempted.add((trial.trial_id, until))
                self._train(planned, trial, until)

    def _train(self, planned: Plan, trial: PlannedTrial, until: int) -> None:
        if self.dies_after == len(self.trained):
            raise KilledError
        self.trained.append((trial.trial_id, until))
        curve = [*self._curve(trial)][:until]
        finite = [value for value in curve if not math.isnan(value)]
        ended = len(finite) < len(curve)
        status: Any = "diverged" if ended else "done" if until == trial.config.epochs else "pruned"
        if trial.trial_id in self.fails:
            status = "failed"
        numbers = {"validation_error": finite[-1], "test_error": finite[-1]} if finite else {}
        spent = {
            "epochs_run": until,
            "gradient_evaluations": 10 * until,
            "device_seconds": 36 * until,
            "training_seconds": 36 * until,
        }
        self.runs[trial.trial_id] = Run(
            trial.trial_id,
            status,
            {} if status == "failed" else {**({} if ended else numbers), **spent},
            {"validation_error": finite},
            memberships=tuple(memberships(planned, trial)),
            settings={name: str(value) for name, value in trial.config.flat().items()},
            ended=1000 * len(self.trained),
        )


def searched(
    made: MadeUp,
    budget: Budget,
    artifact: Artifact | None = None,
    where: Mapping[str, str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[Plan, Record, Witness]:
    """Search ``artifact`` (two rows with a grid each by default) with made-up trials."""
    witness = Witness()
    with patch("sweep.run.search.run", made.run):
        found = search(
            Sweep(artifact or ROWS, "smoke", RULE, "never-made", where=where or {}),
            budget=budget,
            ranges=ranges,
            tracker=SimpleNamespace(join=lambda *_: None),  # type: ignore[arg-type]
            observer=witness,
            executor=None,  # type: ignore[arg-type]
        )
    return *found, witness


def points(planned: Plan, row: str) -> list[Mapping[str, Any]]:
    """The points of the plan's row, in their order."""
    (stage,) = [s for s in planned.artifact.experiment.stages if s.name == f"search:{row}"]
    return [*stage.points()]


ROWS = TINY.with_experiment(
    base={**TINY.experiment.base, "epochs": 9, "data.validation": 40},
    cells=(
        Cell({"method": "erm"}, {"method": {"name": "erm"}}),
        Cell({"method": "sam"}, {"method": {"name": "sam"}}),
    ),
    stages=(
        Stage("erm", {"method": "erm"}, grid={"optimizer.lr": (0.01, 0.1)}, seeds=2),
        Stage(
            "sam",
            {"method": "sam"},
            grid={"optimizer.lr": (0.01, 0.1), "method.rho": (0.01, 0.02, 0.05)},
            seeds=2,
        ),
    ),
)
"""Two rows, one with a grid of two points, one with a grid of six; nine epochs."""


def valley(trial: PlannedTrial) -> Iterator[float]:
    """A validation error that falls with the epochs, to where lr = 0.03 and rho = 0.03 are best.

    Equal for no two points, but for equal ones.
    """
    rho = trial.config.method.options.get("rho", 0.03)
    far = abs(math.log(trial.config.optimizer.lr / 0.03)) + abs(math.log(rho / 0.03))
    for epoch in range(trial.config.epochs):
        yield min(0.99, 0.1 + 0.1 * far + 0.001 * trial.seed + 0.3 / (1 + epoch))


def ends(record: Record) -> Counter[str]:
    """How many trials ended how."""
    return Counter(record.statuses(record.trial_ids))


@contextmanager
def dying(made: MadeUp, after: int) -> Iterator[None]:
    """Within it, the driver dies when it has trained so many."""
    made.dies_after = after
    try:
        yield
    except KilledError:
        pass
    finally:
        made.dies_after = None
