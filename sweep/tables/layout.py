"""A paper's table again: measured mean ± std over seeds, beside what was printed.

`build` arranges the results of an artifact as rows and columns and compares them:
with the printed numbers (only under a preset that may be compared), and with each
other (bold). `render` writes the table as one of `FORMATS`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search_spaces import presets
from search_spaces.spec import Artifact, Cell, Choice, Preset
from sweep import aggregate
from sweep.aggregate import CellResult, SelectionRule
from sweep.plan import held_out
from sweep.record.columns import expand_curves
from sweep.tables import formats, strengths
from sweep.tables.cells import TableCell, directions, make
from trainables.errors import UsageError

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
        held_out: How many images are held out of training, and from which cells if not from all.
        switched_off: Strengths of 0, and the cells that ran with them.
        choices: How the paper's ambiguities were read; ``notes``: what the preset shrank.
        claims: What the paper's prose concludes.
        directions: How many pairs come out in the printed order, in words.
        footnotes: (mark, text) of the printed numbers.
        provenance: Where the numbers come from: commit, versions, hardware.
        row_labels, column_labels: What the entries of each of ``rows`` and ``columns`` are.
        rows, columns: Of each row and column its entries, the outermost first.
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
    held_out: str
    switched_off: str
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
    if format not in FORMATS:
        raise UsageError(f"unknown table format {format!r}; known: {', '.join(FORMATS)}")
    module = importlib.import_module(f"{formats.__name__}.{format}")
    return str(module.render(table, **options))


def table_of(plan: Plan, record: Record) -> Table:
    """The table of what is recorded of ``plan``, beside what is printed."""
    results = aggregate.cells(plan, record)
    return build(
        plan.artifact,
        results,
        preset=presets.of(plan.artifact, plan.preset),
        selection=plan.selection,
        provenance=record.provenance(trial.trial_id for trial in plan.trials),
        held_out=held_out.sentence(plan),
        switched_off=strengths.sentence(plan, results),
    )


def build(
    artifact: Artifact,
    results: Iterable[CellResult],
    preset: Preset,
    selection: SelectionRule,
    provenance: Mapping[str, str] | None = None,
    held_out: str = "",
    switched_off: str = "",
) -> Table:
    """Arrange and compare ``results`` (`sweep.aggregate.cells`) as the artifact lays them out.

    Args:
        artifact: What is shown, as the preset has shrunk it.
        preset, selection: At which scale it was run, and how hyper-parameters were chosen.
        provenance: What the numbers come from -> which: commit, versions, hardware.
        held_out: Which images are held out (`sweep.plan.held_out.sentence`); empty: not said.
        switched_off: Which cells ran with a strength of 0 (`sweep.tables.strengths.sentence`).

    Raises:
        UsageError: the artifact puts two numbers in one place.
    """
    results = list(results)
    artifact = expand_curves(artifact, results[0].metrics if results else ())
    cells = make(artifact, results, preset.comparable)
    shown = [result.cell for result in results if not result.cell.hidden]
    down, across = _labels(artifact, shown)

    def place(cell: TableCell, labels: Sequence[str], metric: bool) -> tuple[str, ...]:
        entries = tuple(cell.result.cell.label(label) for label in labels)
        name = (cell.metric.label,) if metric else ()
        return (name + entries if artifact.metrics_down else entries + name) or ("measured",)

    places = {
        (place(c, down, artifact.metrics_down), place(c, across, not artifact.metrics_down)): c
        for c in cells
    }
    if len(places) < len(cells):
        raise UsageError(f"{artifact.id}: two numbers share a row and a column of its table")
    rows = _ordered(row for row, _ in places)
    columns = _ordered(column for _, column in places)
    return Table(
        artifact=artifact.id,
        title=artifact.title,
        preset=preset.name,
        summary=preset.summary,
        comparable=preset.comparable,
        rule=selection.name,
        selection=selection.sentence(artifact) + _exceptions(artifact, results),
        epoch=selection.criterion(artifact).epoch,
        held_out=held_out,
        switched_off=switched_off,
        choices=artifact.choices,
        claims=artifact.claims,
        notes=artifact.notes,
        directions=directions(cells, artifact),
        footnotes=tuple({cell.mark: cell.note for cell in cells if cell.mark}.items()),
        provenance=dict(provenance or {}),
        row_labels=("metric", *down) if artifact.metrics_down else down,
        column_labels=(across or ("number",)) if artifact.metrics_down else (*across, "metric"),
        rows=rows,
        columns=columns,
        grid=tuple(tuple(places.get((row, column)) for column in columns) for row in rows),
    )


def _exceptions(artifact: Artifact, results: Sequence[CellResult]) -> str:
    """Which columns are not of the epoch that the selection names."""
    late = results[0].last_epoch if results else ()
    labels = dict.fromkeys(metric.label for metric in artifact.metrics if metric.key in late)
    return f". Measured at the last epoch only: {', '.join(labels)}" if labels else ""


def _labels(artifact: Artifact, cells: Sequence[Cell]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels down and across; one that varies but that the artifact places nowhere goes down."""
    placed = artifact.rows + artifact.columns
    extra = dict.fromkeys(label for cell in cells for label in cell.key if label not in placed)
    varying = [label for label in extra if len({cell.key.get(label) for cell in cells}) > 1]
    return artifact.rows + tuple(varying), artifact.columns


def _ordered(places: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Distinct places by first appearance, those with a common beginning kept together."""
    distinct = list(dict.fromkeys(places))
    first: dict[tuple[str, ...], int] = {}
    for place in distinct:
        for length in range(1, len(place) + 1):
            first.setdefault(place[:length], len(first))
    return tuple(sorted(distinct, key=lambda p: [first[p[:i]] for i in range(1, len(p) + 1)]))


__all__ = ["FORMATS", "Table", "TableCell", "build", "render", "table_of"]
