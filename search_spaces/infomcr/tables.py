"""InfoMCR: Jia & Su, "Information-Theoretic Local Minima Characterization and Regularization".

ICML 2020, arXiv 1911.08192. Here: its tables, and the sentences of section 7.2.1
that can be measured; the figures are in `infomcr_scenarios`, what all of them
share in `protocol`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.infomcr.figures import FIGURE2, FIGURE3, FIGURE4
from search_spaces.infomcr.protocol import (
    BASE,
    CIFAR_CHOICES,
    CODE_BETA,
    DATASETS,
    ERROR,
    FIXED,
    IMAGENET_RUNS,
    METHODS,
    METRIC_CHOICES,
    NETWORK_CHOICES,
    NETWORKS,
    NO,
    REG,
    REG_CHOICES,
    RUNS,
    SPREAD_CHOICE,
    STEP_CHOICES,
    SUBSETS,
    TRAINING_CHOICES,
    TUNED,
    WIDE,
    stages,
)
from search_spaces.presets import SMALL, SMOKE, adjusted
from search_spaces.printed import rows, table
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Experiment,
    Measure,
    Metric,
    Notes,
    Paper,
    Reported,
    Stage,
    TableView,
)

# -- Table 1; the plain WRN-28-2 cells are missing from the text that we have --------------------

PRINTED1 = """
CIFAR-10 | 8.52±0.23 7.55±0.06 - 5.15±0.09 4.61±0.08 4.37±0.06 8.50±0.31 7.89±0.13
CIFAR-100 | 31.12±0.35 29.27±0.17 - 23.88±0.13 22.54±0.32 22.23±0.21 - -
"""
COLUMNS1 = [(model, reg) for model in NETWORKS for reg in METHODS]
NOT_RUN = ("CIFAR-100", "ResNet-20")  # "too limited for CIFAR-100"


CNN_STANDS_IN = "a CNN of our own is run; the paper's is in its Appendix E, which is lost"


def _cell(dataset: str, model: str, reg: str, **reported: Reported) -> Cell:
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


TABLE1 = Artifact(
    id="infomcr/table1",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            _cell(dataset, model, reg, test_error=value)
            for (dataset,), (model, reg), value in table(PRINTED1, COLUMNS1, n=RUNS)
            if (dataset, model) != NOT_RUN
        ),
        stages=stages(RUNS),
        selection=TUNED,
    ),
    view=TableView(
        rows=("dataset",),
        columns=("model", "reg"),
        competing="reg",
        metrics=(ERROR,),
    ),
    notes=Notes(
        title="Test error on CIFAR-10 and CIFAR-100 with and without the regulariser",
        choices=(
            *CIFAR_CHOICES,
            *NETWORK_CHOICES,
            Choice(
                "plain CNN",
                "a stand-in: conv-BN-ReLU twice each at widths 64, 128, 256; trained as WRN",
                "its architecture and training are in Appendix E, which is lost",
                "model",
            ),
        ),
    ),
)

# -- Table 2 -------------------------------------------------------------------------------------

PRINTED2 = """
no | 35.52±0.11 23.67±2.05 11.85 14.27±0.02 7.33±2.25 6.94
yes | 34.99±0.10 24.0±3.11 10.99 13.85±0.05 7.31±1.07 6.54
"""
METRICS2 = (
    Metric("test_error", "top-1 test %", shown="percent"),
    Metric("train_set/error", "top-1 train %", better="neither", shown="percent"),
    Metric("test_error", "top-1 gap %", shown="percent", minus="train_set/error"),
    Metric("test_error_top5", "top-5 test %", shown="percent"),
    Metric("train_set/error_top5", "top-5 train %", better="neither", shown="percent"),
    Metric("test_error_top5", "top-5 gap %", shown="percent", minus="train_set/error_top5"),
)
IMAGENET: dict[str, Any] = {
    **BASE,
    **WIDE,
    "data.source": {"name": "imagenet", "size": 128},
    "data.augmentation": ({"name": "random_resized_crop"}, {"name": "flip"}),
    "model": {"name": "wrn_18_1_5"},
}
IMAGENET_CHOICES = (
    *REG_CHOICES,
    Choice(
        "beta on ImageNet",
        "the nine values on 5,000 held-out training images, then training on all",
        "the text describes a 45k/5k split, which is CIFAR's",
        "data.validation",
    ),
    Choice(
        "epochs and schedule on ImageNet",
        "WRN's of CIFAR, 200 epochs",
        "'identical to those in their original paper whenever possible' (Appendix E, lost)",
    ),
    Choice(
        "'standard data augmentations', weight decay",
        "a random resized crop and a flip; WRN's 5e-4",
        "the usual training on ImageNet",
        "data.augmentation",
    ),
    Choice("training error", "of the final weights, images not augmented", "not stated"),
)

TABLE2 = Artifact(
    id="infomcr/table2",
    experiment=Experiment(
        base=IMAGENET,
        cells=tuple(
            Cell(
                {"reg": reg},
                {"method": METHODS[reg]},
                {metric.key: value for metric, value in zip(METRICS2, numbers, strict=True)},
            )
            for (reg,), numbers in rows(PRINTED2, n=IMAGENET_RUNS)
        ),
        stages=stages(IMAGENET_RUNS),
        selection=TUNED,
        measures=(Measure("classification", label="train_set"),),
    ),
    view=TableView(rows=("reg",), metrics=METRICS2),
    notes=Notes(
        title="ImageNet at 128x128, WRN-18-1.5: error on validation and training images, and the"
        " gap",
        choices=IMAGENET_CHOICES,
    ),
)

# -- Table 3: gamma of the minima of Table 1 -----------------------------------------------------

PRINTED3 = """
no | -979.3±22.3 -689.6±24.9 -850.3±23.5
yes | -1138.1±11.0 -748.7±21.3 -886.2±20.5
"""
COLUMNS3 = [("ResNet-20",), ("WRN-28-2",), ("DenseNet-k12",)]
GAMMA = Metric("fisher_log_det", "gamma-hat", digits=1)
LOGIT_SCALE = 0.04  # code: logits of norm 25, for Table 3 only

TABLE3 = Artifact(
    id="infomcr/table3",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            _cell("CIFAR-10", model, reg, fisher_log_det=value)
            for (reg,), (model,), value in table(PRINTED3, COLUMNS3, n=RUNS)
        ),
        stages=stages(RUNS),
        selection=TUNED,
        measures=(Measure("fisher_log_det", {**SUBSETS, "logit_scale": LOGIT_SCALE}),),
    ),
    view=TableView(
        rows=("reg",),
        columns=("model",),
        metrics=(GAMMA,),
    ),
    notes=Notes(
        title="gamma-hat of CIFAR-10 minima with and without the regulariser, outputs normalised",
        choices=(
            *CIFAR_CHOICES,
            *NETWORK_CHOICES,
            *METRIC_CHOICES,
            Choice("scale", "ln det of Eq. 6", "the code returns half of it", "measure.half"),
            Choice(
                "'normalize and scale the softmax output'",
                "logits to a norm of 25",
                "code; a softmax's own scale is fixed",
                "measure.logit_scale",
            ),
        ),
    ),
)

# -- sentences of section 7.2.1 ------------------------------------------------------------------

PRINTED_TIMES = """
no | 185.7 -
yes | 285.6 1.5
"""
TIMES = (
    Metric("step_seconds", "ms a step", shown="milliseconds", digits=1),
    Metric("step_seconds", "ratio", relative_to={"reg": NO}),
)

ELSEWHERE: dict[str, Any] = {"comparable": False, "note": "on two RTX 2080 Ti"}

CLAIM_TIME = Artifact(
    id="infomcr/claim_time",
    experiment=Experiment(
        base={**IMAGENET, "epochs": 1},
        cells=tuple(
            Cell(
                {"reg": reg},
                {"method": {**METHODS[reg], **({"phases": "111"} if reg == REG else {})}},
                {
                    metric.key: value if metric.relative_to else replace(value, **ELSEWHERE)
                    for metric, value in zip(TIMES, numbers, strict=True)
                },
            )
            for (reg,), numbers in rows(PRINTED_TIMES, n=1)
        ),
        stages=(Stage("time", seeds=1),),
        selection=FIXED,
    ),
    view=TableView(rows=("reg",), metrics=TIMES),
    notes=Notes(
        title="Training time a step with and without the regulariser",
        choices=(
            *STEP_CHOICES,
            Choice("step", "regularised from the start", "the time is that of a regularised step"),
            Choice("hardware", "this machine's", "two RTX 2080 Ti in the paper: compare the ratio"),
        ),
    ),
    presets={p.name: adjusted(p, {"epochs": 1}) for p in (SMALL, SMOKE)},
)

PHASES = ("111", "011", "001", "100", "010")

CLAIM_STAGE_ABLATION = Artifact(
    id="infomcr/claim_stage_ablation",
    experiment=Experiment(
        base={**BASE, **NETWORKS["WRN-28-2"], "data.source": "cifar10"},
        cells=(
            Cell({"phases": "000"}, {"method": METHODS[NO]}),
            *(
                Cell(
                    {"phases": phases},
                    {"method": {**METHODS[REG], "beta": CODE_BETA, "phases": phases}},
                )
                for phases in PHASES
            ),
        ),
        stages=(Stage("train", seeds=RUNS),),
        selection=FIXED,
    ),
    view=TableView(rows=("phases",), metrics=(ERROR,)),
    notes=Notes(
        title="When to regularise: learning-rate phases (early, middle, late), WRN-28-2 on"
        " CIFAR-10",
        choices=(
            *STEP_CHOICES,
            SPREAD_CHOICE,
            *TRAINING_CHOICES,
            Choice(
                "phases", "up to epoch 60, 60 to 120, after 120 of 200", "code, its flag 'type'"
            ),
            Choice("beta", "10", "the code's default", "method.beta"),
        ),
        claims=("the regulariser works best in the middle and late stages (section 7.2.1)",),
    ),
)

PAPER = Paper(
    key="infomcr",
    title="Information-Theoretic Local Minima Characterization and Regularization",
    venue="ICML 2020",
    artifacts=(
        TABLE1,
        TABLE2,
        TABLE3,
        FIGURE2,
        FIGURE3,
        FIGURE4,
        CLAIM_TIME,
        CLAIM_STAGE_ABLATION,
    ),
)
