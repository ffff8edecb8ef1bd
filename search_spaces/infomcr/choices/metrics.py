"""gamma-hat, its rivals, and the three scenarios: what is open, and how else to read it."""

from __future__ import annotations

from typing import Any

from search_spaces.choice import everywhere
from search_spaces.infomcr.choices import method
from search_spaces.infomcr.choices.method import LOST_METRICS
from search_spaces.infomcr.protocol import SUBSETS
from search_spaces.spec import Choice, Override, Reading

MEASURES = ("fisher_log_det", "fisher_spectrum")


def _gamma(what: str, **options: Any) -> Reading:
    return Reading(what, measures=dict.fromkeys(MEASURES, options))


SIZES = Choice(
    "T and N'",
    "100 and 100",
    f"the code's; the paper's are in {LOST_METRICS}",
    field="measure.num_samples",
    name="subset-size",
    default="100",
    others={
        "25": _gamma(
            "100 and 25: 'even with a small N'' (section 5.3)",
            num_samples=SUBSETS["num_samples"] // 4,
        )
    },
    source=f"section 5.3; code; {LOST_METRICS}",
    code="100",
)
DRAWS = Choice(
    "which subsets",
    "drawn at random",
    "Equation 5",
    field="measure.subsets",
    name="subsets",
    default="random",
    others={
        "consecutive": _gamma(
            "the first 10,000 training images, in runs of 100", subsets="consecutive"
        )
    },
    source="Equation 5; code",
    text="random",
    code="consecutive",
)
EVALUATION = Choice(
    "BatchNorm in gamma-hat",
    "in evaluation mode",
    "per-sample gradients need it; the code's are of training mode, over ten images at a time",
    name="gamma-batchnorm",
    default="evaluation",
    source="code",
    single="under statistics of a batch a sample has no gradient of its own",
)
GAMMA = (SIZES, DRAWS, EVALUATION)

# -- the figures' three scenarios ----------------------------------------------------------------

SCENARIO = (
    *GAMMA,
    method.LABELS,
    Choice(
        "momentum, weight decay",
        "0.9, 1e-4",
        "those of ResNet's own paper; not stated",
        field="optimizer.weight_decay",
        name="scenario-decay",
        default="1e-4",
        others={"5e-4": Reading("0.9, 5e-4", everywhere(optimizer__weight_decay=5e-4))},
        source="section 7.1",
    ),
    Choice(
        "'whenever the training loss plateaus'",
        "/ 10 after 10 epochs without a lower loss",
        "no rule is stated; torch's",
        field="schedule.patience",
        name="patience",
        default="10",
        others={"5": Reading("/ 10 after 5 epochs", everywhere(schedule__patience=5))},
        source="section 7.1",
    ),
    Choice(
        "what counts as a lower loss",
        "one below the lowest by 1e-4 of it",
        "torch's; not stated",
        name="plateau-threshold",
        default="1e-4",
        source="section 7.1",
        single="no other is hinted at; at a plateau of 10 epochs it decides little",
    ),
    Choice(
        "the loss that plateaus",
        "the running one, which the steps see",
        "what a training loop prints",
        field="schedule.watch",
        name="plateau-loss",
        default="running",
        others={
            "clean": Reading(
                "of all training images after each epoch, not augmented",
                everywhere(schedule__watch="clean"),
            )
        },
        source="section 7.1",
    ),
    Choice(
        "f of the robustness metric",
        "softmax output",
        "section 3: it maps to the simplex",
        field="measure.outputs",
        name="robustness-output",
        default="probabilities",
        others={"logits": Reading("the logits", measures={"robustness": {"outputs": "logits"}})},
        source=f"section 3; {LOST_METRICS}",
        text="probabilities",
    ),
    Choice(
        "Frobenius norm, spectral radius",
        "of the Gram matrix xi / N'",
        "Equation 1: at a minimum the Fisher matrix is the Hessian",
        name="hessian-metrics",
        default="gram",
        source=LOST_METRICS,
        single="those of the true Hessian are the measure `subset_hessian`, at many times the cost",
    ),
)
ALL_IMAGES = Choice(
    "training images",
    "all 50,000",
    "10,000 are named for scenario I only",
    field="data.subset",
    name="training-images",
    default="50000",
    others={"10000": Reading("10,000 drawn at random", everywhere(data__subset=10000))},
    source="section 7.1",
)
CONFUSION = Choice(
    "images of the confusion set",
    "from the other 40,000, with uniform labels, drawn anew for every run as the 10,000 are",
    "'images with random labels'; their source is not stated",
    field="data.source.confusion",
    name="confusion-images",
    default="others",
    source="section 7.1",
    single="images that are noise are in no data set here",
)
LARGE_BATCHES = Choice(
    "learning rate of large batches",
    "0.1",
    "one initial rate for all scenarios",
    field="optimizer.lr",
    name="large-batch-rate",
    default="fixed",
    others={
        "linear": Reading(
            "in proportion to the batch",
            tuple(
                Override({"batch size": str(size)}, {"optimizer.lr": 0.1 * size / 128})
                for size in (128, 256, 512, 1024)
            ),
        )
    },
    source="section 7.1",
    text="fixed",
)
