"""The comparisons and settings that `search_spaces.nso.claims` judges NSO's sentences by."""

from __future__ import annotations

from dataclasses import replace

from search_spaces.claim import (
    AllBetter,
    AllWithin,
    Approximates,
    ArgBest,
    BestMean,
    Contrast,
    Equal,
    Every,
    Place,
    Ratio,
    Tau,
    Throughout,
    higher,
    lower,
    mean_of,
)
from search_spaces.nso.ablations import CHOSEN, RIVALS, SCHEDULE_DATASETS, SCHEDULES
from search_spaces.nso.bound import BOUND
from search_spaces.nso.bound import GAP as BOUND_GAP
from search_spaces.nso.bound import METHODS as BOUND_METHODS
from search_spaces.nso.choices.tasks import CAPTIONS, THOUGHTS
from search_spaces.nso.figure2 import FIGURE2, FIGURE2_BERT, FIGURE2_GCN, GAP_ERROR
from search_spaces.nso.figures import FIGURE3_DATASETS, GAP, TEST_LOSS
from search_spaces.nso.protocol import ACCURACY, DATASETS, GRADIENTS, LAMBDA1, TRACE
from search_spaces.nso.sensing import INITIAL
from search_spaces.nso.table2 import DATASETS2, DISTRIBUTIONS
from search_spaces.spec import Artifact

TABLE3, TABLE6 = "nso/table3", "nso/table6"


def _of(method: str, column: str = ACCURACY.key, **entries: str) -> Place:
    return Place(column, {"method": method, **entries})


# -- Table 2: noise ------------------------------------------------------------------------------


def _noisy(method: str, dataset: str, noise: str) -> Place:
    return _of(method, noise=noise, dataset=dataset)


WP_GAIN = tuple(higher(_noisy("WP-SGD", d, "Gaussian"), _of("SGD", dataset=d)) for d in DATASETS2)
WITHIN = Equal(
    tuple(
        higher(_noisy("WP-SGD", d, noise), _of("SGD", dataset=d))
        for noise in ("Gaussian", "Laplace", "Uniform")
        for d in DATASETS2
    ),
    margin=0.5,
    pooled=False,
    of_means=True,
)
AS_GAUSSIAN = tuple(
    higher(_noisy("WP-SGD", d, noise), _noisy("WP-SGD", d, "Gaussian"))
    for noise in ("Laplace", "Uniform")
    for d in DATASETS2
)
BINOMIAL = tuple(
    lower(_noisy("WP-SGD", d, "Binomial"), _noisy("WP-SGD", d, "Gaussian")) for d in DATASETS2
)
OVER_WP = tuple(
    higher(_noisy("NSO", d, noise), _noisy("WP-SGD", d, noise))
    for noise in DISTRIBUTIONS
    for d in DATASETS2
)
OVER_SGD = tuple(higher(_noisy("NSO", d, "Gaussian"), _of("SGD", dataset=d)) for d in DATASETS2)

# -- Figure 2 ------------------------------------------------------------------------------------


def _predicted(figure: Artifact) -> Approximates:
    (cell,) = figure.experiment.cells
    measured, by, error = (
        Place(column, cell.key, figure.id)
        for column in ("perturbation_gap", "perturbation_gap@/hessian", GAP_ERROR)
    )
    return Approximates(measured, by, error, within=0.03)


TAYLOR = Every(tuple(map(_predicted, (FIGURE2, FIGURE2_BERT, FIGURE2_GCN))))

# -- Tables 3, 4 and 6 ---------------------------------------------------------------------------

IN_TABLE3 = ("SGD", "SAM", "USAM", "ASAM", "NSO")
OTHERS = ("SGD", "LS", *RIVALS)


def _in_tables(column: str, method: str, dataset: str) -> Place:
    table = TABLE3 if method in IN_TABLE3 else TABLE6
    return Place(column, {"method": method, "dataset": dataset}, table)


def _accuracy(method: str, dataset: str) -> Place:
    return _in_tables(ACCURACY.key, method, dataset)


def below_four(column: str) -> tuple[tuple[Place, ...], ...]:
    """NSO and those that its average reductions are relative to, on every data set."""
    return tuple(
        tuple(_of(m, column, dataset=d) for m in ("NSO", "SGD", "SAM", "USAM", "ASAM"))
        for d in DATASETS
    )


