"""Every table and figure of every paper at preset smoke: planned, run, recorded and rendered.

By default one seed and one point of each grid, in this process; behind ``slow`` all, through Ray.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import search_spaces
from search_spaces.spec import Artifact, Fields
from sweep import aggregate
from sweep.figures import drawing
from sweep.plan.expand import Plan, plan
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.record.summary_runs import Summary, SummaryRuns
from sweep.run.executor import Executor
from sweep.run.loop import Sweep, run
from sweep.run.serial import SerialExecutor
from sweep.tables import layout
from tests.sweep.cases import Witness

RUNNABLE = [
    pytest.param(artifact, id=artifact.id)
    for artifact in search_spaces.artifacts()
    if not artifact.experiment.blocked
]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One for all, so that artifacts share the trials they have in common."""
    return str(tmp_path_factory.mktemp("smoke"))


def finished(artifact: Artifact, storage: str, executor: Executor) -> tuple[Plan, Record]:
    """The plan of a completed sweep and its record."""
    tracker = Tracker(default_uri(storage))
    asked = Sweep(artifact, "smoke", aggregate.SELECTIONS["paper"], storage, {"device": "cpu"})
    witness = Witness()
    found, record = run(asked, tracker=tracker, observer=witness, executor=executor)
    bad = {name: said for name, said in witness.outcomes.items() if said.startswith("failed")}
    assert bad == {}
    return found, record


def shrunk(artifact: Artifact) -> Artifact:
    found = search_spaces.apply(artifact, "smoke")
    if artifact.id == "compare/methods":  # its smoke is the demo, of some minutes
        found = found.with_experiment(base={**found.experiment.base, "epochs": 4})
    return found


def thinned(artifact: Artifact) -> Artifact:
    """One seed, and of each grid the first value; every cell and stage is there.

    Training is short, and where digits are trained on, on a fifth of them, of what is computed on
    less: what is looked at is the way, not the numbers.
    """
    of_digits = _of_digits(artifact)
    stages = tuple(
        replace(
            stage,
            seeds=1,
            grid={axis: values[:1] for axis, values in stage.grid.items()},
            fields={**stage.fields, **FEWER} if stage.name in of_digits else stage.fields,
        )
        for stage in artifact.experiment.stages
    )
    base, cells = artifact.experiment.base, artifact.experiment.cells
    cells = tuple(replace(cell, fields=_few(_briefly(cell.fields))) for cell in cells)
    return artifact.with_experiment(stages=stages, base=_few(_briefly(base)), cells=cells)


def _briefly(fields: Fields) -> Fields:
    if "epochs" not in fields or fields.get("schedule.name") == "plateau":  # which takes longer
        return fields
    return {**fields, "epochs": min(fields["epochs"], max(FEW_EPOCHS, fields["epochs"] // 10))}


FEW_EPOCHS = 2
"""The first and the last one: there is a curve, and a best epoch that need not be the last."""
FEWER = {"data.subset": 160}
FEW = {
    "word_problems": {"problems": 100},
    "paraphrases": {"pairs": 100},
    "ego_graphs": {"graphs": 100},
    "captioned_digits": {},
}
"""Sets of which less is made, and of what is there 100 examples are trained on."""


def _few(fields: Fields) -> Fields:
    source = fields.get("data.source", "")
    options = dict(source) if isinstance(source, Mapping) else {"name": source}
    name = options["name"]
    if name not in FEW:
        return fields
    return {**fields, "data.source": {**options, **FEW[name]}, "data.subset": 100}


def _of_digits(artifact: Artifact) -> set[str]:
    """Stages of which every cell is trained on so many digits that fewer are enough."""
    found = plan(artifact, "smoke", aggregate.SELECTIONS["paper"], Record.from_runs([]))
    return {
        stage.name
        for stage in found.stages
        if all(
            t.config.data.source.name == "digits"
            and not t.config.data.source.options.get("confusion")
            and (t.config.data.subset or 0) > FEWER["data.subset"]
            for t in (*stage.trials, *stage.expected)
        )
    }


@pytest.fixture
def summarized(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean and std of every cell and curve are taken, and of some artifacts written to MLflow.

    That takes half of the time otherwise. What is written there has tests of its own.
    """
    if artifact.id not in WRITTEN:

        def take(_: SummaryRuns, wanted: Sequence[Summary]) -> int:
            return sum(bool(summary.metrics) and bool(summary.curves()) for summary in wanted)

        monkeypatch.setattr(SummaryRuns, "write", take)


WRITTEN = {"nrs/table1", "amp/figure8", "infomcr/table1"}
"""Cells that are searched, a figure, rows with measures."""


@pytest.mark.usefixtures("summarized")
@pytest.mark.parametrize("artifact", RUNNABLE)
def test_from_plan_to_table(artifact: Artifact, storage: str, tmp_path: Path) -> None:
    becomes_a_table(thinned(shrunk(artifact)), storage, SerialExecutor(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("artifact", RUNNABLE)
def test_from_plan_to_table_through_ray(
    artifact: Artifact, storage: str, by_ray: Executor, tmp_path: Path
) -> None:
    becomes_a_table(shrunk(artifact), storage, by_ray, tmp_path)


def becomes_a_table(artifact: Artifact, storage: str, executor: Executor, folder: Path) -> None:
    found, record = finished(artifact, storage, executor)
    assert found.missing(record) == []
    assert not any(stage.pending for stage in found.stages)
    results = aggregate.cells(found, record)
    preset = search_spaces.PRESETS["smoke"]
    table = layout.build(artifact, results, preset=preset, selection=found.selection)
    for name in layout.FORMATS:
        assert layout.render(table, name).strip()
    shown = [s for r in results if not r.cell.hidden for s in r.metrics.values()]
    assert min(summary.asked for summary in shown) > 0
    measured = [summary.n for summary in shown if not summary.diverged]
    assert min(measured, default=1) > 0
    if artifact.view.kind == "figure":
        path = folder / "figure.png"
        drawing.save(drawing.figure_of(found, record), path)
        assert path.stat().st_size > 5000
