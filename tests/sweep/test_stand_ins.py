"""Tables, figures and runs say what was run, and still find a cell by the paper's labels."""

from __future__ import annotations

import json

import pytest

import search_spaces
from search_spaces.spec import (
    Artifact,
    Cell,
    CurveView,
    Epochs,
    Experiment,
    Label,
    Metric,
    Notes,
    Reported,
    Stage,
)
from sweep.aggregate import SELECTIONS
from sweep.cli.listing import plan_as_dict
from sweep.figures import drawing
from sweep.figures.data import panels
from sweep.plan.cost import estimate
from sweep.plan.expand import Plan, every_cell, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables.layout import FORMATS, render
from tests.sweep.tables.cases import FOUR, THREE, table_of

DIGITS = {"data": "digits"}
TWICE = {
    (method, data): {"data": "digits"} for data in ("Cifar10", "Cifar100") for method in ("a", "b")
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("down", [True, False])
def test_every_format_says_what_was_run_and_for_what(kind, down):
    numbers = {key: THREE if key[0] == "a" else FOUR for key in TWICE}
    layout = {"rows": ("method", "data")} if down else {"rows": ("method",), "columns": ("data",)}
    trials = {key: key[0] for key in TWICE}
    table = table_of(numbers, ("method", "data"), ran=TWICE, trials=trials, **layout)
    text = render(table, kind)
    if kind == "json":
        place = "row" if down else "column"
        for cell in json.loads(text)["cells"]:
            assert cell[place]["data"] in ("Cifar10", "Cifar100")
            assert cell["ran"] == DIGITS
        return
    assert "digits, for Cifar10" in text
    assert "digits, for Cifar100" in text
    assert text.count("Cifar") == text.count("for Cifar")


def test_json_of_what_ran_as_printed_says_so():
    table = table_of({("a",): THREE}, reported={("a",): {"test_error": Reported(1.0)}})
    assert [cell["ran"] for cell in json.loads(render(table, "json"))["cells"]] == [{}]


# -- figures -----------------------------------------------------------------------------------


def drawn(
    keys: list[dict[str, str]], ran: list[dict[str, str]], x: Label | Epochs, **fields
) -> Plan:
    cells = tuple(Cell(k, {"seed": 0}, ran=r) for k, r in zip(keys, ran, strict=True))
    artifact = Artifact(
        id="p/figure",
        experiment=Experiment(cells=cells, stages=(Stage("train", seeds=1),)),
        view=CurveView(
            x=x, rows=tuple(keys[0]), metrics=(Metric("test_error", "error"),), **fields
        ),
        notes=Notes("A figure"),
    )
    distinct = [
        Cell(c.key, {"epochs": i + 1}, ran=c.ran) for i, c in enumerate(artifact.experiment.cells)
    ]
    return plan(
        artifact.with_experiment(cells=tuple(distinct)), "smoke", SELECTIONS["paper"], NOTHING
    )


NOTHING = Record.from_runs([])


def finished(planned: Plan) -> Record:
    numbers = {"test_error": 0.5}
    return Record.from_runs(
        Run(t.trial_id, "done", numbers, {"test_error": [0.6, 0.5]}) for t in planned.trials
    )


def test_panels_are_titled_by_what_was_run():
    keys = [{"data": d, "method": m} for d in ("Cifar10", "Cifar100") for m in "ab"]
    planned = drawn(keys, [DIGITS] * 4, Epochs(), panels=("data",))
    ((first, second),) = panels(planned, finished(planned))
    assert (first.title, second.title) == ("digits, for Cifar10", "digits, for Cifar100")


def test_lines_and_single_networks_are_called_by_what_was_run():
    keys = [{"model": m, "size": s} for m, s in (("VGG16", "8"), ("ViT", "16"))]
    ran = [{"model": "vgg_tiny", "size": "4"}, {"model": "vit_tiny", "size": "8"}]
    planned = drawn(keys, ran, Epochs())
    ((panel,),) = panels(planned, finished(planned))
    assert [line.name for line in panel.lines] == [
        "vgg_tiny, for VGG16, size 4, for 8",
        "vit_tiny, for ViT, size 8, for 16",
    ]


def test_a_number_along_x_is_the_one_that_was_run():
    keys = [{"batch size": b} for b in ("128", "256")]
    planned = drawn(keys, [{"batch size": "16"}, {"batch size": "32"}], Label("batch size"))
    ((panel,),) = panels(planned, finished(planned))
    assert [point.x for point in panel.lines[0].points] == [16, 32]
    assert panel.categories == []


def test_words_along_x_say_what_was_run():
    planned = drawn([{"data": "SVHN"}, {"data": "Cifar10"}], [DIGITS] * 2, Label("data"))
    ((panel,),) = panels(planned, finished(planned))
    assert panel.categories == ["digits, for SVHN", "digits, for Cifar10"]
    axes = drawing.figure_of(planned, finished(planned)).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == [
        "digits,\nfor SVHN",
        "digits,\nfor Cifar10",
    ]


def test_printed_values_stand_at_the_papers_own_number():
    planned = drawn([{"batch size": "128"}], [{"batch size": "16"}], Label("batch size"))
    cell = planned.artifact.experiment.cells[0]
    printed = Cell(cell.key, cell.fields, {"test_error": Reported(0.4)}, ran=cell.ran)
    planned = plan(
        planned.artifact.with_experiment(cells=(printed,)), "smoke", SELECTIONS["paper"], NOTHING
    )
    ((panel,),) = panels(planned, finished(planned))
    assert [x for x, _ in panel.lines[0].printed] == [128]
    assert [point.x for point in panel.lines[0].points] == [16]


# -- presets -----------------------------------------------------------------------------------

NAMED = {"dataset": "data.source", "task": "data.source", "model": "model"}
RUNNABLE = [artifact for artifact in search_spaces.artifacts() if not artifact.experiment.blocked]


def part(artifact: Artifact, cell: Cell, path: str) -> str:
    """Name of the part that is run for ``cell``."""
    value = {**artifact.experiment.base, **cell.fields}.get(path, "")
    return value["name"] if isinstance(value, dict) else value


@pytest.mark.parametrize("preset", ["small", "laptop", "smoke"])
@pytest.mark.parametrize("artifact", RUNNABLE, ids=[a.id for a in RUNNABLE])
def test_labels_and_titles_name_the_parts_that_run(artifact, preset):
    """Against the fields themselves: data set and network of every cell."""
    shrunk = search_spaces.apply(artifact, preset)
    for printed, cell in zip(artifact.experiment.cells, shrunk.experiment.cells, strict=True):
        assert cell.key == printed.key
        for label, path in NAMED.items():
            before, after = part(artifact, printed, path), part(shrunk, cell, path)
            if after != before:
                title = shrunk.notes.title.removeprefix(artifact.notes.title)
                assert after in title.replace(",", "").split()
                assert (
                    label not in cell.key or cell.label(label) == f"{after}, for {cell.key[label]}"
                )
            elif label == "dataset":
                assert cell.label(label) == cell.key.get(label, "")


@pytest.mark.parametrize("artifact", RUNNABLE, ids=[a.id for a in RUNNABLE])
def test_what_runs_as_printed_is_labelled_as_printed(artifact):
    assert search_spaces.apply(artifact, "paper") == artifact
    assert not any(cell.ran for cell in artifact.experiment.cells)


def test_no_two_places_of_a_sweep_have_one_label():
    table = search_spaces.apply(search_spaces.find("nrs/table1"), "smoke")
    labels = [tuple(map(cell.label, cell.key)) for cell in table.experiment.cells]
    assert len(set(labels)) == len(labels)
    assert labels[0] == (
        "vgg_tiny, for VGG16", "Baseline", "digits, for Cifar10", "none, for Basic"
    )  # fmt: skip
    assert table.notes.title.endswith(
        "on Cifar10 and Cifar100; here on digits with vgg_tiny, resnet18_tiny, wrn_tiny, "
        "pyramidnet_tiny, vit_tiny"
    )


def test_numbers_that_a_preset_changes_are_labels_too():
    for name, preset, shown in [
        ("nso/figure5", "smoke", {"batch size": "16, for 8"}),
        ("nso/figure4", "smoke", {"value": "0.001"}),
        ("infomcr/figure2", "smoke", {"confusion": "0"}),
    ]:
        cell = search_spaces.apply(search_spaces.find(name), preset).experiment.cells[0]
        assert {label: cell.label(label) for label in shown} == shown
    epochs = search_spaces.apply(search_spaces.find("nso/figure4"), "smoke")
    labels = {c.label("value"): c.fields.get("epochs") for c in epochs.experiment.cells}
    assert {"2, for 20": 2, "4, for 40": 4, "6, for 60": 6}.items() <= labels.items()


def test_cells_are_found_by_the_papers_labels():
    """``--where``, and the cell of a planned trial in JSON."""
    table = search_spaces.apply(search_spaces.find("nrs/table1"), "smoke")
    where = {"method": "NRS", "model": "VGG16", "dataset": "Cifar100", "augmentation": "Basic"}
    (cell,) = (c for c in every_cell(table) if where.items() <= c.key.items())
    assert cell.key == where
    assert cell.label("dataset") == "digits, for Cifar100"
    planned = plan(table, "smoke", SELECTIONS["paper"], NOTHING)
    tree = plan_as_dict(planned, NOTHING, estimate(planned, NOTHING, None))
    first = json.loads(json.dumps(tree))["stages"][0]["trials"][0]
    assert first["cell"]["dataset"] == "Cifar10"
    assert first["ran"]["dataset"] == "digits"


def test_a_run_is_named_after_what_it_trained():
    table = search_spaces.apply(search_spaces.find("nrs/table1"), "smoke")
    first = plan(table, "smoke", SELECTIONS["paper"], NOTHING).trials[0]
    assert first.name.startswith("vgg_tiny, for VGG16 · Baseline · digits, for Cifar10 · ")
    figure = search_spaces.apply(search_spaces.find("infomcr/figure4"), "smoke")
    first = plan(figure, "smoke", SELECTIONS["paper"], NOTHING).trials[0]
    assert first.name == "batch size=16, for 128 · seed 0"


def test_a_legend_counts_trials_that_two_panels_show_once():
    keys = [{"data": d, "method": m} for d in ("Cifar10", "Cifar100") for m in "ab"]
    for fields, n in [([1, 2, 1, 2], "1 diverged"), ([1, 2, 3, 4], "2 diverged")]:
        cells = tuple(
            Cell(key, {"epochs": epochs}, ran=DIGITS)
            for key, epochs in zip(keys, fields, strict=True)
        )
        planned = drawn(keys, [DIGITS] * 4, Epochs(), panels=("data",))
        artifact = planned.artifact.with_experiment(cells=cells, stages=(Stage("train", seeds=2),))
        planned = plan(artifact, "smoke", SELECTIONS["paper"], NOTHING)
        runs = [
            Run(t.trial_id, "diverged" if t.seed else "done", {}, {"test_error": [0.6, 0.5]})
            for t in planned.trials
        ]
        (legend,) = drawing.figure_of(planned, Record.from_runs(runs)).legends
        assert [t.get_text() for t in legend.get_texts()] == [f"{m} (n = 1/2, {n})" for m in "ab"]
