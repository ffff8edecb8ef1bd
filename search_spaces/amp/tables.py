"""AMP: Zheng, Zhang & Mao, "Regularizing Neural Networks via Adversarial Model Perturbation".

CVPR 2021. The tables; what they share is in `protocol`, what is ambiguous in `choices` and
`rivals`, figures and section 5.5 in `figures`, what the paper shows without numbers in `further`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from search_spaces.amp.choices import (
    GAMMA,
    STD,
    SVHN,
    TRAINING,
    VANILLA_CHOICES,
    VGG16,
    only,
)
from search_spaces.amp.claims import CLAIMS
from search_spaces.amp.figures import FIGURES
from search_spaces.amp.further import FURTHER
from search_spaces.amp.protocol import (
    AMP_PAIRS_BY_AUGMENTATION,
    BASE,
    DATASETS,
    ERROR,
    HOLES,
    METHODS,
    NETWORKS,
    NLL,
    PREACT,
    PYRAMID,
    RUNS,
    SELECTION,
    VANILLA,
    VGG,
    WRN,
    amp,
    cell,
    trained,
)
from search_spaces.amp.rivals import NLL_CHOICE, TABLE1_CHOICES
from search_spaces.printed import rows, table
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Experiment,
    Notes,
    Override,
    Paper,
    Reading,
    Stage,
    TableView,
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
        choices=(*TABLE1_CHOICES, VGG16, NLL_CHOICE),
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
AUGMENTATIONS = tuple(AMP_PAIRS_BY_AUGMENTATION)
COLUMNS2 = [(model, method) for model in (WRN, PYRAMID) for method in ("ERM", "AMP")]


def _hole(dataset: str) -> dict[str, Any]:
    return {"name": "cutout", "size": HOLES[dataset]}


def _policy(dataset: str) -> dict[str, Any]:
    return {"name": "autoaugment", "policy": "svhn" if dataset == "SVHN" else "cifar10"}


def _augmentation(dataset: str, augmentation: str) -> tuple[Any, ...]:
    """Code: Cutout after the rest; AutoAugment before it, on SVHN without the crop."""
    vanilla = VANILLA[dataset]
    if augmentation == "Vanilla":
        return vanilla
    if augmentation == "Cutout":
        return (*vanilla, _hole(dataset))
    return (*(() if dataset == "SVHN" else vanilla), _policy(dataset), _hole(dataset))


def _with(
    option: str, value: Any, where: Callable[[str, str], bool] = lambda *_: True
) -> tuple[Override, ...]:
    """An option of an augmentation in those of the cells that have that augmentation.

    Args:
        option: ``cutout.size``.
        where: Of data set and augmentation: in which of them.
    """
    return tuple(
        Override(
            {"dataset": dataset, "augmentation": augmentation},
            {f"data.augmentation.{option}": value},
        )
        for dataset in DATASETS
        for augmentation in AUGMENTATIONS
        if any(
            part["name"] == option.partition(".")[0]
            for part in _augmentation(dataset, augmentation)
        )
        and where(dataset, augmentation)
    )


def _read(choice: Choice, value: str, overrides: tuple[Override, ...]) -> Choice:
    """``choice`` with this other value, whose cells are this table's."""
    return replace(choice, others={value: replace(choice.others[value], overrides=overrides)})


