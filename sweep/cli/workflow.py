"""What several commands do: find and plan an artifact, run it, print its table, conclude."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from trainables.errors import UsageError
from trainables.masking import mask

if TYPE_CHECKING:
    from search_spaces.spec import Artifact
    from sweep.cli.options import ExecutionOptions, RecordOptions, SweepOptions
    from sweep.plan.expand import Plan
    from sweep.record.mlflow_store import Tracker
    from sweep.record.record import Record
    from sweep.run.loop import Runner, Sweep


def tracking_of(options: RecordOptions) -> str:
    """The URI of the MLflow store that the options name."""
    from sweep.record.mlflow_store import default_uri

    return options.tracking_uri or default_uri(options.storage)


def tracker_of(options: RecordOptions) -> Tracker:
    """The MLflow store that the options name.

    Raises:
        sweep.record.mlflow_store.TrackingError: it cannot be used.
    """
    from sweep.record.mlflow_store import Tracker

    return Tracker(tracking_of(options))


def find_artifact(name: str, preset: str, workers: str = "1") -> Artifact:
    """The artifact called ``name`` as ``preset`` shrinks it, its trials on so many workers each.

    A name that ends in .yaml or .yml is a file's. An empty preset is the artifact's default.

    Raises:
        UsageError: an unknown artifact or preset, or ``workers`` that are no number.
    """
    import search_spaces

    found, _, searched = name.partition(":search:")
    if searched:
        raise UsageError(f"{name} is a search; `sweep search {found} --where ...` prints it")
    found_artifact = _known_or_in_a_file(name)
    artifact = search_spaces.apply(
        found_artifact, preset or search_spaces.presets.default(found_artifact)
    )
    if workers == "1":
        return artifact
    count, _, batchnorm = workers.partition(":")
    if not (count.isdecimal() and int(count) and batchnorm in ("", "local", "sync")):
        raise UsageError(f"--workers {workers!r}: give a number, such as 4, or 4:sync")
    asked = {"count": int(count), "batchnorm": batchnorm or "local"}
    return artifact.with_experiment(base={**artifact.experiment.base, "workers": asked})


def _known_or_in_a_file(name: str) -> Artifact:
    import search_spaces
    from sweep import files

    return files.load(name) if name.endswith(files.SUFFIXES) else search_spaces.find(name)


def plan_sweep(
    options: SweepOptions, artifact: Artifact | None = None, refresh: bool = False
) -> tuple[Plan, Record]:
    """What the sweep needs, as far as its record determines it.

    Args:
        artifact: In place of the one that the options name.
        refresh: Read all of MLflow's store.
    """
    sweep = _asked(options, artifact)
    record = tracker_of(options).load(refresh)
    return sweep.plan(record), record


def run_sweep(
    options: SweepOptions,
    execution: ExecutionOptions,
    artifact: Artifact | None = None,
    runner: Runner | None = None,
) -> tuple[Plan, Record]:
    """Run what the sweep lacks.

    Args:
        artifact: In place of the one that the options name.
        runner: In place of `sweep.run.run`.
    """
    from sweep.run import progress, run
    from sweep.run.executor import executor as executor_of
    from sweep.tables import attachments

    sweep = _asked(options, artifact)
    if execution.keep_weights not in ("none", "last", "best"):
        raise UsageError(f"--keep-weights {execution.keep_weights!r}: allowed are none, last, best")
    sweep = replace(sweep, execution=_trial_options(execution))
    executor = executor_of(
        execution.executor,
        address=execution.address,
        cpus=execution.cpus,
        gpus=execution.gpus,
        concurrency=execution.concurrency,
    )

    with contextlib.closing(progress.observer(live=not executor.in_process)) as observer:
        return (runner or run)(
            sweep,
            tracker=tracker_of(options),
            observer=observer,
            executor=executor,
            attachments=attachments,
        )


def _asked(options: SweepOptions, artifact: Artifact | None) -> Sweep:
    from search_spaces import presets
    from sweep.run import Sweep
    from sweep.selection import selection

    found = artifact or find_artifact(options.artifact, options.preset, options.workers)
    preset = options.preset or presets.default(found)
    return Sweep(found, preset, selection(options.selection), options.storage)


def _trial_options(execution: ExecutionOptions) -> dict[str, Any]:
    """Options of `trainables.train.Execution`."""
    options: dict[str, Any] = {"keep_weights": execution.keep_weights}
    if execution.data is not None:
        options["data_dir"] = str(execution.data.expanduser().resolve())
    return options


def show_table(
    planned: Plan,
    record: Record,
    format: str,  # noqa: A002
    all_points: bool = False,
) -> None:
    """Print the table in one of `sweep.tables.FORMATS`; see `sweep.tables.table_of`."""
    from sweep.tables import render, table_of

    sys.stdout.write(render(table_of(planned, record, all_points), format).rstrip("\n") + "\n")


def conclude(planned: Plan, record: Record) -> None:
    """Say how the sweep ended; exit 1 if a trial is still missing."""
    left = planned.missing(record)
    failed = [trial for trial in left if record.status(trial.trial_id) == "failed"]
    waiting = len(planned.expected)
    if not left and not waiting:
        print(f"{planned.size} trials recorded; `sweep ui` shows them", file=sys.stderr)
        return
    for trial in failed[:5]:
        print(f"{trial.trial_id} failed: {mask(record.error(trial.trial_id))}", file=sys.stderr)
    ended = f"{len(failed)} of {planned.size} trials failed"
    if waiting:
        ended += f" and {waiting} wait for them"
    print(
        f"{ended}; `sweep status` counts them, the same command tries them again",
        file=sys.stderr,
    )
    raise typer.Exit(1)


def show(value: Any) -> None:
    """Print text as it is, and data as JSON."""
    print(value if isinstance(value, str) else json.dumps(value, indent=1))
