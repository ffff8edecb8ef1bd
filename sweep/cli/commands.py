"""The command ``sweep``. Heavy imports wait for the work, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import pkgutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.data import app as data_app
from sweep.cli.options import Format, OutputFormat
from sweep.cli.parts import Kind
from sweep.cli.workflow import (
    conclude,
    connect,
    find_artifact,
    plan_artifact,
    plan_from_record,
    run_missing,
    show,
    show_table,
    tracking_of,
)
from sweep.run.executor import executor
from sweep.selection import listed
from trainables.errors import UsageError, tell

app = typer.Typer(
    name="sweep",
    help="Re-run the experiments of five papers on flat minima and print their tables again.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


app.add_typer(data_app)


class ExecutorName(StrEnum):
    """Who runs trials."""

    ray = "ray"
    serial = "serial"


_FORMATS = Path(__file__).parents[1] / "tables" / "formats"
TABLE_FORMATS = [module.name for module in pkgutil.iter_modules([str(_FORMATS)])]
"""Known without importing one of them."""


def _known_format(name: str) -> str:
    if name not in TABLE_FORMATS:
        known = ", ".join(map(repr, TABLE_FORMATS))
        raise typer.BadParameter(f"{name!r} is not one of {known}.")
    return name


ArtifactId = Annotated[str, typer.Argument(help="PAPER/NAME of a table or figure.")]
PresetName = Annotated[str, typer.Option("--preset", help="paper, small or smoke.")]
SelectionName = Annotated[
    str, typer.Option("--selection", help=f"How hyper-parameters are chosen. {listed()}.")
]
StorageUri = Annotated[
    str,
    typer.Option(
        "--storage", envvar="FLATSWEEP_STORAGE", help="Folder or URI of results and checkpoints."
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option("--tracking-uri", help="MLflow store [default: SQLite beside the results]."),
]
Address = Annotated[
    str | None, typer.Option("--address", help="Ray cluster to join [default: a local one].")
]
By = Annotated[
    ExecutorName,
    typer.Option(
        "--executor", help="ray, or serial: one trial at a time in this process, for a debugger."
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        "--workers",
        envvar="FLATSWEEP_WORKERS",
        help="Workers that share each trial, such as 4; 4:sync joins their BatchNorm statistics. "
        "Where that makes other trials of them, `sweep table` needs it too.",
    ),
]
DataDir = Annotated[Path | None, typer.Option("--data", help="Folder of the data sets.")]
Gpus = Annotated[
    float | None,
    typer.Option(help="GPUs of the same; may be a fraction [default: 1 if there are any].", min=0),
]
Cpus = Annotated[float, typer.Option(help="CPUs of each trial, or of each worker.", min=0)]
Concurrency = Annotated[
    int | None, typer.Option(help="Most trials at once [default: as many as fit].", min=1)
]
KeepWeights = Annotated[str, typer.Option(help="Weights kept of each trial: none, last or best.")]
Rendered = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"How the table is written: {', '.join(TABLE_FORMATS)}.",
        callback=_known_format,
    ),
]


@app.command("list")
def list_parts(
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


@app.command("plan")
def plan(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    workers: Workers = "1",
    time: Annotated[
        bool, typer.Option("--time", help="Time a few steps of each network that none ran yet.")
    ] = False,
    data: DataDir = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What would run: stages, grids, trials, hours. Trains nothing, but for the steps of --time."""
    from functools import partial

    from sweep.cli import listing
    from sweep.plan.cost import estimate, timed_here

    planned, record, tracker = plan_from_record(
        artifact, preset, selection, storage, tracking_uri, workers
    )
    outdated = tracker.outdated(planned.artifact.id, preset)
    say = partial(print, file=sys.stderr, flush=True)
    cost = estimate(planned, record, partial(timed_here, data=data, notify=say) if time else None)
    if format is OutputFormat.json:
        show(listing.plan_as_dict(planned, record, cost, outdated))
    else:
        show(listing.plan_as_text(planned, record, cost, outdated))


@app.command("run")
def run(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    address: Address = None,
    by: By = ExecutorName.ray,
    data: DataDir = None,
    workers: Workers = "1",
    cpus: Cpus = 1,
    gpus: Gpus = None,
    concurrency: Concurrency = None,
    keep_weights: KeepWeights = "none",
) -> None:
    """Run what is missing. Safe to stop and to repeat: nothing finished is run again."""
    planned, record, _ = run_missing(
        find_artifact(artifact, preset, workers), preset, selection, storage, tracking_uri,
        executor(by, address, cpus, gpus, concurrency), data, keep_weights,
    )  # fmt: skip
    conclude(planned, record)


@app.command("table")
def table(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    workers: Workers = "1",
    format: Rendered = "terminal",  # noqa: A002
) -> None:
    """The table, from the record: measured beside printed."""
    planned, record, tracker = plan_from_record(
        artifact, preset, selection, storage, tracking_uri, workers
    )
    show_table(planned, record, tracker, format)


