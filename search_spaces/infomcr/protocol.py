"""What InfoMCR's tables and figures share: the regulariser, its stages, and the networks.

Section numbers are the paper's; "code" is the authors' (github.com/SeanJia/InfoMCR).
Appendices D and E, with the exact settings, are not available: a network's
settings are those of its own paper. What can be read in several ways is in `choices`.
"""

from __future__ import annotations

from typing import Any

from search_spaces.spec import Cell, Metric, Reported, Selection, Stage

# -- the regulariser (sections 6 and 7.2) --------------------------------------------------------

ALPHA, NUM_SPLITS = 0.0001, 8
BETAS = (1, 5, 10, 20, 30, 40, 50, 75, 100)
CODE_BETA = 10
PHASES = ("111", "011", "001", "100", "010")  # early, middle, late: between drops of the rate
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
    stated="beta on 5,000 held-out training images, then trained again on all",
)
FIXED = Selection(on="test_error", epoch="last", stated="nothing is selected")

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
IMAGENET: dict[str, Any] = {
    **BASE,
    **WIDE,
    "data.source": {"name": "imagenet", "size": 128},
    "data.augmentation": ({"name": "random_resized_crop"}, {"name": "flip"}),
    "model": {"name": "wrn_18_1_5"},
}

CNN_STANDS_IN = "a CNN of our own is run; the paper's is in its Appendix E, which is lost"


def cell(dataset: str, model: str, reg: str, **reported: Reported) -> Cell:
    """A cell of Table 1, whose trials others share."""
    made = Cell(
        key={"dataset": dataset, "model": model, "reg": reg},
        fields={
            **NETWORKS[model],
            "data.source": DATASETS[dataset],
            "method": METHODS[reg],
        },
        reported=reported,
    )
    return made.stand_in(CNN_STANDS_IN) if model == "CNN" else made
