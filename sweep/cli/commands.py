"""The command ``sweep``. Heavy imports wait for the work, so that ``--help`` answers at once."""

from __future__ import annotations

import gc
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sweep.cli import watch
from sweep.cli.beyond import measure, search
from sweep.cli.claims import claims
from sweep.cli.complete import completion, listen
from sweep.cli.data import app as data_app
from sweep.cli.export import export
from sweep.cli.garbage import gc as gc_command
from sweep.cli.options import (
    AllPoints,
    DataDir,
    ExecutionOptions,
    Format,
    Only,
    OutputFormat,
    PartsOptions,
    RecordOptions,
    Refresh,
    SelectionName,
    SweepOptions,
    TableFormat,
    Where,
    option_groups,
    parse_where,
)
from sweep.cli.parts import Kind
from sweep.cli.plot import plot
from sweep.cli.profile import profile
from sweep.cli.readings import or_list_readings
from sweep.cli.report import report
from sweep.cli.sync import sync
from sweep.cli.workflow import (
    conclude,
    conclude_all,
    find_artifact,
    mention_without_record,
    plan_sweep,
    plan_sweeps,
    refuse_without_record,
    run_sweep,
    run_sweeps,
    say_data_notes,
    show,
    show_difference,
    show_table,
    show_tables,
    tracking_of,
)
from trainables.errors import UsageError, print_error

app = typer.Typer(
    name="sweep",
    help="Re-run the experiments of five papers on flat minima and print their tables again.\n\n"
    "Example: sweep reproduce compare/methods --preset smoke",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


GARBAGE = 100_000
"""Objects that are made before Python looks for garbage (which else are 700)."""

app.add_typer(data_app)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        print(f"flatsweep {metadata.version('flatsweep')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """What is asked of the command itself."""


@app.command("list")
@option_groups
def list_parts(
    imported: PartsOptions,
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = Kind.artifacts,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What can be reproduced: every table and figure, and the trials each preset needs.

    Or what a trial can be made of: methods, models, data, ... with their options.

    Example: sweep list methods
    """
    from sweep.cli import listing, parts

    if kind is Kind.artifacts:
        rows = listing.rows()
        words = listing.text(rows)
    else:
        rows = parts.rows(kind)
        words = parts.text(rows)
    show(rows if format is OutputFormat.json else words)


@app.command("new")
@option_groups
def new(
    imported: PartsOptions,
    file: Annotated[
        Path | None, typer.Argument(help="File to write, such as my_sweep.yaml.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="PAPER/NAME, or a file, that it starts from.")
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="At which scale it starts from it [default: paper].")
    ] = "",
    where: Where = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of such files, for an editor.")
    ] = False,
) -> None:
    """Write the file of a sweep of your own, with comments, to start from.

    Example: sweep new my_sweep.yaml --from nrs/table1 --where method=NRS
    """
    from sweep.cli import own

    if schema:
        from sweep.files.schema import FILE

        show(FILE.read_text(encoding="utf-8").rstrip())
    elif file is None:
        raise UsageError("name the file to write: sweep new my_sweep.yaml")
    else:
        found = find_artifact(start, preset or _whole(start)) if start else None
        own.new(file, found, parse_where(where or ()))
        print(f"{file} written; sweep plan {file} says what it would run")


def _whole(artifact: str) -> str:
    """The preset at which nothing of an artifact is changed."""
    from sweep.files import SUFFIXES

    return "full" if artifact.endswith(SUFFIXES) else "paper"


@app.command("show")
@option_groups
@or_list_readings
def show_resolved(
    sweep: SweepOptions,
    data: DataDir = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What a sweep's file, or a table's or figure's, resolved to: stages, rows, grids, trials.

    Example: sweep show my_sweep.yaml
    """
    from sweep.cli import own

    planned, _ = plan_sweep(sweep)
    found = own.resolved(planned)
    show(found if format is OutputFormat.json else own.resolved_text(found))
    say_data_notes(planned, data)


@app.command("grid")
@option_groups
def grid(
    record: RecordOptions,
    imported: PartsOptions,
    execution: ExecutionOptions,
    arguments: Annotated[
        list[str],
        typer.Argument(metavar="FIELD=VALUE[,VALUE...]", help="Searched, where several."),
    ],
    seeds: Annotated[int, typer.Option(help="How often each point is repeated.", min=1)] = 3,
    name: Annotated[
        str | None, typer.Option("--name", help="It is mine/NAME [default: grid-HASH].")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="A column; repeatable [test_error].")
    ] = None,
    selection: SelectionName = "paper",
    all_points: AllPoints = False,
    format: TableFormat = "terminal",  # noqa: A002
) -> None:
    """Run a grid that is written in the command, and print its table.

    Example: sweep grid method=sam method.rho=0.01,0.05,0.1 optimizer.lr=0.05,0.1 --seeds 3
    """
    from sweep.cli import own

    artifact = own.grid(arguments, seeds, name, metric or ())
    sweep = SweepOptions(artifact=artifact.id, selection=selection, **vars(record))
    planned, found = run_sweep(sweep, execution, artifact, shown=format)
    show_table(planned, found, format, all_points)
    conclude(planned, found)


@app.command("plan")
@option_groups
@or_list_readings
def plan(
    sweep: SweepOptions,
    time: Annotated[
        bool, typer.Option("--time", help="Time a few steps of each network that none ran yet.")
    ] = False,
    price: Annotated[
        float | None,
        typer.Option("--price", help="Of a GPU's hour: say what the hours cost.", min=0),
    ] = None,
    data: DataDir = None,
    refresh: Refresh = False,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What would run: stages, grids, trials, hours. Trains nothing, but for the steps of --time.

    Example: sweep plan nrs/table1 --preset small --time --price 2.5
    """
    from functools import partial

    import search_spaces
    from sweep.cli import listing, papers
    from sweep.plan.cost import estimate_all, timed_here

    found = plan_sweeps(sweep, refresh)
    planned, record = found[0]
    notify = partial(print, file=sys.stderr, flush=True)
    timing = partial(timed_here, data=data, notify=notify) if time else None
    cost = estimate_all([each for each, _ in found], record, timing, price)
    if search_spaces.paper_of(sweep.artifact):
        as_json = format is OutputFormat.json
        show((papers.plan_as_dict if as_json else papers.plan_as_text)(sweep.artifact, found, cost))
        return
    outdated = record.outdated(planned.artifact.id, planned.preset, planned.variant)
    if format is OutputFormat.json:
        show(listing.plan_as_dict(planned, record, cost, outdated))
    else:
        show(listing.plan_as_text(planned, record, cost, outdated))
    say_data_notes(planned, data)


@app.command("run")
@option_groups
@or_list_readings
def run(
    sweep: SweepOptions,
    execution: ExecutionOptions,
    only: Annotated[
        Only | None, typer.Option("--only", help="failed: those trials alone that failed.")
    ] = None,
) -> None:
    """Run what is missing. Safe to stop and to repeat: nothing finished is run again.

    A trial that failed is missing and is tried again too, with --only failed it alone.

    Example: sweep run nrs --preset small --gpus 0.5 --order seeds --max-hours 8
    """
    only_failed = only is Only.failed
    conclude_all(run_sweeps(sweep, execution, only_failed=only_failed), only_failed)


@app.command("table")
@option_groups
@or_list_readings
def table(
    sweep: SweepOptions,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            help="NAME=VALUE, text or code, as --read takes them, which they replace: show what is "
            "read less that, cell by cell. May be repeated.",
        ),
    ] = None,
    all_points: AllPoints = False,
    refresh: Refresh = False,
    format: TableFormat = "terminal",  # noqa: A002
) -> None:
    """The table, from the record: measured beside printed, or beside another reading.

    Example: sweep table nrs/table1 --preset small --where method=NRS --format md
    """
    if against and all_points:
        raise UsageError("--against compares what is read; --all-points is for one table")
    if against:
        show_difference(sweep, against, format, refresh)
        return
    found = plan_sweeps(sweep, refresh)
    mention_without_record(sweep)
    show_tables(found, format, all_points)


