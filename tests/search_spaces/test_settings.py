"""Fields that are set in all trials of an artifact, and its number of seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import search_spaces
from search_spaces import presets
from search_spaces.settings import with_seeds, with_settings
from search_spaces.spec import Artifact, Cell, Experiment, Metric, Notes, Stage, TableView
from sweep.aggregate import selection
from sweep.plan.expand import PlannedTrial, plan
from sweep.record.record import Record

MADE = Artifact(
    id="made/table",
    experiment=Experiment(
        base={"model": {"name": "mlp", "dropout": 0.1}, "epochs": 2, "optimizer.lr": 0.3},
        cells=(
            Cell({"method": "erm", "epochs": "9"}, {"epochs": 9}),
            Cell({"method": "sam", "epochs": "2"}, {"method": "sam", "model.widths": (8,)}),
            Cell({"method": "common"}, hidden=True),
        ),
        stages=(
            Stage("common", {"method": "common"}, {}, {"optimizer.lr": (0.1, 0.5)}, 1),
            Stage("tune", {"method": "sam"}, {}, {"method.rho": (0.1, 0.2)}, 1),
            Stage("sam", {"method": "sam"}, {"epochs": 3}, {}, 3, "tune", None, ("method",)),
            Stage("erm", {"method": "erm"}, {}, {}, 1, "common", (), ("optimizer.lr",)),
        ),
    ),
    view=TableView(rows=("method", "epochs"), metrics=(Metric("test_error", "error"),)),
    notes=Notes("made"),
)


def planned(artifact: Artifact) -> list[PlannedTrial]:
    stages = plan(artifact, "paper", selection("paper"), Record.from_runs([])).stages
    return [trial for stage in stages for trial in (*stage.trials, *stage.expected)]


def values(artifact: Artifact, path: str) -> set[Any]:
    return {trial.config.flat()[path] for trial in planned(artifact)}


def test_a_field_that_is_set_is_so_in_every_trial() -> None:
    """Whoever gives it: base, cell, stage."""
    assert values(MADE, "epochs") == {2, 3, 9}
    assert values(with_settings(MADE, {"epochs": 5}), "epochs") == {5}


def test_a_field_that_is_set_is_neither_searched_nor_taken_over() -> None:
    """The search for it alone falls out, with its hidden cell."""
    found = with_settings(MADE, {"optimizer.lr": 0.9})
    assert values(found, "optimizer.lr") == {0.9}
    assert [stage.name for stage in found.experiment.stages] == ["tune", "sam", "erm"]
    assert found.experiment.stage("erm").after is None
    assert [cell.key["method"] for cell in found.experiment.cells] == ["erm", "sam"]
    assert len(planned(found)) == len(planned(MADE)) - 2


def test_an_option_outlives_the_part_that_is_taken_over() -> None:
    """Stage ``sam`` takes over the whole method of its winner."""
    sam = MADE.with_experiment(cells=MADE.experiment.cells[1:2], stages=MADE.experiment.stages[1:3])
    found = with_settings(sam, {"method.rho": 0.7})
    assert {t.config.method.options["rho"] for t in planned(found)} == {0.7}
    assert found.experiment.stage("tune").grid == {}


def test_an_option_outlives_the_part_that_a_stage_gives() -> None:
    bare = {k: v for k, v in MADE.experiment.base.items() if k != "model"}
    stage = Stage("all", fields={"model": {"name": "mlp", "widths": (4,)}})
    cells = (Cell({"method": "erm", "epochs": "2"}),)
    artifact = MADE.with_experiment(base=bare, cells=cells, stages=(stage,))
    found = with_settings(artifact, {"model.widths": [5]})
    assert {tuple(t.config.model.options["widths"]) for t in planned(found)} == {(5,)}


def test_a_part_that_is_set_has_no_options_of_the_one_before() -> None:
    found = with_settings(MADE, {"model": {"name": "mlp_tiny"}, "method": "erm"})
    assert {t.config.model.name for t in planned(found)} == {"mlp_tiny"}
    assert {t.config.method.name for t in planned(found)} == {"erm"}
    assert [stage.name for stage in found.experiment.stages] == ["common", "sam", "erm"]
    searched = Stage("all", grid={"model.dropout": (0.1, 0.2), "optimizer.lr": (0.1, 0.2)})
    found = with_settings(MADE.with_experiment(stages=(searched,)), {"model": "mlp_tiny"})
    assert list(found.experiment.stage("all").grid) == ["optimizer.lr"]


def test_of_fields_that_are_tried_together_the_others_still_are() -> None:
    together = [{"optimizer.lr": lr, "epochs": e} for lr, e in ((0.1, 3), (0.2, 3), (0.1, 4))]
    artifact = MADE.with_experiment(
        cells=MADE.experiment.cells[1:2], stages=(Stage("all", settings=tuple(together), seeds=1),)
    )
    found = with_settings(artifact, {"optimizer.lr": 0.9})
    assert found.experiment.stage("all").settings == ({"epochs": 3}, {"epochs": 4})
    assert [t.config.optimizer.lr for t in planned(found)] == [0.9, 0.9]
    assert found.notes.changes == ("--set optimizer.lr: 0.3, 0.1, 0.2 → 0.9",)
    assert found.experiment.cells[0].fixed == ("optimizer.lr",)


def test_a_part_is_set_before_its_options() -> None:
    found = with_settings(MADE, {"model.widths": [5], "model": "mlp"})
    assert {tuple(t.config.model.options["widths"]) for t in planned(found)} == {(5,)}


def test_rows_are_labelled_by_what_is_run() -> None:
    erm, sam, *_ = with_settings(MADE, {"epochs": 2}).experiment.cells
    assert erm.label("epochs") == "2, for 9"
    assert sam.label("epochs") == "2"
    assert erm.label("method") == "erm"
    erm, sam, *_ = with_settings(MADE, {"method": "sam"}).experiment.cells
    assert erm.label("method") == "sam, for erm"


def test_what_is_set_is_said_and_the_numbers_are_none_of_the_papers() -> None:
    found = with_settings(MADE, {"epochs": 5, "optimizer.clip_norm": 1.0})
    assert found.notes.changes == (
        "--set epochs: 2, 9, 3 → 5",
        "--set optimizer.clip_norm: default → 1.0",
    )
    preset = presets.of(found, "paper")
    assert not preset.comparable
    assert "as printed" not in preset.summary
    assert presets.of(MADE, "paper").comparable


def test_the_options_that_give_a_variant() -> None:
    found = with_settings(MADE, {"model": {"name": "mlp", "widths": (5,)}, "epochs": 5})
    assert found.variant.options() == [
        "--set 'model={\"name\": \"mlp\", \"widths\": [5]}'",
        "--set epochs=5",
    ]  # fmt: skip


def test_seeds_are_those_of_the_numbers_that_are_shown() -> None:
    """A search of one seed a point stays as it is, unless it is what the table shows."""
    found = {stage.name: stage.seeds for stage in with_seeds(MADE, 5).experiment.stages}
    assert found == {"common": 1, "tune": 1, "sam": 5, "erm": 5}
    common, *others = MADE.experiment.stages
    several = MADE.with_experiment(stages=(replace(common, seeds=2), *others))
    assert with_seeds(several, 5).experiment.stages[0].seeds == 5
    searched = Stage("one", grid={"optimizer.lr": (0.1, 0.2)}, seeds=1)
    one = MADE.with_experiment(cells=MADE.experiment.cells[:2], stages=(searched,))
    assert with_seeds(one, 3).experiment.stages[0].seeds == 3
    assert with_seeds(one, 3).variant == one.variant


def test_every_artifact_takes_a_field_and_seeds() -> None:
    """At preset smoke, with and without searches before."""
    for artifact in search_spaces.artifacts():
        if artifact.experiment.blocked:
            continue
        shrunk = search_spaces.apply(artifact, "smoke")
        found = planned(with_settings(shrunk, {"batch_size": 32}))
        assert {trial.config.batch_size for trial in found} == {32}, artifact.id
        shown = [s for s in with_seeds(shrunk, 4).experiment.stages if s.seeds == 4]
        last = {
            shrunk.experiment.last_stage(c).name for c in shrunk.experiment.cells if not c.hidden
        }
        assert last <= {stage.name for stage in shown}, artifact.id
