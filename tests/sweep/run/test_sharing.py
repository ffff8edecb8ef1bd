"""Several drivers on one storage, and one MLflow."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from search_spaces.spec import Stage
from sweep.record.mlflow_store import default_uri
from sweep.run import sharing
from sweep.run.recorder import ResultRecorder
from sweep.run.serial import SerialExecutor
from tests.sweep.cases import TINY, sweep
from trainables.job import Job
from trainables.run_job import run_job
from trainables.storage.files import Storage
from trainables.storage.lease import Leases, driving

ROOT = Path(__file__).parents[3]
TEN = TINY.with_experiment(stages=(Stage("train", seeds=5),))

DRIVER = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from sweep.run.loop import Storage
from tests.sweep.cases import sweep
from tests.sweep.run.test_sharing import TEN
from trainables.train import Trial
import mlflow
trained, finish = [], Trial.finish
Trial.finish = lambda trial: (trained.append(trial.config.trial_id), finish(trial))[1]
print("ready", flush=True); sys.stdin.readline()
plan, record, _ = sweep(TEN, Path({folder!r}))
assert [record.status(t.trial_id) for t in plan.trials] == ["done"] * 10
print(*trained, flush=True)
"""


def runs(folder: Path, condition: str) -> list[Any]:
    client = MlflowClient(default_uri(str(folder / "results")))
    experiments = [e.experiment_id for e in client.search_experiments()]
    return list(client.search_runs(experiments, condition))


@pytest.mark.parametrize("count", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_drivers_that_start_at_once_on_a_new_folder_share_a_sweep(
    count: int, tmp_path: Path
) -> None:
    """Each trial is trained by one of them, and each ends with the whole record."""
    code = DRIVER.format(root=str(ROOT), folder=str(tmp_path))
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(count)
    ]  # fmt: skip
    for other in others:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
    for other in others:
        assert other.stdin is not None
        other.stdin.write("go\n")
        other.stdin.flush()
    ends = [(*other.communicate(timeout=500), other.returncode) for other in others]
    assert [code for *_, code in ends] == [0] * count, [said for _, said, _ in ends]
    trained = [trial for out, *_ in ends for trial in out.split()]
    assert len(trained) == len(set(trained)) == 10
    assert sorted(run.data.tags["trial_id"] for run in runs(tmp_path, "tags.trial_id != ''")) == (
        sorted(trained)
    )
    (parent,) = runs(tmp_path, "tags.sweep != ''")
    children = runs(tmp_path, f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    kinds = Counter(run.data.tags["kind"] for run in children)
    assert kinds == {"trial": 10, "summary": 2}
    assert not (tmp_path / "results" / "leases").exists()


class Overtaken(SerialExecutor):
    """Before it starts, another driver has taken the first of its trials."""

    def __init__(self, others: Leases) -> None:
        super().__init__()
        self.others, self.first = others, None

    def run(self, jobs: Sequence[Job], recorder: ResultRecorder) -> None:
        if self.first is None:
            self.first = jobs[0]
            assert self.others.claim(self.first.trial_id)
        super().run(jobs, recorder)


@pytest.mark.parametrize("end", ["result", "none"])
def test_a_trial_of_another_driver_is_waited_for(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result is taken if it leaves one; if it leaves none the trial is trained."""
    with driving(Storage(tmp_path / "results")) as others:
        executor = Overtaken(others)

        def leave(_: float) -> None:
            """While it waits: as another driver does that ends."""
            if end == "result":
                list(run_job(replace(executor.first, driver="")))
            others.release(executor.first.trial_id)

        monkeypatch.setattr(sharing, "time", SimpleNamespace(sleep=leave))
        plan, record, witness = sweep(TINY, tmp_path, executor)
    first = executor.first.trial_id
    assert [record.status(t.trial_id) for t in plan.trials] == ["done"] * 4
    assert witness.waves == ([4] if end == "result" else [4, 1])
    assert witness.outcomes[first] == ("waiting" if end == "result" else "done")
    assert witness.sentences[0].startswith("1 trials are run by process ")
    assert len(runs(tmp_path, "tags.trial_id != ''")) == 4


class Locking(SerialExecutor):
    """While trials run, another program holds MLflow's database."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / "results" / "mlflow.db"

    def run(self, jobs: Sequence[Job], recorder: ResultRecorder) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as held:
            held.execute("begin exclusive")
            super().run(jobs, recorder)
            while not recorder.error:
                time.sleep(0.1)
            self.unfinished = [*recorder.unfinished]
            held.execute("rollback")


@pytest.mark.slow
def test_a_locked_database_is_waited_for_while_training_goes_on(tmp_path: Path) -> None:
    executor = Locking(tmp_path)
    plan, record, witness = sweep(TINY, tmp_path, executor)
    assert executor.unfinished == []  # all were trained meanwhile
    assert plan.missing(record) == []
    assert max(witness.waiting) > 0
    first, *_, last = witness.sentences
    assert "is locked" in first
    assert first.endswith("training goes on, and results wait in storage")
    assert last.startswith("MLflow is back: ")