LOWEST_TRACE = tuple(
    lower(_in_tables(TRACE.key, "NSO", d), _in_tables(TRACE.key, m, d))
    for d in DATASETS
    for m in OTHERS
)
LOWEST_LAMBDA1 = tuple(
    lower(_of("NSO", LAMBDA1.key, dataset=d), _of(m, LAMBDA1.key, dataset=d))
    for d in DATASETS
    for m in OTHERS
)
IN_TABLE6 = tuple(
    direction(_of("NSO", column, dataset=d), _of(m, column, dataset=d))
    for column, direction in ((TRACE.key, lower), (ACCURACY.key, higher))
    for d in DATASETS
    for m in ("LS", "RSAM", "BSAM")
)
TWICE = Every(
    tuple(
        Ratio(_in_tables(GRADIENTS.key, m, d), _in_tables(GRADIENTS.key, "SGD", d), 2.0, within=0.0)
        for d in DATASETS
        for m in ("NSO", *RIVALS)
    )
)

OVER_SHARPNESS = tuple(
    higher(_accuracy("NSO", d), _accuracy(rival, d)) for d in DATASETS for rival in RIVALS
)
OVER_ALL = OVER_SHARPNESS + tuple(
    higher(_accuracy("NSO", d), _accuracy(rival, d)) for d in DATASETS for rival in ("SGD", "LS")
)


def _radius(method: str, rho: str) -> Place:
    return _of(method, "validation_error", rho=rho)


SMALLER = tuple(
    lower(_radius(m, rho), _radius(m, "0.02"))
    for m in ("SAM", "USAM")
    for rho in ("0.001", "0.002", "0.005", "0.01")
)
LARGER = tuple(lower(_radius(m, "0.05"), _radius(m, "0.02")) for m in ("SAM", "USAM"))
RADII = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


def _traces(method: str) -> tuple[Place, ...]:
    return tuple(_of(method, TRACE.key, rho=str(rho)) for rho in RADII)


FALLING = Every(
    (
        *(Tau(RADII, _traces(m), at_most=-0.86) for m in ("SAM", "USAM")),
        AllBetter(
            tuple(
                lower(_traces(m)[-1], _traces(m)[0], f"{m}: 0.05, 0.001") for m in ("SAM", "USAM")
            ),
            log=True,
        ),
    )
)

# -- Table 5 -------------------------------------------------------------------------------------


def _task(column: str, task: str, method: str) -> Place:
    return Place(column, {"task": task, "method": method})


def captions(column: str) -> tuple[Contrast, ...]:
    """NSO against SAM and against SGD on image captions: a lower trace, a higher recall."""
    direction = lower if column == TRACE.key else higher
    own = _task(column, CAPTIONS, "NSO")
    return tuple(direction(own, own.at(method=m)) for m in ("SAM", "SGD"))


def thoughts(column: str) -> tuple[Contrast, ...]:
    """The same on chains of thought, of both tasks on average: a lower trace, more accurate."""
    direction = lower if column == TRACE.key else higher
    return tuple(
        mean_of(
            [direction(_task(column, t, "NSO"), _task(column, t, m)) for t in THOUGHTS],
            f"NSO, {m}",
        )
        for m in ("SAM", "SGD")
    )


# -- Figures 3, 4 and 5 --------------------------------------------------------------------------

TRACES = tuple(
    lower(_of(one, TRACE.key, dataset=d), _of(other, TRACE.key, dataset=d))
    for d in FIGURE3_DATASETS
    for one, other in (("NSO", "WP-SGD"), ("WP-SGD", "SGD"))
)
BELOW_WP = tuple(
    (_of("NSO", TRACE.key, dataset=d), _of("WP-SGD", TRACE.key, dataset=d))
    for d in FIGURE3_DATASETS
)
FIRST_TRACES = tuple(
    lower(replace(curve, point="last"), replace(curve, point="first"), f"{d}: last, first")
    for d in FIGURE3_DATASETS
    for curve in (_of("SGD", TRACE.key, dataset=d),)
)


def _during(column: str, dataset: str, *rivals: str) -> tuple[Contrast, ...]:
    own = _of("NSO", column, dataset=dataset)
    return tuple(lower(own, _of(rival, column, dataset=dataset)) for rival in rivals)


