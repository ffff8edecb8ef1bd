"""Constructed records, of which it is known what a claim has to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from search_spaces.claim import AllBetter, Claim, Place, Predicate, higher, lower
from search_spaces.spec import Artifact, Cell, Experiment, Metric, Notes, Stage, TableView
from sweep.aggregate import CellResult, Summary
from sweep.claims.curves import OfTrial
from sweep.claims.evidence import Evidence, measured, printed
from sweep.claims.finding import Finding
from sweep.claims.judge import judge
from tests.sweep.tables.cases import summary

ACCURACY = Metric("test_error", "acc %", better="higher", shown="accuracy_percent")
NLL = Metric("test_nll", "NLL", digits=3)
NOTHING_PRINTED = printed(())


def at(method: str, data: str = "a", column: str = "test_error") -> Place:
    return Place(column, {"method": method, "data": data})


def gains(*data: str, column: str = "test_error") -> AllBetter:
    """NRS above ERM (below, of another column) on each data set."""
    direction = higher if column == "test_error" else lower
    return AllBetter(tuple(direction(at("nrs", d, column), at("erm", d, column)) for d in data))


def record(
    numbers: Mapping[tuple[str, str], Sequence[float] | Summary],
    metric: Metric = ACCURACY,
    *,
    trials: Mapping[tuple[str, str], str] | None = None,
    comparable: bool = False,
    waiting: Mapping[tuple[str, str], str] | None = None,
    searched: tuple[int, int] = (1, 1),
    curve: OfTrial | None = None,
) -> Evidence:
    """Values in the unit of the column, or a summary of what is recorded."""
    results = []
    for (method, data), values in numbers.items():
        cell = Cell({"method": method, "data": data})
        of = (trials or {}).get((method, data), f"{method} on {data}")
        found = values if isinstance(values, Summary) else _summary(values, metric)
        ids = tuple(f"{of}, seed {seed}" for seed in range(found.n))
        done, points = searched
        results.append(
            CellResult(
                cell,
                {metric.key: replace(found, trial_ids=ids)},
                "train",
                {},
                points,
                done,
                (of,),
                waits=(waiting or {}).get((method, data), ""),
            )
        )
    artifact = Artifact(
        "paper/table",
        Experiment(tuple(r.cell for r in results), (Stage("train"),)),
        TableView(rows=("method", "data"), metrics=(metric,)),
        Notes("made up"),
    )
    ids = {t for r in results for t in r.metrics[metric.key].trial_ids}
    seeds = {trial: int(trial.rpartition(" ")[2]) for trial in ids}
    return measured([(artifact, results)], comparable, seeds, curve)


def _summary(values: Sequence[float], metric: Metric) -> Summary:
    """Of values in the column's unit."""
    recorded = [1 - v / 100 if metric.shown == "accuracy_percent" else v for v in values]
    return summary(recorded)


def verdict(predicate: Predicate, evidence: Evidence, on_print: Evidence | None = None) -> Finding:
    claim = Claim("x-01", "better", "made up", ("paper/table",), predicate)
    return judge(claim, evidence, on_print or NOTHING_PRINTED).finding


def around(mean: float, spread: float = 1.0, n: int = 3) -> list[float]:
    """n values with this mean, evenly spread: a sample std of ``spread`` at n = 3."""
    steps = [i - (n - 1) / 2 for i in range(n)]
    return [mean + spread * step for step in steps]


def pairs(
    differences: Sequence[float], spread: float = 1.0, n: int = 3
) -> dict[tuple[str, str], list[float]]:
    """A record of ERM and NRS on as many data sets, a, b, ..., NRS being better by so much."""
    found = {}
    for data, difference in zip("abcdefghij", differences, strict=False):
        found["erm", data] = around(80.0, spread, n)
        found["nrs", data] = around(80.0 + difference, spread, n)
    return found
