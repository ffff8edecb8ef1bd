"""How often each procedure is wrong, by simulation of records whose truth is known.

``DRAWS`` records by default, 10,000 behind ``slow``; a rate may be above its level by four standard
errors of such a share (a false alarm of these tests in one of 30,000 runs each).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from search_spaces.claim import ArgBest, BetterIn, Equal, Increasing, MeanDifference, Predicate
from sweep.claims.evidence import Entry, Evidence
from sweep.comparison import Sample
from tests.sweep.claims.cases import at, gains, verdict

DRAWS = 600
DATA = "abcdefg"
METHODS = ("erm", "nrs", "rpr", "sam")


def rates(
    predicate: Predicate,
    n: int,
    draws: int,
    truth: Callable[[str], float] = lambda _: 0.0,
    comparable: bool = False,
) -> dict[str, float]:
    """Share of each verdict over records of normal numbers with std 1 about ``truth(method)``."""
    generator = np.random.default_rng(5)
    counts: Counter[str] = Counter()
    for _ in range(draws):
        entries = []
        for method in METHODS:
            for data in DATA:
                values = generator.normal(truth(method), 1.0, n)
                sample = Sample(float(values.mean()), float(values.std(ddof=1)), n)
                key = {"method": method, "data": data}
                entries.append((key, Entry((method, data), sample)))
        drawn = Evidence({("paper/table", "test_error"): entries}, comparable)
        counts[verdict(predicate, drawn).verdict] += 1
    return {name: count / draws for name, count in counts.items()}


def allowed(level: float, draws: int) -> float:
    return level + 4 * math.sqrt(level * (1 - level) / draws)


def nrs_by(gain: float) -> Callable[[str], float]:
    return lambda method: gain if method == "nrs" else 0.0


SIZES = [DRAWS, pytest.param(10_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("draws", SIZES)
@pytest.mark.parametrize(("k", "n"), [(1, 3), (3, 3), (7, 3), (3, 10)])
def test_without_an_effect_no_family_holds_fails_or_is_weak(k: int, n: int, draws: int) -> None:
    found = rates(gains(*DATA[:k]), n, draws)
    assert found.get("holds", 0) <= allowed(0.025, draws)
    assert found.get("fails", 0) <= allowed(0.025, draws)
    assert found.get("weak", 0) <= allowed(0.02, draws)


@pytest.mark.parametrize("draws", SIZES)
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("n", [3, 10])
def test_a_difference_as_large_as_the_margin_is_rarely_none(
    n: int, one_sided: bool, draws: int
) -> None:
    """The margin is given in numbers, so that it has no error of its own."""
    predicate = Equal(gains("a", "b").family, margin=3.0, one_sided=one_sided)
    found = rates(predicate, n, draws, nrs_by(3.0), comparable=True)
    assert found.get("holds", 0) <= allowed(0.05, draws)
    assert found.get("fails", 0) <= allowed(0.05, draws)


@pytest.mark.parametrize("draws", SIZES)
def test_of_alike_candidates_none_is_the_best(draws: int) -> None:
    found = rates(ArgBest(tuple(at(m) for m in METHODS), 0, lower=False), 3, draws)
    assert found.get("holds", 0) <= allowed(0.025, draws)
    assert found.get("fails", 0) <= allowed(0.05, draws)


@pytest.mark.parametrize("draws", SIZES)
def test_without_an_effect_no_count_and_no_number_holds(draws: int) -> None:
    family = gains(*DATA[:5]).family
    count = rates(BetterIn(family, 3), 3, draws)
    assert count.get("holds", 0) <= allowed(0.025, draws)
    assert count.get("fails", 0) <= allowed(0.025, draws)
    number = rates(MeanDifference(family, 1.0), 3, draws)
    assert number.get("holds", 0) <= allowed(0.025, draws)
    assert number.get("fails", 0) <= allowed(0.025, draws)


def test_of_cells_that_are_alike_a_trend_of_one_step_rarely_holds() -> None:
    """The resamples of 4,000 are the cost: 200 records."""
    found = rates(Increasing((at("erm"), at("nrs")), 1), 3, 200)
    assert found.get("holds", 0) <= allowed(0.05, 200)
    assert found.get("fails", 0) <= allowed(0.05, 200)


@pytest.mark.parametrize("draws", SIZES)
def test_a_true_effect_is_found_as_often_as_the_power_says(draws: int) -> None:
    """4 std at n = 3: one holds in 89 % of records, a family of seven in 42 %, else it is weak."""
    one = rates(gains("a"), 3, draws, nrs_by(4.0))
    assert one["holds"] == pytest.approx(0.89, abs=4 * math.sqrt(0.89 * 0.11 / draws) + 0.005)
    seven = rates(gains(*DATA), 3, draws, nrs_by(4.0))
    assert seven["holds"] == pytest.approx(0.42, abs=4 * math.sqrt(0.42 * 0.58 / draws) + 0.005)
    assert seven["holds"] + seven["weak"] >= 0.97
