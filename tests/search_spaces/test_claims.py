"""The papers' sentences: the facts' own, and places that there are."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import search_spaces
from search_spaces import presets
from search_spaces.claim import (
    Approximates,
    Claim,
    Dearer,
    Diverges,
    Every,
    Property,
    Ratio,
    Text,
    gain_over,
    higher,
    lower,
    mean_of,
    places,
)
from search_spaces.spec import Artifact, Metric
from tests.facts import claims
from tests.sweep.claims.cases import at
from trainables.metric_name import CurveName, MetricName
from trainables.storage.result import TOTALS

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


def test_every_sentence_has_a_predicate_or_says_what_it_would_take() -> None:
    without = {c.id for c in CLAIMS if c.predicate is None}
    assert without == {
        *("amp-26", "infomcr-10", "infomcr-13", "infomcr-26", "infomcr-27"),
        *("nrs-16", "nrs-17", "nrs-18", "nrs-19", "nso-42", "nso-52"),
    }
    assert all(not c.artifacts and c.needs for c in CLAIMS if c.predicate is None)


def test_what_a_predicate_is_about_can_be_run() -> None:
    artifacts = {a for c in WRITTEN for a in c.judged_on}
    assert not [a for a in artifacts if shrunk(a, "paper").experiment.blocked]
    assert not [c.id for c in WRITTEN if c.needs]


def test_unit_tests_that_sentences_name_exist() -> None:
    """Each once, in the tests of what it is about."""
    named = [c.predicate.test for c in CLAIMS if isinstance(c.predicate, Property)]
    assert len(named) == 5
    defined = Counter(
        node.name
        for file in Path(__file__).parents[1].rglob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    )
    assert {name: defined[name] for name in named} == dict.fromkeys(named, 1)


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
        assert place.column in columns(artifact), place


def columns(artifact: Artifact) -> dict[str, Metric]:
    return {metric.key: metric for metric in (*artifact.view.metrics, *artifact.view.judged)}


@pytest.mark.parametrize("claim", WRITTEN, ids=lambda claim: claim.id)
def test_an_artifact_measures_all_that_its_claims_need(claim: Claim) -> None:
    """What every trial records by itself, or a measure that is asked for."""
    for place in places(claim.predicate):
        artifact = shrunk(place.artifact or claim.artifacts[0], "paper")
        asked = [measure.key for measure in artifact.experiment.measures]
        metric = columns(artifact)[place.column]
        for name in filter(None, (metric.name, metric.minus)):
            label = CurveName.parse(name).head
            own = MetricName(name).data_split or name in TOTALS or name.startswith("running_")
            assert own or any(MetricName(label).belongs_to(key) for key in asked), place


WITHOUT_SPREAD = Ratio | Dearer | Approximates | Diverges
"""Of costs, of an estimate with an error of its own, and of what happens once."""


@pytest.mark.parametrize("claim", WRITTEN, ids=lambda claim: claim.id)
def test_an_artifact_has_the_seeds_that_its_claims_need(claim: Claim) -> None:
    predicate = claim.predicate
    parts = predicate.parts if isinstance(predicate, Every) else (predicate,)
    if all(isinstance(part, WITHOUT_SPREAD) for part in parts):
        return
    for place in places(claim.predicate):
        experiment = shrunk(place.artifact or claim.artifacts[0], "paper").experiment
        (cell,) = (c for c in experiment.cells if place.key.items() <= c.key.items())
        assert experiment.last_stage(cell).seeds >= 3, place


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


def test_a_mean_of_contrasts_is_one_contrast() -> None:
    whole = mean_of([higher(at("nrs", d), at("erm", d)) for d in "ab"], "both")
    assert (whole.name, [w for w, _ in whole.terms]) == ("both", [0.5, -0.5, 0.5, -0.5])
    assert [place for _, place in whole.terms[:2]] == [at("nrs", "a"), at("erm", "a")]
