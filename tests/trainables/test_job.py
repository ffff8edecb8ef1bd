"""What travels to a trial and back, and the loop that runs it."""

from __future__ import annotations

import bdb
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import trainables
from trainables import train
from trainables.config import Request, TrialConfig
from trainables.job import Job, Report
from trainables.run_job import cached_report, latest, run_job
from trainables.storage.files import Storage
from trainables.storage.trial_folder import CHECKPOINT, RESULT, WEIGHTS, read_result, trials_with
from trainables.train import Trial
from trainables.tune import JOB, REPORT, TrialTrainable

CONFIG = TrialConfig(
    epochs=3, batch_size=64, data={"source": "digits", "subset": 200}, model={"name": "mlp_tiny"}
)
AT_HALF = Request("classification", label="seen", at=(0.5, 1.0), every=2, samples=10)


def job(folder: Path, config: TrialConfig = CONFIG, **fields: Any) -> Job:
    return Job.of(config, storage=str(folder), **{"execution": {"device": "cpu"}, **fields})


def ended(reports: list[Report]) -> Report:
    *before, last = reports
    assert not any(report.ended for report in before)
    assert last.ended
    return last


def test_both_travel_as_text_and_are_the_same() -> None:
    sent = job(Path("/s"), measures=(AT_HALF, Request("gap")), cpus=0.5, gpus=0.25)
    assert Job.from_json(sent.to_json()) == sent
    assert Job.from_json(sent.to_json()).checked_config() == CONFIG
    said = Report("a", 1, 2, {"x": 0.1, "y": float("inf")}, "failed", "e", "t", lost=True)
    assert Report.from_json(said.to_json()) == said


def test_a_report_an_epoch_and_one_at_the_end(tmp_path: Path) -> None:
    reports = list(run_job(job(tmp_path)))
    assert ended(reports) == Report(CONFIG.trial_id, outcome="done", epoch=3, epochs=3)
    assert [(r.epoch, r.epochs) for r in reports] == [(1, 3), (2, 3), (3, 3), (3, 3)]
    assert {report.trial_id for report in reports} == {CONFIG.trial_id}
    result = read_result(Storage(tmp_path).below(f"trials/{CONFIG.trial_id}"), CONFIG.trial_id)
    assert result is not None
    for index, report in enumerate(reports[:3]):
        for name, number in report.numbers.items():
            assert result.history[name][index] == number
    assert result.history == trainables.fit(CONFIG, train.Execution(device="cpu")).history


def test_a_finished_trial_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cached_report(job(tmp_path)) is None
    list(run_job(job(tmp_path)))
    monkeypatch.setattr(Trial, "run_epoch", lambda _: pytest.fail("trained"))
    (report,) = run_job(job(tmp_path))
    assert report.outcome == "done"
    found = cached_report(job(tmp_path))
    assert found is not None
    assert found.outcome == "done"


def test_an_unfinished_trial_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    often = job(tmp_path, execution={"device": "cpu", "checkpoint_every": 0})
    reports = run_job(often)
    assert next(reports).epoch == 1
    del reports
    assert trials_with(Storage(tmp_path), CHECKPOINT) == {CONFIG.trial_id}
    assert [report.epoch for report in run_job(often)] == [2, 3, 3]


