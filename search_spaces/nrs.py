"""NRS: Zhao & Zhang, "Neighborhood Region Smoothing Regularization" (arXiv 2201.06064).

Section numbers are the paper's. No code of the authors is known; where the text
is silent the settings are those of the same group's next code base ("GNP").
"""

from __future__ import annotations

from typing import Any

from search_spaces.printed import rows, table
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    CurveView,
    Epochs,
    Experiment,
    Measure,
    Metric,
    Notes,
    Paper,
    Selection,
    Stage,
    TableView,
)

# -- protocol (section 4) ------------------------------------------------------------------------

SEEDS = 3
DEVICES = 4
LEARNING_RATES = (0.01, 0.05, 0.1, 0.2)
WEIGHT_DECAYS = (0.0005, 0.001)
BATCH_SIZES = (128, 256)
EPSILONS = (0.05, 0.1, 0.5)
ALPHAS = (0.5, 1.0, 2.0)

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

DATASETS = {"Cifar10": "cifar10", "Cifar100": "cifar100"}
BASIC = ({"name": "flip"}, {"name": "pad_crop", "padding": 4, "fill": "reflect"})
AUGMENTATIONS = {
    "Basic": BASIC,
    "Cutout": (*BASIC, {"name": "cutout", "size": 16, "fill": "mean"}),
}
METHODS: dict[str, dict[str, Any]] = {
    "Baseline": {"name": "erm"},
    "RPR": {"name": "rpr", "scale": "relative", "num_devices": DEVICES},
    "NRS": {"name": "nrs", "scale": "relative", "num_devices": DEVICES},
}
# The four devices of the paper's machine normalize their parts of a batch by themselves, whatever
# the method: "any other deployment the same" (section 4).
BASELINE: dict[str, Any] = {"method": METHODS["Baseline"], "batchnorm_parts": DEVICES}
CNNS: dict[str, dict[str, Any]] = {
    "VGG16": {"name": "vgg16", "dropout": 0.5},
    "ResNet18": {"name": "resnet18"},
    "WideResNet-28-10": {"name": "wrn_28_10"},
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

# -- Table 1 -------------------------------------------------------------------------------------

PRINTED1 = """
VGG16 | Baseline | 93.12±0.08 93.95±0.11 72.28±0.17 73.34±0.22
VGG16 | RPR | 93.14±0.21 93.91±0.17 72.31±0.21 73.29±0.19
VGG16 | NRS | 93.79±0.11 94.77±0.17 73.61±0.20 75.32±0.19
ResNet18 | Baseline | 94.88±0.12 95.45±0.16 76.19±0.21 77.03±0.11
ResNet18 | RPR | 94.90±0.24 95.41±0.23 76.25±0.31 76.98±0.18
ResNet18 | NRS | 96.01±0.15 96.47±0.10 78.67±0.17 79.88±0.14
WideResNet-28-10 | Baseline | 96.17±0.12 97.09±0.17 80.91±0.13 82.25±0.15
WideResNet-28-10 | RPR | 96.14±0.11 97.02±0.15 80.94±0.19 82.19±0.24
WideResNet-28-10 | NRS | 96.94±0.17 97.55±0.13 82.77±0.16 83.94±0.16
PyramidNet-164 | Baseline | 96.32±0.15 97.11±0.12 82.33±0.19 83.50±0.17
PyramidNet-164 | RPR | 96.31±0.19 97.09±0.19 82.25±0.24 83.58±0.22
PyramidNet-164 | NRS | 97.23±0.19 97.72±0.11 84.61±0.24 86.29±0.18
ViT-B16 | Baseline | 80.04±0.11 82.73±0.21 54.42±0.25 57.79±0.20
ViT-B16 | RPR | 80.01±0.18 82.73±0.17 54.61±0.31 57.81±0.17
ViT-B16 | NRS | 81.11±0.12 84.03±0.16 55.76±0.20 59.52±0.22
"""
COLUMNS1 = [(dataset, augmentation) for dataset in DATASETS for augmentation in AUGMENTATIONS]

TOP1 = Metric("test_error", "top-1 accuracy %", better="higher", shown="accuracy_percent")
TOP5 = Metric("test_error_top5", "top-5 accuracy %", better="higher", shown="accuracy_percent")

SELECTION = Selection(
    on="test_error",
    epoch="last",
    stated="grids are judged on the TEST set (section 4 mentions no validation split); last epoch",
)

METHOD_CHOICES = (
    Choice(
        "step 8 of Algorithm 1, delta / ||theta||, shrinks the perturbation to nothing as printed",
        "relative: ||delta|| = epsilon ||theta||",
        "of a size at which epsilon and alpha can matter; RPR = Baseline in Table 1 also fits"
        " the literal reading",
        "method.scale",
    ),
    Choice(
        "number of devices, each with its own perturbation",
        "4 shards of the batch",
        "the paper's machine has four GPUs (section 4)",
        "method.num_devices",
    ),
    Choice(
        "BatchNorm of the Baseline",
        "statistics of the same 4 shards",
        "'any other deployment the same' (section 4); on one device it would see the whole batch",
        "batchnorm_parts",
    ),
    Choice("'random permutation'", "perturbation", "it is added to the weights"),
    Choice(
        "best or last epoch",
        "last",
        "not stated; best epochs: --selection best_test, or best_validation on held-out images",
        "--selection",
    ),
)
SPREAD_CHOICE = Choice(
    "'variance' after ±", "standard deviation", "0.07 to 0.31 are typical in percent"
)
GRID_CHOICE = Choice(
    "what the grid is searched on",
    "each model, data set and augmentation, three seeds a point",
    "'best results during the grid search' in Table 1, 'three different random seeds'",
)
VGG_CHOICE = Choice(
    "VGG16 with BatchNorm or without",
    "with, and dropout 0.5 in its head",
    "accuracies fit VGG16-BN, footnote 1 speaks for the original; section 4 names its dropout",
    "model",
)
TRAINING_CHOICE = Choice(
    "epochs, Nesterov, clipping, padding, cutout size",
    "200 (ViT 300), Nesterov, global norm 5 (ViT 1), reflected, 16",
    "same authors' GNP code; the paper says 'conventional four-pixel extra padding'",
    "epochs",
)
WRN_CHOICE = Choice(
    "epochs, Nesterov, clipping, padding",
    "200, Nesterov, global norm 5, reflected",
    TRAINING_CHOICE.why,
    "epochs",
)
AUGMENTATION_CHOICE = Choice("augmentation", "Basic", "not stated", "data.augmentation")
CHOICES = (
    *METHOD_CHOICES,
    SPREAD_CHOICE,
    GRID_CHOICE,
    VGG_CHOICE,
    Choice(
        "widening factor of PyramidNet-164",
        "270",
        "AMP's PyramidNet-164-270 has the same accuracy without regularisation",
        "model",
    ),
    TRAINING_CHOICE,
    Choice("'Adam' with weight decay 0.3", "AdamW", "0.3 in the gradient would not train"),
)


def _cell(model: str, method: str, dataset: str, augmentation: str, **reported: Any) -> Cell:
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


def _stages(cnns: tuple[str, ...], with_vit: bool = True) -> tuple[Stage, ...]:
    """Section 4: the common grid for the baseline, then epsilon and alpha on top of its winner."""
    cell = ("model", "dataset", "augmentation")
    searches = {"RPR": {"method.epsilon": EPSILONS}, "NRS": NRS_GRID}
    stages = [Stage("baseline", {"method": "Baseline", "model": cnns}, {}, COMMON_GRID, SEEDS)]
    if with_vit:
        stages.append(Stage("baseline (ViT)", {"method": "Baseline", "model": VIT}, seeds=SEEDS))
    for method, grid in searches.items():
        stages.append(
            Stage(
                method.lower(),
                {"method": method, "model": cnns},
                grid=grid,
                seeds=SEEDS,
                after="baseline",
                match=cell,
                inherit=COMMON,
            )
        )
        if with_vit:
            where = {"method": method, "model": VIT}
            stages.append(Stage(f"{method.lower()} (ViT)", where, grid=grid, seeds=SEEDS))
    return tuple(stages)


TABLE1 = Artifact(
    id="nrs/table1",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            _cell(model, method, dataset, augmentation, test_error=value)
            for (model, method), (dataset, augmentation), value in table(
                PRINTED1, COLUMNS1, n=SEEDS
            )
        ),
        stages=_stages(tuple(CNNS)),
        selection=SELECTION,
    ),
    view=TableView(
        rows=("model", "method"),
        columns=("dataset", "augmentation"),
        metrics=(TOP1,),
    ),
    notes=Notes(
        title="Accuracy of five networks with Baseline, RPR and NRS on Cifar10 and Cifar100",
        choices=CHOICES,
    ),
)

