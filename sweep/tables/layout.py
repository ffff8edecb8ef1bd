"""A paper's table again: measured mean ± std over seeds, beside what was printed.

`build` arranges the results of an artifact as rows and columns and compares them:
with the printed numbers (only under a preset that may be compared), and with each
other (bold). `render` writes the table as one of `FORMATS`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from search_spaces import presets
from search_spaces.spec import Artifact, Cell, Choice, Preset, View
from sweep import aggregate, own_parts
from sweep.aggregate import CellResult, SelectionRule
from sweep.claims.record import alone
from sweep.claims.show import short
from sweep.plan import changed
from sweep.plan.points import every_point
from sweep.record.columns import expand_curves
from sweep.tables import formats, winners
from sweep.tables import sentences as said
from sweep.tables.cells import TableCell, competing_label, make
from sweep.tables.reproduction import (
    NOTHING_PRINTED,
    Reproduction,
    directions,
    reproduction,
    with_reasons,
)
from sweep.tables.sentences import Sentence
from trainables.errors import UsageError, unknown
from trainables.masking import mask

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.record import Record

FORMATS = tuple(module.name for module in pkgutil.iter_modules(formats.__path__))


@dataclass(frozen=True)
class Table:
    """An artifact's results, arranged in rows and columns.

    Attributes:
        artifact, title, preset: What is shown, at which scale; ``summary`` says it in words.
        comparable: Whether measured numbers may be compared with printed ones.
        selection: The rule's sentence; ``rule`` is its name, ``epoch`` where numbers are read.
        sentences: What else is said above the numbers (`sweep.tables.sentences`).
        variant: What a user has changed in the artifact, in words; ``readings``: name of a choice
            -> the value that is taken; ``settings``: the fields that are set.
        choices: How the paper's ambiguities were read; ``notes``: what the preset shrank.
        claims: What the paper's prose concludes.
        verdicts: id and verdict of each sentence that is judged on these numbers, in words.
        directions: How many pairs come out in the printed order, in words.
        footnotes: (mark, text) of the printed numbers.
        provenance: Where the numbers come from: commit, versions, hardware.
        row_labels, column_labels: What the entries of each of ``rows`` and ``columns`` are.
        rows, columns: Of each row and column its entries, the outermost first.
        against: Another variant, whose numbers stand beside these in place of printed ones; None:
            there is none. ``difference`` says how the two are compared.
        reproduction: How far the numbers, their order and directions come out as printed.
        grid: ``grid[i][j]`` is the number at ``rows[i]`` and ``columns[j]``; None: there is none.
    """

    artifact: str
    title: str
    preset: str
    summary: str
    comparable: bool
    rule: str
    selection: str
    epoch: str
    sentences: tuple[Sentence, ...]
    variant: str
    readings: Mapping[str, str]
    settings: tuple[str, ...]
    choices: tuple[Choice, ...]
    claims: tuple[str, ...]
    notes: tuple[str, ...]
    directions: str
    footnotes: tuple[tuple[str, str], ...]
    provenance: Mapping[str, str]
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[tuple[str, ...], ...]
    grid: tuple[tuple[TableCell | None, ...], ...]
    against: str | None = None
    difference: str = ""
    verdicts: tuple[tuple[str, str], ...] = ()
    reproduction: Reproduction = NOTHING_PRINTED

    @property
    def cells(self) -> list[tuple[tuple[str, ...], tuple[str, ...], TableCell]]:
        """Every number with its row and column."""
        return [
            (row, column, cell)
            for row, line in zip(self.rows, self.grid, strict=True)
            for column, cell in zip(self.columns, line, strict=True)
            if cell is not None
        ]

    @property
    def any_reported(self) -> bool:
        """Whether the paper prints any of the numbers."""
        return any(cell.reported is not None for _, _, cell in self.cells)


def render(table: Table, format: str = "terminal", **options: Any) -> str:  # noqa: A002
    """The table as text.

    Args:
        format: One of `FORMATS`.
        options: Of the format's own: ``terminal`` takes ``width`` (in characters) and ``color``,
            by default those of standard output.

    Raises:
        UsageError: an unknown format; the message lists the known ones.
    """
    require_format(format)
    if format in own_parts.formats():
        return str(own_parts.formats()[format](table))
    module = importlib.import_module(f"{formats.__name__}.{format}")
    return str(module.render(table, **options))


def require_format(name: str) -> None:
    """Raise UsageError where no format of this package, or of a person's own, is called so."""
    known = [*FORMATS, *own_parts.formats()]
    if name not in known:
        raise UsageError(unknown("table format", name, known))


def table_of(plan: Plan, record: Record, all_points: bool = False) -> Table:
    """The table of what is recorded of ``plan``, beside what is printed.

    Args:
        all_points: Each point of a search has a row of its own, not the winner alone.
    """
    other = changed.changed(plan, changed.origins_of(plan, record))

    def cells(plan: Plan) -> list[CellResult]:
        found = aggregate.cells(plan, record)
        return [r.with_changed(other) for r in found] if other else found

    results = cells(plan)
    shown = every_point(plan) if all_points else plan
    table = build(
        shown.artifact,
        cells(shown) if all_points else results,
        preset=presets.of(plan.artifact, plan.preset),
        selection=plan.selection,
        provenance=record.provenance(trial.trial_id for trial in plan.trials),
        sentences=said.sentences(plan, results),
        selected=() if all_points else winners.points(plan, results),
    )
    verdicts = ((e.claim.id, short(e)) for e in alone(plan, results, record.curve))
    return replace(table, verdicts=tuple(verdicts))


