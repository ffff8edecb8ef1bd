"""AMP: Zheng, Zhang & Mao, "Regularizing Neural Networks via Adversarial Model Perturbation".

CVPR 2021, arXiv 2010.04925. Section numbers are the paper's; "code" is the
authors' (github.com/hiyouga/AMP-Regularizer). Numbers of figures 7 and 8 are not
printed: they are read from the authors' plotting script and poster.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.presets import AS_PRINTED, SMALL, SMOKE, adjusted
from search_spaces.printed import rows, table
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Measure,
    Metric,
    Paper,
    Reported,
    Selection,
    Stage,
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
    "batchnorm": "all",
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


SELECTION = Selection(
    on="test_error",
    epoch="best_test",
    stated="hyper-parameters fixed; the epoch with the lowest TEST error (authors' code)",
)

NORM = Choice(
    "norm that clips the perturbation",
    "each tensor's own",
    "the printed epsilon belong to the code, which clips tensor by tensor",
    "method.norm",
)
CHOICES = (
    NORM,
    Choice("gamma in sections 5.1 and 5.2", "inner learning rate zeta", "code", "method.inner_lr"),
    Choice("best or last epoch", "best on test", "the code prints only that", "--selection"),
    Choice(
        "validation split",
        "none: final runs use all training images",
        "tuned values are printed, grids are not; the code trains on everything",
        "data.validation",
    ),
    Choice("momentum, Nesterov, clipping", "0.9, yes, norm 50", "code; the paper is silent"),
    Choice("flips on SVHN", "none, padding 2", "code; digits are not symmetric"),
    Choice("BatchNorm statistics", "moved by every pass", "code", "batchnorm"),
    Choice("± over ten runs", "n - 1", "not stated"),
)
TABLE1_CHOICES = (
    *CHOICES,
    Choice("label smoothing", "s / (K - 1) on the other classes", "code", "method.convention"),
    Choice("MixUp's lambda", "one per sample", "code", "method.per"),
    Choice("RMP's ball", "U(±sqrt(epsilon / numel)) per tensor", "code", "method.reading"),
    Choice(
        "'perturbation size 1 for each pixel'",
        "1/255 on normalised inputs, random start",
        "code",
        "method.epsilon",
    ),
    Choice(
        "NLL of label smoothing",
        "plain NLL is measured; the printed numbers are the smoothed loss",
        "their floors are 0.940 (K = 10) and 1.419 (K = 100)",
    ),
)

ERROR = Metric("test_error", "test error %", shown="percent")
NLL = Metric("test_nll", "test NLL", digits=3)


def _network(model: str, method: str = "ERM") -> dict[str, Any]:
    return {**NETWORKS[model], **(DROPOUT[model] if method == "Dropout" else {})}


def _cell(model: str, dataset: str, method: str, **reported: Any) -> Cell:
    """A cell of Table 1: vanilla augmentation."""
    return Cell(
        key={"model": model, "method": method, "dataset": dataset},
        fields={
            "model": _network(model, method),
            "method": amp(*AMP_PAIRS[model]) if method == "AMP" else METHODS[method],
            "data.source": DATASETS[dataset],
            "data.augmentation": VANILLA[dataset],
        },
        reported=reported,
    )


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
            cells.append(_cell(model, dataset, method, test_error=error, test_nll=nll))
    return cells


TABLE1 = Artifact(
    id="amp/table1",
    title="Test error and NLL of eight methods, two networks, three data sets",
    rows=("model", "method"),
    columns=("dataset",),
    metrics=(ERROR, NLL),
    base=BASE,
    cells=tuple(_table1()),
    stages=(Stage("train", seeds=RUNS),),
    selection=SELECTION,
    choices=TABLE1_CHOICES,
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
    title="Test error of ERM and AMP under three augmentations, larger networks",
    rows=("dataset", "augmentation"),
    columns=("model", "method"),
    metrics=(ERROR,),
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
                "method": amp(*AMP_PAIRS_BY_AUGMENTATION[augmentation])
                if method == "AMP"
                else METHODS[method],
                "data.source": DATASETS[dataset],
                "data.augmentation": _augmentation(dataset, augmentation),
            },
            reported={"test_error": value},
        )
        for (dataset, augmentation), (model, method), value in table(PRINTED2, COLUMNS2, n=RUNS)
    ),
    stages=(Stage("train", seeds=RUNS),),
    selection=SELECTION,
    choices=(
        *CHOICES,
        Choice("training of Table 2", "as in section 5.1", "the code's commands use its defaults"),
    ),
)

# -- Figures 2, 6, 7, 8 --------------------------------------------------------------------------

FIGURE2 = Artifact(
    id="amp/figure2",
    title="Loss along a random direction around ERM's and AMP's minimum, PreActResNet18, CIFAR-10",
    kind="figure",
    x="@",
    rows=("method",),
    metrics=(
        Metric("train_landscape", "training loss", better="neither"),
        Metric("test_landscape", "test loss", better="neither"),
    ),
    base=BASE,
    cells=tuple(_cell(PREACT, "CIFAR-10", method) for method in ("ERM", "AMP")),
    stages=(Stage("train", seeds=1),),
    selection=SELECTION,
    choices=(
        *CHOICES,
        Choice("range of the displacement", "-1 to 1", "the axis is not printed"),
        Choice("direction", "Gaussian, filter-normalised", "Li et al. 2018, cited"),
    ),
    measures=(
        Measure("landscape_1d", label="train_landscape", samples=10000),
        Measure("landscape_1d", label="test_landscape", split="test"),
    ),
)

FIGURE6 = Artifact(
    id="amp/figure6",
    title="Decision boundaries of a small network on two spirals, ERM and AMP",
    kind="figure",
    x="boundary",
    rows=("method",),
    metrics=(ERROR, NLL),
    base={
        "data.source": "spirals",
        "data.validation": 0,
        "model": {"name": "mlp", "widths": (64, 64)},
        "optimizer.lr": 0.1,
        "optimizer.weight_decay": 0.0,
        "schedule.name": "cosine",
        "epochs": 200,
        "batch_size": 50,
        "drop_last": False,
    },
    cells=(
        Cell({"method": "ERM"}, {"method": METHODS["ERM"]}),
        Cell({"method": "AMP"}, {"method": amp(*AMP_PAIRS[PREACT])}),
    ),
    stages=(Stage("train", seeds=1),),
    selection=SELECTION,
    choices=(NORM, Choice("data, network, training, epsilon", "our own", "none is printed")),
    measures=(Measure("decision_boundary"),),
    presets={
        "small": adjusted(AS_PRINTED, name="small", comparable=False),
        "smoke": adjusted(
            AS_PRINTED,
            {"epochs": 60},
            name="smoke",
            comparable=False,
            measures={"*": {"points": 15}},
        ),
    },
)

PRINTED7 = """
ERM | 0.0204 0.0336 0.1097
Dropout | 0.0186 0.0324 0.1208
Label Smoothing | 0.1894 0.1762 0.1851
Flooding | 0.0109 0.0085 0.0709
MixUp | 0.0447 0.0549 0.0883
Adv. Training | 0.0178 0.0341 0.1106
RMP | 0.0193 0.0335 0.1081
AMP | 0.0052 0.0125 0.0392
"""

FIGURE7 = Artifact(
    id="amp/figure7",
    title="Expected calibration error of eight methods, PreActResNet18, three data sets",
    kind="figure",
    x="dataset",
    rows=("method",),
    columns=("dataset",),
    metrics=(Metric("test_ece", "ECE", digits=4),),
    base=BASE,
    cells=tuple(
        _cell(PREACT, dataset, method, test_ece=value)
        for (method,), (dataset,), value in table(PRINTED7, [(d,) for d in DATASETS], n=RUNS)
    ),
    stages=(Stage("train", seeds=RUNS),),
    selection=SELECTION,
    choices=(
        *TABLE1_CHOICES,
        Choice("bins", "15 of equal width", "Guo et al. 2017, cited; Appendix D is missing"),
    ),
)

# A line is a method, a column a radius; digitised from the poster's vector graphics.
RADII = (0.001, 0.005, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14)
PRINTED8 = """
AMP | train_nll | 0.0002 0.0003 0.002 0.0048 0.0124 0.0236 0.038 0.0565 0.0765
AMP | test_nll | 0.2269 0.1853 0.1446 0.1269 0.1229 0.129 0.1412 0.1617 0.1842
ERM | train_nll | 0.0002 0.0002 0.0002 0.0002 0.0002 0.0002 0.0002 0.0002 0.0002
ERM | test_nll | 0.2346 0.2346 0.2346 0.2346 0.2346 0.2346 0.2346 0.2346 0.2346
"""


def _figure8() -> list[Cell]:
    printed = dict(rows(PRINTED8))
    return [
        Cell(
            key={"method": method, "epsilon": str(radius)},
            fields={
                "model": NETWORKS[PREACT],
                "method": amp(radius, 2.0, 2) if method == "AMP" else METHODS[method],
                "data.source": DATASETS["CIFAR-10"],
                "data.augmentation": VANILLA["CIFAR-10"],
            },
            reported={name: printed[method, name][index] for name in ("train_nll", "test_nll")},
        )
        for method in ("ERM", "AMP")
        for index, radius in enumerate(RADII)
    ]


FIGURE8 = Artifact(
    id="amp/figure8",
    title="Training and test loss against the perturbation radius, CIFAR-10",
    kind="figure",
    x="epsilon",
    rows=("method", "epsilon"),
    metrics=(
        Metric("train_nll", "training loss", digits=4),
        Metric("test_nll", "test loss", digits=4),
    ),
    base=BASE,
    cells=tuple(_figure8()),
    stages=(Stage("train", seeds=1),),
    selection=SELECTION,
    choices=(
        *CHOICES,
        Choice("'eta = 2 and N = 2'", "zeta = 2", "an outer rate of 2 would not train"),
        Choice("network", "PreActResNet18", "ERM's 0.2346 fits its NLL in Table 1, not VGG16's"),
        Choice("number of runs", "1", "not stated"),
    ),
    measures=(Measure("loss", label="train_nll"),),
)

# -- section 5.5 ---------------------------------------------------------------------------------

TIME = Metric("training_seconds", "time / ERM", relative_to={"method": "ERM"})

CLAIM_COST = Artifact(
    id="amp/claim_cost",
    title="Training time of AMP (N = 1) relative to ERM",
    rows=("method",),
    metrics=(TIME,),
    base={**BASE, "epochs": 2},
    cells=(
        _cell(PREACT, "CIFAR-10", "ERM"),
        replace(
            _cell(PREACT, "CIFAR-10", "AMP"),
            reported={TIME.key: Reported(1.8, note="'usually around'")},
        ),
    ),
    stages=(Stage("time", seeds=3),),
    selection=Selection(on="training_seconds", stated="nothing is selected"),
    choices=(
        NORM,
        Choice("network, data, batch", "PreActResNet18, CIFAR-10, 50", "not stated; Table 1's"),
    ),
    presets={p.name: adjusted(p, {"epochs": 2}) for p in (SMALL, SMOKE)},
)

PAPER = Paper(
    key="amp",
    title="Regularizing Neural Networks via Adversarial Model Perturbation",
    venue="CVPR 2021",
    artifacts=(TABLE1, TABLE2, FIGURE2, FIGURE6, FIGURE7, FIGURE8, CLAIM_COST),
)
