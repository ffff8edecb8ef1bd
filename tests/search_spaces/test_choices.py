"""Every choice of every artifact: what it must have; and each of its values changes something."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

import search_spaces
from search_spaces.readings import read, read_all, taken
from search_spaces.spec import Artifact, Choice, Override, Paper, Reading
from sweep.aggregate import selection
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record

RUNNABLE = [a for a in search_spaces.artifacts() if not a.experiment.blocked]
CHOICES = [(a, c) for a in search_spaces.artifacts() for c in a.notes.choices]


NAMED = [(a, c) for a, c in CHOICES if c.name]
OTHERS = [
    pytest.param(artifact, choice.name, value, id=f"{artifact.id} {choice.name}={value}")
    for artifact, choice in NAMED
    if not artifact.experiment.blocked
    for value in choice.others
]


def test_a_choice_has_a_name_a_source_and_others_or_a_reason() -> None:
    incomplete = [
        (artifact.id, choice.what)
        for artifact, choice in CHOICES
        if not (choice.name and choice.source and bool(choice.others) != bool(choice.single))
    ]
    assert incomplete == []


@pytest.mark.parametrize(
    ("artifact", "choice"), NAMED, ids=lambda x: getattr(x, "id", None) or x.name
)
def test_a_named_choice_has_values_that_can_be_told_apart(
    artifact: Artifact, choice: Choice
) -> None:
    assert choice.name not in ("text", "code", "list")
    assert choice.name == choice.name.lower()
    assert not set(choice.name) & set("_ =")
    assert choice.default
    assert choice.default not in choice.others
    assert not any(set(value) & set(" =") or not value for value in choice.values)
    assert {choice.text, choice.code} - {""} <= set(choice.values)


@pytest.mark.parametrize("artifact", search_spaces.artifacts(), ids=lambda a: a.id)
def test_the_names_in_an_artifact_differ(artifact: Artifact) -> None:
    names = [choice.name for choice in artifact.notes.choices if choice.name]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("paper", search_spaces.papers(), ids=lambda p: p.key)
def test_a_name_has_the_same_values_in_all_artifacts_of_a_paper(paper: Paper) -> None:
    known: dict[str, set[str]] = {}
    for artifact in paper.artifacts:
        for choice in artifact.notes.choices:
            if choice.name:
                values = known.setdefault(choice.name, set(choice.values))
                assert values == set(choice.values), (artifact.id, choice.name)


def planned(artifact: Artifact, preset: str) -> Plan:
    shrunk = search_spaces.apply(artifact, preset)
    return plan(shrunk, preset, selection("paper"), Record.from_runs([]))


def recorded(artifact: Artifact, preset: str) -> list[Any]:
    """All that decides the numbers of a table: trials, labels, columns, selection.

    Of a trial that waits for a winner, also what it will take over: its id is provisional.
    """
    shrunk = search_spaces.apply(artifact, preset)
    experiment = shrunk.experiment
    trials = {
        (
            trial.trial_id,
            trial.awaits,
            experiment.stage(stage.name).without(trial.cell.fixed).inherit if trial.awaits else (),
        )
        for stage in planned(artifact, preset).stages
        for trial in (*stage.trials, *stage.expected)
    }
    columns = [
        (m.name, m.minus, m.epoch, m.relative_to, m.shown, m.scale) for m in shrunk.view.metrics
    ]
    rule = experiment.selection
    return [trials, {m.key for m in experiment.measures}, columns, (rule.on, rule.epoch)]


@pytest.mark.parametrize(("artifact", "name", "value"), OTHERS)
def test_every_value_changes_a_number(artifact: Artifact, name: str, value: str) -> None:
    other = read(artifact, name, value)
    assert other.variant.readings == {name: value}
    assert recorded(other, "paper") != as_it_is(artifact.id)


@cache
def as_it_is(artifact_id: str) -> list[Any]:
    return recorded(search_spaces.find(artifact_id), "paper")


def test_a_value_that_changes_nothing_would_be_found() -> None:
    """Nor do another head of a column and the same value again."""
    artifact = search_spaces.find("nrs/table3")
    (metric,) = artifact.view.metrics
    base = artifact.experiment.base
    for reading in (
        Reading("nothing"),
        Reading("a head", metrics={metric.key: {"label": "another head"}}),
        Reading("the same", (Override({}, {"optimizer.name": base["optimizer.name"]}),)),
    ):
        choice = Choice("what", "how", "why", name="made-up", default="a", others={"b": reading})
        made = read(artifact.with_notes(choices=(choice,)), "made-up", "b")
        assert recorded(made, "paper") == as_it_is(artifact.id)


@pytest.mark.parametrize("preset", [name for name in search_spaces.PRESETS if name != "paper"])
@pytest.mark.parametrize(("artifact", "name", "value"), OTHERS)
def test_every_value_can_be_planned_at_every_preset(
    artifact: Artifact, name: str, value: str, preset: str
) -> None:
    assert some_trials(planned(read(artifact, name, value), preset))


@pytest.mark.parametrize("bundle", ["text", "code"])
@pytest.mark.parametrize("artifact", RUNNABLE, ids=lambda a: a.id)
def test_a_bundle_is_all_that_says_so_and_can_be_planned(artifact: Artifact, bundle: str) -> None:
    values = taken(artifact, [bundle])
    said = {c.name: getattr(c, bundle) for c in artifact.notes.choices if c.name}
    assert values == {name: value for name, value in said.items() if value}
    assert some_trials(planned(read_all(artifact, values), "paper"))


def some_trials(found: Plan) -> bool:
    return any(stage.trials or stage.expected for stage in found.stages)