# -- Table 2 -------------------------------------------------------------------------------------

PRINTED2 = """
VGG16 | Baseline | 73.11±0.08 91.12±0.08
VGG16 | NRS | 73.52±0.09 91.39±0.09
ResNet50 | Baseline | 75.45±0.15 93.04±0.07
ResNet50 | NRS | 76.29±0.13 93.53±0.10
ResNet101 | Baseline | 77.15±0.11 93.91±0.07
ResNet101 | NRS | 78.02±0.10 94.44±0.08
"""
IMAGENET: dict[str, Any] = {
    "data.source": {"name": "imagenet", "size": 224},
    "data.augmentation": ({"name": "random_resized_crop"}, {"name": "flip"}),
    "optimizer.lr": 0.2,
    "optimizer.weight_decay": 0.001,
    "batch_size": 512,
    "epochs": 100,
    "regularizers": ({"name": "label_smoothing", "smoothing": 0.1},),
}
IMAGENET_METHODS: dict[str, dict[str, Any]] = {
    "Baseline": BASELINE,
    "NRS": {"method": {**METHODS["NRS"], "epsilon": 0.1, "alpha": 1.0}},
}
IMAGENET_MODELS = {
    "VGG16": CNNS["VGG16"],
    "ResNet50": {"name": "resnet50"},
    "ResNet101": {"name": "resnet101"},
}

