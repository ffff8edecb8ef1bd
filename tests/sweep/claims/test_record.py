"""Claims on records that have every planned trial, at the smallest preset."""

from __future__ import annotations

import random
from functools import cache

import pytest

import search_spaces
from search_spaces.claim import Property, Text
from search_spaces.spec import Artifact
from sweep import aggregate
from sweep.claims.record import alone, claims_of, judge_all, narrowed, needed
from sweep.claims.show import fields, short, words
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables.layout import render, table_of

RULE = aggregate.SELECTIONS["paper"]
NRS = claims_of("nrs")


def metrics_of(artifact: Artifact, trial_id: str) -> dict[str, float]:
    draw = random.Random(trial_id)
    names = {n for m in artifact.view.metrics for n in (m.name, m.minus) if n}
    names |= {"validation_error", "validation_nll", artifact.experiment.selection.on}
    read_at = ("", "best_test/", "best_validation/")
    every = (f"{at}{name}" for at in read_at for name in sorted({*names, "test_error"}))
    return {name: draw.uniform(0.1, 0.9) for name in every}


@cache
def filled(name: str, preset: str = "smoke") -> tuple[Plan, Record]:
    """Every trial of an artifact, with numbers drawn by its name."""
    artifact = search_spaces.apply(search_spaces.find(name), preset)
    runs: dict[str, Run] = {}
    while True:
        record = Record.from_runs(runs.values())
        planned = plan(artifact, preset, RULE, record)
        missing = planned.missing(record)
        if not missing:
            return planned, record
        for trial in missing:
            numbers = metrics_of(artifact, trial.trial_id)
            runs[trial.trial_id] = Run(trial.trial_id, "done", numbers)


def results(names: tuple[str, ...]) -> list[tuple[Plan, list[aggregate.CellResult]]]:
    return [(planned, aggregate.cells(planned, record)) for planned, record in map(filled, names)]


WITHOUT_CURVES = {"fa-04"}
"""A mean over epochs, which these records do not have."""


@pytest.mark.parametrize(
    ("paper", "judged"), [("nrs", 14), ("amp", 18), ("infomcr", 15), ("nso", 25), ("fa", 2)]
)
def test_on_a_full_record_every_claim_that_has_a_predicate_is_judged(
    paper: str, judged: int
) -> None:
    claims = claims_of(paper)
    found = judge_all(claims, results(needed(claims)))
    not_yet = {each.claim.id for each in found if each.finding.verdict == "not yet"}
    assert not_yet - WITHOUT_CURVES == {c.id for c in claims if c.predicate is None}
    never = {each.claim.id for each in found if each.finding.verdict == "never judged"}
    assert never == {c.id for c in claims if isinstance(c.predicate, Property | Text)}
    assert len(claims) - len(not_yet) - len(never) == judged
    assert all(bool(each.runs) for each in found if each.claim.id not in not_yet | never)


def test_a_claim_without_an_artifact_says_what_it_would_take() -> None:
    judged = judge_all(NRS, [])
    notes = {each.claim.id: each.finding.note for each in judged if not each.claim.artifacts}
    assert len(notes) == 4
    assert all(note.startswith("needs ") for note in notes.values())


def test_one_trial_that_diverged_makes_its_claims_not_yet() -> None:
    planned, record = filled("nrs/table2")
    lost = planned.trials[0].trial_id
    runs = [
        Run(t.trial_id, "diverged" if t.trial_id == lost else "done", metrics)
        for t in planned.trials
        for metrics in [{} if t.trial_id == lost else metrics_of(planned.artifact, t.trial_id)]
    ]
    record = Record.from_runs(runs)
    judged = alone(planned, aggregate.cells(planned, record))
    assert [(each.claim.id, each.finding.verdict) for each in judged] == [("nrs-08", "not yet")]
    assert "1 diverged" in judged[0].finding.note


def test_what_a_table_says_below_is_what_is_judged_on_it_alone() -> None:
    planned, record = filled("nrs/table3")
    judged = alone(planned, aggregate.cells(planned, record))
    assert [each.claim.id for each in judged] == ["nrs-13", "nrs-14"]
    table = table_of(planned, record)
    assert table.verdicts == tuple((each.claim.id, short(each)) for each in judged)
    for kind in ("terminal", "md", "html", "json"):
        assert "nrs-13" in render(table, kind)


def test_where_keeps_the_comparisons_of_the_cells_that_are_meant() -> None:
    chosen = {c.id: c for c in narrowed(NRS, {"model": "ViT-B16", "dataset": "Cifar10"})}
    assert len(chosen["nrs-01"].predicate.family) == 2
    assert len(chosen["nrs-02"].predicate.gains) == 2
    assert "nrs-12" not in chosen  # WideResNet alone
    assert "nrs-16" not in chosen  # of no cell
    assert narrowed(NRS, {"model": "no such"}) == ()
    assert narrowed(NRS, {}) == NRS
    assert "nrs-10" in {c.id for c in narrowed(NRS, {"dataset": "Cifar10"})}
    assert "nrs-10" not in {c.id for c in narrowed(NRS, {"dataset": "Cifar100"})}


def test_fields_and_words_of_a_claim() -> None:
    names = ("nrs/table3",)
    claims = [c for c in NRS if c.artifacts == names]
    judged = judge_all(claims, results(names), in_full=True)
    first = fields(judged[0])
    assert [*first][:11] == [
        *("id", "verdict", "held", "of", "margin", "effect", "interval", "p", "printed"),
        *("more_seeds", "runs"),
    ]
    assert first["id"] == "nrs-13"
    assert first["of"] == 2
    assert first["printed"] == "undecided"
    assert 0 <= first["power"] <= 1
    assert first["power_of"] == "measured"  # of other data: what is printed is no truth of it
    assert words(judged[0])["effect"].startswith("×")
    assert words(judged[2])["verdict"] == "never judged"


def test_at_the_papers_scale_the_power_is_of_the_printed_effects() -> None:
    planned, record = filled("nrs/table2", "paper")
    (judged,) = judge_all(
        [c for c in NRS if c.id == "nrs-08"],
        [(planned, aggregate.cells(planned, record))],
        in_full=True,
    )
    assert judged.finding.power_of == "printed"
    assert judged.finding.power == pytest.approx(0.5, abs=0.5)
    assert judged.printed is not None
    assert judged.printed.verdict == "holds"
