"""Which point of a search won each cell, and whether it lies at the end of what was tried.

A winner at an end says that the best value may lie beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Cell, Experiment, Stage

if TYPE_CHECKING:
    from sweep.aggregate import CellResult
    from sweep.plan.expand import Plan, PlannedTrial


def sentence(planned: Plan, results: Sequence[CellResult]) -> str:
    """``rho = 0.05, lr = 0.2 (largest of 3) for SAM``; empty if nothing was searched."""
    trials = {t.trial_id: t for stage in planned.stages for t in stage.trials}
    found: dict[str, list[str]] = {}
    for result in results:
        numbers = any(summary.n for summary in result.metrics.values())
        if result.cell.hidden or not numbers:
            continue
        said = _point(planned.artifact.experiment, result, trials[result.trial_ids[0]])
        if said:
            so_far = " (so far)" if result.provisional else ""
            cell = " / ".join(map(result.cell.label, result.cell.key))
            found.setdefault(said, []).append(cell + so_far)
    return "; ".join(f"{point} for {', '.join(cells)}" for point, cells in found.items())


def _point(experiment: Experiment, result: CellResult, trial: PlannedTrial) -> str:
    """The settings of a trial that were searched, here or in the stage that it starts from."""
    settings = trial.config.model_dump(mode="json")
    stage = experiment.stage(result.stage)
    return ", ".join(
        f"{name.rpartition('.')[2]} = {_word(value)}{_end(value, tried)}"
        for name, tried in _tried(experiment, stage, result.cell).items()
        if (value := _at(settings, name)) is not None
    )


def _tried(experiment: Experiment, stage: Stage, cell: Cell) -> dict[str, list[Any]]:
    """Field -> the values that were tried of it, in the stages before, too.

    Fields that all points have and have in common are left out.
    """
    found: dict[str, list[Any]] = {}
    for searched in _stages(experiment, stage, cell):
        points = list(searched.points())
        for name in dict.fromkeys(name for point in points for name in point):
            values = [point[name] for point in points if name in point]
            distinct = [v for i, v in enumerate(values) if v not in values[:i]]
            if len(distinct) > 1 or len(values) < len(points):
                found[name] = distinct
    return found


def _stages(experiment: Experiment, stage: Stage, cell: Cell) -> Iterator[Stage]:
    """The stage, and before it those from whose winner it takes over all that they search."""
    if stage.after is not None and stage.inherit:
        yield from (
            before
            for before in _stages(experiment, experiment.stage(stage.after), cell)
            if {name for point in before.points() for name in point} <= _handed_on(stage, before)
        )
    yield stage


def _handed_on(stage: Stage, before: Stage) -> set[str]:
    names = {name for point in before.points() for name in point}
    return {n for n in names if n in stage.inherit or n.rpartition(".")[0] in stage.inherit}


def _at(settings: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where a conditional setting is not there."""

    def below(node: Any, key: str) -> Any:
        return node.get(key) if isinstance(node, Mapping) else None

    return reduce(below, path.split("."), settings)


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name", value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _end(value: Any, tried: Sequence[Any]) -> str:
    """`` (largest of 3)`` where a number is at an end of the values that were tried."""
    numbers = [v for v in tried if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(tried) or value not in (min(numbers), max(numbers)):
        return ""
    return f" ({'smallest' if value == min(numbers) else 'largest'} of {len(numbers)})"


__all__ = ["sentence"]
