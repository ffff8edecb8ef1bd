"""What InfoMCR's paper says of its numbers: sentences and the predicates that judge them."""

from __future__ import annotations

from search_spaces.claim import (
    AllBetter,
    AllWithin,
    ArgBest,
    Claim,
    Diverges,
    Equal,
    Every,
    FollowsBetter,
    Increasing,
    Place,
    Predicate,
    Property,
    Ratio,
    Some,
    Tau,
    Text,
    higher,
    lower,
)

ERROR, GAMMA = "test_error", "fisher_log_det"
TABLE1, TABLE3 = "infomcr/table1", "infomcr/table3"
PAIRS = (
    *(("CIFAR-10", model) for model in ("CNN", "WRN-28-2", "DenseNet-k12", "ResNet-20")),
    *(("CIFAR-100", model) for model in ("CNN", "WRN-28-2", "DenseNet-k12")),
)
NETWORKS = ("ResNet-20", "WRN-28-2", "DenseNet-k12")


def _of(column: str, reg: str, artifact: str = "", **entries: str) -> Place:
    return Place(column, {**entries, "reg": reg}, artifact)


ERRORS = tuple(
    lower(_of(ERROR, "yes", dataset=d, model=m), _of(ERROR, "no", dataset=d, model=m))
    for d, m in PAIRS
)
IMAGENET = tuple(lower(_of(c, "yes"), _of(c, "no"), c) for c in (ERROR, "test_error_top5"))
GAPS = tuple(
    lower(_of(c, "yes"), _of(c, "no"), c)
    for c in ("test_error-train_set/error", "test_error_top5-train_set/error_top5")
)
GAMMAS = tuple(
    lower(_of(GAMMA, "yes", TABLE3, model=m), _of(GAMMA, "no", TABLE3, model=m)) for m in NETWORKS
)
WITH_ERRORS = tuple(
    lower(
        _of(ERROR, "yes", TABLE1, dataset="CIFAR-10", model=m),
        _of(ERROR, "no", TABLE1, dataset="CIFAR-10", model=m),
    )
    for m in NETWORKS
)

# -- Figures 2 to 4: do metrics follow the test error? -------------------------------------------

LOG_DET, FROBENIUS, RADIUS = (
    f"fisher_spectrum/{part}" for part in ("log_det", "frobenius_squared", "spectral_radius")
)
ROBUSTNESS = "robustness"


def _row(column: str, label: str, entries: tuple[str, ...]) -> tuple[Place, ...]:
    return tuple(Place(column, {label: entry}) for entry in entries)


def _confusion(column: str) -> tuple[Place, ...]:
    return _row(column, "confusion", ("0", "1000", "2000", "3000", "4000", "5000"))


def _scheme(column: str) -> tuple[Place, ...]:
    return _row(column, "augmentation", ("no-aug", "flip-only", "1-crop-f", "4-crop-f"))


def _batch(column: str) -> tuple[Place, ...]:
    return _row(column, "batch size", ("128", "256", "512", "1024"))


FOLLOWED = (LOG_DET, FROBENIUS, RADIUS)
CONFUSED = _confusion(ERROR)
FOLLOW_CONFUSION: tuple[Predicate, ...] = (
    *(Tau(_confusion(metric), CONFUSED, at_least=0.86) for metric in FOLLOWED),
    AllBetter(tuple(higher(_confusion(m)[-1], _confusion(m)[0], m) for m in FOLLOWED)),
)
FOLLOW_SCHEMES: tuple[Predicate, ...] = (
    Tau(_scheme(LOG_DET), _scheme(ERROR), at_least=1.0, fails_at_most=0.34),
    AllBetter((lower(_scheme(ERROR)[-1], _scheme(ERROR)[0]),)),
)
FAIL_ON_SCHEMES = tuple(
    Tau(_scheme(metric), _scheme(ERROR), at_most=0.0, fails_at_least=1.0)
    for metric in (FROBENIUS, RADIUS, ROBUSTNESS)
)
FOLLOW_BATCHES = (
    *(Tau(_batch(m), _batch(ERROR), at_least=1.0, fails_at_most=0.34) for m in FOLLOWED),
    Tau(_batch(ROBUSTNESS), _batch(ERROR), at_most=0.34, fails_at_least=1.0),
)


