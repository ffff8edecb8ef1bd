"""The papers' sentences: the facts' own, and places that there are."""

from __future__ import annotations

from functools import cache

import pytest

import search_spaces
from search_spaces import presets
from search_spaces.claim import Claim, Property, Text, gain_over, higher, lower, places
from search_spaces.spec import Artifact
from tests.facts import claims
from tests.sweep.claims.cases import at

FACTS = claims()
CLAIMS = [claim for paper in search_spaces.papers() for claim in paper.claims]
WRITTEN = [claim for claim in CLAIMS if claim.predicate is not None]


def test_every_sentence_of_a_paper_is_there_as_the_facts_have_it() -> None:
    papers = {claim.id.partition("-")[0] for claim in CLAIMS}
    known = {
        i: (f["kind"], f["claim"], f["source"]) for i, f in FACTS.items() if f["paper"] in papers
    }
    assert {c.id: (c.kind, c.sentence, c.source) for c in CLAIMS} == known
    assert len(CLAIMS) == len({c.id for c in CLAIMS})


def test_how_many_have_a_predicate() -> None:
    """What is left is visible: it is ``not yet``, with what it would take, or not written yet."""
    counts = {
        paper.key: (sum(c.predicate is not None for c in paper.claims), len(paper.claims))
        for paper in search_spaces.papers()
        if paper.claims
    }
    assert counts == COUNTS
    unwritten = {c.id for c in CLAIMS if c.predicate is None and not c.needs}
    assert unwritten == {f"{paper}-{n:02}" for paper, ns in UNWRITTEN.items() for n in ns}


COUNTS = {"amp": (20, 27), "fa": (4, 10), "infomcr": (16, 27), "nrs": (15, 19), "nso": (29, 52)}
"""Paper -> how many sentences have a predicate, and how many there are."""
UNWRITTEN: dict[str, tuple[int, ...]] = {
    "amp": (19, 22, 23),
    "fa": (2, 3, 6, 7, 10),
    "infomcr": (4, 8, 9, 12, 19, 22, 23),
    "nso": (1, 7, 8, 9, 12, 14, 15, 16, 18, 23, 25, 28, *range(34, 39), 43, 50, 51),
}
"""Those that have an artifact and no predicate."""


@cache
def shrunk(artifact: str, preset: str) -> Artifact:
    return search_spaces.apply(search_spaces.find(artifact), preset)


@pytest.mark.parametrize("claim", WRITTEN, ids=lambda claim: claim.id)
@pytest.mark.parametrize("preset", presets.PRESETS)
def test_every_place_is_one_cell_and_one_column_at_every_preset(claim: Claim, preset: str) -> None:
    for place in places(claim.predicate):
        artifact = shrunk(place.artifact or claim.artifacts[0], preset)
        cells = [c for c in artifact.experiment.cells if place.key.items() <= c.key.items()]
        assert len(cells) == 1, (artifact.id, place)
        assert place.column in [metric.key for metric in artifact.view.metrics], place


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_artifacts_are_known_and_kinds_are_judged_as_they_should(claim: Claim) -> None:
    for artifact in claim.artifacts:
        assert search_spaces.find(artifact)
    assert (claim.kind == "text") == isinstance(claim.predicate, Text)
    if claim.predicate is not None:
        assert (claim.kind == "property") == isinstance(claim.predicate, Property)
    assert (
        bool(claim.artifacts) or bool(claim.needs) or isinstance(claim.predicate, Property | Text)
    )


def test_contrasts_are_named_by_what_their_sides_differ_in() -> None:
    gain = higher(at("nrs"), at("erm"))
    assert (gain.name, [w for w, _ in gain.terms]) == ("a: nrs, erm", [1.0, -1.0])
    assert [w for w, _ in lower(at("nrs"), at("erm")).terms] == [1.0, -1.0]
    assert lower(at("nrs"), at("erm")).terms[0][1] == at("erm")
    assert [w for w, _ in gain_over(gain, gain).terms] == [1.0, -1.0, -1.0, 1.0]
