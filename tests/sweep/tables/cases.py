"""Tables of hand-made results, for the tests of tables."""

from __future__ import annotations

import statistics
from typing import Any

from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Experiment,
    Metric,
    Notes,
    Preset,
    Reported,
    Selection,
    Stage,
    TableView,
)
from sweep.aggregate import CellResult, Summary, selection
from sweep.tables.layout import Table, TableCell, build

PAPER = Preset("paper", "as printed", comparable=True)
SMALL = Preset("small", "tiny networks")
ERROR = Metric("test_error", "test error %", shown="percent")
LAST, TITLED = Selection(), Notes("A title")


def summary(values: list[float], asked: int | None = None, **lost: int) -> Summary:
    return Summary(
        mean=statistics.fmean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        n=len(values),
        asked=asked or len(values) + sum(lost.values()),
        values=tuple(values),
        trial_ids=tuple(f"trial-{i}" for i in range(len(values))),
        **lost,
    )


def table_of(
    numbers: dict[tuple[str, ...], Summary | dict[str, Summary]],
    labels: tuple[str, ...] = ("method",),
    *,
    preset: Preset = PAPER,
    reported: dict[tuple[str, ...], dict[str, Reported]] | None = None,
    hidden: tuple[tuple[str, ...], ...] = (),
    searched: tuple[int, int] = (1, 1),
    trials: dict[tuple[str, ...], str] | None = None,
    ran: dict[tuple[str, ...], dict[str, str]] | None = None,
    rule: Selection = LAST,
    notes: Notes = TITLED,
    **view: Any,
) -> Table:
    """A table of cells named by their labels' entries; a bare summary is the test error's.

    Each has a trial of its own, unless ``trials`` calls it otherwise.
    """
    results = []
    for key, metrics in numbers.items():
        cell = Cell(
            dict(zip(labels, key, strict=True)),
            reported=(reported or {}).get(key, {}),
            hidden=key in hidden,
            ran=(ran or {}).get(key, {}),
        )
        metrics = {"test_error": metrics} if isinstance(metrics, Summary) else metrics
        point = {"optimizer.lr": 0.1}
        done, points = searched
        own = ((trials or {}).get(key, "/".join(key)),)
        results.append(CellResult(cell, metrics, "train", point, points, done, own))
    artifact = Artifact(
        id="paper/table1",
        experiment=Experiment(tuple(r.cell for r in results), (Stage("train"),), selection=rule),
        view=TableView(**{"metrics": (ERROR,), "rows": labels, **view}),
        notes=notes,
    )
    return build(artifact, results, preset, selection("paper"), {"commit": "abc"})


def cell(table: Table, *row: str, column: int = 0) -> TableCell:
    found = table.grid[table.rows.index(row)][column]
    assert found is not None
    return found


THREE = summary([0.01, 0.02, 0.03])
FOUR = summary([0.03, 0.04, 0.05])


def grid_of(**fields: Any) -> Table:
    keys = [(n, m, d) for d in ("c10", "c100") for m in ("erm", "sam") for n in ("vgg", "resnet")]
    metrics = (ERROR, Metric("test_nll", "NLL"))
    numbers = {key: {"test_error": THREE, "test_nll": FOUR} for key in keys}
    fields = {"rows": ("network", "method"), "columns": ("data",), **fields}
    return table_of(numbers, ("network", "method", "data"), metrics=metrics, **fields)


NASTY = r"""50% & A_1|B <i>x</i> "q", #1 {x} ~ ^ \ $y$ `c` *s* [l](u) 'a' ''b'' c--d ---e λ ± é"""


def nasty() -> Table:
    reported = {(NASTY, NASTY): {"test_error": Reported(7.25, None, None, NASTY)}}
    return table_of(
        {(NASTY, NASTY): THREE, ("plain", NASTY): FOUR},
        ("method", "data"),
        rows=("method",),
        columns=("data",),
        reported=reported,
        metrics=(Metric("test_error", NASTY, shown="percent"),),
        notes=Notes(NASTY, (Choice(NASTY, NASTY, NASTY),), changes=(NASTY,)),
        rule=Selection(stated=NASTY),
    )
