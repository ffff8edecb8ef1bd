"""The driver of a sweep through Ray, watched: what it holds, and how busy it keeps its slots."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.orchestration import Clock, Nothing, nothing, swept
from sweep.plan.expand import PlannedTrial
from sweep.ray_executor import RayExecutor
from trainables.job import Job, Report
from trainables.storage.result import TrialResult
from trainables.storage.trial_folder import write_result

SAMPLES = 50


@dataclass(frozen=True)
class Holding:
    """What this process holds: resident bytes, open files and sockets, its and Ray's processes."""

    memory: int
    descriptors: int
    processes: int

    @classmethod
    def now(cls) -> Holding:
        process = psutil.Process()
        children = len(process.children(recursive=True))
        return cls(process.memory_info().rss, process.num_fds(), 1 + children)


class Gauge(Clock):
    """A clock that looks at the driver now and then."""

    def __init__(self, trials: int) -> None:
        super().__init__()
        self._every = max(1, trials // SAMPLES)
        self.seen: dict[int, Holding] = {}
        self.results: list[TrialResult] = []

    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None:
        super().on_end(trial, outcome, result)
        if result is None:
            raise RuntimeError(f"a trial of the benchmark {outcome}")
        self.results.append(result)
        if self.trials % self._every == 0:
            self.seen[self.trials] = Holding.now()


def nothing_through_ray(trials: int) -> Gauge:
    """So many trials that do nothing, in a sweep with its record."""
    gauge = Gauge(trials)
    with tempfile.TemporaryDirectory() as folder:
        swept(
            nothing(trials),
            Path(folder),
            RayExecutor(trainable="benchmarks.orchestration:Nothing"),
            gauge,
        )
    return gauge


class Waiting(Nothing):
    """A trial that takes $BENCHMARK_SECONDS, reports every second, and notes when it ran."""

    def reports(self, job: Job) -> Iterator[Report]:
        config = job.checked_config()
        began, seconds = time.time(), float(os.environ["BENCHMARK_SECONDS"])
        steps = math.ceil(seconds)
        for step in range(steps):
            time.sleep(seconds / steps)
            yield Report(job.trial_id, step + 1, steps)
        metrics = {
            "test_error": 0.5, "epochs_run": 1.0, "training_seconds": seconds,
            "began": began, "ended": time.time(), "process": float(os.getpid()),
        }  # fmt: skip
        fields = config.model_dump(mode="json")
        write_result(job.folder, TrialResult(config.trial_id, "done", fields, metrics, {}))
        yield Report(job.trial_id, outcome="done")


def waiting_through_ray(slots: int, seconds: float, trials: int) -> Gauge:
    """``trials`` trials that wait so many ``seconds``, ``slots`` at a time, on this machine."""
    gauge = Gauge(trials)
    executor = RayExecutor(
        cpus=(os.cpu_count() or 1) / slots, trainable="benchmarks.driver:Waiting"
    )
    os.environ["BENCHMARK_SECONDS"] = str(seconds)
    with tempfile.TemporaryDirectory() as folder:
        swept(nothing(trials), Path(folder), executor, gauge)
    return gauge


def busy_share(results: Sequence[TrialResult], slots: int) -> float:
    """Which part of the slots' time the trials use, from when all slots run until no trial waits.

    All run when the last of the first processes has begun with its first trial; no trial waits any
    more when the last one has begun.
    """
    first: dict[float, float] = {}
    for result in results:
        process, began = result.metrics["process"], result.metrics["began"]
        first[process] = min(began, first.get(process, began))
    start = sorted(first.values())[slots - 1]
    end = max(result.metrics["began"] for result in results)
    used = sum(
        max(0.0, min(end, result.metrics["ended"]) - max(start, result.metrics["began"]))
        for result in results
    )
    return used / (slots * (end - start))
