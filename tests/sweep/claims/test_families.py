"""Records with known answers. Oracle of single comparisons: `scipy.stats`."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from search_spaces.claim import (
    AllBetter,
    ArgBest,
    BestBalance,
    BetterIn,
    Contrast,
    Equal,
    gain_over,
    higher,
)
from tests.sweep.claims.cases import (
    ACCURACY,
    NLL,
    around,
    at,
    gains,
    pairs,
    record,
    summary,
    verdict,
)

# -- BETTER and ALL-BETTER -----------------------------------------------------------------------


def test_better_is_welch_in_the_claimed_direction():
    numbers = {("erm", "a"): [78.0, 80.0, 82.0], ("nrs", "a"): [85.0, 86.0, 87.5]}
    found = verdict(gains("a"), record(numbers))
    test = stats.ttest_ind(numbers["nrs", "a"], numbers["erm", "a"], equal_var=False)
    assert test.pvalue < 0.05
    assert (found.verdict, found.held, found.of, found.test) == ("holds", 1, 1, "Welch")
    assert found.p == pytest.approx(test.pvalue)
    assert found.effect == pytest.approx(test.statistic * 0 + (258.5 / 3 - 80.0))
    low, high = test.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert verdict(gains("a"), record(_swapped(numbers))).verdict == "fails"


def _swapped(numbers):
    other = {"erm": "nrs", "nrs": "erm"}
    return {(other[m], d): v for (m, d), v in numbers.items()}


def test_a_family_holds_if_each_holds():
    found = verdict(gains(*"abc"), record(pairs([10.0, 9.0, 5.0])))
    assert (found.verdict, found.held, found.of) == ("holds", 3, 3)
    assert found.margin == pytest.approx(5.0)
    assert found.margin_at == "c: nrs, erm"
    assert found.effect == pytest.approx(8.0)


def test_weak_is_all_in_direction_and_their_mean_apart():
    """1.5 std at n = 3 is no difference alone (p = 0.14), and five of them are."""
    found = verdict(gains(*"abcde"), record(pairs([1.5] * 5)))
    assert (found.verdict, found.held, found.of) == ("weak", 0, 5)
    assert found.p < 0.05
    assert verdict(gains("a"), record(pairs([1.5]))).verdict == "undecided"


def test_all_in_direction_alone_is_not_weak():
    found = verdict(gains(*"abc"), record(pairs([0.1, 0.1, 0.1])))
    assert (found.verdict, found.held) == ("undecided", 0)


def test_one_the_other_way_is_not_weak_and_only_a_clear_one_fails():
    slightly = verdict(gains(*"abc"), record(pairs([10.0, 10.0, -0.5])))
    assert (slightly.verdict, slightly.held) == ("undecided", 2)
    clearly = verdict(gains(*"abc"), record(pairs([10.0, 10.0, -10.0])))
    assert (clearly.verdict, clearly.held) == ("fails", 2)


def test_a_failure_is_corrected_for_the_size_of_the_family():
    """3.5 std: p = 1.3 %, below 5 % alone and among three, and above it among ten."""
    p = stats.ttest_ind(around(0.0), around(3.5), equal_var=False).pvalue
    assert p * 3 < 0.05 < p * 10
    assert verdict(gains(*"abc"), record(pairs([9.0, 9.0, -3.5]))).verdict == "fails"
    assert verdict(gains(*"abcdefghij"), record(pairs([9.0] * 9 + [-3.5]))).verdict == "undecided"


def test_one_seed_gives_a_direction_and_no_verdict():
    ahead = verdict(gains(*"ab"), record(pairs([1.0, 1.0], n=1)))
    assert (ahead.verdict, ahead.held, ahead.note) == ("undecided", 2, "direction only: for")
    behind = verdict(gains(*"ab"), record(pairs([1.0, -1.0], n=1)))
    assert (behind.held, behind.note) == (1, "direction only: against")


def test_a_tie_is_undecided():
    found = verdict(gains("a"), record(pairs([0.0])))
    assert (found.verdict, found.held, found.p) == ("undecided", 0, pytest.approx(1.0))


def test_no_spread_is_the_spread_of_a_rounding():
    """All seeds alike, one test image (0.5 %) apart: r / sqrt(12) at n = 3 tells them apart.

    And seeds that do not differ at all tell nothing: there the mean is the same.
    """
    numbers = {("erm", "a"): [80.0] * 3, ("nrs", "a"): [80.5] * 3}
    found = verdict(gains("a"), record(numbers))
    error = 0.5 / math.sqrt(12) * math.sqrt(2 / 3)
    assert found.p == pytest.approx(2 * stats.t.sf(0.5 / error, 4))
    assert verdict(gains("a"), record(dict.fromkeys(numbers, [80.0] * 3))).verdict == "undecided"


def test_logs_are_of_the_columns_numbers():
    numbers = {("erm", "a"): [2.0, 2.2, 1.8], ("nrs", "a"): [0.2, 0.22, 0.18]}
    family = gains("a", column="test_nll").family
    found = verdict(AllBetter(family, log=True), record(numbers, NLL))
    assert found.verdict == "holds"
    assert found.effect == pytest.approx(math.log(10))
    numbers["nrs", "a"] = [-0.1, -0.2, -0.3]
    lost = verdict(AllBetter(family, log=True), record(numbers, NLL))
    assert (lost.verdict, "not positive" in lost.note) == ("undecided", True)


def test_pairs_by_seed_where_a_claim_says_so():
    """A difference that every seed shows, far below the spread of the seeds."""
    numbers = {("erm", "a"): [70.0, 80.0, 90.0], ("nrs", "a"): [71.0, 81.1, 90.9]}
    paired = verdict(AllBetter(gains("a").family, paired=True), record(numbers))
    test = stats.ttest_rel(numbers["nrs", "a"], numbers["erm", "a"])
    assert (paired.verdict, paired.test, paired.p) == (
        "holds",
        "paired",
        pytest.approx(test.pvalue),
    )
    assert verdict(gains("a"), record(numbers)).verdict == "undecided"


def test_comparisons_of_the_same_trials_count_once():
    numbers = pairs([4.0, 4.0, 4.0])
    same = {(m, d): m for m, d in numbers}
    found = verdict(gains(*"abc"), record(numbers, trials=same))
    assert (found.held, found.of) == (1, 1)
    apart = verdict(gains(*"abc"), record(numbers))
    assert apart.p < found.p  # one comparison is not three


def test_both_sides_of_the_same_trials_say_nothing():
    numbers = pairs([4.0, 4.0])
    same = {(m, d): m for m, d in numbers}
    more = gain_over(gains("a").family[0], gains("b").family[0])
    found = verdict(AllBetter((more,)), record(numbers, trials=same))
    assert (found.verdict, found.of, "same trials" in found.note) == ("undecided", 0, True)


def test_a_cell_of_several_comparisons_is_pooled_once():
    """Three rivals and one method: its variance enters whole, not a third of it three times."""
    numbers = {(m, "a"): around(80.0) for m in ("x", "y", "z")} | {("nrs", "a"): around(84.0)}
    family = tuple(higher(at("nrs"), at(m)) for m in ("x", "y", "z"))
    found = verdict(AllBetter(family), record(numbers))
    v = [1 / 3, *[1 / 9 / 3] * 3]
    df = sum(v) ** 2 / sum(x**2 / 2 for x in v)
    assert found.p == pytest.approx(2 * stats.t.sf(4 / math.sqrt(sum(v)), df))


def test_a_difference_of_gains_is_one_contrast():
    more = gain_over(gains("a").family[0], gains("b").family[0])
    found = verdict(AllBetter((more,)), record(pairs([9.0, 3.0])))
    error = math.sqrt(4 / 3)
    assert found.effect == pytest.approx(6.0)
    assert found.p == pytest.approx(2 * stats.t.sf(6 / error, 8))


def test_a_size_that_is_quoted_is_said_and_decides_nothing():
    family = gains(*"ab").family
    numbers = pairs([8.0, 4.0])
    for size, said in ((6.0, "inside"), (9.0, "outside")):
        found = verdict(AllBetter(family, printed=size), record(numbers, comparable=True))
        assert (found.verdict, found.note) == (
            "holds",
            f"the paper says {size:g}, {said} the interval",
        )
    assert "other data" in verdict(AllBetter(family, printed=6.0), record(numbers)).note


def test_a_size_of_logarithms_is_a_reduction_in_per_cent():
    """ln 2 ± 0.227: a reduction by 50 %, from 37 to 60 %."""
    numbers = {("erm", "a"): [2.0, 2.2, 1.8], ("nrs", "a"): [1.0, 1.1, 0.9]}
    family = gains("a", column="test_nll").family
    for size, said in ((45.0, "inside"), (65.0, "outside")):
        claimed = AllBetter(family, log=True, printed=size)
        assert said in verdict(claimed, record(numbers, NLL, comparable=True)).note


# -- EQUAL ---------------------------------------------------------------------------------------

GAIN = (higher(at("nrs", "a"), at("erm", "a")),)


def rpr(difference: float, spread: float = 1.0, n: int = 3, gain: float = 30.0):
    return record(
        {
            ("erm", "a"): around(50.0, spread, n),
            ("rpr", "a"): around(50.0 + difference, spread, n),
            ("nrs", "a"): around(50.0 + gain, spread, n),
        }
    )


def same(**options) -> Equal:
    return Equal((higher(at("rpr", "a"), at("erm", "a")),), GAIN, **options)


def test_equal_holds_within_the_margin_and_fails_outside():
    """A third of a gain of 30; the 90 % interval of the difference is ± 1.74 wide at n = 3."""
    half = stats.t.ppf(0.95, 4) * math.sqrt(2 / 3)
    assert 1.7 < half < 1.8
    inside, across, outside = (verdict(same(), rpr(d)) for d in (8.0, 9.0, 12.0))
    assert [f.verdict for f in (inside, across, outside)] == ["holds", "undecided", "fails"]
    assert inside.margin == pytest.approx(10.0)
    assert (inside.low, inside.high) == (pytest.approx(8 - half), pytest.approx(8 + half))
    other_way = [verdict(same(), rpr(-d)).verdict for d in (8.0, 9.0, 12.0)]
    assert other_way == ["holds", "undecided", "fails"]


def test_one_sided_only_a_gain_is_a_difference():
    one = same(one_sided=True)
    assert [verdict(one, rpr(d)).verdict for d in (-12.0, 8.0, 9.0, 12.0)] == [
        "holds",
        "holds",
        "undecided",
        "fails",
    ]


def test_no_evidence_of_a_difference_is_not_evidence_of_none():
    """The spread is wide: p is large, and the claim does not hold."""
    found = verdict(same(), rpr(0.0, spread=20.0))
    assert (found.verdict, found.p) == ("undecided", pytest.approx(1.0))


def test_a_margin_in_numbers_is_taken_where_numbers_are_compared():
    small = same(margin=2.0)
    measured_elsewhere = verdict(small, rpr(5.0))
    assert measured_elsewhere.margin == pytest.approx(10.0)
    numbers = {("erm", "a"): around(50.0), ("rpr", "a"): around(55.0), ("nrs", "a"): around(80.0)}
    compared = verdict(small, record(numbers, comparable=True))
    assert (compared.margin, compared.verdict) == (2.0, "fails")


def test_a_margin_without_gains_is_the_same_everywhere():
    alone = Equal((higher(at("rpr", "a"), at("erm", "a")),), margin=10.0)
    assert [verdict(alone, rpr(d)).verdict for d in (8.0, 12.0)] == ["holds", "fails"]


def test_without_a_gain_there_is_no_margin():
    found = verdict(same(), rpr(0.0, gain=-1.0))
    assert (found.verdict, "no margin" in found.note) == ("undecided", True)


def test_one_that_is_told_apart_fails_though_the_mean_is_in_the_margin():
    numbers = pairs([9.0, -9.0])
    numbers |= {("top", d): around(200.0) for d in "ab"}
    gain = tuple(higher(at("top", d), at("erm", d)) for d in "ab")
    family = gains(*"ab").family
    assert verdict(Equal(family, gain), record(numbers)).verdict == "holds"
    assert verdict(Equal(family, gain, none_apart=True), record(numbers)).verdict == "fails"
    each = Equal(family, gain, pooled=False)
    assert verdict(each, record(numbers)).verdict == "holds"
    far = record(numbers | {("nrs", "a"): around(130.0)})
    assert verdict(each, far).verdict == "fails"


def test_equality_of_one_seed_is_a_direction():
    found = verdict(same(), rpr(1.0, n=1))
    assert (found.verdict, found.note[:19]) == ("undecided", "direction only: for")


# -- ARGBEST and COUNT ---------------------------------------------------------------------------


def points(*means: float, n: int = 3):
    return record({(str(i), "a"): around(m, 1.0, n) for i, m in enumerate(means)})


def best(count: int, claimed: int = 0) -> ArgBest:
    return ArgBest(tuple(at(str(i)) for i in range(count)), claimed, lower=False)


def test_the_best_is_better_than_each_other():
    assert verdict(best(3), points(90.0, 80.0, 70.0)).verdict == "holds"
    near = verdict(best(3), points(90.0, 89.5, 70.0))
    assert (near.verdict, near.held, near.of) == ("undecided", 1, 2)
    assert verdict(best(3), points(80.0, 90.0, 70.0)).verdict == "fails"
    lower = ArgBest(best(3).candidates, 2, lower=True)
    assert verdict(lower, points(90.0, 80.0, 70.0)).verdict == "holds"


def test_one_that_beats_the_best_does_so_after_holm():
    p = stats.ttest_ind(around(0.0), around(3.0), equal_var=False).pvalue
    assert p < 0.05 < 3 * p
    assert verdict(best(2), points(80.0, 83.0)).verdict == "fails"
    assert verdict(best(4), points(80.0, 83.0, 80.0, 80.0)).verdict == "undecided"


def test_the_best_of_one_seed_is_a_direction():
    assert verdict(best(2), points(90.0, 80.0, n=1)).note == "direction only: for"
    assert verdict(best(2, 1), points(90.0, 80.0, n=1)).note == "direction only: against"


def balance(best: tuple[float, ...], other: tuple[float, ...]):
    """Of three candidates the second is said to be best, and not 2 below the first in the other."""
    numbers = {
        (str(i), data): around(value, 0.1)
        for data, values in (("a", best), ("b", other))
        for i, value in enumerate(values)
    }
    first, second = (tuple(at(str(i), data) for i in range(3)) for data in "ab")
    claimed = ArgBest(first, 1, lower=False)
    return verdict(BestBalance(claimed, second, baseline=0, margin=2.0), record(numbers))


@pytest.mark.parametrize(
    ("best", "other", "expected"),
    [
        ((70.0, 90.0, 70.0), (80.0, 80.0, 80.0), "holds"),
        ((70.0, 90.0, 70.0), (80.0, 95.0, 80.0), "holds"),
        ((70.0, 90.0, 70.0), (80.0, 75.0, 80.0), "undecided"),  # 5 below the baseline
        ((70.0, 60.0, 90.0), (80.0, 80.0, 70.0), "undecided"),  # better in one, not in both
        ((70.0, 60.0, 90.0), (80.0, 80.0, 90.0), "fails"),
    ],
)
def test_the_best_balance_is_best_in_one_and_not_worse_in_the_other(best, other, expected):
    found = balance(best, other)
    assert found.verdict == expected
    assert "below the baseline" in found.note


def in_some(at_least: int, *data: str) -> BetterIn:
    return BetterIn(gains(*data).family, at_least)


def test_so_many_are_better_and_none_is_worse():
    assert verdict(in_some(2, *"abc"), record(pairs([9.0, 9.0, 0.1]))).verdict == "holds"
    assert verdict(in_some(3, *"abc"), record(pairs([9.0, 9.0, 0.1]))).verdict == "undecided"
    worse = verdict(in_some(2, *"abc"), record(pairs([9.0, 9.0, -9.0])))
    assert worse.verdict == "fails"


def test_the_share_is_asked_of_what_a_preset_leaves():
    numbers = pairs([9.0, 9.0, 0.1, 0.1])
    shared = {(m, d): f"{m}{'x' if d in 'ab' else 'y'}" for m, d in numbers}
    found = verdict(in_some(2, *"abcd"), record(numbers, trials=shared))
    assert (found.verdict, found.held, found.of) == ("holds", 1, 2)


# -- what is not there ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ({"diverged": 1}, "1 diverged"),
        ({"failed": 1}, "1 failed"),
        ({"running": 1}, "1 running"),
        ({"missing": 1}, "1 not run"),
        ({"undefined": 1}, "1 undefined"),
    ],
)
def test_a_cell_that_is_not_complete_makes_the_claim_not_yet(lost, said):
    """A diverged run is never dropped: the two others would hold the claim."""
    numbers = pairs([9.0, 9.0])
    whole = record(numbers)
    assert verdict(gains(*"ab"), whole).verdict == "holds"
    numbers["erm", "b"] = summary([0.2, 0.21], **lost)
    found = verdict(gains(*"ab"), record(numbers))
    assert (found.verdict, found.note) == ("not yet", f"1 of 4 numbers lack: {said}")


def test_a_search_that_goes_on_and_a_stage_that_waits_are_not_yet():
    numbers = pairs([9.0])
    assert verdict(gains("a"), record(numbers, searched=(1, 4))).note.endswith("search 1/4")
    waits = record(numbers, waiting={("nrs", "a"): "waits for stage baseline"})
    assert verdict(gains("a"), waits).note == "1 of 2 numbers lack: waits for stage baseline"


def test_a_cell_that_no_artifact_has_is_not_yet():
    assert verdict(gains("z"), record(pairs([1.0]))).verdict == "not yet"
    assert verdict(gains("a", column="elsewhere"), record(pairs([1.0]))).verdict == "not yet"


def test_a_place_that_is_several_cells_is_an_error_of_the_predicate():
    several = AllBetter((Contrast(((1.0, at("nrs")), (-1.0, at("erm"))), ""),))
    vague = AllBetter(
        (Contrast(((1.0, type(at("nrs"))("test_error", {"method": "nrs"})),), "all data"),)
    )
    assert verdict(several, record(pairs([1.0, 1.0]))).verdict == "undecided"
    with pytest.raises(LookupError, match="2 cells"):
        verdict(vague, record(pairs([1.0, 1.0])))


def test_accuracy_is_in_the_unit_of_the_column():
    found = verdict(gains("a"), record(pairs([7.0]), ACCURACY))
    assert found.effect == pytest.approx(7.0)
