"""Costs, and trials that diverge, on records with known answers."""

from __future__ import annotations

import pytest

from search_spaces.claim import AllBetter, Dearer, Diverges, Ratio, Some, higher
from tests.sweep.claims.cases import NLL, at, gains, pairs, record, summary, verdict


def cost(*values: float, **named: list[float]):
    numbers = {(str(i), "a"): [v] for i, v in enumerate(values)}
    return record(numbers | {(name, "a"): v for name, v in named.items()}, NLL)


def place(name: str):
    return at(name, column="test_nll")


def test_a_ratio_of_costs_needs_no_spread():
    ratio = Ratio(place("amp"), place("erm"), 1.8, 0.3)
    for amp, expected in ((19.0, "holds"), (25.0, "fails"), (14.0, "fails")):
        assert verdict(ratio, cost(amp=[amp], erm=[10.0])).verdict == expected


def test_a_ratio_is_of_medians():
    """One repeat that something else slowed down is none of the method's cost."""
    found = verdict(
        Ratio(place("amp"), place("erm"), 1.8, 0.3), cost(amp=[18.0, 18.0, 60.0], erm=[10.0])
    )
    assert (found.verdict, found.effect) == ("holds", pytest.approx(1.8))


def test_a_ratio_without_a_range_is_exact():
    twice = Ratio(place("amp"), place("erm"), 2.0, 0.0)
    assert verdict(twice, cost(amp=[0.6], erm=[0.3])).verdict == "holds"
    assert verdict(twice, cost(amp=[2001.0], erm=[1000.0])).verdict == "fails"


@pytest.mark.parametrize(
    ("costs", "expected", "held"),
    [
        ((1.0, 11.0, 12.0), "holds", 2),
        ((1.0, 11.0, 13.0), "fails", 2),  # 18 % apart
        ((1.0, 9.9, 10.5), "fails", 1),
        ((1.0, 10.0, 10.0), "fails", 0),
    ],
)
def test_each_is_so_many_times_dearer_and_all_are_alike(costs, expected, held):
    found = verdict(Dearer((place("1"), place("2")), place("0"), 10.0, 0.15), cost(*costs))
    assert (found.verdict, found.held, found.of) == (expected, held, 2)


DIVERGED = Diverges((at("nrs", "a"), at("nrs", "b")))


def test_one_trial_that_diverged_is_enough_though_others_lack():
    numbers = pairs([1.0, 1.0]) | {("nrs", "b"): summary([0.2], diverged=1, missing=1)}
    found = verdict(DIVERGED, record(numbers))
    assert (found.verdict, found.note) == ("holds", "1 diverged")


def test_that_none_diverged_is_no_evidence_and_before_the_end_not_yet():
    assert verdict(DIVERGED, record(pairs([1.0, 1.0]))).verdict == "undecided"
    early = pairs([1.0, 1.0]) | {("nrs", "b"): summary([0.2], running=2)}
    assert (verdict(DIVERGED, record(early)).verdict) == "not yet"


def either(data: str = "a") -> Some:
    return Some((Diverges((at("nrs", data),)), AllBetter((higher(at("nrs"), at("erm")),))))


def test_one_part_is_enough():
    assert verdict(either(), record(pairs([9.0]))).verdict == "holds"
    diverged = pairs([0.0]) | {("nrs", "a"): summary([0.2, 0.2], diverged=1)}
    assert verdict(either(), record(diverged)).verdict == "holds"
    assert verdict(either(), record(pairs([0.0]))).verdict == "undecided"
    worse = verdict(either(), record(pairs([-9.0])))
    assert (worse.verdict, "none diverged" in worse.note) == ("undecided", True)


def test_it_fails_where_all_parts_fail_and_waits_for_what_may_yet_hold():
    both = Some((gains("a"), gains("b")))
    assert verdict(both, record(pairs([-9.0, -9.0]))).verdict == "fails"
    assert verdict(both, record(pairs([-9.0, 0.0]))).verdict == "undecided"
    assert verdict(both, record(pairs([-9.0]))).verdict == "not yet"
    assert verdict(both, record(pairs([9.0]))).verdict == "holds"
