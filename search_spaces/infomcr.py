"""InfoMCR: Jia & Su, "Information-Theoretic Local Minima Characterization and Regularization".

ICML 2020, arXiv 1911.08192. Section numbers are the paper's; "code" is the
authors' (github.com/SeanJia/InfoMCR). Appendices D and E, with the exact
settings, are not available: a network's settings are those of its own paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.presets import SMALL, SMOKE, adjusted
from search_spaces.printed import rows, table
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Measure,
    Metric,
    Paper,
    Preset,
    Reported,
    Selection,
    Stage,
)

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


def _stages(runs: int) -> tuple[Stage, ...]:
    """beta on held-out images, then training again on all of them (section 7.2)."""
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

REG_CHOICES = (
    Choice("beta of each network and data set", "the nine values, one seed each", "not printed"),
    Choice(
        "after choosing beta",
        "training on all 50,000",
        "the plain rows match known 50,000-image results",
        "data.validation",
    ),
    Choice("active phase", "after the first learning-rate drop", "section 7.2.1", "method.phases"),
    Choice(
        "BatchNorm",
        "sub-batches by their own, full batch by its own statistics",
        "code",
        "method.statistics",
    ),
    Choice("last incomplete batch", "dropped", "code; M = 8 must divide the batch", "drop_last"),
    Choice("± over runs", "n - 1", "not stated"),
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
DATASETS = {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100"}
ERROR = Metric("test_error", "test error %", shown="percent")

# -- Table 1; the plain WRN-28-2 cells are missing from the text that we have --------------------

PRINTED1 = """
CIFAR-10 | 8.52±0.23 7.55±0.06 - 5.15±0.09 4.61±0.08 4.37±0.06 8.50±0.31 7.89±0.13
CIFAR-100 | 31.12±0.35 29.27±0.17 - 23.88±0.13 22.54±0.32 22.23±0.21 - -
"""
COLUMNS1 = [(model, reg) for model in NETWORKS for reg in METHODS]
NOT_RUN = ("CIFAR-100", "ResNet-20")  # "too limited for CIFAR-100"


def _cell(dataset: str, model: str, reg: str, **reported: Reported) -> Cell:
    return Cell(
        key={"dataset": dataset, "model": model, "reg": reg},
        fields={
            **NETWORKS[model],
            "data.source": DATASETS[dataset],
            "method": METHODS[reg],
        },
        reported=reported,
    )


TABLE1 = Artifact(
    id="infomcr/table1",
    title="Test error on CIFAR-10 and CIFAR-100 with and without the regulariser",
    rows=("dataset",),
    columns=("model", "reg"),
    metrics=(ERROR,),
    base=BASE,
    cells=tuple(
        _cell(dataset, model, reg, test_error=value)
        for (dataset,), (model, reg), value in table(PRINTED1, COLUMNS1, n=RUNS)
        if (dataset, model) != NOT_RUN
    ),
    stages=_stages(RUNS),
    selection=TUNED,
    choices=(
        *REG_CHOICES,
        Choice(
            "plain CNN",
            "a stand-in: conv-BN-ReLU twice each at widths 64, 128, 256",
            "its architecture is in Appendix E, which is lost",
            "model",
        ),
        Choice("depth of DenseNet-BC-k12", "100", "the only such net in its paper", "model"),
        Choice("weight decay", "each network's own paper", "the code's covers some weights only"),
        Choice("crop", "one per image", "the code's, one per batch, looks like a slip"),
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
    Choice("beta on ImageNet", "the nine values on held-out training images", "not described"),
    Choice("epochs and schedule on ImageNet", "WRN's CIFAR schedule, 200 epochs", "not stated"),
    Choice("training error", "of the final weights, images not augmented", "not stated"),
)

TABLE2 = Artifact(
    id="infomcr/table2",
    title="ImageNet at 128x128, WRN-18-1.5: error on validation and training images, and the gap",
    rows=("reg",),
    metrics=METRICS2,
    base=IMAGENET,
    cells=tuple(
        Cell(
            {"reg": reg},
            {"method": METHODS[reg]},
            {metric.key: value for metric, value in zip(METRICS2, numbers, strict=True)},
        )
        for (reg,), numbers in rows(PRINTED2, n=IMAGENET_RUNS)
    ),
    stages=_stages(IMAGENET_RUNS),
    selection=TUNED,
    choices=IMAGENET_CHOICES,
    measures=(Measure("classification", label="train_set"),),
)

# -- Table 3: gamma of the minima of Table 1 -----------------------------------------------------

PRINTED3 = """
no | -979.3±22.3 -689.6±24.9 -850.3±23.5
yes | -1138.1±11.0 -748.7±21.3 -886.2±20.5
"""
COLUMNS3 = [("ResNet-20",), ("WRN-28-2",), ("DenseNet-k12",)]
GAMMA = Metric("fisher_log_det", "gamma-hat", digits=1)
SUBSETS = {"num_trials": 100, "num_samples": 100}  # T subsets of N' images
LOGIT_SCALE = 0.04  # code: logits of norm 25, for Table 3 only

TABLE3 = Artifact(
    id="infomcr/table3",
    title="gamma-hat of CIFAR-10 minima with and without the regulariser, outputs normalised",
    rows=("reg",),
    columns=("model",),
    metrics=(GAMMA,),
    base=BASE,
    cells=tuple(
        _cell("CIFAR-10", model, reg, fisher_log_det=value)
        for (reg,), (model,), value in table(PRINTED3, COLUMNS3, n=RUNS)
    ),
    stages=_stages(RUNS),
    selection=TUNED,
    choices=(
        *REG_CHOICES,
        Choice("scale", "ln det of Eq. 6", "the code returns half of it", "half"),
        Choice("T and N'", "100 and 100", "the code's; Appendix D is lost"),
        Choice("BatchNorm in gamma-hat", "eval mode", "per-sample gradients need it", "measure"),
    ),
    measures=(Measure("fisher_log_det", {**SUBSETS, "logit_scale": LOGIT_SCALE}),),
)

# -- Figures 2-4: four metrics in three scenarios (section 7.1) ----------------------------------

SCENARIO: dict[str, Any] = {
    "data.source": "cifar10",
    "data.validation": 0,
    "data.augmentation": CROP_FLIP,
    "model": {"name": "resnet20"},
    "method": METHODS[NO],
    "optimizer.name": "sgd",
    "optimizer.lr": 0.1,
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 1e-4,
    "schedule.name": "plateau",
    "schedule.gamma": 0.1,
    "epochs": 200,
    "batch_size": 128,
}
SUBSET = 10000
CONFUSION_SIZES = (0, 1000, 2000, 3000, 4000, 5000)
AUGMENTATIONS: dict[str, tuple[Any, ...]] = {
    "no-aug": (),
    "flip-only": ({"name": "flip"},),
    "1-crop-f": ({"name": "pad_crop", "padding": 1}, {"name": "flip"}),
    "4-crop-f": CROP_FLIP,
}
BATCH_SIZES = (128, 256, 512, 1024)

SCENARIO_METRICS = (
    ERROR,
    Metric("fisher_spectrum/log_det", "gamma-hat", digits=1),
    Metric("fisher_spectrum/frobenius_squared", "Frobenius norm"),
    Metric("fisher_spectrum/spectral_radius", "spectral radius"),
    Metric("robustness", "robustness", digits=4),
)
SCENARIO_MEASURES = (Measure("fisher_spectrum", SUBSETS), Measure("robustness"))
SCENARIO_CHOICES = (
    Choice("training images of scenarios II and III", "all 50,000", "not restated"),
    Choice("'whenever the training loss plateaus'", "/ 10 after 10 epochs", "none stated"),
    Choice("learning rate of large batches", "0.1", "one initial rate for all scenarios"),
    Choice("images of the confusion set", "from the other 40,000", "section 7.1, loosely"),
    Choice("f of the robustness metric", "softmax output", "section 3: it maps to the simplex"),
    Choice("Frobenius norm, spectral radius", "of the Gram matrix xi / N'", "Eq. 1; App. D lost"),
)


def _scenario(
    number: str,
    name: str,
    label: str,
    settings: dict[str, dict[str, Any]],
    presets: Mapping[str, Preset] | None = None,
) -> Artifact:
    return Artifact(
        id=f"infomcr/figure{number}",
        title=f"Scenario {name}: test error and four metrics of ResNet-20 on CIFAR-10",
        kind="figure",
        x=label,
        rows=(label,),
        metrics=SCENARIO_METRICS,
        base=SCENARIO,
        cells=tuple(Cell({label: value}, fields) for value, fields in settings.items()),
        stages=(Stage("train", seeds=RUNS),),
        selection=FIXED,
        choices=SCENARIO_CHOICES,
        measures=SCENARIO_MEASURES,
        presets=presets or {},
    )


FIGURE2 = _scenario(
    "2",
    "I, size of the confusion set",
    "confusion",
    {
        str(size): {
            "data.source": {"name": "cifar10", "confusion": size},
            "data.subset": SUBSET,
        }
        for size in CONFUSION_SIZES
    },
)
FIGURE3 = _scenario(
    "3",
    "II, augmentation",
    "augmentation",
    {name: {"data.augmentation": steps} for name, steps in AUGMENTATIONS.items()},
    {"smoke": adjusted(SMOKE, substitute={"data.augmentation": {}})},
)
FIGURE4 = _scenario(
    "4",
    "III, batch size",
    "batch size",
    {str(size): {"batch_size": size} for size in BATCH_SIZES},
    {
        "small": adjusted(SMALL, substitute={"batch_size": {}}),
        "smoke": adjusted(SMOKE, substitute={"batch_size": {128: 16, 256: 32, 512: 64, 1024: 128}}),
    },
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

CLAIM_TIME = Artifact(
    id="infomcr/claim_time",
    title="Training time a step with and without the regulariser",
    rows=("reg",),
    metrics=TIMES,
    base={**IMAGENET, "epochs": 1},
    cells=tuple(
        Cell(
            {"reg": reg},
            {"method": {**METHODS[reg], **({"phases": "111"} if reg == REG else {})}},
            {metric.key: value for metric, value in zip(TIMES, numbers, strict=True)},
        )
        for (reg,), numbers in rows(PRINTED_TIMES, n=1)
    ),
    stages=(Stage("time", seeds=1),),
    selection=FIXED,
    choices=(
        Choice("step", "regularised from the start", "the time is that of a regularised step"),
        Choice("hardware", "this machine's", "2 GPUs (2080 Ti) in the paper: compare the ratio"),
    ),
    presets={p.name: adjusted(p, {"epochs": 1}) for p in (SMALL, SMOKE)},
)

PHASES = ("111", "011", "001", "100", "010")

CLAIM_STAGE_ABLATION = Artifact(
    id="infomcr/claim_stage_ablation",
    title="When to regularise: learning-rate phases (early, middle, late), WRN-28-2 on CIFAR-10",
    rows=("phases",),
    metrics=(ERROR,),
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
    choices=(
        Choice("phases", "up to epoch 60, 60 to 120, after 120 of 200", "code, flag `type`"),
        Choice("beta", "10", "the code's default", "method.beta"),
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
