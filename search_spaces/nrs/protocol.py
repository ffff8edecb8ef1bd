"""What NRS's tables and figure share: data, networks, methods and the stages of the search.

Zhao & Zhang, "Neighborhood Region Smoothing Regularization" (arXiv 2201.06064). Section numbers
are the paper's. No code of the authors is known; where the text is silent the settings are those
of the same group's next code base ("GNP"). What can be read in several ways is in `choices`.
"""

from __future__ import annotations

from typing import Any

from search_spaces.spec import Cell, Metric, Selection, Stage

# -- grids and training (section 4) --------------------------------------------------------------

SEEDS = 3
DEVICES = 4
LEARNING_RATES = (0.01, 0.05, 0.1, 0.2)
WEIGHT_DECAYS = (0.0005, 0.001)
BATCH_SIZES = (128, 256)
EPSILONS = (0.05, 0.1, 0.5)
ALPHAS = (0.5, 1.0, 2.0)
EPSILON, ALPHA = 0.1, 1.0  # best on Cifar10 (section 5.1), and fixed on ImageNet
UNLISTED_EPSILON = 0.2  # best on Cifar100 (section 5.1), and in no grid

COMMON_GRID = {
    "optimizer.lr": LEARNING_RATES,
    "optimizer.weight_decay": WEIGHT_DECAYS,
    "batch_size": BATCH_SIZES,
}
NRS_GRID = {"method.epsilon": EPSILONS, "method.alpha": ALPHAS}
COMMON = tuple(COMMON_GRID)

BASE: dict[str, Any] = {
    "data.validation": 0,
    "optimizer.name": "sgd",
    "optimizer.momentum": 0.9,
    "optimizer.nesterov": True,
    "optimizer.clip_norm": 5.0,
    "schedule.name": "cosine",
    "epochs": 200,
}

# -- data, methods and networks ------------------------------------------------------------------

DATASETS = {"Cifar10": "cifar10", "Cifar100": "cifar100"}
BASIC = ({"name": "flip"}, {"name": "pad_crop", "padding": 4, "fill": "reflect"})
CUTOUT = {"name": "cutout", "size": 16, "fill": "mean"}
AUGMENTATIONS = {"Basic": BASIC, "Cutout": (*BASIC, CUTOUT)}
METHODS: dict[str, dict[str, Any]] = {
    "Baseline": {"name": "erm"},
    "RPR": {"name": "rpr", "scale": "relative", "num_devices": DEVICES},
    "NRS": {"name": "nrs", "scale": "relative", "num_devices": DEVICES},
}
# The four devices of the paper's machine normalize their parts of a batch by themselves, whatever
# the method: "any other deployment the same" (section 4).
BASELINE: dict[str, Any] = {"method": METHODS["Baseline"], "batchnorm_parts": DEVICES}
WRN = "WideResNet-28-10"
CNNS: dict[str, dict[str, Any]] = {
    "VGG16": {"name": "vgg16", "dropout": 0.5},
    "ResNet18": {"name": "resnet18"},
    WRN: {"name": "wrn_28_10"},
    "PyramidNet-164": {"name": "pyramidnet_164", "alpha": 270},
}
VIT = "ViT-B16"
VIT_FIELDS: dict[str, Any] = {
    "model": {"name": "vit_b", "patch": 4, "dropout": 0.1, "attention_dropout": 0.1},
    "optimizer.name": "adamw",
    "optimizer.lr": 0.001,
    "optimizer.nesterov": False,
    "optimizer.clip_norm": 1.0,
    "optimizer.weight_decay": 0.3,
    "batch_size": 256,
    "epochs": 300,
}

TOP1 = Metric("test_error", "top-1 accuracy %", better="higher", shown="accuracy_percent")
TOP5 = Metric("test_error_top5", "top-5 accuracy %", better="higher", shown="accuracy_percent")

# -- the search ----------------------------------------------------------------------------------

SELECTION = Selection(
    on="test_error",
    epoch="last",
    stated="grids are judged on the TEST set (section 4 mentions no validation split)",
)
NOTHING_SELECTED = "nothing is searched"


def cell(model: str, method: str, dataset: str, augmentation: str, **reported: Any) -> Cell:
    """A cell of Table 1, whose trials Table 3 and Figure 1 share."""
    architecture = VIT_FIELDS if model == VIT else {"model": CNNS[model]}
    normalized = model != VIT and method == "Baseline"
    return Cell(
        key={"model": model, "method": method, "dataset": dataset, "augmentation": augmentation},
        fields={
            **architecture,
            **(BASELINE if normalized else {"method": METHODS[method]}),
            "data.source": DATASETS[dataset],
            "data.augmentation": AUGMENTATIONS[augmentation],
        },
        reported=reported,
    )


def stages(cnns: tuple[str, ...], with_vit: bool = True) -> tuple[Stage, ...]:
    """Section 4: the common grid for the baseline, then epsilon and alpha on top of its winner."""
    setting = ("model", "dataset", "augmentation")
    searches = {"RPR": {"method.epsilon": EPSILONS}, "NRS": NRS_GRID}
    found = [Stage("baseline", {"method": "Baseline", "model": cnns}, {}, COMMON_GRID, SEEDS)]
    if with_vit:
        found.append(Stage("baseline (ViT)", {"method": "Baseline", "model": VIT}, seeds=SEEDS))
    for method, grid in searches.items():
        found.append(
            Stage(
                method.lower(),
                {"method": method, "model": cnns},
                grid=grid,
                seeds=SEEDS,
                after="baseline",
                match=setting,
                inherit=COMMON,
            )
        )
        if with_vit:
            where = {"method": method, "model": VIT}
            found.append(Stage(f"{method.lower()} (ViT)", where, grid=grid, seeds=SEEDS))
    return tuple(found)
