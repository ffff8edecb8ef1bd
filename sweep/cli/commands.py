"""The command ``sweep``. Heavy imports wait for the work, so that ``--help`` answers at once."""

from __future__ import annotations

import gc
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.data import app as data_app
from sweep.cli.options import (
    AllPoints,
    DataDir,
    ExecutionOptions,
    FigureKind,
    Format,
    OutputFormat,
    PartsOptions,
    RecordOptions,
    Refresh,
    SearchOptions,
    SelectionName,
    SweepOptions,
    TableFormat,
    Where,
    option_groups,
    parse_options,
    parse_where,
)
from sweep.cli.parts import Kind
from sweep.cli.readings import or_list_readings
from sweep.cli.workflow import (
    artifact_of,
    conclude,
    figure_file,
    find_artifact,
    plan_sweep,
    run_sweep,
    say_data_notes,
    show,
    show_difference,
    show_table,
    tracker_of,
    tracking_of,
)
from trainables.errors import UsageError, print_error

app = typer.Typer(
    name="sweep",
    help="Re-run the experiments of five papers on flat minima and print their tables again.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


GARBAGE = 100_000
"""Objects that are made before Python looks for garbage (which else are 700)."""

app.add_typer(data_app)


@app.command("list")
@option_groups
def list_parts(
    imported: PartsOptions,
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = Kind.artifacts,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What can be reproduced: every table and figure, and the trials each preset needs.

    Or what a trial can be made of: methods, models, data, ... with their options.
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
    data: DataDir = None,
    refresh: Refresh = False,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What would run: stages, grids, trials, hours. Trains nothing, but for the steps of --time."""
    from functools import partial

    from sweep.cli import listing
    from sweep.plan.cost import estimate, timed_here

    planned, record = plan_sweep(sweep, refresh=refresh)
    outdated = record.outdated(planned.artifact.id, planned.preset, planned.variant)
    notify = partial(print, file=sys.stderr, flush=True)
    timing = partial(timed_here, data=data, notify=notify) if time else None
    cost = estimate(planned, record, timing)
    if format is OutputFormat.json:
        show(listing.plan_as_dict(planned, record, cost, outdated))
    else:
        show(listing.plan_as_text(planned, record, cost, outdated))
    say_data_notes(planned, data)


@app.command("run")
@option_groups
@or_list_readings
def run(sweep: SweepOptions, execution: ExecutionOptions) -> None:
    """Run what is missing. Safe to stop and to repeat: nothing finished is run again."""
    planned, record = run_sweep(sweep, execution)
    conclude(planned, record)


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
    """The table, from the record: measured beside printed, or beside another reading."""
    if against and all_points:
        raise UsageError("--against compares what is read; --all-points is for one table")
    if against:
        show_difference(sweep, against, format, refresh)
        return
    planned, record = plan_sweep(sweep, refresh=refresh)
    show_table(planned, record, format, all_points)


@app.command("reproduce")
@option_groups
@or_list_readings
def reproduce(
    sweep: SweepOptions,
    execution: ExecutionOptions,
    format: TableFormat = "terminal",  # noqa: A002
) -> None:
    """Run what is missing, then print the table."""
    planned, record = run_sweep(sweep, execution, shown=format)
    show_table(planned, record, format)
    conclude(planned, record)


@app.command("search")
@option_groups
@or_list_readings
def search(
    sweep: SearchOptions,
    execution: ExecutionOptions,
    where: Where = None,
    points: Annotated[int, typer.Option(help="Points to try beside the grid's.", min=1)] = 20,
    at_once: Annotated[
        int, typer.Option("--round", help="Points proposed at once, from all before.", min=1)
    ] = 4,
    format: TableFormat = "terminal",  # noqa: A002
) -> None:
    """Search one row between its grid's points, with Optuna."""
    from functools import partial

    from sweep.run.search import search as by_proposals

    row = parse_where(where or ())
    runner = partial(by_proposals, where=row, proposals=points, at_once=at_once)
    planned, record = run_sweep(sweep, execution, runner=runner, shown=format)
    show_table(planned, record, format)
    conclude(planned, record)


@app.command("plot")
@option_groups
@or_list_readings
def plot(
    sweep: SweepOptions,
    kind: Annotated[
        FigureKind | None,
        typer.Option("--kind", help="grid: what was searched [default: the figure's own]."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write: .png, .svg or .pdf.")
    ] = None,
    refresh: Refresh = False,
) -> None:
    """Draw a figure from the record; of a file with several, each."""
    from sweep import figures

    planned, record = plan_sweep(sweep, refresh=refresh)
    path = out or figure_file(planned)
    drawn = figures.figures_of(planned, record, kind)
    for i, figure in enumerate(drawn, 1):
        file = path if len(drawn) == 1 else path.with_stem(f"{path.stem}-{i}")
        figures.save(figure, file)
        print(file)


@app.command("measure")
@option_groups
@or_list_readings
def measure(
    sweep: SweepOptions,
    execution: ExecutionOptions,
    name: Annotated[str, typer.Option("--measure", help="A name in trainables.measures.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="Of the measure: num_samples=50.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="First so many training images.")] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train trials again whose weights were not kept.")
    ] = False,
) -> None:
    """Measure a quantity on finished trials, from their kept weights, and record it."""
    from sweep.plan import remeasure

    measured = remeasure.with_measure(
        artifact_of(sweep),
        name,
        parse_options(option or ()),
        samples,
    )
    if not retrain:
        planned, record = plan_sweep(sweep, measured)
        remeasure.check_weights(planned, record, sweep.storage)
    done, record = run_sweep(sweep, execution, measured)
    conclude(done, record)


@app.command("status")
@option_groups
def status(
    record: RecordOptions,
    refresh: Refresh = False,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What is in the record: sweeps, and how their trials ended."""
    from sweep.cli import listing

    rows = listing.status(tracker_of(record).load(refresh))
    show(rows if format is OutputFormat.json else listing.status_text(rows))


@app.command("ui")
@option_groups
def ui(
    record: RecordOptions,
    port: Annotated[int, typer.Option(help="On 127.0.0.1.", min=1, max=65535)] = 5000,
) -> None:
    """Open the MLflow UI on the record (Ctrl-C ends it)."""
    from sweep.cli import ui

    raise typer.Exit(ui.serve(tracking_of(record), port))


@app.command("export")
@option_groups
def export(
    record: RecordOptions,
    out: Annotated[Path, typer.Argument(help="File to write: .parquet, .csv or .jsonl.")],
    history: Annotated[bool, typer.Option(help="With the per-epoch curves (.jsonl).")] = False,
    refresh: Refresh = False,
) -> None:
    """Write the whole record to a file: one row per trial and metric."""
    from sweep.record import export as exporting

    count = exporting.write(tracker_of(record).load(refresh), out, history)
    print(f"{count} trials written to {out}")


@app.command("doctor")
@option_groups
def doctor(
    record: RecordOptions,
    imported: PartsOptions,
    data: DataDir = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """Check Python, torch, GPU, Ray, MLflow's store, disk and data sets; say how to fix each."""
    from sweep.cli import doctor as checks

    findings = checks.examine(record.storage, tracking_of(record), data)
    show([vars(f) for f in findings] if format is OutputFormat.json else checks.text(findings))
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Entry point. Exit codes: 0, 1 (failed), 2 (bad usage). `print_error` says what failed."""
    # What plans and records are made of stays. To look through all of it for garbage whenever it
    # has grown by a quarter takes as long as to make it.
    gc.set_threshold(GARBAGE)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding has not is replaced
            stream.reconfigure(errors="replace")
    try:
        app()
    except BrokenPipeError:
        # The reader (head, less) left; nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        sys.exit(print_error(error, "sweep"))


if __name__ == "__main__":
    main()
