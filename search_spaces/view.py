"""How an experiment is shown: as a table, as curves, or as a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from trainables.metric_name import Epoch

Key = Mapping[str, str]
"""Label -> entry, such as ``{"method": "SAM", "dataset": "Cifar10"}``."""

Where = Mapping[str, str | tuple[str, ...]]
"""Label -> the entry, or several that are allowed: cells whose key has them; empty: all cells."""


def agrees(key: Key, where: Where) -> bool:
    """Whether ``key`` has the entries that ``where`` asks for."""
    return all(
        key.get(label) in (allowed if isinstance(allowed, tuple) else (allowed,))
        for label, allowed in where.items()
    )


@dataclass(frozen=True)
class Metric:
    """A quantity of a trial as a column shows it.

    Attributes:
        name: Key into a trial's recorded metrics, e.g. ``test_error`` (a fraction); of a curve,
            `trainables.metric_name.CurveName`.
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
        where: Only the cells with these entries have the number; None: all. The place of any other
            is empty, and nothing is missing there.
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
    where: Where | None = None

    def covers(self, key: Key) -> bool:
        """Whether the cell with this key has the number."""
        return agrees(key, self.where or {})

    @property
    def key(self) -> str:
        """``name``, ``name-minus``, ``name@epoch``, ``name/ratio``: what a cell reports it under.

        It names a column, and is never read back.
        """
        minus = f"-{self.minus}" if self.minus else ""
        epoch = f"@{self.epoch}" if self.epoch else ""
        return f"{self.name}{minus}{epoch}" + ("/ratio" if self.relative_to else "")

    @property
    def unit(self) -> float:
        """What a difference of 1 between recorded numbers is in the unit of the column."""
        return abs(self.display(1.0) - self.display(0.0))

    @property
    def in_proportion(self) -> bool:
        """Whether its spread grows with its size, so that ratios are compared: times."""
        return self.name.endswith("_seconds")

    def display(self, value: float) -> float:
        """The recorded number in the unit of the column."""
        value *= self.scale
        if self.shown.startswith("accuracy"):
            value = 1 - value
        scale = 100 if self.shown.endswith("percent") else 1000 if "milli" in self.shown else 1
        return scale * value


@dataclass(frozen=True)
class Label:
    """Along x runs a label of the cells' keys: each cell is a point of a line, or a bar.

    Attributes:
        name: The label.
        called_by: The label whose entries the axis is called by, where cells of several panels
            differ in different things; empty: ``name`` itself.
    """

    name: str
    called_by: str = ""


@dataclass(frozen=True)
class Epochs:
    """Along x runs the training: each cell is a curve over its epochs."""


@dataclass(frozen=True)
class InName:
    """Along x run numbers in the names of recorded metrics: each cell is a curve.

    A point at x = 0.5 was recorded as ``gap/0.5`` (`trainables.metric_name.CurveName`).

    Attributes:
        name: What the axis is called.
    """

    name: str


@dataclass(frozen=True)
class Average:
    """How far some cells lie from others of the same column, on average over a table.

    For each cell x with the entries ``of``, r is of the numbers of the cells that have the entries
    ``against`` and else agree with it; shown is the mean over x of

        reduction: 100 (1 - x / r), in per cent
        gain: x - r, in the column's unit

    Attributes:
        what: The quantity in words, in the order of the subtraction.
        column: `Metric.label` of the column.
        of, against: Label -> entries.
        how: See above.
        reference: Of several cells r is their ``mean``, or the ``best`` number.
        printed: What the paper says it is.
    """

    what: str
    column: str
    of: Mapping[str, tuple[str, ...]]
    against: Mapping[str, tuple[str, ...]]
    how: Literal["reduction", "gain"]
    reference: Literal["mean", "best"] = "mean"
    printed: float | None = None


@dataclass(frozen=True, kw_only=True)
class View:
    """What every view has: which numbers there are, and how a table lays them out.

    Every artifact can be printed as a table, figures too.

    Attributes:
        metrics: Shown for every cell, as the innermost columns (see ``metrics_down``).
        rows, columns: Labels of the cells' keys whose entries name rows and columns, the outermost
            first.
        metrics_down: Metrics are the outermost rows, not the innermost columns.
        competing: The label whose entries are compared for bold and for directions; empty: the
            method, or the innermost of ``rows`` where there is no method.
        averages: What else the paper's sentences state of its numbers, computed above the table.
        judged: Further columns that the paper's sentences are about, and that are not shown.
    """

    metrics: tuple[Metric, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...] = ()
    metrics_down: bool = False
    competing: str = ""
    averages: tuple[Average, ...] = ()
    judged: tuple[Metric, ...] = ()

    kind: ClassVar[Literal["table", "figure"]]


@dataclass(frozen=True, kw_only=True)
class TableView(View):
    """Cells in rows and columns."""

    kind = "table"


@dataclass(frozen=True, kw_only=True)
class CurveView(View):
    """Curves or bars, every metric being a y.

    Attributes:
        x: What runs along the x axis.
        panels: The labels that have a panel for each of their entries. Those that are neither here
            nor ``x`` tell the lines of a panel apart.
    """

    x: Label | Epochs | InName
    panels: tuple[str, ...] = ()

    kind = "figure"

    def histories(self) -> tuple[str, ...]:
        """Names of the recorded metrics whose values at every epoch are shown."""
        shown = self.metrics if isinstance(self.x, Epochs) else ()
        return tuple(dict.fromkeys(n for m in shown for n in (m.name, m.minus) if n))


@dataclass(frozen=True, kw_only=True)
class MapView(View):
    """A quantity over a plane, one map per cell.

    Attributes:
        over_plane: The name that it is recorded under (`trainables.metric_name.MapName`): the
            label of a measure.
    """

    over_plane: str

    kind = "figure"


AnyView = TableView | CurveView | MapView

__all__ = [
    "AnyView",
    "Average",
    "CurveView",
    "Epochs",
    "InName",
    "Key",
    "Label",
    "MapView",
    "Metric",
    "TableView",
    "View",
    "Where",
    "agrees",
]
