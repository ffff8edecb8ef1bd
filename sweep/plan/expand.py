"""An artifact, turned into the trials it needs.

Planning is a pure function of the artifact, the selection rule and the record:
a stage that starts from the winner of an earlier one is filled in once that
winner is known, and counted as pending until then. Running is then a set
difference: planned trials less those the record has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

from search_spaces.spec import Artifact, Cell, Selection, Stage
from sweep.plan import budget
from sweep.plan.held_out import HeldOut
from sweep.record.record import Record
from sweep.selection import SelectionRule
from sweep.selection.winner import winner
from trainables import declared
from trainables.config import Request, TrialConfig, merge
from trainables.errors import UsageError
from trainables.masking import mask
from trainables.metric_name import NUMBER, MetricName
from trainables.storage.result import CRITERIA

OUTCOMES = ("done", "diverged")
"""How a trial may end so that it is not run again."""

SEARCH = "search:"
"""Begins the name of a stage that has what was tried of a row (`sweep.plan.searched_rows`)."""


@dataclass(frozen=True)
class PlannedTrial:
    """One trial, and where it is needed.

    Attributes:
        stage: Name of the stage.
        cell: The cell whose number it is for.
        seed: Which repetition it is, from 0.
        point: Its point of the stage's grid: dotted field -> value.
        settings: All that decides its numbers, but for the seed: trials of a point share it.
        trial_id: The hash of its configuration, by which it is known everywhere.
        awaits: Empty, or the ids of trials of an earlier stage. It starts from the settings of
            the winner among them, which is not known yet, and is a placeholder until then: its
            ``config`` and id are those that it would have if the first of them won.
        final: Whether its stage is the last one of its cell: its number may be the cell's.
    """

    stage: str
    cell: Cell
    seed: int
    point: Mapping[str, Any]
    settings: TrialConfig
    trial_id: str
    awaits: frozenset[str] = frozenset()
    final: bool = True

    @cached_property
    def config(self) -> TrialConfig:
        """All that decides its numbers. A table asks for it of few trials, so it is made then."""
        return self.settings.with_seed(self.seed)

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
    """The trials of a stage.

    Attributes:
        name: Of the stage.
        trials: Those that can run.
        expected: Placeholders for those that wait for a winner of stage ``after``.
        after: Name of the stage whose winners this one starts from, if any.
    """

    name: str
    trials: tuple[PlannedTrial, ...]
    expected: tuple[PlannedTrial, ...] = ()
    after: str | None = None

    def points(self) -> Iterator[PlannedTrial]:
        """One trial of each point of each cell, those that wait included: the seeds share it."""
        settings: TrialConfig | None = None
        for trial in (*self.trials, *self.expected):
            if trial.settings is not settings:
                settings = trial.settings
                yield trial

    @property
    def pending(self) -> int:
        """How many trials wait for a winner."""
        return len(self.expected)

    @property
    def size(self) -> int:
        """How many trials there are, those that wait included."""
        return len(self.trials) + self.pending


@dataclass(frozen=True)
class Plan:
    """All trials that an artifact needs under a selection rule.

    They are determined by a record: which settings a later stage starts from is known once the
    earlier stage's trials are recorded.

    Attributes:
        artifact: As ``preset`` has shrunk it.
        preset: Name of the preset.
        selection: How hyper-parameters are chosen.
        cells: Of the artifact, repeated for registered names where it fans out.
        stages: In order.
        whole: The plan of all cells, where these are some of them (`sweep.plan.where`).
    """

    artifact: Artifact
    preset: str
    selection: SelectionRule
    cells: tuple[Cell, ...]
    stages: tuple[PlannedStage, ...]
    whole: Plan | None = None

    @property
    def variant(self) -> str:
        """What a user has changed in the artifact, in words; empty by default."""
        return mask(str(self.artifact.variant))

    @cached_property
    def distinct(self) -> tuple[PlannedStage, ...]:
        """The stages with every trial in the first of them that needs it, and in no other.

        Placeholders (`PlannedTrial.awaits`) are counted as the trials that they will become: two
        of them will be the same trial if their configurations are equal and they wait for the same
        winner; and one whose configuration is that of a trial it waits for changes nothing of the
        winner's settings, so it will be the winner itself, which is there already.
        """
        seen: set[Any] = set()

        def first(trials: Iterable[PlannedTrial]) -> Iterator[PlannedTrial]:
            for trial in trials:
                key = (trial.trial_id, trial.awaits) if trial.awaits else trial.trial_id
                known = key in seen or trial.trial_id in trial.awaits
                seen.add(key)
                if not known:
                    yield trial

        return tuple(
            replace(stage, trials=tuple(first(stage.trials)), expected=tuple(first(stage.expected)))
            for stage in self.stages
        )

    @property
    def trials(self) -> list[PlannedTrial]:
        """Every trial that can run, once, in the order of the stages."""
        return [trial for stage in self.distinct for trial in stage.trials]

    @property
    def expected(self) -> list[PlannedTrial]:
        """A placeholder for every trial that waits for a winner, once."""
        return [trial for stage in self.distinct for trial in stage.expected]

    @cached_property
    def by_id(self) -> Mapping[str, PlannedTrial]:
        """Every trial that can run, by its name."""
        return {trial.trial_id: trial for stage in self.stages for trial in stage.trials}

    @cached_property
    def searching(self) -> Mapping[str, tuple[str, ...]]:
        """Trial -> the rows of a search that try it, by the names of their stages."""
        found: dict[str, dict[str, None]] = {}
        for stage in self.stages:
            for trial in stage.trials if stage.name.startswith(SEARCH) else ():
                found.setdefault(trial.trial_id, {})[stage.name] = None
        return {trial_id: tuple(stages) for trial_id, stages in found.items()}

    @property
    def size(self) -> int:
        """How many trials are needed, each counted once, those that wait for a winner included."""
        return len(self.trials) + len(self.expected)

    def missing(
        self, record: Record, among: Iterable[PlannedTrial] | None = None
    ) -> list[PlannedTrial]:
        """Trials that are to be run: they have not ended, or lack a measure that is asked for.

        Args:
            among: Of these trials only; None: of all that can run.
        """
        trials = list(self.trials if among is None else among)
        ends = record.statuses(trial.trial_id for trial in trials)
        done = [trial for trial, end in zip(trials, ends, strict=True) if end == "done"]
        unmeasured = self._unmeasured(done, record)
        return [
            trial
            for trial, end in zip(trials, ends, strict=True)
            if end not in OUTCOMES or trial.trial_id in unmeasured
        ]

    def _unmeasured(self, trials: Sequence[PlannedTrial], record: Record) -> set[str]:
        """Ids of those among ``trials`` that lack one of the measures that are asked of them."""
        cell_of = {trial.trial_id: trial.cell for trial in trials if self.measures_of(trial)}
        measured = list(cell_of)
        if not measured:
            return set()
        names = record.metric_names()
        unmeasured: set[str] = set()
        for request in self.artifact.experiment.measures:
            lacking = [t for t in measured if request.covers(cell_of[t].key)]
            for name in filter(lambda name: request.within({name: None}), names):
                has = record.has(lacking, name)
                lacking = [t for t, there in zip(lacking, has, strict=True) if not there]
            unmeasured.update(lacking)
        return unmeasured

    def measures_of(self, trial: PlannedTrial) -> tuple[Request, ...]:
        """What is measured on a trial: the artifact's measures if a cell may show its numbers.

        Trials that are only searched among, or that a hidden cell needs, are not measured. Of some
        cells of a plan, each trial is measured as in all of it, or that would want it again.
        """
        if self.whole is not None:
            return self.whole.measures_of(trial)
        if trial.trial_id not in self._shown:
            return ()
        asked = self.artifact.experiment.measures
        return tuple(each.request for each in asked if each.covers(trial.cell.key))

    @cached_property
    def _shown(self) -> frozenset[str]:
        return frozenset(
            trial.trial_id
            for stage in self.stages
            for trial in stage.trials
            if trial.final and not trial.cell.hidden
        )


def plan(artifact: Artifact, preset: str, selection: SelectionRule, record: Record) -> Plan:
    """The trials that ``artifact`` needs, as far as ``record`` determines them.

    Args:
        artifact: Already shrunk by the preset (`search_spaces.apply`).
        preset: Name of the preset.
        selection: How hyper-parameters are chosen.
        record: What is known of trials.

    Raises:
        UsageError: the artifact is blocked, one of its configurations is invalid, or its trials do
            not record what the rule selects on.
    """
    if artifact.experiment.blocked:
        raise UsageError(f"{artifact.id} cannot run yet: {artifact.experiment.blocked}")
    cells = tuple(every_cell(artifact))
    held_out = HeldOut.of(artifact, cells, selection)
    stages: dict[str, PlannedStage] = {}
    for stage in artifact.experiment.stages:
        stages[stage.name] = _expand(artifact, stage, cells, stages, held_out, record)
        _refuse_blind(artifact, stage, stages[stage.name], selection)
    timed = [trial for stage in stages.values() for trial in stage.points()]
    found = budget.readings(
        [t.settings for t in timed if t.cell.budget == "time"], artifact.experiment.step_times
    )
    unsaid = tuple(choice for choice in found if choice not in artifact.notes.choices)
    if unsaid:
        artifact = artifact.with_notes(choices=(*artifact.notes.choices, *unsaid))
    return Plan(artifact, preset, selection, cells, tuple(stages.values()))


def every_cell(artifact: Artifact) -> list[Cell]:
    """The artifact's cells, repeated for each registered name that its experiment fans out to."""
    experiment = artifact.experiment

    def repeat(cells: list[Cell], label: str, package: str) -> list[Cell]:
        names = declared.names(package)
        return [
            replace(
                cell,
                key={label: name, **cell.key},
                fields={
                    label: {"name": name},
                    **experiment.per_name_overrides.get(name, {}),
                    **cell.fields,
                },
            )
            for name in names
            for cell in cells
        ]

    cells = list(experiment.cells)
    for label, package in experiment.fan_out.items():
        cells = repeat(cells, label, package)
    if experiment.only_fitting:
        given = [merge({}, {**experiment.base, **cell.fields}) for cell in cells]
        fits = map(declared.goes_together, given)
        cells = [cell for cell, fitting in zip(cells, fits, strict=True) if fitting]
    return cells


