"""Epochs of compare/methods at equal gradient evaluations, in absolute numbers, as planned."""

from __future__ import annotations

from search_spaces import compare
from search_spaces.spec import Artifact
from sweep.plan.expand import plan
from sweep.record.record import Record
from sweep.selection import SELECTIONS

# 200 epochs of ERM, divided by the gradient evaluations of a step and rounded to the nearest.
EPOCHS = {
    **dict.fromkeys(("erm", "label_smoothing", "flooding", "mixup", "l2_sp"), 200),
    **dict.fromkeys(("rmp", "rpr", "wp_sgd"), 200),
    **dict.fromkeys(("adversarial", "amp", "nrs", "nso"), 100),
    **dict.fromkeys(("sam", "usam", "asam", "rsam", "bsam"), 100),
    "infomcr": 118,  # 2 from 30 % of the training on: 200 / 1.7 = 117.6
    "fa": 10,  # 3 + 6 for each of three probes: 200 / 21 = 9.52
}


def planned(artifact: Artifact) -> set[tuple[str, int]]:
    """(method, epochs) of the panel at equal gradient evaluations."""
    trials = plan(artifact, "paper", SELECTIONS["paper"], Record.from_runs([])).stages[0].trials
    return {
        (trial.cell.key["method"], trial.config.epochs)
        for trial in trials
        if trial.cell.key["budget"] == compare.GRADIENTS_KEY
    }


def test_each_method_trains_for_its_share_of_the_gradients_rounded() -> None:
    assert planned(compare.METHODS) == set(EPOCHS.items())


def test_a_method_that_waits_for_a_drop_of_the_rate_costs_more_from_there() -> None:
    """InfoMCR from the first milestone on: as many epochs as when it is told to start there."""
    schedule = {"schedule.name": "step", "schedule.milestones": (0.3, 0.6)}
    base = {**compare.PROTOCOL, **schedule}
    assert planned(compare.METHODS.replace(per_name_overrides={}, base=base)) == set(EPOCHS.items())
