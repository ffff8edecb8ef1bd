"""The papers' own printed numbers, judged, give what the facts say of them."""

from __future__ import annotations

from collections import Counter

import pytest

import search_spaces
from search_spaces.claim import Claim, Place, Property, Text
from sweep.claims.evidence import printed
from sweep.claims.judge import on_print
from sweep.comparison import Sample
from tests.facts import claims

FACTS = claims()
CLAIMS = [claim for paper in search_spaces.papers() for claim in paper.claims]
JUDGED = [c for c in CLAIMS if c.predicate and not isinstance(c.predicate, Property | Text)]
PRINTED = printed(search_spaces.artifacts())
SAID = {
    "supported": {"holds"},
    "contradicted": {"fails"},
    "undecided": {"weak", "undecided", "not yet"},
}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_verdict_on_print(claim: Claim) -> None:
    found, said = on_print(claim, PRINTED), FACTS[claim.id]["printed_evidence"]["verdict"]
    if isinstance(claim.predicate, Text):
        assert (found.verdict, said) == ("never judged", "undecided")
    else:
        assert found.verdict in SAID[said], found


def test_how_many_of_the_sentences_the_printed_numbers_support() -> None:
    """Of all 135; what is judged on no number, for want of one, is undecided."""
    verdicts = Counter(on_print(claim, PRINTED).verdict for claim in CLAIMS)
    assert (verdicts["holds"], verdicts["fails"], verdicts["never judged"]) == (37, 2, 8)
    assert sum(verdicts.values()) - 37 - 2 - 8 == 88


def test_smallest_gain_and_pooled_difference_of_nrs_are_those_of_the_facts() -> None:
    """nrs-01: smallest +0.46, p = .023. nrs-02: mean -0.0015, 90 % interval -0.06 to 0.06."""
    first, second = (on_print(c, PRINTED) for c in _of("nrs-01", "nrs-02"))
    assert (first.held, first.of) == (20, 20)
    assert (first.margin, first.margin_p) == (pytest.approx(0.46), pytest.approx(0.023, abs=5e-4))
    assert second.effect == pytest.approx(-0.0015)
    assert (second.low, second.high) == (
        pytest.approx(-0.06, abs=5e-3),
        pytest.approx(0.06, abs=5e-3),
    )


def _of(*ids: str) -> list[Claim]:
    return [claim for claim in JUDGED if claim.id in ids]


@pytest.mark.parametrize(("claim", "n", "expected"), [("nrs-01", 3, 0.61), ("nrs-01", 5, 0.98)])
def test_a_run_again_of_the_printed_effects(claim: str, n: int, expected: float) -> None:
    """The facts' own simulation; 2,000 draws have a standard error of 1.1 %."""
    from sweep.claims import families, power

    (found,) = _of(claim)
    read = lambda place: PRINTED.entry(place, found.artifacts[0])  # noqa: E731
    family = families.comparisons(found.predicate.family, read)
    assert power.of_all_better(family, n - 3) == pytest.approx(expected, abs=0.04)


def test_a_verdict_that_the_printed_digits_decide_is_none() -> None:
    """As printed nso-49 holds and nso-13 fails; of the roundings in 55 and in 90 %."""
    judged = [on_print(claim, PRINTED) for claim in _of("nso-13", "nso-49")]
    assert [found.verdict for found in judged] == ["undecided", "undecided"]
    assert [found.note[:8] for found in judged] == ["it fails", "it holds"]


def test_a_spread_of_unknown_runs_is_read_as_one_over_those_of_the_other_numbers() -> None:
    """NSO's traces: sentences read their spreads so, and nothing else is drawn from them."""
    table = search_spaces.find("nso/table4")
    where = {"method": "SAM", "rho": "0.02"}
    (cell,) = (c for c in table.experiment.cells if where.items() <= c.key.items())
    assert cell.reported["nso_code_trace"].n is None
    found = printed([table]).entry(Place("nso_code_trace", where), table.id).sample
    assert found == Sample(3159.0, 75.0, 5)
