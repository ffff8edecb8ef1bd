"""What a file becomes: cells, stages, points, presets, and what is shown."""

from __future__ import annotations

from typing import Any

import pytest

import search_spaces
from search_spaces.spec import CurveView, Epochs, InName, Label, MapView, Measure, Metric, Reported
from sweep.record.record import Record
from sweep.tables import table_of
from sweep.tables.text import comparison, header
from tests.sweep.files.cases import SMALL, artifact, ids, planned, points
from trainables import declared

BASE = "base: {model: mlp_tiny, epochs: 2}\n"
LR = "grid: {optimizer.lr: [0.1, 0.2]}\n"


def configs(text: str, preset: str = "full") -> list[dict[str, Any]]:
    found = planned(artifact(text), preset)
    return [t.config.flat() for stage in found.stages for t in (*stage.trials, *stage.expected)]


def test_a_row_has_its_own_grid_and_the_common_one() -> None:
    stages = artifact(SMALL).experiment.stages
    both = {"optimizer.lr": (0.05, 0.1), "method.rho": (0.01, 0.1)}
    assert [(s.name, s.where, s.grid, s.seeds) for s in stages] == [
        ("grid-ERM", {"method": "ERM"}, {"optimizer.lr": (0.05, 0.1)}, 2),
        ("grid-SAM", {"method": "SAM"}, both, 2),
    ]  # fmt: skip
    assert len(ids(planned(artifact(SMALL)))) == (2 + 4) * 2


def test_a_file_is_one_stage_where_all_rows_search_the_same() -> None:
    text = f"{BASE}{LR}compare: {{A: erm, B: sam}}\ncolumns: {{d: {{X: , Y: {{epochs: 3}}}}}}\n"
    (stage,) = artifact(text).experiment.stages
    assert (stage.name, stage.where) == ("grid", {})
    assert [tuple(c.key.values()) for c in artifact(text).experiment.cells] == [
        ("A", "X"), ("A", "Y"), ("B", "X"), ("B", "Y"),
    ]  # fmt: skip
    assert artifact(text).view.rows == ("method",)
    assert artifact(text).view.columns == ("d",)
    assert len(ids(planned(artifact(text)))) == 2 * 2 * 2 * 3


def test_what_a_row_fixes_is_not_searched_there() -> None:
    text = f"{BASE}{LR}compare: {{A: {{optimizer.lr: 0.5}}, B: sam}}\n"
    assert points(text, "A") == [{}]
    assert {c["optimizer.lr"] for c in configs(text) if c["method.name"] == "erm"} == {0.5}
    own = f"{BASE}{LR}compare: {{A: {{grid: {{optimizer.lr: [0.3]}}}}, B: sam}}\n"
    assert points(own, "A") == [{"optimizer.lr": 0.3}]
    assert points(own, "B") == [{"optimizer.lr": 0.1}, {"optimizer.lr": 0.2}]


def test_points_of_a_row_take_the_place_of_the_common_grid() -> None:
    text = f"{BASE}{LR}compare: {{A: {{points: [{{optimizer.lr: 0.5, epochs: 1}}]}}, B: sam}}\n"
    assert points(text, "A") == [{"optimizer.lr": 0.5, "epochs": 1}]
    together = "points: [{epochs: 1, batch_size: 32}, {epochs: 1, batch_size: 64}]\n"
    fixed = f"{BASE}{together}compare: {{A: {{batch_size: 16}}, B: {{epochs: 5}}}}\n"
    assert points(fixed, "A") == [{"epochs": 1}]
    assert points(fixed, "B") == [{"batch_size": 32}, {"batch_size": 64}]


def test_a_row_may_have_seeds_of_its_own_and_be_hidden() -> None:
    text = f"{BASE}compare: {{A: {{seeds: 7}}, B: {{method: sam, hidden: true}}}}\n"
    made = artifact(text)
    assert [(s.name, s.seeds) for s in made.experiment.stages] == [("train-A", 7), ("train-B", 3)]
    assert [cell.hidden for cell in made.experiment.cells] == [False, True]


def test_an_entry_of_a_column_may_search_too() -> None:
    text = f"{BASE}compare: {{A: erm, B: sam}}\ncolumns:\n  d:\n"
    text += "    X: {grid: {epochs: [1, 2]}}\n    Y:\n"
    made = artifact(text)
    assert [(s.name, s.where) for s in made.experiment.stages] == [
        ("grid-X", {"d": "X"}), ("train-Y", {"d": "Y"}),
    ]  # fmt: skip


