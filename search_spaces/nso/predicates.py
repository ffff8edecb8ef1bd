"""The comparisons and settings that `search_spaces.nso.claims` judges NSO's sentences by."""

from __future__ import annotations

from search_spaces.claim import (
    AllBetter,
    ArgBest,
    Place,
    higher,
    lower,
)
from search_spaces.nso.ablations import RIVALS
from search_spaces.nso.figures import FIGURE3_DATASETS, TEST_LOSS
from search_spaces.nso.protocol import ACCURACY, DATASETS, TRACE
from search_spaces.nso.table2 import DATASETS2, DISTRIBUTIONS

TABLE3, TABLE6 = "nso/table3", "nso/table6"


def _of(method: str, column: str = ACCURACY.key, **entries: str) -> Place:
    return Place(column, {"method": method, **entries})


# -- Table 2: noise ------------------------------------------------------------------------------


def _noisy(method: str, dataset: str, noise: str) -> Place:
    return _of(method, noise=noise, dataset=dataset)


WP_GAIN = tuple(higher(_noisy("WP-SGD", d, "Gaussian"), _of("SGD", dataset=d)) for d in DATASETS2)
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

# -- Tables 3, 4 and 6 ---------------------------------------------------------------------------

IN_TABLE3 = ("SGD", "SAM", "USAM", "ASAM", "NSO")


def _accuracy(method: str, dataset: str) -> Place:
    table = TABLE3 if method in IN_TABLE3 else TABLE6
    return Place(ACCURACY.key, {"method": method, "dataset": dataset}, table)


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
