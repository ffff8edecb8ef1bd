"""Some cells of an artifact, and what they need."""

from __future__ import annotations

import pytest

import search_spaces
from search_spaces.spec import Artifact
from sweep.plan.expand import plan
from sweep.plan.where import chosen, only
from sweep.record.record import Record
from sweep.selection import selection
from tests.sweep.files.cases import SMALL, artifact, ids, planned
from trainables.errors import UsageError

RUNNABLE = [made for made in search_spaces.artifacts() if not made.experiment.blocked]


def test_the_cells_with_these_entries_stay() -> None:
    some = chosen(artifact(SMALL), {"method": "SAM"})
    assert [cell.key for cell in some.experiment.cells] == [{"method": "SAM"}]
    assert [stage.name for stage in some.experiment.stages] == ["grid-SAM"]
    assert ids(planned(some)) < ids(planned(artifact(SMALL)))


def test_cells_that_a_ratio_is_to_stay_hidden() -> None:
    text = f"{SMALL}metrics: [{{name: device_seconds, relative_to: {{method: ERM}}}}]\n"
    some = chosen(artifact(text), {"method": "SAM"})
    assert [(c.key["method"], c.hidden) for c in some.experiment.cells] == [
        ("ERM", True), ("SAM", False),
    ]  # fmt: skip


def test_an_artifact_fans_out_first() -> None:
    made = search_spaces.find("compare/methods")
    some = chosen(made, {"method": "sam", "budget": "equal time"})
    shown = [cell.key for cell in some.experiment.cells if not cell.hidden]
    assert shown == [{"method": "sam", "budget": "equal time"}]
    assert {c.key["method"] for c in some.experiment.cells if c.hidden} == {"erm"}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            {"metod": "SAM"},
            "unknown label of mine/x 'metod' (did you mean 'method'?); known: method",
        ),
        (
            {"method": "SAN"},
            "unknown method of mine/x 'SAN' (did you mean 'SAM'?); known: ERM, SAM",
        ),
    ],
)
def test_what_is_not_there_is_said(where: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(artifact(SMALL), where)
    assert str(refused.value) == said


MEASURED = SMALL.replace("epochs: 2", "epochs: 1, data.subset: 100") + (
    "measures: [hessian_trace]\n"
    "metrics: [test_error, {name: device_seconds, relative_to: {method: ERM}}]\n"
)


def test_some_cells_of_a_plan_are_the_same_trials_measured_the_same() -> None:
    whole = planned(artifact(MEASURED))
    assert all(map(whole.measures_of, whole.trials))
    some = only(whole, {"method": "SAM"})
    assert [(c.key["method"], c.hidden) for c in some.cells] == [("ERM", True), ("SAM", False)]
    assert ids(some) == ids(whole)
    for trial in some.trials:
        (same,) = [t for t in whole.trials if t.trial_id == trial.trial_id]
        assert some.measures_of(trial) == whole.measures_of(same)
    whole = planned(artifact(f"{MEASURED}then: {{epochs: 2, seeds: 3}}\n"))
    alone = only(whole, {"method": "ERM"})
    assert [s.name for s in alone.stages] == [s.name for s in whole.stages if "ERM" in s.name]
    assert ids(alone) < ids(whole)


@pytest.mark.parametrize("rule", ["paper", "best_validation"])
@pytest.mark.parametrize("made", RUNNABLE, ids=lambda made: made.id)
def test_each_row_of_an_artifact_is_trials_of_it(made: Artifact, rule: str) -> None:
    """What is held out depends on all cells that compete, those that are not chosen among them."""
    shrunk = search_spaces.apply(made, "smoke")
    try:
        whole = plan(shrunk, "smoke", selection(rule), Record.from_runs([]))
    except UsageError:
        return  # a rule that some losses cannot follow
    label = next(iter(whole.cells[0].key))
    entries = dict.fromkeys(c.key[label] for c in whole.cells if label in c.key and not c.hidden)
    chosen_ids = set()
    for entry in entries:
        some = only(whole, {label: entry})
        shown = {tuple(c.key.items()) for c in some.cells if not c.hidden}
        assert shown == {
            tuple(c.key.items()) for c in whole.cells if c.key.get(label) == entry and not c.hidden
        }
        assert some.variant == whole.variant
        chosen_ids |= ids(some)
    assert chosen_ids <= ids(whole)


def test_entries_that_no_cell_has_together_are_said() -> None:
    text = SMALL + "columns: {images: {all: {}, few: {data.subset: 100}}}\n"
    made = artifact(text)
    cells = tuple(c for c in made.experiment.cells if c.key != {"method": "SAM", "images": "few"})
    some = made.with_experiment(cells=cells)
    with pytest.raises(UsageError) as refused:
        only(planned(some), {"method": "SAM", "images": "few"})
    assert str(refused.value) == (
        "mine/x has no cell with method=SAM, images=few, though it has some with each"
    )
