"""What an experiment is: Paper > Artifact (a table or figure) > Cell > stages of trials.

Pure data. A paper's file says what was printed, with which settings, and how
its hyper-parameters were chosen; `sweep.plan.expand` turns that into trials, and
`sweep.aggregate` reads the trials back into the cells. Fields of a trial are
named by dotted paths into `trainables.config.TrialConfig` (``optimizer.lr``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import field as dataclass_field
from dataclasses import replace as dataclass_replace
from functools import reduce
from itertools import product
from math import prod
from operator import or_
from typing import Any, Literal

from search_spaces.preset import Fields, Preset
from trainables.config import Request as Measure
from trainables.errors import UsageError

Key = Mapping[str, str]
"""Label -> entry, such as ``{"method": "SAM", "dataset": "Cifar10"}``."""
Epoch = Literal["last", "best_test", "best_validation"]
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
class Metric:
    """A quantity of a trial as a column shows it.

    Attributes:
        name: Key into a trial's recorded metrics, e.g. ``test_error`` (a fraction).
        label: Column head, with the unit.
        better: Which direction is good; decides what is bold.
        shown: How the recorded number is shown: as it is, ``percent`` (100 x), ``accuracy``
            (1 - x), ``accuracy_percent`` (100 - 100 x), ``milliseconds`` (1000 x).
        epoch: At which epoch it is read; None takes the selection rule's; ``mean`` is the mean
            over all epochs.
        relative_to: Show instead the ratio to the mean of another cell: of the one that has these
            entries in its key and else agrees with this one.
        minus: Name of a recorded metric that is subtracted, trial by trial, which gives a gap.
        scale: Factor by which the recorded number is multiplied first.
        digits: How many are shown after the point.
    """

    name: str
    label: str
    better: Literal["lower", "higher", "neither"] = "lower"
    shown: Literal["plain", "percent", "accuracy", "accuracy_percent", "milliseconds"] = "plain"
    epoch: Epoch | Literal["mean"] | None = None
    relative_to: Key | None = None
    minus: str = ""
    scale: float = 1.0
    digits: int = 2

    @property
    def key(self) -> str:
        """Its name in `Cell.reported`: ``name``, ``name-minus``, ``name@epoch``, ``name/ratio``."""
        minus = f"-{self.minus}" if self.minus else ""
        epoch = f"@{self.epoch}" if self.epoch else ""
        return f"{self.name}{minus}{epoch}" + ("/ratio" if self.relative_to else "")

    def display(self, value: float) -> float:
        """The recorded number in the unit of the column."""
        value *= self.scale
        if self.shown.startswith("accuracy"):
            value = 1 - value
        scale = 100 if self.shown.endswith("percent") else 1000 if "milli" in self.shown else 1
        return scale * value


@dataclass(frozen=True)
class Cell:
    """One place of a table: its labels, how its trials are configured, and what was printed there.

    Attributes:
        key: The paper's labels and their entries, by which the cell is found.
        fields: Dotted field of a trial -> value.
        reported: `Metric.key` -> the printed number.
        budget: What ``epochs`` of ERM stand for: so many ``epochs``, as many ``gradients`` (a
            method whose step costs two gradient evaluations trains half as long), or as much
            ``time`` (`Artifact.step_times`).
        hidden: It is trained because a stage or a ratio needs it, and is not shown.
        ran: For some labels, what a preset ran in place of the paper's entry; `label` shows both.
    """

    key: Key
    fields: Fields = field(default_factory=dict)
    reported: Mapping[str, Reported] = field(default_factory=dict)
    budget: Budget = "epochs"
    hidden: bool = False
    ran: Key = field(default_factory=dict)

    def label(self, name: str) -> str:
        """What is shown under label ``name``: ``Cifar100``, or ``digits, for Cifar100``."""
        entry = str(self.key.get(name, ""))
        return f"{self.ran[name]}, for {entry}" if name in self.ran else entry

    def stand_in(self, why: str) -> Cell:
        """This cell with printed numbers that are shown and compared with nothing.

        For what can be repeated only by something else than the paper ran.

        Args:
            why: Is added to the notes of the printed numbers.
        """
        reported = {
            name: dataclass_replace(
                number, comparable=False, note="; ".join(filter(None, (number.note, why)))
            )
            for name, number in self.reported.items()
        }
        return dataclass_replace(self, reported=reported)


@dataclass(frozen=True)
class Override:
    """A change of the fields of some cells.

    Attributes:
        where: The cells are those whose key has these entries.
        fields: Dotted field of a trial -> value.
    """

    where: Mapping[str, str]
    fields: Fields

    def covers(self, cell: Cell) -> bool:
        """Whether it changes ``cell``."""
        return self.where.items() <= cell.key.items()


@dataclass(frozen=True)
class Stage:
    """A grid over some cells: every point of ``grid``, ``seeds`` times each.

    Attributes:
        name: Unique in the artifact.
        where: Covers the cells whose key has these entries (a tuple allows several values).
        fields: Overrides for all of the stage's trials.
        grid: Dotted field -> values to try.
        seeds: How many repetitions (seeds 0, 1, ...).
        after: Name of the stage whose winner this one starts from.
        match: Key entries that pair a cell with its parent cell in ``after``
            (``None``: the same cell). The parent is the cell of ``after`` that agrees on them.
        inherit: Dotted fields copied from the winner's configuration.
    """

    name: str
    where: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    seeds: int = 3
    after: str | None = None
    match: tuple[str, ...] | None = None
    inherit: tuple[str, ...] = ()

    def covers(self, cell: Cell) -> bool:
        """Whether ``cell`` has trials in this stage."""
        return all(
            cell.key.get(label) in (allowed if isinstance(allowed, tuple) else (allowed,))
            for label, allowed in self.where.items()
        )

    def size(self, cells: Iterable[Cell]) -> int:
        """How many trials the stage has over ``cells``, one that several need counted as often."""
        return sum(map(self.covers, cells)) * prod(map(len, self.grid.values())) * self.seeds

    def points(self) -> Iterator[dict[str, Any]]:
        """Every point of the grid, dotted field -> value; the last axis changes fastest."""
        for values in product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))


@dataclass(frozen=True)
class Selection:
    """How the paper chose hyper-parameters: the metric and the epoch it is read at.

    Attributes:
        on: A recorded metric; the grid point with the lowest mean over seeds wins.
        epoch: At which it, and every other number of the table, is read.
        stated: What the paper says of it; empty: nothing.
        ranks: Nothing is chosen: every point is a row of the table, in this order.
    """

    on: str = "test_error"
    epoch: Epoch = "last"
    stated: str = ""
    ranks: bool = False


@dataclass(frozen=True)
class Choice:
    """An ambiguity of the paper and how it is interpreted here.

    Attributes:
        what: What is ambiguous.
        interpretation: What is run.
        why: The reason for it.
        field: The option that it is about, if any: a dotted field of a trial (``method.rho``),
            an option of a measure (``measure.half``) or of the command line (``--selection``).
        others: Other values of ``field`` that can be chosen (`Artifact.read`), each with what it
            changes.
    """

    what: str
    interpretation: str
    why: str
    field: str = ""
    others: Mapping[str, tuple[Override, ...]] = dataclass_field(default_factory=dict)


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
class Artifact:
    """A table or a figure.

    Attributes:
        id: ``paper/name``.
        title: What it shows, in one line.
        kind: How it is shown: cells in a ``table`` or curves in a ``figure``.
        rows, columns: Labels of the cells' keys whose entries name rows and columns, the outermost
            first.
        metrics: Shown for every cell, as the innermost columns (see ``metrics_down``).
        base: Fields that all cells have in common: dotted field of a trial -> value.
        fan_out: Label -> registry package: the cells are repeated for every registered name
            (``{"method": "methods"}``), so that a new part appears by being registered.
        per_name_overrides: Registered name -> further fields of the cells that ``fan_out`` makes
            for it.
        stages: In order. A cell's number comes from the last stage that covers it.
        selection: The paper's own rule.
        choices: How ambiguities are interpreted.
        claims: What the paper's prose concludes where it says more than the numbers, in our words,
            with the section.
        measures: Quantities measured on the trained models (`trainables.measures`).
        step_times: By which cells of budget ``time`` divide their epochs, one table per network. A
            method that none of them has counts by the gradient evaluations it declares.
        x: For a figure, what runs along its x axis, every metric being a y. A label of the cells'
            keys: each cell is a point. ``epoch``: each cell is a curve over epochs. ``@t``, or any
            other name after the ``@``: each cell is a curve whose points were recorded under names
            that have x in them, such as ``test_error@0.5`` at x = 0.5, and the axis is called t.
        panels: For a figure, the labels that have a panel for each of their entries. The labels
            that are neither here nor ``x`` tell the lines of a panel apart.
        metrics_down: Metrics are the outermost rows, not the innermost columns.
        competing: The label whose entries are compared for bold and for directions; empty: the
            method, or the innermost of ``rows`` where there is no method.
        blocked: Why it cannot run yet, and what it needs; empty if it can.
        notes: What a preset shrank; shown in the header.
        presets: The artifact's own presets, by the name of the one each replaces.
    """

    id: str
    title: str
    cells: tuple[Cell, ...]
    stages: tuple[Stage, ...]
    metrics: tuple[Metric, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...] = ()
    kind: Literal["table", "figure"] = "table"
    base: Fields = field(default_factory=dict)
    fan_out: Mapping[str, str] = field(default_factory=dict)
    per_name_overrides: Mapping[str, Fields] = field(default_factory=dict)
    selection: Selection = Selection()
    choices: tuple[Choice, ...] = ()
    claims: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    step_times: tuple[StepTimes, ...] = ()
    x: str = ""
    panels: tuple[str, ...] = ()
    metrics_down: bool = False
    competing: str = ""
    blocked: str = ""
    notes: tuple[str, ...] = ()
    presets: Mapping[str, Preset] = field(default_factory=dict)

    @property
    def paper(self) -> str:
        """Key of the paper that it is from."""
        return self.id.partition("/")[0]

    def replace(self, **changes: Any) -> Artifact:
        """This artifact with other attributes."""
        return dataclass_replace(self, **changes)

    def read(self, option: str, value: str) -> Artifact:
        """This artifact by another interpretation that its choices have (`Choice.others`).

        A stage takes over from its winner what the interpretation leaves open.

        Args:
            option: `Choice.field` of the choice.
            value: What is chosen.

        Raises:
            UsageError: there is no such one; the message lists all.
        """
        choice = next((c for c in self.choices if c.field == option and value in c.others), None)
        if choice is None:
            known = (f"{c.field} = {other}" for c in self.choices for other in c.others)
            raise UsageError(
                f"{self.id} has no reading {option} = {value}; it has: {', '.join(known) or 'none'}"
            )
        overrides = choice.others[value]

        def changed(cell: Cell) -> Cell:
            fields = [o.fields for o in overrides if o.covers(cell)]
            return dataclass_replace(cell, fields=reduce(or_, map(dict, fields), dict(cell.fields)))

        def freed(stage: Stage) -> Stage:
            covered = [c for c in self.cells if stage.covers(c)]
            fixed = {name for o in overrides if any(map(o.covers, covered)) for name in o.fields}
            return dataclass_replace(
                stage, inherit=tuple(name for name in stage.inherit if name not in fixed)
            )

        taken = dataclass_replace(choice, interpretation=f"{option} = {value}", others={})
        return self.replace(
            cells=tuple(map(changed, self.cells)),
            stages=tuple(map(freed, self.stages)),
            choices=tuple(taken if c is choice else c for c in self.choices),
            notes=(*self.notes, f"reading: {option} = {value}"),
        )

    def stage(self, name: str) -> Stage:
        """The stage called ``name``."""
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def x_from_names(self) -> bool:
        """Whether x stands in the names of recorded metrics (see ``x``)."""
        return self.x.startswith("@")

    def curves(self) -> tuple[str, ...]:
        """Names of the recorded metrics whose per-epoch history is shown or averaged."""
        shown = [m for m in self.metrics if self.x == "epoch" or m.epoch == "mean"]
        return tuple(dict.fromkeys(n for m in shown for n in (m.name, m.minus) if n))

    def last_stage(self, cell: Cell) -> Stage:
        """The stage that a cell's number comes from."""
        return [stage for stage in self.stages if stage.covers(cell)][-1]


@dataclass(frozen=True)
class Paper:
    """A publication and its artifacts."""

    key: str
    title: str
    venue: str
    artifacts: tuple[Artifact, ...]


__all__ = [
    "Artifact",
    "Budget",
    "Cell",
    "Choice",
    "Epoch",
    "Fields",
    "Key",
    "Measure",
    "Metric",
    "Override",
    "Paper",
    "Preset",
    "Reported",
    "Selection",
    "Stage",
    "StepTime",
    "StepTimes",
]
