"""Which rows a search has, what is tried in each, and the artifact that is planned for it."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest

import search_spaces
from search_spaces.spec import Artifact, Cell, Measure, Metric, Stage, Variant
from sweep.aggregate import SELECTIONS
from sweep.plan.expand import Plan, plan
from sweep.plan.searched_rows import SearchedRow, search_artifact, searched_rows
from sweep.record.record import Record
from sweep.record.runs import Run
from tests.sweep.cases import TINY
from trainables import methods
from trainables.errors import UsageError
from trainables.needs import Searched

EMPTY = Record.from_runs([])
RATES = (0.01, 0.1)
STAGED = (
    replace(TINY, id="test/staged")
    .with_experiment(
        cells=tuple(
            Cell(
                {"method": method, "data": data},
                {"method": {"name": method}, "data.validation": 40, "data.subset": 150 + index},
            )
            for method in ("erm", "sam", "asam")
            for index, data in enumerate("ab")
        ),
        stages=(
            Stage("rate", {"method": "erm"}, grid={"optimizer.lr": RATES}, seeds=2),
            Stage(
                "rho",
                {"method": "sam"},
                grid={"method.rho": (0.05, 0.5), "optimizer.nesterov": (True, False)},
                seeds=2,
                after="rate",
                match=("data",),
                inherit=("optimizer.lr",),
            ),
            Stage("alone", {"method": "asam"}, seeds=2),
        ),
    )
    .with_view(rows=("method", "data"))
)


def planned(artifact: Artifact, record: Record = EMPTY) -> Plan:
    return plan(artifact, "smoke", SELECTIONS["validation"], record)


def as_tried(artifact: Artifact) -> Artifact:
    return search_artifact(artifact, [(row, row.grid) for row in searched_rows(artifact)])


def rows(artifact: Artifact) -> dict[str, SearchedRow]:
    return {row.name: row for row in searched_rows(artifact)}


def test_a_row_is_searched_along_its_grid_or_along_what_its_method_declares() -> None:
    found = rows(STAGED)
    assert [*found] == [f"search:{m}/{d}" for m in ("erm", "sam", "asam") for d in "ab"]
    assert [*found["search:sam/b"].axes] == ["method.rho", "optimizer.nesterov"]
    assert len(found["search:sam/b"].grid) == 4
    assert found["search:erm/a"].axes["optimizer.lr"].values == RATES
    declared = methods.registry.searched("asam")["rho"]
    axis = found["search:asam/a"].axes["method.rho"]
    assert (axis.values, axis.source) == (declared.values, declared.source)


def test_the_settings_of_a_row_are_the_first_point_of_what_its_method_declares() -> None:
    (own, *others) = rows(STAGED)["search:asam/a"].grid
    assert own == {"method.rho": 0.1}  # asam's default
    values = methods.registry.searched("asam")["rho"].values
    assert [point["method.rho"] for point in others] == [v for v in values if v != 0.1]
    far = TINY.with_experiment(
        base={**TINY.experiment.base, "optimizer.lr": 0.3}, cells=TINY.experiment.cells[1:]
    )
    (row,) = searched_rows(far, {"optimizer.lr": (0.01, 1.0)})
    assert row.grid[0] == {"method.rho": 0.05, "optimizer.lr": 0.3}
    assert {point["optimizer.lr"] for point in row.grid} == {0.3}
    assert row.axes["optimizer.lr"].low == 0.01


def test_a_default_outside_of_what_was_searched_widens_the_range() -> None:
    away = {"rho": Searched((0.1, 0.2), "somebody")}  # sam's own is 0.05
    with patch.object(methods.registry, "searched", lambda _: away):
        found = rows(TINY.with_experiment(cells=TINY.experiment.cells[1:]))
    assert found["search:sam"].axes["method.rho"].values == (0.05, 0.1, 0.2)


def test_what_a_part_declares_as_a_list_is_tried_as_listed() -> None:
    nso = TINY.with_experiment(cells=(Cell({"method": "nso"}, {"method": {"name": "nso"}}),))
    axes = rows(nso)["search:nso"].axes
    assert {name: axis.between for name, axis in axes.items()} == {
        "method.sigma": True, "method.num_perturbations": False,
    }  # fmt: skip


def test_a_row_is_searched_in_the_last_of_its_stages_that_has_several_points() -> None:
    twice = STAGED.with_experiment(
        stages=(
            Stage("first", grid={"optimizer.lr": RATES}),
            Stage("second", grid={"optimizer.momentum": (0.5, 0.9)}, after="first"),
            Stage("last", after="second", inherit=("optimizer.momentum",)),
        )
    )
    assert {row.stage.name for row in searched_rows(twice)} == {"second"}


def test_of_settings_that_go_together_a_row_tries_those_and_no_others() -> None:
    settings = ({"optimizer.lr": 0.1, "batch_size": 32}, {"optimizer.lr": 0.2, "batch_size": 64})
    made = TINY.with_experiment(
        stages=(Stage("t", grid={"epochs": (1, 2)}, settings=settings, seeds=1),)
    )
    row = rows(made)["search:sam"]
    assert (row.axes, len(row.grid)) == ({}, 4)
    assert [*row.tried(row.grid).points()] == row.grid


@pytest.mark.parametrize(
    "fields", [{"method": {"name": "sam", "rho": 0.2}}, {"method": "sam", "method.rho": 0.2}]
)
def test_what_a_row_sets_itself_is_not_searched(fields: dict[str, object]) -> None:
    artifact = TINY.with_experiment(cells=(Cell({"method": "SAM"}, fields),))
    assert rows(artifact)["search:SAM"].axes == {}


def test_what_is_fixed_in_a_row_is_not_searched_and_a_range_of_it_is_left_out() -> None:
    fields = {"method": {"name": "sam"}, "optimizer.lr": 0.3}
    artifact = TINY.with_experiment(
        cells=(Cell({"method": "sam"}, fields, fixed=("optimizer.lr",)),),
        stages=(Stage("t", grid={"optimizer.lr": RATES, "method.rho": (0.1, 0.2)}, seeds=1),),
    )
    assert [*rows(artifact)["search:sam"].axes] == ["method.rho"]
    with pytest.raises(UsageError, match=r"--range optimizer\.lr: no row of test/tiny can have it"):
        searched_rows(artifact, {"optimizer.lr": (0.001, 1)})


def test_a_row_with_nothing_to_search_has_one_point() -> None:
    row = rows(TINY)["search:erm"]
    assert (row.axes, row.grid) == ({}, [{}])
    assert len(planned(as_tried(TINY)).stages[0].trials) == TINY.experiment.stages[0].seeds


@pytest.mark.parametrize(
    ("ranges", "sentence"),
    [
        ({"method.rho": (0.06, 1)}, r"--range method.rho=0.06:1 leaves out 0.05, which is tried"),
        ({"method.rho": (0.01, 0.2)}, "leaves out 0.5, which is tried first"),
        ({"method.sigma": (0, 1)}, "--range method.sigma: no row of test/staged can have it"),
        ({"optimizer.nesterov": (0, 1)}, "--range optimizer.nesterov: its values are no numbers"),
    ],
)
def test_a_range_is_wider_and_of_a_number_that_some_row_has(
    ranges: dict[str, tuple[float, float]], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        searched_rows(STAGED, ranges)


def test_a_wider_range_is_that_of_every_row_that_has_it() -> None:
    found = {r.name: r for r in searched_rows(STAGED, {"method.rho": (0.001, 2.0)})}
    for name in ("search:sam/a", "search:asam/b"):
        assert found[name].axes["method.rho"].ends == (0.001, 2.0)
    assert "method.rho" not in found["search:erm/a"].axes


# -- the artifact ------------------------------------------------------------------------------


def known(artifact: Artifact) -> Record:
    """Every trial of the rate's stage done; 0.1 is the better rate."""
    return Record.from_runs(
        Run(t.trial_id, "done", {"validation_error": 1 - t.config.optimizer.lr})
        for t in planned(artifact).stages[0].trials
    )


