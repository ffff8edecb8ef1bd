"""NRS's search and training: what the text leaves open, and how else it can be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.choice import everywhere
from search_spaces.nrs.choices.method import GNP
from search_spaces.nrs.protocol import BASIC, CUTOUT, EPSILONS, UNLISTED_EPSILON
from search_spaces.spec import Choice, Override, Reading


def _crops(what: str, basic: Any, cutout: Mapping[str, Any] = {}, **of_cifar100: Any) -> Reading:
    """A reading of both augmentations; a keyword is an option of cutout on Cifar100 alone."""
    hole = {**CUTOUT, **cutout}
    both = {"data.augmentation": (*basic, hole)}
    smaller = {"data.augmentation": (*basic, {**hole, **of_cifar100})}
    return Reading(
        what,
        (
            Override({"augmentation": "Basic"}, {"data.augmentation": basic}),
            Override({"augmentation": "Cutout"}, both),
            Override({"augmentation": "Cutout", "dataset": "Cifar100"}, smaller),
        ),
    )


ZERO_PADDED = tuple({**step, "fill": "zero"} if "fill" in step else step for step in BASIC)

# -- the search ----------------------------------------------------------------------------------

SPREAD = Choice(
    "'variance' after ±",
    "standard deviation",
    "0.07 to 0.31 are typical in percent",
    name="spread",
    default="standard_deviation",
    source="section 4",
    single="a variance is the square of what is shown",
)
GRID = Choice(
    "what the grid is searched on",
    "each model, data set and augmentation, three seeds a point",
    "'best results during the grid search' in Table 1, 'three different random seeds'",
    name="search",
    default="every_setting",
    source="section 4",
    single="one search per network, or with one seed, is a part of this one",
)
REPORTED_SEEDS = Choice(
    "seeds of the reported numbers",
    "those of the search: the winner is not trained again",
    "'all the reported results are the best results during the grid search' (section 4)",
    name="reported-seeds",
    default="of_the_search",
    source="section 4",
    text="of_the_search",
    single="the text says so; a mean over the seeds that it was chosen by is optimistic",
)
EPSILON = Choice(
    "section 5.1 calls epsilon = 0.2 best on Cifar100, which is not in the grid",
    "the grid as printed in section 4",
    "one of the two is a slip",
    field="method.epsilon",
    name="epsilon-grid",
    default="printed",
    others={
        "with_0.2": Reading(
            "0.05, 0.1, 0.2, 0.5",
            grids={"method.epsilon": tuple(sorted((*EPSILONS, UNLISTED_EPSILON)))},
        )
    },
    source="sections 4 and 5.1",
    text="printed",
)
SEARCH = (SPREAD, GRID, REPORTED_SEEDS, EPSILON)

# -- training ------------------------------------------------------------------------------------

EPOCHS = Choice(
    "epochs",
    "200",
    f"{GNP}; 'to convergence' (section 4)",
    field="epochs",
    name="epochs",
    default="200",
    source="section 4",
    single="no other number is hinted at",
)
NESTEROV = Choice(
    "momentum",
    "Nesterov's",
    GNP,
    field="optimizer.nesterov",
    name="nesterov",
    default="yes",
    others={"no": Reading("plain", everywhere(optimizer__nesterov=False))},
    source="section 4: 'SGD optimizer with 0.9 momentum'",
    text="no",
)
CLIPPING = Choice(
    "gradient clipping",
    "at a global norm of 5",
    GNP,
    field="optimizer.clip_norm",
    name="clipping",
    default="gnp",
    others={"none": Reading("none", everywhere(optimizer__clip_norm=None))},
    source="not stated",
    text="none",
)
DECAY = Choice(
    "which parameters decay",
    "all, BatchNorm and biases too",
    f"{GNP}, where the decay is half the squared norm of all weights in the loss, counted once",
    field="optimizer.decay",
    name="decayed-parameters",
    default="all",
    others={
        "weights": Reading(
            "tensors of two dimensions or more", everywhere(optimizer__decay="weights")
        )
    },
    source="not stated",
)
CROPS = Choice(
    "padding, and the hole of cutout",
    "reflected; 16 pixels on both data sets, a place for each image, filled with the mean",
    f"{GNP}, but for one place a batch, which looks like a slip; the text says 'conventional"
    " four-pixel extra padding'",
    field="data.augmentation",
    name="crops",
    default="reflected_16",
    others={
        "zero_padded": _crops("padding with zeros", ZERO_PADDED),
        "cutout_8": _crops("on Cifar100 a hole of 8, as cutout's own paper has", BASIC, size=8),
        "plain": _crops("padding with zeros, and a hole of 8 on Cifar100", ZERO_PADDED, size=8),
        "gnp": _crops("one place of the hole for a whole batch", BASIC, {"shared": True}),
    },
    source="section 4",
)
PADDING = Choice(
    "padding",
    "reflected",
    GNP,
    field="data.augmentation",
    name="padding",
    default="reflected",
    others={"zero": CROPS.others["zero_padded"]},
    source="section 4: 'conventional four-pixel extra padding'",
)
OF_ALL = (NESTEROV, CLIPPING, DECAY)