def _in(figure: str, places: tuple[Place, ...]) -> tuple[Place, ...]:
    return tuple(Place(p.column, p.key, f"infomcr/{figure}") for p in places)


SCENARIOS = (("figure2", _confusion), ("figure3", _scheme), ("figure4", _batch))
OUTPERFORMS = FollowsBetter(
    tuple(
        tuple(_in(figure, row(m)) for m in (ERROR, LOG_DET, FROBENIUS, RADIUS, ROBUSTNESS))
        for figure, row in SCENARIOS
    )
)
FITTED = AllWithin(
    tuple(place for figure, row in SCENARIOS for place in _in(figure, row("train_error"))),
    limit=0.1,  # per cent: a training accuracy of 0.999
)
ON_10 = [(m, gain) for (d, m), gain in zip(PAIRS, ERRORS, strict=True) if d == "CIFAR-10"]
BY_SIZE = Tau(
    tuple(_of("parameters", "no", dataset="CIFAR-10", model=m) for m, _ in ON_10),
    tuple(gain for _, gain in ON_10),
    at_least=0.66,
)

# -- sections 6, 7.2 and 7.2.1 -------------------------------------------------------------------

STEP = "step_seconds"


def _phases(column: str, mask: str) -> Place:
    return Place(column, {"phases": mask})


MASKS = tuple(_phases(ERROR, mask) for mask in ("011", "000", "111", "001", "100", "010"))
EARLY_ERRORS = Some(
    (
        Diverges((_phases(ERROR, "111"), _phases(ERROR, "100"))),
        AllBetter((higher(_phases(ERROR, "111"), _phases(ERROR, "011")),)),
    )
)
FASTER = lower(_phases("training_seconds", "011"), _phases("training_seconds", "111"))


def _at(alpha: str, splits: str) -> Place:
    return Place(ERROR, {"reg": "yes", "alpha": alpha, "M": splits})


CHOSEN = _at("0.0001", "8")
OTHERS = (*(_at(a, "8") for a in ("1e-05", "0.001")), *(_at("0.0001", m) for m in "24"))
ROBUST = Equal(
    tuple(lower(other, CHOSEN) for other in (*OTHERS, _at("0.0001", "16"))),
    (lower(CHOSEN, Place(ERROR, {"reg": "no"})),),
    pooled=False,
)
ALIKE = "sub_batch_gradients"
GRADIENTS = tuple(
    direction(_of(f"{ALIKE}/{part}", "yes", model=m), _of(f"{ALIKE}/{part}", "no", model=m))
    for m in ("CNN", *NETWORKS)
    for part, direction in (("cosine", higher), ("norm_variation", lower))
)