def test_what_is_tried_of_a_row_are_the_trials_of_its_grid() -> None:
    made = as_tried(STAGED)
    assert made.id == "test/staged:search"
    ours, theirs = planned(made, known(made)), planned(STAGED, known(STAGED))
    tried = {t.trial_id for s in ours.stages if s.name.startswith("search:sam") for t in s.trials}
    grid = {t.trial_id for s in theirs.stages if s.name == "rho" for t in s.trials}
    assert tried == grid
    assert len(grid) == 2 * 4 * 2


def test_stages_that_a_row_starts_from_stay_and_no_others() -> None:
    made = as_tried(STAGED)
    assert [s.name for s in made.experiment.stages][:2] == ["rate", "search:erm/a"]
    before = planned(made)
    waiting = {s.name: s.pending for s in before.stages if s.pending}
    assert waiting == {"search:sam/a": 8, "search:sam/b": 8}
    (stage,) = [s for s in made.experiment.stages if s.name == "search:sam/a"]
    assert (stage.after, stage.match, stage.inherit) == ("rate", ("data",), ("optimizer.lr",))
    said = STAGED.with_notes(claims=("SAM is better",))  # of the table, not of a search
    assert as_tried(said).notes.claims == ()


def test_hidden_cells_stay_where_a_row_starts_from_them() -> None:
    cells = tuple(
        replace(cell, hidden=cell.key["method"] == "erm") for cell in STAGED.experiment.cells
    )
    made = as_tried(STAGED.with_experiment(cells=cells))
    assert [c.key["method"] for c in made.experiment.cells if c.hidden] == ["erm", "erm"]
    alone = as_tried(
        STAGED.with_experiment(
            cells=tuple(replace(c, hidden=c.key["method"] != "asam") for c in cells)
        )
    )
    assert [c.key["method"] for c in alone.experiment.cells] == ["asam", "asam"]
    assert planned(alone).stages  # every cell has a stage


