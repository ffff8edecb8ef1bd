"""Power against what the facts state, and false alarms of every procedure by simulation.

``FACTS`` (the head of the papers' claims) has them to two digits; 2,000 draws have a standard error
of at most 1.1 %.
"""

from __future__ import annotations

import math

import pytest
from scipy import stats

from sweep.claims.families import Comparison
from sweep.claims.power import more_seeds, of_all_better, of_equal
from sweep.comparison import Sample

OFF = 0.04
"""Three and a half standard errors of a probability of a half."""


def family(k: int, n: int, std: float) -> list[Comparison]:
    """K independent comparisons whose true difference is ``std`` standard deviations."""
    return [
        Comparison(
            str(i),
            {("a", i): (1.0, Sample(std, 1.0, n)), ("b", i): (-1.0, Sample(0.0, 1.0, n))},
        )
        for i in range(k)
    ]


@pytest.mark.parametrize(
    ("n", "std", "expected"),
    [(3, 1, 0.12), (3, 2, 0.36), (3, 4, 0.89), (5, 2, 0.77), (10, 1, 0.56), (10, 2, 0.99)],
)
def test_power_of_one_comparison(n, std, expected):
    assert of_all_better(family(1, n, std)) == pytest.approx(expected, abs=OFF)


@pytest.mark.parametrize(
    ("k", "n", "std", "expected"),
    [(7, 5, 2, 0.16), (7, 10, 2, 0.92), (20, 3, 4, 0.08), (42, 10, 2, 0.60), (42, 5, 4, 0.98)],
)
def test_power_of_a_family(k, n, std, expected):
    assert of_all_better(family(k, n, std)) == pytest.approx(expected, abs=OFF)


@pytest.mark.parametrize(
    ("n", "margin", "expected"),
    [(3, 1, 0.02), (10, 1, 0.38), (3, 2, 0.31), (5, 2, 0.76), (10, 2, 0.99)],
)
def test_power_of_equality(n, margin, expected):
    assert of_equal(family(1, n, 0.0), margin, one_sided=False) == pytest.approx(expected, abs=OFF)


def test_one_sided_equality_is_the_power_of_one_t_test():
    """Without any difference: P(t(df, nc) > t(0.95, df)), where df is near 8."""
    expected = stats.nct.sf(stats.t.ppf(0.95, 8), 8, 2 / math.sqrt(2 / 5))
    found = of_equal(family(1, 5, 0.0), 2.0, one_sided=True)
    assert found == pytest.approx(expected, abs=OFF)


def test_more_seeds_are_the_fewest_that_do():
    found = more_seeds(lambda extra: of_all_better(family(1, 3, 2.0), extra))
    assert (
        of_all_better(family(1, 3, 2.0), found) >= 0.8 > of_all_better(family(1, 3, 2.0), found - 1)
    )
    assert found == 3
    assert more_seeds(lambda extra: 1.0) == 0
    assert more_seeds(lambda extra: 0.1) is None
    assert [more_seeds(lambda extra, k=k: float(extra >= k)) for k in (1, 2, 5, 97)] == [
        1,
        2,
        5,
        97,
    ]
