"""What NSO's paper leaves open, or its authors' code does otherwise: the choices of its artifacts.

"Appendix C" and sections are the paper's (arXiv 2306.08553 v4), of which our text has lost the
inline mathematics; files are the authors' (github.com/VirtuosoResearch/
Noise-stability-optimization), below exps_on_image_datasets unless they say otherwise; "early
scripts" are older versions of that repository.
"""

from __future__ import annotations

from collections.abc import Iterable

from search_spaces.nso.choices.data import AIRCRAFT, CALTECH, DATA_CHOICES, RETINA
from search_spaces.nso.choices.grids import GRID_CHOICES
from search_spaces.nso.choices.methods import METHOD_CHOICES
from search_spaces.nso.choices.training import (
    AUGMENTATION,
    LR_DROP,
    ROWS_DIFFER,
    WEIGHTS,
    Own,
    optimizer,
    settings,
)
from search_spaces.nso.protocol import DATASETS, FIGURE_RUNS, RUNS
from search_spaces.spec import Choice, Reading


def choices(
    *methods: str,
    datasets: Iterable[str] = DATASETS,
    runs: int = RUNS,
    tuned: bool = True,
    own: tuple[Own, ...] = (({}, ()),),
    own_augmentation: bool = False,
) -> tuple[Choice, ...]:
    """The readings that concern a table of these methods and data sets.

    Args:
        tuned: Whether the methods' own grids are searched.
        own: Which of the common settings cells fix themselves.
        own_augmentation: Whether rows differ in their augmentation.
    """
    rules = (*GRID_CHOICES, *METHOD_CHOICES) if tuned else METHOD_CHOICES
    of_data = {"Aircraft": AIRCRAFT, "Caltech-256": CALTECH, "Retina": RETINA}
    return (
        settings(own),  # before the optimizer, which has a weight decay of its own
        optimizer(own),
        LR_DROP,
        ROWS_DIFFER if own_augmentation else AUGMENTATION,
        *DATA_CHOICES,
        WEIGHTS,
        *(choice for concerned, choice in rules if concerned & {*methods}),
        *(choice for dataset, choice in of_data.items() if dataset in {*datasets}),
        number_of_runs(runs),
    )


def number_of_runs(runs: int) -> Choice:
    """How many seeds each row has."""
    if runs == FIGURE_RUNS:
        return Choice(
            "number of runs",
            str(runs),
            "not stated for this one, which has one line each; three have a spread, by which what"
            " is said of it can be judged",
            name="figure-runs",
            default=str(runs),
            others={"1": Reading("1", seeds=1)},
            source="section 2.1, of Table 2 alone",
        )
    return Choice(
        "number of runs",
        str(runs),
        "the only number printed (section 2.1, of Table 2); the scripts have 1 to 3, by default 3",
        name="runs",
        default=str(runs),
        others={"3": Reading("3", seeds=3)},
        source="section 2.1; train_label_noise.py",
        text=str(runs),
        code="3",
    )


SAME_SIGMA = Choice(
    "sigma",
    "NSO's with k = 1, for every row",
    "not stated",
    "method.sigma",
    name="shared-sigma",
    default="shared",
    source="section 3.1.2, which does not say",
    single="a search for every row would compare rows of several sigmas, and is another artifact",
)


SAME_RUNS = Choice(
    "SGD and NSO in Tables 2 and 3",
    "the same runs",
    "different numbers are printed (SGD on Indoor: 76.0 and 76.7), and no reason",
    name="same-runs",
    default="shared",
    single="no second protocol is described",
    source="Tables 2 and 3",
)
