"""``sweep sync``: MLflow made to say what storage says."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from sweep.cli.options import Format, OutputFormat, PartsOptions, RecordOptions
from sweep.cli.workflow import show, tracker_of


def sync(
    record: RecordOptions,
    parts: PartsOptions,
    check: Annotated[
        bool, typer.Option("--check", help="Only name the differences; exit 1 if there are any.")
    ] = False,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """Make MLflow say what storage says: what was edited, deleted or lost there is written again.

    A difference that storage has nothing for is named, and ends it with 1.

    Example: sweep sync --check --storage /shared/results
    """
    from sweep.record.sync import Sync
    from trainables.storage.files import Storage
    from trainables.storage.lease import driving

    tell = partial(print, file=sys.stderr, flush=True)
    tracker, storage = tracker_of(record), Storage(record.storage)
    if check:
        found = Sync(tracker, storage).differences()
    else:
        storage.check_writable()
        with driving(storage) as leases, leases.alone("record"):
            found = Sync(tracker, storage).mend(tell)
    if format is OutputFormat.json:
        show([vars(difference) for difference in found])
    elif found:
        show("\n".join(map(str, found)))
    else:
        show("storage and MLflow agree")
    if found:
        raise typer.Exit(1)
