"""Claims on records that have every planned trial, at the smallest preset."""

from __future__ import annotations

import random
from functools import cache

import pytest

import search_spaces
from search_spaces.claim import Claim, Property, Text
from search_spaces.readings import read
from search_spaces.spec import Artifact, CurveView, InName
from sweep import aggregate
from sweep.claims.judge import Judged
from sweep.claims.record import alone, claims_of, judge_all, narrowed, needed
from sweep.claims.show import fields, short, words
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables.layout import render, table_of
from trainables.metric_name import CurveName, MetricName

RULE = aggregate.SELECTIONS["paper"]
NRS = claims_of("nrs")


AT = ("-1.000", "-0.500", "0.000", "0.500", "1.000")
"""Points of curves over numbers in names, and their number that of epochs."""


def names_of(artifact: Artifact) -> list[str]:
    """What its trials record: the numbers of its columns, and of the points of its curves."""
    view = artifact.view
    columns = (*view.metrics, *view.judged)
    names = {m.name for m in columns}
    if isinstance(view, CurveView) and isinstance(view.x, InName):
        curves = map(CurveName.parse, names)
        names = {f"{curve.head}/{x}{curve.tail}" for curve in curves for x in AT}
    names |= {m.minus for m in columns if m.minus}
    asked = {measure.key for measure in artifact.experiment.measures}
    names |= {key for key in asked if not any(MetricName(n).belongs_to(key) for n in names)}
    names |= {"validation_error", "validation_nll", artifact.experiment.selection.on}
    return sorted({*names, "test_error"})


def run_of(artifact: Artifact, trial_id: str) -> Run:
    """A trial that is done, with numbers and curves drawn by its name."""
    draw = random.Random(trial_id)
    names = names_of(artifact)
    read_at = ("", "best_test/", "best_validation/")
    numbers = {f"{at}{name}": draw.uniform(0.1, 0.9) for at in read_at for name in names}
    curves = {name: [draw.uniform(0.1, 0.9) for _ in AT] for name in names}
    return Run(trial_id, "done", numbers, curves)


@cache
def filled(name: str, preset: str = "smoke") -> tuple[Plan, Record]:
    """Every trial of an artifact, with every number that its measures give."""
    artifact = search_spaces.apply(search_spaces.find(name), preset)
    runs: dict[str, Run] = {}
    while True:
        record = Record.from_runs(runs.values())
        planned = plan(artifact, preset, RULE, record)
        missing = planned.missing(record)
        if not missing:
            return planned, record
        runs |= {t.trial_id: run_of(artifact, t.trial_id) for t in missing}


def judged_on(claims: tuple[Claim, ...], in_full: bool = False) -> list[Judged]:
    """On full records of all that they need."""
    found = [filled(name) for name in needed(claims)]
    results = [(planned, aggregate.cells(planned, record)) for planned, record in found]

    def curve(trial: str, name: str) -> list[tuple[int, float]]:
        return next((c for _, record in found if (c := record.curve(trial, name))), [])

    return judge_all(claims, results, in_full, curve)


@pytest.mark.parametrize(
    ("paper", "judged"), [("nrs", 14), ("amp", 23), ("infomcr", 21), ("nso", 45), ("fa", 8)]
)
def test_on_a_full_record_every_claim_that_has_an_artifact_is_judged(
    paper: str, judged: int
) -> None:
    """Of the others it is said what they would take."""
    claims = claims_of(paper)
    found = judged_on(claims)
    not_yet = {e.claim.id: e.finding.note for e in found if e.finding.verdict == "not yet"}
    assert not_yet == {c.id: f"needs {c.needs}" for c in claims if c.needs}
    never = {each.claim.id for each in found if each.finding.verdict == "never judged"}
    assert never == {c.id for c in claims if isinstance(c.predicate, Property | Text)}
    assert len(claims) - len(not_yet) - len(never) == judged
    assert all(bool(each.runs) for each in found if each.claim.id not in not_yet.keys() | never)


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
        for metrics in [{} if t.trial_id == lost else run_of(planned.artifact, t.trial_id).metrics]
    ]
    record = Record.from_runs(runs)
    judged = alone(planned, aggregate.cells(planned, record))
    assert [(each.claim.id, each.finding.verdict) for each in judged] == [("nrs-08", "not yet")]
    assert "1 diverged" in judged[0].finding.note


def test_what_a_table_says_below_is_what_is_judged_on_it_alone() -> None:
    planned, record = filled("nrs/table3")
    judged = alone(planned, aggregate.cells(planned, record), record.curve)
    assert [each.claim.id for each in judged] == ["nrs-13", "nrs-14"]
    table = table_of(planned, record)
    assert table.verdicts == tuple((each.claim.id, short(each)) for each in judged)
    for kind in ("terminal", "md", "html", "json"):
        assert "nrs-13" in render(table, kind)


def test_what_is_said_of_a_curve_stands_below_its_figure() -> None:
    planned, record = filled("nso/figure3")
    verdicts = dict(table_of(planned, record).verdicts)
    assert {"nso-16", "nso-17", "nso-18", "nso-19", "nso-50"} == verdicts.keys()
    assert not [said for said in verdicts.values() if said.startswith("not yet")]
    without = alone(planned, aggregate.cells(planned, record))
    lacking = [each.claim.id for each in without if each.finding.verdict == "not yet"]
    assert lacking == ["nso-16", "nso-18", "nso-50"]


def test_a_column_is_found_by_another_reading_of_it() -> None:
    """Of a trace that is measured otherwise: the paper's file calls the column what it did."""
    as_filed = search_spaces.find("nso/table4")
    other = search_spaces.apply(read(as_filed, "trace", "largest-batch"), "smoke")
    assert other.view.metrics[0].key != as_filed.view.metrics[0].key
    planned = plan(other, "smoke", RULE, Record.from_runs([]))
    runs = [run_of(other, trial.trial_id) for trial in planned.trials]
    record = Record.from_runs(runs)
    planned = plan(other, "smoke", RULE, record)
    record = Record.from_runs(runs + [run_of(other, t.trial_id) for t in planned.missing(record)])
    planned = plan(other, "smoke", RULE, record)
    found = alone(planned, aggregate.cells(planned, record))
    assert [each.finding.verdict for each in found if each.claim.id == "nso-28"] != ["not yet"]


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
    judged = judged_on(tuple(c for c in NRS if c.artifacts == ("nrs/table3",)), in_full=True)
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
