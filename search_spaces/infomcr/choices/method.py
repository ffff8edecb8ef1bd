"""InfoMCR's regulariser and the search of beta: what is open, and how else it can be read."""

from __future__ import annotations

from typing import Any

from search_spaces.choice import everywhere, on
from search_spaces.infomcr.protocol import CODE_BETA, HELD_OUT, PHASES, REG
from search_spaces.spec import Choice, Reading

LOST = "Appendix E, which is lost"
LOST_METRICS = "Appendix D, which is lost"


def _regularized(what: str, **options: Any) -> Reading:
    """A reading of the regulariser; in the ablation of phases, cells have no other label."""
    fields = {f"method.{option}": value for option, value in options.items()}
    return Reading(what, (*on("reg", (REG,), **fields), *on("phases", PHASES, **fields)))


# -- Algorithm 1 ----

PHASE = Choice(
    "active phase",
    "after the first learning-rate drop",
    "section 7.2.1",
    field="method.phases",
    name="phases",
    default="011",
    source="section 7.2.1; code, flag 'type'",
    text="011",
    code="011",
    single="both say so; infomcr/claim_stage_ablation has the others",
)
BATCHNORM = Choice(
    "BatchNorm",
    "sub-batches by their own, full batch by its own statistics",
    "the code's, whose pass over the full batch alone moves the running ones; Equation 7 has"
    " L(B, w), which without BatchNorm is the mean of the sub-batches' losses",
    field="method.statistics",
    name="batchnorm",
    default="full_batch",
    others={
        "sub_batch": _regularized(
            "sub-batches by their own; their mean is the full batch's gradient",
            statistics="sub_batch",
        )
    },
    source="Algorithm 1; code",
    code="full_batch",
)
SPLIT = Choice(
    "how a batch is split",
    "in the order of the shuffled batch",
    "the code's; the same in distribution as at random",
    field="method.split",
    name="split",
    default="order",
    others={"random": _regularized("at random", split="random")},
    source="Algorithm 1, step 1; code, tf.split",
    text="random",
    code="order",
)
LAST_BATCH = Choice(
    "last incomplete batch",
    "dropped",
    "the code's; M = 8 must divide the batch",
    field="drop_last",
    name="last-batch",
    default="dropped",
    others={"kept": Reading("kept, in sub-batches of uneven size", everywhere(drop_last=False))},
    source="code",
    code="dropped",
)
STEP = (BATCHNORM, SPLIT, LAST_BATCH)
SPREAD = Choice(
    "± over runs",
    "n - 1",
    "not stated",
    name="spread",
    default="sample",
    source="not stated",
    single="the other, by n, is this one times the root of (n - 1) / n",
)
REGULARISER = (PHASE, *STEP, SPREAD)

# -- the search of beta --------------------------------------------------------------------------

BETA = Choice(
    "beta of each network and data set",
    "the nine values, one seed each",
    "the chosen ones are not printed",
    field="method.beta",
    name="beta",
    default="searched",
    others={"code": _regularized(f"{CODE_BETA}, not searched", beta=CODE_BETA)},
    source="section 7.2; code, flag 'beta'",
    text="searched",
    code="code",
)
FINAL_IMAGES = Choice(
    "after choosing beta",
    "training on all 50,000",
    "the plain rows match known 50,000-image results",
    field="data.validation",
    name="final-images",
    default="all",
    others={
        "45000": Reading(
            "training on the 45,000 that beta was chosen on, without the regulariser too",
            everywhere(data__validation=HELD_OUT, data__split_seed=0),
        )
    },
    source="section 7.2",
)
SEARCH_SEED = Choice(
    "whether the search's own run counts",
    "it does not: it was trained on fewer images",
    "five models are trained after beta is chosen",
    name="search-seed",
    default="apart",
    source="section 7.2",
    single="a run on 45,000 images is no repetition of those on all",
)
LABELS = Choice(
    "label smoothing",
    "none",
    "'we report results without label smoothing' (section 7); with it they are 'very similar'",
    field="regularizers",
    name="label-smoothing",
    default="no",
    others={
        "yes": Reading(
            "0.1, which is not stated",
            everywhere(regularizers=({"name": "label_smoothing", "smoothing": 0.1},)),
            incomparable=({},),
        )
    },
    source="sections 4 and 7",
    text="no",
    code="no",
)
CIFAR = (BETA, FINAL_IMAGES, SEARCH_SEED, *REGULARISER, LABELS)
