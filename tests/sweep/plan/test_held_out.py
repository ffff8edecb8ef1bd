"""Images held out of training: the same for all cells that are compared, and said in words."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

import search_spaces
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Metric,
    Notes,
    Selection,
    Stage,
    TableView,
)
from sweep.aggregate import SELECTIONS
from sweep.plan import held_out
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables import layout
from tests.sweep.files.cases import artifact as file_artifact
from tests.sweep.files.cases import planned as file_plan

EMPTY = Record.from_runs([])
RUNNABLE = [artifact for artifact in search_spaces.artifacts() if not artifact.experiment.blocked]
ERROR = Metric("test_error", "error %", shown="percent")


def artifact(methods: dict[str, dict[str, object]], **changes: object) -> Artifact:
    """Rows named ``methods``, each with further fields; ``sam`` alone searches."""
    made = Artifact(
        id="test/table",
        experiment=Experiment(
            base={"epochs": 1, "data.validation": 0},
            cells=tuple(
                Cell({"method": name}, {"method": {"name": name}, **fields})
                for name, fields in methods.items()
            ),
            stages=(
                Stage("fixed", {"method": ("erm", "asam")}, seeds=1),
                Stage("searched", {"method": "sam"}, grid={"method.rho": (0.05, 0.1)}, seeds=1),
            ),
        ),
        view=TableView(rows=("method",), metrics=(ERROR,)),
        notes=Notes("a table"),
    )
    return made.with_experiment(**changes)


def planned(made: Artifact, rule: str, record: Record = EMPTY) -> Plan:
    return plan(made, "paper", SELECTIONS[rule], record)


def shares(found: Plan) -> dict[str, set[tuple[float, int | None]]]:
    """Data set -> what the trials that are shown hold out of it, and by which split."""
    held: dict[str, set[tuple[float, int | None]]] = {}
    for stage in found.stages:
        for trial in (*stage.trials, *stage.expected):
            if found.artifact.experiment.last_stage(trial.cell).name == stage.name:
                data = trial.config.data
                source = data.source.model_dump_json()
                held.setdefault(source, set()).add((data.validation, data.split_seed))
    return held


def followed(made: Artifact, rule: str) -> Plan | None:
    """Its plan; None if the rule is refused."""
    with contextlib.suppress(ValueError):
        return planned(made, rule)
    return None


@pytest.mark.parametrize("rule", SELECTIONS)
@pytest.mark.parametrize("preset", ["paper", "smoke"])
def test_all_cells_of_an_artifact_hold_out_the_same_of_a_data_set(rule: str, preset: str) -> None:
    refused = []
    for made in RUNNABLE:
        found = followed(search_spaces.apply(made, preset), rule)
        if found is None:
            refused.append(made.id)
            continue
        for source, held in shares(found).items():
            assert len(held) == 1, (made.id, source, held)
            validation, _ = held.pop()
            if rule == "best_validation":
                assert validation > 0, made.id
    assert refused == ([] if rule == "paper" else ["nso/figure6"])


def test_a_row_without_a_grid_holds_out_what_its_rivals_hold_out() -> None:
    """The Vision Transformer's baseline is not searched, its rivals are."""
    for stage in planned(search_spaces.find("nrs/table1"), "validation").stages:
        assert {t.config.data.validation for t in (*stage.trials, *stage.expected)} == {0.1}


def test_a_best_epoch_on_held_out_images_has_such_images_where_nothing_is_searched() -> None:
    found = planned(search_spaces.find("amp/table1"), "best_validation")
    assert {trial.config.data.validation for trial in found.trials} == {0.1}
    assert held_out.sentence(found) == "10 % of the training images, from every cell"


def test_rivals_hold_out_what_the_artifact_holds_out_elsewhere() -> None:
    made = artifact({"erm": {}, "asam": {"data.validation": 40, "data.split_seed": 3}, "sam": {}})
    assert shares(planned(made, "validation")).popitem()[1] == {(40, 3)}
    assert len(shares(planned(made, "paper")).popitem()[1]) == 2


