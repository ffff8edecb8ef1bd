"""Checkpoints are written beside the training, at an interval that follows from their cost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from trainables.storage import checkpoint, checkpoint_writer
from trainables.storage.checkpoint_writer import CheckpointWriter
from trainables.storage.files import Storage, StorageError
from trainables.storage.trial_folder import CHECKPOINT


class Clock:
    """Time that passes when it is told to, the same for all threads, or for the writing one."""

    def __init__(self) -> None:
        self.now = self.thread = self.process = 0.0

    def monotonic(self) -> float:
        return self.now

    def thread_time(self) -> float:
        return self.thread

    def process_time(self) -> float:
        return self.process


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(checkpoint_writer, "time", made)
    return made


def saving(monkeypatch: pytest.MonkeyPatch, save: Callable[..., None]) -> None:
    monkeypatch.setattr(checkpoint, "save", save)


def state() -> dict[str, Any]:
    return {"weights": torch.zeros(3), "history": {"loss": [1.0]}, "epoch": 1}


def test_what_changes_afterwards_is_not_in_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, may_write, save = Storage(tmp_path), threading.Event(), checkpoint.save

    def late(*given: Any) -> None:
        assert may_write.wait(60)
        save(*given)

    saving(monkeypatch, late)
    writer, now = CheckpointWriter(storage, 60), state()
    writer.write(now)
    now["weights"] += 1
    now["history"]["loss"].append(2.0)
    assert not writer.due()  # one at a time
    may_write.set()
    writer.wait()
    found = checkpoint.load(storage, CHECKPOINT)
    assert found["weights"].tolist() == [0, 0, 0]
    assert found["history"] == {"loss": [1.0]}


@pytest.mark.parametrize(
    ("every", "cost", "interval"), [(60.0, 0.1, 60.0), (60.0, 1.6, 160.0), (0.0, 1.6, 0.0)]
)
def test_the_interval_follows_from_the_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock,
    every: float, cost: float, interval: float,
) -> None:  # fmt: skip
    def costly(*_: Any) -> None:
        clock.thread = cost

    saving(monkeypatch, costly)
    writer = CheckpointWriter(Storage(tmp_path), every)
    clock.now = every
    assert writer.due()  # of the first nobody knows yet what it costs
    writer.write(state())
    writer._thread.join()  # type: ignore[union-attr]
    for share, is_due in ((0.99, not every), (1.01, True)):
        clock.now = every + share * interval
        assert writer.due() == is_due


def test_what_is_written_is_no_cost_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    def costly(*_: Any) -> None:
        clock.thread = 1.5

    saving(monkeypatch, costly)
    writer = CheckpointWriter(Storage(tmp_path), 60)
    clock.process = 10.0
    assert writer.cpu_time_beside() == 10.0
    for _ in range(2):
        writer.write(state())
        writer.wait()
    assert writer.cpu_time_beside() == 7.0


@pytest.mark.parametrize("then", ["due", "write", "wait"])
def test_a_checkpoint_that_cannot_be_written_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    def full(*_: Any) -> None:
        raise StorageError("no space left")

    writer = CheckpointWriter(Storage(tmp_path), 60)
    with monkeypatch.context() as patched:
        saving(patched, full)
        writer.write(state())
        writer._thread.join()  # type: ignore[union-attr]
    with pytest.raises(StorageError, match="no space left"):
        writer.write(state()) if then == "write" else getattr(writer, then)()
    writer.wait()


def test_without_a_storage_nothing_is_due(clock: Clock) -> None:
    writer = CheckpointWriter(None, 0)
    clock.now = 1e6
    assert not writer.due()
