"""AMP: Zheng, Zhang & Mao, "Regularizing Neural Networks via Adversarial Model Perturbation".

CVPR 2021. The tables; what they share is in `protocol`, figures and section 5.5 in
`figures`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.amp.figures import FIGURES
from search_spaces.amp.protocol import (
    AMP_PAIRS_BY_AUGMENTATION,
    BASE,
    DATASETS,
    ERROR,
    HOLES,
    METHOD_CHOICES,
    METHODS,
    NETWORKS,
    NLL,
    NLL_CHOICE,
    PREACT,
    PYRAMID,
    RUNS,
    SELECTION,
    TABLE_CHOICES,
    VANILLA,
    VGG,
    WRN,
    amp,
    cell,
    trained,
)
from search_spaces.printed import rows, table
from search_spaces.spec import Artifact, Cell, Choice, Experiment, Notes, Paper, Stage, TableView

# -- Table 1: error and NLL; a line is a method, columns are (error, NLL) of each data set --------

PRINTED1 = {
    PREACT: """
ERM | 2.95±0.063 0.166±0.004 5.02±0.212 0.239±0.009 24.31±0.303 1.056±0.013
Dropout | 2.80±0.065 0.156±0.012 4.86±0.148 0.223±0.009 24.48±0.351 1.110±0.021
Label Smoothing | 2.78±0.087 0.998±0.002 4.85±0.115 1.038±0.003 22.07±0.256 2.099±0.005
Flooding | 2.84±0.047 0.130±0.003 4.97±0.082 0.166±0.003 24.50±0.234 0.950±0.011
MixUp | 2.74±0.044 0.146±0.004 4.09±0.117 0.198±0.004 21.78±0.210 0.910±0.007
Adv. Training | 2.77±0.080 0.151±0.018 4.99±0.085 0.247±0.006 25.23±0.229 1.110±0.012
RMP | 2.93±0.066 0.161±0.010 4.97±0.167 0.239±0.008 24.28±0.138 1.059±0.011
AMP | 2.30±0.025 0.096±0.002 3.97±0.091 0.129±0.003 21.51±0.308 0.774±0.016
""",
    VGG: """
ERM | 3.14±0.060 0.140±0.027 6.32±0.193 0.361±0.012 27.84±0.297 1.827±0.209
Dropout | 2.96±0.049 0.134±0.027 6.22±0.147 0.314±0.009 27.72±0.337 1.605±0.062
Label Smoothing | 3.07±0.070 1.004±0.002 6.29±0.158 1.076±0.003 27.49±0.179 2.310±0.005
Flooding | 3.15±0.085 0.128±0.003 6.26±0.145 0.234±0.005 27.93±0.271 1.221±0.037
MixUp | 3.09±0.057 0.160±0.003 5.48±0.112 0.251±0.003 26.81±0.254 1.136±0.013
Adv. Training | 2.94±0.091 0.122±0.003 6.49±0.130 0.380±0.010 29.12±0.145 1.535±0.389
RMP | 3.19±0.052 0.134±0.004 6.30±0.109 0.363±0.010 27.81±0.327 1.873±0.035
AMP | 2.73±0.015 0.116±0.006 5.65±0.147 0.207±0.005 25.60±0.168 1.049±0.049
""",
}


def _table1() -> list[Cell]:
    cells = []
    for model, (method,), numbers in (
        (model, *row) for model, text in PRINTED1.items() for row in rows(text, n=RUNS)
    ):
        for dataset, error, nll in zip(DATASETS, numbers[::2], numbers[1::2], strict=True):
            if method == "Label Smoothing":
                nll = replace(nll, comparable=False, note="the smoothed loss")
            cells.append(cell(model, dataset, method, test_error=error, test_nll=nll))
    return cells


TABLE1 = Artifact(
    id="amp/table1",
    experiment=Experiment(
        base=BASE,
        cells=tuple(_table1()),
        stages=(Stage("train", seeds=RUNS),),
        selection=SELECTION,
    ),
    view=TableView(
        rows=("model", "method"),
        columns=("dataset",),
        metrics=(ERROR, NLL),
    ),
    notes=Notes(
        title="Test error and NLL of eight methods, two networks, three data sets",
        choices=(*TABLE_CHOICES, *METHOD_CHOICES, NLL_CHOICE),
    ),
)

# -- Table 2: ERM and AMP under three augmentations, larger networks -----------------------------

PRINTED2 = """
SVHN | Vanilla | 2.57±0.067 2.19±0.036 2.47±0.034 2.11±0.041
SVHN | Cutout | 2.27±0.085 1.83±0.018 2.19±0.021 1.82±0.023
SVHN | AutoAug | 1.91±0.059 1.61±0.024 1.80±0.044 1.35±0.056
CIFAR-10 | Vanilla | 3.87±0.167 3.00±0.059 3.60±0.197 2.75±0.040
CIFAR-10 | Cutout | 3.38±0.081 2.67±0.043 2.83±0.102 2.27±0.034
CIFAR-10 | AutoAug | 2.78±0.134 2.32±0.097 2.49±0.128 1.98±0.062
CIFAR-100 | Vanilla | 19.17±0.270 17.33±0.110 17.13±0.210 15.09±0.092
CIFAR-100 | Cutout | 18.12±0.114 16.04±0.071 16.45±0.136 14.34±0.153
CIFAR-100 | AutoAug | 17.79±0.185 14.95±0.088 15.43±0.269 13.36±0.245
"""
COLUMNS2 = [(model, method) for model in (WRN, PYRAMID) for method in ("ERM", "AMP")]


def _augmentation(dataset: str, augmentation: str) -> tuple[Any, ...]:
    """Code: Cutout after the rest; AutoAugment before it, on SVHN without the crop."""
    vanilla = VANILLA[dataset]
    if augmentation == "Vanilla":
        return vanilla
    hole = {"name": "cutout", "size": HOLES[dataset]}
    if augmentation == "Cutout":
        return (*vanilla, hole)
    policy = {"name": "autoaugment", "policy": "svhn" if dataset == "SVHN" else "cifar10"}
    return (policy, hole) if dataset == "SVHN" else (*vanilla, policy, hole)


TABLE2 = Artifact(
    id="amp/table2",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            Cell(
                key={
                    "dataset": dataset,
                    "augmentation": augmentation,
                    "model": model,
                    "method": method,
                },
                fields={
                    "model": NETWORKS[model],
                    **trained(
                        amp(*AMP_PAIRS_BY_AUGMENTATION[augmentation])
                        if method == "AMP"
                        else METHODS[method]
                    ),
                    "data.source": DATASETS[dataset],
                    "data.augmentation": _augmentation(dataset, augmentation),
                },
                reported={"test_error": value},
            )
            for (dataset, augmentation), (model, method), value in table(PRINTED2, COLUMNS2, n=RUNS)
        ),
        stages=(Stage("train", seeds=RUNS),),
        selection=SELECTION,
    ),
    view=TableView(
        rows=("dataset", "augmentation"),
        columns=("model", "method"),
        metrics=(ERROR,),
    ),
    notes=Notes(
        title="Test error of ERM and AMP under three augmentations, larger networks",
        choices=(
            *TABLE_CHOICES,
            Choice(
                "training of Table 2", "as in section 5.1", "the code's commands use its defaults"
            ),
        ),
    ),
)

PAPER = Paper(
    key="amp",
    title="Regularizing Neural Networks via Adversarial Model Perturbation",
    venue="CVPR 2021",
    artifacts=(TABLE1, TABLE2, *FIGURES),
)