def test_a_search_on_held_out_images_leaves_the_final_training_all_of_them() -> None:
    made = artifact(
        {"erm": {}, "sam": {}},
        stages=(
            Stage("plain", {"method": "erm"}, seeds=1),
            Stage("tune", {"method": "sam"}, grid={"method.rho": (0.05, 0.1)}, seeds=1),
            Stage("final", {"method": "sam"}, seeds=1, after="tune", inherit=("method.rho",)),
        ),
    )
    assert shares(planned(made, "validation")).popitem()[1] == {(0, None)}
    said = held_out.sentence(planned(made, "validation"))
    assert said == "nothing; 10 % of the training images in the search before (tune)"
    assert shares(planned(made, "best_validation")).popitem()[1] == {(0.1, None)}
    plain, tune, final = made.experiment.stages
    own = made.with_experiment(
        base={"data.validation": 40},
        stages=(plain, replace(tune, fields={"data.validation": 7}), final),
    )
    assert [
        {t.config.data.validation for t in (*stage.trials, *stage.expected)}
        for stage in planned(own, "validation").stages
    ] == [{40}, {7}, {40}]


def test_cells_on_other_data_are_not_compared() -> None:
    moons = {"data.source": "spirals"}
    made = artifact({"erm": {}, "asam": moons, "sam": {}})
    assert [held.pop()[0] for held in shares(planned(made, "validation")).values()] == [0.1, 0]


def test_different_images_held_out_of_one_data_set_are_refused() -> None:
    made = artifact({"erm": {"data.validation": 40}, "asam": {"data.validation": 41}, "sam": {}})
    with pytest.raises(
        ValueError,
        match=r"test/table cannot be compared under --selection validation: of one data set erm "
        r"holds out 40 images \(split_seed None\) and asam 41 images .* try --selection paper",
    ):
        planned(made, "validation")
    planned(made, "paper")
    planned(made, "best_test")


def test_a_criterion_that_no_trial_will_record_is_refused() -> None:
    for rule in ("validation", "best_validation", "best_test"):
        with pytest.raises(ValueError, match=r"nso/figure6 has no \w+_error .* loss is mse; try"):
            planned(search_spaces.find("nso/figure6"), rule)
    blind = artifact({"sam": {}}, selection=Selection("validation_error"))
    with pytest.raises(ValueError, match=r"holds no images out \(data\.validation = 0\)$"):
        planned(blind, "paper")
    blind = artifact({"erm": {}}, selection=Selection("test_error", "best_validation"))
    with pytest.raises(ValueError, match=r"erm · seed 0 holds no images out"):
        planned(blind, "paper")


def test_the_best_test_epoch_is_of_the_trials_of_the_paper() -> None:
    made = search_spaces.find("nrs/table1")
    optimistic, paper = planned(made, "best_test"), planned(made, "paper")
    assert [t.trial_id for t in optimistic.trials] == [t.trial_id for t in paper.trials]
    rule = SELECTIONS["best_test"]
    assert rule.criterion(made) == Selection("test_error", "best_test")
    assert "optimistic" in rule.sentence(made)
    assert "optimistic" in rule.sentence(search_spaces.find("nrs/table2"))  # nothing is searched


def test_the_header_says_what_is_held_out_and_from_which_cells() -> None:
    made = artifact({"erm": {}, "asam": {"data.validation": 4000}, "sam": {}})
    found = planned(made, "paper")
    assert held_out.sentence(found) == "nothing from method erm, sam; 4,000 images from method asam"
    record = Record.from_runs(Run(t.trial_id, "done", {"test_error": 0.5}) for t in found.trials)
    table = layout.table_of(found, record)
    for name in ("terminal", "md", "latex", "html", "json"):
        assert "4,000 images from method asam" in layout.render(table, name).replace("\n", " ")
    nothing = artifact({"erm": {}, "sam": {}})
    unseen = Cell({"method": "asam"}, {"method": "asam", "data.validation": 9}, hidden=True)
    nothing = nothing.with_experiment(cells=(*nothing.experiment.cells, unseen))
    assert held_out.sentence(planned(nothing, "paper")) == "nothing"


def test_a_data_set_of_ones_own_may_bring_validation_images() -> None:
    """A divided folder has them, and a plan reads no folder."""
    text = "name: x\nbase: {data.source: folder, model: mlp_tiny}\n"
    said = held_out.sentence(file_plan(file_artifact(text)))
    assert said == (
        "10 % of the training images, from every cell; where the data set has validation images "
        "of its own, these instead"
    )
    digits = file_artifact(text.replace("folder", "digits"))
    assert held_out.sentence(file_plan(digits)) == "10 % of the training images, from every cell"
    none = file_artifact(text.replace("{", "{data.validation: 0, "))
    assert held_out.sentence(file_plan(none)) == "nothing"