def _expand(
    artifact: Artifact,
    stage: Stage,
    cells: tuple[Cell, ...],
    before: Mapping[str, PlannedStage],
    held_out: HeldOut,
    record: Record,
) -> PlannedStage:
    parents_of, everywhere = _Parents(stage, before), list(stage.points())
    trials: list[PlannedTrial] = []
    expected: list[PlannedTrial] = []
    for cell in filter(stage.covers, cells):
        own, parents = stage.without(cell.fixed), parents_of(cell)
        points = everywhere if own is stage else list(own.points())
        inherited = _inherited(own, parents, held_out.rule.criterion(artifact), record)
        known = inherited is not None
        taken = _inherited_fields(own, parents[0]) if parents and not known else inherited
        awaits = frozenset[str]() if known else frozenset(parent.trial_id for parent in parents)
        final = artifact.experiment.last_stage(cell).name == stage.name
        for point in points:
            fields = artifact.experiment.fields(cell, stage, taken, point)
            configured = _configure(artifact, fields, cell)
            configured = held_out.taken_from(configured, searched=len(points) > 1, shown=final)
            for seed, name in enumerate(configured.ids_with_seeds(range(stage.seeds))):
                trial = PlannedTrial(stage.name, cell, seed, point, configured, name, awaits, final)
                (trials if known else expected).append(trial)
    return PlannedStage(stage.name, tuple(trials), tuple(expected), stage.after)


