"""The ablations that NSO's section 3.1 states without a table."""

from __future__ import annotations

from typing import Any

from search_spaces.choice import on
from search_spaces.nso.choices import SAME_SIGMA, choices
from search_spaces.nso.choices.measured import traces
from search_spaces.nso.choices.methods import clean_weight
from search_spaces.nso.protocol import (
    ACCURACY,
    BASE,
    COMMON,
    COMMON_ON,
    DATASETS,
    FIGURE_RUNS,
    GRIDS,
    METHODS,
    RUNS,
    SELECTION,
    TRACE,
    TRACE_MEASURE,
    cell,
    common,
    lowered,
    raised,
    sharing_sigma,
    stages,
)
from search_spaces.spec import (
    Artifact,
    Average,
    Cell,
    Choice,
    Experiment,
    Notes,
    Override,
    Reading,
    Stage,
    TableView,
)

ABLATION_NEGATIVE = Artifact(
    id="nso/ablation_negative",
    experiment=Experiment(
        base=BASE,
        cells=common(
            cell(method, dataset, method={**METHODS[method], "num_perturbations": draws})
            for method, draws in (("NSO", 1), ("WP-SGD", 2))
            for dataset in DATASETS
        ),
        stages=sharing_sigma({"method": "NSO"}, {"method": ("NSO", "WP-SGD")}),
        selection=SELECTION,
    ),
    view=TableView(
        rows=("method",),
        columns=("dataset",),
        metrics=(ACCURACY,),
        averages=(raised("WP-SGD", printed=3.6),),
    ),
    notes=Notes(
        title="Two-point noise (NSO, k = 1) against two independent draws (WP-SGD), equal"
        " gradients",
        choices=(*choices("NSO", "WP-SGD"), SAME_SIGMA, clean_weight("WP-SGD")),
        claims=(
            "the negative perturbation gains 3.6 % of test accuracy on average (section 3.1.2)",
        ),
    ),
)

