"""A trial that is stopped on its way: its numbers so far, and the same bits when it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainables.config import TrialConfig
from trainables.job import Job, Report
from trainables.parallel.group import SINGLE_PROCESS
from trainables.run_job import run_job
from trainables.storage.files import Storage
from trainables.storage.result import ResultError, TrialResult
from trainables.storage.trial_folder import (
    CHECKPOINT,
    PRUNED,
    RESULT,
    read_pruned,
    read_result,
    trial_folder,
)
from trainables.train import Execution, fit, training

CONFIG = TrialConfig(
    epochs=4,
    batch_size=64,
    data={"source": "digits", "subset": 200, "validation": 40},
    model={"name": "mlp_tiny"},
    method={"name": "nso", "sigma": 0.02},
)
EXECUTION = Execution(device="cpu")


def without_clock(result: TrialResult) -> dict[str, float]:
    return {name: v for name, v in result.metrics.items() if "seconds" not in name}


def trained(folder: Path, until: int, config: TrialConfig = CONFIG) -> list[Report]:
    job = Job.of(config, storage=str(folder), execution={"device": "cpu"}, until=until)
    return list(run_job(Job.from_json(job.to_json())))


def test_it_goes_on_to_the_bits_of_one_that_never_stopped(tmp_path: Path) -> None:
    whole, folder = fit(CONFIG, EXECUTION), trial_folder(Storage(tmp_path), CONFIG.trial_id)
    for until in (1, 3):
        reports = trained(tmp_path, until)
        assert reports[-1] == Report(CONFIG.trial_id, until, 4, outcome="pruned")
        assert folder.exists(CHECKPOINT)
        assert not folder.exists(RESULT)
        found = read_pruned(folder, CONFIG.trial_id)
        assert found is not None
        assert found.metrics["epochs_run"] == until
        for name, curve in found.history.items():
            assert curve == whole.history[name][:until]
        first = whole.history["validation_error"][:until]
        assert found.metrics["validation_error"] == first[-1]
        assert found.metrics["best_validation/validation_error"] == min(first)
    assert [report.epoch for report in reports] == [2, 3, 3]  # it trained those that it lacked
    assert trained(tmp_path, 0)[-1].outcome == "done"
    last = read_result(folder, CONFIG.trial_id)
    assert last is not None
    assert last.history == whole.history
    assert without_clock(last) == without_clock(whole)
    assert not folder.exists(PRUNED)
    assert not folder.exists(CHECKPOINT)


@pytest.mark.parametrize("until", [4, 5])
def test_at_the_end_there_is_nothing_to_stop(tmp_path: Path, until: int) -> None:
    assert trained(tmp_path, until)[-1].outcome == "done"
    assert not trial_folder(Storage(tmp_path), CONFIG.trial_id).exists(PRUNED)


def test_one_that_is_as_far_already_says_so_again(tmp_path: Path) -> None:
    """Its driver was killed before it had heard so; or no longer wants it as far."""
    trained(tmp_path, 2)
    assert [report.epoch for report in trained(tmp_path, 2)] == [2]
    assert trained(tmp_path, 1)[-1].outcome == "pruned"


def test_one_that_diverges_has_diverged(tmp_path: Path) -> None:
    far = CONFIG.replace(**{"method": {"name": "erm"}, "optimizer.lr": 1e30})
    assert trained(tmp_path, 3, far)[-1].outcome == "diverged"


def test_without_a_storage_it_is_stopped_as_well() -> None:
    loop = training(CONFIG, EXECUTION, None, SINGLE_PROCESS, until=2)
    assert [next(loop).epoch, next(loop).epoch] == [1, 2]
    with pytest.raises(StopIteration) as end:
        next(loop)
    assert (end.value.value.status, end.value.value.metrics["epochs_run"]) == ("pruned", 2)


def test_numbers_so_far_are_no_result_and_a_result_is_no_numbers_so_far(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    folder = trial_folder(Storage(tmp_path), CONFIG.trial_id)
    content = folder.read(PRUNED)
    with pytest.raises(ResultError, match="its status is 'pruned', not done or diverged"):
        TrialResult.verified(content, CONFIG.trial_id)
    folder.write(RESULT, content)
    said: list[str] = []
    assert read_result(folder, CONFIG.trial_id, notify=said.append) is None
    assert "does not count: its status is 'pruned'" in said[0]
    trained(tmp_path, 0)
    folder.write(PRUNED, folder.read(RESULT))
    assert read_pruned(folder, CONFIG.trial_id) is None


@pytest.mark.parametrize("damage", [b"", b"{}", b"edited"])
def test_numbers_so_far_that_nobody_vouches_for_do_not_count(tmp_path: Path, damage: bytes) -> None:
    trained(tmp_path, 2)
    folder = trial_folder(Storage(tmp_path), CONFIG.trial_id)
    content = folder.read(PRUNED)
    if damage == b"edited":
        read = json.loads(content)
        read["metrics"]["validation_error"] = 0.0
        damage = json.dumps(read).encode()
    folder.write(PRUNED, damage)
    assert read_pruned(folder, CONFIG.trial_id) is None
    assert read_pruned(folder, "another") is None
    assert trained(tmp_path, 2)[-1].outcome == "pruned"  # from its checkpoint, which is whole
    assert read_pruned(folder, CONFIG.trial_id) is not None
