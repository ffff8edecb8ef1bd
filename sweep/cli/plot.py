"""`sweep plot`: figures from the record, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import FigureKind, Refresh, SweepOptions, option_groups
from sweep.cli.readings import or_list_readings
from sweep.cli.workflow import file_of, plan_sweep, refuse_without_record

if TYPE_CHECKING:
    from sweep.plan.expand import Plan


@option_groups
@or_list_readings
def plot(
    sweep: SweepOptions,
    kind: Annotated[
        FigureKind | None,
        typer.Option(
            "--kind",
            help="printed: measured against printed; cost: error against cost; "
            "curves: every epoch; grid: what was searched; search: what `sweep search` tried "
            "[default: the figure's own].",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write: .png, .svg or .pdf.")
    ] = None,
    refresh: Refresh = False,
) -> None:
    """Draw a figure from the record, or a --kind of any table; several are numbered.

    Example: sweep plot nrs/figure1 --preset small --out figure1.pdf
    """
    from sweep import figures

    planned, record = plan_sweep(sweep, refresh=refresh)
    refuse_without_record(sweep)
    path = out or figure_file(planned, kind)
    drawn = figures.figures_of(planned, record, kind)
    for i, figure in enumerate(drawn, 1):
        file = path if len(drawn) == 1 else path.with_stem(f"{path.stem}-{i}")
        figures.save(figure, file)
        print(file)


def figure_file(planned: Plan, kind: str | None = None) -> Path:
    """Where a figure is written by default: each variant and kind of it to a file of its own."""
    words = [planned.artifact.id, planned.preset, planned.variant, kind or ""]
    return file_of(words, ".png")


__all__ = ["figure_file", "plot"]
