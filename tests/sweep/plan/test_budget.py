"""How long a cell trains at equal epochs, gradient evaluations and time, in absolute numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from search_spaces.spec import (
    Artifact,
    Budget,
    Cell,
    Experiment,
    Metric,
    Notes,
    Stage,
    StepTime,
    StepTimes,
    TableView,
)
from sweep.aggregate import SELECTIONS
from sweep.plan import budget
from sweep.plan.expand import Plan, plan
from sweep.record.record import Record
from trainables.config import TrialConfig, merge

BASE: dict[str, Any] = {"model": {"name": "mlp", "widths": (8,)}, "batch_size": 16}
LATE = {"name": "infomcr", "start": 0.3}
SECOND = {"name": "fa", "num_probes": 3, "every": 2}


def trial(method: str | Mapping[str, Any] = "erm", epochs: int = 50, **fields: Any) -> TrialConfig:
    return TrialConfig(**merge({**BASE, "method": method, "epochs": epochs}, fields))


def table(ratios: Mapping[str, float]) -> StepTimes:
    """Made up, for the methods' defaults on `BASE`."""
    return StepTimes(
        budget.setting(trial()), "a machine", "2026-01-02", "torch 0", "by a clock",
        tuple(
            StepTime(trial(name).method.naming("methods"), ratio, (ratio, ratio))
            for name, ratio in ratios.items()
        ),
    )  # fmt: skip


TIMES = (table({"erm": 1.0, "sam": 1.6, "fa": 7.4, "flooding": 0.9}),)


@pytest.mark.parametrize(
    ("kind", "method", "given", "epochs"),
    [
        ("epochs", "fa", 50, 50),
        ("gradients", "erm", 50, 50),
        ("gradients", "sam", 50, 25),
        ("gradients", "sam", 7, 4),  # 3.5: of two as near the even one
        ("gradients", "sam", 5, 2),  # 2.5
        ("gradients", LATE, 50, 29),  # 50 / 1.7 = 29.41
        ("gradients", LATE, 6, 4),  # 3.53
        ("gradients", "fa", 200, 10),  # 200 / 21 = 9.52
        ("gradients", "fa", 6, 1),  # 0.29
        ("gradients", SECOND, 50, 5),  # 50 / 11 = 4.55: every other step costs 21
        ("time", "erm", 50, 50),
        ("time", "sam", 50, 31),  # 31.25
        ("time", "fa", 50, 7),  # 6.76
        ("time", "fa", 3, 1),  # 0.41
        ("time", "flooding", 50, 56),  # 55.56: faster than ERM
    ],
)
def test_epochs_are_divided_by_what_a_step_costs_and_rounded(
    kind: Budget, method: Any, given: int, epochs: int
) -> None:
    assert budget.epochs(trial(method, given), kind, TIMES) == epochs


def test_the_parts_of_a_training_that_cost_the_same() -> None:
    assert budget.phases(trial("sam")) == {2.0: 1.0}
    assert budget.phases(trial(LATE)) == {1.0: 0.3, 2.0: 0.7}
    separate = trial("nso", model="resnet_tiny", batchnorm="separate")
    assert budget.phases(separate) == {2 + 1 / 3: 1.0}
    regularized = trial("sam", regularizers=[{"name": "adversarial"}])
    assert budget.phases(regularized) == {3.0: 1.0}
    dropped = trial("infomcr", **{"schedule.name": "step", "schedule.milestones": (0.25, 0.5)})
    assert budget.phases(dropped) == {1.0: 0.25, 2.0: 0.75}
    assert budget.phases(trial(SECOND)) == {21.0: 0.5, 1.0: 0.5}


@pytest.mark.parametrize(
    "indifferent",
    [
        {"seed": 3},
        {"epochs": 9},
        {"optimizer.lr": 0.5},
        {"data.subset": 100},
        {"data.split_seed": 0},
    ],
)
def test_a_step_time_is_of_all_seeds_epochs_and_numbers_of_images(
    indifferent: dict[str, Any],
) -> None:
    found = budget.measured_step_time(trial("fa", **indifferent), TIMES)
    assert found is not None
    assert found[1].ratio == 7.4


@pytest.mark.parametrize(
    "other",
    [
        {"model.widths": (9,)},
        {"batch_size": 17},
        {"precision": "float64"},
        {"optimizer.name": "adam"},
        {"optimizer.clip_norm": 1.0},
        {"schedule.name": "constant"},
        {"regularizers": [{"name": "l2_sp"}]},
        {"data.augmentation": [{"name": "flip"}]},
        {"method.num_probes": 1},
    ],
)
def test_a_step_time_is_of_one_network_and_of_the_methods_options(other: dict[str, Any]) -> None:
    """With other settings the declared gradient evaluations count, as at equal gradients."""
    config = trial("fa", **other)
    assert budget.measured_step_time(config, TIMES) is None
    expected = budget.epochs(config, "gradients")
    assert (
        budget.epochs(config, "time", TIMES)
        == expected
        == (6 if "method.num_probes" in other else 2)
    )


