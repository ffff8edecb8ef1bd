"""What several commands do: find and plan an artifact, run it, print its table, conclude."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from dataclasses import replace
from functools import partial
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
    """The MLflow store that the options name; what it has to tell goes to standard error.

    Raises:
        sweep.record.mlflow_store.TrackingError: it cannot be used.
    """
    from sweep.record.mlflow_store import Tracker

    tracker = Tracker(tracking_of(options))
    tracker.notify = partial(print, file=sys.stderr, flush=True)
    return tracker


def refuse_without_record(options: RecordOptions) -> None:
    """Raise TrackingError, which says so, where nothing was ever recorded."""
    from sweep.record.connection import TrackingError, absent

    if said := absent(tracking_of(options)):
        raise TrackingError(said)


def mention_without_record(options: RecordOptions) -> None:
    """Say on standard error that nothing was ever recorded: it may be looked for elsewhere."""
    from sweep.record.connection import absent

    if said := absent(tracking_of(options)):
        print(mask(said), file=sys.stderr)


def find_whole(name: str) -> Artifact:
    """The artifact called ``name`` as its paper's file has it; .yaml or .yml ends a file's name.

    Raises:
        UsageError: there is none.
    """
    import search_spaces
    from sweep import files

    found, searched, _ = name.partition(":search")
    if searched:
        raise UsageError(f"{name} is a search; `sweep search {found}` prints it")
    return files.load(name) if name.endswith(files.SUFFIXES) else search_spaces.find(name)


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


def plan_sweeps(options: SweepOptions, refresh: bool = False) -> list[tuple[Plan, Record]]:
    """`plan_sweep` of each sweep that is asked for: of one, or of those of a whole paper."""
    from sweep.cli.papers import sweeps_of

    asked = [_asked(each, None) for each in sweeps_of(options)]
    record = tracker_of(options).load(refresh)
    return [(sweep.plan(record), record) for sweep in asked]


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
    return _run([_asked(options, artifact)], options, execution, shown, runner)[0]


def run_sweeps(
    options: SweepOptions,
    execution: ExecutionOptions,
    shown: str = "terminal",
    only_failed: bool = False,
) -> list[tuple[Plan, Record]]:
    """`run_sweep` of each sweep that is asked for: of one, or of those of a whole paper.

    Args:
        only_failed: Run those trials alone that failed.
    """
    from sweep.cli.papers import sweeps_of

    asked = [replace(_asked(each, None), only_failed=only_failed) for each in sweeps_of(options)]
    return _run(asked, options, execution, shown)


def _run(
    sweeps: Sequence[Sweep],
    options: RecordOptions,
    execution: ExecutionOptions,
    shown: str,
    runner: Runner | None = None,
) -> list[tuple[Plan, Record]]:
    """Run what the sweeps lack, one after the other; a trial of several runs once.

    What cannot be planned, and data that is missing, is said before the first of several starts.
    """
    from sweep.run import progress, run
    from sweep.run.attached import attachments
    from sweep.run.executor import StartedOnce
    from sweep.run.executor import executor as executor_of
    from sweep.run.interrupts import like_ctrl_c
    from sweep.run.limits import Limits
    from sweep.run.loop import check_data
    from sweep.tables import require_format

    require_format(shown)
    if execution.quiet and execution.verbose:
        raise UsageError("--quiet and --verbose exclude each other")
    if execution.keep_weights not in ("none", "last", "best"):
        raise UsageError(f"--keep-weights {execution.keep_weights!r}: allowed are none, last, best")
    changed, trial_options = execution.changed.value, _trial_options(execution)
    sweeps = [replace(sweep, execution=trial_options, changed=changed) for sweep in sweeps]
    executor = executor_of(
        execution.executor,
        address=execution.address,
        cpus=execution.cpus,
        gpus=execution.gpus,
        concurrency=execution.concurrency,
        trial_timeout=_seconds(execution.trial_timeout, "--trial-timeout"),
    )

    limits = Limits(execution.order, execution.fail_fast, execution.max_hours, execution.max_trials)
    tracker = tracker_of(options)
    if len(sweeps) > 1:
        record = tracker.load()
        missing = [trial for sweep in sweeps for trial in sweep.missing(sweep.plan(record), record)]
        if executor.local:
            check_data(missing, sweeps[0].execution)
    with (
        like_ctrl_c(),
        StartedOnce(executor) as started,
        contextlib.closing(
            progress.observer(not executor.in_process, execution.quiet, execution.verbose)
        ) as observer,
    ):
        return [
            (runner or run)(
                sweep,
                tracker=tracker,
                observer=observer,
                executor=started,
                attachments=attachments,
                limits=limits,
            )
            for sweep in sweeps
        ]


def _asked(options: SweepOptions, artifact: Artifact | None) -> Sweep:
    from search_spaces import presets
    from sweep.cli.options import parse_where
    from sweep.run import Sweep
    from sweep.selection import selection

    found = artifact or artifact_of(options)
    preset = options.preset or presets.default(found)
    where = parse_where(options.where or ())
    return Sweep(found, preset, selection(options.selection), options.storage, where=where)


def _seconds(text: str | None, flag: str) -> float | None:
    from sweep.run.time_limit import seconds_of

    return None if text is None else seconds_of(text, flag)


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
    show_tables([(planned, record)], format, all_points)


def show_tables(
    found: Sequence[tuple[Plan, Record]],
    format: str,  # noqa: A002
    all_points: bool = False,
) -> None:
    """Print the tables one below the other; several as JSON are a list."""
    from sweep.tables import render, table_of

    texts = [render(table_of(*each, all_points), format).rstrip("\n") for each in found]
    if format == "json" and len(texts) > 1:
        print("[" + ",\n".join(texts) + "]")
    else:
        print("\n\n".join(texts))


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


def command_of(options: SweepOptions, *planned: Plan, verb: str = "run") -> str:
    """What runs ``planned``, which the options ask for, maybe with other readings.

    Args:
        planned: One, or those of a whole paper.
        verb: The command, in place of ``run``.
    """
    from sweep.cli.options import RecordOptions

    variant = planned[0].artifact.variant
    words = ["sweep", verb, options.artifact, "--preset", planned[0].preset]
    for flag, value, default in (
        ("--selection", options.selection, "paper"),
        ("--seeds", options.seeds, None),
        ("--workers", options.workers, variant.workers or "1"),
        ("--storage", options.storage, RecordOptions().storage),
        ("--tracking-uri", options.tracking_uri, None),
    ):
        words += [flag, str(value)] if value != default else []
    words += [word for pair in options.where or () for word in ("--where", pair)]
    changed = dict.fromkeys(word for each in planned for word in each.artifact.variant.options())
    return mask(" ".join([shlex.join(words), *changed]))


def file_of(words: Sequence[str], suffix: str) -> Path:
    """Where something is written by default: to a file that is called by these words."""
    return Path(re.sub(r"[^\w.=]+", "-", " ".join(words)).strip("-") + suffix)


def conclude(planned: Plan, record: Record) -> None:
    """`conclude_all` of one sweep."""
    conclude_all([(planned, record)])


def conclude_all(ended: Sequence[tuple[Plan, Record]], only_failed: bool = False) -> None:
    """Say how each sweep ended, in the states of its trials; exit 1 if one is still missing.

    Args:
        only_failed: Whether no other trial was to run; then what else is missing is no failure.
    """
    whole = [
        _concluded(*each, each[0].artifact.id + ": " if len(ended) > 1 else "", only_failed)
        for each in ended
    ]
    if not all(whole):
        raise typer.Exit(1)


def _concluded(planned: Plan, record: Record, who: str, only_failed: bool) -> bool:
    left = planned.missing(record)
    failed = [trial for trial in left if record.status(trial.trial_id) == "failed"]
    queued, waiting = len(left) - len(failed), len(planned.expected)
    if not left and not waiting:
        print(f"{who}{planned.size} trials recorded; `sweep ui` shows them", file=sys.stderr)
        return True
    for trial in failed[:5]:
        print(f"{trial.trial_id} failed: {mask(record.error(trial.trial_id))}", file=sys.stderr)
    ended = [f"{len(failed)} of {planned.size} trials failed"] if failed else []
    if queued:
        ended.append(f"{queued} of {planned.size} trials are queued")
    if waiting and not ended:
        ended.append(f"{waiting} of {planned.size} trials are waiting")
    elif waiting:
        ended[-1] += f" and {waiting} wait for them"
    again = "the same command " + ("tries them again" if failed else "goes on")
    if only_failed and not failed:
        again = "`sweep run` goes on"
    print(f"{who}{', '.join(ended)}; `sweep status` counts them, {again}", file=sys.stderr)
    return only_failed and not failed


def say_data_notes(planned: Plan, data: Path | None) -> None:
    """Print to standard error what was skipped, and so on, when the plan's data were prepared."""
    from sweep.plan.data_notes import data_notes

    for note in data_notes(planned, data):
        print(f"note: {note}", file=sys.stderr)


def show(value: Any) -> None:
    """Print text as it is, and data as JSON."""
    print(value if isinstance(value, str) else json.dumps(value, indent=1))
