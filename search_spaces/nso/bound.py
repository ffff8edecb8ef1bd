"""NSO's Theorem 2.1 beside the gap that it bounds (Remark 2.2)."""

from __future__ import annotations

from search_spaces.nso.choices import choices
from search_spaces.nso.figures import FIGURE3_DATASETS
from search_spaces.nso.protocol import BASE, SELECTION, cell, common, stages
from search_spaces.spec import (
    Artifact,
    Choice,
    Experiment,
    Measure,
    Metric,
    Notes,
    Reading,
    TableView,
)

METHODS = ("SGD", "WP-SGD", "NSO")
IMAGES = 63 * 16
"""As many as the code's traces are of."""

GAP = Metric("test_nll", "test loss - training loss", digits=3, minus="train_nll")
BOUND = Metric("pac_bayes_bound", "bound", digits=3)
DISTANCE = Metric("pac_bayes_bound/distance", "distance", better="neither", digits=3)
LARGEST = Metric("pac_bayes_bound/largest_loss", "largest loss", better="neither", digits=3)

BOUND_CHOICES = (
    Choice(
        "formula of the bound",
        "the square root of C a r^2 / (2 n), without terms of higher order",
        "equation 6 is lost; this is what its proof's steps give. The code prints C times the"
        " square root of a r^2 / n",
        name="bound",
        default="proof",
        others={
            "code": Reading(
                "C times the square root of a r^2 / n, as the code prints it",
                metrics={BOUND.key: {"name": "pac_bayes_bound/code"}},
            )
        },
        source="Theorem 2.1, Appendix A.1; compute_noise_stability.py of exps_on_graph_datasets",
        text="proof",
        code="code",
    ),
    Choice(
        "what is put into the bound",
        "a: the trace at the final weights; C: the largest loss of an image; both of 1,008 training"
        " images; r: the distance from the start",
        "the theorem takes the largest over a space of weights and over unseen data, which cannot"
        " be measured; the code takes the largest over batches",
        name="bound-of",
        default="final-weights",
        single="the largest over any further set of weights would need one to be named",
        source="Theorem 2.1",
    ),
    Choice(
        "parameters of the bound",
        "weight matrices",
        "the noise of the text is in weight matrices",
        "measure.parameters",
        name="bound-parameters",
        default="matrices",
        others={
            "all": Reading("all parameters", measures={"pac_bayes_bound": {"parameters": "all"}})
        },
        source="section 2.3",
        text="matrices",
        code="matrices",
    ),
)

BOUND_TABLE = Artifact(
    id="nso/bound",
    experiment=Experiment(
        base=BASE,
        cells=common(cell(method, dataset) for method in METHODS for dataset in FIGURE3_DATASETS),
        stages=stages(*METHODS),
        selection=SELECTION,
        measures=(Measure("pac_bayes_bound", samples=IMAGES),),
    ),
    view=TableView(
        rows=("method",),
        columns=("dataset",),
        metrics=(GAP, BOUND, DISTANCE, LARGEST),
        metrics_down=True,
    ),
    notes=Notes(
        title="The PAC-Bayes bound of Theorem 2.1 beside the generalization gap",
        choices=(*choices(*METHODS, datasets=FIGURE3_DATASETS), *BOUND_CHOICES),
        claims=("the bound is of the scale of the gaps that are observed (Remark 2.2)",),
        changes=("the paper prints no numbers of it",),
    ),
)
