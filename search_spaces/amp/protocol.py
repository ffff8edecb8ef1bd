"""What AMP's tables and figures share: data, networks, methods and training (section 5.1).

Section numbers are the paper's (arXiv 2010.04925); "code" is the authors'
(github.com/hiyouga/AMP-Regularizer).
"""

from __future__ import annotations

from typing import Any

from search_spaces.spec import (
    Cell,
    Choice,
    Metric,
    Selection,
)

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

NORM = Choice(
    "norm that clips the perturbation",
    "each tensor's own",
    "the printed epsilon belong to the code, which clips so; Algorithm 1 clips the whole vector",
    "method.norm",
)
GAMMA = Choice(
    "gamma in sections 5.1 and 5.2", "inner learning rate zeta", "code", "method.inner_lr"
)
CHOICES = (
    NORM,
    Choice("best or last epoch", "best on test", "the code prints only that", "--selection"),
    Choice(
        "validation split",
        "none: final runs use all training images",
        "tuned values are printed, grids are not; the code trains on everything",
        "data.validation",
    ),
    Choice("momentum's size, Nesterov, clipping", "0.9, yes, norm 50", "code; the paper is silent"),
    Choice("BatchNorm statistics", "moved by every pass", "code", "batchnorm"),
)
TABLE_CHOICES = (
    GAMMA,
    *CHOICES,
    Choice("flips on SVHN", "none, padding 2", "code; the text flips every image (section 5.1)"),
    Choice("± over ten runs", "n - 1", "not stated"),
)
METHOD_CHOICES = (
    Choice(
        "label smoothing",
        "s / (K - 1) on the other classes",
        "code; section 2.2 mixes with a uniform distribution over all classes",
        "method.convention",
    ),
    Choice(
        "dropout of PreActResNet18",
        "in each block, before its second convolution, and before the classifier",
        "code; the text drops after every ReLU (section 5.1)",
        "model.dropout",
    ),
    Choice(
        "MixUp's lambda",
        "one per sample",
        "code; the original study, which the text follows, has one per batch",
        "method.per",
    ),
    Choice(
        "RMP's ball",
        "U(±sqrt(epsilon / numel)) per tensor",
        "code; section 5.1 has an L2 ball of radius 0.1",
        "method.reading",
    ),
    Choice(
        "'perturbation size to 1 for each pixel'",
        "1/255 on normalised inputs, random start",
        "code",
        "method.epsilon",
    ),
)
NLL_CHOICE = Choice(
    "NLL of label smoothing",
    "plain NLL is measured; the printed numbers are the smoothed loss",
    "their floors are 0.940 (K = 10) and 1.419 (K = 100)",
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