@app.command("reproduce")
@option_groups
@or_list_readings
def reproduce(
    sweep: SweepOptions,
    execution: ExecutionOptions,
    format: TableFormat = "terminal",  # noqa: A002
) -> None:
    """Run what is missing, then print the table.

    Example: sweep reproduce compare/methods --preset smoke
    """
    ended = run_sweeps(sweep, execution, shown=format)
    show_tables(ended, format)
    conclude_all(ended)


app.command("plot")(plot)
app.command("claims")(claims)
app.command("report")(report)
app.command("status")(watch.status)
app.command("logs")(watch.logs)
app.command("cancel")(watch.cancel)


@app.command("ui")
@option_groups
def ui(
    record: RecordOptions,
    port: Annotated[int, typer.Option(help="On 127.0.0.1.", min=1, max=65535)] = 5000,
) -> None:
    """Open the MLflow UI on the record (Ctrl-C ends it).

    Example: sweep ui --port 5001
    """
    from sweep.cli import ui

    refuse_without_record(record)
    raise typer.Exit(ui.serve(tracking_of(record), port))


@app.command("doctor")
@option_groups
def doctor(
    record: RecordOptions,
    imported: PartsOptions,
    data: DataDir = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """Check Python, torch, GPU, Ray, MLflow's store, disk and data sets; say how to fix each.

    Example: sweep doctor --storage /shared/results
    """
    from sweep.cli import doctor as checks

    findings = checks.examine(record.storage, tracking_of(record), data)
    show([vars(f) for f in findings] if format is OutputFormat.json else checks.text(findings))
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


app.command("search")(search)
app.command("measure")(measure)
app.command("profile")(profile)
app.command("sync")(option_groups(sync))
app.command("gc")(gc_command)
app.command("export")(export)
app.command("completion")(completion)


def main() -> None:
    """Entry point. Exit codes: 0, 1 (failed), 2 (bad usage). `print_error` says what failed."""
    # What plans and records are made of stays. To look through all of it for garbage whenever it
    # has grown by a quarter takes as long as to make it.
    gc.set_threshold(GARBAGE)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding has not is replaced
            stream.reconfigure(errors="replace")
    listen()
    try:
        app(prog_name="sweep")
    except BrokenPipeError:
        # The reader (head, less) left; nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        sys.exit(print_error(error, "sweep"))


if __name__ == "__main__":
    main()