ABLATION_K = Artifact(
    id="nso/ablation_k",
    experiment=Experiment(
        base=BASE,
        cells=common(
            cell(
                method,
                dataset,
                {"k": str(k)},
                method={**METHODS[method], "num_perturbations": draws},
            )
            for method, per_k in (("NSO", 1), ("WP-SGD", 2))
            for k, draws in ((k, per_k * k) for k in (1, 2, 3))
            for dataset in DATASETS
        ),
        stages=sharing_sigma({"method": "NSO", "k": "1"}, {"method": ("NSO", "WP-SGD")}),
        selection=SELECTION,
    ),
    view=TableView(
        rows=("method", "k"),
        columns=("dataset",),
        metrics=(ACCURACY,),
        averages=tuple(
            Average(
                f"NSO's test accuracy % with k = {k} above k = 1",
                ACCURACY.label,
                {"method": ("NSO",), "k": (k,)},
                {"k": ("1",)},
                "gain",
                printed=1.2,
            )
            for k in ("2", "3")
        ),
    ),
    notes=Notes(
        title="Number k of noise draws of NSO, and WP-SGD with as many gradients (2 k draws)",
        choices=(
            *choices("NSO", "WP-SGD"),
            SAME_SIGMA,
            clean_weight("WP-SGD"),
            Choice(
                "length of training with k draws",
                "equal epochs",
                "the text varies k alone; the scripts divide 30 epochs by k, for equal costs",
                "epochs",
                name="k-length",
                default="equal-epochs",
                others={
                    "equal-cost": Reading(
                        "30, 15 and 10 epochs with k = 1, 2 and 3",
                        tuple(Override({"k": str(k)}, {"epochs": 30 // k}) for k in (1, 2, 3)),
                    )
                },
                source="section 3.1.2; early scripts",
                text="equal-epochs",
                code="equal-cost",
            ),
            Choice(
                "values of k",
                "1, 2, 3",
                "code; the printed one is lost",
                name="k",
                default="code",
                single="rows that are there can be chosen by --where; others are another artifact",
                source="section 3.1.2 (lost); early scripts",
                code="code",
            ),
        ),
        claims=("more perturbations gain 1.2 % of test accuracy on average (section 3.1.2)",),
    ),
)

PLAIN: dict[str, Any] = {"optimizer.momentum": 0.0, "optimizer.weight_decay": 0.0}
RIVALS = ("SAM", "USAM", "ASAM", "RSAM", "BSAM")
PLAIN_METHODS = (*RIVALS, "NSO")


def _plain_stages() -> tuple[Stage, ...]:
    """Each method's own settings are those tuned with momentum and weight decay."""
    made = list(stages())
    for method in PLAIN_METHODS:
        grid = GRIDS[method]
        tuned, plain = ({"method": method, "training": label} for label in ("tuned", "plain"))
        made += [
            Stage(f"tune {method}", tuned, {}, grid, 1, "common", (), COMMON),
            Stage(
                f"final {method}",
                plain,
                seeds=RUNS,
                after=f"tune {method}",
                match=("method", "dataset"),
                inherit=(*(name for name in COMMON if name not in PLAIN), *grid),
            ),
        ]
    return tuple(made)


ABLATION_PLAIN = Artifact(
    id="nso/ablation_plain",
    experiment=Experiment(
        base=BASE,
        cells=common(
            made
            for method in PLAIN_METHODS
            for dataset in DATASETS
            for made in (
                cell(method, dataset, {"training": "plain"}, **PLAIN),
                cell(method, dataset, {"training": "tuned"}, hidden=True),
            )
        ),
        stages=_plain_stages(),
        selection=SELECTION,
        measures=(TRACE_MEASURE,),
    ),
    view=TableView(
        rows=("method",),
        columns=("dataset",),
        metrics=(TRACE, ACCURACY),
        metrics_down=True,
        averages=(lowered(TRACE, *RIVALS, printed=17.7), raised(*RIVALS)),
    ),
    notes=Notes(
        title="Without momentum and weight decay: five sharpness-reducing methods and NSO",
        choices=(
            *choices(
                *PLAIN_METHODS,
                own=(({"training": "plain"}, PLAIN), ({"training": "tuned"}, ()), (COMMON_ON, ())),
            ),
            *traces(),
            Choice(
                "'without using either momentum or weight decay'",
                "both are 0 in the runs shown; the grids are searched with them",
                "section 3.1.1 says no more; 'either ... or' may also mean one at a time",
                "optimizer.momentum",
                name="plain",
                default="neither",
                others={
                    "no-momentum": Reading(
                        "momentum alone is 0; weight decay is 1e-4",
                        on("training", ["plain"], optimizer__weight_decay=1e-4),
                    ),
                    "no-decay": Reading(
                        "weight decay alone is 0; momentum is 0.9",
                        on("training", ["plain"], optimizer__momentum=0.9),
                    ),
                },
                source="section 3.1.1",
            ),
            Choice(
                "the 'five sharpness-reducing methods'",
                "with BSAM",
                "section 3.1 names four",
                name="five-methods",
                default="with-bsam",
                single="label smoothing, the other rival of Table 6, is not after sharpness",
                source="section 3.1; Table 6",
            ),
            Choice(
                "radii and sigma",
                "those tuned with momentum and weight decay",
                "not stated",
                name="plain-strengths",
                default="tuned",
                single="a search without momentum is a second one of as many trainings",
                source="section 3.1.1",
            ),
        ),
        claims=(
            "NSO's trace is 17.7 % below the five methods' on average, its test accuracy up to 1.8"
            " % higher (section 3.1.1)",
        ),
    ),
)

SCHEDULE_SIGMAS = (0.01, 0.02, 0.03)
SCHEDULE_DATASETS = ("Aircraft", "Indoor")
SCHEDULES = ("none", "linear", "exp")
CHOSEN = "chosen"
"""In place of a sigma: that of the three which is best on validation images."""


def _scheduled(schedule: str, sigma: float | None, dataset: str) -> Cell:
    rule = {**METHODS["NSO"], "sigma_schedule": schedule}
    own = rule if sigma is None else {**rule, "sigma": sigma}
    entries = {"schedule": schedule, "sigma": CHOSEN if sigma is None else str(sigma)}
    return cell("NSO", dataset, entries, method=own)


ABLATION_SIGMA_SCHEDULE = Artifact(
    id="nso/ablation_sigma_schedule",
    experiment=Experiment(
        base=BASE,
        cells=common(
            _scheduled(schedule, sigma, dataset)
            for schedule in SCHEDULES
            for sigma in (*SCHEDULE_SIGMAS, None)
            for dataset in SCHEDULE_DATASETS
        ),
        stages=(
            *stages(),
            Stage(
                "final",
                {"method": "NSO", "sigma": tuple(map(str, SCHEDULE_SIGMAS))},
                seeds=FIGURE_RUNS,
                after="common",
                match=(),
                inherit=COMMON,
            ),
            Stage(
                CHOSEN,
                {"sigma": CHOSEN},
                grid={"method.sigma": SCHEDULE_SIGMAS},
                seeds=FIGURE_RUNS,
                after="common",
                match=(),
                inherit=COMMON,
            ),
        ),
        selection=SELECTION,
    ),
    view=TableView(
        rows=("schedule", "sigma"),
        columns=("dataset",),
        metrics=(ACCURACY,),
    ),
    notes=Notes(
        title="Remark 3.1: sigma constant, rising linearly, rising exponentially",
        choices=(
            *choices("NSO", datasets=SCHEDULE_DATASETS, runs=FIGURE_RUNS, tuned=False),
            Choice(
                "sigmas, data sets",
                "code's, and of each schedule the one that is best on validation images",
                "the remark prints none",
                name="sigmas",
                default="code",
                single="--where shows the rows that are wanted",
                source="early scripts",
                code="code",
            ),
            clean_weight("NSO"),
            Choice(
                "shape of the schedules",
                "rising from the first epoch to the last, from 0 or from 1e-5",
                "the remark, and the code; the early script that ran it let sigma fall",
                "method.sigma_schedule",
                name="sigma-schedule",
                default="rising",
                single="a falling one is contrary to the remark's words",
                source="Remark 3.1; train_label_noise.py, early scripts",
                text="rising",
                code="rising",
            ),
        ),
        claims=("neither schedule gains much over a constant sigma (Remark 3.1)",),
    ),
)

ABLATIONS = (ABLATION_NEGATIVE, ABLATION_K, ABLATION_PLAIN, ABLATION_SIGMA_SCHEDULE)
