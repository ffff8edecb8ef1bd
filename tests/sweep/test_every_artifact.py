"""Every table and figure of every paper at preset smoke: planned, run, recorded and rendered."""

from __future__ import annotations

from pathlib import Path

import pytest
from sweep_cases import Witness

import search_spaces
from search_spaces.spec import Artifact
from sweep import aggregate, figures, tables
from sweep.executor import Executor
from sweep.plan import Plan
from sweep.record import Record
from sweep.run import Settings, run
from sweep.tracking import Tracker, default_uri

RUNNABLE = [
    pytest.param(artifact, id=artifact.id)
    for artifact in search_spaces.artifacts()
    if not artifact.blocked
]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One for all, so that artifacts share the trials they have in common."""
    return str(tmp_path_factory.mktemp("smoke"))


def finished(artifact: Artifact, storage: str, executor: Executor) -> tuple[Plan, Record]:
    """The plan of a completed sweep and its record, curves included."""
    tracker = Tracker(default_uri(storage))
    settings = Settings(storage, {"device": "cpu"})
    rule = aggregate.SELECTIONS["paper"]
    witness = Witness()
    plan, record = run(artifact, "smoke", rule, tracker, settings, witness, executor)
    bad = {name: said for name, said in witness.outcomes.items() if said.startswith("failed")}
    assert bad == {}
    return plan, tracker.with_curves(plan, record)


@pytest.mark.parametrize("artifact", RUNNABLE)
def test_from_plan_to_table(
    artifact: Artifact, storage: str, by_ray: Executor, tmp_path: Path
) -> None:
    shrunk = search_spaces.apply(artifact, "smoke")
    if artifact.id == "compare/methods":  # its smoke is the demo, of some minutes
        shrunk = shrunk.replace(base={**shrunk.base, "epochs": 4})
    plan, record = finished(shrunk, storage, by_ray)
    assert plan.missing(record) == []
    assert not any(stage.pending for stage in plan.stages)
    results = aggregate.cells(plan, record)
    preset = search_spaces.PRESETS["smoke"]
    table = tables.build(shrunk, results, preset=preset, selection=plan.selection)
    for name in tables.FORMATS:
        assert tables.render(table, name).strip()
    shown = [s for r in results if not r.cell.hidden for s in r.metrics.values()]
    assert min(summary.asked for summary in shown) > 0
    measured = [summary.n for summary in shown if not summary.diverged]
    assert min(measured, default=1) > 0
    if artifact.kind == "figure":
        path = tmp_path / "figure.png"
        figures.save(figures.draw(plan, record), path)
        assert path.stat().st_size > 5000
