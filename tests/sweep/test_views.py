"""Tables and figures are functions of view, experiment and record, and read each curve once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

import search_spaces
from search_spaces.spec import Artifact, CurveView, Epochs, InName, MapView
from sweep import figures
from sweep.aggregate import SELECTIONS
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.record.runs import Run, as_table
from sweep.tables import render, table_of
from trainables import data, models

RUNNABLE = [a for a in search_spaces.artifacts() if not a.experiment.blocked]
EMPTY = Record.from_runs([])


class CountedCurves:
    """Curves that lie in a file beside each run, and how often each file was read."""

    def __init__(self, names: Sequence[str]) -> None:
        self.curves = {name: [0.4, 0.3, 0.2] for name in names}
        self.reads: Counter[str] = Counter()

    def __call__(self, run_id: str) -> dict[str, list[float]]:
        self.reads[run_id] += 1
        return self.curves


def read_names(artifact: Artifact) -> list[str]:
    """Names of everything that the artifact says it reads."""
    names = {n for m in artifact.view.metrics for n in (m.name, m.minus) if n}
    names |= {artifact.experiment.selection.on, "validation_error"}
    match artifact.view:
        case CurveView(x=InName()):
            names |= {
                n.replace("@", f"/{x}") if "@" in n else f"{n}/{x}" for n in names for x in "12"
            }
        case MapView(over_plane=label):
            names |= {f"{label}/{x}/{y}" for x in "12" for y in "12"}
            names |= {f"{label}/sample/1/2"}
    return sorted(names)


def recorded(artifact: Artifact) -> tuple[Plan, Record, CountedCurves]:
    """A finished sweep whose numbers are made up, its curves in files."""
    names = read_names(artifact)
    curves = CountedCurves(names)
    record, planned = EMPTY, plan(artifact, "smoke", SELECTIONS["paper"], EMPTY)
    while planned.missing(record):
        runs = [
            Run(t.trial_id, "done", dict.fromkeys(names, 0.5), None, run_id=t.trial_id)
            for t in planned.trials
        ]
        record = Record.of_table(as_table(runs), curves)
        planned = plan(artifact, "smoke", SELECTIONS["paper"], record)
    return planned, record, curves


@pytest.fixture
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set can be read, no network built, no tracker asked."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a view is a function of the record alone")

    monkeypatch.setattr(data, "load", refuse)
    monkeypatch.setattr(models, "build", refuse)
    monkeypatch.setattr("sweep.record.mlflow_store.Tracker.__init__", refuse)


@pytest.mark.usefixtures("nothing_else")
@pytest.mark.parametrize("artifact_id", [a.id for a in RUNNABLE])
def test_a_view_needs_the_record_alone_and_reads_each_curve_once(artifact_id: str) -> None:
    artifact = search_spaces.apply(search_spaces.find(artifact_id), "smoke")
    planned, record, curves = recorded(artifact)
    assert not curves.reads  # planning reads none
    table = table_of(planned, record)
    assert all(cell.mean is not None for _, _, cell in table.cells)
    assert table.artifact in render(table, "json")
    if artifact.view.kind == "figure":
        assert figures.figure_of(planned, record).axes
    assert set(curves.reads.values()) <= {1}
    history = isinstance(artifact.view, CurveView) and isinstance(artifact.view.x, Epochs)
    mean = any(metric.epoch == "mean" for metric in artifact.view.metrics)
    assert bool(curves.reads) == (history or mean)


def test_a_curve_has_the_points_of_its_own_trials_alone() -> None:
    """Others of the record have measured the same at other sigmas."""
    own = search_spaces.apply(search_spaces.find("nso/figure2_gcn"), "smoke")
    planned, record, _ = recorded(own)
    alone = table_of(planned, record)
    other = Run("another", "done", {"perturbation_gap/0.0071": 0.5, "test_error": 0.5})
    both = Record.of_table(as_table([*_runs(planned), other]), CountedCurves([]))
    assert "perturbation_gap/0.0071" in both.metric_names()
    assert table_of(planned, both).rows == alone.rows


def _runs(planned: Plan) -> list[Run]:
    numbers = dict.fromkeys(read_names(planned.artifact), 0.5)
    return [Run(t.trial_id, "done", numbers) for t in planned.trials]
