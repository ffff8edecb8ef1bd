"""Some cells of an artifact, and those that they start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from search_spaces.spec import Artifact, Cell
from sweep.plan.expand import Plan, PlannedStage, PlannedTrial, every_cell
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
    kept = tuple(_chosen(artifact, every_cell(artifact), where).values())
    stages = [s for s in artifact.experiment.stages if any(map(s.covers, kept))]
    return artifact.with_experiment(
        cells=kept, stages=tuple(stages), fan_out={}, per_name_overrides={}
    )


def only(plan: Plan, where: Mapping[str, str]) -> Plan:
    """``plan`` with the cells alone that have these entries, and with the trials of those alone.

    Cells that these start from, or are shown relative to, stay and are hidden. No trial becomes
    another one: what is held out, and what is measured, is as in the whole plan.

    Args:
        where: Label -> entry.

    Raises:
        UsageError: a label or an entry that no cell has.
    """
    cells = _chosen(plan.artifact, plan.cells, where)
    now = {id(plan.cells[i]): cell for i, cell in cells.items()}

    def kept(trials: Iterable[PlannedTrial]) -> tuple[PlannedTrial, ...]:
        return tuple(replace(t, cell=now[id(t.cell)]) for t in trials if id(t.cell) in now)

    specs, stages = [], list[PlannedStage]()
    for spec, stage in zip(plan.artifact.experiment.stages, plan.stages, strict=True):
        if any(map(spec.covers, now.values())):
            specs.append(spec)
            stages.append(replace(stage, trials=kept(stage.trials), expected=kept(stage.expected)))
    artifact = plan.artifact.with_experiment(
        cells=tuple(now.values()), stages=tuple(specs), fan_out={}, per_name_overrides={}
    )
    return replace(
        plan, artifact=artifact, cells=tuple(now.values()), stages=tuple(stages), whole=plan
    )


def _chosen(artifact: Artifact, cells: Sequence[Cell], where: Mapping[str, str]) -> dict[int, Cell]:
    """Place -> cell of those with these entries; and of those that they need, which are hidden.

    Raises:
        UsageError: a label or an entry that no cell has.
    """
    for label, entry in where.items():
        labels = dict.fromkeys(name for cell in cells for name in cell.key)
        if label not in labels:
            raise UsageError(unknown(f"label of {artifact.id}", label, labels))
        entries = dict.fromkeys(c.key[label] for c in cells if label in c.key and not c.hidden)
        if entry not in entries:
            raise UsageError(unknown(f"{label} of {artifact.id}", entry, entries))
    wanted = [i for i, cell in enumerate(cells) if where.items() <= cell.key.items()]
    if all(cells[i].hidden for i in wanted):
        pairs = ", ".join(f"{label}={entry}" for label, entry in where.items())
        raise UsageError(f"{artifact.id} has no cell with {pairs}, though it has some with each")
    needed = _needed(artifact, cells, wanted)
    return {
        i: cell if i in wanted else replace(cell, hidden=True)
        for i, cell in enumerate(cells)
        if i in needed
    }


def _needed(artifact: Artifact, cells: Sequence[Cell], wanted: Iterable[int]) -> set[int]:
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


__all__ = ["chosen", "only"]
