"""Quoted numbers, on records with known answers."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from search_spaces.claim import BestMean, MeanDifference, Reduction, UpTo
from tests.sweep.claims.cases import NLL, around, at, gains, pairs, record, verdict


def mean(printed: float, *data: str) -> MeanDifference:
    return MeanDifference(gains(*data).family, printed)


def test_a_mean_difference_holds_by_its_sign_and_says_of_the_magnitude():
    found = verdict(mean(6.0, *"ab"), record(pairs([8.0, 4.0]), comparable=True))
    half = stats.t.ppf(0.975, 8) * math.sqrt(4 / 3 / 4)
    assert (found.verdict, found.effect) == ("holds", pytest.approx(6.0))
    assert (found.low, found.high) == (pytest.approx(6 - half), pytest.approx(6 + half))
    assert found.note == "the paper says 6, inside the interval"
    far = verdict(mean(9.0, *"ab"), record(pairs([8.0, 4.0]), comparable=True))
    assert far.note == "the paper says 9, outside the interval"
    assert verdict(mean(6.0, "a"), record(pairs([-8.0]))).verdict == "fails"
    assert verdict(mean(6.0, "a"), record(pairs([0.5]))).verdict == "undecided"
    assert verdict(mean(6.0, "a"), record(pairs([8.0], n=1))).note == "direction only: for"


def test_elsewhere_no_magnitude_is_compared():
    found = verdict(mean(6.0, "a"), record(pairs([8.0])))
    assert found.note == "the paper says 6, of other data and networks"


def traces(*values: float, spread: float = 0.01, n: int = 3):
    numbers = {(str(i), "a"): around(v, spread, n) for i, v in enumerate(values)}
    return record(numbers, NLL)


def reduction(count: int, **options) -> Reduction:
    return Reduction((tuple(at(str(i), column="test_nll") for i in range(count)),), 20.0, **options)


def test_a_reduction_is_below_the_best_or_the_mean_of_the_rivals():
    assert verdict(reduction(3), traces(3.0, 4.0, 6.0)).effect == pytest.approx(25.0)
    of_mean = reduction(3, reference="mean")
    assert verdict(of_mean, traces(3.0, 4.0, 6.0)).effect == pytest.approx(40.0)
    assert verdict(reduction(2), traces(3.0, 4.0)).verdict == "holds"
    assert verdict(reduction(2), traces(4.0, 3.0)).verdict == "fails"
    assert verdict(reduction(2), traces(3.0, 3.1, spread=1.0)).verdict == "undecided"
    assert verdict(reduction(2), traces(3.0, 4.0, n=1)).note == "direction only: for"


def test_up_to_asks_for_one_after_holm():
    p = stats.ttest_ind(around(0.0), around(3.0), equal_var=False).pvalue
    assert p < 0.05 < 3 * p
    alone = verdict(UpTo(gains("a").family, 2.4), record(pairs([3.0])))
    assert (alone.verdict, alone.held, alone.low) == ("holds", 1, None)
    among = verdict(UpTo(gains(*"abc").family, 2.4), record(pairs([3.0, 0.0, 0.0])))
    assert (among.verdict, among.held) == ("undecided", 0)
    assert among.note.startswith("largest: a: nrs, erm +3")
    clear = verdict(UpTo(gains(*"abc").family, 2.4), record(pairs([9.0, 0.0, -9.0])))
    assert (clear.verdict, clear.held) == ("holds", 1)
    assert verdict(UpTo(gains(*"ab").family, 2.4), record(pairs([-9.0, -9.0]))).verdict == "fails"


def test_that_each_is_worse_needs_no_correction():
    """p = 2.1 % of each of three: below 5 %, and above it after Holm."""
    p = stats.ttest_ind(around(0.0), around(-3.0), equal_var=False).pvalue
    assert p < 0.05 < 3 * p
    found = verdict(UpTo(gains(*"abc").family), record(pairs([-3.0] * 3)))
    assert (found.verdict, found.note) == ("fails", "largest: a: nrs, erm -3")
    one = verdict(UpTo(gains(*"abc").family), record(pairs([-3.0, -3.0, -0.5])))
    assert one.verdict == "undecided"


def test_the_best_of_several_means_has_the_interval_of_its_own():
    best = BestMean(gains(*"ab").family, 2.0)
    found = verdict(best, record(pairs([3.0, 9.0]), comparable=True))
    half = stats.t.ppf(0.975, 4) * math.sqrt(2 / 3)
    assert (found.verdict, found.held, found.effect) == ("holds", 2, pytest.approx(9.0))
    assert (found.low, found.high) == (pytest.approx(9 - half), pytest.approx(9 + half))
    assert found.note.endswith("the paper says 2, outside the interval")
    three = BestMean(gains(*"abc").family, 2.0)
    assert verdict(three, record(pairs([3.0, 0.0, 0.0]))).verdict == "undecided"  # p = 2.1 %
    assert verdict(best, record(pairs([-9.0, -9.0]))).verdict == "fails"
    assert verdict(best, record(pairs([9.0, 9.0], n=1))).note.startswith("direction only: for")
