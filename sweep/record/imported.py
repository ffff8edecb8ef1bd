"""A record made of an export: on another machine, or after its store was lost.

`sweep export FILE.parquet` writes in the column `export.WHOLE` all of a trial that is no number,
and a digest over its numbers, too. A trial that is recorded already is left alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.record.export import WHOLE, content_digest
from sweep.record.membership import Membership, as_tags
from sweep.record.mlflow_runs import PARENT, PROVENANCE, Entry
from sweep.record.runs import RANK, Run, read_runs
from sweep.record.sync import Difference
from trainables.errors import UsageError
from trainables.parse_json import parse_json

if TYPE_CHECKING:
    import pyarrow as pa

    from sweep.record.mlflow_store import Tracker
    from sweep.record.record import Record

SUFFIXES = (".parquet", ".jsonl")
ENDED = ("done", "diverged")
IMPORTED = "imported"
"""Tag of a run that was made of an export: the file's name."""


def read(file: Path) -> list[Run]:
    """The trials in a file that `sweep export` wrote.

    Raises:
        UsageError: there is no such file, or none that `sweep export` wrote, or it was edited.
    """
    if file.suffix not in SUFFIXES:
        raise UsageError(f"{file} is no export to read: it ends in {' or '.join(SUFFIXES)}")
    try:
        if file.suffix == ".jsonl":
            return list(read_runs(file))
        import pyarrow.parquet as pq

        with file.open("rb") as opened:  # what pyarrow says of one that is not there is long
            return list(_runs(pq.read_table(opened), file))
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror or error})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # pyarrow's, too
        if isinstance(error, UsageError) and str(file) in str(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{file} is no export of `sweep export` ({reason})") from error


def _runs(table: pa.Table, file: Path) -> Iterator[Run]:
    """The trials of an export, from the rows of each: one, or one per number."""
    columns = set(table.column_names)
    if not {"trial_id", WHOLE} <= columns:
        raise UsageError(
            f"{file} is no export of which a record can be made: it has no column "
            f"{WHOLE!r}, which `sweep export FILE.parquet` writes"
        )
    long = {"metric", "value"} <= columns
    found: dict[str, dict[str, Any]] = {}
    numbers: dict[str, tuple[dict[str, float], dict[str, list[float]]]] = {}
    kept = [c for c in ("trial_id", WHOLE, "metric", "epoch", "value") if c in columns]
    for row in (table.select(kept) if long else table).to_pylist():
        trial_id = row["trial_id"]
        metrics, curves = numbers.setdefault(trial_id, ({}, {}))
        if row[WHOLE] is not None:
            found[trial_id] = parse_json(row[WHOLE])
        if long:
            _take(row, metrics, curves)
        elif row[WHOLE] is not None:
            metrics |= {n: _of(row, n, "metric.") for n in found[trial_id]["metrics"]}
            curves |= {n: row[f"{n} by epoch"] for n in found[trial_id]["curves"]}
    for trial_id, whole in found.items():
        metrics, curves = numbers[trial_id]
        run = Run(trial_id=trial_id, metrics=metrics, history=curves, **whole["run"])
        if whole["digest"] != content_digest(run):
            raise UsageError(
                f"{file}: trial {trial_id} does not say what was exported: the file was edited"
            )
        yield run


def _take(
    row: Mapping[str, Any], metrics: dict[str, float], curves: dict[str, list[float]]
) -> None:
    """Add the number of a row. Those of a curve follow each other by epoch."""
    if row["metric"] is None:
        return
    epoch = row.get("epoch")
    if epoch is None:
        metrics[row["metric"]] = row["value"]
        return
    curve = curves.setdefault(row["metric"], [])
    if epoch > len(curve):  # a trial with several places has its rows in each
        curve += [math.nan] * (epoch - len(curve) - 1) + [row["value"]]


def _of(row: Mapping[str, Any], name: str, prefix: str) -> float:
    number = row[f"{prefix}{name}"] if f"{prefix}{name}" in row else row[name]
    return float(number)


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    Attributes:
        written: How many trials are recorded now that were not.
        known: How many were recorded already, with the same result.
        others: Those that are recorded with another result, and are left as they are.
    """

    written: int
    known: int
    others: Sequence[Difference]


def write(
    tracker: Tracker, runs: Iterable[Run], file: Path, notify: Callable[[str], None]
) -> Imported:
    """Record the trials of an export that have ended, or failed, and are not recorded.

    Args:
        file: That they are from.
        notify: Told how far it is.
    """
    runs = [run for run in runs if run.status != "running"]
    for paper in dict.fromkeys(map(_paper, runs)):
        tracker.open(paper)
    record = tracker.load(refresh=True)
    new = [run for run in runs if RANK[run.status] > RANK.get(record.status(run.trial_id), -1)]
    known = [run for run in runs if record.status(run.trial_id) in ENDED]
    others = [
        Difference("changed", run.trial_id, f"it is recorded with {said}; it is left as it is")
        for run in known
        if (said := _otherwise(run, record, file.name))
    ]
    parents: dict[str, str] = {}
    for done, run in enumerate(new):
        if done and not done % 100:
            notify(f"{done} of {len(new)} trials are recorded")
        tracker.write_entry(_entry(run, _parent(tracker, run, parents), file))
    for parent in parents.values():
        tracker.finish_sweep(parent, {})
    tracker.load()
    return Imported(len(new), len(known) - len(others), others)


def _otherwise(run: Run, record: Record, file: str) -> str:
    """How the recorded result of a trial differs from that of ``run``; empty: it does not.

    What both have counts, and no time: nobody trains twice as fast as before.
    """
    status = record.status(run.trial_id)
    if status != run.status:
        return f"outcome {status}, and {file} says {run.status}"
    for name, value in sorted(run.metrics.items()):
        one = record.value(run.trial_id, name)
        if one is None or name.endswith("seconds") or f"{one:.12g}" == f"{value:.12g}":
            continue
        return f"{name} {one:.12g}, and {file} has {value:.12g}"
    return ""


def _entry(run: Run, parent: str, file: Path) -> Entry:
    """What MLflow is to have of ``run``, below the run ``parent`` of a sweep."""
    source = "data.source."
    described = {
        name.removeprefix(source): value
        for name, value in run.settings.items()
        if name.startswith(source)
    }
    words = [run.labels.get("cell", ""), f"seed {run.labels.get('seed', '')}".strip()]
    return Entry(
        run.trial_id,
        " · ".join(filter(None, words)),
        run.status,
        run.settings,
        run.metrics,
        run.history or {},
        {
            **run.labels,
            "paper": _paper(run),
            **as_tags(run.memberships),
            **{f"{PROVENANCE}{name}": value for name, value in run.provenance.items()},
            **({"error": run.error} if run.error else {}),
            **({PARENT: parent} if parent else {}),
            IMPORTED: file.name,
        },
        json.dumps(described),
    )


def _paper(run: Run) -> str:
    """The paper whose experiment a trial's run is in."""
    named = [member.artifact.partition("/")[0] for member in run.memberships]
    return run.labels.get("paper") or next(iter(named), "imported")


def _parent(tracker: Tracker, run: Run, known: dict[str, str]) -> str:
    """The run of the first sweep of its paper that a trial belongs to; empty: it belongs to none.

    Args:
        known: Sweep -> its run, of those that were asked for.
    """
    ours = [m for m in run.memberships if m.artifact.partition("/")[0] == _paper(run)]
    for member in ours[:1]:
        if member.sweep not in known:
            known[member.sweep] = _started(tracker, member)
        return known[member.sweep]
    return ""


def _started(tracker: Tracker, member: Membership) -> str:
    return tracker.start_sweep(
        member.artifact, member.preset, member.selection, member.artifact, member.variant
    )


__all__ = ["Imported", "read", "write"]
