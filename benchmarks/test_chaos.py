"""Five kills in a real sweep, and that the benchmark of chaos notices what it is to notice."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from benchmarks import chaos, chaos_sweep
from benchmarks.chaos import Chaos, storm
from benchmarks.chaos_sweep import Disturbed, wrong

SMALL = {"seeds": 2, "epochs": 8}
SLOW = pytest.mark.slow


@pytest.mark.ray
@pytest.mark.parametrize(
    "kinds",
    [
        # An actor's death has tests of its own: tests/sweep/ray_executor/test_retries.py
        pytest.param(("raylet", "driver", "gcs"), id="three"),
        pytest.param(("actor", "raylet", "driver", "gcs", "actor"), id="five", marks=SLOW),
    ],
)
def test_kills_cost_nothing_but_time(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """That Ray is started again is not waited for in vain."""
    small = Chaos(tmp_path, random.Random(0))
    expected = small.undisturbed("expected", executor="serial", **SMALL)
    sweep = small.new("kills", pause=1.0, **SMALL)
    storm(small, sweep, kinds, len(kinds))
    small.check(sweep, expected)
    assert small.wrong == []
    assert small.kills.total() == len(kinds), small.kills
    # Nothing was trained again that had its result.
    assert len(sweep.results()) == 6


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(3600)
def test_every_fault_once(tmp_path: Path) -> None:
    some = Chaos(tmp_path, random.Random(1))
    chaos.run(some, minutes=1, kills_each=4, away=20)
    assert some.wrong == []
    assert len(some.faults) >= 2


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Disturbed:
    folder = tmp_path_factory.mktemp("sweep")
    return Chaos(folder, random.Random(0)).undisturbed("one", executor="serial", seeds=1, epochs=2)


def test_an_undisturbed_sweep_has_nothing_wrong(undisturbed: Disturbed) -> None:
    assert wrong(undisturbed, undisturbed) == []


def test_what_is_left_or_different_is_noticed(undisturbed: Disturbed) -> None:
    """Of each check a fault that it must find."""
    file = next(undisturbed.storage.glob("trials/*/result.json"))
    trial, before = file.parent.name, file.read_text()
    notes = undisturbed.notes.read_text()
    left = file.with_name(".result.json.0.tmp")
    try:
        left.touch()
        assert f"{left.relative_to(undisturbed.storage)} is left" in wrong(undisturbed, undisturbed)
        left.unlink()
        undisturbed.notes.write_text(f"{notes}{trial} saved 2\n{trial} epoch 0\n")
        assert wrong(undisturbed, undisturbed) == [
            f"trial {trial} began with epoch 0 after a checkpoint of 2"
        ]
    finally:
        undisturbed.notes.write_text(notes)
        file.write_text(before)
    other = Disturbed(undisturbed.folder.parent / "other", uri=undisturbed.uri)
    other.storage = undisturbed.folder / "other results"
    other.file = undisturbed.file
    changed = json.loads(before)
    changed["metrics"]["test_error"] = 0.5
    (other.storage / "trials" / trial).mkdir(parents=True)
    (other.storage / "trials" / trial / "result.json").write_text(json.dumps(changed))
    assert "results differ from those of the undisturbed sweep" in wrong(undisturbed, other)
    other.remove()


def test_a_run_too_many_is_noticed(undisturbed: Disturbed) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(undisturbed.uri)
    experiments = [each.experiment_id for each in client.search_experiments()]
    run = next(r for r in client.search_runs(experiments) if "trial_id" in r.data.tags)
    trial = run.data.tags["trial_id"]
    double = client.create_run(run.info.experiment_id, tags={"trial_id": trial})
    try:
        found = [*chaos_sweep._runs(undisturbed)]
    finally:
        client.delete_run(double.info.run_id)
    assert f"trial {trial} has 2 runs" in found
    assert any("RUNNING" in sentence for sentence in found)
