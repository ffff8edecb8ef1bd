"""The table that decides epochs at equal time, and how it is made; no clock here."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import step_times
from benchmarks.step_times import Steps
from search_spaces.compare_times import FILE, STEP_TIMES, written
from search_spaces.spec import StepTime, StepTimes
from trainables.methods.base import Progress

SMOKE = step_times.trials("smoke")


def test_phases_weigh_as_much_as_they_last() -> None:
    """InfoMCR begins at 30 % of the training."""
    ratios = [(1.0, r) for r in (0.9, 1.0, 1.1)] + [(2.0, r) for r in (2.0, 3.0, 5.0)]
    made = step_times.over_phases(SMOKE["infomcr"], ratios)
    assert (made.ratio, made.quartiles) == (2.4, (1.67, 3.83))
    assert made.method == SMOKE["infomcr"].method.naming("methods")


def test_erm_takes_as_long_as_itself() -> None:
    assert step_times.over_phases(SMOKE["erm"], [(1.0, 1.1), (1.0, 1.2)]).ratio == 1


def test_a_method_is_timed_in_each_of_its_phases_over_erm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ERM's steps take longer and longer; a step of InfoMCR's first part takes 3, else 7."""
    asked: dict[str, list[list[int]]] = {"erm": [], "infomcr": []}
    clock = {"erm": 0.0}

    def seconds(self: Steps, steps: Any) -> float:
        name = self.trial.config.method.name
        asked[name].append(list(steps))
        if name == "erm":
            clock["erm"] += 1.0
            return clock["erm"]
        return 3.0 if steps[0] < 0.3 * total else 7.0

    total = 50 * 40  # epochs of 1,293 images (1,437 less a tenth held out) in whole batches of 32
    monkeypatch.setattr(Steps, "seconds", seconds)
    given = argparse.Namespace(methods=["infomcr"], rounds=2, device="cpu")
    found = step_times.measured({n: SMOKE[n] for n in ("erm", "infomcr")}, given)["infomcr"]
    # ERM's first call measures its step, then 2, 3, 4 and 5, 6, 7 surround the two phases.
    assert found == [(1.0, 3 / 2.5), (2.0, 7 / 3.5), (1.0, 3 / 5.5), (2.0, 7 / 6.5)]
    assert all(0 <= step < total for steps in asked["infomcr"] for step in steps)


def test_steps_of_a_trial_are_told_apart_by_what_they_cost(tmp_path: Path) -> None:
    steps = Steps(SMOKE["infomcr"].replace(epochs=2), tmp_path, "cpu")
    total = 2 * steps.per_epoch
    begin = next(step for step in range(total) if step >= 0.3 * total)
    assert steps.places() == {1.0: list(range(begin)), 2.0: list(range(begin, total))}
    before = [p.clone() for p in steps.trial.model.parameters()]
    assert steps.seconds([0, total - 1]) >= 0
    assert steps.trial.method.progress == Progress(total - 1, total, 1, 2, 0)
    assert any((p != b).any() for p, b in zip(steps.trial.model.parameters(), before, strict=True))


@pytest.mark.parametrize("preset", ["paper", "laptop"])  # of all images, of some
def test_images_that_are_not_there_are_replaced_by_random_ones_of_their_shape(
    preset: str, tmp_path: Path
) -> None:
    config = step_times.trials(preset)["erm"].replace(batch_size=8)
    steps = Steps(step_times.with_images(config, tmp_path), tmp_path, "cpu")
    inputs, targets = next(steps.batches)
    assert inputs.shape == (8, 3, 32, 32)
    assert set(targets.tolist()) <= set(range(10))
    assert [p.shape[0] for p in steps.trial.model.parameters()][-1] == 10
    assert step_times.with_images(SMOKE["erm"], tmp_path) is SMOKE["erm"]


def test_the_file_of_step_times_is_as_it_was_written() -> None:
    assert FILE.read_text(encoding="utf-8") == written(STEP_TIMES)


def times(date: str, *names: str, setting: str = "a") -> StepTimes:
    steps = tuple(StepTime({"name": name}, 1.0, (1.0, 1.0)) for name in names)
    return StepTimes({"network": setting}, "", date, "", "", steps)


def test_methods_that_were_not_measured_again_keep_their_step_times() -> None:
    old, older = times("2", "erm", "sam"), times("1", "fa")
    assert step_times.beside(times("3", "sam"), (older, old)) == (
        older,
        replace(old, steps=old.steps[:1]),
        times("3", "sam"),
    )
    assert step_times.beside(times("3", "fa"), (older, old)) == (old, times("3", "fa"))
    other = times("3", "sam", setting="b")
    assert step_times.beside(other, (older, old)) == (other,)
