"""InfoMCR: Jia & Su, "Information-Theoretic Local Minima Characterization and Regularization".

ICML 2020, arXiv 1911.08192. Here: its tables. The figures are in `figures`, sentences that can be
measured in `claims`, what all of them share in `protocol`, and what can be read in several ways in
`choices`.
"""

from __future__ import annotations

from search_spaces.infomcr import choices
from search_spaces.infomcr.claims import CLAIMS
from search_spaces.infomcr.figures import FIGURE2, FIGURE3, FIGURE4
from search_spaces.infomcr.protocol import (
    BASE,
    ERROR,
    IMAGENET,
    IMAGENET_RUNS,
    METHODS,
    NETWORKS,
    RUNS,
    SUBSETS,
    TUNED,
    cell,
    stages,
)
from search_spaces.infomcr.unprinted import ALPHA_M, GRADIENTS, STAGE_ABLATION, TIME
from search_spaces.printed import rows, table
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Measure,
    Metric,
    Notes,
    Paper,
    TableView,
)

# -- Table 1; the plain WRN-28-2 cells are missing from the text that we have --------------------

PRINTED1 = """
CIFAR-10 | 8.52±0.23 7.55±0.06 - 5.15±0.09 4.61±0.08 4.37±0.06 8.50±0.31 7.89±0.13
CIFAR-100 | 31.12±0.35 29.27±0.17 - 23.88±0.13 22.54±0.32 22.23±0.21 - -
"""
COLUMNS1 = [(model, reg) for model in NETWORKS for reg in METHODS]
NOT_RUN = ("CIFAR-100", "ResNet-20")  # "too limited for CIFAR-100"

TABLE1 = Artifact(
    id="infomcr/table1",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            cell(dataset, model, reg, test_error=value)
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
        judged=(Metric("parameters", "parameters", better="neither"),),
    ),
    notes=Notes(
        title="Test error on CIFAR-10 and CIFAR-100 with and without the regulariser",
        choices=choices.TABLE1,
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
        choices=choices.TABLE2,
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
            cell("CIFAR-10", model, reg, fisher_log_det=value)
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
        choices=choices.TABLE3,
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
        TIME,
        STAGE_ABLATION,
        ALPHA_M,
        GRADIENTS,
    ),
    claims=CLAIMS,
)
