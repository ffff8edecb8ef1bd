"""`sweep export`: the record as a file that other tools read."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.record.record import Record
from sweep.record.runs import write_runs
from trainables.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa


def write(record: Record, out: Path, history: bool = False) -> int:
    """Write every tracked trial to ``out``, atomically; the suffix names the format.

    ``.parquet`` and ``.csv`` have one row per trial and metric; ``.jsonl`` has one line per trial.

    Args:
        record: What is written.
        out: File to write; one that is there is replaced.
        history: With the per-epoch curves, in ``.jsonl`` alone.

    Returns:
        The number of trials.

    Raises:
        UsageError: an unknown suffix, or a folder that cannot be written.
    """
    writers: dict[str, Callable[[Path], None]] = {
        ".parquet": lambda path: _parquet(record, path),
        ".csv": lambda path: _csv(record, path),
        ".jsonl": lambda path: write_runs(path, record.runs(history)),
    }
    if out.suffix not in writers:
        raise UsageError(f"cannot export to {str(out)!r}; allowed suffixes: {', '.join(writers)}")
    temporary = out.with_name(f".{out.name}.{uuid.uuid4().hex}.tmp")
    try:
        writers[out.suffix](temporary)
        temporary.replace(out)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot write {str(out)!r} ({reason}); name another file") from error
    finally:
        temporary.unlink(missing_ok=True)
    return len(record)


def _parquet(record: Record, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(_rows(record), path)


def _csv(record: Record, path: Path) -> None:
    from pyarrow import csv

    csv.write_csv(_rows(record), path)


def _rows(record: Record) -> pa.Table:
    """One row per trial and metric, by both."""
    ends = record.ends()
    return (
        record.numbers()
        .join(ends, "trial_id")
        .sort_by([("trial_id", "ascending"), ("metric", "ascending")])
    )
