"""Real sweeps: everything once, nothing twice, nothing lost."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from search_spaces.spec import Artifact, Cell, CurveView, Epochs, Measure, Metric, Stage
from sweep.ray_executor import executor as by_ray
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.run import recorder
from sweep.run.executor import executor
from tests.forked import forked
from tests.sweep.cases import TINY, sweep
from trainables.data import DataError
from trainables.storage.files import Storage
from trainables.storage.trial_folder import RESULT
from trainables.train import Trial


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep of TINY, in a path with a space."""
    made = tmp_path_factory.mktemp("a sweep")
    plan, record, witness = sweep(TINY, made)
    assert witness.waves == [4]
    assert witness.sentences == []
    assert sorted(witness.started) == sorted(t.trial_id for t in plan.trials)
    assert set(witness.outcomes.values()) == {"done"}
    assert [record.status(t.trial_id) for t in plan.trials] == ["done"] * 4
    return made


def tracker(folder: Path) -> Tracker:
    return Tracker(default_uri(str(folder / "results")))


def tags_of_trials(folder: Path) -> list[dict[str, str]]:
    """As MLflow's own client sees them."""
    client = MlflowClient(default_uri(str(folder / "results")))
    experiments = [e.experiment_id for e in client.search_experiments()]
    found = client.search_runs(experiments, "tags.trial_id != ''")
    return [run.data.tags for run in found]


def test_a_run_a_trial_with_the_tags_people_filter_by(folder: Path) -> None:
    tags = tags_of_trials(folder)
    assert len(tags) == len({t["trial_id"] for t in tags}) == 4
    first = tags[0]
    assert first["paper"] == "test"
    assert first["artifact"] == "test/tiny"
    assert {t["cell"] for t in tags} == {t["method"] for t in tags} == {"erm", "sam"}
    assert {t["seed"] for t in tags} == {"0", "1"}
    assert first["preset"] == "smoke"
    assert first["stage"] == "train"
    assert {"commit", "torch", "hardware", "precision"} <= {
        name.removeprefix("provenance.") for name in first
    }


def test_what_a_sweep_has_written_need_not_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command after it, which shows the table, does not wait for MLflow."""
    sweep(TINY, tmp_path)
    store = tracker(tmp_path)
    monkeypatch.setattr(Tracker, "search", lambda *_: pytest.fail("MLflow is asked"))
    assert len(store.load()) == 4


def test_the_record_has_what_storage_has_epoch_by_epoch(folder: Path) -> None:
    runs = list(tracker(folder).load().runs())
    stored = Storage(folder / "results")
    for run in runs:
        from trainables.storage.result import TrialResult

        result = TrialResult.from_json(stored.read(f"trials/{run.trial_id}/{RESULT}"))
        assert run.metrics == pytest.approx(result.metrics, rel=1e-15)
        for name, values in result.history.items():
            assert list(run.history[name]) == pytest.approx(values, rel=0, nan_ok=True)


def test_the_same_sweep_again_trains_nothing(folder: Path) -> None:
    _, record, witness = sweep(TINY, folder)
    assert witness.waves == witness.sentences == []
    assert len(record) == 4


def test_results_of_a_driver_that_died_are_recorded_not_trained(
    folder: Path, tmp_path: Path
) -> None:
    """The record is lost, storage is there: what a kill between the two leaves, at its worst."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "trials").symlink_to(folder / "results" / "trials")
    _, record, witness = sweep(TINY, tmp_path)
    assert witness.waves == []
    assert witness.sentences == ["4 finished trials found in storage and recorded"]
    assert len(record) == 4


def test_a_run_that_was_deleted_by_hand_is_recorded_again(folder: Path) -> None:
    """Reading commands trust what they know until they are told, or a sweep runs."""
    store = tracker(folder)
    client = MlflowClient(store.uri)
    known = store.load()
    gone = known.trial_ids[0]
    client.delete_run(known.run_id(gone))
    assert store.load().status(gone) == "done"
    assert store.load(refresh=True).status(gone) == store.load().status(gone) == "missing"
    _, record, witness = sweep(TINY, folder)
    assert record.status(gone) == "done"
    assert witness.waves == []  # its result is in storage
    assert witness.sentences == ["1 finished trials found in storage and recorded"]


def test_a_run_whose_driver_was_killed_before_its_end_is_ended(folder: Path) -> None:
    """All of it is written but that it has ended."""
    store = tracker(folder)
    client = MlflowClient(store.uri)
    run_id = store.load().run_id(store.load().trial_ids[0])
    client.update_run(run_id, "RUNNING")
    assert sweep(TINY, folder)[2].waves == []
    assert client.get_run(run_id).info.status == "FINISHED"