def test_cells_whose_spaces_are_no_product_have_a_stage_each() -> None:
    text = (
        f"{BASE}compare:\n  A: {{optimizer.lr: 0.1}}\n  B:\n"
        "columns:\n  d:\n    X: {optimizer.lr: 0.1}\n    Y:\n"
        "grid: {optimizer.lr: [0.1, 0.2]}\n"
    )
    made = artifact(text)
    covered = [
        (stage.name, [tuple(c.key.values()) for c in made.experiment.cells if stage.covers(c)])
        for stage in made.experiment.stages
    ]
    assert covered == [
        ("train-A-X", [("A", "X")]), ("train-A-Y", [("A", "Y")]), ("train-B-X", [("B", "X")]),
        ("grid-B-Y", [("B", "Y")]),
    ]  # fmt: skip


def test_settings_that_go_together_are_tried_with_every_point_of_the_grid() -> None:
    text = (
        f"{BASE}{LR}points:\n"
        "- {loss: cross_entropy, epochs: 1}\n"
        "- {loss: mse, grid: {epochs: [2, 3]}}\n"
        "compare: {A: {points: [{batch_size: 32}, {batch_size: 64}]}}\n"
    )
    found = points(text, "A")
    assert len(found) == 3 * 2 * 2
    assert {(p["loss"], p["epochs"]) for p in found} == {
        ("cross_entropy", 1), ("mse", 2), ("mse", 3),
    }  # fmt: skip
    assert {(p["batch_size"], p["optimizer.lr"]) for p in found} == {
        (32, 0.1), (32, 0.2), (64, 0.1), (64, 0.2),
    }  # fmt: skip


def test_a_conditional_grid_names_fields_that_others_have_not() -> None:
    text = (
        f"{BASE}points:\n"
        "- {optimizer.name: sgd, grid: {optimizer.momentum: [0, 0.9]}}\n"
        "- {optimizer.name: adam, optimizer.betas: [0.8, 0.9]}\n"
        "then: {seeds: 5}\n"
    )
    found = configs(text)
    assert sorted({(c["optimizer.name"], c["optimizer.momentum"]) for c in found}) == [
        ("adam", 0.9), ("sgd", 0.0), ("sgd", 0.9),
    ]  # fmt: skip
    assert artifact(text).experiment.stages[1].inherit == (
        "optimizer.name", "optimizer.momentum", "optimizer.betas",
    )  # fmt: skip


def test_a_grid_may_be_a_range() -> None:
    text = f"{BASE}grid: {{optimizer.lr: {{log: [1e-3, 1e-1], num: 3}}}}\n"
    assert points(text, "erm") == [{"optimizer.lr": lr} for lr in (0.001, 0.01, 0.1)]
    box = "{optimizer.lr: {log: [1e-3, 1e-1]}, epochs: [1, 2]}"
    drawn = f"{BASE}points: {{sobol: {box}, num: 4}}\n"
    assert points(drawn, "erm")[0] == {"optimizer.lr": 0.01, "epochs": 2}
    assert len(points(drawn, "erm")) == 4


def test_then_trains_the_winner_of_each_search() -> None:
    stages = artifact(f"{SMALL}then: {{seeds: 5, epochs: 4}}\n").experiment.stages
    assert [(s.name, s.after, s.inherit, s.seeds, dict(s.fields)) for s in stages[1::2]] == [
        ("then-ERM", "grid-ERM", ("optimizer.lr",), 5, {"epochs": 4}),
        ("then-SAM", "grid-SAM", ("optimizer.lr", "method.rho"), 5, {"epochs": 4}),
    ]  # fmt: skip


def test_stages_may_follow_one_another_and_search_on() -> None:
    text = f"{BASE}{LR}then:\n"
    text += "- {optimizer.momentum: 0.5, grid: {optimizer.lr: [0.3, 0.4]}}\n- {seeds: 9}\n"
    first, second, third = artifact(text).experiment.stages
    assert (second.name, second.after, second.inherit) == ("then1", "grid", ())
    assert (third.name, third.after, third.inherit) == ("then2", "then1", ("optimizer.lr",))
    assert (first.seeds, second.seeds, third.seeds) == (3, 3, 9)


def test_a_winner_hands_on_a_whole_part_where_the_part_is_searched() -> None:
    text = (
        f"{BASE}points: [{{method: sam, method.rho: 0.2}}, {{method: erm}}]\nthen: {{seeds: 5}}\n"
    )
    assert artifact(text).experiment.stages[1].inherit == ("method",)


