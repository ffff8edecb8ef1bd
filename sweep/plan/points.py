"""Every point of a search as a cell of its own: nothing is chosen, everything is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search_spaces.spec import Cell
from sweep.plan.expand import Plan, PlannedTrial
from sweep.selection.winner import Texts


def every_point(plan: Plan) -> Plan:
    """``plan`` with each cell that is shown repeated for every point of its search.

    That is the last stage with several points that covers it; a stage that trains the winner again
    is left out.

    A point's settings are labels of its cell, by the dotted names of the fields. Trials are those
    of ``plan``; what was published is of the winner, and stands at no point.
    """
    artifact = plan.artifact
    experiment = artifact.experiment
    # A cell's number comes from the last stage that covers it: from its search, if it has one.
    ordered = sorted(experiment.stages, key=lambda stage: len(list(stage.points())) > 1)
    experiment = replace(experiment, stages=tuple(ordered))
    text = Texts()
    cells: list[Cell] = []
    at_point: dict[tuple[str, int, str], Cell] = {}
    for cell in plan.cells:
        last = experiment.last_stage(cell)
        points = list(last.without(cell.fixed).points())
        if cell.hidden or len(points) < 2:
            cells.append(cell)
            continue
        for point in points:
            made = replace(cell, key={**cell.key, **labels(point, cell.key)}, reported={})
            at_point[last.name, id(cell), text(point)] = made
            cells.append(made)

    def moved(trial: PlannedTrial) -> PlannedTrial:
        at = at_point.get((trial.stage, id(trial.cell), text(trial.point)))
        return trial if at is None else replace(trial, cell=at, point={})

    searched = {stage for stage, *_ in at_point}
    shown = replace(artifact, experiment=experiment).with_experiment(
        cells=tuple(cells),
        fan_out={},
        per_name_overrides={},
        stages=tuple(
            replace(stage, grid={}, settings=()) if stage.name in searched else stage
            for stage in experiment.stages
        ),
    )
    stages = tuple(replace(s, trials=tuple(map(moved, s.trials))) for s in plan.stages)
    return replace(plan, artifact=shown, cells=tuple(cells), stages=stages)


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
