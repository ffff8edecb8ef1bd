"""Oracle: `scipy.stats`."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweep.comparison import Sample, compare, contrast, holm, not_told_from_best


def half_width(a: Sample, b: Sample) -> float | None:
    return compare(a, b).half_width()


def distinguishable(a: Sample, b: Sample) -> bool | None:
    return compare(a, b).distinguishable


samples = st.builds(
    Sample,
    st.floats(-10, 10),
    st.floats(1e-3, 10),
    st.integers(2, 20),
)


@given(samples, samples)
@settings(max_examples=300, deadline=None)
def test_welch_agrees_with_scipy(a, b):
    test = stats.ttest_ind_from_stats(*a[:3], *b[:3], equal_var=False)
    se = math.hypot(a.std / math.sqrt(a.n), b.std / math.sqrt(b.n))
    width = half_width(a, b)
    # From the definition: p of a difference that lies exactly on the interval's end is 5 %.
    edge = stats.ttest_ind_from_stats(width, a.std, a.n, 0.0, b.std, b.n, equal_var=False)
    assert edge.pvalue == pytest.approx(0.05, rel=1e-8)
    assert compare(a, b).p == pytest.approx(test.pvalue, rel=1e-8, abs=1e-300)
    assert compare(a, b).test == "Welch"
    if abs(test.pvalue - 0.05) > 1e-6:
        assert distinguishable(a, b) is bool(test.pvalue < 0.05)
    assert width > 1.95 * se  # never narrower than the normal distribution's


def test_welch_by_hand():
    # v = 1/4 and 4/4; df = (5/4)² / ((1/4)² / 3 + 1² / 3) = 4.4118; t(0.975, df) = 2.6792
    width = half_width(Sample(0, 1, 4), Sample(0, 2, 4))
    assert width == pytest.approx(
        stats.t.ppf(0.975, 1.5625 / (0.0625 / 3 + 1 / 3)) * math.sqrt(1.25)
    )
    assert width == half_width(Sample(5, 2, 4), Sample(0, 1, 4))


@pytest.mark.parametrize("unknown", [Sample(1, None, 3), Sample(1, 0.1, None), Sample(1, 0.1, 1)])
def test_without_a_spread_there_is_no_verdict(unknown):
    known = Sample(0, 0.1, 3)
    assert (known.has_spread, unknown.has_spread) == (True, False)
    assert half_width(known, unknown) is half_width(unknown, known) is None
    assert distinguishable(known, unknown) is None
    assert not compare(unknown, known).better


def test_better_is_above_and_told_apart():
    low, near, high = Sample(1, 0.1, 3), Sample(1.05, 0.1, 3), Sample(2, 0.1, 3)
    assert compare(high, low).better
    assert not compare(low, high).better
    assert not compare(near, low).better


def test_samples_without_spread_agree_only_where_equal():
    assert distinguishable(Sample(1, 0.0, 3), Sample(1, 0.0, 3)) is False
    assert distinguishable(Sample(1, 0.0, 3), Sample(2, 0.0, 3)) is True
    assert half_width(Sample(0, 1e-200, 3), Sample(0, 1e-200, 3)) >= 0  # squares underflow


def test_half_of_three_samples_is_a_contrast_with_satterthwaite_by_hand():
    """(a + b) / 2 - c: the variances are s²/n times 1/4, 1/4 and 1."""
    a, b, c = Sample(3.0, 1.0, 4), Sample(5.0, 2.0, 4), Sample(1.0, 1.0, 2)
    found = contrast([(0.5, a), (0.5, b), (-1.0, c)])
    v = [0.25 * 1 / 4, 0.25 * 4 / 4, 1 / 2]
    assert found.value == 3.0
    assert found.std_error == pytest.approx(math.sqrt(sum(v)))
    assert found.df == pytest.approx(sum(v) ** 2 / (v[0] ** 2 / 3 + v[1] ** 2 / 3 + v[2] ** 2 / 1))
    assert found.p == pytest.approx(2 * stats.t.sf(3.0 / math.sqrt(sum(v)), found.df))
    low, high = found.interval(0.9)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.95, found.df) * math.sqrt(sum(v)))


def test_what_a_sample_enters_with_weight_nothing_needs_no_spread():
    known, unknown = Sample(1.0, 1.0, 3), Sample(2.0, None, None)
    assert contrast([(1.0, known), (0.0, unknown)]).std_error == pytest.approx(math.sqrt(1 / 3))


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=2, max_size=9))
@settings(max_examples=100, deadline=None)
def test_paired_agrees_with_scipy_where_seeds_are_common(pairs):
    differences = [x - y for x, y in pairs]
    if max(differences) - min(differences) < 1e-6:
        return
    a = Sample(0.0, 1.0, 99, {s: x for s, (x, _) in enumerate(pairs)} | {77: 1e9})
    b = Sample(0.0, 1.0, 99, {s: y for s, (_, y) in enumerate(pairs)} | {88: 1e9})
    test = stats.ttest_rel([x for x, _ in pairs], [y for _, y in pairs])
    found = compare(a, b, paired=True)
    assert (found.test, found.df) == ("paired", len(pairs) - 1)
    assert found.p == pytest.approx(test.pvalue, rel=1e-6)


def test_pairs_need_two_common_seeds():
    one = Sample(1.0, None, 1, {0: 1.0})
    assert compare(one, Sample(3.0, None, 1, {0: 3.0}), paired=True).value == -2.0
    assert compare(one, Sample(3.0, None, 1, {0: 3.0}), paired=True).p is None
    assert math.isnan(compare(one, Sample(3.0, 1.0, 2), paired=True).value)


def test_logs_compare_ratios_to_first_order():
    found = compare(Sample(20.0, 2.0, 4), Sample(10.0, 3.0, 4), log=True)
    assert found.value == pytest.approx(math.log(2))
    assert found.std_error == pytest.approx(math.sqrt(0.1**2 / 4 + 0.3**2 / 4))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_the_family_of_the_best_is_corrected():
    """A p of 3 % alone is told apart; in a family of five, Holm asks the first for 1.25 %."""
    best = Sample(0.0, 1.0, 10)
    near = Sample(1.05, 1.0, 10)
    assert 0.02 < compare(near, best).p < 0.05
    assert not_told_from_best([best, near], lower=True) == (True, False)
    same = [Sample(0.2, 1.0, 10)] * 3
    assert not_told_from_best([near, *same, best], lower=True) == (True, True, True, True, True)
    assert not_told_from_best([best, near], lower=False) == (False, True)
    assert not_told_from_best([], lower=True) == ()


def rate(alike: int, n: int, worse: float, trials: int = 4000) -> tuple[float, float]:
    """How often a truly best cell is left out, and how often one that is worse is.

    ``alike`` cells have the same truth, one more lies ``worse`` standard deviations above.
    """
    import numpy as np

    draws = np.random.default_rng(7).normal(size=(trials, alike + 1, n))
    draws[:, -1] += worse
    means, stds = draws.mean(axis=2), draws.std(axis=2, ddof=1)
    lost = found = 0
    for row, spread in zip(means.tolist(), stds.tolist(), strict=True):
        samples = [Sample(m, s, n) for m, s in zip(row, spread, strict=True)]
        kept = not_told_from_best(samples, lower=True)
        lost += not kept[0]
        found += not kept[-1]
    return lost / trials, found / trials


@pytest.mark.parametrize(("alike", "n"), [(2, 3), (8, 3), (8, 10)])
def test_a_cell_that_is_truly_best_is_rarely_left_out(alike, n):
    """By 4,000 drawn tables; 5 % and four standard errors of such a share, 1.4 %, are allowed."""
    lost, _ = rate(alike, n, worse=0.0)
    assert lost <= 0.05 + 0.014


def test_a_cell_that_is_clearly_worse_is_left_out_where_there_are_seeds():
    """4 std apart among eight: next to never at n = 3 (that is what three seeds are worth)."""
    assert rate(8, 10, worse=4.0, trials=500)[1] > 0.99
    assert 0.1 < rate(8, 3, worse=4.0, trials=500)[1] < 0.6
