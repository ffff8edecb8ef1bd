"""What can be reproduced: Paper > Artifact > what is run, how it is shown, what is said of it.

Pure data. A paper's file says what was printed, with which settings, and how
its hyper-parameters were chosen; `sweep.plan.expand` turns an `Experiment` into
trials, and `sweep.aggregate` reads the trials back into its cells. Fields of a trial
are named by dotted paths into `trainables.config.TrialConfig` (``optimizer.lr``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as dataclass_replace
from itertools import product
from math import prod
from typing import Any, Literal

from search_spaces.choice import Choice, Override, Reading
from search_spaces.claim import Claim
from search_spaces.measure import Measure
from search_spaces.preset import Fields, Preset
from search_spaces.variant import Variant
from search_spaces.view import (
    AnyView,
    Average,
    CurveView,
    Epochs,
    InName,
    Key,
    Label,
    MapView,
    Metric,
    TableView,
    View,
    Where,
    agrees,
)
from trainables.metric_name import Epoch

Budget = Literal["epochs", "gradients", "time"]


@dataclass(frozen=True)
class Reported:
    """A printed number, in its `Metric`'s unit.

    Attributes:
        mean: None: the paper prints none.
        std: Over runs; None: not printed.
        n: How many runs; None: not known, or ``std`` is no spread over runs.
        note: What a reader should know of it; shown as a footnote.
        comparable: False where the number is of something else than what is run or measured here
            (``note`` says what): it is shown, and left out of every comparison. See
            `Cell.stand_in`.
    """

    mean: float | None
    std: float | None = None
    n: int | None = None
    note: str = ""
    comparable: bool = True


@dataclass(frozen=True)
class Cell:
    """One place of a table: its labels, how its trials are configured, and what was printed there.

    Attributes:
        key: The paper's labels and their entries, by which the cell is found.
        fields: Dotted field of a trial -> value.
        reported: `Metric.key` -> the printed number.
        budget: What ``epochs`` of ERM stand for: so many ``epochs``, as many ``gradients`` (a
            method whose step costs two gradient evaluations trains half as long), or as much
            ``time`` (`Experiment.step_times`).
        hidden: It is trained because a stage or a ratio needs it, and is not shown.
        ran: For some labels, what is run in place of the paper's entry; `label` shows both.
        fixed: Of ``fields``, those that no stage changes: where one gives, searches or takes over
            such a field, the cell keeps its own.
    """

    key: Key
    fields: Fields = field(default_factory=dict)
    reported: Mapping[str, Reported] = field(default_factory=dict)
    budget: Budget = "epochs"
    hidden: bool = False
    ran: Key = field(default_factory=dict)
    fixed: tuple[str, ...] = ()

    def label(self, name: str) -> str:
        """What is shown under label ``name``: ``Cifar100``, or ``digits, for Cifar100``."""
        entry = str(self.key.get(name, ""))
        return f"{self.ran[name]}, for {entry}" if name in self.ran else entry

    def stand_in(self, why: str, metric: str = "") -> Cell:
        """This cell with printed numbers that are shown and compared with nothing.

        For what can be repeated only by something else than the paper ran.

        Args:
            why: Is added to the notes of the printed numbers.
            metric: Key of the column whose number alone is meant; empty: all are.
        """
        reported = {
            name: dataclass_replace(
                number, comparable=False, note="; ".join(filter(None, (number.note, why)))
            )
            if metric in ("", name)
            else number
            for name, number in self.reported.items()
        }
        return dataclass_replace(self, reported=reported)

    def lifted(self, why: str) -> Cell:
        """This cell without ``why`` in the notes of its printed numbers.

        A number that no other note is left of is comparable.
        """

        def rid(number: Reported) -> Reported:
            rest = "; ".join(filter(None, number.note.replace(why, "").split("; ")))
            return dataclass_replace(number, note=rest, comparable=number.comparable or not rest)

        reported = {n: rid(r) if why in r.note else r for n, r in self.reported.items()}
        return dataclass_replace(self, reported=reported)


@dataclass(frozen=True)
class Stage:
    """A grid over some cells: every point of ``grid``, ``seeds`` times each.

    Attributes:
        name: Unique in the experiment.
        where: Covers the cells whose key has these entries (a tuple allows several values).
        fields: Overrides for all of the stage's trials.
        grid: Dotted field -> values to try.
        settings: Fields that are tried together: each of them with every point of the grid; empty:
            the grid alone.
        seeds: How many repetitions (seeds 0, 1, ...).
        after: Name of the stage whose winner this one starts from.
        match: Key entries that pair a cell with its parent cell in ``after``
            (``None``: the same cell). The parent is the cell of ``after`` that agrees on them.
        inherit: Dotted fields copied from the winner's configuration.
    """

    name: str
    where: Where = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    seeds: int = 3
    after: str | None = None
    match: tuple[str, ...] | None = None
    inherit: tuple[str, ...] = ()
    settings: tuple[Fields, ...] = ()

    def covers(self, cell: Cell) -> bool:
        """Whether ``cell`` has trials in this stage."""
        return agrees(cell.key, self.where)

    def size(self, cells: Iterable[Cell]) -> int:
        """How many trials the stage has over ``cells``, one that several need counted as often."""
        points = prod(map(len, self.grid.values())) * max(1, len(self.settings))
        return sum(map(self.covers, cells)) * points * self.seeds

    @property
    def searched(self) -> tuple[str, ...]:
        """The fields of which it tries values."""
        together = (name for setting in self.settings for name in setting)
        return tuple(dict.fromkeys((*self.grid, *together)))

    def without(self, fields: Iterable[str]) -> Stage:
        """This stage, neither searching nor taking over any of ``fields``.

        Where it takes over nothing else, it waits for no winner.
        """
        fixed = set(fields)
        if fixed.isdisjoint((*self.searched, *self.inherit)):
            return self
        grid = {name: values for name, values in self.grid.items() if name not in fixed}
        inherit = tuple(name for name in self.inherit if name not in fixed)
        settings: list[Fields] = []
        for setting in self.settings:
            rest = {name: value for name, value in setting.items() if name not in fixed}
            settings += [] if rest in settings else [rest]
        left = tuple(settings) if any(settings) else ()
        own = dataclass_replace(self, grid=grid, inherit=inherit, settings=left)
        return own if inherit else dataclass_replace(own, after=None, match=None)

    def points(self) -> Iterator[dict[str, Any]]:
        """Every point, dotted field -> value; settings change slowest, the last axis fastest."""
        for setting in self.settings or ({},):
            for values in product(*self.grid.values()):
                yield {**setting, **dict(zip(self.grid, values, strict=True))}


@dataclass(frozen=True)
class Selection:
    """How the paper chose hyper-parameters: the metric and the epoch it is read at.

    Attributes:
        on: A recorded metric; the grid point with the lowest mean over seeds wins.
        epoch: At which it, and every other number of the table, is read.
        stated: What the paper says of it; empty: nothing.
    """

    on: str = "test_error"
    epoch: Epoch = "last"
    stated: str = ""


@dataclass(frozen=True)
class StepTime:
    """Time of a method's training step over that of ERM's, on average over a training.

    Attributes:
        method: Its name and options as they enter a trial's name.
        ratio: The median of several measurements.
        quartiles: The first and the third.
    """

    method: Fields
    ratio: float
    quartiles: tuple[float, float]


@dataclass(frozen=True)
class StepTimes:
    """Measured step times of methods on one network (`benchmarks.step_times` makes them).

    Attributes:
        setting: All of a trial's configuration that they depend on, beside the method.
        hardware, date, versions, how: Where, when, with what and how it was measured.
        steps: One entry per method.
    """

    setting: Fields
    hardware: str
    date: str
    versions: str
    how: str
    steps: tuple[StepTime, ...]


@dataclass(frozen=True)
class Experiment:
    """What is run.

    Attributes:
        cells: Whose numbers are wanted.
        stages: In order. A cell's number comes from the last stage that covers it.
        base: Fields that all cells have in common: dotted field of a trial -> value.
        fan_out: Label -> registry package: the cells are repeated for every registered name
            (``{"method": "methods"}``), so that a new part appears by being registered.
        only_fitting: Of the cells that ``fan_out`` makes, those are left out whose data, model,
            loss and method cannot go together (`trainables.compatibility`).
        per_name_overrides: Registered name -> further fields of the cells that ``fan_out`` makes
            for it.
        selection: The paper's own rule.
        measures: Quantities measured on the trained models (`trainables.measures`).
        step_times: By which cells of budget ``time`` divide their epochs, one table per network. A
            method that none of them has counts by the gradient evaluations it declares.
        blocked: Why it cannot run yet, and what it needs; empty if it can.
    """

    cells: tuple[Cell, ...]
    stages: tuple[Stage, ...]
    base: Fields = field(default_factory=dict)
    fan_out: Mapping[str, str] = field(default_factory=dict)
    only_fitting: bool = False
    per_name_overrides: Mapping[str, Fields] = field(default_factory=dict)
    selection: Selection = Selection()
    measures: tuple[Measure, ...] = ()
    step_times: tuple[StepTimes, ...] = ()
    blocked: str = ""

    def stage(self, name: str) -> Stage:
        """The stage called ``name``."""
        return next(stage for stage in self.stages if stage.name == name)

    def last_stage(self, cell: Cell) -> Stage:
        """The stage that a cell's number comes from."""
        return [stage for stage in self.stages if stage.covers(cell)][-1]

    def fields(
        self, cell: Cell, stage: Stage, taken: Fields | None = None, point: Fields | None = None
    ) -> dict[str, Any]:
        """Fields of a trial, of which the later win: the base's, the cell's, the stage's, those
        ``taken`` over from a winner, the grid point's; and then those that are fixed in the cell.
        """
        fields = {**self.base, **cell.fields, **stage.fields, **(taken or {}), **(point or {})}
        for name in cell.fixed:  # again at the end, after the part that it is an option of
            del fields[name]
            fields[name] = cell.fields[name]
        return fields


