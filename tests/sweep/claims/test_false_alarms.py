"""How often each procedure is wrong, and how often it finds what is there, by simulation.

``DRAWS`` records of cells whose truth is known, ten times as many behind ``slow``; of the
procedures that resample each record a twentieth as many. A rate may be above its level by four
standard errors of a share of so many (a false alarm of these tests in one of 30,000 runs each), and
a power that is known to two digits off by half of the last one more.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from search_spaces.claim import (
    AllBetter,
    ArgBest,
    BetterIn,
    Contrast,
    Equal,
    Increasing,
    MeanDifference,
    Predicate,
    Ranked,
    Reduction,
    Tau,
    UpTo,
)
from sweep.claims import criteria
from tests.sweep.claims import simulated
from tests.sweep.claims.cases import verdict
from tests.sweep.claims.simulated import Records, against_first, cell, pairs

DRAWS = 20_000
SIZES = [DRAWS, pytest.param(10 * DRAWS, marks=pytest.mark.slow)]
sizes = pytest.mark.parametrize("draws", SIZES)
resampling_sizes = pytest.mark.parametrize(
    "draws", [DRAWS // 20, pytest.param(DRAWS // 2, marks=pytest.mark.slow)]
)


def rates(verdicts: np.ndarray) -> dict[str, float]:
    words, counts = np.unique(verdicts, return_counts=True)
    of = dict(zip(words.tolist(), (counts / len(verdicts)).tolist(), strict=True))
    return {word: of.get(word, 0.0) for word in ("holds", "weak", "fails", "undecided")}


def error(share: float, draws: int) -> float:
    return 4 * math.sqrt(share * (1 - share) / draws)


def allowed(level: float, draws: int) -> float:
    return level + error(level, draws)


def known(power: float, draws: int) -> object:
    """A power that is stated to two digits."""
    return pytest.approx(power, abs=error(power, draws) + 0.005)


# -- what is simulated is what judges ------------------------------------------------------------


def family(weights: np.ndarray) -> tuple[Contrast, ...]:
    return tuple(
        Contrast(tuple((float(w), cell(i)) for i, w in enumerate(row) if w), f"{k}")
        for k, row in enumerate(weights)
    )


ROW = tuple(cell(i) for i in range(4))
THREE = family(pairs(3))


def increasing(means: np.ndarray) -> np.ndarray:
    found: np.ndarray = (np.diff(means, axis=-1) > 0).all(axis=-1)
    return found


def first_of_four(means: np.ndarray) -> np.ndarray:
    found: np.ndarray = means[..., 0] == means.max(axis=-1)
    return found


def steep(means: np.ndarray) -> np.ndarray:
    found: np.ndarray = criteria.tau(means, np.arange(means.shape[-1])) >= 0.66
    return found


PROCEDURES: dict[str, tuple[Predicate, Callable[[Records], np.ndarray], int]] = {
    "ALL-BETTER": (AllBetter(THREE), lambda r: simulated.all_better(r, pairs(3)), 6),
    "EQUAL": (Equal(THREE, margin=1.0), lambda r: simulated.equal(r, pairs(3), 1.0, False), 6),
    "EQUAL, one-sided": (
        Equal(THREE, margin=1.0, one_sided=True),
        lambda r: simulated.equal(r, pairs(3), 1.0, True),
        6,
    ),
    "ARGBEST": (ArgBest(ROW, 0, lower=False), simulated.arg_best, 4),
    "COUNT": (BetterIn(THREE, 2), lambda r: simulated.better_in(r, pairs(3), 2), 6),
    "COUNT, ranks": (
        Ranked((ROW,), lower=False, at_most=1),
        lambda r: simulated.resampled(r, first_of_four),
        4,
    ),
    "TREND": (Increasing(ROW, 3), lambda r: simulated.resampled(r, increasing), 4),
    "TREND, tau": (
        Tau((0.0, 1.0, 2.0, 3.0), ROW, at_least=0.66),
        lambda r: simulated.resampled(r, steep),
        4,
    ),
    "NUMBER": (MeanDifference(THREE, 1.0), lambda r: simulated.mean_difference(r, pairs(3)), 6),
    "NUMBER, up to": (UpTo(THREE), lambda r: simulated.up_to(r, pairs(3)), 6),
    "NUMBER, per cent": (Reduction((ROW,), 10.0), simulated.reduction, 4),
}
AROUND = (-3.0, 0.0, 1.0, 3.0, 5.0)
"""By how much the later cells are ahead of the earlier ones: verdicts of all kinds occur."""


@pytest.mark.parametrize("name", PROCEDURES)
def test_simulated_verdicts_are_those_of_the_claims(name: str) -> None:
    """Each of 60 records, whose truths lie in both directions."""
    predicate, rule, count = PROCEDURES[name]
    seen = set()
    for step in AROUND:
        truth = 20 + step * np.arange(count)
        records = Records.draw(tuple(truth), 3, 12, seed=round(step) + 7)
        found = rule(records).tolist()
        judged = [verdict(predicate, records.evidence(i)).verdict for i in range(12)]
        assert found == judged
        seen |= {*found}
    assert {"holds", "fails"} <= seen


# -- without an effect ---------------------------------------------------------------------------


@sizes
@pytest.mark.parametrize(("k", "n"), [(1, 3), (3, 3), (7, 3), (20, 3), (3, 10)])
def test_without_an_effect_no_family_holds_fails_or_is_weak(k: int, n: int, draws: int) -> None:
    found = rates(simulated.all_better(Records.draw((0.0,) * 2 * k, n, draws), pairs(k)))
    assert found["holds"] <= allowed(0.025, draws)
    assert found["fails"] <= allowed(0.025, draws)
    assert found["weak"] <= allowed(0.02, draws)


@sizes
@pytest.mark.parametrize("n", [3, 10])
def test_without_an_effect_pooled_is_rarely_better(n: int, draws: int) -> None:
    """By 2.5 %; where one cell is in every comparison by up to 4 %, and weak by 3, not 2 %.

    Its variance is most of the whole, and Satterthwaite's degrees of freedom are then too many.
    """
    for weights, cells, level, weak in (
        (pairs(7), 14, 0.025, 0.02),
        (against_first(7), 8, 0.04, 0.03),
    ):
        records = Records.draw((0.0,) * cells, n, draws)
        pooled = simulated.Contrasts.of(records, weights.mean(axis=0, keepdims=True))
        assert pooled.better.mean() <= allowed(level, draws)
        found = rates(simulated.all_better(records, weights))
        assert found["weak"] <= allowed(weak, draws)
        assert found["fails"] <= allowed(0.025, draws)


@sizes
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("n", [3, 10])
def test_a_difference_as_large_as_the_margin_is_rarely_none(
    n: int, one_sided: bool, draws: int
) -> None:
    """The margin is given in numbers, so that it has no error of its own."""
    records = Records.draw((0.0, 0.0, 3.0, 3.0), n, draws)
    found = rates(simulated.equal(records, pairs(2), 3.0, one_sided))
    assert found["holds"] <= allowed(0.05, draws)
    assert found["fails"] <= allowed(0.05, draws)


@sizes
def test_of_alike_candidates_none_is_the_best(draws: int) -> None:
    found = rates(simulated.arg_best(Records.draw((0.0,) * 4, 3, draws)))
    assert found["holds"] <= allowed(0.025, draws)
    assert found["fails"] <= allowed(0.05, draws)


@sizes
def test_without_an_effect_no_count_and_no_number_holds(draws: int) -> None:
    """ "Up to" has as many chances as contrasts, for which Holm corrects."""
    records = Records.draw((0.0,) * 14, 3, draws)
    for found in (
        rates(simulated.better_in(records, pairs(7), 2)),
        rates(simulated.mean_difference(records, pairs(7))),
        rates(simulated.up_to(records, pairs(7))),
    ):
        assert found["holds"] <= allowed(0.025, draws)
        assert found["fails"] <= allowed(0.025, draws)


@resampling_sizes
@pytest.mark.parametrize("n", [3, 5])
def test_alike_means_rarely_meet_a_criterion(n: int, draws: int) -> None:
    """Nor is one of two found to be the higher, or the lower by some per cent."""
    two = Records.draw((20.0, 20.0), n, draws)
    for found in (
        rates(simulated.resampled(two, increasing)),
        rates(simulated.reduction(two)),
    ):
        assert found["holds"] <= allowed(0.05, draws)
        assert found["fails"] <= allowed(0.05, draws)
    four = Records.draw((0.0,) * 4, n, draws)
    for met in (increasing, first_of_four, steep):
        assert rates(simulated.resampled(four, met))["holds"] <= allowed(0.05, draws)


# -- with one ------------------------------------------------------------------------------------


def apart(k: int, by: float) -> tuple[float, ...]:
    return (0.0,) * k + (by,) * k


@sizes
@pytest.mark.parametrize(
    ("k", "n", "by", "power"),
    [
        *[(1, 3, 1, 0.12), (1, 3, 2, 0.36), (1, 3, 4, 0.89), (1, 5, 2, 0.77), (1, 10, 1, 0.56)],
        *[(7, 3, 4, 0.42), (7, 5, 2, 0.16), (7, 10, 2, 0.92), (20, 3, 4, 0.08), (20, 10, 2, 0.78)],
    ],
)
def test_a_true_effect_is_found_as_often_as_the_facts_say(
    k: int, n: int, by: float, power: float, draws: int
) -> None:
    found = rates(simulated.all_better(Records.draw(apart(k, by), n, draws), pairs(k)))
    assert found["holds"] == known(power, draws)
    assert found["fails"] <= allowed(0.025, draws)


@sizes
def test_what_does_not_hold_of_a_large_true_effect_is_weak(draws: int) -> None:
    """7 comparisons of 4 std at n = 3: 42 % hold, and nearly all others are weak."""
    found = rates(simulated.all_better(Records.draw(apart(7, 4.0), 3, draws), pairs(7)))
    assert found["holds"] + found["weak"] >= 0.97


@sizes
@pytest.mark.parametrize(("n", "by"), [(3, 1.0), (5, 0.5)])
def test_pooled_and_numbers_have_the_power_of_a_t_test(n: int, by: float, draws: int) -> None:
    """Of 7 pairs of cells of one spread: noncentral t, of 14 (n - 1) degrees of freedom.

    Satterthwaite's are fewer, by the spread of the variances: at n = 3 a power of 0.73 is 0.70.
    """
    records = Records.draw(apart(7, by), n, draws)
    df, size = 14 * (n - 1), by / math.sqrt(2 / n / 7)
    expected = stats.nct.sf(stats.t.ppf(0.975, df), df, size)
    weights = pairs(7)
    pooled = simulated.Contrasts.of(records, weights.mean(axis=0, keepdims=True)).better.mean()
    assert rates(simulated.mean_difference(records, weights))["holds"] == pytest.approx(pooled)
    assert expected - 0.04 <= pooled <= expected + error(expected, draws)


@sizes
@pytest.mark.parametrize(
    ("n", "margin", "power"), [(3, 1, 0.02), (10, 1, 0.38), (3, 2, 0.31), (5, 2, 0.76)]
)
def test_no_difference_is_found_as_often_as_the_facts_say(
    n: int, margin: float, power: float, draws: int
) -> None:
    records = Records.draw((0.0, 0.0), n, draws)
    assert rates(simulated.equal(records, pairs(1), margin, False))["holds"] == known(power, draws)


@sizes
def test_the_best_of_four_is_found_as_a_family_of_three_is(draws: int) -> None:
    """They share a cell, and are BETTER together more often than three that do not."""
    found = rates(simulated.arg_best(Records.draw((4.0, 0.0, 0.0, 0.0), 3, draws)))["holds"]
    of_three = rates(simulated.all_better(Records.draw(apart(3, 4.0), 3, draws), pairs(3)))
    assert of_three["holds"] < found < 0.89 + error(0.89, draws)


@sizes
def test_counts_and_largest_numbers_are_found_more_often_than_all(draws: int) -> None:
    """Of 7 comparisons of 4 std at n = 3, each BETTER in 89 %: 5 or more in 97 %, binomially."""
    records = Records.draw(apart(7, 4.0), 3, draws)
    five = stats.binom.sf(4, 7, 0.89)
    assert rates(simulated.better_in(records, pairs(7), 5))["holds"] == pytest.approx(
        five, abs=error(five, draws) + 0.01
    )
    assert rates(simulated.up_to(records, pairs(7)))["holds"] >= 0.9


@resampling_sizes
@pytest.mark.parametrize(("n", "by", "least"), [(3, 10.0, 0.5), (5, 4.0, 0.5)])
def test_a_clear_trend_is_found(n: int, by: float, least: float, draws: int) -> None:
    """The rule is conservative: steps of 10 std at n = 3, or of 4 at n = 5, hold in most cases."""
    records = Records.draw(tuple(20 + by * i for i in range(4)), n, draws)
    for met in (increasing, steep):
        assert rates(simulated.resampled(records, met))["holds"] >= least
    lower = Records.draw((20.0, 20.0 + by, 20.0 + by), n, draws)
    assert rates(simulated.reduction(lower))["holds"] >= least
