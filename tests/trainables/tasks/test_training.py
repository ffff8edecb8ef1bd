"""Trials of every task: resumed to the same bits, with numbers that have names, judged epochs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.trainables.tasks import stand_ins
from trainables import tasks
from trainables.config import TrialConfig
from trainables.execution import Execution
from trainables.metric_name import MetricName
from trainables.storage.files import Storage
from trainables.train import Trial, evaluate

CPU = Execution(device="cpu")


@pytest.fixture(autouse=True, scope="module")
def _parts():
    with stand_ins.registered():
        yield


def trained(trial: Trial) -> Trial:
    while not trial.finished:
        trial.run_epoch()
    return trial


@pytest.mark.parametrize("method", ["erm", "sam", "nso"])
@pytest.mark.parametrize("kind", stand_ins.OF_TASK)
def test_a_trial_that_is_stopped_goes_on_to_the_same_bits(
    kind: str, method: str, tmp_path: Path
) -> None:
    config = TrialConfig(**stand_ins.fields(kind, epochs=3, method=method, optimizer={"lr": 1e-3}))
    whole = trained(Trial(config, CPU))
    first = Trial(config, CPU, Storage(tmp_path))
    first.run_epoch()
    first.save()
    second = Trial(config, CPU, Storage(tmp_path))
    assert second.epoch == 1
    trained(second)
    weights = second.model.state_dict()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(weights[name], value), name
    assert str(second.history) == str(whole.history)  # NaN for NaN


@pytest.mark.parametrize("kind", stand_ins.OF_TASK)
def test_the_numbers_of_a_split_are_those_that_the_task_declares(kind: str) -> None:
    config = TrialConfig(**stand_ins.fields(kind, epochs=2, optimizer={"lr": 1e-3}))
    trial = trained(Trial(config, CPU))
    metrics = trial.result().metrics
    task = tasks.get(config.loss)
    for part in ("train", "validation", "test"):
        names = [MetricName(n) for n in metrics if "/" not in n]
        found = {n.quantity for n in names if n.data_split == part and "images" not in n}
        assert found == set(task.records)
        assert {task.watched, task.selected} <= found
    assert ("running_train_error" in metrics) == task.counts_errors
    assert metrics["best_validation/epoch"] in (1, 2)


def test_a_plateau_can_watch_the_clean_loss_of_any_task() -> None:
    for kind in stand_ins.OF_TASK:
        schedule = {"name": "plateau", "watch": "clean", "patience": 1}
        fields = stand_ins.fields(kind, epochs=6, schedule=schedule, optimizer={"lr": 1e-3})
        trial = Trial(TrialConfig(**fields), CPU)
        numbers = trial.run_epoch()
        assert f"train_{tasks.get(trial.config.loss).watched}" in numbers


@pytest.mark.parametrize("kind", stand_ins.OF_TASK)
def test_the_numbers_do_not_depend_on_the_batches(kind: str, monkeypatch) -> None:
    """Neither does the contrastive one: all pairs of the split are told from each other."""
    trial = Trial(TrialConfig(**stand_ins.fields(kind)), CPU)
    found = [
        evaluate(trial.model, trial.splits["train"].head(None, size), trial.config.loss)
        for size in (3, 30)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "left"),
    [("token_cross_entropy", 0.2), ("contrastive", 0.8)],  # some captions of a batch are the same
)
def test_training_learns(kind: str, left: float) -> None:
    """Counting upwards, and naming a brightness, can be learnt in some epochs of Adam."""
    optimizer = {"name": "adam", "lr": 0.02, "weight_decay": 0.0}
    config = TrialConfig(**stand_ins.fields(kind, epochs=40, optimizer=optimizer))
    trial = trained(Trial(config, CPU))
    first, *_, last = trial.history["validation_nll"]
    assert last < left * first
    assert trial.history["validation_error"][-1] <= 0.5
