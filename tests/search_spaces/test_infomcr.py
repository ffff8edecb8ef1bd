"""What InfoMCR asserts without numbers: alpha and M, sub-batch gradients, equal training losses."""

from __future__ import annotations

import pytest

import search_spaces
from sweep.plan.expand import PlannedTrial, plan
from sweep.record.record import Record
from sweep.selection import SELECTIONS


def planned(name: str) -> list[PlannedTrial]:
    found = plan(search_spaces.find(name), "paper", SELECTIONS["paper"], Record.from_runs([]))
    return [t for stage in found.stages for t in (*stage.trials, *stage.expected)]


def test_alpha_and_m_differ_from_the_ablation_in_themselves_alone() -> None:
    trials = planned("infomcr/claim_alpha_m")
    ablation = planned("infomcr/claim_stage_ablation")
    shared = {t.trial_id for t in trials} & {t.trial_id for t in ablation}
    assert len(shared) == 2 * 5, "plain, and alpha = 1e-4 with M = 8, are there too"
    base = next(t.config for t in ablation if t.cell.key["phases"] == "011" and t.seed == 0)
    points = {
        (t.config.method.options["alpha"], t.config.method.options["num_splits"])
        for t in trials
        if t.cell.key["reg"] == "yes"
    }
    assert points == {(a, m) for a in (1e-5, 1e-4, 1e-3) for m in (2, 4, 8, 16)}
    for trial in trials:
        if trial.cell.key["reg"] == "yes" and trial.seed == 0:
            alpha, splits = float(trial.cell.key["alpha"]), int(trial.cell.key["M"])
            changed = {"method.alpha": alpha, "method.num_splits": splits}
            assert trial.config == base.replace(**changed)


def test_gradients_are_of_the_trials_of_table_1() -> None:
    table1 = {t.trial_id for t in planned("infomcr/table1")}
    assert {t.trial_id for t in planned("infomcr/claim_gradients")} < table1


@pytest.mark.parametrize("number", "234")
def test_training_loss_and_error_stand_beside_the_metrics_of_a_scenario(number: str) -> None:
    shown = {m.name: m for m in search_spaces.find(f"infomcr/figure{number}").view.metrics}
    assert {"train_nll", "train_error"} <= set(shown)
    assert shown["train_nll"].better == shown["train_error"].better == "neither"
