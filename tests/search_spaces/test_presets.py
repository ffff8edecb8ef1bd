"""The rules of `search_spaces.preset.Preset`, each on an artifact made up for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import search_spaces
from search_spaces import presets
from search_spaces.preset import KEEP, OTHERWISE, Preset
from search_spaces.spec import Artifact, Cell, Experiment, Measure, Metric, Notes, Stage, TableView

VGG = {"name": "vgg16", "dropout": 0.1, "hidden": (512,)}
TOY = Artifact(
    id="toy/table",
    experiment=Experiment(
        cells=(
            Cell({"model": "a"}, {"model": VGG}),
            Cell({"model": "b"}, {"model": "mlp", "epochs": 7, "batch_size": 32}),
        ),
        stages=(
            Stage("one", grid={"optimizer.lr": (1.0, 2.0, 3.0), "epochs": (5, 6)}, seeds=4),
            Stage("two", fields={"data.validation": 5000}, seeds=1),
        ),
        base={"data.validation": 0, "epochs": 10},
        measures=(
            Measure("hessian_trace", {"num_samples": 100}, samples=50),
            Measure("hessian_trace", {"num_samples": 100}, label="all", samples=1000),
        ),
    ),
    view=TableView(metrics=(Metric("test_error", "error"),), rows=("model",)),
    notes=Notes(""),
)


def shrink(**preset: Any) -> Artifact:
    return search_spaces.apply(TOY, Preset("test", "", **preset))


def test_1_a_given_field_becomes_what_its_substitution_has_for_its_value() -> None:
    shrunk = shrink(substitute={"batch_size": {32: 16}, "epochs": {7: 2}})
    assert shrunk.experiment.cells[1].fields == {"model": "mlp", "epochs": 2, "batch_size": 16}
    assert (
        shrunk.experiment.base == TOY.experiment.base
    )  # 10 has no entry; batch_size is not given there
    assert shrunk.notes.changes == ("epochs: 7 → 2", "batch_size: 32 → 16")


def test_1_a_part_goes_by_its_name() -> None:
    shrunk = shrink(substitute={"model": {"vgg16": "vgg_tiny", "mlp": {"name": "mlp", "width": 1}}})
    assert [cell.fields["model"] for cell in shrunk.experiment.cells] == [
        "vgg_tiny",
        {"name": "mlp", "width": 1},
    ]
    assert shrunk.notes.changes == ("model: vgg16 → vgg_tiny, mlp → smaller mlp",)


def test_1_otherwise_is_for_what_is_not_named_and_keep_leaves_it() -> None:
    shrunk = shrink(substitute={"data.validation": {0: KEEP, OTHERWISE: 0.1}})
    assert shrunk.experiment.base["data.validation"] == 0
    assert shrunk.experiment.stages[1].fields == {"data.validation": 0.1}


def test_2_options_of_a_replaced_part_are_dropped_but_for_those_with_an_entry() -> None:
    def model(**options: Any) -> Any:
        shrunk = shrink(substitute={"model": {OTHERWISE: "tiny"}, **options})
        return shrunk.experiment.cells[0].fields["model"]

    assert model() == "tiny"
    assert model(**{"model.dropout": KEEP}) == {"name": "tiny", "dropout": 0.1}
    assert model(**{"model.dropout": {0.1: 0.5}}) == {"name": "tiny", "dropout": 0.5}
    kept = shrink(substitute={"model": KEEP, "model.dropout": {0.1: 0.5}})
    assert kept.experiment.cells[0].fields["model"] == VGG


def test_3_other_fields_are_set_given_or_not() -> None:
    shrunk = shrink(fields={"epochs": 2, "data.subset": 100})
    assert shrunk.experiment.base == {"data.validation": 0, "epochs": 2, "data.subset": 100}
    assert shrunk.experiment.cells[1].fields == {"model": "mlp", "epochs": 2, "batch_size": 32}
    assert shrunk.notes.changes == ("epochs: 7 → 2, 5 6 → 2, 10 → 2", "data.subset: default → 100")


def test_3_options_below_a_field_that_is_set_are_dropped() -> None:
    given = {"data.augmentation": ("flip",), "data.augmentation.flip.probability": 0.1}
    toy = TOY.with_experiment(base={**given, "data.augmentationless": 1})
    shrunk = presets.apply(toy, Preset("tiny", "none", fields={"data.augmentation": ()}))
    assert shrunk.experiment.base == {"data.augmentation": (), "data.augmentationless": 1}


@pytest.mark.parametrize(("rule", "size"), [({32: 16}, 16), ({}, 32), (KEEP, 32)])
def test_3_a_field_with_a_substitution_is_no_other_field_where_it_is_given(
    rule: Any, size: int
) -> None:
    shrunk = shrink(fields={"batch_size": 1}, substitute={"batch_size": rule})
    assert shrunk.experiment.cells[1].fields["batch_size"] == size
    assert shrunk.experiment.base["batch_size"] == 1


def test_4_axes_are_thinned_and_those_that_are_set_are_taken_out() -> None:
    def grid(**preset: Any) -> Any:
        return shrink(**preset).experiment.stages[0].grid

    assert grid(axes={"epochs": 1}) == {"optimizer.lr": (1.0, 2.0, 3.0), "epochs": (6,)}
    assert grid(axes={OTHERWISE: 2, "epochs": 1}) == {"optimizer.lr": (1.0, 3.0), "epochs": (6,)}
    assert grid(fields={"epochs": 2}) == {"optimizer.lr": (1.0, 2.0, 3.0)}
    assert grid() == TOY.experiment.stages[0].grid


@pytest.mark.parametrize(
    ("count", "kept"),
    [(1, (3,)), (2, (1, 5)), (3, (1, 3, 5)), (5, (1, 2, 3, 4, 5)), (9, (1, 2, 3, 4, 5))],
)
def test_4_of_an_axis_the_first_and_the_last_are_kept_and_evenly_between(
    count: int, kept: tuple[int, ...]
) -> None:
    assert presets.thin((1, 2, 3, 4, 5), count) == kept


def test_5_seeds_are_capped() -> None:
    shrunk = shrink(seeds=2)
    assert [stage.seeds for stage in shrunk.experiment.stages] == [2, 1]
    assert shrunk.notes.changes == ("seeds: 4 → 2",)


def test_6_measures_get_options_and_no_more_samples_than_they_have() -> None:
    shrunk = shrink(
        measures={OTHERWISE: {"samples": 128}, "hessian_trace": {"num_samples": 5}},
    )
    assert [measure.samples for measure in shrunk.experiment.measures] == [50, 128]
    assert [measure.options for measure in shrunk.experiment.measures] == [{"num_samples": 5}] * 2


def test_the_example_of_the_docstring() -> None:
    tiny = Preset(
        "tiny",
        "two networks of 16 units",
        fields={"epochs": 4},
        substitute={
            "model": {"cnn": "cnn_tiny", OTHERWISE: "mlp_tiny"},
            "model.dropout": KEEP,
            "data.validation": {0: KEEP, OTHERWISE: 100},
        },
        axes={OTHERWISE: 2, "batch_size": 1},
    )
    grid = {"optimizer.lr": (0.1, 0.2, 0.3), "batch_size": (8, 16, 32)}
    printed = TOY.with_experiment(
        cells=(Cell({"model": "a"}, {"model": VGG, "data.validation": 5000}),),
        stages=(Stage("one", grid=grid),),
    )
    shrunk = search_spaces.apply(printed, tiny)
    assert shrunk.experiment.cells[0].fields == {
        "model": {"name": "mlp_tiny", "dropout": 0.1},
        "data.validation": 100,
    }
    assert shrunk.experiment.base == {"data.validation": 0, "epochs": 4}
    assert shrunk.experiment.stages[0].grid == {"optimizer.lr": (0.1, 0.3), "batch_size": (16,)}


def test_an_artifacts_own_preset_replaces_the_general_one() -> None:
    own = Preset("smoke", "", fields={"epochs": 3})
    shrunk = search_spaces.apply(replace(TOY, presets={"smoke": own}), "smoke")
    assert shrunk.experiment.base == {"data.validation": 0, "epochs": 3}
