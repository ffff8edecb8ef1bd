"""Every point of a search as a cell of its own."""

from __future__ import annotations

from sweep import aggregate
from sweep.plan.points import every_point, labels
from tests.sweep.files.cases import SMALL, artifact, ids, planned
from tests.sweep.tables.test_winners import GRID, far_from, recorded


def test_each_point_is_a_cell_with_the_same_trials() -> None:
    found = planned(artifact(SMALL))
    every = every_point(found)
    assert ids(every) == ids(found)
    assert [cell.key for cell in every.cells][:3] == [
        {"method": "ERM", "optimizer.lr": "0.05"},
        {"method": "ERM", "optimizer.lr": "0.1"},
        {"method": "SAM", "optimizer.lr": "0.05", "method.rho": "0.01"},
    ]
    for stage in every.stages:
        for trial in stage.trials:
            assert trial.cell in every.cells
            assert str(trial.config.optimizer.lr) == trial.cell.key["optimizer.lr"]


def test_each_point_has_its_own_number() -> None:
    found, record = recorded(GRID, far_from(0.2))
    results = aggregate.cells(every_point(found), record)
    means = [result.metrics["test_error"].mean for result in results[:3]]
    assert [None if mean is None else round(mean, 6) for mean in means] == [0.1, 0.0, 0.1]
    assert [result.metrics["test_error"].asked for result in results] == 6 * [3]


def test_what_is_not_searched_stays_and_what_was_published_stands_at_no_point() -> None:
    text = f"{SMALL}printed: [{{test_error: 3}}]\n".replace(
        "{method: erm}", "{method: erm, optimizer.lr: 0.1}"
    )
    erm, *sam = every_point(planned(artifact(text))).cells
    assert (erm.key, set(erm.reported)) == ({"method": "ERM"}, {"test_error"})
    assert all(cell.reported == {} for cell in sam)


def test_points_are_of_the_search_where_a_stage_trains_the_winner_again() -> None:
    found, record = recorded(f"{GRID}then: {{seeds: 5, epochs: 4}}\n", far_from(0.2))
    results = aggregate.cells(every_point(found), record)
    assert [(r.stage, r.metrics["test_error"].asked) for r in results] == 6 * [("grid", 3)]
    assert results[1].metrics["test_error"].mean == 0


def test_a_field_that_is_called_like_a_label_gets_another_name() -> None:
    point = {"method": {"name": "sam", "rho": 0.1}, "data.augmentation": ("flip", "cutout")}
    assert labels(point, {"method": "A"}) == {
        "method tried": "sam (rho = 0.1)", "data.augmentation": "flip cutout",
    }  # fmt: skip
