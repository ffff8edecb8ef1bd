"""``sweep sync``: MLflow made to say what storage says, or what an export says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import Format, OutputFormat, PartsOptions, RecordOptions
from sweep.cli.workflow import show, tracker_of
from trainables.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweep.record.sync import Difference


def tell(sentence: str) -> None:
    """To standard error."""
    print(sentence, file=sys.stderr, flush=True)


def sync(
    record: RecordOptions,
    parts: PartsOptions,
    check: Annotated[
        bool, typer.Option("--check", help="Only name the differences; exit 1 if there are any.")
    ] = False,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Record the trials of a .parquet or .jsonl file that sweep export wrote.",
        ),
    ] = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """Make MLflow say what storage says: what was edited, deleted or lost there is written again.

    A difference that storage has nothing for is named, and ends it with 1.

    Example: sweep sync --check --storage /shared/results
    """
    if check and source:
        raise UsageError("--check compares with storage, --from records a file; give one of them")
    found = _taken_from(source, record) if source else _with_storage(record, check)
    if format is OutputFormat.json:
        show([vars(difference) for difference in found])
    elif found:
        show("\n".join(map(str, found)))
    elif source is None:
        show("storage and MLflow agree")
    if found:
        raise typer.Exit(1)


def _with_storage(options: RecordOptions, check: bool) -> Sequence[Difference]:
    """How MLflow and storage differ; without ``check`` what could not be mended."""
    from sweep.record.sync import Sync
    from sweep.run import summaries
    from trainables.storage.files import Storage
    from trainables.storage.lease import driving

    tracker, storage = tracker_of(options), Storage(options.storage)
    if check:
        sync = Sync(tracker, storage)
        found = sync.differences()
        return [*found, *summaries.differences(tracker, sync.notes, found)]
    storage.check_writable()
    with driving(storage) as leases, leases.alone("record"):
        sync = Sync(tracker, storage)
        found = sync.mend(tell)
        summaries.mend(tracker, sync.notes, tell)
        tracker.load()  # into the mirror
    return found


def _taken_from(file: Path, options: RecordOptions) -> Sequence[Difference]:
    """Record the trials of ``file``; those that are recorded with another result."""
    from sweep.record import imported
    from trainables.storage.files import Storage
    from trainables.storage.lease import driving

    runs = imported.read(file)
    tracker, storage = tracker_of(options), Storage(options.storage)
    storage.check_writable()
    with driving(storage) as leases, leases.alone("record"):
        came = imported.write(tracker, runs, file, tell)
    also = f", {came.known} were recorded already" if came.known else ""
    tell(f"{came.written} trials of {file} recorded{also}")
    return came.others
