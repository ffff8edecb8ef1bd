"""What a trial is measured on: made once where it fits, and looked at twice once."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trainables import evaluate, measures
from trainables.config import Request, TrialConfig
from trainables.evaluate import Remade
from trainables.execution import Execution
from trainables.measures import guard
from trainables.train import Trial

DIGITS = {"source": "digits", "subset": 200}
TRAINED = TrialConfig(epochs=1, batch_size=64, data=DIGITS, model={"name": "mlp_tiny"})
ASKED = (
    Request("hessian_trace", {"num_samples": 2}, batch_size=48),
    Request("classification", label="all", batch_size=48),
    Request("hessian_trace", {"num_samples": 3}, label="few", samples=40, batch_size=20),
    Request("distance_from_initialization"),
)


@pytest.fixture
def trial() -> Trial:
    made = Trial(TRAINED, Execution(device="cpu"))
    made.run_epoch()
    return made


@pytest.mark.parametrize("batch_size", [1, 48, 64, 1000])
def test_a_batch_made_alone_is_that_of_a_pass(trial: Trial, batch_size: int) -> None:
    batches = trial.splits["train"].head(None, batch_size)
    whole, alone = list(batches), Remade(batches)
    assert len(alone) == len(whole)
    for i in range(-len(whole), len(whole)):
        for a, b in zip(alone[i], whole[i], strict=True):
            assert torch.equal(a, b)
    with pytest.raises(IndexError):
        alone[len(whole)]


def test_numbers_do_not_depend_on_whether_batches_are_held(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = trial.measure(ASKED)
    monkeypatch.setattr(evaluate, "HELD_BYTES", 0)
    made: list[Any] = []
    monkeypatch.setattr(evaluate, "Remade", lambda batches: made.append(batches) or Remade(batches))
    assert trial.measure(ASKED) == held
    assert len(made) == len(ASKED)


def test_two_passes_are_compared_once_for_all_that_is_measured_on_the_same_batches(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []
    check = guard.check

    def noted(model: torch.nn.Module, batches: Any) -> None:
        checked.append(len(batches))
        check(model, batches)

    monkeypatch.setattr(guard, "check", noted)
    trial.measure(ASKED[:3])
    assert checked == [3, 2]  # 160 images of 48 each, and 40 of 20
    trial.measure(ASKED[:1])
    assert checked == [3, 2, 3]  # training may have gone on


def test_a_measure_of_what_was_compared_still_needs_evaluation_mode(trial: Trial) -> None:
    target = measures.Target(trial.model.train(), trial.loss_fn, [], checked=True)
    with pytest.raises(ValueError, match=r"call model\.eval\(\) first"):
        measures.measure("loss", target)
