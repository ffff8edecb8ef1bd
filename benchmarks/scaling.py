"""Weak scaling of a sweep over the nodes of a cluster, on one machine.

1, 2 and 4 raylets with one CPU each, and as many trials that sleep as make each node work
equally long: efficiency is the sleep of one raylet's trials over the time of the sweep. Sleeping
leaves the processors to Ray, so this measures the sweep's own cost of distributing. Beside it stock
Ray Tune with its MLflow callback.

    python -m benchmarks.scaling [--seconds 2] [--trials 20] [--raylets 1 2 4] [--save]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.orchestration import Clock, nothing
from benchmarks.report import publish
from benchmarks.stock import tuned
from sweep.aggregate import SELECTIONS
from sweep.plan.expand import PlannedTrial
from sweep.ray_executor import RayExecutor
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.run.loop import Sweep, run
from tests.nodes import ENVIRONMENT, Nodes
from trainables.job import Job, Report
from trainables.storage.result import TrialResult
from trainables.storage.trial_folder import write_result
from trainables.tune import TrialTrainable

TUNE = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "TUNE_GLOBAL_CHECKPOINT_S": "600"}


class Sleeper(TrialTrainable):
    """A trial of which only the time is left; it leaves a result as every trial does."""

    def reports(self, job: Job) -> Iterator[Report]:
        began = time.time()
        time.sleep(job.execution["seconds"])
        result = TrialResult(job.trial_id, "done", dict(job.config), {"began": began}, {})
        write_result(job.folder, result)
        yield Report(job.trial_id, outcome="done")


class Span(Clock):
    """From the first trial's start to the record of the last."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = float("inf"), 0.0

    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None:
        assert result is not None, outcome
        self.first, self.last = min(self.first, result.metrics["began"]), time.time()

    def message(self, sentence: str) -> None:
        print(sentence, file=sys.stderr)

    @property
    def seconds(self) -> float:
        return self.last - self.first


def ours(address: str, trials: int, seconds: float, folder: Path) -> float:
    """Wall seconds of a sweep of this package, with its record."""
    span, storage = Span(), str(folder / "ours")
    run(
        Sweep(nothing(trials), "smoke", SELECTIONS["paper"], storage, {"seconds": seconds}),
        tracker=Tracker(default_uri(storage)),
        observer=span,
        executor=RayExecutor(address, gpus=0, trainable="benchmarks.scaling:Sleeper"),
    )
    return span.seconds


def stock(address: str, trials: int, seconds: float, folder: Path) -> float:
    """Wall seconds of stock Ray Tune with its MLflow callback."""
    from ray import tune

    def sleeper(config: dict[str, Any]) -> None:
        began = time.time()
        time.sleep(seconds)
        tune.report({"began": began})

    _, ended, found = tuned(sleeper, trials, folder, address)
    return ended - min(float(result.metrics["began"]) for result in found if result.metrics)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each trial")
    parser.add_argument("--trials", type=int, default=20, help="for each raylet")
    parser.add_argument("--raylets", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results")
    options = parser.parse_args()
    os.environ.update(ENVIRONMENT | TUNE)
    rows = []
    for count in options.raylets:
        ideal = options.trials * options.seconds
        for name, sweep in (("this package", ours), ("stock Ray Tune", stock)):
            trials = options.trials * count
            with tempfile.TemporaryDirectory() as folder, Nodes(cpus=0) as nodes:
                for _ in range(count):
                    nodes.join()
                seconds = sweep(nodes.address, trials, options.seconds, Path(folder))
            rows.append(
                {
                    "raylets": count,
                    "sweep by": name,
                    "trials": trials,
                    "seconds": round(seconds, 2),
                    "efficiency": round(ideal / seconds, 3),
                }
            )
    publish(
        "scaling",
        "Weak scaling of a sweep over raylets on one machine",
        rows,
        "ray",
        "mlflow",
        notes=[
            f"one run; {options.trials} trials of {options.seconds:g} s sleep for each raylet of "
            "one CPU; from the first trial's start until the last is recorded in MLflow",
            "efficiency: the sleep of one raylet's trials over the time; to reach: 0.9 at 4",
        ],
        save=options.save,
    )


if __name__ == "__main__":
    main()
