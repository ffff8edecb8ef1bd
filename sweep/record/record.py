"""What the tracked trials came to, held in Arrow: the only input of every table and figure.

A record is made once from the tracking store (`Record.from_runs`) and then only
read. Trial ids, metric names and states are dictionary-encoded, so that a million
values are looked up and grouped by integer codes (`sweep.aggregate`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal

from trainables.errors import UsageError

if TYPE_CHECKING:  # numpy and pyarrow wait for the work: the command line imports this module
    import numpy as np
    import pyarrow as pa

RunStatus = Literal["done", "diverged", "failed", "running"]

# A trial that was tracked twice counts once: as the run that came furthest, and then the latest.
_RANK = {"done": 3, "diverged": 3, "running": 1, "failed": 0}


@dataclass(frozen=True)
class Run:
    """One tracked trial.

    Attributes:
        trial_id: Content hash of its configuration.
        status: ``done``, ``diverged`` (non-finite loss), ``failed`` or ``running``.
        metrics: Recorded name -> value: fractions, nats, seconds.
        history: Metric name -> values; entry i belongs to epoch i + 1.
        error: Why it failed.
        run_id: Name of the run in the tracking store.
    """

    trial_id: str
    status: RunStatus
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    error: str = ""
    run_id: str = ""

    def __post_init__(self) -> None:
        if self.status not in _RANK:
            raise UsageError(
                f"trial {self.trial_id}: unknown status {self.status!r}; known: {', '.join(_RANK)}"
            )


class Record:
    """Tracked trials as three Arrow tables.

    Attributes:
        runs: One row per trial: ``trial_id``, ``status``, ``run_id``, ``error``.
        metrics: One row per trial and metric: ``trial_id``, ``metric``, ``value``.
        history: One row per trial, metric and epoch: ``trial_id``, ``metric``, ``epoch``,
            ``value``.
    """

    def __init__(self, runs: pa.Table, metrics: pa.Table, history: pa.Table) -> None:
        self.runs, self.metrics, self.history = runs, metrics, history

    @classmethod
    def from_runs(cls, runs: Iterable[Run]) -> Record:
        """Gather ``runs``; of several runs of one trial the one that came furthest counts."""
        import pyarrow as pa

        kept: dict[str, Run] = {}
        for run in runs:
            other = kept.get(run.trial_id)
            if other is None or _RANK[run.status] >= _RANK[other.status]:
                kept[run.trial_id] = run

        metrics = [(r.trial_id, name, v) for r in kept.values() for name, v in r.metrics.items()]
        history = [
            (r.trial_id, name, epoch, value)
            for r in kept.values()
            for name, values in r.history.items()
            for epoch, value in enumerate(values, start=1)
        ]
        names = pa.dictionary(pa.int32(), pa.string())

        def table(rows: list[tuple[Any, ...]], columns: dict[str, pa.DataType]) -> pa.Table:
            values = zip(*rows, strict=True) if rows else [()] * len(columns)
            arrays = [
                pa.array(list(column), pa.string()).dictionary_encode()
                if kind == names
                else pa.array(list(column), kind)
                for column, kind in zip(values, columns.values(), strict=True)
            ]
            return pa.table(dict(zip(columns, arrays, strict=True)))

        return cls(
            table(
                [(r.trial_id, r.status, r.run_id, r.error) for r in kept.values()],
                {"trial_id": names, "status": names, "run_id": pa.string(), "error": pa.string()},
            ),
            table(metrics, {"trial_id": names, "metric": names, "value": pa.float64()}),
            table(
                history,
                {"trial_id": names, "metric": names, "epoch": pa.int64(), "value": pa.float64()},
            ),
        )

    def __len__(self) -> int:
        return int(self.runs.num_rows)

    def status(self, trial_id: str) -> str:
        """``done``, ``diverged``, ``failed``, ``running``, or ``missing``: never tracked."""
        row = self._rows.get(trial_id)
        return "missing" if row is None else self._statuses[row]

    def error(self, trial_id: str) -> str:
        """Why the trial failed; empty if it did not."""
        row = self._rows.get(trial_id)
        return "" if row is None else self.runs["error"][row].as_py() or ""

    def value(self, trial_id: str, metric: str) -> float | None:
        """A recorded number, NaN included; None if the trial has no such metric."""
        rows = self._find([trial_id], metric)
        return None if rows[0] < 0 else float(self._values[rows[0]])

    def values(self, trial_ids: Sequence[str], metric: str) -> np.ndarray:
        """`value` of many trials at once, float64; NaN where a trial has no such metric."""
        import numpy as np

        rows = self._find(trial_ids, metric)
        if not len(self._values):
            return np.full(len(rows), np.nan)
        return np.where(rows < 0, np.nan, self._values[np.maximum(rows, 0)])

    def metric_names(self) -> list[str]:
        """The names of all metrics that any trial has, sorted."""
        return sorted(self._metric_codes)

    def curve(self, trial_id: str, metric: str) -> list[tuple[int, float]]:
        """The history of one metric as (epoch, value), by epoch; empty if none was recorded."""
        return sorted(self._histories.get((trial_id, metric), []))

    def history_means(self, trial_ids: Sequence[str], metric: str) -> np.ndarray:
        """Mean over all epochs of each trial's history; NaN where a trial has none."""
        import numpy as np

        curves = [[value for _, value in self.curve(t, metric)] for t in trial_ids]
        return np.array([mean(curve) if curve else np.nan for curve in curves])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {trial_id: row for row, trial_id in enumerate(self.runs["trial_id"].to_pylist())}

    @cached_property
    def _statuses(self) -> list[str]:
        return list(self.runs["status"].to_pylist())

    @cached_property
    def _histories(self) -> dict[tuple[str, str], list[tuple[int, float]]]:
        curves: dict[tuple[str, str], list[tuple[int, float]]] = {}
        columns = (self.history[name].to_pylist() for name in self.history.column_names)
        for trial_id, metric, epoch, value in zip(*columns, strict=True):
            curves.setdefault((trial_id, metric), []).append((epoch, value))
        return curves

    # A number is found by binary search in the sorted codes trial * metrics + metric: building a
    # Python dict of a million pairs costs more than aggregating them.
    def _find(self, trial_ids: Sequence[str], metric: str) -> np.ndarray:
        """Rows of ``metrics`` that hold ``metric`` of each trial; -1 where there is none."""
        import numpy as np

        absent = -len(self._metric_codes) - 1
        code = self._metric_codes.get(metric)
        if code is None or not len(self._order):
            return np.full(len(trial_ids), -1, dtype=np.int64)
        wanted = np.array(
            [self._trial_codes.get(t, absent) for t in trial_ids], dtype=np.int64
        ) * len(self._metric_codes)
        at = np.minimum(np.searchsorted(self._keys, wanted + code), len(self._keys) - 1)
        return np.where(self._keys[at] == wanted + code, self._order[at], -1)

    @cached_property
    def _codes(self) -> tuple[dict[str, int], dict[str, int], np.ndarray]:
        import numpy as np

        encoded = [self.metrics[name].unify_dictionaries() for name in ("trial_id", "metric")]
        trials, names = (
            {name: code for code, name in enumerate(column.chunk(0).dictionary.to_pylist())}
            if column.num_chunks
            else {}
            for column in encoded
        )
        trial, name = (
            np.concatenate([np.asarray(chunk.indices) for chunk in column.chunks])
            if column.num_chunks
            else np.empty(0)
            for column in encoded
        )
        return trials, names, trial.astype(np.int64) * len(names) + name

    @property
    def _trial_codes(self) -> dict[str, int]:
        return self._codes[0]

    @property
    def _metric_codes(self) -> dict[str, int]:
        return self._codes[1]

    @cached_property
    def _order(self) -> np.ndarray:
        import numpy as np

        return np.argsort(self._codes[2], kind="stable")

    @cached_property
    def _keys(self) -> np.ndarray:
        keys: np.ndarray = self._codes[2][self._order]
        return keys

    @cached_property
    def _values(self) -> np.ndarray:
        values: np.ndarray = self.metrics["value"].to_numpy()
        return values


def write_runs(path: Path, runs: Iterable[Run]) -> None:
    """Runs as JSON lines, sorted by trial, so that equal records make equal files."""
    lines = (json.dumps(asdict(run), sort_keys=True) for run in sorted(runs, key=_by_trial))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_runs(path: Path) -> Iterator[Run]:
    """Runs from JSON lines, as `write_runs` writes them.

    Raises:
        UsageError: a line is not a run; the message names the file and the line.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield Run(**json.loads(line))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{path}, line {number}: not an exported run ({error})") from None


def _by_trial(run: Run) -> str:
    return run.trial_id


__all__ = ["Record", "Run", "RunStatus", "read_runs", "write_runs"]