PADDING_COLOR, FLIPS, SVHN_PADDING = VANILLA_CHOICES
AUGMENTATION_CHOICES = (
    _read(PADDING_COLOR, "black", _with("pad_crop.fill", "zero")),
    _read(SVHN_PADDING, "4-pixels", _with("pad_crop.padding", 4, lambda d, _: d == "SVHN")),
    replace(
        _read(
            FLIPS,
            "all",
            tuple(
                Override(
                    {**SVHN, "augmentation": augmentation},
                    {"data.augmentation": (*VANILLA["SVHN"], {"name": "flip"}, *hole)},
                )
                for augmentation, hole in (("Vanilla", ()), ("Cutout", (_hole("SVHN"),)))
            ),
        ),
        why="code; vanilla augmentation flips all images (section 5.2), and Cutout is on top of it",
    ),
    Choice(
        "AutoAugment",
        "after crop and flip, on SVHN alone; then Cutout",
        "code, and so the original study, which the text cites for the policy; without-cutout the"
        " three augmentations would be of one thing each, and svhn-crop as on CIFAR",
        "data.augmentation",
        name="autoaugment",
        default="code",
        others={
            "without-cutout": Reading(
                "AutoAugment is not followed by Cutout",
                tuple(
                    Override(
                        {"dataset": dataset, "augmentation": "AutoAug"},
                        {"data.augmentation": _augmentation(dataset, "AutoAug")[:-1]},
                    )
                    for dataset in DATASETS
                ),
            ),
            "svhn-crop": only(
                {**SVHN, "augmentation": "AutoAug"},
                "AutoAugment follows the crop on SVHN too",
                data__augmentation=(*VANILLA["SVHN"], _policy("SVHN"), _hole("SVHN")),
            ),
        },
        source="section 5.2; code: data_utils.py",
        code="code",
    ),
    Choice(
        "size of Cutout's hole",
        "16 pixels on CIFAR-10, 8 on CIFAR-100, 20 on SVHN",
        "code, and so the original study of Cutout; that of AutoAugment has 16 on CIFAR-100 too"
        " (original)",
        "data.augmentation",
        name="hole-size",
        default="code",
        others={
            "original": Reading(
                "16 pixels on CIFAR-100 after AutoAugment, 8 without",
                _with("cutout.size", 16, lambda d, a: (d, a) == ("CIFAR-100", "AutoAug")),
            )
        },
        source="section 5.2 cites both studies; code: data_utils.py",
        text="original",
        code="code",
    ),
    Choice(
        "color of Cutout's hole",
        "black",
        "code, which cuts before it normalizes; the cited study cuts afterwards, which leaves the"
        " mean color",
        "data.augmentation",
        name="hole-color",
        default="black",
        others={"mean": Reading("the training images' mean color", _with("cutout.fill", "mean"))},
        source="section 5.2 cites DeVries and Taylor 2017; code: data_utils.py",
        text="mean",
        code="black",
    ),
)
NETWORK_CHOICE = Choice(
    "blocks of WideResNet-28-10",
    "the second convolution has the stride, all shortcuts start before BN-ReLU, the last BatchNorm"
    " has momentum 0.9",
    "code; in the cited study (original) the first convolution has it, shortcuts that change the"
    " shape start after BN-ReLU, and all BatchNorms have 0.1",
    "model.stride_on",
    name="wideresnet",
    default="code",
    others={
        "original": only(
            {"model": WRN},
            "as Zagoruyko and Komodakis 2016",
            model__stride_on=1,
            model__shared_activation="reshape",
            model__final_bn_momentum=None,
        )
    },
    source="section 5.2 cites Zagoruyko and Komodakis 2016; code: models/wide_resnet.py",
    code="code",
)


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
            GAMMA,
            *TRAINING,
            NETWORK_CHOICE,
            *AUGMENTATION_CHOICES,
            STD,
            Choice(
                "training of Table 2",
                "as in section 5.1",
                "the first code's commands use its defaults",
                name="table2-training",
                default="table1",
                source="section 5.2; first code: README.md",
                code="table1",
                single="section 5.2 cites the studies of the networks and of the augmentations"
                " for these alone, and they train each in another way",
            ),
        ),
    ),
)

PAPER = Paper(
    key="amp",
    title="Regularizing Neural Networks via Adversarial Model Perturbation",
    venue="CVPR 2021",
    artifacts=(TABLE1, TABLE2, *FIGURES, *FURTHER),
    claims=CLAIMS,
)
