"""Sweeps whose trials have several workers: through Tune and Ray Train, in the reserved bundles."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from search_spaces.spec import Cell, Stage
from sweep.aggregate import SELECTIONS
from sweep.ray_executor import RayExecutor
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.run.loop import Sweep, run
from tests.sweep.cases import TINY, Witness, sweep
from trainables.config import TrialConfig, merge
from trainables.job import Job
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult
from trainables.train import Execution, fit

PAIR = {"workers": 2}
MIXED = replace(TINY, id="test/mixed").with_experiment(
    base={**TINY.experiment.base, "optimizer.lr": 0.05},
    cells=(
        Cell({"method": "erm"}, {"method": {"name": "erm"}, **PAIR}),
        Cell({"method": "sam"}, {"method": {"name": "sam"}}),
        Cell({"method": "broken"}, {"method": {"name": "erm"}, "batch_size": 5000, **PAIR}),
    ),
    stages=(Stage("train", seeds=2),),
)


def results(folder: Path) -> dict[str, TrialResult]:
    storage = Storage(folder / "results")
    found = [TrialResult.from_json(storage.read(n)) for n in storage.names("trials/*/result.json")]
    return {result.trial_id: result for result in found}


def crew(address: str) -> list[psutil.Process]:
    """Ray Train's workers in the Ray at ``address``, and in no other."""
    found, port = [], f":{address.rpartition(':')[2]}"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it may just have ended
            raylet = " ".join(process.parents()[0].cmdline()) if process.ppid() > 1 else ""
            if "RayTrainWorker" in " ".join(process.cmdline()) and port in raylet:
                found.append(process)
    return found


def test_a_full_cluster_finishes_and_each_trial_is_the_one_that_one_worker_trains(
    tmp_path: Path, by_ray: RayExecutor
) -> None:
    """Two CPUs; trials that need both of them compete with trials that need one.

    Whoever starts holds all it needs, so none can wait for what another waiting trial holds. A
    trial that fails fails alone. Numbers: float32 sums in another order, 2 epochs of them.
    """
    plan, record, witness = sweep(MIXED, tmp_path, by_ray)
    outcomes = {t.trial_id: witness.outcomes[t.trial_id] for t in plan.trials}
    failed = [outcome for outcome in outcomes.values() if outcome.startswith("failed")]
    assert len(failed) == 2
    assert all("give no batch of 5000" in outcome for outcome in failed)
    assert list(outcomes.values()).count("done") == 4
    for trial_id, result in results(tmp_path).items():
        trial = next(t for t in plan.trials if t.trial_id == trial_id)
        assert result.config["workers"]["count"] == trial.config.workers.count
        fields: dict[str, Any] = merge(result.config, {"workers": 1})
        single = fit(TrialConfig(**fields), Execution(device="cpu"))
        assert single.trial_id == trial_id
        assert result.history["running_train_loss"] == pytest.approx(
            single.history["running_train_loss"], rel=1e-4
        )
    assert {record.status(t.trial_id) for t in plan.trials} == {"done", "failed"}


def test_a_worker_is_killed_and_its_trial_goes_on_from_the_checkpoint(
    tmp_path: Path, ray_address: str
) -> None:
    long = replace(TINY, id="test/long").with_experiment(
        base={**TINY.experiment.base, **PAIR, "epochs": 300},
        cells=TINY.experiment.cells[:1],
        stages=(Stage("train", seeds=1),),
    )
    storage = Storage(tmp_path / "results")
    killed: list[int] = []

    def kill() -> None:
        while not storage.names("trials/*/checkpoint.pt"):
            time.sleep(0.1)
        worker = crew(ray_address)[-1]
        killed.append(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    witness = Witness()
    execution = {"device": "cpu", "checkpoint_every": 0.5}
    plan, _ = run(
        Sweep(long, "smoke", SELECTIONS["paper"], storage.root, execution),
        tracker=Tracker(default_uri(storage.root)),
        observer=witness,
        executor=RayExecutor(ray_address),
    )
    assert killed
    assert list(witness.outcomes.values()) == ["done"]
    (result,) = results(tmp_path).values()
    assert result.metrics["epochs_run"] == 300
    whole = fit(plan.trials[0].config.replace(workers=1), Execution(device="cpu"))
    assert result.history["running_train_loss"][:50] == pytest.approx(
        whole.history["running_train_loss"][:50], rel=1e-3
    )


def test_neither_an_actor_nor_workers_train_what_they_name_otherwise(
    tmp_path: Path, by_ray: RayExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration changes on its way, as on a node with another version of a part."""
    of = Job.of

    def moved(config: TrialConfig, **fields: Any) -> Job:
        sent = of(config, **fields)
        return replace(sent, config={**sent.config, "seed": 99})

    monkeypatch.setattr(Job, "of", moved)
    cells = MIXED.experiment.cells[:2]  # of two workers, and of one
    once = MIXED.with_experiment(cells=cells, stages=(Stage("train", seeds=1),))
    plan, record, witness = sweep(once, tmp_path, by_ray)
    assert sorted(trial.config.workers.count for trial in plan.trials) == [1, 2]
    for trial in plan.trials:
        said = f"IdentityError: the configuration that was sent as trial {trial.trial_id} is trial "
        assert witness.outcomes[trial.trial_id].startswith(f"failed: {said}")
        assert record.status(trial.trial_id) == "failed"
        assert said in record.error(trial.trial_id)
    assert results(tmp_path) == {}
