"""Criteria on means: known answers, and `scipy.stats.kendalltau`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from search_spaces.claim import (
    AllWithin,
    BestAmong,
    FollowsBetter,
    Increasing,
    MeanRank,
    NarrowerRange,
    Ranked,
    Tau,
    higher,
)
from sweep.claims.criteria import draws, tau
from sweep.comparison import Sample
from tests.sweep.claims.cases import around, at, record, verdict

ROW = tuple(at(str(i)) for i in range(4))


def row(*means: float, spread: float = 0.1, n: int = 3):
    return record({(str(i), "a"): around(m, spread, n) for i, m in enumerate(means)})


@pytest.mark.parametrize(
    ("criterion", "yes", "no"),
    [
        (Increasing(ROW, 3), (10, 20, 30, 40), (40, 20, 30, 10)),
        (Increasing(ROW, 2), (10, 20, 15, 40), (10, 20, 15, 11)),
        (Tau((1.0, 2.0, 3.0, 4.0), ROW, at_least=0.67), (10, 20, 30, 40), (40, 30, 20, 10)),
        (Tau((1.0, 2.0, 3.0, 4.0), ROW, at_most=0.0), (40, 30, 20, 10), (10, 20, 30, 40)),
        (Tau(ROW, ROW, at_least=1.0), (40, 10, 20, 30), None),
        (BestAmong(ROW, (1, 2), lower=True), (30, 10, 20, 40), (10, 20, 30, 40)),
        (BestAmong(ROW, (1, 2), lower=False), (30, 40, 20, 10), (40, 30, 20, 10)),
        (NarrowerRange(ROW[:2], ROW[2:]), (10, 12, 20, 30), (10, 40, 20, 30)),
        (AllWithin(ROW, 50.0), (10, 20, 30, 40), (10, 20, 30, 60)),
        (AllWithin(ROW[:2], 0.5, over=ROW[2:]), (10, 15, 30, 40), (10, 25, 30, 40)),
        (
            Tau((1.0, 2.0), (higher(*ROW[:2]), higher(*ROW[2:])), at_least=1.0),
            (10, 9, 20, 10),
            (20, 10, 10, 9),
        ),
        (Ranked((ROW,), lower=True, at_most=2), (15, 10, 30, 40), (35, 10, 30, 40)),
        (Ranked((ROW,), lower=False, at_most=1), (50, 10, 30, 40), (45, 10, 30, 50)),
        (MeanRank((ROW, ROW[:1] + ROW[2:] + ROW[1:2]), lower=True), (5, 9, 8, 7), (9, 5, 8, 7)),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, tuple) else "",
)
def test_a_criterion_that_is_met_holds_and_one_that_is_not_fails(criterion, yes, no):
    found = verdict(criterion, row(*map(float, yes)))
    assert (found.verdict, found.held) == ("holds", 1)
    if no is not None:
        found = verdict(criterion, row(*map(float, no)))
        assert (found.verdict, found.held) == ("fails", 0)


def test_what_the_seeds_do_not_settle_is_undecided():
    found = verdict(Increasing(ROW[:2], 1), row(10.0, 10.5, 0.0, 0.0, spread=1.0))
    assert (found.verdict, found.held, found.test) == ("undecided", 1, "resampled")
    assert "50 % of random orders" in found.note


def test_one_seed_is_a_direction():
    assert verdict(Increasing(ROW, 3), row(1, 2, 3, 4, n=1)).note == "direction only: for"
    assert verdict(Increasing(ROW, 3), row(4, 2, 3, 1, n=1)).note == "direction only: against"


def test_ranks_in_some_settings():
    settings = (ROW, ROW[::-1])
    numbers = row(10.0, 20.0, 30.0, 40.0)
    assert verdict(Ranked(settings, True, 1, in_at_least=1), numbers).verdict == "holds"
    assert verdict(Ranked(settings, True, 1), numbers).verdict == "fails"


def test_tau_fails_where_the_claim_says():
    """Between the two ranges it is undecided, however sure."""
    middle = row(10.0, 20.0, 40.0, 30.0)  # tau = 0.67
    claimed = Tau((1.0, 2.0, 3.0, 4.0), ROW, at_least=1.0, fails_at_most=0.33)
    assert verdict(claimed, middle).verdict == "undecided"
    assert verdict(claimed, row(40.0, 30.0, 20.0, 10.0)).verdict == "fails"
    none = Tau((1.0, 2.0, 3.0, 4.0), ROW, at_most=0.33, fails_at_least=0.87)
    assert verdict(none, middle).verdict == "undecided"
    assert verdict(none, row(10.0, 20.0, 30.0, 40.0)).verdict == "fails"


def test_tau_agrees_with_scipy_without_ties():
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(2, 50, 6))
    expected = [stats.kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert tau(x, y) == pytest.approx(expected)


def test_draws_have_the_spread_of_t_and_a_shared_cell_is_drawn_once():
    """At n = 3 a quantile of 97.5 % lies at 4.30 standard errors; 40,000 draws give ± 0.2."""
    drawn = draws({"x": Sample(10.0, 3.0, 3), "y": Sample(0.0, 1.0, 3)}, 40_000)
    upper = np.quantile((drawn["x"] - 10) / (3 / np.sqrt(3)), 0.975)
    assert upper == pytest.approx(stats.t.ppf(0.975, 2), abs=0.3)
    assert abs(np.corrcoef(np.sign(drawn["x"] - 10), np.sign(drawn["y"]))[0, 1]) < 0.025
    shared = record(
        {("0", "a"): around(1.0), ("1", "a"): around(2.0)}, trials={("1", "a"): "0 on a"}
    )
    alone = verdict(Increasing((at("0"), at("1")), 1), shared)
    assert (alone.verdict, "same trials" in alone.note) == ("undecided", True)


LEFT, MIDDLE, RIGHT = (tuple(at(str(i)) for i in range(j, j + 3)) for j in (0, 3, 6))
UP, DOWN = (10.0, 20.0, 30.0), (30.0, 20.0, 10.0)


@pytest.mark.parametrize(
    ("own", "rival", "expected"),
    [(UP, DOWN, "holds"), (DOWN, UP, "fails"), (UP, UP, "fails")],
)
def test_a_row_follows_better_than_a_rival_does(own, rival, expected):
    """A tie is not better."""
    follows = FollowsBetter(((LEFT, MIDDLE, RIGHT),))
    assert verdict(follows, row(*UP, *own, *rival)).verdict == expected


def test_what_follows_better_in_one_scenario_and_worse_in_another_does_not():
    """On average over both it does as well."""
    other = tuple(tuple(at(str(i)) for i in range(j, j + 3)) for j in (9, 12, 15))
    both = FollowsBetter(((LEFT, MIDDLE, RIGHT), other))
    assert verdict(both, row(*UP, *UP, *DOWN, *UP, *DOWN, *UP)).verdict == "fails"
    assert verdict(both, row(*UP, *UP, *DOWN, *UP, *UP, *UP)).verdict == "holds"
