"""Which point of a search won each cell, and whether it lies at the end of what was tried.

A winner at an end says that the best value may lie beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Experiment, Stage
from sweep.plan.expand import SEARCH
from sweep.tables.cell_names import cell_names

if TYPE_CHECKING:
    from sweep.aggregate import CellResult
    from sweep.plan.expand import Plan, PlannedTrial


def sentence(planned: Plan, results: Sequence[CellResult]) -> str:
    """``rho = 0.05, lr = 0.2 (largest of 3) for SAM``; empty if nothing was searched."""
    found: dict[str, list[str]] = {}
    name = cell_names(result.cell for result in results)
    for result, said in zip(results, points(planned, results, ends=True), strict=True):
        if said:
            so_far = " (so far)" if result.provisional else ""
            found.setdefault(said, []).append(name(result.cell) + so_far)
    return "; ".join(f"{point} for {', '.join(cells)}" for point, cells in found.items())


def points(planned: Plan, results: Sequence[CellResult], ends: bool = False) -> list[str]:
    """The point that won each cell, ``rho = 0.05, lr = 0.2``.

    Empty where nothing was searched, the cell is hidden, or it has no number yet.

    Args:
        ends: Say so of a value that lies at an end of those that were tried.
    """
    trials = planned.by_id
    experiment = planned.artifact.experiment
    tried: dict[tuple[str, tuple[str, ...]], Mapping[str, Sequence[Any]]] = {}
    found = []
    for result in results:
        numbers = any(summary.n for summary in result.metrics.values())
        if result.cell.hidden or not numbers:
            found.append("")
            continue
        place = result.stage, result.cell.fixed
        if place not in tried:
            tried[place] = _tried(experiment, experiment.stage(result.stage), result.cell.fixed)
        found.append(_point(tried[place], trials[result.trial_ids[0]], ends))
    return found


def _point(tried: Mapping[str, Sequence[Any]], trial: PlannedTrial, ends: bool) -> str:
    """Those settings of a trial that were searched, here or in the stage that it starts from."""
    settings = trial.settings.model_dump(mode="json")
    return ", ".join(
        f"{name.rpartition('.')[2]} = {_word(value)}{_end(value, values) if ends else ''}"
        for name, values in tried.items()
        if (value := _at(settings, name)) is not None
    )


def _tried(
    experiment: Experiment, stage: Stage, fixed: tuple[str, ...]
) -> dict[str, Sequence[Any]]:
    """Field -> the values that a stage tries of it, or one before whose winner it takes over.

    Fields that all points have and have in common are left out, and those that are ``fixed``.
    """
    stage = stage.without(fixed)
    if stage.name.startswith(SEARCH):  # it has not all that was tried
        return dict.fromkeys(stage.searched, ())
    found: dict[str, Sequence[Any]] = {}
    if stage.after is not None:
        before = _tried(experiment, experiment.stage(stage.after), fixed)
        if all(_handed_on(stage, name) for name in before):
            found |= before
    for name in dict.fromkeys(name for setting in stage.settings for name in setting):
        values = [setting[name] for setting in stage.settings if name in setting]
        distinct = list({repr(value): value for value in values}.values())
        if len(distinct) > 1 or len(values) < len(stage.settings):
            found[name] = distinct
    return found | {name: values for name, values in stage.grid.items() if len(values) > 1}


def _handed_on(stage: Stage, name: str) -> bool:
    return name in stage.inherit or name.rpartition(".")[0] in stage.inherit


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
    if not tried or len(numbers) < len(tried) or value not in (min(numbers), max(numbers)):
        return ""
    return f" ({'smallest' if value == min(numbers) else 'largest'} of {len(numbers)})"


__all__ = ["points", "sentence"]
