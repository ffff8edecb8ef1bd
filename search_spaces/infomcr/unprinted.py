"""InfoMCR's sentences that can be measured and are in no table: sections 6, 7.2 and 7.2.1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.infomcr import choices
from search_spaces.infomcr.protocol import (
    ALPHA,
    BASE,
    CODE_BETA,
    ERROR,
    FIXED,
    IMAGENET,
    METHODS,
    NETWORKS,
    NO,
    NUM_SPLITS,
    PHASES,
    REG,
    RUNS,
    TUNED,
    cell,
    stages,
)
from search_spaces.presets import LAPTOP, SMALL, SMOKE, adjusted
from search_spaces.printed import rows
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Measure,
    Metric,
    Notes,
    Stage,
    TableView,
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

TIME = Artifact(
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
        choices=choices.TIME,
    ),
    presets={p.name: adjusted(p, {"epochs": 1}) for p in (SMALL, LAPTOP, SMOKE)},
)

STAGE_ABLATION = Artifact(
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
    view=TableView(
        rows=("phases",), metrics=(ERROR, Metric("training_seconds", "seconds", better="neither"))
    ),
    notes=Notes(
        title="When to regularise: learning-rate phases (early, middle, late), WRN-28-2 on"
        " CIFAR-10",
        choices=choices.STAGES,
        claims=("the regulariser works best in the middle and late stages (section 7.2.1)",),
    ),
)

# -- section 7.2: alpha and M are quite robust ---------------------------------------------------

ALPHAS = (1e-5, ALPHA, 1e-3)
SPLITS = (2, 4, NUM_SPLITS, 16)


def _at(alpha: float, splits: int) -> Cell:
    options = {"alpha": alpha, "num_splits": splits, "beta": CODE_BETA}
    return Cell(
        {"reg": REG, "alpha": str(alpha), "M": str(splits), "model": "WRN-28-2"},
        {"method": {**METHODS[REG], **options}},
    )


ALPHA_M = Artifact(
    id="infomcr/claim_alpha_m",
    experiment=Experiment(
        base={**BASE, **NETWORKS["WRN-28-2"], "data.source": "cifar10"},
        cells=(
            Cell(
                {"reg": NO, "alpha": "none", "M": "none", "model": "WRN-28-2"},
                {"method": METHODS[NO]},
            ),
            *(_at(alpha, splits) for alpha in ALPHAS for splits in SPLITS),
        ),
        stages=(Stage("train", seeds=RUNS),),
        selection=FIXED,
    ),
    view=TableView(rows=("reg", "alpha", "M"), metrics=(ERROR,)),
    notes=Notes(
        title="Test error against the finite-difference step and the number of sub-batches,"
        " WRN-28-2 on CIFAR-10",
        choices=choices.ALPHA_M,
        claims=("alpha and M are quite robust (section 7.2)",),
    ),
)

# -- section 6, Figure 1: sub-batch gradients become alike ---------------------------------------

ALIKE = "sub_batch_gradients"

GRADIENTS = Artifact(
    id="infomcr/claim_gradients",
    experiment=Experiment(
        base=BASE,
        cells=tuple(cell("CIFAR-10", model, reg) for model in NETWORKS for reg in METHODS),
        stages=stages(RUNS),
        selection=TUNED,
        measures=(Measure(ALIKE, {"num_splits": NUM_SPLITS}, samples=10000),),
    ),
    view=TableView(
        rows=("reg",),
        columns=("model",),
        metrics_down=True,
        competing="reg",
        metrics=(
            Metric(f"{ALIKE}/cosine", "cosine", better="higher", digits=3),
            Metric(f"{ALIKE}/norm_variation", "variation of the norms", digits=3),
            Metric(f"{ALIKE}/mean_square", "mean ||g_i||^2", digits=4),
        ),
    ),
    notes=Notes(
        title="How alike the gradients of sub-batches are at the minima of Table 1, CIFAR-10",
        choices=choices.GRADIENTS,
        claims=(
            "the regulariser makes gradients of sub-batches alike in size and in direction"
            " (section 6)",
        ),
    ),
)
