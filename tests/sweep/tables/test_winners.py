"""A table says which point won each cell, and whether it lies at the end of what was tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from search_spaces.spec import Artifact
from sweep import aggregate
from sweep.plan import plan
from sweep.plan.expand import Plan, PlannedTrial
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.selection import selection
from sweep.tables import table_of, winners
from tests.sweep.files.cases import artifact, planned

HEAD = "name: x\nbase: {model: mlp_tiny, epochs: 2}\n"


def recorded(
    made: str | Artifact, level: Callable[[PlannedTrial], float | None]
) -> tuple[Plan, Record]:
    """The plan and record of a file whose trials have these errors; None: not run."""
    found = planned(artifact(made) if isinstance(made, str) else made)
    while True:
        levels = {t.trial_id: level(t) for t in found.trials}
        names = ("validation_error", "test_error")
        record = Record.from_runs(
            Run(trial_id, "done", dict.fromkeys(names, value), {})
            for trial_id, value in levels.items()
            if value is not None
        )
        known = len(found.trials)
        found = plan(found.artifact, "full", selection("paper"), record)
        if len(found.trials) == known:
            return found, record


def said(text: str, level: Callable[[PlannedTrial], float | None]) -> str:
    found, record = recorded(text, level)
    return winners.sentence(found, aggregate.cells(found, record))


def far_from(lr: float) -> Callable[[PlannedTrial], float]:
    """The closer its learning rate, the better."""
    return lambda trial: abs(trial.config.optimizer.lr - lr)


GRID = f"{HEAD}grid: {{optimizer.lr: [0.1, 0.2, 0.3]}}\ncompare: {{A: erm, B: sam}}\n"


@pytest.mark.parametrize(
    ("lr", "words"),
    [(0.1, "lr = 0.1 (smallest of 3)"), (0.2, "lr = 0.2"), (0.3, "lr = 0.3 (largest of 3)")],
)
def test_a_winner_at_the_end_of_its_grid_is_called_so(lr: float, words: str) -> None:
    assert said(GRID, far_from(lr)) == f"{words} for A, B"


def test_cells_with_other_winners_are_said_apart() -> None:
    def level(trial: PlannedTrial) -> float:
        return far_from(0.1 if trial.cell.key["method"] == "A" else 0.2)(trial)

    assert said(GRID, level) == "lr = 0.1 (smallest of 3) for A; lr = 0.2 for B"


def test_a_winner_of_an_unfinished_search_is_so_far() -> None:
    def level(trial: PlannedTrial) -> float | None:
        return None if trial.config.optimizer.lr == 0.3 else far_from(0.3)(trial)

    assert said(GRID, level) == "lr = 0.2 for A (so far), B (so far)"


def test_nothing_is_said_where_nothing_was_searched_or_found() -> None:
    assert said(f"{HEAD}compare: {{A: erm}}\n", far_from(0.1)) == ""
    assert said(GRID, lambda _: None) == ""
    assert said(f"{HEAD}grid: {{optimizer.lr: [0.1]}}\n", far_from(0.1)) == ""


def test_a_stage_that_starts_from_a_winner_names_what_won_before() -> None:
    text = f"{GRID}then: {{seeds: 5}}\n"
    assert said(text, far_from(0.3)) == "lr = 0.3 (largest of 3) for A, B"
    text = f"{GRID}then: {{grid: {{optimizer.momentum: [0.5, 0.9]}}}}\n"
    assert (
        said(text, far_from(0.3))
        == "lr = 0.3 (largest of 3), momentum = 0.5 (smallest of 2) for A, B"
    )


def test_words_have_no_ends_and_a_setting_that_others_have_is_left_out() -> None:
    text = (
        f"{HEAD}points:\n- {{optimizer.name: adam}}\n"
        "- {method: sam, grid: {method.rho: [0.1, 0.2]}}\n"
    )
    adam = said(text, lambda trial: float(trial.config.optimizer.name != "adam"))
    assert adam == "name = adam, method = erm for erm"
    sam = said(text, lambda trial: 1 - trial.config.method.options.get("rho", 0.0))
    assert sam == "name = sgd, method = sam, rho = 0.2 (largest of 2) for erm"


def test_every_table_has_it() -> None:
    found, record = recorded(GRID, far_from(0.2))
    (line,) = [s for s in table_of(found, record).sentences if s.field == "winners"]
    assert (line.what, line.text) == ("winner", "lr = 0.2 for A, B")
    shown = table_of(found, record, all_points=True)
    (line,) = [s for s in shown.sentences if s.field == "winners"]
    assert line.text == "lr = 0.2 for A, B"
    assert shown.rows == tuple((m, lr) for m in "AB" for lr in ("0.1", "0.2", "0.3"))
    assert shown.row_labels == ("method", "optimizer.lr")


def test_what_is_fixed_in_a_cell_did_not_win_there() -> None:
    made = artifact(GRID.replace("[0.1, 0.2, 0.3]", "[0.1, 0.2, 0.3], epochs: [1, 2]"))
    one, other = made.experiment.cells
    fixed = replace(one, fields={**one.fields, "epochs": 3}, fixed=("epochs",))
    found, record = recorded(made.with_experiment(cells=(fixed, other)), far_from(0.2))
    assert winners.sentence(found, aggregate.cells(found, record)) == (
        "lr = 0.2 for A; lr = 0.2, epochs = 1 (smallest of 2) for B"
    )
    assert len(table_of(found, record, all_points=True).rows) == 3 + 6


def test_a_hidden_cell_is_not_named() -> None:
    text = GRID.replace("B: sam", "B: {method: sam, hidden: true}")
    assert said(text, far_from(0.2)) == "lr = 0.2 for A"
