"""What FA's text leaves open, or its authors' code does otherwise, and how else it can be.

"Code" is the authors' (github.com/chisomruth/flatness-aware), which made the table; the "longer
version" is a later text of theirs with the same table and other settings.
"""

from __future__ import annotations

from typing import Any

from search_spaces.choice import everywhere, on
from search_spaces.fa.protocol import BATCH, CLAIMED, LAMBDAS, LOADED, OUTPUTS, SOURCES, TRAINING
from search_spaces.spec import Choice, Override, Reading

CURVATURE = "hessian_trace_of_square"
COLUMN = f"{CURVATURE}@mean"
PENALIZED = tuple(lam for lam in LAMBDAS if float(lam))


def _penalty(what: str, measured: dict[str, Any] | None = None, **options: Any) -> Reading:
    """A reading of the penalty, and of how the curvature is measured."""
    fields = {f"method.{option}": value for option, value in options.items()}
    return Reading(
        what,
        on("lambda", PENALIZED, **fields),
        measures={CURVATURE: measured} if measured else {},
    )


DATA = Choice(
    "data set",
    "both; values are compared on OpenML 159 only",
    "the code loads it, and losses near ln 5 fit it; the text says CIFAR-100",
    field="data.source",
    name="data",
    default="both",
    source="text; code",
    single="each is rows of the table",
)
PENALTY = (
    Choice(
        "is the penalty differentiated",
        "yes, in third derivatives of the loss",
        "the code's; the curvature falls as lambda grows",
        field="method",
        name="differentiated",
        default="yes",
        source="Equation 1; code",
        text="yes",
        code="yes",
        single="a penalty without a gradient trains as lambda = 0 does",
    ),
    Choice(
        "Tr(H^2) / B",
        "H of the batch's mean loss, once more divided by B",
        "the code's",
        field="method.lam",
        name="hessian",
        default="mean",
        others={
            "sum": Reading(
                f"H of the batch's summed loss: {BATCH}^2 times as much",
                tuple(
                    Override({"lambda": lam}, {"method.lam": float(lam) * BATCH**2})
                    for lam in PENALIZED
                ),
                metrics={key: {"scale": float(BATCH)} for key in (COLUMN, CURVATURE)},
            )
        },
        source="Equation 1; code",
        code="mean",
    ),
    Choice(
        "v'H^2v",
        "||Hv||^2",
        "the identity in the text, and the code's; the text speaks of quadratic forms too",
        field="method.estimator",
        name="estimator",
        default="squared_norm",
        others={
            "squared_form": _penalty(
                "(v'Hv)^2, of mean 2 Tr(H^2) + Tr(H)^2; the column stays Tr(H^2)",
                estimator="squared_form",
            )
        },
        source="text; code",
        text="squared_norm",
        code="squared_norm",
    ),
)
NETWORK = (
    Choice(
        "network",
        "one hidden layer of 256",
        "the code's; two matrices are the text's '2-layer'",
        field="model.widths",
        name="network",
        default="256",
        others={
            "512_256": Reading(
                "512 and 256, dropout 0.3: the longer version's",
                everywhere(model__widths=(512, 256), model__dropout=0.3),
            )
        },
        source="text; code; longer version",
        text="256",
        code="256",
    ),
    Choice(
        f"outputs of the network on {LOADED}",
        f"{OUTPUTS} for its 5 classes",
        "the code's; with 5, Tr(H^2) / B is three to four times as large before training",
        field="model.outputs",
        name="outputs",
        default="100",
        others={"5": Reading("5", (Override({"dataset": LOADED}, {"model.outputs": None}),))},
        source="code",
        code="100",
    ),
)
TRAINING_CHOICE = Choice(
    "optimizer, epochs, batch",
    f"Adam 1e-3, 50, {BATCH}; nothing decays",
    "the code's",
    field="optimizer.lr",
    name="training",
    default="code",
    others={
        "longer": Reading(
            "the longer version's: Adam 0.01 with a cosine, decay 5e-4, 10 epochs of batches of"
            " 128, a penalty at every tenth",
            (
                Override(
                    {},
                    {
                        "optimizer.lr": 0.01,
                        "optimizer.weight_decay": 5e-4,
                        "schedule.name": "cosine",
                        "epochs": 10,
                        "batch_size": 128,
                    },
                ),
                *(Override({"lambda": lam}, {"method.every": 10}) for lam in PENALIZED),
            ),
            incomparable=({},),
        )
    },
    source="code; longer version",
    code="code",
)
IMAGES = (
    Choice(
        "test images",
        "600 of the 3,000, a fifth of every class",
        "accuracies are multiples of 1/600; the code's are the last 600 of an order drawn once,"
        " which has 120 ± 9 of each of five classes",
        field="data.subset",
        name="test-images",
        default="600",
        others={
            "600_uniform": Reading(
                "600 of the 3,000, whatever their classes",
                tuple(
                    Override({"dataset": name}, {"data.source": {**source, "test_set": "uniform"}})
                    for name, source in SOURCES.items()
                ),
            ),
            "published": Reading(
                f"of {CLAIMED} all 10,000 test images, {TRAINING:,} to train on",
                (
                    Override(
                        {"dataset": CLAIMED},
                        {"data.source": {"name": "cifar100"}, "data.subset": TRAINING},
                    ),
                ),
            ),
        },
        source="code",
        code="600_uniform",
    ),
    Choice(
        "split of the runs",
        "one for all seeds",
        "the code's, drawn from its seed 42",
        field="data.split_seed",
        name="split",
        default="one",
        others={"own": Reading("each seed draws its own", everywhere(data__split_seed=None))},
        source="code",
        code="one",
    ),
    Choice(
        "runs",
        "5 seeds",
        "the code has 1, and 600 images are noisy",
        name="runs",
        default="5",
        others={"1": Reading("1, as printed", seeds=1)},
        source="code; the longer version says 3",
        code="1",
    ),
)
MEASURED = (
    Choice(
        "curvature at lambda = 0",
        "measured",
        "the printed 0 is a placeholder",
        name="curvature-at-0",
        default="measured",
        source="code",
        single="a number that was not measured is nothing to repeat",
    ),
    Choice(
        "curvature's average",
        "over epochs; at each one's end over all batches of 64, with 3 probes of its own each",
        "the code's is over all batches too, but each after its own update, with the step's own"
        " probes; in ten epochs on a similar stream the two means differed by at most 2 %, one"
        " batch and one set of probes by up to 45 %",
        field="measure.per_batch",
        name="curvature",
        default="epochs",
        others={
            "final": Reading(
                "of the last epoch alone",
                metrics={COLUMN: {"epoch": "last", "label": "last Tr(H^2) / B"}},
            )
        },
        source="code",
        code="epochs",
    ),
    Choice(
        "train time",
        "of this machine's training; the ratio to lambda = 0 stands beside it",
        "the printed one is of an unknown processor, and of a loss that is evaluated twice",
        name="time",
        default="measured",
        source="code",
        single="the paper's machine is not here",
    ),
    Choice(
        "best accuracy",
        "of the test epoch that has it",
        "the code's; optimistic, since 600 images choose among 50 epochs",
        name="best",
        default="test",
        source="code",
        code="test",
        single="there are no other images; final accuracy stands beside it",
    ),
)

PROBES = Choice(
    "probes",
    "3, normal",
    "the code's",
    field="method.distribution",
    name="probes",
    default="normal_3",
    others={
        "rademacher_5": _penalty(
            "5, Rademacher: the longer version's",
            {"num_samples": 5, "probes": "rademacher"},
            num_probes=5,
            distribution="rademacher",
        )
    },
    source="text: 'zero mean and unit variance'; code; longer version",
    code="normal_3",
)

# In this order readings can be combined: of a column first, then of its measure.
FIGURE1 = (DATA, *PENALTY, *NETWORK, TRAINING_CHOICE, *IMAGES, *MEASURED, PROBES)