def test_options_that_a_handed_on_part_would_lose_are_refused() -> None:
    """``method`` of the winner would come first, and 0.1 would take the place of its 0.2."""
    text = "base: {method.rho: 0.1}\npoints: [{method: sam, method.rho: 0.2}, {method: asam}]\n"
    assert len(ids(planned(artifact(text)))) == 6
    with pytest.raises(ValueError, match=r"^f\.yaml:1: method is searched, and its winner"):
        artifact(f"{text}then: {{seeds: 5}}\n")


def test_fields_may_be_written_one_in_another() -> None:
    nested = "base: {optimizer: {lr: 0.3, momentum: 0.5}, data: {source: {name: digits}}}\n"
    dotted = "base: {optimizer.lr: 0.3, optimizer.momentum: 0.5, data.source: digits}\n"
    assert ids(planned(artifact(nested))) == ids(planned(artifact(dotted)))
    one = artifact("compare: {A: {method: {name: sam, rho: 0.2}, optimizer: {lr: 0.3}}}\n")
    other = artifact("base: {method: sam}\ncompare: {A: {method.rho: 0.2, optimizer.lr: 0.3}}\n")
    assert ids(planned(one)) == ids(planned(other))
    third = artifact("base: {method: sam}\ncompare: {A: {method: {rho: 0.2}, optimizer.lr: 0.3}}\n")
    assert ids(planned(third)) == ids(planned(other))


def test_one_of_several_augmentations_is_searched_by_its_name() -> None:
    text = (
        "base: {data.augmentation: [flip, cutout]}\ngrid: {data.augmentation.cutout.size: [2, 3]}\n"
    )
    assert len(ids(planned(artifact(text)))) == 6
    with pytest.raises(
        ValueError, match=r"^f\.yaml:2: data\.augmentation\.mixup\.size: there must"
    ):
        artifact(text.replace("cutout.size", "mixup.size"))


def test_options_of_a_part_without_its_name_are_of_the_usual_one() -> None:
    named = "base: {model: mlp, model.widths: [8]}\ngrid: {model.dropout: [0.1, 0.2]}\n"
    assert ids(planned(artifact(named))) == ids(
        planned(artifact(named.replace("model: mlp, ", "")))
    )
    with_rows = artifact("base: {method.rho: 0.1}\ncompare: {A: {method: {name: sam}}}\n")
    one_row = artifact("compare: {A: {method: sam, method.rho: 0.1}}\n")
    assert ids(planned(with_rows)) == ids(planned(one_row))


def test_the_row_of_a_star_is_every_method_without_a_row() -> None:
    text = "base: {schedule: {name: step, milestones: [0.5]}}\ncompare:\n"
    text += '  "*": {grid: {optimizer.lr: [0.1]}, budget: gradients}\n  sam: {method: erm}\n'
    cells = artifact(text).experiment.cells
    assert [c.key["method"] for c in cells] == [
        *(name for name in declared.names("methods") if name != "sam"), "sam",
    ]  # fmt: skip
    assert {c.budget for c in cells if c.key["method"] != "sam"} == {"gradients"}
    assert [c.fields["method"] for c in cells[:-1]] == [c.key["method"] for c in cells[:-1]]
    assert cells[-1].fields["method"] == "erm"
    names = [stage.name for stage in artifact(text).experiment.stages]
    assert names == ["train-1", "train-sam"]  # no name is as long as a list of all methods


def test_what_is_judged_on() -> None:
    def on(text: str) -> str:
        return artifact(text).experiment.selection.on

    assert on(BASE) == "validation_error"
    assert on("base: {data.validation: 0}\n") == "test_error"
    assert on("base: {loss: mse}\n") == "validation_loss"
    assert on(f"{BASE}select: {{on: test_nll}}\n") == "test_nll"


def said(text: str, preset: str = "full") -> dict[str, str]:
    found = planned(artifact(text), preset)
    return dict(header(table_of(found, Record.from_runs([]))))


def test_a_table_says_what_it_is_and_on_what_it_was_judged() -> None:
    found = said(f"{BASE}{LR}")
    assert found["preset"] == "full: as written"
    assert found["selection"].startswith(
        "as written: the grid point with the lowest mean validation_"
    )
    assert "optimistic" not in found["selection"]
    assert found["held out"] == "10 % of the training images, from every cell"
    tested = said(f"base: {{model: mlp_tiny, data.validation: 0}}\n{LR}")
    assert "(chosen on the test set, so optimistic)" in tested["selection"]
    assert tested["held out"] == "nothing"


