"""Trials go to Tune in waves: how long they are, in which order, and what an interruption leaves.

Tune is a stand-in that notes what it is given; with a real one, `test_loop` runs several waves.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from ray import tune

from sweep.ray_executor import tune as executor
from sweep.ray_executor.tune import WAVE, WAVE_PER_SLOT, RayExecutor, waves
from sweep.run.resources import Cluster
from trainables.config import TrialConfig
from trainables.job import Job, Report
from trainables.tune import JOB, REPORT

JOBS = [Job.of(TrialConfig(seed=seed)) for seed in range(7)]


class Recorder:
    """As the executor and its callback know it."""

    def __init__(self) -> None:
        self.unfinished = {job.trial_id: job for job in JOBS}
        self.any_running = False

    def started(self, trial_id: str) -> None:
        pass

    def reported(self, report: Report) -> None:
        del self.unfinished[report.trial_id]


class Tuner:
    """Tune, but nothing runs: every trial of a wave reports its end, unless it is stopped."""

    given: list[list[str]]
    stop_in: int
    late_in: int
    by: type[BaseException] | None

    def __init__(self, trainable: Any, *, param_space: Any, tune_config: Any, run_config: Any):
        self.jobs = param_space[JOB]["grid_search"]
        self.most = tune_config.max_concurrent_trials
        (self.callback,) = run_config.callbacks

    def fit(self) -> None:
        # As Tune: a handler that sets a flag for its loop, and is left behind.
        signal.signal(signal.SIGINT, lambda *_: None)
        self.callback.setup()
        jobs = [Job.from_json(text) for text in self.jobs]
        self.given.append([job.trial_id for job in jobs])
        assert self.most == 2
        for job in jobs:
            if len(self.given) == self.stop_in and job is jobs[-1]:
                if self.by is not None:
                    raise self.by
                return
            report = Report(job.trial_id, outcome="done").to_json()
            self.callback.on_trial_result(1, jobs, None, {REPORT: report})
        if len(self.given) == self.late_in:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def tuner(monkeypatch: pytest.MonkeyPatch) -> type[Tuner]:
    """Waves of at most three trials, on a machine with two CPUs."""

    @contextmanager
    def session(*_: object) -> Iterator[Cluster]:
        yield Cluster([{"CPU": 2.0}])

    monkeypatch.setattr(executor, "session", session)
    monkeypatch.setattr(executor, "WAVE", 3)
    monkeypatch.setattr(executor, "WAVE_PER_SLOT", 1)
    monkeypatch.setattr(tune, "Tuner", Tuner)
    Tuner.given, Tuner.stop_in, Tuner.late_in, Tuner.by = [], 0, 0, None
    return Tuner


def run() -> Recorder:
    recorder, by_ray = Recorder(), RayExecutor()
    with by_ray.start(lambda _: None):
        by_ray.run(JOBS, recorder)  # type: ignore[arg-type]
    return recorder


def test_tune_gets_so_many_trials_at_once_in_order(tuner: type[Tuner]) -> None:
    assert run().unfinished == {}
    assert [len(wave) for wave in tuner.given] == [3, 3, 1]
    assert [trial_id for wave in tuner.given for trial_id in wave] == [j.trial_id for j in JOBS]


@pytest.mark.parametrize("by", [None, KeyboardInterrupt])
def test_a_stop_in_one_wave_ends_them_all(
    tuner: type[Tuner], by: type[BaseException] | None
) -> None:
    tuner.stop_in, tuner.by = 1, by
    recorder = run()
    assert len(tuner.given) == 1
    assert list(recorder.unfinished) == [job.trial_id for job in JOBS[2:]]


def test_a_stop_when_the_last_trial_of_a_wave_has_ended_is_not_lost(tuner: type[Tuner]) -> None:
    """Tune's loop is over, and its handler takes the signal for nothing."""
    tuner.late_in, before = 2, signal.getsignal(signal.SIGINT)
    recorder = run()
    assert len(tuner.given) == 2
    assert list(recorder.unfinished) == [job.trial_id for job in JOBS[6:]]
    assert signal.getsignal(signal.SIGINT) is before


def test_other_errors_are_not_taken_for_a_stop(tuner: type[Tuner]) -> None:
    tuner.stop_in, tuner.by = 1, RuntimeError
    with pytest.raises(RuntimeError):
        run()


@pytest.mark.parametrize(
    ("jobs", "slots", "lengths"),
    [
        (1, 2, [1]),
        (WAVE, 2, [WAVE]),
        (WAVE + 1, 2, [501, 500]),
        (2 * WAVE + 1, 2, [667, 667, 667]),
        (100_000, 16, [1000] * 100),
        (100_000, 1000, [25_000] * 4),
    ],
)
def test_waves_are_few_and_equally_long(jobs: int, slots: int, lengths: Sequence[int]) -> None:
    found = list(waves(range(jobs), slots))  # type: ignore[arg-type]
    assert [len(wave) for wave in found] == lengths
    assert [job for wave in found for job in wave] == list(range(jobs))
    assert max(lengths) <= max(WAVE, WAVE_PER_SLOT * slots)
