"""What AMP's tables and figures share: data, networks, methods and training (section 5.1).

What is ambiguous in it stands in `choices`. Section numbers are the paper's (arXiv 2010.04925);
"code" is the authors' (github.com/hiyouga/AMP-Regularizer).
"""

from __future__ import annotations

from typing import Any

from search_spaces.spec import Cell, Metric, Selection

# -- protocol (section 5.1) ----------------------------------------------------------------------

RUNS = 10
CLIP = 50.0  # code: global norm of every gradient, the inner ones of AMP too

BASE: dict[str, Any] = {
    "data.validation": 0,
    "optimizer.name": "sgd",
    "optimizer.lr": 0.1,
    "optimizer.momentum": 0.9,
    "optimizer.nesterov": True,
    "optimizer.weight_decay": 1e-4,
    "optimizer.clip_norm": CLIP,
    "schedule.name": "step",
    "schedule.milestones": (0.5, 0.75),  # epochs 100 and 150 of 200
    "schedule.gamma": 0.1,
    "epochs": 200,
    "batch_size": 50,
    "drop_last": False,
}

DATASETS = {"SVHN": "svhn", "CIFAR-10": "cifar10", "CIFAR-100": "cifar100"}
CROP = {"name": "pad_crop", "padding": 4, "fill": "gray"}
VANILLA: dict[str, tuple[Any, ...]] = {
    "SVHN": ({"name": "pad_crop", "padding": 2, "fill": "gray"},),
    "CIFAR-10": (CROP, {"name": "flip"}),
    "CIFAR-100": (CROP, {"name": "flip"}),
}
HOLES = {"SVHN": 20, "CIFAR-10": 16, "CIFAR-100": 8}

PREACT, VGG = "PreActResNet18", "VGG16"
WRN, PYRAMID = "WideResNet-28-10", "PyramidNet-164-270"
NETWORKS: dict[str, dict[str, Any]] = {
    PREACT: {"name": "preact_resnet18"},
    VGG: {"name": "vgg16", "dropout": 0.0},
    WRN: {
        "name": "wrn_28_10",
        "shared_activation": "none",
        "stride_on": 2,
        "final_bn_momentum": 0.9,
    },
    PYRAMID: {"name": "pyramidnet_164", "alpha": 270},
}
DROPOUT = {PREACT: {"dropout": 0.1}, VGG: {"dropout": 0.1, "conv_dropout": 0.1}}
METHODS: dict[str, dict[str, Any]] = {
    "ERM": {"name": "erm"},
    "Dropout": {"name": "erm"},
    "Label Smoothing": {"name": "label_smoothing", "smoothing": 0.2, "convention": "others"},
    "Flooding": {"name": "flooding", "level": 0.02},
    "MixUp": {"name": "mixup", "alpha": 1.0, "per": "sample"},
    "Adv. Training": {"name": "adversarial", "epsilon": 1 / 255},
    "RMP": {"name": "rmp", "epsilon": 0.1, "reading": "code"},
}
AMP_PAIRS = {PREACT: (0.5, 1.0), VGG: (0.1, 0.2)}  # (epsilon, zeta), Table 1
AMP_PAIRS_BY_AUGMENTATION = {"Vanilla": (0.5, 1.0), "Cutout": (0.3, 0.5), "AutoAug": (0.1, 0.1)}


def amp(epsilon: float, inner_lr: float, inner_steps: int = 1) -> dict[str, Any]:
    """AMP as the tables were made: with the authors' clipping of each tensor."""
    return {
        "name": "amp",
        "epsilon": epsilon,
        "inner_lr": inner_lr,
        "inner_steps": inner_steps,
        "norm": "per_tensor",
        "clip": CLIP,
    }


def trained(method: dict[str, Any]) -> dict[str, Any]:
    """A cell's method. Every pass moves BatchNorm's statistics (code), where there are several."""
    return {"method": method, **({"batchnorm": "all"} if method["name"] == "amp" else {})}


SELECTION = Selection(
    on="test_error",
    epoch="best_test",
    stated="hyper-parameters fixed; the epoch with the lowest TEST error (authors' code)",
)

ERROR = Metric("test_error", "test error %", shown="percent")
NLL = Metric("test_nll", "test NLL", digits=3)


def network(model: str, method: str = "ERM") -> dict[str, Any]:
    """The network of a row: of the row Dropout, with its dropout."""
    return {**NETWORKS[model], **(DROPOUT[model] if method == "Dropout" else {})}


def cell(model: str, dataset: str, method: str, **reported: Any) -> Cell:
    """A cell of Table 1: vanilla augmentation."""
    return Cell(
        key={"model": model, "method": method, "dataset": dataset},
        fields={
            "model": network(model, method),
            **trained(amp(*AMP_PAIRS[model]) if method == "AMP" else METHODS[method]),
            "data.source": DATASETS[dataset],
            "data.augmentation": VANILLA[dataset],
        },
        reported=reported,
    )