@pytest.mark.parametrize("content", [b'{"trial_id": "', b"", b"{}", None])
def test_a_result_that_does_not_count_runs_its_trial_alone_again(
    content: bytes | None, folder: Path, tmp_path: Path
) -> None:
    """Found in storage when the record is lost; None: it has another trial's file."""
    shutil.copytree(folder / "results" / "trials", tmp_path / "results" / "trials")
    first, second = sorted(tmp_path.glob(f"results/trials/*/{RESULT}"))[:2]
    first.write_bytes(second.read_bytes() if content is None else content)
    plan, record, witness = sweep(TINY, tmp_path)
    assert witness.waves == [1]
    assert witness.started == [first.parent.name]
    assert first.parent.name in witness.sentences[0]
    assert plan.missing(record) == []
    assert len(list(first.parent.glob("result.bad-*.json"))) == 1


def test_a_result_that_is_damaged_before_it_is_recorded_fails_its_trial_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = recorder.read_result
    damaged: list[str] = []

    def damage(storage: Storage, trial_id: str, **options: Any) -> Any:
        if not damaged:
            damaged.append(trial_id)
            storage.write(RESULT, storage.read(RESULT)[:-9])
        return read(storage, trial_id, **options)

    monkeypatch.setattr(recorder, "read_result", damage)
    plan, record, _ = sweep(TINY, tmp_path)
    assert [t.trial_id for t in plan.missing(record)] == damaged
    assert "does not count" in record.error(damaged[0])
    _, _, again = sweep(TINY, tmp_path)
    assert again.started == damaged


def test_results_that_the_record_has_are_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Storage.read
    monkeypatch.setattr(
        Storage,
        "read",
        lambda of, name: pytest.fail("a result is read") if name == RESULT else read(of, name),
    )
    assert sweep(TINY, folder)[2].waves == []


def test_a_trial_that_raises_is_recorded_as_failed_and_tried_again(tmp_path: Path) -> None:
    broken = TINY.with_experiment(
        cells=(*TINY.experiment.cells, Cell({"method": "broken"}, {"batch_size": 5000})),
        stages=(Stage("train", seeds=1),),
    )
    plan, record, witness = sweep(broken, tmp_path)
    missing = plan.missing(record)
    assert [t.cell.key["method"] for t in missing] == ["broken"]
    assert witness.outcomes[missing[0].trial_id].startswith("failed: DataError: ")
    assert record.status(missing[0].trial_id) == "failed"
    _, _, again = sweep(broken, tmp_path)
    assert again.waves == [1]
    failed = [t for t in tags_of_trials(tmp_path) if t["outcome"] == "failed"]
    assert len(failed) == 1  # one run a trial, however often it failed


def test_a_missing_data_set_is_said_before_anything_starts(tmp_path: Path) -> None:
    gone = TINY.with_experiment(base={**TINY.experiment.base, "data.source": {"name": "cifar10"}})
    with pytest.raises(DataError, match="cifar10"):
        sweep(gone, tmp_path, data_dir=str(tmp_path))


def test_stages_follow_each_other_in_one_command(tmp_path: Path) -> None:
    staged = TINY.with_experiment(
        stages=(
            Stage("erm", {"method": "erm"}, grid={"optimizer.lr": (0.05, 0.1)}, seeds=1),
            Stage(
                "sam", {"method": "sam"}, after="erm", match=(), inherit=("optimizer.lr",), seeds=1
            ),
        )
    )
    plan, record, witness = sweep(staged, tmp_path)
    assert witness.waves == [2, 1]
    assert plan.missing(record) == []


