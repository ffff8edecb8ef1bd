"""NSO's figure 6: matrix sensing (section 5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.choice import on
from search_spaces.nso.protocol import FIGURE_RUNS, METHODS
from search_spaces.preset import OTHERWISE
from search_spaces.presets import AS_PRINTED, adjusted
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    CurveView,
    Epochs,
    Experiment,
    Measure,
    Metric,
    Notes,
    Override,
    Reading,
    Selection,
    Stage,
)

MATRIX = {"size": 100, "rank": 5, "measurements": 2500}
SMALL_MATRIX = {"size": 50, "rank": 3, "measurements": 750}
SMOKE_MATRIX = {"size": 12, "rank": 2, "measurements": 120}
SENSING: dict[str, Any] = {
    "data.source": {"name": "matrix_sensing", **MATRIX},
    "data.validation": 0,
    "model": "factorization",
    "loss": "mse",
    "optimizer.name": "sgd",
    "optimizer.momentum": 0.0,
    "optimizer.weight_decay": 0.0,
    "schedule.name": "constant",
    "batch_size": MATRIX["measurements"],
    "precision": "float64",
}
# The code descends a quarter of the gradient of the mean squared error (`factorization`).
SENSING_RATES = {"0.0025": (0.0025 / 4, 5000), "0.001": (0.001 / 4, 20000)}
SENSING_SIGMAS = (0.01, 0.02, 0.08)
SENSING_AT = tuple(step / 50 for step in range(1, 51))
SENSING_SMALL = adjusted(
    AS_PRINTED,
    {"batch_size": SMALL_MATRIX["measurements"]},
    {"data.source": {OTHERWISE: {"name": "matrix_sensing", **SMALL_MATRIX}}},
    name="small",
    summary="a matrix of 50 x 50 and all epochs of the code: an hour and a half on two cores",
    comparable=False,
)
SENSING_SMOKE = adjusted(
    AS_PRINTED,
    {"epochs": 200, "batch_size": SMOKE_MATRIX["measurements"]},
    {"data.source": {OTHERWISE: {"name": "matrix_sensing", **SMOKE_MATRIX}}},
    name="smoke",
    summary="a matrix of 12 x 12 and 200 epochs: about a minute on two cores",
    comparable=False,
    axes={OTHERWISE: 2},
    seeds=2,
)
INITIAL = Metric("running_train_loss", "training MSE in passing", digits=4)
"""Of GD in its first epoch, which is one step: the error before training."""
SENSING_METHODS = {"GD": "SGD", "WP-GD": "WP-SGD", "NSO": "NSO"}

FIGURE6 = Artifact(
    id="nso/figure6",
    experiment=Experiment(
        base=SENSING,
        cells=tuple(
            Cell(
                {"method": method, "learning rate": printed},
                {"method": METHODS[rule], "optimizer.lr": rate, "epochs": epochs},
            )
            for method, rule in SENSING_METHODS.items()
            for printed, (rate, epochs) in SENSING_RATES.items()
        ),
        stages=(
            Stage("plain", {"method": "GD"}, seeds=FIGURE_RUNS),
            Stage("tune", {"method": ("WP-GD", "NSO")}, {}, {"method.sigma": SENSING_SIGMAS}, 1),
            Stage(
                "final",
                {"method": ("WP-GD", "NSO")},
                seeds=FIGURE_RUNS,
                after="tune",
                inherit=("method.sigma",),
            ),
        ),
        selection=Selection(
            on="test_loss", epoch="last", stated="sigma on the validation measurements; last epoch"
        ),
        measures=(
            Measure("recovery_distance", at=SENSING_AT),
            Measure("loss", label="train_mse_curve", at=SENSING_AT),
        ),
    ),
    view=CurveView(
        x=Epochs(),
        panels=("learning rate",),
        rows=("method",),
        columns=("learning rate",),
        metrics=(
            Metric("train_mse_curve", "training MSE", digits=4),
            Metric("test_loss", "validation MSE", digits=4),
            Metric("recovery_distance", "distance to the true matrix", digits=4),
        ),
        judged=(INITIAL,),
    ),
    notes=Notes(
        title="Matrix sensing with GD, WP-GD and NSO: training and validation error, distance",
        choices=(
            Choice(
                "number of runs",
                str(FIGURE_RUNS),
                "the notebooks draw one seed; three have a spread, by which what is said of the"
                " figure can be judged",
                name="sensing-runs",
                default=str(FIGURE_RUNS),
                others={"1": Reading("1, as the notebooks", seeds=1)},
                source="notebooks",
                code="1",
            ),
            Choice(
                "sizes, epochs, learning rates, sigma, k",
                "the code's",
                "the printed values are lost",
                name="sizes",
                default="code",
                single="nothing else is known of them",
                source="section 5 (lost); notebooks",
                code="code",
            ),
            Choice(
                "loss that the learning rate is of",
                "four times the mean squared error that is minimized here",
                "the code descends a quarter of the gradient of the mean squared error",
                "optimizer.lr",
                name="rate",
                default="code",
                others={
                    "of-the-loss": Reading(
                        "the mean squared error itself, which goes four times as fast",
                        tuple(
                            Override({"learning rate": printed}, {"optimizer.lr": float(printed)})
                            for printed in SENSING_RATES
                        ),
                    )
                },
                source="section 5; notebooks",
                code="code",
            ),
            Choice(
                "errors",
                "as they are",
                "the text; the code divides by the mean square of the targets",
                name="errors",
                default="plain",
                single="the other is the same number over a constant of the data",
                source="section 5; notebooks",
                text="plain",
            ),
            Choice(
                "distance",
                "Frobenius norm of the difference",
                "the text; the code plots the square of its ratio to the norm of the true matrix",
                name="recovery-distance",
                default="frobenius",
                others={
                    "relative-squared": Reading(
                        "the squared ratio to the norm of the true matrix",
                        metrics={
                            "recovery_distance": {"name": "recovery_distance/relative_squared"}
                        },
                    )
                },
                source="section 5; notebooks",
                text="frobenius",
                code="relative-squared",
            ),
            Choice(
                "sigma",
                "chosen of three on the validation measurements",
                "the text adjusts it; the code's plots are of 0.08",
                "method.sigma",
                name="sensing-sigma",
                default="chosen",
                others={
                    "0.08": Reading(
                        "0.08, without a search",
                        on("method", ("WP-GD", "NSO"), method__sigma=0.08),
                    )
                },
                source="section 5; notebooks",
                text="chosen",
                code="0.08",
            ),
        ),
        claims=(
            "all three fit the training set, GD overfits it, and NSO comes nearest to the true"
            " matrix (section 5)",
        ),
    ),
    presets={
        "small": SENSING_SMALL,
        "laptop": replace(SENSING_SMALL, name="laptop"),
        "smoke": SENSING_SMOKE,
    },
)
