"""Oracle: `scipy.stats`."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweep.tables.welch import Sample, distinguishable, half_width

samples = st.builds(
    Sample,
    st.floats(-10, 10),
    st.floats(1e-3, 10),
    st.integers(2, 20),
)


@given(samples, samples)
@settings(max_examples=300, deadline=None)
def test_welch_agrees_with_scipy(a, b):
    test = stats.ttest_ind_from_stats(*a, *b, equal_var=False)
    se = math.hypot(a.std / math.sqrt(a.n), b.std / math.sqrt(b.n))
    width = half_width(a, b)
    # From the definition: p of a difference that lies exactly on the interval's end is 5 %.
    edge = stats.ttest_ind_from_stats(width, a.std, a.n, 0.0, b.std, b.n, equal_var=False)
    assert edge.pvalue == pytest.approx(0.05, rel=1e-8)
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
    assert half_width(known, unknown) is half_width(unknown, known) is None
    assert distinguishable(known, unknown) is None


def test_samples_without_spread_agree_only_where_equal():
    assert distinguishable(Sample(1, 0.0, 3), Sample(1, 0.0, 3)) is False
    assert distinguishable(Sample(1, 0.0, 3), Sample(2, 0.0, 3)) is True
    assert half_width(Sample(0, 1e-200, 3), Sample(0, 1e-200, 3)) >= 0  # squares underflow
