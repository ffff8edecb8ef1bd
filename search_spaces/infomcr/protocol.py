"""What InfoMCR's tables and figures share: the regulariser, its stages, and the networks.

Section numbers are the paper's; "code" is the authors' (github.com/SeanJia/InfoMCR).
Appendices D and E, with the exact settings, are not available: a network's
settings are those of its own paper.
"""

from __future__ import annotations

from typing import Any

from search_spaces.spec import Choice, Metric, Selection, Stage

# -- the regulariser (sections 6 and 7.2) --------------------------------------------------------

ALPHA, NUM_SPLITS = 0.0001, 8
BETAS = (1, 5, 10, 20, 30, 40, 50, 75, 100)
CODE_BETA = 10
RUNS, IMAGENET_RUNS = 5, 3
HELD_OUT = 5000  # of 50,000: beta is chosen on a 45k/5k split

NO, REG = "no", "yes"
METHODS: dict[str, dict[str, Any]] = {
    NO: {"name": "erm"},
    REG: {
        "name": "infomcr",
        "alpha": ALPHA,
        "num_splits": NUM_SPLITS,
        "phases": "011",
        "statistics": "full_batch",
    },
}

TUNE = Stage(
    "tune",
    {"reg": REG},
    fields={"data.validation": HELD_OUT, "data.split_seed": 0},
    grid={"method.beta": BETAS},
    seeds=1,
)


def stages(runs: int) -> tuple[Stage, ...]:
    """beta is searched on held-out images; then all images are trained on (section 7.2)."""
    return (
        TUNE,
        Stage("plain", {"reg": NO}, seeds=runs),
        Stage("final", {"reg": REG}, seeds=runs, after="tune", inherit=("method.beta",)),
    )


TUNED = Selection(
    on="validation_error",
    epoch="last",
    stated="beta on 5,000 held-out training images, then trained again on all; last epoch",
)
FIXED = Selection(on="test_error", epoch="last", stated="nothing is selected; last epoch")

STEP_CHOICES = (
    Choice(
        "BatchNorm",
        "sub-batches by their own, full batch by its own statistics",
        "code",
        "method.statistics",
    ),
    Choice("last incomplete batch", "dropped", "code; M = 8 must divide the batch", "drop_last"),
)
SPREAD_CHOICE = Choice("± over runs", "n - 1", "not stated")
REG_CHOICES = (
    Choice("active phase", "after the first learning-rate drop", "section 7.2.1", "method.phases"),
    *STEP_CHOICES,
    SPREAD_CHOICE,
)
CIFAR_CHOICES = (
    Choice("beta of each network and data set", "the nine values, one seed each", "not printed"),
    Choice(
        "after choosing beta",
        "training on all 50,000",
        "the plain rows match known 50,000-image results",
        "data.validation",
    ),
    *REG_CHOICES,
)
METRIC_CHOICES = (
    Choice("T and N'", "100 and 100", "the code's; Appendix D is lost"),
    Choice("BatchNorm in gamma-hat", "eval mode", "per-sample gradients need it"),
)
TRAINING_CHOICES = (
    Choice("weight decay", "each network's own paper", "the code's covers some weights only"),
    Choice("crop", "one per image", "the code's, one per batch, looks like a slip"),
)
NETWORK_CHOICES = (
    Choice("depth of DenseNet-BC-k12", "100", "the only such net in its paper", "model"),
    *TRAINING_CHOICES,
)

# -- networks: settings of their own papers (section 7.2) ----------------------------------------

CROP_FLIP = ({"name": "pad_crop", "padding": 4}, {"name": "flip"})
BASE: dict[str, Any] = {
    "data.validation": 0,
    "data.augmentation": CROP_FLIP,
    "optimizer.name": "sgd",
    "optimizer.lr": 0.1,
    "optimizer.momentum": 0.9,
    "schedule.name": "step",
    "schedule.gamma": 0.1,
    "drop_last": True,
}
WIDE: dict[str, Any] = {  # Zagoruyko & Komodakis 2016: 0.1, x 0.2 at 60, 120, 160 of 200 epochs
    "optimizer.nesterov": True,
    "optimizer.weight_decay": 5e-4,
    "schedule.milestones": (0.3, 0.6, 0.8),
    "schedule.gamma": 0.2,
    "epochs": 200,
    "batch_size": 128,
}
NETWORKS: dict[str, dict[str, Any]] = {
    "CNN": {"model": {"name": "cnn"}, **WIDE},
    "WRN-28-2": {"model": {"name": "wrn_28_2", "shared_activation": "none"}, **WIDE},
    "DenseNet-k12": {  # Huang et al. 2017: 300 epochs, / 10 at 50 % and 75 %
        "model": {"name": "densenet_bc_k12"},
        "optimizer.nesterov": True,
        "optimizer.weight_decay": 1e-4,
        "schedule.milestones": (0.5, 0.75),
        "epochs": 300,
        "batch_size": 64,
    },
    "ResNet-20": {  # He et al. 2016: / 10 at 32k and 48k of 64k steps of 128
        "model": {"name": "resnet20"},
        "optimizer.weight_decay": 1e-4,
        "schedule.milestones": (0.5, 0.75),
        "epochs": 164,
        "batch_size": 128,
    },
}
SUBSETS = {"num_trials": 100, "num_samples": 100}  # T subsets of N' images
DATASETS = {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100"}
ERROR = Metric("test_error", "test error %", shown="percent")
