"""What a sweep costs besides training: ``python -m benchmarks.orchestration [--save]``.

Four measurements of one run, wall seconds:

- trials that do nothing, through `sweep.run.loop` with its MLflow record (to reach: 0.1 s a trial);
- beside them stock Ray Tune: a function a trial in an actor of its own, Ray's MLflow callback;
- the demo's sweep: training seconds / (wall seconds x slots) once Ray is up (to reach: 0.85);
- the same sweep again, and ``sweep --help`` (to reach: 10 s and 0.3 s).

Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import search_spaces
from benchmarks.report import publish
from benchmarks.stock import tuned
from search_spaces.spec import Artifact, Cell, Experiment, Metric, Notes, Stage, TableView
from sweep.aggregate import SELECTIONS
from sweep.plan.expand import Plan, PlannedTrial
from sweep.ray_executor import RayExecutor
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.run.loop import Sweep, run
from trainables.job import Job, Report
from trainables.storage.result import TrialResult
from trainables.storage.trial_folder import write_result
from trainables.tune import TrialTrainable


class Nothing(TrialTrainable):
    """A trial that is over at once, but leaves a result as every trial does."""

    def reports(self, job: Job) -> Iterator[Report]:
        config = job.checked_config()
        metrics = {"test_error": 0.5, "epochs_run": 1.0, "training_seconds": 0.0}
        fields = config.model_dump(mode="json")
        result = TrialResult(config.trial_id, "done", fields, metrics, {"test_error": [0.5]})
        write_result(job.folder, result)
        yield Report(job.trial_id, outcome="done")


class Clock:
    """Notes when the wave starts and when the last trial is recorded."""

    def __init__(self) -> None:
        self.started = self.ended = 0.0
        self.max_concurrent = 1
        self.training = 0.0
        self.trials = 0

    def on_submit(
        self, plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int
    ) -> None:
        self.started, self.max_concurrent = time.perf_counter(), max_concurrent

    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int, node: str = "") -> None:
        pass

    def on_retry(self, trial: PlannedTrial) -> None:
        pass

    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None:
        self.ended = time.perf_counter()
        self.trials += 1
        if result is not None:
            self.training += result.metrics["training_seconds"]

    def on_unrecorded(self, count: int) -> None:
        pass

    def message(self, sentence: str) -> None:
        print(sentence)

    def close(self) -> None:
        pass

    @property
    def wall(self) -> float:
        return self.ended - self.started


def swept(
    artifact: Artifact,
    folder: Path,
    executor: RayExecutor | None = None,
    clock: Clock | None = None,
) -> Clock:
    clock, storage = clock or Clock(), str(folder)
    run(
        Sweep(artifact, "smoke", SELECTIONS["paper"], storage),
        tracker=Tracker(default_uri(storage)),
        observer=clock,
        executor=executor or RayExecutor(),
    )
    return clock


def nothing(trials: int) -> Artifact:
    return Artifact(
        id="bench/nothing",
        experiment=Experiment(
            cells=(Cell({"method": "erm"}),),
            stages=(Stage("train", seeds=trials),),
        ),
        view=TableView(rows=("method",), metrics=(Metric("test_error", "test error"),)),
        notes=Notes("trials that do nothing"),
    )


def stock(trials: int, folder: Path) -> float:
    """Wall seconds of stock Ray Tune with Ray's own MLflow callback, Ray already up."""
    from ray import tune

    def train(config: dict[str, Any]) -> None:
        tune.report({"test_error": 0.5})

    started, ended, _ = tuned(train, trials, folder)
    return ended - started


def command(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "sweep", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="keep the numbers in results/")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--stock-trials", type=int, default=12)
    options = parser.parse_args()
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        idle = swept(
            nothing(options.trials),
            folder / "nothing",
            RayExecutor(trainable="benchmarks.orchestration:Nothing"),
        )
        ours = idle.wall / options.trials
        rows.append(_row("no-op trial, this project", ours, "s", "<= 0.1", options.trials))
        theirs = stock(options.stock_trials, folder) / options.stock_trials
        rows.append(
            _row("no-op trial, stock Tune + callback", theirs, "s", "", options.stock_trials)
        )
        rows.append(_row("stock / ours", theirs / ours, "x", "", ""))
        demo = search_spaces.apply(search_spaces.find("compare/methods"), "smoke")
        clock = swept(demo, folder / "demo")
        rows.append(_row("demo, wall once Ray is up", clock.wall, "s", "", clock.trials))
        used = clock.training / (clock.wall * clock.max_concurrent)
        rows.append(_row("demo, training / (wall x slots)", used, "", ">= 0.85", clock.trials))
        again = command("reproduce", "compare/methods", "--storage", str(folder / "demo"))
        rows.append(_row("demo again, whole command", again, "s", "<= 10", 1))
        helps = [command("--help") for _ in range(11)]
        rows.append(_row("sweep --help, median", statistics.median(helps), "s", "<= 0.3", 11))
    publish(
        "orchestration",
        "What a sweep costs besides training",
        rows,
        "ray", "mlflow", "torch",
        notes=["Stock Tune starts a process a trial; its trials are fewer because they take long."],
        save=options.save,
    )  # fmt: skip


def _row(what: str, value: float, unit: str, goal: str, n: Any) -> dict[str, Any]:
    return {"what": what, "measured": f"{value:.3g} {unit}".strip(), "to reach": goal, "n": n}


if __name__ == "__main__":
    main()
