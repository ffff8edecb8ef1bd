"""`sweep export`: the record, or what it has of a sweep, as a file."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import Refresh, SweepOptions, VariantOptions, option_groups
from sweep.cli.workflow import plan_sweeps, refuse_without_record, tracker_of
from trainables.errors import UsageError

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.export import Place
    from sweep.record.record import Record


class LayoutName(StrEnum):
    """How numbers stand in the file (`sweep.record.export.Layout`)."""

    long = "long"
    wide = "wide"


@option_groups
def export(
    chosen: VariantOptions,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[ARTIFACT] FILE",
            help="File to write: .csv, .parquet or .json, or .jsonl, the record's own form; before "
            "it a table, figure, paper or sweep's file whose trials alone are written.",
        ),
    ],
    layout: Annotated[
        LayoutName,
        typer.Option("--layout", help="long: a row per number; wide: a row per trial."),
    ] = LayoutName.long,
    curves: Annotated[
        bool, typer.Option("--curves", "--history", help="With the numbers of every epoch.")
    ] = False,
    refresh: Refresh = False,
) -> None:
    """Write trials to a file: every setting, what they are for, where they come from, all numbers.

    Example: sweep export nrs/table1 nrs.csv --preset small --where method=NRS --layout wide
    """
    from sweep.record import export as exporting

    *artifact, file = names
    if len(artifact) > 1:
        raise UsageError(f"{' '.join(names)}: name one artifact and the file to write")
    given = [chosen.preset, chosen.read, chosen.settings, chosen.where, chosen.seeds]
    if not artifact and any(given):
        raise UsageError(f"name the artifact whose trials are meant: sweep export ARTIFACT {file}")
    exporting.check(Path(file))
    if artifact:
        found = plan_sweeps(SweepOptions(artifact=artifact[0], **vars(chosen)), refresh)
        places = [place for each in found for place in _places(*each)]
        record = found[0][1]
    else:
        places, record = None, tracker_of(chosen).load(refresh)
    refuse_without_record(chosen)
    count = exporting.write(record, Path(file), curves, layout, places)
    print(f"{count} trials written to {file}")


def _places(plan: Plan, record: Record) -> Iterator[Place]:
    """What each recorded trial of a plan is there for: one place per cell and stage that shows."""
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


__all__ = ["export"]
