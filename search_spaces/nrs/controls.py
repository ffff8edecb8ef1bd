"""What NRS's paper lacks: control arms, and all readings of its perturbation side by side.

At epsilon = 0 Equation 3 is twice the plain loss, so that NRS descends as a Baseline with twice the
learning rate, half the weight decay, and half the norm that gradients are clipped at (a test in
`tests.trainables.methods` holds the two against each other, step by step). What NRS gains over
*that* is what its perturbation adds; at alpha = 0 the divergence is left out.
"""

from __future__ import annotations

from typing import Any

from search_spaces.nrs import choices
from search_spaces.nrs.protocol import (
    ALPHA,
    AUGMENTATIONS,
    BASE,
    BASELINE,
    CNNS,
    DATASETS,
    EPSILON,
    EPSILONS,
    METHODS,
    NOTHING_SELECTED,
    SEEDS,
    TOP1,
)
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Measure,
    Metric,
    Notes,
    Selection,
    Stage,
    TableView,
)

DECAY = 0.0005
SETTINGS: dict[str, Any] = {
    **BASE,
    "model": CNNS["ResNet18"],
    "data.augmentation": AUGMENTATIONS["Basic"],
    "optimizer.lr": 0.1,
    "optimizer.weight_decay": DECAY,
    "batch_size": 128,
}
OF_ALL = {"model": "ResNet18", "augmentation": "Basic"}  # labels of every cell
FIXED = Selection(on="test_error", stated=NOTHING_SELECTED)


def _method(name: str, **options: Any) -> dict[str, Any]:
    return {"method": {**METHODS[name], "epsilon": EPSILON, **options}}


ARMS: dict[str, dict[str, Any]] = {
    "Baseline": BASELINE,
    "Baseline, half the weight decay": {**BASELINE, "optimizer.weight_decay": DECAY / 2},
    "RPR": _method("RPR"),
    "NRS, epsilon 0": _method("NRS", epsilon=0.0, alpha=ALPHA),
    "NRS, alpha 0": _method("NRS", alpha=0.0),
    "NRS": _method("NRS", alpha=ALPHA),
}

IMAGES = 10000  # of the training set, for the divergence
DIVERGENCE = "model_divergence"
SHOWN = (
    Metric(DIVERGENCE, "KL(p || q)", better="neither", digits=4),
    Metric(f"{DIVERGENCE}/rise", "L(theta + delta) - L(theta)", better="neither", digits=4),
    Metric(f"{DIVERGENCE}/size", "||delta|| / ||theta||", better="neither", digits=4),
)

CONTROLS = Artifact(
    id="nrs/controls",
    experiment=Experiment(
        base=SETTINGS,
        cells=tuple(
            Cell(
                {"method": arm, "dataset": dataset, **OF_ALL},
                {"data.source": DATASETS[dataset], **fields},
            )
            for arm, fields in ARMS.items()
            for dataset in DATASETS
        ),
        stages=(Stage("train", seeds=SEEDS),),
        selection=FIXED,
        measures=(Measure(DIVERGENCE, {"epsilon": EPSILON, "scale": "relative"}, samples=IMAGES),),
    ),
    view=TableView(rows=("method",), columns=("dataset",), metrics=(TOP1, SHOWN[0])),
    notes=Notes(
        title="What the perturbation of NRS adds: ResNet18 on Cifar10 and Cifar100; the divergence"
        " of every arm at epsilon = 0.1",
        choices=choices.ARMS,
        claims=(
            "outputs, the KL term, regularize more strongly than loss values (section 6)",
            "minimizing the divergence leads to minima in whose neighbourhood outputs agree"
            " (section 3)",
        ),
        caveat=choices.UNVERIFIED,
    ),
)

SCALES = ("relative", "relative_per_tensor", "unit_then_scale", "literal", "gaussian_literal")

READINGS = Artifact(
    id="nrs/readings",
    experiment=Experiment(
        base={**SETTINGS, "data.source": DATASETS["Cifar10"]},
        cells=(
            Cell(
                {"method": "NRS", "reading": "none", "epsilon": "0", **OF_ALL},
                ARMS["NRS, epsilon 0"],
            ),
            *(
                Cell(
                    {"method": "NRS", "reading": scale, "epsilon": str(epsilon), **OF_ALL},
                    _method("NRS", scale=scale, epsilon=epsilon, alpha=ALPHA),
                )
                for scale in SCALES
                for epsilon in EPSILONS
            ),
        ),
        stages=(Stage("train", seeds=SEEDS),),
        selection=FIXED,
        measures=(Measure(DIVERGENCE, {"own": True}, samples=IMAGES),),
    ),
    view=TableView(rows=("reading", "epsilon"), metrics=(TOP1, *SHOWN)),
    notes=Notes(
        title="Five readings of step 8: accuracy of ResNet18 on Cifar10, and what its own"
        " perturbation does to the outputs and the loss",
        choices=choices.READINGS,
        claims=("normalizing delta by the norm of theta is helpful for training (section 3)",),
        caveat=choices.UNVERIFIED,
    ),
)
