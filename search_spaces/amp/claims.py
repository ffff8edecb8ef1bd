"""What AMP's paper says of its numbers: sentences with the predicates by which they are judged."""

from __future__ import annotations

from search_spaces.amp.figures import RADII, RISES, SECONDS
from search_spaces.amp.protocol import DATASETS, ERROR, METHODS, NLL, PREACT, PYRAMID, VGG, WRN
from search_spaces.claim import (
    AllBetter,
    BestAmong,
    BetterIn,
    Claim,
    Contrast,
    Equal,
    Every,
    MeanRank,
    Place,
    Property,
    Ranked,
    Ratio,
    Tau,
    Text,
    Throughout,
    higher,
    lower,
)

# -- Table 1: places of a setting but for the method ---------------------------------------------

SMOOTHED = "Label Smoothing"  # whose printed NLL can only be the smoothed loss
ALL = ("AMP", *(name for name in METHODS if name != "AMP"))
RIVALS = ALL[1:]
EXCEPTION = (VGG, "CIFAR-10")
SETTINGS = {
    (model, dataset): Place("", {"model": model, "dataset": dataset})
    for model in (PREACT, VGG)
    for dataset in DATASETS
}


def _of(column: str, setting: Place, method: str) -> Place:
    return Place(column, {**setting.key, "method": method})


def _below(column: str, one: str, other: str) -> tuple[Contrast, ...]:
    """One method below another in every setting."""
    return tuple(lower(_of(column, s, one), _of(column, s, other)) for s in SETTINGS.values())


def _setting(column: str, setting: Place, first: str) -> tuple[Place, ...]:
    """All eight methods, one of them first."""
    names = (first, *(name for name in ALL if name != first))
    return tuple(_of(column, setting, name) for name in names)


def _first_of(column: str, method: str) -> tuple[tuple[Place, ...], ...]:
    return tuple(_setting(column, setting, method) for setting in SETTINGS.values())


def _competitive(column: str, method: str, at_most: int) -> Every:
    """Better than ERM in four settings of the six, and in four among the ``at_most`` best."""
    ranked = Ranked(_first_of(column, method), lower=True, at_most=at_most, in_at_least=4)
    return Every((BetterIn(_below(column, method, "ERM"), 4), ranked))


LOWEST_ERROR = tuple(
    lower(_of(ERROR.key, setting, "AMP"), _of(ERROR.key, setting, rival))
    for name, setting in SETTINGS.items()
    if name != EXCEPTION
    for rival in RIVALS
)
MIXUP_THERE = lower(
    _of(ERROR.key, SETTINGS[EXCEPTION], "MixUp"), _of(ERROR.key, SETTINGS[EXCEPTION], "AMP")
)
LOWEST_NLL = tuple(c for r in RIVALS if r != SMOOTHED for c in _below(NLL.key, "AMP", r))
BELOW_RMP = _below(ERROR.key, "AMP", "RMP") + _below(NLL.key, "AMP", "RMP")
NO_GAIN = tuple(
    Equal(_below(column, "RMP", "ERM"), _below(column, "AMP", "ERM"), one_sided=True, log=True)
    for column in (ERROR.key, NLL.key)
)
EIGHT = _first_of(ERROR.key, "AMP") + _first_of(NLL.key, "AMP")

# -- Table 2 -------------------------------------------------------------------------------------

STRENGTHS = ("Vanilla", "Cutout", "AutoAug")


def _at(model: str, dataset: str, augmentation: str, method: str) -> Place:
    entries = {"model": model, "dataset": dataset, "augmentation": augmentation}
    return Place(ERROR.key, {**entries, "method": method})


ON_TOP = tuple(
    lower(_at(model, dataset, strength, "AMP"), _at(model, dataset, strength, "ERM"))
    for model in (WRN, PYRAMID)
    for dataset in DATASETS
    for strength in STRENGTHS
)
STRONGER = tuple(
    lower(_at(model, dataset, strong, method), _at(model, dataset, weak, method))
    for model in (WRN, PYRAMID)
    for dataset in DATASETS
    for method in ("ERM", "AMP")
    for weak, strong in (STRENGTHS[:2], STRENGTHS[1:])
)

# -- Figure 7: calibration -----------------------------------------------------------------------


def _ece(dataset: str, method: str) -> Place:
    return Place("test_ece", {"dataset": dataset, "method": method})


