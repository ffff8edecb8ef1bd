"""`sweep report`: what is recorded of a paper, a table or figure, or one's own sweep, on a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import Refresh, SweepOptions, option_groups
from sweep.cli.readings import or_list_readings
from sweep.cli.workflow import command_of, file_of, plan_sweeps, refuse_without_record

if TYPE_CHECKING:
    from sweep.plan.expand import Plan


@option_groups
@or_list_readings
def report(
    sweep: SweepOptions,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write: .html or .md [default: ARTIFACT-PRESET.html]."),
    ] = None,
    refresh: Refresh = False,
) -> None:
    """One page of what is recorded: protocol, numbers, figures, claims, and what is missing.

    Example: sweep report nrs --preset small --out nrs.html
    """
    from sweep.cli.claims import judged_if_any
    from sweep.report.page import report_of
    from sweep.report.write import check, write

    if out is not None:
        check(out)
    found = plan_sweeps(sweep, refresh)
    refuse_without_record(sweep)
    plans, record = [plan for plan, _ in found], found[0][1]
    about = _about(sweep, plans[0])
    commands = [command_of(sweep, *plans, verb=verb) for verb in ("run", "report")]
    page = report_of(about, plans, record, judged_if_any(sweep), commands)
    path = out or file_of([about, plans[0].preset, plans[0].variant], ".html")
    write(page, path)
    print(path)


def _about(options: SweepOptions, plan: Plan) -> str:
    """The paper, or the table, figure or sweep by its id."""
    import search_spaces

    paper = search_spaces.paper_of(options.artifact)
    return paper.key if paper else plan.artifact.id


__all__ = ["report"]
