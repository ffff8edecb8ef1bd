"""What becomes of an experiment's stages when cells no longer take over what a winner has found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from search_spaces.spec import Cell, Experiment, Stage
from search_spaces.view import View


def freed(stage: Stage, cells: Iterable[Cell]) -> Stage:
    """``stage`` without the fields that are fixed in all of the ``cells`` that it covers.

    They are neither searched nor taken over; if nothing else is, it waits for no winner.
    """
    covered = [set(cell.fixed) for cell in cells if stage.covers(cell)]
    return stage.without(set.intersection(*covered) if covered else ())


def pruned(before: Experiment, after: Experiment, view: View) -> Experiment:
    """``after`` without the stages from which nothing is taken over any more, as was ``before``.

    A stage stays where a number that is shown, or related to, comes from it. Cells that are hidden
    and in no stage fall out with it.
    """

    def wanted(cell: Cell) -> bool:
        references = (metric.relative_to for metric in view.metrics)
        related = (entries.items() <= cell.key.items() for entries in references if entries)
        return not cell.hidden or any(related)

    def is_last(stage: Stage, cell: Cell) -> bool:
        return stage.covers(cell) and after.last_stage(cell) is stage

    while True:
        lost = _parents(before) - _parents(after)
        idle = [
            stage
            for stage in after.stages
            if stage.name in lost and not any(wanted(c) and is_last(stage, c) for c in after.cells)
        ]
        if not idle:
            return after
        stages = tuple(stage for stage in after.stages if stage not in idle)
        cells = (c for c in after.cells if wanted(c) or any(s.covers(c) for s in stages))
        after = replace(after, cells=tuple(cells), stages=stages)


def _parents(experiment: Experiment) -> set[str]:
    return {stage.after for stage in experiment.stages if stage.after is not None}


__all__ = ["freed", "pruned"]