def test_only_trials_whose_numbers_the_table_shows_are_measured() -> None:
    """A later training is measured: its search is not. A row that is searched last is."""
    trace = Measure("hessian_trace")
    shown = (*STAGED.view.metrics, Metric("hessian_trace", "trace"))
    last = STAGED.with_experiment(measures=(trace,)).with_view(metrics=shown)
    assert (as_tried(last).view.metrics, as_tried(last).experiment.measures) == (shown, (trace,))
    final = Stage("final", {"method": "sam"}, after="rho", inherit=("method.rho",))
    later = as_tried(last.with_experiment(stages=(*last.experiment.stages, final)))
    assert later.experiment.measures == ()
    assert later.view.metrics == STAGED.view.metrics


def test_a_ratio_to_a_cell_that_is_not_trained_is_left_out() -> None:
    here = Metric("test_nll", "ratio", relative_to={"method": "erm"})
    away = Metric("test_nll", "other", relative_to={"method": "amp"})
    made = as_tried(STAGED.with_view(metrics=(*STAGED.view.metrics, here, away)))
    assert made.view.metrics == (*STAGED.view.metrics, here)


def test_a_search_is_of_the_variant_that_it_is_asked_of() -> None:
    artifact = replace(STAGED, variant=Variant(settings={"epochs": 3}))
    assert planned(as_tried(artifact)).variant == "--set epochs=3"


def test_every_method_can_be_searched_under_one_protocol() -> None:
    artifact = search_spaces.apply(search_spaces.find("compare/methods"), "smoke")
    found = searched_rows(artifact)
    assert len(found) == 3 * len(methods.names())
    searched = {row.cell.key["method"] for row in found if row.axes}
    assert searched == {name for name in methods.names() if methods.registry.searched(name)}
    for row in found:
        for axis in row.axes.values():
            assert [axis.decode(axis.encode(value)) for value in axis.values] == [*axis.values]
    made = planned(as_tried(artifact))
    assert "hyper-parameters" not in [c.name for c in made.artifact.notes.choices]
    own = {t.trial_id for t in planned(artifact).trials}
    assert own <= {t.trial_id for t in made.trials}  # the table's own rows are among the points
