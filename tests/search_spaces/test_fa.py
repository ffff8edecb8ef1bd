"""FA's readings: what they change, and that lambda = 0 has no penalty to be read."""

from __future__ import annotations

import pytest

import search_spaces
from search_spaces.fa import protocol
from search_spaces.readings import read
from sweep.plan.expand import PlannedTrial, plan
from sweep.record.record import Record
from sweep.selection import SELECTIONS

FIGURE1 = search_spaces.find("fa/figure1")


def planned(**readings: str) -> dict[tuple[str, str, int], PlannedTrial]:
    """By data set, lambda and seed."""
    artifact = FIGURE1
    for name, value in readings.items():
        artifact = read(artifact, name, value)
    found = plan(artifact, "paper", SELECTIONS["paper"], Record.from_runs([]))
    return {
        (t.cell.key["dataset"], t.cell.key["lambda"], t.seed): t
        for stage in found.stages
        for t in stage.trials
    }


def test_lambdas_are_those_of_the_rows() -> None:
    rows = dict.fromkeys(cell.key["lambda"] for cell in FIGURE1.experiment.cells)
    assert tuple(rows) == protocol.LAMBDAS


@pytest.mark.parametrize(
    ("name", "value"),
    [("hessian", "sum"), ("estimator", "squared_form"), ("probes", "rademacher_5")],
)
def test_a_reading_of_the_penalty_leaves_lambda_0_as_it_was(name: str, value: str) -> None:
    before, after = planned(), planned(**{name: value})
    assert before.keys() == after.keys()
    for place, trial in after.items():
        assert (trial.trial_id == before[place].trial_id) == (place[1] == "0.0")


def test_the_summed_losses_hessian_is_b_times_as_large() -> None:
    """Tr(H^2) B^2 times, in the penalty and in the column."""
    before, after = planned(), planned(hessian="sum")
    for place, trial in after.items():
        if place[1] != "0.0":
            lam = before[place].config.method.options["lam"]
            assert trial.config.method.options["lam"] == lam * protocol.BATCH**2
    (choice,) = (c for c in FIGURE1.notes.choices if c.name == "hessian")
    for name in ("fa/figure1", "fa/curves"):
        metrics = search_spaces.find(name).view.metrics
        (column,) = (m for m in metrics if m.name == "hessian_trace_of_square")
        changed = choice.others["sum"].metrics[column.key]
        assert changed == {"scale": column.scale * protocol.BATCH**2}


def test_curves_are_of_the_tables_trials() -> None:
    curves = search_spaces.find("fa/curves").experiment
    assert [c.fields for c in curves.cells] == [c.fields for c in FIGURE1.experiment.cells]
    assert (curves.stages, curves.measures) == (
        FIGURE1.experiment.stages,
        FIGURE1.experiment.measures,
    )


def test_published_test_images_leave_as_many_to_train_on() -> None:
    for (dataset, _, _), trial in planned(**{"test-images": "published"}).items():
        data = trial.config.data
        if dataset == protocol.CLAIMED:
            assert data.source.options["test_set"] == "published"
            assert data.subset == protocol.TRAINING
        else:
            assert data.subset == protocol.SUBSET


def test_time_is_compared_with_that_of_lambda_0_beside_it() -> None:
    (ratio,) = (m for m in FIGURE1.view.metrics if m.relative_to)
    assert (ratio.name, ratio.relative_to) == ("training_seconds", {"lambda": "0.0"})
