"""Every item can be planned, fits into a night of two cores, and its claims can be judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from benchmarks.reproductions.items import BY_DEFAULT, ITEMS, Source, Sweep, every
from sweep.cli.options import SweepOptions, parse_where
from sweep.cli.workflow import artifact_of
from sweep.plan.budget import step_time
from sweep.plan.expand import Plan, plan
from sweep.plan.where import only
from sweep.record.record import Record
from sweep.selection import selection
from tests.sweep.called import call

SWEEPS = [sweep for _, sweep in every(ITEMS)]
every_sweep = pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.name)

ERM_MINUTES = 3.0
"""Of 20 epochs of 10,000 images at preset laptop on one core; it is sized for two to three."""

NIGHT = 2 * 12.0
"""Hours of a core that an item may take."""


def planned(sweep: Sweep, source: Source = "parquet") -> Plan:
    words = sweep.asked(source)
    given = {"where": [], "settings": []}  # type: dict[str, list[str]]
    for flag, value in zip(words[1::2], words[2::2], strict=True):
        if flag in ("--where", "--set"):
            given["where" if flag == "--where" else "settings"].append(value)
    options = SweepOptions(artifact=sweep.artifact, preset=sweep.preset, **given)  # type: ignore[arg-type]
    made = plan(artifact_of(options), sweep.preset, selection("paper"), Record.from_runs([]))
    return only(made, parse_where(given["where"]))


def trials(sweep: Sweep, source: Source = "parquet") -> dict[str, Any]:
    """Trial -> its configuration; those that wait for a winner by what is known of them."""
    found = planned(sweep, source)
    return {f"{t.trial_id}{t.awaits}": t.settings for t in (*found.trials, *found.expected)}


@every_sweep
@pytest.mark.parametrize("source", get_args(Source))
def test_every_sweep_has_trials_and_images_in_the_form_that_is_here(
    sweep: Sweep, source: Source
) -> None:
    found = trials(sweep, source).values()
    assert found
    names = {config.data.source.name for config in found}
    if sweep.cifar10 is None:
        assert names <= {"spirals", "matrix_sensing"}
    else:
        assert names == {source}


def test_names_are_of_one_sweep_and_all_of_the_questions_are_there() -> None:
    names = [sweep.name for sweep in SWEEPS]
    assert len(set(names)) == len(names)
    assert list(ITEMS) == [*BY_DEFAULT, "gpu"]
    assert len(ITEMS["gpu"].sweeps) == 6


@pytest.mark.parametrize("item", BY_DEFAULT)
def test_an_item_at_laptop_fits_into_a_night_of_two_cores(item: str) -> None:
    """By the step times that the table has; no clock here."""
    hours = 0.0
    for sweep in ITEMS[item].sweeps:
        times = planned(sweep).artifact.experiment.step_times
        for config in trials(sweep).values() if sweep.preset == "laptop" else ():
            images = (config.data.subset or 0) - config.data.validation
            cost = config.epochs / 20 * images / 10_000 * step_time(config, times)
            hours += sweep.times * cost * ERM_MINUTES / 60
    assert hours <= NIGHT


@every_sweep
def test_what_is_shown_has_three_seeds(sweep: Sweep) -> None:
    found = planned(sweep)
    experiment = found.artifact.experiment
    last = [experiment.last_stage(cell) for cell in found.cells if not cell.hidden]
    carrier = sweep.artifact == "amp/figure4"  # a formula, which one trial carries
    assert last
    assert carrier or all(stage.seeds >= 3 for stage in last)


@every_sweep
def test_claims_can_be_asked_for(sweep: Sweep, tmp_path: Path) -> None:
    """Or there are none about it."""
    from benchmarks.reproductions.work import Work

    work = Work(tmp_path, tmp_path / "empty", "parquet", call=call)
    judged = work.claims(sweep, "json")
    assert not judged or {c["verdict"] for c in json.loads(judged)["claims"]} <= {
        "not yet",
        "never judged",
    }
