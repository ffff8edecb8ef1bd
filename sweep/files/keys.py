"""The keys of a sweep's file, declared once.

What is allowed, what each means, and the JSON Schema by which editors complete and check
(`sweep.files.schema`) are all made from these classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from search_spaces.spec import Budget
from trainables.metric_name import Epoch

Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Ends = tuple[int | float, int | float]


class Keys(BaseModel):
    """A mapping of which all keys are known."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        populate_by_name=True,
        coerce_numbers_to_str=True,
    )


class Fields(Keys):
    """Fields of a trial by their dotted names (optimizer.lr), beside the keys that are named."""

    model_config = ConfigDict(extra="allow")

    @property
    def fields(self) -> dict[str, Any]:
        """Dotted name -> value."""
        return dict(self.model_extra or {})


class Range(Keys):
    """Values of a hyper-parameter between two ends: one of log, linear, random and sobol."""

    log: Ends | None = None
    """First and last of values whose ratios are equal."""
    linear: Ends | None = None
    """First and last of values that are equally far apart."""
    random: Ends | dict[Literal["log", "linear"], Ends] | None = None
    """Ends between which values are drawn, evenly or, as {log: [a, b]}, in their logarithm."""
    sobol: Ends | dict[Literal["log", "linear"], Ends] | None = None
    """The same, of values that fill the range evenly, however many are taken."""
    num: Count
    """How many values."""
    seed: Index = 0
    """Of the draw."""


def _kind(value: Any) -> str:
    return "range" if isinstance(value, dict | Range) else "list"


Values = Annotated[list[Any], Field(min_length=1)]
Axis = Annotated[
    Annotated[Values, Tag("list")] | Annotated[Range, Tag("range")], Discriminator(_kind)
]
"""The values of a grid's axis: a list, or a range."""

Grid = dict[str, Axis]


class Draws(Keys):
    """Points that are drawn from a box: one of sobol and random."""

    sobol: dict[str, Any] | None = None
    """Field -> {log: [a, b]}, {linear: [a, b]} or a list. The points fill the box evenly."""
    random: dict[str, Any] | None = None
    """Field -> the same. The points are independent."""
    num: Count
    """How many points."""
    seed: Index = 0
    """Of the draw."""


class Space(Fields):
    """Fields of a trial, and values that are tried of others."""

    grid: Grid = {}
    """Dotted field -> values to try; each with each."""
    points: Points = []
    """Settings that go together; each is tried with every point of the grid."""


class Point(Space):
    """Settings that go together; its grid and points are tried with these alone."""


def _points_kind(value: Any) -> str:
    return "draws" if isinstance(value, dict | Draws) else "list"


Points = Annotated[
    Annotated[list[Point], Tag("list")] | Annotated[Draws, Tag("draws")],
    Discriminator(_points_kind),
]


Space.model_rebuild()
Point.model_rebuild()


def _method(value: Any) -> Any:
    return {"method": value} if isinstance(value, str) else {} if value is None else value


class Row(Space):
    """A row of the table: how its trials differ from the others'."""

    seeds: Count | None = None
    """How many repetitions, if not as many as the other rows."""
    budget: Budget | None = None
    """What its epochs stand for, if not what the others' do."""
    hidden: bool = False
    """It is trained, because another needs it, and is not shown."""


class Entry(Row):
    """An entry of a further axis of the table."""


class Select(Keys):
    """How a grid's winner is chosen."""

    on: str | None = None
    """The recorded metric whose lowest mean over seeds wins [validation_error; test_error where
    nothing is held out]."""
    epoch: Epoch = "last"
    """At which epoch it, and every other number of the table, is read."""
    stated: str = ""
    """What is to be said of it."""


class Column(Keys):
    """A number of the table."""

    name: str
    """A recorded metric."""
    label: str = ""
    """The column's head, with the unit."""
    better: Literal["lower", "higher", "neither"] | None = None
    """Which direction is good."""
    shown: Literal["plain", "percent", "accuracy", "accuracy_percent", "milliseconds"] | None = None
    """How the recorded number is shown."""
    epoch: Epoch | Literal["mean"] | None = None
    """At which epoch it is read, if not at that of select."""
    relative_to: dict[str, str] | None = None
    """Show the ratio to the mean of the cell with these labels."""
    minus: str = ""
    """A recorded metric that is subtracted, trial by trial."""
    scale: float = 1.0
    """Factor of the recorded number."""
    digits: Index | None = None
    """How many are shown after the point."""
    where: dict[str, str | list[str]] | None = None
    """Only the cells with these labels have it; a list allows several."""


def _name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class MeasureKeys(Keys):
    """A quantity that is measured on trained models."""

    name: str
    """Of a measure (sweep list measures)."""
    options: dict[str, Any] = {}
    """Of the measure."""
    label: str = ""
    """The name that its numbers are recorded under [its own]."""
    split: Literal["train", "validation", "test"] = "train"
    """Whose images it is measured on."""
    samples: Count | None = None
    """On how many of them at most [all]."""
    batch_size: Count | None = None
    """Images per batch."""
    at: tuple[float, ...] = (1.0,)
    """When, as fractions of the training."""
    every: Index = 0
    """Also after every so many epochs; 0: not."""
    where: dict[str, str | list[str]] = {}
    """Only of the cells with these labels; a list allows several."""


