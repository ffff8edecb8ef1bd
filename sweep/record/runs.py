"""One tracked trial as the record holds it, and many of them as Arrow or as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sweep.record.membership import Membership
from trainables.errors import UsageError
from trainables.parse_json import parse_json

if TYPE_CHECKING:  # pyarrow waits for the work: the command line imports this module
    import pyarrow as pa

RunStatus = Literal["done", "diverged", "pruned", "failed", "running"]

RANK = {"done": 3, "diverged": 3, "pruned": 2, "running": 1, "failed": 0}
"""A trial that was tracked twice counts once: as the run that came furthest, then the latest."""

Columns = Callable[[Sequence[str]], "pa.Table"]
"""Reads some columns of a table of runs (`schema`), always the same rows."""

PAGE = 2000
"""Runs that are turned into Arrow at once."""


@dataclass(frozen=True)
class Run:
    """One tracked trial.

    Attributes:
        trial_id: Content hash of its configuration.
        status: ``done``, ``diverged`` (non-finite loss), ``pruned`` (a search has stopped it),
            ``failed`` or ``running``.
        metrics: Recorded name -> value: fractions, nats, seconds.
        history: Metric name -> its curve; entry i belongs to epoch i + 1. None: it was not read
            with the rest, and `Record.curve` asks the tracking store for it.
        error: Why it failed.
        run_id: Name of the run in the tracking store.
        protocol: That it was trained with; None: recorded before runs said so.
        memberships: The sweeps that need it, each with the stage.
        provenance: Where its numbers come from: data, commit, versions, hardware.
        labels: Method, seed and cell in the sweep that trained it, for people.
        settings: Its configuration, flat: dotted field -> value.
        ended: When it was recorded, in Unix milliseconds; 0: not known.
    """

    trial_id: str
    status: RunStatus
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, Sequence[float]] | None = field(default_factory=dict)
    error: str = ""
    run_id: str = ""
    protocol: int | None = None
    memberships: tuple[Membership, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    ended: int = 0

    def __post_init__(self) -> None:
        if self.status not in RANK:
            raise UsageError(
                f"trial {self.trial_id}: unknown status {self.status!r}; known: {', '.join(RANK)}"
            )
        members = tuple(Membership(*member) for member in self.memberships)
        object.__setattr__(self, "memberships", members)


def schema() -> pa.Schema:
    """One row per run. What repeats from run to run is JSON, so that it can be told apart fast.

    Names of metrics are a dictionary: a million strings take longer to read than their numbers.
    """
    import pyarrow as pa

    names = pa.dictionary(pa.int32(), pa.string())
    number = pa.struct([("name", names), ("value", pa.float64())])
    curve = pa.struct([("name", pa.string()), ("values", pa.list_(pa.float64()))])
    return pa.schema(
        [
            ("trial_id", pa.string()),
            ("status", pa.string()),
            ("run_id", pa.string()),
            ("error", pa.string()),
            ("protocol", pa.int32()),
            ("ended", pa.int64()),
            ("memberships", pa.string()),
            ("provenance", pa.string()),
            ("labels", pa.string()),
            ("settings", pa.string()),
            ("metrics", pa.list_(number)),
            ("curves", pa.list_(curve)),
        ]
    )


def as_table(runs: Iterable[Run]) -> pa.Table:
    """``runs`` in Arrow, one row each (`schema`); only a part of them at a time in Python."""
    import pyarrow as pa

    rows = map(_row, runs)
    tables = [schema().empty_table()]
    while page := list(islice(rows, PAGE)):
        tables.append(pa.Table.from_pylist(page, schema()))
    return pa.concat_tables(tables)


def _row(run: Run) -> dict[str, Any]:
    curves = None
    if run.history is not None:
        curves = [{"name": n, "values": list(values)} for n, values in run.history.items()]
    return {
        "trial_id": run.trial_id,
        "status": run.status,
        "run_id": run.run_id,
        "error": run.error,
        "protocol": run.protocol,
        "ended": run.ended,
        "memberships": json.dumps(run.memberships),
        "provenance": json.dumps(dict(run.provenance), sort_keys=True),
        "labels": json.dumps(dict(run.labels), sort_keys=True),
        "settings": json.dumps(dict(run.settings)),
        "metrics": [{"name": name, "value": value} for name, value in run.metrics.items()],
        "curves": curves,
    }


def as_runs(table: pa.Table) -> Iterator[Run]:
    """The runs of a table that has the columns of `schema`."""
    for row in table.to_pylist():
        curves = row.pop("curves")
        decoded = {name: json.loads(row[name]) for name in ("provenance", "labels", "settings")}
        yield Run(
            **row
            | decoded
            | {
                "memberships": tuple(map(tuple, json.loads(row["memberships"]))),
                "metrics": {entry["name"]: entry["value"] for entry in row["metrics"]},
                "history": None
                if curves is None
                else {entry["name"]: entry["values"] for entry in curves},
            }
        )


def write_runs(path: Path, runs: Iterable[Run]) -> None:
    """Runs as JSON lines, sorted by trial, so that equal records make equal files."""
    lines = (json.dumps(asdict(run), sort_keys=True) for run in sorted(runs, key=_by_trial))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_runs(path: Path) -> Iterator[Run]:
    """Runs from JSON lines, as `write_runs` leaves them.

    Raises:
        UsageError: naming the file and the line that is not a run.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield Run(**_checked(parse_json(line)))
        except (AttributeError, TypeError, ValueError) as error:
            raise UsageError(f"{path}, line {number}: not an exported run ({error})") from None


_TEXTS = ("trial_id", "status", "run_id", "error")
_MAPPINGS: dict[str, tuple[type, ...]] = {
    "metrics": (int, float), "provenance": (str,), "labels": (str,), "settings": (str,),
}  # fmt: skip
"""Fields that map names to such values."""


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """``fields``, after the check that they have the types of a `Run`'s. Raises UsageError."""
    whole = [fields[name] for name in ("protocol", "ended") if fields.get(name) is not None]
    history = fields.get("history") or {}
    sound = [
        all(isinstance(fields.get(name, ""), str) for name in _TEXTS),
        all(isinstance(value, int) and abs(value) < 2**31 for value in whole[:1]),
        all(isinstance(value, int) and abs(value) < 2**63 for value in whole),
        *(
            all(isinstance(value, kinds) for value in fields.get(name, {}).values())
            for name, kinds in _MAPPINGS.items()
        ),
        all(isinstance(v, int | float) for values in history.values() for v in values),
        all(isinstance(text, str) for member in fields.get("memberships", ()) for text in member),
    ]
    if not all(sound):
        raise UsageError("a field is of another type")
    return fields


def _by_trial(run: Run) -> str:
    return run.trial_id


def of_parquet(files: Sequence[Path]) -> Columns:
    """Reads columns of the runs in ``files``, in their order, even if they are removed meanwhile.

    Raises:
        OSError, pyarrow.ArrowInvalid: one of them cannot be read, or is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    opened = [pq.ParquetFile(file, page_checksum_verification=True) for file in files]

    def read(names: Sequence[str]) -> pa.Table:
        kinds = pa.schema([schema().field(name) for name in names])
        tables = [file.read(columns=list(names)).cast(kinds) for file in opened]
        # An empty one is made only if it must be: to make an array pyarrow imports pandas (0.2 s).
        return pa.concat_tables(tables or [kinds.empty_table()])

    read(["trial_id"])
    return read


__all__ = [
    "RANK",
    "Columns",
    "Run",
    "RunStatus",
    "as_runs",
    "as_table",
    "of_parquet",
    "read_runs",
    "schema",
    "write_runs",
]
