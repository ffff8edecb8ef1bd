"""How long a million tracked numbers take to become means: ``python -m benchmarks.aggregate``.

Two shapes of a million rows: 100,000 groups of 10 seeds (a large study), and 432,000 groups of
2 or 3 (a study of little but groups). Keys are what the record holds: paper, table, cell and
metric, dictionary-encoded. Timed is mean, sample std and count by all four (`statistics`); beside
it the same from plain strings, and by a loop over rows; then looking up a million values in a
`Record`, and all cells of a table of 10,000 cells. Results are compared before they are timed.

Wall seconds, median (fastest, slowest) of ``--rounds``. Nothing else should run.
"""

from __future__ import annotations

import argparse
import math
import statistics as oracle
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.report import publish
from search_spaces.spec import Artifact, Cell, Experiment, Metric, Notes, Stage, TableView
from sweep.aggregate import SELECTIONS, cells, statistics
from sweep.plan.expand import Plan, PlannedStage
from sweep.record.record import Record
from sweep.record.runs import Run

KEYS = ("paper", "table", "cell", "metric")
GOAL = 0.3


def rows(groups: int, count: int, encoded: bool) -> pa.Table:
    """``count`` rows in ``groups`` groups, in random order."""
    rng = np.random.default_rng(0)
    group = rng.permutation(np.arange(count) % groups)
    per_paper = groups // 5
    names = {
        "paper": np.char.add("paper", (group // per_paper).astype(str)),
        "table": np.char.add("table", (group % per_paper // (per_paper // 8 + 1)).astype(str)),
        "cell": np.char.add("cell", (group // 4).astype(str)),
        "metric": np.char.add("metric", (group % 4).astype(str)),
    }
    columns = {name: pa.array(column.tolist(), pa.string()) for name, column in names.items()}
    if encoded:
        columns = {name: column.dictionary_encode() for name, column in columns.items()}
    return pa.table({**columns, "value": 5 + rng.normal(size=count)})


def loop(table: pa.Table) -> dict[tuple[str, ...], tuple[float, float, int]]:
    """The same by a dictionary of lists."""
    groups: dict[tuple[str, ...], list[float]] = {}
    columns = [table[name].to_pylist() for name in (*KEYS, "value")]
    for *key, value in zip(*columns, strict=True):
        groups.setdefault(tuple(key), []).append(value)
    return {key: (*_moments(values), len(values)) for key, values in groups.items()}


def _moments(values: list[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else math.nan


def check(table: pa.Table) -> None:
    expected = loop(table)
    found = statistics(table, KEYS, "value").to_pylist()
    assert len(found) == len(expected)
    for row in found:
        mean, std, n = expected[tuple(row[key] for key in KEYS)]
        assert row["n"] == n
        assert math.isclose(row["mean"], mean, rel_tol=1e-12)
        assert n < 2 or math.isclose(row["std"], std, rel_tol=1e-9)


@dataclass(frozen=True)
class Trial:
    trial_id: str
    cell: Cell
    seed: int
    point: dict[str, Any]


def study(count: int, seeds: int, metrics: int) -> tuple[Plan, Record]:
    """A plan of ``count`` cells and its record of ``count * seeds * metrics`` numbers."""
    shown = tuple(Metric(f"metric{i}", f"metric {i}") for i in range(metrics))
    grid = tuple(Cell({"method": f"m{i % 20}", "row": f"r{i // 20}"}) for i in range(count))
    trials = [
        Trial(f"{c:08x}{s:08x}", cell, s, {}) for c, cell in enumerate(grid) for s in range(seeds)
    ]
    runs = [
        Run(t.trial_id, "done", {m.name: float(i * t.seed % 97) for i, m in enumerate(shown)})
        for t in trials
    ]
    artifact = Artifact(
        id="p/t",
        experiment=Experiment(
            cells=grid,
            stages=(Stage("train", seeds=seeds),),
        ),
        view=TableView(metrics=shown, rows=("row", "method")),
        notes=Notes(""),
    )
    stages = (PlannedStage("train", tuple(trials)),)
    return Plan(artifact, "paper", SELECTIONS["paper"], grid, stages), Record.from_runs(runs)


def timed(work: Callable[[], Any], rounds: int) -> dict[str, float]:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return {"median": oracle.median(seconds), "fastest": min(seconds), "slowest": max(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results")
    options = parser.parse_args()
    count, rounds = options.rows, options.rounds

    check(rows(count // 1000, count // 100, encoded=True))
    results: dict[str, dict[str, float]] = {}
    for groups in (count // 10, int(count * 0.432)):
        shape = f"{count:,} rows, {groups:,} groups"
        for kind, encoded in (("dictionary keys", True), ("string keys", False)):
            table = rows(groups, count, encoded)
            results[f"{shape}, {kind}"] = timed(
                lambda t=table: statistics(t, KEYS, "value"), rounds
            )
        results[f"{shape}, a loop over rows"] = timed(lambda t=table: loop(t), 1)

    plan, record = study(count // 100, seeds=10, metrics=10)
    ids = record.trial_ids
    record.values(ids[:1], "metric0")  # builds the index
    names = [f"metric{i}" for i in range(10)]
    results[f"looking up {count:,} values"] = timed(
        lambda: [record.values(ids, name) for name in names], rounds
    )
    results[f"cells of a table: {count // 100:,} cells, 10 metrics, 10 seeds"] = timed(
        lambda: cells(plan, record), min(3, rounds)
    )

    publish(
        "aggregate",
        "Mean and standard deviation of many trials",
        [
            {
                "what": name,
                "median (s)": f"{s['median']:.3f}",
                "fastest to slowest (s)": f"{s['fastest']:.3f} to {s['slowest']:.3f}",
            }
            for name, s in results.items()
        ],
        "pyarrow",
        notes=[f"{rounds} rounds (a loop over rows: 1); to reach: {GOAL} s for the first line"],
        save=options.save,
    )


if __name__ == "__main__":
    main()
