"""Every point of a search as a cell of its own: nothing is chosen, everything is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search_spaces.spec import Cell
from sweep.plan.expand import Plan, PlannedStage, PlannedTrial


def every_point(plan: Plan) -> Plan:
    """``plan`` with each cell that is shown repeated for every point of the stage it comes from.

    A point's settings are labels of its cell, by the dotted names of the fields. Trials are those
    of ``plan``; what was published is of the winner, and stands at no point.
    """
    artifact = plan.artifact
    experiment = artifact.experiment
    stages = {stage.name: stage for stage in plan.stages}
    cells: list[Cell] = []
    moved: dict[str, list[PlannedTrial]] = {stage.name: [] for stage in plan.stages}
    for cell in plan.cells:
        last = experiment.last_stage(cell)
        points = list(last.points())
        if cell.hidden or len(points) < 2:
            cells.append(cell)
            moved[last.name] += [t for t in stages[last.name].trials if t.cell is cell]
            continue
        for point in points:
            at = replace(cell, key={**cell.key, **labels(point, cell.key)}, reported={})
            cells.append(at)
            moved[last.name] += [
                replace(trial, cell=at, point={})
                for trial in stages[last.name].trials
                if trial.cell is cell and trial.point == point
            ]
    shown = artifact.with_experiment(
        cells=tuple(cells),
        fan_out={},
        per_name_overrides={},
        stages=tuple(replace(stage, grid={}, settings=()) for stage in experiment.stages),
    )
    made = tuple(
        PlannedStage(name, tuple(trials), stages[name].expected, stages[name].after)
        for name, trials in moved.items()
    )
    return replace(plan, artifact=shown, cells=tuple(cells), stages=made)


def labels(point: Mapping[str, Any], key: Mapping[str, str]) -> dict[str, str]:
    """What tells a point apart in a cell's key: dotted name -> its value, in words."""
    return {f"{name} tried" if name in key else name: _word(value) for name, value in point.items()}


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        options = ", ".join(f"{k} = {v}" for k, v in value.items() if k != "name")
        return f"{value.get('name', '')}" + (f" ({options})" if options else "")
    if isinstance(value, tuple | list):
        return " ".join(map(_word, value)) or "none"
    return str(value)


__all__ = ["every_point", "labels"]
