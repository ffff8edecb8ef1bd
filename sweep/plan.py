"""An artifact, turned into the trials it needs.

Planning is a pure function of the artifact, the selection rule and the record:
a stage that starts from the winner of an earlier one is filled in once that
winner is known, and counted as pending until then. Running is then a set
difference: planned trials less those the record has.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

from search_spaces.spec import Artifact, Cell, Measure, Stage
from sweep.aggregate import NUMBER, SelectionRule, winner
from sweep.record import Record
from trainables.config import TrialConfig, merge

HELD_OUT = 0.1
"""Fraction held out under ``--selection validation`` where the paper held out nothing."""

SIMULATED = 240
"""Steps that stand for a training when a method's cost is averaged over it."""


@dataclass(frozen=True)
class PlannedTrial:
    """One trial and the place it is needed in.

    Attributes:
        point: Its position in the stage's grid.
        awaits: The trials among which the winner is sought that it inherits from, as long as
            that is open; its ``config`` then takes the first of them for the winner.
    """

    stage: str
    cell: Cell
    seed: int
    point: Mapping[str, Any]
    config: TrialConfig
    awaits: frozenset[str] = frozenset()

    @property
    def trial_id(self) -> str:
        return self.config.trial_id

    @property
    def name(self) -> str:
        """``sam · rho=0.1 · seed 1``: cell and grid point, numbers with their labels."""
        entries = [
            f"{label}={entry}" if re.match(f"{NUMBER}(, for |$)", entry) else entry
            for label, entry in ((label, self.cell.label(label)) for label in self.cell.key)
        ]
        point = [f"{name.rpartition('.')[2]}={value}" for name, value in self.point.items()]
        return " · ".join([*entries, *point, f"seed {self.seed}"])


@dataclass(frozen=True)
class PlannedStage:
    """A stage's trials, and stand-ins for those that wait for the winners of stage ``after``."""

    name: str
    trials: tuple[PlannedTrial, ...]
    expected: tuple[PlannedTrial, ...] = ()
    after: str | None = None

    @property
    def pending(self) -> int:
        return len(self.expected)

    @property
    def size(self) -> int:
        return len(self.trials) + self.pending


@dataclass(frozen=True)
class Plan:
    """All stages of an artifact under a selection rule, as far as the record determines them."""

    artifact: Artifact
    preset: str
    selection: SelectionRule
    cells: tuple[Cell, ...]
    stages: tuple[PlannedStage, ...]

    @property
    def trials(self) -> list[PlannedTrial]:
        """Every distinct trial once, in the order of the stages."""
        distinct: dict[str, PlannedTrial] = {}
        for stage in self.stages:
            for trial in stage.trials:
                distinct.setdefault(trial.trial_id, trial)
        return list(distinct.values())

    @property
    def expected(self) -> list[PlannedTrial]:
        """A stand-in for every distinct trial still pending.

        Two of equal settings that wait for the same winner will be one trial; and one that would
        repeat the winner will be the winner itself.
        """
        distinct: dict[Any, PlannedTrial] = {}
        for stage in self.stages:
            for trial in stage.expected:
                if trial.trial_id not in trial.awaits:
                    distinct.setdefault((trial.trial_id, trial.awaits), trial)
        return list(distinct.values())

    @property
    def size(self) -> int:
        """Distinct trials, those still pending among them."""
        return len(self.trials) + len(self.expected)

    def missing(self, record: Record) -> list[PlannedTrial]:
        """Trials without an outcome in the record, and done ones that lack a measure."""
        return [trial for trial in self.trials if not self._settled(trial, record)]

    def _settled(self, trial: PlannedTrial, record: Record) -> bool:
        status = record.status(trial.trial_id)
        if status != "done":
            return status == "diverged"
        return all(
            any(
                record.value(trial.trial_id, name) is not None
                for name in record.metric_names()
                if request.within({name: None})
            )
            for request in self.requests(trial)
        )

    def requests(self, trial: PlannedTrial) -> tuple[Measure, ...]:
        """What is measured on a trial: the artifact's measures where a cell shows its numbers."""
        if trial.trial_id not in self._shown:
            return ()
        return self.artifact.measures

    @cached_property
    def _shown(self) -> frozenset[str]:
        return frozenset(
            trial.trial_id
            for stage in self.stages
            for trial in stage.trials
            if not trial.cell.hidden and self.artifact.last_stage(trial.cell).name == stage.name
        )


