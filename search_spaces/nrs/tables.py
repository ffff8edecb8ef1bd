"""NRS: Zhao & Zhang, "Neighborhood Region Smoothing Regularization" (arXiv 2201.06064).

Here: its tables and its figure, as printed. Section numbers are the paper's; settings are in
`protocol`, what can be read in several ways in `choices`, and the arms that the paper lacks in
`controls`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.nrs import choices
from search_spaces.nrs.claims import CLAIMS
from search_spaces.nrs.controls import CONTROLS, READINGS
from search_spaces.nrs.protocol import (
    ALPHA,
    ALPHAS,
    AUGMENTATIONS,
    BASE,
    BASELINE,
    CNNS,
    COMMON,
    COMMON_GRID,
    DATASETS,
    EPSILON,
    EPSILONS,
    METHODS,
    NOTHING_SELECTED,
    SEEDS,
    SELECTION,
    TOP1,
    TOP5,
    UNLISTED_EPSILON,
    WRN,
    cell,
    stages,
)
from search_spaces.printed import rows, table
from search_spaces.spec import (
    Artifact,
    Cell,
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

TABLE1 = Artifact(
    id="nrs/table1",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            cell(model, method, dataset, augmentation, test_error=value)
            for (model, method), (dataset, augmentation), value in table(
                PRINTED1, COLUMNS1, n=SEEDS
            )
        ),
        stages=stages(tuple(CNNS)),
        selection=SELECTION,
    ),
    view=TableView(
        rows=("model", "method"),
        columns=("dataset", "augmentation"),
        metrics=(TOP1,),
    ),
    notes=Notes(
        title="Accuracy of five networks with Baseline, RPR and NRS on Cifar10 and Cifar100",
        choices=choices.TABLE1,
        caveat=choices.UNVERIFIED,
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
    "NRS": {"method": {**METHODS["NRS"], "epsilon": EPSILON, "alpha": ALPHA}},
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
            on="test_error", epoch="last", stated=f"{NOTHING_SELECTED} (section 4)"
        ),
    ),
    view=TableView(rows=("model", "method"), metrics=(TOP1, TOP5)),
    notes=Notes(
        title="ImageNet accuracy of three networks with Baseline and NRS",
        choices=choices.TABLE2,
        caveat=choices.UNVERIFIED,
    ),
)

# -- Table 3 and Figure 1: the WideResNet of Table 1, looked at more closely ---------------------

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
            cell(WRN, method, "Cifar10", "Basic", last_layer_eigenvalue=value)
            for (method,), (value,) in rows(PRINTED3, n=1)
        ),
        stages=stages((WRN,), with_vit=False),
        selection=SELECTION,
        measures=(Measure("last_layer_eigenvalue"),),
    ),
    view=TableView(
        rows=("method",), metrics=(Metric("last_layer_eigenvalue", "lambda_max (last layer)"),)
    ),
    notes=Notes(
        title="Largest Hessian eigenvalue of the last layer, WideResNet-28-10 on Cifar10",
        choices=choices.TABLE3,
        caveat=choices.UNVERIFIED,
    ),
)


def _figure1(id: str, epsilons: tuple[float, ...], said: Notes) -> Artifact:  # noqa: A002
    return Artifact(
        id=id,
        experiment=Experiment(
            base=BASE,
            cells=(
                *(cell(WRN, "Baseline", dataset, "Basic") for dataset in DATASETS),
                *(
                    _with(cell(WRN, "NRS", dataset, "Basic"), epsilon, alpha)
                    for dataset in DATASETS
                    for epsilon in epsilons
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
        notes=said,
    )


def _with(made: Cell, epsilon: float, alpha: float) -> Cell:
    """A cell of NRS at one point of its grid."""
    return Cell(
        key={**made.key, "epsilon": str(epsilon), "alpha": str(alpha)},
        fields={**made.fields, "method": {**METHODS["NRS"], "epsilon": epsilon, "alpha": alpha}},
    )


FIGURE1 = _figure1(
    "nrs/figure1",
    EPSILONS,
    Notes(
        title="Accuracy of WideResNet-28-10 during training for every epsilon and alpha of NRS",
        choices=choices.FIGURE1,
        claims=(
            "every epsilon and alpha improves on the baseline (section 5.1)",
            "epsilon = 0.1 and alpha = 1 are best on Cifar10, 0.2 and 1 on Cifar100 (section 5.1)",
        ),
        caveat=choices.UNVERIFIED,
    ),
)
FIGURE1_EXTENDED = _figure1(
    "nrs/figure1_extended",
    tuple(sorted((*EPSILONS, UNLISTED_EPSILON))),
    replace(
        FIGURE1.notes,
        title=FIGURE1.notes.title + ", 0.2 among them",
        choices=choices.FIGURE1_EXTENDED,
    ),
)

PAPER = Paper(
    key="nrs",
    title="Neighborhood Region Smoothing Regularization for Finding Flat Minima In Deep Neural"
    " Networks",
    venue="arXiv 2201.06064, 2022",
    artifacts=(TABLE1, TABLE2, TABLE3, FIGURE1, FIGURE1_EXTENDED, CONTROLS, READINGS),
    claims=CLAIMS,
)