def test_a_stage_waits_until_a_failed_trial_has_been_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What started from the winner of the rest would be trained for nothing."""
    staged = TINY.with_experiment(
        stages=(
            Stage("erm", {"method": "erm"}, grid={"batch_size": (64, 5000)}, seeds=1),
            Stage(
                "sam", {"method": "sam"}, after="erm", match=(), inherit=("optimizer.lr",), seeds=1
            ),
        )
    )
    plan, record, witness = sweep(staged, tmp_path)
    assert witness.waves == [2]
    assert sorted(record.status(t.trial_id) for t in plan.trials) == ["done", "failed"]
    assert [stage.pending for stage in plan.stages] == [0, 1]
    monkeypatch.setattr(Record, "outdated", lambda *_: 7)
    _, _, again = sweep(staged, tmp_path)
    assert again.waves == [1]
    assert again.sentences[0].startswith("7 recorded trials of test/tiny have a protocol older")


def test_a_later_stage_measures_a_trial_that_an_earlier_one_trained(tmp_path: Path) -> None:
    """The winner of a search is one of the final runs, which alone are measured.

    The record has its whole curve, as it has that of the run which was measured from its start.
    """
    staged = TINY.with_experiment(
        cells=TINY.experiment.cells[:1],
        measures=(Measure("classification", label="seen", at=(0.5, 1.0)),),
        stages=(
            Stage("search", grid={"optimizer.lr": (0.05, 0.1)}, seeds=1),
            Stage("final", after="search", inherit=("optimizer.lr",), seeds=2),
        ),
    )
    curves = CurveView(x=Epochs(), rows=("method",), metrics=(Metric("seen/error", "error"),))
    staged = replace(staged, view=curves)
    plan, record, witness = sweep(staged, tmp_path)
    assert witness.waves == [2, 2]
    assert plan.missing(record) == []
    measured = [t for t in plan.trials if record.value(t.trial_id, "seen/error") is not None]
    assert len(measured) == 2
    record = tracker(tmp_path).load()
    epochs = [
        [epoch for epoch, value in record.curve(t.trial_id, "seen/error") if math.isfinite(value)]
        for t in measured
    ]
    assert epochs == [[1, 2], [1, 2]]


def of_epochs(epochs: int) -> Artifact:
    return TINY.with_experiment(base={**TINY.experiment.base, "epochs": epochs})


def slowly(epochs: int, folder: Path, by: Sequence[Any], second: Path) -> None:
    """The sweep, in which there is time for a signal."""
    by_ray.WAVE, by_ray.WAVE_PER_SLOT = 2, 1  # it comes in the first of two waves
    run_epoch = Trial.run_epoch

    def until_stopped(trial: Trial) -> Any:
        """In this process, the second trial waits for the signal."""
        if list(folder.glob(f"results/trials/*/{RESULT}")):
            second.touch()
            time.sleep(2)
        return run_epoch(trial)

    Trial.run_epoch = until_stopped  # type: ignore[method-assign]
    sweep(of_epochs(epochs), folder, executor(*by))


@pytest.mark.parametrize(
    "how",
    # Both are noted by the same handler (tests/sweep/run/test_interrupts.py sends it each).
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL],
)
@pytest.mark.parametrize("name", ["serial", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_stopped_sweep_keeps_what_is_finished_and_goes_on(
    tmp_path: Path, how: signal.Signals, name: str, request: pytest.FixtureRequest
) -> None:
    by = ("serial",)
    if name == "ray":  # one at a time, so that three are to come when the first has ended
        by = ("ray", request.getfixturevalue("ray_address"), 1, None, 1)
    epochs = 100 if name == "ray" else 5
    storage = Storage(tmp_path / "results")
    second = tmp_path / "second"
    with forked(lambda: slowly(epochs, tmp_path, by, second), tmp_path / "said") as driver:
        while driver.process.is_alive() and not (
            second.exists() if name == "serial" else storage.names(f"trials/*/{RESULT}")
        ):
            time.sleep(0.05)
        os.kill(driver.pid, how)
        said = driver.wait(120)
    before = {name: storage.read(name) for name in storage.names(f"trials/*/{RESULT}")}
    assert 0 < len(before) < 4
    if how != signal.SIGKILL:
        assert re.search(r"StoppedError: stopped with \d trials unfinished; what is finished", said)
        shown = list(tracker(tmp_path).search("tags.kind = 'summary'"))
        recorded = tracker(tmp_path).load()
        ended = [t for t in recorded.trial_ids if recorded.status(t) == "done"]
        assert sum(run.data.metrics["test_error n"] for run in shown) == len(ended) > 0
        if name == "serial":  # in whose second trial the signal came; Ray's may have begun none
            assert len(storage.names("trials/*/checkpoint.pt")) == 1
    slow = of_epochs(epochs)
    plan, record, witness = sweep(slow, tmp_path)  # by either (benchmarks/test_chaos.py: by Ray)
    assert sum(witness.waves) <= 4 - len(before)
    assert [record.status(t.trial_id) for t in plan.trials] == ["done"] * 4
    assert {name: storage.read(name) for name in before} == before
    assert sweep(slow, tmp_path, executor(*by))[2].waves == []