FLOODING = tuple(
    lower(_ece("CIFAR-10", "Flooding"), _ece("CIFAR-10", m)) for m in ALL if m != "Flooding"
)
CALIBRATED = tuple(lower(_ece(dataset, "AMP"), _ece(dataset, "ERM")) for dataset in DATASETS)
SMOOTHING = tuple(lower(_ece(dataset, "ERM"), _ece(dataset, SMOOTHED)) for dataset in DATASETS)
EXCELLENT = tuple(tuple(_ece(dataset, method) for method in ALL) for dataset in DATASETS)

# -- Figure 8: radii -----------------------------------------------------------------------------


def _radius(column: str, radius: float, method: str = "AMP") -> Place:
    return Place(column, {"method": method, "epsilon": str(radius)})


TRAINING = tuple(_radius("train_nll_curve", radius) for radius in RADII)
TEST = tuple(_radius("test_nll", radius) for radius in RADII)
TINY, BEST, LARGE = (_radius("test_nll", radius) for radius in (0.001, 0.06, 0.14))
PLAIN = _radius("test_nll", 0.001, "ERM")

# -- Figures 2 and 6, and section 5.5 ------------------------------------------------------------


def _rise(column: str, point: float | None = None) -> Contrast:
    """How far AMP's loss rises above that at its minimum, below how far ERM's does."""
    one, other = (Place(column, {"method": method}, point=point) for method in ("AMP", "ERM"))
    split = column.partition("_")[0]
    return lower(one, other, split if point is None else f"{split} at {point:g}")


FLATTER = Every(
    (
        Throughout(tuple((_rise(metric.key),) for metric in RISES), without=(0.0,)),
        AllBetter(tuple(_rise(metric.key, at) for metric in RISES for at in (0.5, 1.0))),
    )
)
FARTHER = higher(
    Place("boundary_distance", {"method": "AMP"}), Place("boundary_distance", {"method": "ERM"})
)


def _steps(column: str, count: str) -> Place:
    return Place(column, {"method": "AMP", "N": count})


DEARER = tuple(
    lower(_steps(SECONDS.key, fewer), _steps(SECONDS.key, more), f"N = {fewer}, {more}")
    for fewer, more in (("1", "2"), ("2", "3"))
)
ONE_STEP = Equal(
    (lower(_steps(ERROR.key, "2"), _steps(ERROR.key, "1"), "N = 2, 1"),),
    (lower(_steps(ERROR.key, "1"), Place(ERROR.key, {"method": "ERM"}), "N = 1, ERM"),),
    margin=0.35,  # a third of the printed gain of Table 1, 1.05
    one_sided=True,
)

