"""FA: "Flatness-Aware Regularization for Robust Generalization in Deep Neural Networks" (2025).

The text has one result, captioned Figure 1. Settings are in `protocol`, what can be read in several
ways in `choices`.
"""

from __future__ import annotations

from dataclasses import replace

from search_spaces.fa import choices
from search_spaces.fa.claims import CLAIMS
from search_spaces.fa.protocol import (
    BASE,
    BATCH,
    CLAIMED,
    EPOCHS,
    MODELS,
    NUM_PROBES,
    SEEDS,
    SOURCES,
    TRAINING,
)
from search_spaces.presets import SMOKE, adjusted
from search_spaces.printed import rows
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

# -- Figure 1: lambda | final accuracy, best accuracy, mean Tr(H^2) / B, seconds -----------------

PRINTED1 = """
0.0 | 0.2633 0.2800 0.000000 60.85
0.001 | 0.2633 0.2833 23.050173 2290.77
0.01 | 0.2700 0.2783 10.739012 2433.53
0.1 | 0.2667 0.2967 4.144254 2203.87
1.0 | 0.2583 0.2983 1.549933 2337.86
"""
FINAL = Metric("test_error", "final accuracy", "higher", "accuracy", epoch="last", digits=4)
BEST = Metric("test_error", "best accuracy", "higher", "accuracy", epoch="best_test", digits=4)
FLATNESS = Metric(
    "hessian_trace_of_square", "mean Tr(H^2) / B", epoch="mean", scale=1 / BATCH, digits=3
)
SECONDS = Metric("training_seconds", "seconds")
RATIO = Metric(SECONDS.name, "seconds / lambda = 0", relative_to={"lambda": "0.0"})
PRINTED = (FINAL, BEST, FLATNESS, SECONDS)
OTHER_SET = "of the set the code loads"
CURVATURE = Measure(
    "hessian_trace_of_square",
    {"num_samples": NUM_PROBES, "probes": "normal", "per_batch": True},
    samples=TRAINING // BATCH * BATCH,
    batch_size=BATCH,
    at=tuple(epoch / EPOCHS for epoch in range(1, EPOCHS + 1)),
)


def _cells(dataset: str) -> list[Cell]:
    cells = []
    for (lam,), numbers in rows(PRINTED1, n=1):
        reported = {metric.key: value for metric, value in zip(PRINTED, numbers, strict=True)}
        if float(lam) == 0:
            reported[FLATNESS.key] = replace(
                reported[FLATNESS.key], comparable=False, note="a placeholder, not measured"
            )
        reported[SECONDS.key] = replace(
            reported[SECONDS.key], comparable=False, note="unjitted JAX, unknown processor"
        )
        method = {"name": "fa", "lam": float(lam), "num_probes": NUM_PROBES}
        cell = Cell(
            {"dataset": dataset, "lambda": lam},
            {
                "data.source": SOURCES[dataset],
                "model": MODELS[dataset],
                "method": method if float(lam) else {"name": "erm"},
            },
            reported,
        )
        cells.append(cell.stand_in(OTHER_SET) if dataset == CLAIMED else cell)
    return cells


FIGURE1 = Artifact(
    id="fa/figure1",
    experiment=Experiment(
        base=BASE,
        cells=tuple(cell for dataset in SOURCES for cell in _cells(dataset)),
        stages=(Stage("train", seeds=SEEDS),),
        selection=Selection(
            on="test_error",
            epoch="last",
            stated="nothing is selected; 'best accuracy' is the best TEST epoch of 600 images",
        ),
        measures=(CURVATURE,),
    ),
    view=TableView(rows=("dataset", "lambda"), metrics=(*PRINTED, RATIO)),
    notes=Notes(
        title="Accuracy, curvature and time of FA for five lambdas (a table, captioned Figure 1)",
        choices=choices.FIGURE1,
        claims=(
            "lambda = 0.01 is the best balance: it ends near 27.0 % after a peak near 27.8 %",
            "FA takes some 2200 to 2400 s where the baseline takes some 60 s",
        ),
    ),
    presets={"smoke": adjusted(SMOKE, {"epochs": 20})},
)

# -- what the authors' code draws beside the table -----------------------------------------------

OF_THE_TABLE = ("curvature", "time", "best")  # choices of columns that a curve has not

CURVES = Artifact(
    id="fa/curves",
    experiment=replace(
        FIGURE1.experiment, cells=tuple(replace(c, reported={}) for c in FIGURE1.experiment.cells)
    ),
    view=CurveView(
        x=Epochs(),
        panels=("dataset",),
        rows=("dataset", "lambda"),
        metrics=(
            Metric("test_error", "accuracy", "higher", "accuracy", digits=4),
            Metric("running_train_loss", "training loss", digits=3),
            Metric("hessian_trace_of_square", "Tr(H^2) / B", scale=1 / BATCH, digits=3),
        ),
    ),
    notes=Notes(
        title="Accuracy, loss and curvature of FA during training (drawn by the authors' code)",
        choices=tuple(choice for choice in choices.FIGURE1 if choice.name not in OF_THE_TABLE),
        claims=FIGURE1.notes.claims[:1],
    ),
    presets=FIGURE1.presets,
)

PAPER = Paper(
    key="fa",
    title="Flatness-Aware Regularization for Robust Generalization in Deep Neural Networks",
    venue="unpublished, 2025",
    artifacts=(FIGURE1, CURVES),
    claims=CLAIMS,
)
