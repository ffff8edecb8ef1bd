"""What several commands do: find and plan an artifact, run it, print its table, conclude."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trainables.errors import UsageError
from trainables.masking import mask

if TYPE_CHECKING:
    from search_spaces.spec import Artifact
    from sweep.plan.expand import Plan
    from sweep.record.mlflow_store import Tracker
    from sweep.record.record import Record
    from sweep.run.executor import Executor
    from sweep.tables.layout import Table


def tracking_of(storage: str, tracking_uri: str | None) -> str:
    from sweep.record.mlflow_store import default_uri

    return tracking_uri or default_uri(storage)


def connect(storage: str, tracking_uri: str | None) -> Tracker:
    from sweep.record.mlflow_store import Tracker

    return Tracker(tracking_of(storage, tracking_uri))


def find_artifact(name: str, preset: str, workers: str = "1") -> Artifact:
    from dataclasses import replace

    import search_spaces

    found, _, searched = name.partition(":search:")
    if searched:
        raise UsageError(f"{name} is a search; `sweep search {found} --where ...` prints it")
    artifact = search_spaces.apply(search_spaces.find(name), preset)
    if workers == "1":
        return artifact
    count, _, batchnorm = workers.partition(":")
    if not (count.isdecimal() and int(count) and batchnorm in ("", "local", "sync")):
        raise UsageError(f"--workers {workers!r}: give a number, such as 4, or 4:sync")
    asked = {"count": int(count), "batchnorm": batchnorm or "local"}
    return replace(artifact, base={**artifact.base, "workers": asked})


def plan_from_record(
    artifact: str,
    preset: str,
    selection: str,
    storage: str,
    tracking_uri: str | None,
    workers: str = "1",
) -> tuple[Plan, Record, Tracker]:
    shrunk = find_artifact(artifact, preset, workers)
    return plan_artifact(shrunk, preset, selection, storage, tracking_uri)


def plan_artifact(
    artifact: Artifact, preset: str, selection: str, storage: str, tracking_uri: str | None
) -> tuple[Plan, Record, Tracker]:
    from sweep.aggregate import selection as find_rule
    from sweep.plan.expand import plan

    rule = find_rule(selection)
    tracker = connect(storage, tracking_uri)
    record = tracker.record()
    planned = plan(artifact, preset, rule, record)
    return planned, tracker.with_curves(planned, record), tracker


def run_missing(
    artifact: Artifact,
    preset: str,
    selection: str,
    storage: str,
    tracking_uri: str | None,
    executor: Executor,
    data: Path | None,
    keep_weights: str = "none",
    runner: Callable[..., tuple[Plan, Record]] | None = None,
) -> tuple[Plan, Record, Tracker]:
    """Run what ``artifact`` lacks, by `sweep.run.run` or another ``runner`` of its arguments."""
    from sweep.aggregate import selection as find_rule
    from sweep.run import progress
    from sweep.run.loop import Settings, run

    runner = runner or run

    if keep_weights not in ("none", "last", "best"):
        raise UsageError(f"--keep-weights {keep_weights!r}: allowed are none, last, best")
    rule = find_rule(selection)
    execution: dict[str, Any] = {"keep_weights": keep_weights}
    if data is not None:
        execution["data_dir"] = str(data.expanduser().resolve())
    tracker = connect(storage, tracking_uri)

    def attachments(planned: Plan, record: Record) -> dict[str, str]:
        from sweep.tables import layout

        table = build_table(planned, tracker.with_curves(planned, record), tracker)
        return {f"table.{suffix}": layout.render(table, suffix) for suffix in ("md", "html")}

    with contextlib.closing(progress.observer(live=not executor.in_process)) as observer:
        planned, record = runner(
            artifact, preset, rule, tracker, Settings(storage, execution), observer, executor,
            render=attachments,
        )  # fmt: skip
    return planned, tracker.with_curves(planned, record), tracker


def build_table(planned: Plan, record: Record, tracker: Tracker) -> Table:
    from search_spaces import presets
    from sweep import aggregate
    from sweep.plan import held_out
    from sweep.tables import layout, strengths

    results = aggregate.cells(planned, record)
    return layout.build(
        planned.artifact,
        results,
        preset=presets.of(planned.artifact, planned.preset),
        selection=planned.selection,
        provenance=tracker.provenance(planned),
        held_out=held_out.sentence(planned),
        switched_off=strengths.sentence(planned, results),
    )


def show_table(
    planned: Plan,
    record: Record,
    tracker: Tracker,
    format: str,  # noqa: A002
) -> None:
    from sweep.tables import layout

    sys.stdout.write(
        layout.render(build_table(planned, record, tracker), format).rstrip("\n") + "\n"
    )


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
    """Text as it is, data as JSON."""
    print(value if isinstance(value, str) else json.dumps(value, indent=1))
