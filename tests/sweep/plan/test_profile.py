"""What a step of each kind of trial costs, counted on a simulated GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sweep.plan.expand import plan
from sweep.plan.profile import LAUNCH_SECONDS, StepCost, profile
from sweep.record.record import Record
from sweep.selection import selection
from tests.sweep.cases import TINY


@pytest.fixture(scope="module")
def found() -> list[StepCost]:
    said: list[str] = []
    planned = plan(TINY, "smoke", selection("paper"), Record.from_runs([]))
    costs = profile(planned.trials, notify=said.append)
    assert said == [cost.kind for cost in costs]
    assert sum(cost.trials for cost in costs) == len(planned.trials)
    return costs


def test_each_kind_of_trial_is_looked_at_once(found: list[StepCost]) -> None:
    kinds = [cost.kind for cost in found]
    assert len(set(kinds)) == len(kinds)
    by_method = {kind.partition(",")[0]: cost for kind, cost in zip(kinds, found, strict=True)}
    assert by_method["sam"].launches > 1.5 * by_method["erm"].launches


def test_no_kind_waits_or_copies(found: list[StepCost]) -> None:
    for cost in found:
        assert cost.waits == cost.copies == 0
        assert sum(cost.places["launch"].values()) <= cost.launches
        assert all(place.startswith("trainables/") for place in cost.places["launch"])
        assert cost.seconds > 0
        assert cost.as_dict()["launch_seconds"] == cost.launches * LAUNCH_SECONDS


STEP = StepCost("x", 1, launches=200, fills=0, copies=0, waits=0, seconds=0.0011, device="cuda:0")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (STEP, "launching"),
        (replace(STEP, seconds=0.1), "computing"),
        (replace(STEP, waits=1), "waiting"),
        (replace(STEP, device="cpu"), "at least 1.00 ms a step on a GPU"),
    ],
)
def test_what_bounds_it_is_said(step: StepCost, said: str) -> None:
    assert step.bound().startswith(said)