def test_presets_are_the_files_own() -> None:
    text = f"{SMALL}presets: {{tiny: {{epochs: 1, seeds: 1, axes: 1, optimizer.momentum: 0.5}}}}\n"
    found = planned(artifact(text), "tiny")
    assert [(t.seed, t.config.epochs, t.config.optimizer.momentum) for t in found.trials] == 2 * [
        (0, 1, 0.5)
    ]
    assert said(text, "tiny")["preset"] == ("tiny: epochs = 1, optimizer.momentum = 0.5, seeds = 1")
    together = "[{epochs: 3, batch_size: 32}, {epochs: 4, batch_size: 32}]"
    made = artifact(f"{BASE}points: {together}\npresets: {{tiny: {{epochs: 1}}}}\n")
    (stage,) = search_spaces.apply(made, "tiny").experiment.stages
    assert stage.settings == ({"batch_size": 32},)
    for papers in search_spaces.PRESETS:
        with pytest.raises(
            ValueError, match=rf"unknown preset of mine/x {papers!r}.*: full, tiny$"
        ):
            search_spaces.apply(artifact(text), papers)


def test_published_numbers_stand_beside() -> None:
    text = SMALL + (
        "metrics: [test_error, test_nll]\nprinted:\n"
        "- {method: SAM, test_error: 3.1±0.2, test NLL: 0.5}\n"
        "- {test_nll: {mean: 1, n: 5, note: theirs, comparable: false}}\n"
    )
    erm, sam = artifact(text).experiment.cells
    theirs = Reported(1.0, n=5, note="theirs", comparable=False)
    assert erm.reported == {"test_nll": theirs}
    assert sam.reported == {"test_error": Reported(3.1, 0.2), "test_nll": theirs}
    found = table_of(planned(artifact(text)), Record.from_runs([]))
    assert "Welch" in comparison(found)


def test_columns_of_a_table_are_shown_as_is_usual_for_them() -> None:
    text = f"{BASE}measures: [hessian_trace, {{name: hessian_trace, label: early, at: [0.5]}}]\n"
    text += (
        "metrics:\n- test_error\n- hessian_trace\n- early\n"
        "- {name: test_nll, digits: 1, label: N, better: higher}\n"
        "- {name: device_seconds, relative_to: {method: erm}}\n"
        "- {name: test_error, minus: train_error}\n"
    )
    made = artifact(text)
    assert made.view.metrics[:4] == (
        Metric("test_error", "test error %", shown="percent"),
        Metric("hessian_trace", "hessian trace", better="neither", digits=3),
        Metric("early", "early", better="neither", digits=3),
        Metric("test_nll", "N", better="higher", digits=1),
    )
    assert [(m.key, m.label) for m in made.view.metrics[4:]] == [
        ("device_seconds/ratio", "device seconds / erm"),
        ("test_error-train_error", "test error - train_error"),
    ]
    assert made.experiment.measures == (
        Measure("hessian_trace"), Measure("hessian_trace", label="early", at=(0.5,)),
    )  # fmt: skip


def test_figures() -> None:
    text = SMALL + (
        "figures:\n- {x: epoch, y: [test_nll]}\n"
        "- {x: method.rho, panels: [method]}\n- {x: method}\n"
        "- {in_name: radius, y: [perturbation_gap]}\n- {over_plane: landscape_2d}\n"
        "measures: [perturbation_gap, landscape_2d]\n"
    )
    found = artifact(text).figures
    assert [type(view) for view in found] == [*4 * [CurveView], MapView]
    assert [view.x for view in found[:4] if isinstance(view, CurveView)] == [
        Epochs(), Label("method.rho"), Label("method"), InName("radius"),
    ]  # fmt: skip
    assert [m.name for m in found[0].metrics] == ["test_nll"]
    assert [m.name for m in found[1].metrics] == ["test_error"]


def test_a_budget_of_time_goes_by_measured_step_times() -> None:
    text = f"{BASE}budget: time\ncompare: {{A: sam, B: {{method: sam, budget: epochs}}}}\n"
    made = artifact(text)
    assert [c.budget for c in made.experiment.cells] == ["time", "epochs"]
    assert made.experiment.step_times
    assert {c["epochs"] for c in configs(text)} == {1, 2}
