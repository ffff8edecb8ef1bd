"""What each recorded trial of a plan is there for: sweep, stage and cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sweep.plan.expand import Plan
from sweep.record.record import Record


def places(plan: Plan, record: Record) -> Iterator[tuple[str, Mapping[str, str]]]:
    """A trial's id and the names of its place, for each cell that is shown and each stage.

    ``artifact``, ``preset``, ``selection``, ``variant``, ``stage``, and ``cell.LABEL`` for every
    label; a trial that several cells need has several places, one that is not recorded none.
    """
    sweep = {
        "artifact": plan.artifact.id,
        "preset": plan.preset,
        "selection": plan.selection.name,
        "variant": plan.variant,
    }
    for stage in plan.stages:
        for trial in stage.trials:
            if not trial.cell.hidden and record.status(trial.trial_id) != "missing":
                labels = {f"cell.{name}": trial.cell.label(name) for name in trial.cell.key}
                yield trial.trial_id, {**sweep, "stage": stage.name, **labels}


__all__ = ["places"]
