"""What the tracked trials came to, held in Arrow: the only input of every table and figure.

A record is complete: numbers, curves, how each trial ended, the sweeps that it belongs to and where
its numbers come from. It is made from the tracking store (`sweep.record.mlflow_store`), from its
mirror (`sweep.record.mirror`) or from a file (`Record.read`), and then only read. What is long is
read when it is first asked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from sweep.record.membership import Membership, variants
from sweep.record.runs import (
    RANK,
    Columns,
    Run,
    as_runs,
    as_table,
    of_parquet,
    read_runs,
    schema,
)
from trainables import config
from trainables.errors import UsageError

if TYPE_CHECKING:  # numpy and pyarrow wait for the work: the command line imports this module
    import numpy as np
    import pyarrow as pa

Curves = Callable[[str], Mapping[str, Sequence[float]]]
"""Reads the curves of a run, by its name in the tracking store."""

OUTDATED = "outdated"
"""What a trial is whose protocol is older than ours: it was recorded, and no longer counts."""

SUFFIXES = (".parquet", ".jsonl")


class Record:
    """Tracked trials, one row per trial; of several runs of one the one that came furthest counts.

    Args:
        columns: Reads the runs.
        curves: Reads the curves of a run that was read without them; None: there are no others.
    """

    def __init__(self, columns: Columns, curves: Curves | None = None) -> None:
        self._read, self._fetch = columns, curves
        self._fetched: dict[str, Mapping[str, Sequence[float]]] = {}
        self._found: dict[str, np.ndarray] = {}

    @classmethod
    def of_table(cls, table: pa.Table, curves: Curves | None = None) -> Record:
        """The record of runs in Arrow (`sweep.record.runs.as_table`)."""
        return cls(table.select, curves)

    @classmethod
    def from_runs(cls, runs: Iterable[Run]) -> Record:
        """The record of ``runs``."""
        return cls.of_table(as_table(runs))

    @classmethod
    def read(cls, path: Path | str) -> Record:
        """The record in a ``.parquet`` file that `write` made, or a ``.jsonl`` of ``sweep export``.

        Raises:
            UsageError: there is no such file, or it holds no record.
        """
        path = Path(path)
        if path.suffix not in SUFFIXES:
            raise UsageError(f"{path} is no record: it ends in {' or '.join(SUFFIXES)}")
        try:
            if path.suffix == ".jsonl":
                return cls.from_runs(read_runs(path))
            return cls.from_runs(as_runs(of_parquet([path])(schema().names)))
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror or error})") from error
        except (AttributeError, TypeError, ValueError) as error:
            if str(path) in str(error):
                raise
            reason = " ".join(str(error).split())[:200]  # pyarrow's of a damaged file, and the like
            raise UsageError(f"{path} holds no record ({reason})") from error

    def write(self, path: Path | str) -> None:
        """All of it, curves too, as a Parquet file that `read` takes."""
        import pyarrow.parquet as pq

        pq.write_table(as_table(self.runs()), path, compression="zstd", write_page_checksum=True)

    # -- trials --------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def trial_ids(self) -> list[str]:
        """Every tracked trial."""
        return list(self._rows)

    def status(self, trial_id: str) -> str:
        """``done``, ``diverged``, ``pruned``, ``failed``, ``running``; else ``missing``."""
        row = self._rows.get(trial_id)
        return "missing" if row is None else self._statuses[row]

    def statuses(self, trial_ids: Iterable[str]) -> list[str]:
        """The `status` of each."""
        rows, found = self._rows, self._statuses
        return [
            "missing" if (row := rows.get(trial_id)) is None else found[row]
            for trial_id in trial_ids
        ]

    def error(self, trial_id: str) -> str:
        """Why the trial failed; empty if it did not."""
        return self._text("error", trial_id)

    def ended(self, trial_id: str) -> int:
        """When the trial was recorded, in Unix milliseconds; 0: not known."""
        row = self._rows.get(trial_id)
        return 0 if row is None else int(self._light["ended"][row].as_py() or 0)

    def run_id(self, trial_id: str) -> str:
        """The run of the tracking store that the trial's numbers are in; empty: none is."""
        return self._text("run_id", trial_id)

    def settings(self, trial_id: str) -> dict[str, str]:
        """The trial's configuration, flat: dotted field -> value."""
        row = self._rows.get(trial_id)
        text = None if row is None else self._settings[row].as_py()
        return dict(json.loads(text)) if text else {}

    def memberships(self, trial_id: str) -> list[Membership]:
        """The sweeps that the trial belongs to, each with the stage."""
        found = self._text("memberships", trial_id)
        return [Membership(*entry) for entry in json.loads(found)] if found else []

    def provenance(self, trial_ids: Iterable[str]) -> dict[str, str]:
        """Where the trials' numbers come from: each kind of origin with all its values."""
        import numpy as np

        rows = [self._rows[trial_id] for trial_id in trial_ids if trial_id in self._rows]
        kinds, codes = self._origins
        met = np.unique(codes[rows]).tolist() if rows else ()
        origins = [json.loads(kinds[code]) for code in met if kinds[code]]
        found = {
            name: {origin[name] for origin in origins if origin.get(name)}
            for name in ("data", "commit", "torch", "hardware", "precision")
        }
        return {name: " and ".join(sorted(values)) for name, values in found.items() if values}

    def origins(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Trial -> these entries of its provenance, of finished trials that have one of them."""
        kinds, codes = self._origins
        found = [json.loads(text) if text else {} for text in kinds]
        kept = (*names, "data")
        chosen = [
            {n: o[n] for n in kept if o.get(n)} if any(map(o.get, names)) else {} for o in found
        ]
        if not any(chosen):
            return {}
        columns = zip(self._rows, self._statuses, codes.tolist(), strict=True)
        ended = {trial_id: chosen[i] for trial_id, end, i in columns if end in ("done", "diverged")}
        return {trial_id: origin for trial_id, origin in ended.items() if origin}

    def without(self, trial_ids: Iterable[str]) -> Record:
        """The record as it would be without these trials."""
        import pyarrow as pa
        import pyarrow.compute as pc

        gone, read = pa.array(list(trial_ids), pa.string()), self._read

        def others(names: Sequence[str]) -> pa.Table:
            table = read(list(dict.fromkeys([*names, "trial_id"])))
            kept = table.filter(pc.invert(pc.is_in(table["trial_id"], value_set=gone)))
            return kept.select(list(names))

        return Record(others, self._fetch)

    def runs(self, history: bool = True, among: Iterable[str] | None = None) -> Iterator[Run]:
        """The run of every trial, or of those ``among``, with its curves (``history``) or none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = self._columns(schema().names)
        if among is not None:
            wanted = pa.array(list(among), pa.string())
            table = table.filter(pc.is_in(table["trial_id"], value_set=wanted))
        for run in as_runs(table):
            curves = self._curves_of(run.trial_id) if history else {}
            yield replace(run, history=dict(curves))

    def doubles(self) -> list[tuple[str, str, list[Membership]]]:
        """(trial, run, memberships) of every further run of a trial, which does not count."""
        whole = self._read(["trial_id", "run_id", "memberships"])
        if len(self._kept) == whole.num_rows:
            return []
        kept = set(self._kept.tolist())
        columns = zip(*(whole[name].to_pylist() for name in whole.column_names), strict=True)
        return [
            (trial_id, run_id, [Membership(*entry) for entry in json.loads(memberships or "[]")])
            for row, (trial_id, run_id, memberships) in enumerate(columns)
            if row not in kept
        ]

    def ends(self) -> pa.Table:
        """How every trial ended, and what for.

        ``trial_id``, ``status``, ``run_id``, ``error``; ``sweeps``, their names in one text; and
        ``variant``, those that these are of.
        """
        import pyarrow as pa

        table = self._light.select(["trial_id", "status", "run_id", "error"])
        kinds = self._light["memberships"].combine_chunks().dictionary_encode()
        members = [
            [Membership(*entry) for entry in json.loads(t)] for t in kinds.dictionary.to_pylist()
        ]
        for name, texts in (
            ("sweeps", ["; ".join(dict.fromkeys(m.sweep for m in found)) for found in members]),
            ("variant", list(map(variants, members))),
        ):
            table = table.append_column(name, pa.array(texts, pa.string()).take(kinds.indices))
        return table

    # -- sweeps --------------------------------------------------------------------------------

    def sweeps(self) -> dict[tuple[str, str, str], Counter[str]]:
        """(artifact, preset, variant) -> how many of its trials ended how.

        `OUTDATED` ones count as that.
        """
        kept = self._columns(["memberships", "status", "protocol"])
        kinds = kept.group_by(["memberships", "status", "protocol"]).aggregate([([], "count_all")])
        found: dict[tuple[str, str, str], Counter[str]] = {}
        for kind in kinds.to_pylist():
            known = kind["protocol"]
            outdated = known is not None and known < config.PROTOCOL_VERSION
            members = [Membership(*entry) for entry in json.loads(kind["memberships"])]
            for sweep in {(m.artifact, m.preset, m.variant) for m in members}:
                end = OUTDATED if outdated else kind["status"]
                found.setdefault(sweep, Counter())[end] += kind["count_all"]
        return found

    def outdated(self, artifact_id: str, preset: str, variant: str = "") -> int:
        """How many trials of the artifact at ``preset`` were recorded with an older protocol."""
        return self.sweeps().get((artifact_id, preset, variant), Counter())[OUTDATED]

    # -- numbers -------------------------------------------------------------------------------

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

    def has(self, trial_ids: Sequence[str], metric: str) -> np.ndarray:
        """Whether each trial has a number of this name, NaN included: (N,) bool."""
        return self._find(trial_ids, metric) >= 0

    def metric_names(self, trial_ids: Iterable[str] | None = None) -> list[str]:
        """Every name under which a trial has a number, or one of these.

        Args:
            trial_ids: Those that are asked of; None: all.
        """
        if trial_ids is None:
            return sorted(self._metric_codes)
        import numpy as np

        rows = np.array([self._rows[t] for t in trial_ids if t in self._rows], dtype=np.int64)
        _, codes, trials, _ = self._entries
        found = set(np.unique(codes[np.isin(trials, rows)]).tolist())
        return sorted(name for name, code in self._metric_codes.items() if code in found)

    def curve(self, trial_id: str, metric: str) -> list[tuple[int, float]]:
        """A metric's history as (epoch, value), NaN where it was not measured; empty: none."""
        values = self._curves_of(trial_id).get(metric, ())
        return list(enumerate(values, start=1))

    def curves(self, trial_id: str) -> Mapping[str, Sequence[float]]:
        """All histories of a trial: metric -> its value in each epoch."""
        return self._curves_of(trial_id)

    def history_means(self, trial_ids: Sequence[str], metric: str) -> np.ndarray:
        """Mean over all epochs of each trial's history; NaN where a trial has none."""
        import numpy as np

        curves = [[value for _, value in self.curve(t, metric)] for t in trial_ids]
        return np.array([mean(curve) if curve else np.nan for curve in curves])

    def numbers(self) -> pa.Table:
        """Every number of every trial: ``trial_id``, ``metric``, ``value``."""
        import pyarrow as pa

        names = pa.array(list(self._metric_codes), pa.string())
        ids = self._columns(["trial_id"])["trial_id"].combine_chunks()
        _, codes, trials, values = self._entries
        return pa.table(
            {"trial_id": ids.take(pa.array(trials)), "metric": names.take(pa.array(codes)),
             "value": values}
        )  # fmt: skip

    # -- reading -------------------------------------------------------------------------------

    @cached_property
    def _kept(self) -> np.ndarray:
        """Rows of the runs that count, one per trial, in the order of the trials' first ones."""
        import numpy as np
        import pyarrow.compute as pc

        light = self._read(["trial_id", "status", "ended", "run_id"])
        if pc.count_distinct(light["trial_id"]).as_py() == light.num_rows:
            return np.arange(light.num_rows)
        kept: dict[str, tuple[tuple[int, int, str], int]] = {}
        columns = (light[name].to_pylist() for name in light.column_names)
        for row, (trial_id, status, ended, run_id) in enumerate(zip(*columns, strict=True)):
            rank = RANK[status], ended, run_id  # the same one, whoever looks
            if trial_id not in kept or rank >= kept[trial_id][0]:
                kept[trial_id] = rank, row
        return np.array([row for _, row in kept.values()], dtype=np.int64)

    def _columns(self, names: Sequence[str]) -> pa.Table:
        table = self._read(list(names))
        return table if len(self._kept) == table.num_rows else table.take(self._kept)

    @cached_property
    def _light(self) -> pa.Table:
        names = ["trial_id", "status", "error", "run_id", "memberships", "provenance", "ended"]
        return self._columns(names).combine_chunks()

    @cached_property
    def _settings(self) -> pa.ChunkedArray:
        return self._columns(["settings"])["settings"]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {trial_id: row for row, trial_id in enumerate(self._light["trial_id"].to_pylist())}

    @cached_property
    def _statuses(self) -> list[str]:
        return list(self._light["status"].to_pylist())

    @cached_property
    def _origins(self) -> tuple[list[str | None], np.ndarray]:
        """Every provenance that a trial has, as JSON, and which of them it is, by row."""
        import numpy as np

        kinds = self._light["provenance"].combine_chunks().dictionary_encode("encode")
        # `to_numpy`, and `take` of a list, would import pandas.
        return kinds.dictionary.to_pylist(), np.from_dlpack(kinds.indices)

    def _text(self, column: str, trial_id: str) -> str:
        row = self._rows.get(trial_id)
        return "" if row is None else self._light[column][row].as_py() or ""

    def _curves_of(self, trial_id: str) -> Mapping[str, Sequence[float]]:
        row = self._rows.get(trial_id)
        if row is None:
            return {}
        if trial_id not in self._fetched:
            inline = self._inline[row].as_py()
            if inline is not None:
                self._fetched[trial_id] = {curve["name"]: curve["values"] for curve in inline}
            else:
                fetched = self._fetch(self.run_id(trial_id)) if self._fetch else {}
                self._fetched[trial_id] = fetched
        return self._fetched[trial_id]

    @cached_property
    def _inline(self) -> pa.ChunkedArray:
        return self._columns(["curves"])["curves"]

    def _find(self, trial_ids: Sequence[str], metric: str) -> np.ndarray:
        """Places in `_values` of ``metric`` of each trial; -1 where there is none."""
        import numpy as np

        rows = np.array([self._rows.get(t, -1) for t in trial_ids], dtype=np.int64)
        return self._places(metric)[rows]

    def _places(self, metric: str) -> np.ndarray:
        """Place in `_values` of every trial's ``metric``, by row, and -1 for row -1: (N + 1,)."""
        import numpy as np

        if metric not in self._found:
            at = np.full(len(self._rows) + 1, -1, dtype=np.int64)
            code = self._metric_codes.get(metric)
            if code is not None:
                entries = self._order[self._starts[code] : self._starts[code + 1]]
                at[self._entries[2][entries]] = entries
            self._found[metric] = at
        return self._found[metric]

    # Entries are grouped by their names, once: to look through a million for each name, or to
    # build a Python dict of them, costs more than aggregating them.
    @cached_property
    def _order(self) -> np.ndarray:
        import numpy as np

        few = len(self._metric_codes) <= np.iinfo(np.uint16).max
        codes = self._entries[1].astype(np.uint16) if few else self._entries[1]  # sorted by radix
        return np.argsort(codes, kind="stable")

    @cached_property
    def _starts(self) -> np.ndarray:
        import numpy as np

        counts = np.bincount(self._entries[1], minlength=len(self._metric_codes))
        return np.concatenate([[0], np.cumsum(counts)])

    @cached_property
    def _entries(self) -> tuple[dict[str, int], np.ndarray, np.ndarray, np.ndarray]:
        """Codes of the metrics' names; code, row of the trial and value of every number."""
        import numpy as np

        lists = self._columns(["metrics"])["metrics"].combine_chunks()
        entries = lists.flatten()
        names = entries.field("name")
        known = {name: code for code, name in enumerate(names.dictionary.to_pylist())}
        # `to_numpy` would import pandas, which takes longer than a small table.
        arrays = names.indices, lists.value_parent_indices(), entries.field("value")
        codes, trials, values = map(np.from_dlpack, arrays)
        return known, codes, trials, values

    @property
    def _metric_codes(self) -> dict[str, int]:
        return self._entries[0]

    @property
    def _values(self) -> np.ndarray:
        return self._entries[3]


__all__ = ["OUTDATED", "Columns", "Curves", "Record"]
