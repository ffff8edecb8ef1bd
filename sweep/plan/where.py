"""Some cells of an artifact, and those that they start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from search_spaces.spec import Artifact, Cell
from sweep.plan.expand import every_cell
from trainables.errors import UsageError, unknown


def chosen(artifact: Artifact, where: Mapping[str, str]) -> Artifact:
    """``artifact`` with the cells alone that have these entries.

    Those whose winners they start from, and those that their numbers are shown relative to, stay
    and are hidden. It fans out to nothing any more: its cells are all there.

    Args:
        where: Label -> entry.

    Raises:
        UsageError: a label or an entry that no cell has.
    """
    cells = every_cell(artifact)
    for label, entry in where.items():
        labels = dict.fromkeys(name for cell in cells for name in cell.key)
        if label not in labels:
            raise UsageError(unknown(f"label of {artifact.id}", label, labels))
        entries = dict.fromkeys(c.key[label] for c in cells if label in c.key and not c.hidden)
        if entry not in entries:
            raise UsageError(unknown(f"{label} of {artifact.id}", entry, entries))
    wanted = [i for i, cell in enumerate(cells) if where.items() <= cell.key.items()]
    needed = _needed(artifact, cells, wanted)
    kept = tuple(
        cell if i in wanted else replace(cell, hidden=True)
        for i, cell in enumerate(cells)
        if i in needed
    )
    stages = [s for s in artifact.experiment.stages if any(map(s.covers, kept))]
    return artifact.with_experiment(
        cells=kept, stages=tuple(stages), fan_out={}, per_name_overrides={}
    )


def _needed(artifact: Artifact, cells: list[Cell], wanted: Iterable[int]) -> set[int]:
    """Places of the cells that are wanted, and of all that these need."""
    needed, new = set[int](), set(wanted)
    while new:
        needed |= new
        found = {
            j
            for i in new
            for j, other in enumerate(cells)
            if _starts_from(artifact, cells[i], other) or _related(artifact, cells[i], other)
        }
        new = found - needed
    return needed


def _starts_from(artifact: Artifact, cell: Cell, other: Cell) -> bool:
    for stage in artifact.experiment.stages:
        if stage.after is None or not stage.covers(cell):
            continue
        labels = tuple(cell.key) if stage.match is None else stage.match
        agrees = all(cell.key.get(label) == other.key.get(label) for label in labels)
        if agrees and artifact.experiment.stage(stage.after).covers(other):
            return True
    return False


def _related(artifact: Artifact, cell: Cell, other: Cell) -> bool:
    return any(
        metric.relative_to is not None
        and other.key.items() <= {**cell.key, **metric.relative_to}.items()
        and metric.relative_to.items() <= other.key.items()
        for metric in artifact.view.metrics
    )


__all__ = ["chosen"]
