"""The trainable that Tune drives, driven here: trials that are stopped, and that fail."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray

from trainables import tune
from trainables.causes import Cause
from trainables.config import TrialConfig
from trainables.job import Job, Report
from trainables.storage import checkpoint
from trainables.storage.trial_folder import CHECKPOINT
from trainables.tune import JOB, REPORT, ProcessSpentError, TrialTrainable

SHORT = TrialConfig(
    data={"source": {"name": "digits"}, "subset": 100},
    model={"name": "mlp_tiny"},
    epochs=4,
    batch_size=32,
)


@pytest.fixture(autouse=True)
def _without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch a step, on a node called ``n``."""
    monkeypatch.setattr(tune, "REPORT_SECONDS", 0.0)
    context = SimpleNamespace(get_node_id=lambda: "n")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)


def job(folder: Path, seed: int = 0, retried: tuple[Cause, ...] = ()) -> Job:
    config = SHORT.replace(seed=seed)
    return Job.of(config, storage=str(folder), execution={"device": "cpu"}, retried=retried)


def report(trainable: TrialTrainable) -> Report:
    return Report.from_json(trainable.step()[REPORT])


@pytest.mark.parametrize("how", ["stop", "reset"])
def test_a_trial_that_is_stopped_saves_a_checkpoint_and_goes_on_from_it(
    how: str, tmp_path: Path
) -> None:
    """Before the process ends, and before it takes another trial."""
    first = job(tmp_path)
    trainable = TrialTrainable(config={JOB: first.to_json()})
    assert [report(trainable).epoch for _ in range(2)] == [1, 2]
    if how == "stop":
        trainable.stop()
    else:
        trainable.reset({JOB: job(tmp_path, seed=1).to_json()})
    assert checkpoint.load(first.folder, CHECKPOINT)["epoch"] == 2
    again = TrialTrainable(config={JOB: first.to_json()})
    assert report(again).epoch == 3


class Failing(TrialTrainable):
    """Whose trials fail of what is said here."""

    error: Exception

    def reports(self, job: Job) -> Generator[Report]:
        yield Report.of_failure(job, self.error)


SPENT: list[tuple[Exception, Cause]] = [
    (RuntimeError("CUDA error: device-side assert triggered"), "device"),
    (MemoryError(), "memory"),
]


@pytest.fixture
def failing() -> type[Failing]:
    class Own(Failing):
        pass

    return Own


@pytest.mark.parametrize(("error", "cause"), SPENT)
def test_a_process_whose_device_or_memory_failed_trains_no_more(
    error: Exception, cause: Cause, failing: type[Failing], tmp_path: Path
) -> None:
    """It says why and where, and the next step ends it, for Tune to start another."""
    failing.error = error
    trainable = failing(config={JOB: job(tmp_path).to_json()})
    result = trainable.step()
    said = Report.from_json(result[REPORT])
    assert (said.outcome, said.cause, said.node, said.retried) == ("failed", cause, "n", True)
    assert not said.ended
    assert not result["done"]
    with pytest.raises(ProcessSpentError):
        trainable.step()


@pytest.mark.parametrize(("error", "cause"), [*SPENT, (ValueError("of the code"), "code")])
def test_what_is_not_to_be_tried_again_is_the_trials_end(
    error: Exception, cause: Cause, failing: type[Failing], tmp_path: Path
) -> None:
    failing.error = error
    retried: tuple[Cause, ...] = () if cause == "code" else (cause,)
    result = failing(config={JOB: job(tmp_path, retried=retried).to_json()}).step()
    said = Report.from_json(result[REPORT])
    assert said.ended
    assert said.cause == cause
    assert result["done"]


@pytest.mark.parametrize(
    ("asked", "given", "found"),
    [
        ("auto", "cpu", "cpu"),
        ("cuda", "cuda:1", "cuda:1"),
        ("cpu", "cuda:1", "cpu"),
        ("cuda", "cpu", "cuda"),  # which then is an error, and not a training on CPUs
    ],
)
def test_a_worker_trains_on_its_own_device_of_the_kind_that_was_sent(
    asked: str, given: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from trainables import distributed

    monkeypatch.setattr(distributed, "get_device", lambda: torch.device(given))
    sent = Job.of(SHORT, execution={"device": asked})
    assert distributed._on_this_device(sent).execution["device"] == found


def test_workers_wait_minutes_for_a_lost_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables import distributed

    made: list[SimpleNamespace] = []

    def trainer(*_: object, **settings: object) -> SimpleNamespace:
        made.append(SimpleNamespace(**settings, mailbox=None, fit=lambda: None))
        return made[-1]

    monkeypatch.setattr(distributed, "_Trainer", trainer)
    distributed.WorkerPool(2, 1, 1).close()
    assert made[0].torch_config.backend == "nccl"
    assert 60 <= made[0].torch_config.timeout_s <= 600