def attachments(plan: Plan, record: Record) -> dict[str, str]:
    """The table as files that are attached to a sweep's MLflow run: name -> text."""
    table = table_of(plan, record)
    return {f"table.{suffix}": render(table, suffix) for suffix in ("md", "html")}


def build(
    artifact: Artifact,
    results: Iterable[CellResult],
    preset: Preset,
    selection: SelectionRule,
    provenance: Mapping[str, str] | None = None,
    sentences: Iterable[Sentence] | None = None,
    selected: Iterable[str] = (),
) -> Table:
    """Arrange and compare ``results`` (`sweep.aggregate.cells`) as the artifact lays them out.

    Args:
        artifact: What is shown, as the preset has shrunk it.
        preset, selection: At which scale it was run, and how hyper-parameters were chosen.
        provenance: What the numbers come from -> which: commit, versions, hardware.
        sentences: What is said of the sweep (`sweep.tables.sentences.sentences`); None: nothing.
        selected: Which point won each result, in words (`sweep.tables.winners.points`).

    Raises:
        UsageError: the artifact puts two numbers in one place.
    """
    results = list(results)
    view = expand_curves(artifact.view, results[0].metrics if results else ())
    cells = make(view, artifact.experiment, results, preset.comparable)
    won = dict(zip(map(id, results), selected, strict=False))
    cells = [replace(cell, selected=won.get(id(cell.result), "")) for cell in cells]
    cells = with_reasons(cells, "" if preset.comparable else _other(artifact, preset))
    found = reproduction(cells, competing_label(view, artifact.experiment), artifact.experiment)
    shown = [result.cell for result in results if not result.cell.hidden]
    down, across = _labels(view, shown)

    def place(cell: TableCell, labels: Sequence[str], metric: bool) -> tuple[str, ...]:
        entries = tuple(cell.result.cell.label(label) for label in labels)
        name = (cell.metric.label,) if metric else ()
        return (name + entries if view.metrics_down else entries + name) or ("measured",)

    places = {
        (place(c, down, view.metrics_down), place(c, across, not view.metrics_down)): c
        for c in cells
    }
    if len(places) < len(cells):
        raise UsageError(f"{artifact.id}: two numbers share a row and a column of its table")
    rows = _ordered(row for row, _ in places)
    columns = _ordered(column for _, column in places)
    return Table(
        artifact=artifact.id,
        title=artifact.notes.title,
        preset=preset.name,
        summary=preset.summary,
        comparable=preset.comparable,
        rule=selection.name,
        selection=selection.sentence(artifact) + _exceptions(view, results),
        epoch=selection.criterion(artifact).epoch,
        sentences=said.unsaid() if sentences is None else tuple(sentences),
        variant=mask(str(artifact.variant)),
        readings={c.name: c.default for c in artifact.notes.choices if c.name}
        | dict(artifact.variant.readings),
        settings=tuple(artifact.variant.settings),
        choices=artifact.notes.choices,
        claims=artifact.notes.claims,
        notes=tuple(map(mask, artifact.notes.changes)),
        directions=directions(found),
        reproduction=found,
        footnotes=tuple({cell.mark: cell.note for cell in cells if cell.mark}.items()),
        provenance=dict(provenance or {}),
        row_labels=("metric", *down) if view.metrics_down else down,
        column_labels=(across or ("number",)) if view.metrics_down else (*across, "metric"),
        rows=rows,
        columns=columns,
        grid=tuple(tuple(places.get((row, column)) for column in columns) for row in rows),
    )


def _other(artifact: Artifact, preset: Preset) -> str:
    """Why no number of a preset is compared with a printed one."""
    return "fields set by hand" if artifact.variant.settings else f"preset {preset.name}"


def _exceptions(view: View, results: Sequence[CellResult]) -> str:
    """Which columns are not of the epoch that the selection names."""
    late = results[0].last_epoch if results else ()
    labels = dict.fromkeys(metric.label for metric in view.metrics if metric.key in late)
    return f". Measured at the last epoch only: {', '.join(labels)}" if labels else ""


def _labels(view: View, cells: Sequence[Cell]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels down and across; one that varies but that the view places nowhere goes down."""
    placed = view.rows + view.columns
    extra = dict.fromkeys(label for cell in cells for label in cell.key if label not in placed)
    varying = [label for label in extra if len({cell.key.get(label) for cell in cells}) > 1]
    return view.rows + tuple(varying), view.columns


def _ordered(places: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Distinct places by first appearance, those with a common beginning kept together."""
    distinct = list(dict.fromkeys(places))
    first: dict[tuple[str, ...], int] = {}
    for place in distinct:
        for length in range(1, len(place) + 1):
            first.setdefault(place[:length], len(first))
    return tuple(sorted(distinct, key=lambda p: [first[p[:i]] for i in range(1, len(p) + 1)]))


__all__ = [
    "FORMATS",
    "Table",
    "TableCell",
    "attachments",
    "build",
    "render",
    "require_format",
    "table_of",
]