def plan(artifact: Artifact, preset: str, selection: SelectionRule, record: Record) -> Plan:
    """Expand ``artifact`` (already shrunk by ``preset``) as far as ``record`` allows.

    Raises:
        ValueError: if the artifact is blocked or one of its configurations is invalid.
    """
    if artifact.blocked:
        raise ValueError(f"{artifact.id} cannot run yet: {artifact.blocked}")
    cells = tuple(every_cell(artifact))
    stages: dict[str, PlannedStage] = {}
    for stage in artifact.stages:
        stages[stage.name] = _expand(artifact, stage, cells, stages, selection, record)
    return Plan(artifact, preset, selection, cells, tuple(stages.values()))


def every_cell(artifact: Artifact) -> list[Cell]:
    """The artifact's cells, repeated for each registered name of ``artifact.every``."""

    def repeat(cells: list[Cell], label: str, package: str) -> list[Cell]:
        names = importlib.import_module(f"trainables.{package}").names()
        return [
            replace(
                cell,
                key={label: name, **cell.key},
                fields={
                    label: {"name": name},
                    **artifact.settings.get(name, {}),
                    **cell.fields,
                },
            )
            for name in names
            for cell in cells
        ]

    cells = list(artifact.cells)
    for label, package in artifact.every.items():
        cells = repeat(cells, label, package)
    return cells


def _expand(
    artifact: Artifact,
    stage: Stage,
    cells: tuple[Cell, ...],
    before: Mapping[str, PlannedStage],
    selection: SelectionRule,
    record: Record,
) -> PlannedStage:
    points = list(stage.points())
    trials: list[PlannedTrial] = []
    expected: list[PlannedTrial] = []
    for cell in filter(stage.covers, cells):
        parents = _parents(stage, cell, before)
        inherited = _inherited(stage, parents, artifact, selection, record)
        known = inherited is not None
        taken = _settings(stage, parents[0]) if parents and not known else inherited
        awaits = frozenset[str]() if known else frozenset(parent.trial_id for parent in parents)
        for point in points:
            for seed in range(stage.seeds):
                fields = {**artifact.base, **cell.fields, **stage.fields, **(taken or {})}
                config = _configure({**fields, **point, "seed": seed}, cell)
                if selection.needs_validation and len(points) > 1 and not config.data.validation:
                    config = config.replace(**{"data.validation": HELD_OUT})
                trial = PlannedTrial(stage.name, cell, seed, point, config, awaits)
                (trials if known else expected).append(trial)
    return PlannedStage(stage.name, tuple(trials), tuple(expected), stage.after)


def _configure(fields: Mapping[str, Any], cell: Cell) -> TrialConfig:
    config = TrialConfig(**merge({}, fields))
    if not cell.equal_gradients:
        return config
    epochs = max(1, round(config.epochs / gradients_per_step(config)))
    return config.replace(epochs=epochs)


def gradients_per_step(config: TrialConfig) -> float:
    """Gradient evaluations one step of the trial's method costs, on average over the training.

    A method may begin late or act every k-th step; a training of `SIMULATED` steps stands for
    the real one. The drops of a plateau schedule cannot be foreseen and are left out.
    """
    from trainables import methods
    from trainables.methods.base import Progress

    method = methods.build(
        config.method.name,
        regularizers=[(r.name, r.options) for r in config.regularizers],
        **config.method.options,
    )
    total = 0.0
    for step in range(SIMULATED):
        epoch = step * config.epochs / SIMULATED
        drops = config.schedule.drops(epoch, config.epochs)
        method.advance(Progress(step, SIMULATED, int(epoch), config.epochs, drops))
        total += method.cost
    return total / SIMULATED


def _parents(stage: Stage, cell: Cell, before: Mapping[str, PlannedStage]) -> list[PlannedTrial]:
    """The trials whose winner ``cell`` starts from."""
    if stage.after is None:
        return []
    earlier = before[stage.after]
    match = tuple(cell.key) if stage.match is None else stage.match
    return [
        trial
        for trial in (*earlier.trials, *earlier.expected)
        if all(trial.cell.key.get(label) == cell.key.get(label) for label in match)
    ]


def _inherited(
    stage: Stage,
    parents: Sequence[PlannedTrial],
    artifact: Artifact,
    selection: SelectionRule,
    record: Record,
) -> dict[str, Any] | None:
    """The settings of the winner among ``parents``; None while that is open."""
    if stage.after is None:
        return {}
    if any(t.awaits or record.status(t.trial_id) in ("missing", "running") for t in parents):
        return None
    point = winner(parents, record, selection.criterion(artifact))
    if point is None:
        return None
    return _settings(stage, next(trial for trial in parents if trial.point == point))


def _settings(stage: Stage, parent: PlannedTrial) -> dict[str, Any]:
    """What ``stage`` takes over from ``parent``."""
    settings = parent.config.model_dump(mode="json")
    return {field: _at(settings, field) for field in stage.inherit}


def _at(settings: Mapping[str, Any], path: str) -> Any:
    return reduce(lambda node, key: node[key], path.split("."), settings)