def test_a_step_time_is_of_a_copy_of_the_data_set_too() -> None:
    """CIFAR-10 as Parquet files has CIFAR-10's images; another folder, or size, has others."""
    made = StepTimes(
        budget.setting(trial("erm", **{"data.source": "cifar10"})),
        "", "", "", "", (StepTime(TIMES[0].steps[2].method, 5.0, (5, 5)),),
    )  # fmt: skip
    for source, same in (
        ("cifar10", True),
        ("parquet", True),
        ({"name": "parquet", "set": "cifar10"}, True),
        ({"name": "parquet", "set": "cifar10", "size": 64}, False),
        ({"name": "parquet", "set": "cifar10", "resize": 64}, False),
        ({"name": "parquet", "set": "photographs"}, False),
        ("cifar100", False),
    ):
        config = trial("fa", **{"data.source": source})
        assert (budget.measured_step_time(config, (made,)) is not None) is same, source


def test_a_network_is_looked_for_in_every_table() -> None:
    wider = StepTimes(
        budget.setting(trial(batch_size=32)),
        "",
        "",
        "",
        "",
        (StepTime(TIMES[0].steps[2].method, 5.0, (5, 5)),),
    )
    assert budget.epochs(trial("fa", batch_size=32), "time", (*TIMES, wider)) == 10
    assert budget.epochs(trial("fa"), "time", (wider, *TIMES)) == 7


# -- in a plan ------------------------------------------------------------------------------------

METHODS = "erm", "sam", "fa", "nrs"


def planned(
    times: tuple[StepTimes, ...] = TIMES, kinds: tuple[Budget, ...] = ("time",), seeds: int = 1
) -> Plan:
    made = Artifact(
        id="test/table",
        experiment=Experiment(
            base={**BASE, "epochs": 50},
            cells=tuple(
                Cell({"method": name, "budget": kind}, {"method": name}, budget=kind)
                for name in METHODS
                for kind in kinds
            ),
            stages=(Stage("train", seeds=seeds),),
            step_times=times,
        ),
        view=TableView(rows=("method", "budget"), metrics=(Metric("test_error", "error"),)),
        notes=Notes("a table"),
    )
    return plan(made, "paper", SELECTIONS["paper"], Record.from_runs([]))


def test_each_panel_of_a_table_holds_its_own_thing_equal() -> None:
    found = planned(kinds=("epochs", "gradients", "time"))
    epochs = {
        (t.cell.key["method"], t.cell.budget): t.config.epochs for t in found.stages[0].trials
    }
    assert {kind: [epochs[name, kind] for name in METHODS] for _, kind in epochs} == {
        "epochs": [50, 50, 50, 50],
        "gradients": [50, 25, 2, 25],
        "time": [50, 31, 7, 25],
    }
    assert found.size == 1 + 3 + 3 + 2  # ERM is one trial in all panels, NRS one in two


def test_each_seed_is_a_trial_of_its_own() -> None:
    assert planned(seeds=3).size == 3 * len(METHODS)


def test_a_table_says_where_its_step_times_are_from_and_which_methods_have_none() -> None:
    said = {choice.what: choice for choice in planned().artifact.notes.choices}
    assert list(said) == ["step times", "step times of nrs (2)"]
    assert said["step times"].interpretation == (
        "measured once, on a machine, torch 0, 2026-01-02: by a clock"
    )
    assert "gradient evaluations that they declare" in said["step times of nrs (2)"].interpretation


def test_methods_that_were_measured_at_another_time_are_named() -> None:
    first = replace(TIMES[0], steps=TIMES[0].steps[:2])
    later = replace(table({"fa": 7.4, "nrs": 2.3}), date="2026-03-04")
    said = [
        (c.what, c.interpretation) for c in planned(times=(first, later)).artifact.notes.choices
    ]
    assert said == [
        ("step times of erm, sam", "measured once, on a machine, torch 0, 2026-01-02: by a clock"),
        ("step times of fa, nrs", "measured once, on a machine, torch 0, 2026-03-04: by a clock"),
    ]


def test_a_method_with_other_options_than_were_measured_is_named_too() -> None:
    found = budget.readings([trial(SECOND), trial("fa")], TIMES)
    assert [choice.what for choice in found] == ["step times", "step times of fa (11)"]


def test_without_a_table_every_method_is_named() -> None:
    (choice,) = planned(times=()).artifact.notes.choices
    assert choice.what == "step times of erm (1), sam (2), fa (21), nrs (2)"


def test_what_is_said_is_said_once_and_only_of_budget_time() -> None:
    again = plan(planned().artifact, "paper", SELECTIONS["paper"], Record.from_runs([]))
    assert again.artifact == planned().artifact
    assert planned(kinds=("epochs", "gradients")).artifact.notes.choices == ()