CLAIMS = (
    Claim(
        "infomcr-01",
        "trend",
        "A larger confusion set gives a higher test error",
        ("infomcr/figure2",),
        Every((Increasing(CONFUSED, 4), AllBetter((lower(CONFUSED[0], CONFUSED[-1]),)))),
    ),
    Claim(
        "infomcr-02",
        "trend",
        "gamma-hat, the Frobenius norm and the spectral radius follow the test error in scenario I",
        ("infomcr/figure2",),
        Every(FOLLOW_CONFUSION),
    ),
    Claim(
        "infomcr-03",
        "trend",
        "The robustness metric fails in scenario I",
        ("infomcr/figure2",),
        Tau(_confusion(ROBUSTNESS), CONFUSED, at_most=0.34, fails_at_least=0.86),
    ),
    Claim(
        "infomcr-04",
        "trend",
        "In scenario II (augmentation) gamma-hat follows the test error",
        ("infomcr/figure3",),
        Every(FOLLOW_SCHEMES),
    ),
    Claim(
        "infomcr-05",
        "trend",
        "All other metrics completely fail in scenario II",
        ("infomcr/figure3",),
        Every(FAIL_ON_SCHEMES),
    ),
    Claim(
        "infomcr-06",
        "trend",
        "Larger batches give a higher test error",
        ("infomcr/figure4",),
        Every(
            (AllBetter((lower(_batch(ERROR)[0], _batch(ERROR)[-1]),)), Increasing(_batch(ERROR), 3))
        ),
    ),
    Claim(
        "infomcr-07",
        "trend",
        "Every metric but robustness captures the batch-size trend",
        ("infomcr/figure4",),
        Every(FOLLOW_BATCHES),
    ),
    Claim(
        "infomcr-08",
        "trend",
        "gamma-hat consistently outperforms the other metrics",
        ("infomcr/figure2", "infomcr/figure3", "infomcr/figure4"),
        OUTPERFORMS,
    ),
    Claim(
        "infomcr-09",
        "count",
        "Precondition: within a scenario all models have training accuracy about 1 and a very "
        "small, similar training loss",
        ("infomcr/figure2", "infomcr/figure3", "infomcr/figure4"),
        FITTED,
    ),
    Claim(
        "infomcr-10",
        "other",
        "Metric and regularizer work similarly with label smoothing",
        needs="doubles figures 2-4 and Table 1",
    ),
    Claim(
        "infomcr-11",
        "better",
        "The regularizer lowers the test error of every network on every data set it is run on",
        ("infomcr/table1",),
        AllBetter(ERRORS),
    ),
    Claim(
        "infomcr-12",
        "trend",
        "A model with more parameters admits more space for regularization",
        ("infomcr/table1",),
        BY_SIZE,
        source="caption",
    ),
    Claim(
        "infomcr-13",
        "better",
        "ResNet-20 is too limited for CIFAR-100 and converges poorly",
        needs="5 trials",
        source="caption",
    ),
    Claim(
        "infomcr-14",
        "better",
        "On 128x128 ImageNet the regularizer lowers top-1 and top-5 validation error",
        ("infomcr/table2",),
        AllBetter(IMAGENET),
    ),
    Claim(
        "infomcr-15",
        "better",
        "It lowers the generalization gap",
        ("infomcr/table2",),
        AllBetter(GAPS),
    ),
    Claim(
        "infomcr-16",
        "text",
        "The training error with the regularizer is printed as the better one although it is "
        "higher",
        ("infomcr/table2",),
        Text(),
        source="caption",
    ),
    Claim(
        "infomcr-17",
        "better",
        "Minima found with the regularizer have a lower gamma-hat (ResNet-20, WRN-28-2, "
        "DenseNet-k12)",
        ("infomcr/table3",),
        AllBetter(GAMMAS),
    ),
    Claim(
        "infomcr-18",
        "trend",
        "The generalization gain goes with a lower gamma-hat (ResNet-20, WRN-28-2, DenseNet-k12"
        " on CIFAR-10)",
        (
            "infomcr/table1",
            "infomcr/table3",
        ),
        AllBetter(GAMMAS + WITH_ERRORS),
    ),
    Claim(
        "infomcr-19",
        "property",
        "The scaling of the softmax outputs makes gamma-hat comparable between models without "
        "changing what they do",
        (
            "infomcr/table1",
            "infomcr/table3",
        ),
        Property("test_logits_of_another_norm_predict_the_same"),
    ),
    Claim(
        "infomcr-20",
        "cost",
        "A regularized step takes about 1.5 times a plain step",
        ("infomcr/claim_time",),
        Ratio(_of(STEP, "yes"), _of(STEP, "no"), printed=1.5, within=0.25),
    ),
    Claim(
        "infomcr-21",
        "argbest",
        "The regularizer works best in the middle and late stages",
        ("infomcr/claim_stage_ablation",),
        ArgBest(MASKS, 0, lower=True),
    ),
    Claim(
        "infomcr-22",
        "count",
        "At the beginning the regularizer can cause great numerical errors",
        ("infomcr/claim_stage_ablation",),
        EARLY_ERRORS,
    ),
    Claim(
        "infomcr-23",
        "cost",
        "Applying it late only speeds training up by a large margin",
        ("infomcr/claim_stage_ablation",),
        AllBetter((FASTER,), log=True),
    ),
    Claim(
        "infomcr-24",
        "equal",
        "alpha and M are quite robust",
        ("infomcr/claim_alpha_m",),
        ROBUST,
    ),
    Claim(
        "infomcr-25",
        "better",
        "Penalty reduces the variance of the magnitude and raises the cosine similarity of sub-"
        "batch gradients",
        ("infomcr/claim_gradients",),
        AllBetter(GRADIENTS),
    ),
    Claim(
        "infomcr-26",
        "better",
        "A dynamic schedule of beta gives even more",
        needs="2 arms x 5",
    ),
    Claim(
        "infomcr-27",
        "trend",
        "gamma-hat captures generalizability even with a small N', if T is large",
        needs="the trials of figure2 and figure3 with kept weights",
    ),
)