class Then(Space):
    """A further stage, which starts from the winner of the one before."""

    seeds: Count | None = None
    """How many repetitions [as many as before]."""


class StageKeys(Space):
    """A stage in full: a grid over some cells, each point so many seeds."""

    name: str
    """Unique in the file."""
    where: dict[str, str | list[str]] = {}
    """The cells with these labels; a list allows several."""
    seeds: Count = 3
    """How many repetitions."""
    after: str | None = None
    """Name of the stage whose winner it starts from."""
    match: list[str] | None = None
    """Labels by which a cell finds its parent in that stage [all of them: the same cell]."""
    inherit: list[str] = []
    """Fields that are taken over from the winner."""


class Printed(Keys):
    """A published number, in the unit of its column."""

    mean: float | None = None
    """None: it was not published."""
    std: float | None = None
    """Over runs."""
    n: Count | None = None
    """How many runs."""
    note: str = ""
    """What a reader should know of it."""
    comparable: bool = True
    """False: it is shown, and compared with nothing."""


class CellKeys(Fields):
    """A cell in full, in place of compare and columns."""

    key: dict[str, str]
    """Label -> entry."""
    budget: Budget | None = None
    """What its epochs stand for."""
    hidden: bool = False
    """It is not shown."""
    printed: dict[str, Printed] = {}
    """Key of a metric -> the published number."""


class PresetKeys(Fields):
    """A smaller sweep: fields that all trials get."""

    seeds: Count | None = None
    """Most seeds of a stage."""
    axes: Count | dict[str, Count] | None = None
    """How many values are left of each axis of the grid, or of those that are named."""
    summary: str = ""
    """What it is, in words."""


class Figure(Keys):
    """A figure that sweep plot draws."""

    x: str | None = None
    """What runs along it: epoch, a dotted field that is searched, or a label of the table."""
    y: Annotated[list[Annotated[Column, BeforeValidator(_name)]], Field(min_length=1)] | None = None
    """The metrics that are drawn [those of the table]."""
    panels: list[str] = []
    """Labels with a panel for each of their entries."""
    in_name: str | None = None
    """In place of x: what the numbers in the names of the metrics are (perturbation_gap/0.1)."""
    over_plane: str | None = None
    """In place of x: the label of a measure over a plane, which is drawn as a map."""
    called_by: str = ""
    """The label whose entries the axis is called by, if not by its own name."""


class Layout(Keys):
    """How the table is laid out."""

    rows: list[str] | None = None
    """Labels whose entries name the rows, the outermost first."""
    columns: list[str] | None = None
    """Labels whose entries name the columns."""
    metrics_down: bool = False
    """Metrics are the outermost rows, not the innermost columns."""
    competing: str = ""
    """The label whose entries are compared for bold."""


def _list(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


class SweepFile(Keys):
    """A sweep: what is compared, what is searched, how often, and what is shown of it."""

    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    """The sweep is PROJECT/NAME [the name of the file]."""
    project: str = Field("mine", pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    """Another word than mine."""
    title: str = ""
    """What the table shows, in one line."""
    import_: Annotated[list[str], BeforeValidator(_list)] = Field([], alias="import")
    """Python files with parts of one's own, beside this file; folders; or modules."""
    base: Fields = Fields()
    """Fields that all trials have."""
    compare: dict[str, Annotated[Row, BeforeValidator(_method)]] = {}
    """The rows, labelled method: each its fields, or the name of a method. The row "*" stands for
    every registered method that has no row of its own."""
    columns: dict[str, dict[str, Annotated[Entry, BeforeValidator(lambda v: v or {})]]] = {}
    """Further axes of the table: label -> entry -> its fields."""
    grid: Grid = {}
    """Dotted field -> values to try, in every row; each with each."""
    points: Points = []
    """Settings that go together; each is tried with every point of the grid."""
    seeds: Count = 3
    """How many repetitions of each point, with seeds 0, 1, ..."""
    select: Select = Select()
    """How the winner is chosen."""
    metrics: list[Annotated[Column, BeforeValidator(_name)]] = Field(
        [Column(name="test_error")], min_length=1
    )
    """The numbers that are shown."""
    then: Annotated[list[Then], BeforeValidator(_list)] = []
    """A second stage, or several, that trains the winner with more seeds or epochs."""
    presets: dict[str, PresetKeys] = {}
    """Smaller sweeps by name, for --preset."""
    measures: list[Annotated[MeasureKeys, BeforeValidator(_name)]] = []
    """What is measured on trained models."""
    figures: list[Figure] = []
    """What sweep plot draws."""
    budget: Budget = "epochs"
    """What the epochs of a row stand for: themselves, or as many gradient evaluations, or as much
    time, as so many of ERM."""
    printed: list[dict[str, Any]] = []
    """Published numbers to stand beside: labels of a cell, and the key of a metric -> 3.1±0.2."""
    table: Layout = Layout()
    """How the table is laid out [compare down, columns across]."""
    cells: list[CellKeys] = []
    """All cells in full, in place of compare and columns."""
    stages: list[StageKeys] = []
    """All stages in full, in place of grid, points, seeds and then."""


__all__ = [
    "CellKeys",
    "Column",
    "Draws",
    "Entry",
    "Fields",
    "Figure",
    "Keys",
    "Point",
    "PresetKeys",
    "Printed",
    "Range",
    "Row",
    "Select",
    "Space",
    "StageKeys",
    "SweepFile",
    "Then",
]
