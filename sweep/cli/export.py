"""`sweep export`: the record, or what it has of a sweep, as a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import Refresh, SweepOptions, VariantOptions, option_groups
from sweep.cli.workflow import plan_sweep, plan_sweeps, refuse_without_record, tracker_of
from trainables.errors import UsageError


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
            "it a table, figure, paper or sweep's file whose trials alone are written; .journal: "
            "what `sweep search` has tried of it, for optuna-dashboard.",
        ),
    ],
    layout: Annotated[
        LayoutName,
        typer.Option("--layout", help="long: a row per number; wide: a row per trial."),
    ] = LayoutName.long,
    curves: Annotated[
        bool, typer.Option("--curves", "--history", help="With the numbers of every epoch.")
    ] = False,
    points: Annotated[
        int | None,
        typer.Option("--points", help="So many epochs of each curve at most [all].", min=2),
    ] = None,
    refresh: Refresh = False,
) -> None:
    """Write trials to a file: every setting, what they are for, where they come from, all numbers.

    Example: sweep export nrs/table1 nrs.csv --preset small --where method=NRS --layout wide
    """
    from sweep.plan import study
    from sweep.plan.places import places
    from sweep.record import export as exporting

    *artifact, file = names
    if len(artifact) > 1:
        raise UsageError(f"{' '.join(names)}: name one artifact and the file to write")
    given = [chosen.preset, chosen.read, chosen.settings, chosen.where, chosen.seeds]
    if not artifact and any(given):
        raise UsageError(f"name the artifact whose trials are meant: sweep export ARTIFACT {file}")
    if file.endswith(study.SUFFIX):
        _export_search(chosen, artifact, Path(file), refresh)
        return
    exporting.check(Path(file))
    if artifact:
        found = plan_sweeps(SweepOptions(artifact=artifact[0], **vars(chosen)), refresh)
        those = [place for each in found for place in places(*each)]
        record = found[0][1]
    else:
        those, record = None, tracker_of(chosen).load(refresh)
    refuse_without_record(chosen)
    count = exporting.write(record, Path(file), curves or points is not None, layout, those, points)
    print(f"{count} trials written to {file}")


def _export_search(chosen: VariantOptions, artifact: list[str], file: Path, refresh: bool) -> None:
    """Write what was searched of an artifact as studies of Optuna's."""
    from sweep.plan import study, tried

    if not artifact:
        raise UsageError(f"name the artifact that was searched: sweep export ARTIFACT {file}")
    planned, record = plan_sweep(SweepOptions(artifact=artifact[0], **vars(chosen)), None, refresh)
    refuse_without_record(chosen)
    _, rows = tried.tried_rows(planned, record)
    points = study.write(rows, file)
    print(f"{points} points of {len(rows)} rows written to {file}; optuna-dashboard {file}")


__all__ = ["export"]
