"""Epochs of compare/methods at equal gradient evaluations, in absolute numbers, as planned."""

from __future__ import annotations

from search_spaces import compare
from sweep.plan import plan
from sweep.record import Record
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


def test_each_method_trains_for_its_share_of_the_gradients_rounded() -> None:
    planned = plan(compare.METHODS, "paper", SELECTIONS["paper"], Record.from_runs([]))
    found = {
        (trial.cell.key["method"], trial.config.epochs)
        for trial in planned.stages[0].trials
        if trial.cell.key["budget"] == compare.GRADIENTS_KEY
    }
    assert found == set(EPOCHS.items())