TABLE2 = Artifact(
    id="nrs/table2",
    experiment=Experiment(
        base={**BASE, **IMAGENET},
        cells=tuple(
            Cell(
                key={"model": model, "method": method},
                fields={"model": IMAGENET_MODELS[model], **IMAGENET_METHODS[method]},
                reported={"test_error": top1, "test_error_top5": top5},
            )
            for (model, method), (top1, top5) in rows(PRINTED2, n=SEEDS)
        ),
        stages=(Stage("train", seeds=SEEDS),),
        selection=Selection(
            on="test_error", epoch="last", stated="nothing is searched (section 4); last epoch"
        ),
    ),
    view=TableView(rows=("model", "method"), metrics=(TOP1, TOP5)),
    notes=Notes(
        title="ImageNet accuracy of three networks with Baseline and NRS",
        choices=(
            *METHOD_CHOICES,
            SPREAD_CHOICE,
            VGG_CHOICE,
            Choice(
                "'resized and cropped to 224x224'",
                "a random resized crop",
                "the usual training on ImageNet",
                "data.augmentation",
            ),
            Choice("Nesterov, clipping", "Nesterov, global norm 5", "as on Cifar; not stated"),
            Choice(
                "'fix the epsilon to 0.1 and epsilon to 1.0'", "alpha = 1.0", "a slip: alpha's grid"
            ),
        ),
    ),
)

# -- Table 3 and Figure 1: the WideResNet of Table 1, looked at more closely ---------------------

WRN = "WideResNet-28-10"
PRINTED3 = """
Baseline | 49.15
RPR | 51.79
NRS | 2.42
"""

TABLE3 = Artifact(
    id="nrs/table3",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            _cell(WRN, method, "Cifar10", "Basic", last_layer_eigenvalue=value)
            for (method,), (value,) in rows(PRINTED3, n=1)
        ),
        stages=_stages((WRN,), with_vit=False),
        selection=SELECTION,
        measures=(Measure("last_layer_eigenvalue"),),
    ),
    view=TableView(
        rows=("method",), metrics=(Metric("last_layer_eigenvalue", "lambda_max (last layer)"),)
    ),
    notes=Notes(
        title="Largest Hessian eigenvalue of the last layer, WideResNet-28-10 on Cifar10",
        choices=(
            *METHOD_CHOICES,
            GRID_CHOICE,
            WRN_CHOICE,
            AUGMENTATION_CHOICE,
            Choice(
                "the block's approximation and its data",
                "exact top eigenvalue on the training set, eval mode, no augmentation",
                "for a linear last layer the Gauss-Newton block is the Hessian block; Botev et al.,"
                " whom section 5.2 names, also factorise it",
            ),
            Choice(
                "'flat minima could be larger'", "smaller is flatter", "abstract and conclusion"
            ),
        ),
    ),
)

FIGURE1 = Artifact(
    id="nrs/figure1",
    experiment=Experiment(
        base=BASE,
        cells=(
            *(_cell(WRN, "Baseline", dataset, "Basic") for dataset in DATASETS),
            *(
                Cell(
                    key={
                        **_cell(WRN, "NRS", dataset, "Basic").key,
                        "epsilon": str(epsilon),
                        "alpha": str(alpha),
                    },
                    fields={
                        **_cell(WRN, "NRS", dataset, "Basic").fields,
                        "method": {**METHODS["NRS"], "epsilon": epsilon, "alpha": alpha},
                    },
                )
                for dataset in DATASETS
                for epsilon in EPSILONS
                for alpha in ALPHAS
            ),
        ),
        stages=(
            Stage("baseline", {"method": "Baseline"}, {}, COMMON_GRID, SEEDS),
            Stage(
                "nrs",
                {"method": "NRS"},
                seeds=SEEDS,
                after="baseline",
                match=("dataset",),
                inherit=COMMON,
            ),
        ),
        selection=SELECTION,
    ),
    view=CurveView(
        x=Epochs(),
        panels=("dataset",),
        rows=("method", "epsilon", "alpha"),
        columns=("dataset",),
        metrics=(TOP1,),
    ),
    notes=Notes(
        title="Accuracy of WideResNet-28-10 during training for every epsilon and alpha of NRS",
        choices=(
            *METHOD_CHOICES,
            GRID_CHOICE,
            WRN_CHOICE,
            AUGMENTATION_CHOICE,
            Choice(
                "section 5.1 calls epsilon = 0.2 best on Cifar100, which is not in the grid",
                "the grid as printed in section 4",
                "one of the two is a slip",
                "method.epsilon",
            ),
        ),
        claims=(
            "every epsilon and alpha improves on the baseline (section 5.1)",
            "epsilon = 0.1 and alpha = 1 are best on Cifar10, 0.2 and 1 on Cifar100 (section 5.1)",
        ),
    ),
)

PAPER = Paper(
    key="nrs",
    title="Neighborhood Region Smoothing Regularization for Finding Flat Minima In Deep Neural"
    " Networks",
    venue="arXiv 2201.06064, 2022",
    artifacts=(TABLE1, TABLE2, TABLE3, FIGURE1),
)