CONSISTENTLY = Every(
    (
        Throughout(
            tuple(
                _during(column, d, "SGD", "WP-SGD")
                for d in FIGURE3_DATASETS
                for column in (GAP.key, TEST_LOSS.key)
            )
        ),
        AllBetter(
            tuple(
                contrast
                for column in (GAP.key, TEST_LOSS.key)
                for d in FIGURE3_DATASETS
                for contrast in _during(column, d, "SGD", "WP-SGD")
            )
        ),
    )
)
ALL_ALONG = Throughout(
    tuple(_during(column, d, "WP-SGD") for d in FIGURE3_DATASETS for column in (TRACE.key, GAP.key))
)
POINTS = (
    *(("learning rate", rate) for rate in ("0.001", "0.002", "0.005")),
    *(("epochs", count) for count in ("20", "40", "60")),
)
LOSSES = tuple(
    lower(
        _of("NSO", TEST_LOSS.key, varied=v, value=x),
        _of("WP-SGD", TEST_LOSS.key, varied=v, value=x),
    )
    for v, x in POINTS
)
BATCHES = ("32", "8", "16", "64")


def _batch(method: str, dataset: str, size: str, column: str = ACCURACY.key) -> Place:
    return Place(column, {"method": method, "dataset": dataset, "batch size": size})


def sizes(method: str, dataset: str) -> tuple[Place, ...]:
    """The accuracy at every batch size, 32 first."""
    return tuple(_batch(method, dataset, size) for size in BATCHES)


FLATTER = tuple(
    lower(_batch("NSO", d, size, TRACE.key), _batch("SAM", d, size, TRACE.key))
    for d in ("Indoor", "Aircraft")
    for size in BATCHES
)
BEST_BATCH = tuple(ArgBest(sizes("NSO", d), 0, lower=False) for d in ("Indoor", "Aircraft"))


def added(column: str) -> tuple[tuple[Place, ...], ...]:
    """NSO with an addition, and without: of both additions on every data set."""
    return tuple(
        (_of("NSO", column, dataset=d, added=what), _of("NSO", column, dataset=d, added="none"))
        for what in ("augmentation", "distance")
        for d in DATASETS
    )


# -- ablations and section 5 ---------------------------------------------------------------------


def _plain(method: str, dataset: str, column: str) -> Place:
    return _of(method, column, training="plain", dataset=dataset)


PLAIN_TRACES = tuple(tuple(_plain(m, d, TRACE.key) for m in ("NSO", *RIVALS)) for d in DATASETS)
PLAIN_GAINS = tuple(
    higher(_plain("NSO", d, ACCURACY.key), _plain(m, d, ACCURACY.key))
    for d in DATASETS
    for m in RIVALS
)
NEGATIVE = tuple(higher(_of("NSO", dataset=d), _of("WP-SGD", dataset=d)) for d in DATASETS)
MORE_DRAWS = BestMean(
    tuple(
        mean_of(
            [higher(_of("NSO", k=k, dataset=d), _of("NSO", k="1", dataset=d)) for d in DATASETS],
            f"k = {k}",
        )
        for k in ("2", "3")
    ),
    printed=1.2,
)


def _scheduled(schedule: str, dataset: str) -> Place:
    return Place(ACCURACY.key, {"schedule": schedule, "sigma": CHOSEN, "dataset": dataset})


NO_SCHEDULE = Every(
    tuple(
        Equal(
            tuple(higher(_scheduled(rising, d), _scheduled("none", d)) for d in SCHEDULE_DATASETS),
            margin=0.5,
            one_sided=True,
        )
        for rising in SCHEDULES
        if rising != "none"
    )
)


def _bounds(column: str) -> tuple[Place, ...]:
    return tuple(_of(m, column, dataset=d) for m in BOUND_METHODS for d in FIGURE3_DATASETS)


NON_VACUOUS = Every(
    (
        AllWithin(_bounds(BOUND.key), 10.0, over=_bounds(BOUND_GAP.key)),
        AllWithin(_bounds(BOUND_GAP.key), 1.0, over=_bounds(BOUND.key)),
    )
)
RATES = ("0.0025", "0.001")


def _sensing(method: str, rate: str, column: str) -> Place:
    return Place(column, {"method": method, "learning rate": rate})


def nearer(column: str, *pairs: tuple[str, str]) -> AllBetter:
    """The first of each pair is lower than the second, at both learning rates."""
    return AllBetter(
        tuple(
            lower(_sensing(one, rate, column), _sensing(other, rate, column))
            for rate in RATES
            for one, other in pairs
        ),
        log=True,
    )


VALIDATION, DISTANCE = "test_loss", "recovery_distance"
FITTED = tuple((method, rate) for method in ("GD", "WP-GD", "NSO") for rate in RATES)
NEAR_ZERO = AllWithin(
    tuple(_sensing(method, rate, "train_mse_curve") for method, rate in FITTED),
    1e-3,
    over=tuple(replace(_sensing("GD", rate, INITIAL.key), point="first") for _, rate in FITTED),
)
