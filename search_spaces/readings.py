"""An artifact by other readings of its paper: what --read takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from operator import or_

from search_spaces.spec import Artifact, Cell, Experiment, Override, Reading, Stage
from trainables.errors import UsageError


def read(artifact: Artifact, name: str, value: str) -> Artifact:
    """``artifact`` by another reading that its choices have.

    Args:
        name: Of the choice.
        value: Name of one of its others, or its default, which changes nothing.

    Raises:
        UsageError: there is no such one; the message lists all.
    """
    choices = artifact.notes.choices
    choice = next((c for c in choices if name == c.name != ""), None)
    if choice is None or value not in (choice.default, *choice.others):
        known = [f"{c.name}={v}" for c in choices if c.name for v in (c.default, *c.others)]
        raise UsageError(
            f"{artifact.id} has no reading {name}={value}; it has: {', '.join(known) or 'none'}"
        )
    if value == choice.default:
        return artifact
    reading = choice.others[value]
    taken = replace(choice, interpretation=f"{value}: {reading.what}")
    return replace(artifact, experiment=_experiment(artifact.experiment, reading)).with_notes(
        choices=tuple(taken if c is choice else c for c in choices),
        changes=(*artifact.notes.changes, f"reading: {name} = {value}"),
    )


def _experiment(experiment: Experiment, reading: Reading) -> Experiment:
    cells, stages = overridden(experiment, reading.overrides)
    stages = tuple(_stage(stage, reading) for stage in stages)
    return replace(
        experiment,
        cells=cells,
        stages=stages,
        selection=replace(experiment.selection, **reading.selection),
    )


def _stage(stage: Stage, reading: Reading) -> Stage:
    grid = {field: reading.grids.get(field, values) for field, values in stage.grid.items()}
    seeds = stage.seeds if reading.seeds is None or stage.seeds == 1 else reading.seeds
    return replace(stage, grid=grid, seeds=seeds)


def overridden(
    experiment: Experiment, overrides: Iterable[Override]
) -> tuple[tuple[Cell, ...], tuple[Stage, ...]]:
    """The cells and stages of ``experiment`` with other fields of some cells.

    A stage takes over from its winner what the overrides leave open.
    """
    overrides = tuple(overrides)

    def changed(cell: Cell) -> Cell:
        fields = [o.fields for o in overrides if o.covers(cell.key)]
        return replace(cell, fields=reduce(or_, map(dict, fields), dict(cell.fields)))

    def freed(stage: Stage) -> Stage:
        covered = [c for c in experiment.cells if stage.covers(c)]
        fixed = {
            name
            for o in overrides
            if any(o.covers(cell.key) for cell in covered)
            for name in o.fields
        }
        return replace(stage, inherit=tuple(name for name in stage.inherit if name not in fixed))

    return tuple(map(changed, experiment.cells)), tuple(map(freed, experiment.stages))


__all__ = ["read"]
