"""`sweep export`: the record as a file that other tools read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.record.curves import thinned
from sweep.record.membership import variants
from sweep.record.mlflow_runs import PROVENANCE, digest
from sweep.record.record import Record
from sweep.record.runs import Run, write_runs
from trainables.errors import UsageError
from trainables.storage.files import replacing

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 2000
"""Trials whose rows are made at once."""

SUFFIXES = (".csv", ".parquet", ".json", ".jsonl")
WHOLE = "record"
"""Column of a Parquet file with all that its trial's run is but its numbers, in its first row."""

MEMBERSHIP = ("artifact", "preset", "selection", "stage", "variant")

Place = tuple[str, Mapping[str, str]]
"""A trial's id, and columns that say what it is there for."""


class Layout(StrEnum):
    """How numbers stand in a table."""

    long = "long"
    """A row for each number: columns ``metric``, ``value`` and, with curves, ``epoch``."""
    wide = "wide"
    """A row for each trial, a column for each metric and, with curves, for each curve."""


def write(
    record: Record,
    out: Path,
    curves: bool = False,
    layout: Layout | str = Layout.long,
    places: Sequence[Place] | None = None,
    points: int | None = None,
) -> int:
    """Write tracked trials to ``out``, atomically; the suffix names the format.

    ``.csv``, ``.parquet`` and ``.json`` have the columns of `table`; ``.jsonl`` is the record's own
    form, one trial per line, which `Record.read` takes. Of a ``.parquet``, which has the column
    `WHOLE`, too, and of a ``.jsonl`` a record can be made again (`sweep.record.imported`).

    Args:
        record: What is written.
        out: File to write; one that is there is replaced.
        curves: With the per-epoch curves.
        layout: Of the columns.
        places: Which trials, one row or more each; None: all, once.
        points: So many epochs of each curve at most, evenly; None: all.

    Returns:
        The number of trials.

    Raises:
        UsageError: an unknown suffix, or a folder that cannot be written.
    """
    ids = record.trial_ids if places is None else list(dict.fromkeys(t for t, _ in places))
    pages = Pages(record, Layout(layout), curves, places, points)
    writers: dict[str, Callable[[Path], None]] = {  # by SUFFIXES
        ".csv": lambda path: _csv(pages, path),
        ".parquet": lambda path: _parquet(pages.with_whole(), path),
        ".json": lambda path: _json(pages, path),
        ".jsonl": lambda path: write_runs(path, _of(record.runs(curves), set(ids))),
    }
    check(out)
    with writing(out) as temporary:
        writers[out.suffix](temporary)
    return len(ids)


