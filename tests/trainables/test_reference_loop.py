"""`fit` is the loop of `reference_loop`: every epoch's numbers and the final weights, in float64.

Both make the same operations in another order (sums over a batch, a momentum's products, an
evaluation in one piece), so each step differs by a few roundings, 2⁻⁵³ = 1.1e-16 relative. A dozen
steps, a BatchNorm over 24 images and Adam's division by a small root multiply that by less
than 1e4 (the largest difference seen is 4e-14); a fault of the loop is at least 1e-6.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables import reference_loop
from trainables import methods
from trainables.config import TrialConfig
from trainables.execution import Execution
from trainables.storage import checkpoint
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult, best_epoch
from trainables.storage.trial_folder import WEIGHTS
from trainables.tasks import Task
from trainables.train import fit

CLOSE = 1e-12

BASE: dict[str, Any] = {
    "data": {"source": "digits", "subset": 160, "validation": 24},
    "model": "resnet_tiny",
    "optimizer": {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-3},
    "schedule": {"name": "constant"},
    "epochs": 3,
    "batch_size": 24,  # 104 images to train on: 4 batches and 8 images
    "drop_last": False,
    "precision": "float64",
    "seed": 5,
}

OPTIONS: dict[str, dict[str, Any]] = {
    "infomcr": {"alpha": 0.05, "num_splits": 4, "start": 0.4},
    "fa": {"lam": 0.5, "num_probes": 1, "every": 2},
    "nrs": {"num_devices": 4},
    "bsam": {"posterior": "adaptive", "num_data": 104, "sigma": 0.05},
    "l2_sp": {"lam": 0.1},
    "flooding": {"level": 2.2},
    "amp": {"epsilon": 0.3, "inner_steps": 2},
}
METHODS = {name: {"name": name, **OPTIONS.get(name, {})} for name in methods.names()}

ADAM = {"lr": 0.01, "weight_decay": 0.05, "betas": (0.8, 0.9)}
CASES: dict[str, dict[str, Any]] = {
    "composed": {"method": METHODS["sam"], "regularizers": [METHODS["l2_sp"], {"name": "mixup"}]},
    "infomcr waits for a drop": {
        "method": {"name": "infomcr", "alpha": 0.05, "num_splits": 4},
        "schedule": {"name": "step", "milestones": [0.5], "gamma": 0.5},
    },
    "every pass moves the statistics": {"method": METHODS["sam"], "batchnorm": "all"},
    "every pass of parts": {"method": METHODS["sam"], "batchnorm": "all", "batchnorm_parts": 3},
    "statistics over parts": {"batchnorm_parts": 3},
    "statistics over parts of sam": {"batchnorm_parts": 3, "method": METHODS["sam"]},
    "a pass for the statistics": {"batchnorm": "separate", "method": METHODS["wp_sgd"]},
    "a pass of parts": {"batchnorm": "separate", "batchnorm_parts": 3, "method": METHODS["nso"]},
    "a pass draws masks": {
        "batchnorm": "separate",
        "method": METHODS["nso"],
        "model": {"name": "wrn_tiny", "dropout": 0.3},
    },
    "cosine": {"schedule": {"name": "cosine"}},
    "linear after a warmup": {"schedule": {"name": "linear", "warmup_epochs": 1.4}},
    "cosine after a warmup": {"schedule": {"name": "cosine", "warmup_epochs": 1.4}},
    "constant after a warmup": {"schedule": {"name": "constant", "warmup_epochs": 0.3}},
    "warmup below a step": {"schedule": {"name": "constant", "warmup_epochs": 0.1}},
    "step": {"schedule": {"name": "step", "milestones": [1, 2.2], "gamma": 0.3}},
    "step after a warmup": {
        "schedule": {"name": "step", "milestones": [0.5], "warmup_epochs": 1, "gamma": 0.3}
    },
    "plateau": {
        "schedule": {"name": "plateau", "patience": 1, "gamma": 0.3},
        "method": {"name": "flooding", "level": 2.0},  # the loss stays about there
        "optimizer.lr": 0.3,
        "epochs": 7,
    },
    "plateau of the clean loss": {
        "schedule": {"name": "plateau", "patience": 1, "gamma": 0.3, "watch": "clean"},
        "model": "mlp",
        "data.subset": 100,
        "optimizer.weight_decay": 0.0,
        "epochs": 8,
    },
    "plain sgd": {"optimizer.momentum": 0.0},
    "nesterov": {"optimizer.nesterov": True},
    "adam": {"optimizer": {"name": "adam", **ADAM}},
    "adamw": {"optimizer": {"name": "adamw", **ADAM}},
    "amsgrad": {"optimizer": {"name": "adam", "amsgrad": True, **ADAM}},
    "adamw with eps": {"optimizer": {"name": "adamw", "eps": 1e-3, **ADAM}},
    "adamw amsgrad": {"optimizer": {"name": "adamw", "amsgrad": True, **ADAM}},
    "clipped": {"optimizer.clip_norm": 0.5},
    "clipped adam": {"optimizer": {"name": "adam", "clip_norm": 1e-7, **ADAM}},
    "clipped nso": {"optimizer.clip_norm": 0.5, "method": METHODS["nso"]},
    "decayed weights": {"optimizer.decay": "weights", "optimizer.weight_decay": 0.1},
    "decayed weights adamw": {"optimizer": {"name": "adamw", "decay": "weights", **ADAM}},
    "no decay": {"optimizer.weight_decay": 0.0},
    "drop_last": {"drop_last": True},
    "drop_last cosine": {"drop_last": True, "schedule": {"name": "cosine"}},
    "drop_last step": {"drop_last": True, "schedule": {"name": "step", "milestones": [1, 2]}},
    "augmented": {"data.augmentation": [{"name": "pad_crop", "padding": 2}, "flip"]},
    "augmented sam": {"data.augmentation": ["flip"], "method": METHODS["sam"]},
    "cutout": {"data.augmentation": [{"name": "cutout", "size": 3}]},
    "dropout": {"model": {"name": "mlp", "widths": [24, 16], "dropout": 0.4}},
    "dropout sam": {"model": {"name": "mlp", "dropout": 0.4}, "method": METHODS["sam"]},
    "dropout and BatchNorm": {"model": {"name": "wrn_tiny", "dropout": 0.3}},
    "nothing held out": {"data.validation": 0},
    "a fraction held out": {"data.validation": 0.3, "data.subset": None, "batch_size": 200},
    "a split of its own": {"data.split_seed": 11},
    "random labels": {"data.source": {"name": "digits", "confusion": 40}},
    "features": {"data": {"source": "spirals", "validation": 0.2}, "model": "mlp_tiny"},
    "squares": {
        "data": {"source": {"name": "matrix_sensing", "size": 6, "measurements": 104}},
        "model": {"name": "factorization", "rank": 2},
        "loss": "mse",
        "optimizer.lr": 1e-4,
    },
    **{f"method {name}": {"method": method} for name, method in METHODS.items()},
}  # fmt: skip


def configured(name: str) -> TrialConfig:
    return TrialConfig(**BASE).replace(**CASES[name])


@cache
def reference(name: str) -> reference_loop.Outcome:
    return reference_loop.train(configured(name))


def fitted(config: TrialConfig, folder: Path) -> tuple[TrialResult, dict[str, torch.Tensor]]:
    storage = Storage(folder)
    result = fit(config, Execution(device="cpu", keep_weights="last"), storage)
    return result, checkpoint.load(storage, WEIGHTS)["model"]


@pytest.mark.parametrize("name", CASES)
def test_fit_is_the_loop_written_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Task, "evaluation_batch", 10)  # several a split, the last incomplete
    config = configured(name)
    result, weights = fitted(config, tmp_path)
    expected = reference(name)
    assert result.status == "done"
    assert result.history.keys() == expected.history.keys()
    for key, curve in expected.history.items():
        assert result.history[key] == pytest.approx(curve, rel=CLOSE, abs=CLOSE, nan_ok=True), key
    shown = {k: v for k, v in result.metrics.items() if k.startswith(("best", *NAMES))}
    assert shown == pytest.approx(expected.metrics, rel=CLOSE, abs=CLOSE)
    assert weights.keys() == expected.weights.keys()
    for key, value in expected.weights.items():
        torch.testing.assert_close(weights[key], value, rtol=CLOSE, atol=CLOSE, msg=key)


NAMES = ("running_", "train_", "validation_", "test_", "learning_rate")


@pytest.mark.parametrize("name", ["cosine", "adamw", "clipped", "augmented", "dropout"])
def test_single_precision_is_the_same_loop(name: str) -> None:
    """From the same weights, order and noise: 2⁻²⁴ = 6e-8 a step, a hundred of which are 1e-5."""
    config = configured(name)
    expected = reference(name).history
    history = fit(config.replace(precision="float32"), Execution(device="cpu")).history
    for key in ("running_train_loss", "test_nll", "test_brier"):
        assert history[key] == pytest.approx(expected[key], abs=1e-5), key
        assert history[key] != expected[key]


def test_no_option_of_a_case_is_without_effect() -> None:
    """Else agreement would say nothing of it: no two cases end at the same numbers."""
    silent = {"warmup below a step"}  # there is no step before the base rate
    ends = set()
    names = [n for n in CASES if configured(n).model.name == "resnet_tiny" and n not in silent]
    names = [name for name in names if not name.startswith("method ")]
    for name in names:
        history = reference(name).history
        ends.add((history["running_train_loss"][-1], history["test_nll"][-1]))
    assert len(ends) == len(names) > 30


def test_the_plateaus_are_reached_by_the_loss_that_is_watched_alone() -> None:
    history = reference("plateau").history
    assert history["learning_rate"] == pytest.approx([0.3] * 4 + [0.09] * 3)
    history = reference("plateau of the clean loss").history
    assert history["learning_rate"] == pytest.approx([0.1] * 6 + [0.03] * 2)
    drops: dict[str, list[int]] = {}
    for judge in ("train_nll", "running_train_loss", "validation_nll", "test_nll"):
        plateau = reference_loop.Plateau(1)
        for loss in history[judge][:-1]:
            plateau.note(loss)
            drops.setdefault(judge, []).append(plateau.drops)
    assert drops.pop("train_nll") == [0, 0, 0, 0, 0, 1, 1]
    assert [0, 0, 0, 0, 0, 1, 1] not in drops.values()


@pytest.mark.parametrize("seed", range(20))
def test_the_best_epoch_is_that_of_the_reference(seed: int) -> None:
    """On made-up curves with many equal errors."""
    g = torch.Generator().manual_seed(seed)
    names = [f"{s}_{m}" for s in ("validation", "test") for m in ("error", "nll")]
    curves = {name: (torch.randint(3, (6,), generator=g) / 4).tolist() for name in names}
    curves["running_train_loss"] = torch.rand(6, generator=g).tolist()
    found = best_epoch(curves, "validation") | best_epoch(curves, "test")
    assert found == reference_loop.best(curves)