@dataclass(frozen=True)
class Notes:
    """What is said.

    Attributes:
        title: What is shown, in one line.
        choices: How ambiguities are interpreted.
        claims: What the paper's prose concludes where it says more than the numbers, in our words,
            with the section.
        changes: What a preset shrank, and what else is not as the paper's file has it.
        caveat: What a reader has to know before the numbers, in a sentence; it stands above them.
    """

    title: str
    choices: tuple[Choice, ...] = ()
    claims: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    caveat: str = ""


@dataclass(frozen=True)
class Artifact:
    """A table or a figure: what is run for it, how that is shown, and what is said.

    Attributes:
        id: ``paper/name``.
        experiment: What is run.
        view: How it is shown.
        notes: What is said.
        presets: Its own presets, by the name of the one each replaces.
        variant: What a user has changed in it.
        own: It is a person's own experiment, not a paper's: it runs as it is written, and no preset
            but its own ones changes it.
        figures: Further views, which `sweep plot` draws in place of ``view``.
    """

    id: str
    experiment: Experiment
    view: AnyView
    notes: Notes
    presets: Mapping[str, Preset] = field(default_factory=dict)
    variant: Variant = field(default_factory=Variant)
    own: bool = False
    figures: tuple[CurveView | MapView, ...] = ()

    @property
    def paper(self) -> str:
        """Key of the paper that it is from."""
        return self.id.partition("/")[0]

    def with_experiment(self, **changes: Any) -> Artifact:
        """This artifact, something else being run."""
        return dataclass_replace(self, experiment=dataclass_replace(self.experiment, **changes))

    def with_view(self, **changes: Any) -> Artifact:
        """This artifact, shown otherwise."""
        return dataclass_replace(self, view=dataclass_replace(self.view, **changes))

    def with_notes(self, **changes: Any) -> Artifact:
        """This artifact with other notes."""
        return dataclass_replace(self, notes=dataclass_replace(self.notes, **changes))


@dataclass(frozen=True)
class Paper:
    """A publication, its artifacts, and what it says of their numbers."""

    key: str
    title: str
    venue: str
    artifacts: tuple[Artifact, ...]
    claims: tuple[Claim, ...] = ()


__all__ = [
    "Artifact",
    "Average",
    "Budget",
    "Cell",
    "Choice",
    "Claim",
    "CurveView",
    "Epoch",
    "Epochs",
    "Experiment",
    "Fields",
    "InName",
    "Key",
    "Label",
    "MapView",
    "Measure",
    "Metric",
    "Notes",
    "Override",
    "Paper",
    "Preset",
    "Reading",
    "Reported",
    "Selection",
    "Stage",
    "StepTime",
    "StepTimes",
    "TableView",
    "Variant",
    "View",
    "Where",
]