def _refuse_blind(
    artifact: Artifact, stage: Stage, planned: PlannedStage, selection: SelectionRule
) -> None:
    """Raise if trials of ``stage`` will not record what the rule looks at."""
    rule = selection.criterion(artifact)
    searched = len(list(stage.points())) > 1
    criterion = MetricName(rule.on).quantity if searched else ""
    on_validation = searched and MetricName(rule.on).data_split == "validation"
    other = "" if selection.name == "paper" else "; try --selection paper"
    for trial in planned.points():
        config = trial.settings
        records = declared.of_task(config.loss)["records"] if criterion in CRITERIA else [criterion]
        if criterion not in records:
            raise UsageError(
                f"{artifact.id.partition(':')[0]} has no {rule.on} to select on, its loss is "
                f"{config.loss}{other}"
            )
        judged = on_validation or (trial.final and rule.epoch == "best_validation")
        if judged and not config.data.validation:
            raise UsageError(
                f"{artifact.id} has no {rule.on} to select on: {trial.name} holds no images out "
                f"(data.validation = 0){other}"
            )


def _configure(artifact: Artifact, fields: Mapping[str, Any], cell: Cell) -> TrialConfig:
    config = declared.configuration(merge({}, fields))
    epochs = budget.epochs(config, cell.budget, artifact.experiment.step_times)
    return config if epochs == config.epochs else declared.replaced(config, epochs=epochs)


class _Parents:
    """The trials whose winner a cell starts from: found at once, not among all for every cell."""

    def __init__(self, stage: Stage, before: Mapping[str, PlannedStage]) -> None:
        earlier = before[stage.after] if stage.after is not None else PlannedStage("", ())
        self._trials = (*earlier.trials, *earlier.expected)
        self._match = stage.match
        self._by_entries: dict[tuple[str, ...], dict[Any, list[PlannedTrial]]] = {}

    def __call__(self, cell: Cell) -> Sequence[PlannedTrial]:
        labels = tuple(cell.key) if self._match is None else self._match
        if labels not in self._by_entries:
            found = self._by_entries[labels] = {}
            for trial in self._trials:
                found.setdefault(_entries(trial.cell, labels), []).append(trial)
        return self._by_entries[labels].get(_entries(cell, labels), ())


def _entries(cell: Cell, labels: Iterable[str]) -> tuple[str | None, ...]:
    return tuple(cell.key.get(label) for label in labels)


def _inherited(
    stage: Stage,
    parents: Sequence[PlannedTrial],
    rule: Selection,
    record: Record,
) -> dict[str, Any] | None:
    """What ``stage`` takes over from the winner among ``parents``; None: it is not known yet.

    It is not known either while one of them is failed: that one is tried again, and may win.
    """
    if stage.after is None:
        return {}
    if any(t.awaits or record.status(t.trial_id) not in OUTCOMES for t in parents):
        return None
    point = winner(parents, record, rule)
    if point is None:
        return None
    return _inherited_fields(stage, next(trial for trial in parents if trial.point == point))


def _inherited_fields(stage: Stage, parent: PlannedTrial) -> dict[str, Any]:
    """What ``stage`` takes over from ``parent``."""
    settings = parent.config.model_dump(mode="json")
    return {field: _at(settings, field) for field in stage.inherit}


def _at(settings: Mapping[str, Any], path: str) -> Any:
    return reduce(lambda node, key: node[key], path.split("."), settings)