@app.command("reproduce")
def reproduce(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    address: Address = None,
    by: By = ExecutorName.ray,
    data: DataDir = None,
    workers: Workers = "1",
    cpus: Cpus = 1,
    gpus: Gpus = None,
    concurrency: Concurrency = None,
    keep_weights: KeepWeights = "none",
    format: Rendered = "terminal",  # noqa: A002
) -> None:
    """Run what is missing, then print the table."""
    planned, record, tracker = run_missing(
        find_artifact(artifact, preset, workers), preset, selection, storage, tracking_uri,
        executor(by, address, cpus, gpus, concurrency), data, keep_weights,
    )  # fmt: skip
    show_table(planned, record, tracker, format)
    conclude(planned, record)


@app.command("search")
def search(
    artifact: ArtifactId,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="LABEL=VALUE of the row to search for; may be repeated."),
    ] = None,
    points: Annotated[int, typer.Option(help="Points to try beside the grid's.", min=1)] = 20,
    at_once: Annotated[
        int, typer.Option("--round", help="Points proposed at once, from all before.", min=1)
    ] = 4,
    preset: PresetName = "smoke",
    selection: SelectionName = "validation",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    address: Address = None,
    by: By = ExecutorName.ray,
    data: DataDir = None,
    workers: Workers = "1",
    cpus: Cpus = 1,
    gpus: Gpus = None,
    concurrency: Concurrency = None,
    keep_weights: KeepWeights = "none",
    format: Rendered = "terminal",  # noqa: A002
) -> None:
    """Search one row between its grid's points, with Optuna."""
    from functools import partial

    from sweep.run.search import search as by_proposals

    wrong = [pair for pair in where or () if "=" not in pair]
    if wrong:
        raise UsageError(f"--where {wrong[0]!r}: give LABEL=VALUE, such as method=NRS")
    row = dict(pair.split("=", 1) for pair in where or ())
    if len(row) < len(where or ()):
        raise UsageError("--where has a label twice; a search is for one row")
    runner = partial(by_proposals, where=row, proposals=points, at_once=at_once)
    planned, record, tracker = run_missing(
        find_artifact(artifact, preset, workers), preset, selection, storage, tracking_uri,
        executor(by, address, cpus, gpus, concurrency), data, keep_weights, runner,
    )  # fmt: skip
    show_table(planned, record, tracker, format)
    conclude(planned, record)


@app.command("plot")
def plot(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    workers: Workers = "1",
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Draw a figure from the record."""
    from sweep import figures

    planned, record, tracker = plan_from_record(
        artifact, preset, selection, storage, tracking_uri, workers
    )
    path = out or Path(f"{planned.artifact.id.replace('/', '-')}-{preset}.png")
    figures.save(figures.draw(planned, tracker.with_curves(planned, record)), path)
    print(path)


@app.command("measure")
def measure(
    artifact: ArtifactId,
    name: Annotated[str, typer.Option("--measure", help="A name in trainables.measures.")],
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    address: Address = None,
    by: By = ExecutorName.ray,
    data: DataDir = None,
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

    shrunk = find_artifact(artifact, preset)
    measured = remeasure.with_measure(shrunk, name, option or [], samples)
    if not retrain:
        planned, record, _ = plan_artifact(measured, preset, selection, storage, tracking_uri)
        remeasure.check_weights(planned, record, storage)
    done, record, _ = run_missing(
        measured, preset, selection, storage, tracking_uri, executor(by, address), data
    )
    conclude(done, record)


@app.command("status")
def status(
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """What is in the record: sweeps, and how their trials ended."""
    from sweep.cli import listing

    rows = listing.status(connect(storage, tracking_uri))
    show(rows if format is OutputFormat.json else listing.status_text(rows))


@app.command("ui")
def ui(
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    port: Annotated[int, typer.Option(help="On 127.0.0.1.", min=1, max=65535)] = 5000,
) -> None:
    """Open the MLflow UI on the record (Ctrl-C ends it)."""
    from sweep.cli import ui

    raise typer.Exit(ui.serve(tracking_of(storage, tracking_uri), port))


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="File to write: .parquet, .csv or .jsonl.")],
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    history: Annotated[bool, typer.Option(help="With the per-epoch curves (.jsonl).")] = False,
) -> None:
    """Write the whole record to a file: a row a trial and metric."""
    from sweep.record import export as exporting

    count = exporting.write(connect(storage, tracking_uri), out, history)
    print(f"{count} trials written to {out}")


@app.command("doctor")
def doctor(
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    data: DataDir = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """Check Python, torch, GPU, Ray, MLflow's store, disk and data sets; say how to fix each."""
    from sweep.cli import doctor as checks

    findings = checks.examine(storage, tracking_of(storage, tracking_uri), data)
    show([vars(f) for f in findings] if format is OutputFormat.json else checks.text(findings))
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Entry point. Exit codes: 0, 1 (failed), 2 (bad usage). `tell` says what failed."""
    try:
        app()
    except BrokenPipeError:
        # The reader (head, less) left; nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        sys.exit(tell(error, "sweep"))


if __name__ == "__main__":
    main()