@contextmanager
def writing(out: Path) -> Iterator[Path]:
    """Within, write the file that is given: at the end it takes the place of ``out``.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with replacing(out) as temporary:
            yield temporary
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot write {str(out)!r} ({reason}); name another file") from error


def check(out: Path) -> None:
    """Raise UsageError for a file whose suffix names no format."""
    if out.suffix not in SUFFIXES:
        raise UsageError(f"cannot export to {str(out)!r}; allowed suffixes: {', '.join(SUFFIXES)}")


def table(
    record: Record,
    curves: bool = False,
    layout: Layout | str = Layout.long,
    places: Sequence[Place] | None = None,
) -> pa.Table:
    """The record in Arrow, sorted by trial.

    What a trial is there for (``artifact``, ``preset``, ``selection``, ``stage``, ``variant``: all
    its sweeps', or those of its place), ``trial_id``, ``status``, every setting by its dotted name
    (``optimizer.lr``), where its numbers come from (``provenance.commit``), ``error``, ``run_id``,
    and the numbers as the `Layout` has them. What no trial says is null.
    """
    import pyarrow as pa

    return pa.concat_tables(Pages(record, Layout(layout), curves, places))


class Pages:
    """The rows of an export, some trials at a time, all pages with the same columns."""

    def __init__(
        self,
        record: Record,
        layout: Layout,
        curves: bool,
        places: Sequence[Place] | None,
        points: int | None = None,
    ) -> None:
        self._record, self._layout, self._with_curves = record, layout, curves
        self._places, self._points = places, points
        self._with_whole = False

    def with_whole(self) -> Pages:
        """The same with the column `WHOLE`."""
        self._with_whole = True
        return self

    def __iter__(self) -> Iterator[pa.Table]:
        import pyarrow as pa

        runs = {run.trial_id: run for run in self._record.runs(history=False)}
        rows: list[tuple[Run, Mapping[str, str]]]
        if self._places is None:
            rows = [(runs[t], _memberships(runs[t])) for t in sorted(runs)]
        else:
            rows = [(runs[t], columns) for t, columns in self._places if t in runs]
        facts = pa.table(_typed([_facts(run, columns) for run, columns in rows]))
        names = sorted({name for run, _ in rows for name in run.metrics})
        curves = sorted({n for run, _ in rows for n in self._curves(run)})
        for start in range(0, max(len(rows), 1), PAGE):
            page = facts.slice(start, PAGE)
            some = [run for run, _ in rows[start : start + PAGE]]
            if self._layout is Layout.long:
                made, at = self._long(page, some)
            else:
                made, at = self._wide(page, some, names, curves), [*range(len(some))]
            yield self._and_whole(made, at, some) if self._with_whole else made

    def _and_whole(self, made: pa.Table, at: Sequence[int], runs: Sequence[Run]) -> pa.Table:
        """``made`` with the column `WHOLE`; row i is of the run ``runs[at[i]]``."""
        import pyarrow as pa

        texts = [
            _whole(runs[i], self._curves(runs[i])) if row == 0 or at[row - 1] != i else None
            for row, i in enumerate(at)
        ]
        return made.append_column(WHOLE, pa.array(texts, pa.string()))

    def _curves(self, run: Run) -> Mapping[str, Sequence[float]]:
        found = self._record.curves(run.trial_id) if self._with_curves else {}
        if self._points is None:
            return found
        return {name: _thinned(values, self._points) for name, values in found.items()}

    def _long(self, facts: pa.Table, runs: Sequence[Run]) -> tuple[pa.Table, list[int]]:
        """The rows, and the place of the run that each is of."""
        import pyarrow as pa

        at: list[int] = []
        entries: list[tuple[str, int | None, float]] = []
        for i, run in enumerate(runs):
            own: list[tuple[str, int | None, float]]
            own = [(name, None, value) for name, value in sorted(run.metrics.items())]
            for name, values in sorted(self._curves(run).items()):
                shown = enumerate(values, 1)
                own += [(name, epoch, v) for epoch, v in shown if self._points is None or v == v]
            entries += own
            at += [i] * len(own)
        made = facts.take(pa.array(at, pa.int64()))
        made = made.append_column("metric", pa.array([name for name, _, _ in entries], pa.string()))
        if self._with_curves:
            made = made.append_column("epoch", pa.array([e for _, e, _ in entries], pa.int32()))
        values = pa.array([v for _, _, v in entries], pa.float64())
        return made.append_column("value", values), at

    def _wide(
        self, facts: pa.Table, runs: Sequence[Run], names: Sequence[str], curves: Sequence[str]
    ) -> pa.Table:
        import pyarrow as pa

        taken = set(facts.column_names)
        for name in names:
            column = f"metric.{name}" if name in taken else name
            values = pa.array([run.metrics.get(name) for run in runs], pa.float64())
            facts = facts.append_column(column, values)
        for name in curves:
            lists = pa.array([self._curves(run).get(name) for run in runs], pa.list_(pa.float64()))
            facts = facts.append_column(f"{name} by epoch", lists)
        return facts


def _thinned(values: Sequence[float], points: int) -> list[float]:
    """A curve with ``points`` of its measured epochs; NaN at the others."""
    kept = dict(thinned(values, points))
    return [kept.get(epoch, math.nan) for epoch in range(1, len(values) + 1)]


def _facts(run: Run, columns: Mapping[str, str]) -> dict[str, Any]:
    """All that is known of a trial but its numbers."""
    return {
        **columns,
        "trial_id": run.trial_id,
        "status": run.status,
        **run.settings,
        **{f"provenance.{name}": value for name, value in run.provenance.items()},
        "error": run.error,
        "run_id": run.run_id,
    }


def _whole(run: Run, curves: Mapping[str, Sequence[float]]) -> str:
    """What `WHOLE` has of a trial, as JSON: names of its numbers, and everything else."""
    kept = asdict(replace(run, metrics={}, history=None))
    for name in ("trial_id", "metrics", "history"):
        del kept[name]
    names = {"metrics": sorted(run.metrics), "curves": sorted(curves)}
    return json.dumps({"run": kept, **names, "digest": content_digest(run)}, sort_keys=True)


def content_digest(run: Run) -> str:
    """SHA-256 of a trial's outcome, settings, numbers and provenance (`mlflow_runs.digest`)."""
    tags = {f"{PROVENANCE}{name}": value for name, value in run.provenance.items()}
    return digest(run.status, run.settings, run.metrics, {**tags, "trial_id": run.trial_id})


def _memberships(run: Run) -> dict[str, str]:
    """The sweeps that a trial belongs to, their names, and of each kind of name all."""
    found = {
        name: "; ".join(dict.fromkeys(getattr(member, name) for member in run.memberships))
        for name in MEMBERSHIP
    }
    found["variant"] = variants(run.memberships)
    sweeps = "; ".join(dict.fromkeys(member.sweep for member in run.memberships))
    return {"sweeps": sweeps, **found, "cell": run.labels.get("cell", "")}


KINDS: tuple[Callable[[str], Any], ...] = (
    int,
    float,
    {"True": True, "False": False}.__getitem__,
)
"""What a column's texts may be read as, the first that takes all of them."""


def _typed(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Name -> a value per row: a number or a truth value where all rows have such; None: none."""
    names = dict.fromkeys(name for row in rows for name in row)
    found: dict[str, list[Any]] = {}
    for name in names or ("trial_id",):
        texts = [None if row.get(name) in (None, "None") else row[name] for row in rows]
        found[name] = texts if name in ("trial_id", "run_id") else _read(texts)
    return found


def _read(texts: list[Any]) -> list[Any]:
    for kind in KINDS:
        try:
            return [None if text is None else kind(text) for text in texts]
        except (ValueError, KeyError, TypeError):
            continue
    return texts


def _of(runs: Iterable[Run], ids: set[str]) -> Iterator[Run]:
    return (run for run in runs if run.trial_id in ids)


# -- formats ---------------------------------------------------------------------------------------


def _parquet(pages: Pages, path: Path) -> None:
    import pyarrow.parquet as pq

    first, *others = pages
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        for page in (first, *others):
            writer.write_table(page)


def _csv(pages: Pages, path: Path) -> None:
    from pyarrow import csv

    first, *others = map(_flat, pages)
    with csv.CSVWriter(path, first.schema) as writer:
        for page in (first, *others):
            writer.write_table(page)


def _flat(page: pa.Table) -> pa.Table:
    """``page`` with its lists as JSON."""
    import pyarrow as pa

    for i, field in enumerate(page.schema):
        if pa.types.is_list(field.type):
            texts = [None if v is None else json.dumps(_finite(v)) for v in page[i].to_pylist()]
            page = page.set_column(i, field.name, pa.array(texts, pa.string()))
    return page


def _json(pages: Pages, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        before = "[\n"
        for page in pages:
            for row in page.to_pylist():
                file.write(before + json.dumps(_finite(row), ensure_ascii=False))
                before = ",\n"
        file.write("[]\n" if before == "[\n" else "\n]\n")


def _finite(value: Any) -> Any:
    """``value`` with null in the place of numbers that JSON has not."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


__all__ = ["WHOLE", "Layout", "Place", "check", "content_digest", "table", "write", "writing"]
