"""The command ``sweep``. Heavy imports wait for the work, so that ``--help`` answers at once."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.data_commands import app as data_app

if TYPE_CHECKING:
    from search_spaces.spec import Artifact
    from sweep.plan import Plan
    from sweep.record import Record
    from sweep.tables import Table
    from sweep.tracking import Tracker

app = typer.Typer(
    name="sweep",
    help="Re-run the experiments of five papers on flat minima and print their tables again.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


app.add_typer(data_app)


class Output(StrEnum):
    """Of commands that print facts."""

    text = "text"
    json = "json"


class TableFormat(StrEnum):
    """Of rendered tables."""

    terminal = "terminal"
    md = "md"
    latex = "latex"
    csv = "csv"
    json = "json"
    html = "html"


ArtifactId = Annotated[str, typer.Argument(help="PAPER/NAME of a table or figure.")]
PresetName = Annotated[str, typer.Option("--preset", help="paper, small or smoke.")]
SelectionName = Annotated[
    str, typer.Option("--selection", help="How hyper-parameters are chosen: paper or validation.")
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
Format = Annotated[Output, typer.Option("--format", help="text or json.")]
Rendered = Annotated[TableFormat, typer.Option("--format", help="How the table is written.")]


@app.command("list")
def list_artifacts(format: Format = Output.text) -> None:  # noqa: A002
    """What can be reproduced: every table and figure, and the trials each preset needs."""
    from sweep import inventory

    rows = inventory.rows()
    _print(rows if format is Output.json else inventory.text(rows), format)


@app.command("plan")
def show_plan(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    workers: Workers = "1",
    format: Format = Output.text,  # noqa: A002
) -> None:
    """What would run: stages, grids, trials, hours. Runs nothing."""
    from sweep import inventory

    planned, record, _ = _plan(artifact, preset, selection, storage, tracking_uri, workers)
    if format is Output.json:
        _print(inventory.plan_as_dict(planned, record), format)
    else:
        _print(inventory.plan_as_text(planned, record), format)


@app.command("run")
def run_missing(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    address: Address = None,
    data: DataDir = None,
    workers: Workers = "1",
    cpus: Annotated[float, typer.Option(help="CPUs of each trial, or of each worker.", min=0)] = 1,
    gpus: Gpus = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Most trials at once [default: as many as fit].", min=1)
    ] = None,
    keep_weights: Annotated[
        str, typer.Option(help="Weights kept of each trial: none, last or best.")
    ] = "none",
) -> None:
    """Run what is missing. Safe to stop and to repeat: nothing finished is run again."""
    plan_and_record = _run(
        _artifact(artifact, preset, workers), preset, selection, storage, tracking_uri,
        address, data, cpus, gpus, concurrency, keep_weights,
    )  # fmt: skip
    _end(*plan_and_record)


@app.command("table")
def show_table(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    workers: Workers = "1",
    format: Rendered = TableFormat.terminal,  # noqa: A002
) -> None:
    """The table, from the record: measured beside printed."""
    planned, record, _ = _plan(artifact, preset, selection, storage, tracking_uri, workers)
    _print_table(planned, record, format)


@app.command("reproduce")
def reproduce(
    artifact: ArtifactId,
    preset: PresetName = "smoke",
    selection: SelectionName = "paper",
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    address: Address = None,
    data: DataDir = None,
    workers: Workers = "1",
    cpus: Annotated[float, typer.Option(help="CPUs of each trial, or of each worker.", min=0)] = 1,
    gpus: Gpus = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Most trials at once [default: as many as fit].", min=1)
    ] = None,
    keep_weights: Annotated[
        str, typer.Option(help="Weights kept of each trial: none, last or best.")
    ] = "none",
    format: Rendered = TableFormat.terminal,  # noqa: A002
) -> None:
    """Run what is missing, then print the table."""
    planned, record = _run(
        _artifact(artifact, preset, workers), preset, selection, storage, tracking_uri,
        address, data, cpus, gpus, concurrency, keep_weights,
    )  # fmt: skip
    _print_table(planned, record, format)
    _end(planned, record)


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

    planned, record, tracker = _plan(artifact, preset, selection, storage, tracking_uri, workers)
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
    from sweep import remeasure

    shrunk = _artifact(artifact, preset)
    measured = remeasure.with_measure(shrunk, name, option or [], samples)
    if not retrain:
        planned, record, _ = _plan_of(measured, preset, selection, storage, tracking_uri)
        remeasure.check_weights(planned, record, storage)
    _end(*_run(measured, preset, selection, storage, tracking_uri, address, data))


@app.command("status")
def status(
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    format: Format = Output.text,  # noqa: A002
) -> None:
    """What is in the record: sweeps, and how their trials ended."""
    from sweep import inventory

    rows = inventory.status(_tracker(storage, tracking_uri))
    _print(rows if format is Output.json else inventory.status_text(rows), format)


@app.command("ui")
def ui(
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    port: Annotated[int, typer.Option(help="On 127.0.0.1.", min=1, max=65535)] = 5000,
) -> None:
    """Open the MLflow UI on the record (Ctrl-C ends it)."""
    from sweep import server

    raise typer.Exit(server.serve(_uri(storage, tracking_uri), port))


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="File to write: .parquet, .csv or .jsonl.")],
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    history: Annotated[bool, typer.Option(help="With the per-epoch curves (.jsonl).")] = False,
) -> None:
    """Write the whole record to a file: a row a trial and metric."""
    from sweep import export as exporting

    count = exporting.write(_tracker(storage, tracking_uri), out, history)
    print(f"{count} trials written to {out}")


@app.command("doctor")
def doctor(
    storage: StorageUri = "results",
    tracking_uri: TrackingUri = None,
    data: DataDir = None,
    format: Format = Output.text,  # noqa: A002
) -> None:
    """Check Python, torch, GPU, Ray, the MLflow store, disk and data sets, and say the mend."""
    from sweep import doctor as checks

    findings = checks.examine(storage, _uri(storage, tracking_uri), data)
    _print([vars(f) for f in findings] if format is Output.json else checks.text(findings), format)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


# -- shared by the commands -------------------------------------------------------------------


def _uri(storage: str, tracking_uri: str | None) -> str:
    from sweep.tracking import default_uri

    return tracking_uri or default_uri(storage)


def _tracker(storage: str, tracking_uri: str | None) -> Tracker:
    from sweep.tracking import Tracker

    return Tracker(_uri(storage, tracking_uri))


def _artifact(name: str, preset: str, workers: str = "1") -> Artifact:
    from dataclasses import replace

    import search_spaces

    artifact = search_spaces.apply(search_spaces.find(name), preset)
    if workers == "1":
        return artifact
    count, _, batchnorm = workers.partition(":")
    if not (count.isdecimal() and int(count) and batchnorm in ("", "local", "sync")):
        raise ValueError(f"--workers {workers!r}: give a number, such as 4, or 4:sync")
    asked = {"count": int(count), "batchnorm": batchnorm or "local"}
    return replace(artifact, base={**artifact.base, "workers": asked})


def _plan(
    artifact: str,
    preset: str,
    selection: str,
    storage: str,
    tracking_uri: str | None,
    workers: str = "1",
) -> tuple[Plan, Record, Tracker]:
    shrunk = _artifact(artifact, preset, workers)
    return _plan_of(shrunk, preset, selection, storage, tracking_uri)


def _plan_of(
    artifact: Artifact, preset: str, selection: str, storage: str, tracking_uri: str | None
) -> tuple[Plan, Record, Tracker]:
    from sweep.aggregate import selection as find_rule
    from sweep.plan import plan

    rule = find_rule(selection)
    tracker = _tracker(storage, tracking_uri)
    record = tracker.record()
    planned = plan(artifact, preset, rule, record)
    return planned, tracker.with_curves(planned, record), tracker


def _run(
    artifact: Artifact,
    preset: str,
    selection: str,
    storage: str,
    tracking_uri: str | None,
    address: str | None,
    data: Path | None,
    cpus: float = 1,
    gpus: float | None = None,
    concurrency: int | None = None,
    keep_weights: str = "none",
) -> tuple[Plan, Record]:
    from sweep import progress
    from sweep.aggregate import selection as find_rule
    from sweep.run import Settings, run

    if keep_weights not in ("none", "last", "best"):
        raise ValueError(f"--keep-weights {keep_weights!r}: allowed are none, last, best")
    rule = find_rule(selection)
    execution: dict[str, Any] = {"keep_weights": keep_weights}
    if data is not None:
        execution["data_dir"] = str(data.expanduser().resolve())
    settings = Settings(storage, address, cpus, gpus, concurrency, execution)
    tracker = _tracker(storage, tracking_uri)
    watcher = progress.watcher()
    return run(artifact, preset, rule, tracker, settings, watcher, render=_attachments)


def _table(planned: Plan, record: Record) -> Table:
    import search_spaces
    from sweep import aggregate, tables

    preset = search_spaces.PRESETS[planned.preset]
    results = aggregate.cells(planned, record)
    return tables.build(planned.artifact, results, preset=preset, selection=planned.selection)


def _attachments(planned: Plan, record: Record) -> dict[str, str]:
    from sweep import tables

    table = _table(planned, record)
    return {f"table.{suffix}": tables.render(table, suffix) for suffix in ("md", "html")}


def _print_table(planned: Plan, record: Record, format: TableFormat) -> None:  # noqa: A002
    from sweep import tables

    sys.stdout.write(tables.render(_table(planned, record), format.value).rstrip("\n") + "\n")


def _end(planned: Plan, record: Record) -> None:
    """Say how the sweep ended; exit 1 if a trial is still missing."""
    left = planned.missing(record)
    failed = [trial for trial in left if record.status(trial.trial_id) == "failed"]
    if not left and not any(stage.pending for stage in planned.stages):
        print(f"{planned.size} trials recorded; `sweep ui` shows them", file=sys.stderr)
        return
    for trial in failed[:5]:
        print(f"{trial.trial_id} failed: {record.error(trial.trial_id)}", file=sys.stderr)
    print(
        f"{len(failed)} of {planned.size} trials failed; "
        "`sweep status` counts them, the same command tries them again",
        file=sys.stderr,
    )
    raise typer.Exit(1)


def _print(value: Any, format: Output) -> None:  # noqa: A002
    print(json.dumps(value, indent=1) if format is Output.json else value)


def main() -> None:
    """Entry point: a foreseeable error is one sentence. Exit codes 0, 1 (failed), 2 (bad usage)."""
    try:
        app()
    except BrokenPipeError:
        # The reader (head, less) left; nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        from sweep.errors import foreseen

        code = foreseen(error)
        if code is None:
            raise
        print(f"sweep: {error}", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
