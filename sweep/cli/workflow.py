"""What several commands do: find and plan an artifact, run it, print its table, conclude."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trainables.errors import UsageError
from trainables.masking import mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search_spaces.spec import Artifact
    from sweep.cli.options import ExecutionOptions, RecordOptions, SweepOptions
    from sweep.plan.expand import Plan
    from sweep.record.mlflow_store import Tracker
    from sweep.record.record import Record
    from sweep.run.loop import Runner, Sweep
    from sweep.tables import Table


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


def find_whole(name: str) -> Artifact:
    """The artifact called ``name`` as its paper's file has it; .yaml or .yml ends a file's name.

    Raises:
        UsageError: there is none.
    """
    found, _, searched = name.partition(":search:")
    if searched:
        raise UsageError(f"{name} is a search; `sweep search {found} --where ...` prints it")
    return _known_or_in_a_file(name)


def find_artifact(name: str, preset: str, workers: str = "1") -> Artifact:
    """The artifact called ``name`` as ``preset`` shrinks it, its trials on so many workers each.

    A name that ends in .yaml or .yml is a file's. An empty preset is the artifact's default.

    Raises:
        UsageError: an unknown artifact or preset, or ``workers`` that are no number.
    """
    from sweep.cli.options import SweepOptions

    return artifact_of(SweepOptions(artifact=name, preset=preset, workers=workers))


def artifact_of(options: SweepOptions, against: Sequence[str] = ()) -> Artifact:
    """The artifact that the options name, by the readings that they name, as the preset shrinks it.

    Args:
        against: Readings that take the place of theirs.

    Raises:
        UsageError: something that the options name does not exist, or a trial cannot have a field
            that they set.
    """
    import search_spaces
    from search_spaces import readings
    from search_spaces.settings import with_seeds
    from sweep.cli.options import parse_options

    artifact = find_whole(options.artifact)
    preset = options.preset or search_spaces.presets.default(artifact)
    values = readings.taken(artifact, options.read or (), against)
    artifact = search_spaces.apply(readings.read_all(artifact, values), preset)
    if options.settings:
        from sweep.plan.variant import with_valid_settings

        settings = parse_options(options.settings, "--set", "epochs=2")
        artifact = with_valid_settings(artifact, preset, settings)
    if options.seeds is not None:
        artifact = with_seeds(artifact, options.seeds)
    return _on_workers(artifact, preset, options.workers)


def _on_workers(artifact: Artifact, preset: str, workers: str) -> Artifact:
    if workers == "1":
        return artifact
    count, _, batchnorm = workers.partition(":")
    if not (count.isdecimal() and int(count) and batchnorm in ("", "local", "sync")):
        raise UsageError(f"--workers {workers!r}: give a number, such as 4, or 4:sync")
    from sweep.plan.variant import with_workers

    return with_workers(artifact, preset, int(count), batchnorm or "local")


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
    shown: str = "terminal",
) -> tuple[Plan, Record]:
    """Run what the sweep lacks.

    Args:
        artifact: In place of the one that the options name.
        runner: In place of `sweep.run.run`.
        shown: The format in which a table of it is to be printed.
    """
    from sweep.run import progress, run
    from sweep.run.executor import executor as executor_of
    from sweep.tables import attachments, require_format

    sweep = _asked(options, artifact)
    require_format(shown)
    if execution.keep_weights not in ("none", "last", "best"):
        raise UsageError(f"--keep-weights {execution.keep_weights!r}: allowed are none, last, best")
    changed = execution.changed.value
    sweep = replace(sweep, execution=_trial_options(execution), changed=changed)
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

    found = artifact or artifact_of(options)
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


def show_difference(
    options: SweepOptions,
    against: Sequence[str],
    format: str,  # noqa: A002
    refresh: bool = False,
) -> None:
    """Print the table of the sweep beside that by other readings, and the differences.

    Args:
        against: As --read takes them, and in the place of those that the options name.
        format: One of `sweep.tables.FORMATS`.
        refresh: Read all of MLflow's store.

    Raises:
        UsageError: the other readings are the same.
    """
    from sweep.tables import difference, render, table_of

    artifacts = artifact_of(options), artifact_of(options, against)
    own, other = (artifact.variant for artifact in artifacts)
    if own == other:
        raise UsageError(f"--against changes nothing: both are {str(own) or 'the default'}")
    record = tracker_of(options).load(refresh)

    def planned(artifact: Artifact) -> tuple[Table, difference.ToRun]:
        plan = _asked(options, artifact).plan(record)
        missing = {trial.trial_id for trial in plan.missing(record)}
        return table_of(plan, record), difference.ToRun(missing, command_of(options, plan))

    (one, its), (two, others) = map(planned, artifacts)
    shown = difference.less(one, two, (its, others))
    sys.stdout.write(render(shown, format).rstrip("\n") + "\n")


def command_of(options: SweepOptions, planned: Plan) -> str:
    """What runs ``planned``, which the options ask for, maybe with other readings."""
    from sweep.cli.options import RecordOptions

    variant = planned.artifact.variant
    words = ["sweep", "run", options.artifact, "--preset", planned.preset]
    for flag, value, default in (
        ("--selection", options.selection, "paper"),
        ("--seeds", options.seeds, None),
        ("--workers", options.workers, variant.workers or "1"),
        ("--storage", options.storage, RecordOptions().storage),
        ("--tracking-uri", options.tracking_uri, None),
    ):
        words += [flag, str(value)] if value != default else []
    return mask(" ".join([shlex.join(words), *variant.options()]))


def figure_file(planned: Plan) -> Path:
    """Where a figure is written by default: each variant of it to a file of its own."""
    words = [planned.artifact.id, planned.preset, planned.variant]
    return Path(re.sub(r"[^\w.=]+", "-", " ".join(words)).strip("-") + ".png")


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


def say_data_notes(planned: Plan, data: Path | None) -> None:
    """Print to standard error what was skipped, and so on, when the plan's data were prepared."""
    from sweep.plan.data_notes import data_notes

    for note in data_notes(planned, data):
        print(f"note: {note}", file=sys.stderr)


def show(value: Any) -> None:
    """Print text as it is, and data as JSON."""
    print(value if isinstance(value, str) else json.dumps(value, indent=1))