CLAIMS = (
    Claim(
        "amp-01",
        "better",
        "AMP has the lowest test error of the eight methods in every setting but CIFAR-10 with "
        "VGG16",
        ("amp/table1",),
        AllBetter(LOWEST_ERROR),
    ),
    Claim(
        "amp-02",
        "better",
        "The exception: on CIFAR-10 with VGG16 AMP is not the best (MixUp is)",
        ("amp/table1",),
        AllBetter((MIXUP_THERE,)),
    ),
    Claim(
        "amp-03",
        "better",
        "AMP has the lowest test NLL in every setting",
        ("amp/table1",),
        AllBetter(LOWEST_NLL, log=True),
    ),
    Claim(
        "amp-04",
        "count",
        "MixUp improves accuracy competitively",
        ("amp/table1",),
        _competitive(ERROR.key, "MixUp", 2),
    ),
    Claim(
        "amp-05",
        "count",
        "Flooding has a small NLL in many settings",
        ("amp/table1",),
        _competitive(NLL.key, "Flooding", 3),
    ),
    Claim(
        "amp-06",
        "better",
        "Random perturbation (RMP) does not reach AMP",
        ("amp/table1",),
        AllBetter(BELOW_RMP),
    ),
    Claim(
        "amp-07",
        "equal",
        "RMP is no better than ERM",
        ("amp/table1",),
        Every(NO_GAIN),
        source="implied",
    ),
    Claim(
        "amp-08",
        "count",
        "AMP is the best of the compared regularizers (state of the art among them)",
        ("amp/table1",),
        MeanRank(EIGHT, lower=True),
        source="implied",
    ),
    Claim(
        "amp-09",
        "better",
        "AMP improves on ERM on top of Vanilla, Cutout and AutoAugment, two larger networks, "
        "three data sets",
        ("amp/table2",),
        AllBetter(ON_TOP),
    ),
    Claim(
        "amp-10",
        "better",
        "Stronger augmentation is a stronger regularizer: error falls from Vanilla to Cutout to"
        " AutoAugment",
        ("amp/table2",),
        AllBetter(STRONGER),
        source="table or figure only",
    ),
    Claim(
        "amp-11",
        "better",
        "AMP improves calibration: its ECE is below ERM's on all three data sets",
        ("amp/figure7",),
        AllBetter(CALIBRATED),
    ),
    Claim(
        "amp-12",
        "count",
        "AMP is excellently calibrated on all three data sets",
        ("amp/figure7",),
        Ranked(EXCELLENT, lower=True, at_most=2),
    ),
    Claim(
        "amp-13",
        "better",
        "Flooding has the lowest ECE on CIFAR-10",
        ("amp/figure7",),
        AllBetter(FLOODING),
    ),
    Claim(
        "amp-14",
        "better",
        "Label smoothing degrades calibration",
        ("amp/figure7",),
        AllBetter(SMOOTHING),
    ),
    Claim(
        "amp-15",
        "trend",
        "The training loss at AMP's minimum grows with the radius",
        ("amp/figure8",),
        Every(
            (Tau(RADII, TRAINING, at_least=0.66), AllBetter((lower(TRAINING[0], TRAINING[-1]),)))
        ),
    ),
    Claim(
        "amp-16",
        "trend",
        "The test loss of AMP is least near epsilon = 0.06",
        ("amp/figure8",),
        BestAmong(TEST, (3, 4, 5), lower=True),
    ),
    Claim(
        "amp-17",
        "better",
        "There is a sweet spot: an interior radius beats both a tiny and a large one",
        ("amp/figure8",),
        AllBetter((lower(BEST, TINY), lower(BEST, LARGE))),
    ),
    Claim(
        "amp-18",
        "equal",
        "As epsilon goes to 0, AMP reduces to ERM",
        ("amp/figure8",),
        Equal((lower(TINY, PLAIN),), (lower(BEST, PLAIN),)),
    ),
    Claim(
        "amp-19",
        "cost",
        "AMP with N=1 takes about 1.8 times the time of ERM",
        ("amp/claim_cost",),
        Ratio(
            Place(SECONDS.key, {"method": "AMP"}),
            Place(SECONDS.key, {"method": "ERM"}),
            printed=1.8,
            within=0.3,
        ),
    ),
    Claim(
        "amp-20",
        "cost",
        "The cost grows markedly with N",
        ("amp/inner_steps",),
        AllBetter(DEARER, log=True),
    ),
    Claim(
        "amp-21",
        "equal",
        "N=1 suffices to regularize",
        ("amp/inner_steps",),
        ONE_STEP,
    ),
    Claim(
        "amp-22",
        "count",
        "AMP's minimum is flatter than ERM's, on training and on test data",
        ("amp/figure2",),
        FLATTER,
    ),
    Claim(
        "amp-23",
        "better",
        "AMP gives a smoother decision boundary that stays farther from the training points "
        "(two spirals)",
        ("amp/figure6",),
        AllBetter((FARTHER,)),
    ),
    Claim(
        "amp-24",
        "property",
        "With N=1 and small zeta a step of AMP is a gradient step on J + zeta ||grad J||^2",
        (),
        Property("test_on_a_quadratic_the_penalty_is_half_the_printed_one_exactly", shows="fails"),
    ),
    Claim(
        "amp-25",
        "text",
        "Tuning used 10 % of the training set as validation set (and the tuned values differ by"
        " network only)",
        ("amp/table1",),
        Text(),
    ),
    Claim(
        "amp-26",
        "better",
        "AMP is less confident than ERM on wrongly classified examples",
        needs="6 cells of figure7, predictions kept or one more measure",
    ),
    Claim(
        "amp-27",
        "property",
        "On an inverted Gaussian the AMP loss is least at the centre, with the value C - A "
        "exp(-eps^2 / (2 s^2)), s^2 the least eigenvalue of kappa",
        (),
        Property(
            "test_on_an_inverted_gaussian_the_worst_of_a_ball_is_least_at_the_centre",
            shows="holds",
        ),
    ),
)