@pytest.mark.parametrize("travels", [False, True])
def test_what_the_final_weights_suffice_for_is_measured_on_kept_ones(
    tmp_path: Path, travels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the job has gone through text, which has no tuples."""
    options = {"device": "cpu", "keep_weights": "last"}
    list(run_job(job(tmp_path, execution=options)))
    assert trials_with(Storage(tmp_path), WEIGHTS) == {CONFIG.trial_id}
    monkeypatch.setattr(Trial, "run_epoch", lambda _: pytest.fail("trained"))
    asked = job(tmp_path, measures=(Request("classification", label="seen", samples=20),))
    reports = list(run_job(Job.from_json(asked.to_json()) if travels else asked))
    assert ended(reports).outcome == "done"
    result = read_result(asked.folder, CONFIG.trial_id)
    assert result is not None
    assert "seen/error" in result.metrics


def moved(folder: Path, workers: int = 1) -> Job:
    """A job whose configuration is not the one that its name was computed of."""
    config = CONFIG.replace(workers=workers)
    sent = job(folder, config)
    return replace(sent, config={**sent.config, "seed": 99})


SENTENCE = (
    f"IdentityError: the configuration that was sent as trial {CONFIG.trial_id} is trial "
    f"{CONFIG.replace(seed=99).trial_id} on "
)


def test_a_node_that_names_the_trial_otherwise_does_not_train_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trial, "__init__", lambda *_: pytest.fail("built"))
    (report,) = run_job(moved(tmp_path))
    assert (report.trial_id, report.outcome) == (CONFIG.trial_id, "failed")
    assert report.error.startswith(SENTENCE)
    assert "\n" not in report.error
    assert list(tmp_path.iterdir()) == []


def test_nor_does_it_in_ray_tunes_actor(tmp_path: Path) -> None:
    actor = object.__new__(TrialTrainable)
    actor.setup({JOB: moved(tmp_path).to_json()})
    told = actor.step()
    report = Report.from_json(told[REPORT])
    assert told["done"]
    assert (report.trial_id, report.outcome) == (CONFIG.trial_id, "failed")
    assert report.error.startswith(SENTENCE)


def test_nor_is_a_finished_trial_taken_for_another_one(tmp_path: Path) -> None:
    """By an actor, before it hands the job to workers."""
    list(run_job(job(tmp_path)))
    actor = object.__new__(TrialTrainable)
    actor.setup({JOB: moved(tmp_path, workers=2).to_json()})
    assert Report.from_json(actor.step()[REPORT]).error.startswith(SENTENCE)


def test_a_configuration_of_another_version_is_an_outcome(tmp_path: Path) -> None:
    sent = job(tmp_path)
    for config in ({**sent.config, "protocol": 1}, {**sent.config, "absent": 1}):
        (report,) = run_job(replace(sent, config=config))
        assert report.outcome == "failed"
        assert report.error.startswith("UsageError: trial")


def test_an_exception_is_an_outcome_and_leaving_the_debugger_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: BaseException) -> None:
        def run_epoch(_: Trial) -> None:
            raise error

        monkeypatch.setattr(Trial, "run_epoch", run_epoch)

    fail(KeyError("gone"))
    (report,) = run_job(job(tmp_path))
    assert (report.outcome, report.error, report.lost) == ("failed", "KeyError: 'gone'", False)
    assert "in run_epoch" in report.traceback
    fail(bdb.BdbQuit())
    with pytest.raises(bdb.BdbQuit):
        list(run_job(job(tmp_path)))
    assert trials_with(Storage(tmp_path), RESULT) == set()


def test_the_latest_report_is_taken_and_the_last_is_not_missed() -> None:
    reports = [Report("a", epoch) for epoch in (1, 2, 3)] + [Report("a", outcome="done")]
    assert latest(iter(reports), 0).epoch == 1
    assert latest(iter(reports), 1000).outcome == "done"


def test_a_stored_result_is_read_by_the_first_worker_alone(tmp_path: Path) -> None:
    """The others learn of it: were it there for some of them only, these would wait for ever."""
    from trainables.parallel.group import Group

    class Second(Group):
        rank = 1

        def from_first(self, make: Any) -> bytes | None:
            return content

    list(run_job(job(tmp_path)))
    content = job(tmp_path).folder.read(RESULT)
    elsewhere = job(tmp_path / "elsewhere")
    (report,) = run_job(elsewhere, lambda device: Second())
    assert report.outcome == "done"
    assert json.loads(content)["status"] == "done"
