"""What the sweep's own process does: waves, how a signal ends them, and Ray that dies.

The process that Ray lives in is a stand-in; `benchmarks/test_chaos.py` kills a real one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from sweep.ray_executor import executor
from sweep.ray_executor.executor import RESTARTS, WAVE, WAVE_PER_SLOT, RayExecutor, waves
from sweep.ray_executor.process import RayLostError
from sweep.run.resources import Cluster, ResourceError
from trainables.config import TrialConfig
from trainables.job import Job, Report

JOBS = [Job.of(TrialConfig(seed=seed)) for seed in range(7)]


class Recorder:
    """As the executor knows it."""

    def __init__(self) -> None:
        self.unfinished = {job.trial_id: job for job in JOBS}
        self.stop = self.any_cancelled = False
        self.running: list[str] = []
        self.started_ones: list[str] = []
        self.stopped_ones: list[str] = []

    def started(self, trial_id: str) -> None:
        self.started_ones.append(trial_id)
        self.running.append(trial_id)

    def stopped(self, trial_id: str, why: str = "") -> None:
        self.stopped_ones.append(trial_id)
        self.running = []

    def reported(self, report: Report) -> None:
        del self.unfinished[report.trial_id]
        self.running.remove(report.trial_id)


class Process:
    """The other process, but nothing runs: every trial of a wave reports its end, unless ..."""

    made: list[Process]
    given: list[list[str]]
    stop_in = late_in = 0
    lost: dict[int, int]
    """Wave, counted from 1, and those again -> trials that end before Ray dies."""

    def __init__(self, settings: dict[str, Any], notify: Callable[[str], None]) -> None:
        self.settings, self.notify = settings, notify
        self.cancelled: list[str] = []
        self.starts = self.closes = self.stops = 0
        self.made.append(self)

    def start(self) -> Cluster:
        self.starts += 1
        return Cluster([{"CPU": 2.0}])

    def run(self, jobs: Sequence[Job], max_concurrent: int) -> Iterator[tuple[Any, ...]]:
        assert max_concurrent == 2
        self.given.append([job.trial_id for job in jobs])
        wave = len(self.given)
        yield ("tick",)
        for place, job in enumerate(jobs):
            yield "started", job.trial_id
            if place == self.lost.get(wave):
                raise RayLostError("its raylet ended with code -9")
            if wave == self.stop_in and job is jobs[-1]:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if job.trial_id not in self.cancelled:
                yield "reported", Report(job.trial_id, outcome="done").to_json()
        if wave == self.late_in:
            os.kill(os.getpid(), signal.SIGINT)

    def cancel(self, trial_id: str) -> None:
        self.cancelled.append(trial_id)

    def stop(self) -> None:
        self.stops += 1

    def close(self) -> None:
        self.closes += 1


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> type[Process]:
    """Waves of at most three trials, on a machine with two CPUs."""

    class Made(Process):
        pass

    Made.made, Made.given, Made.lost = [], [], {}
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(executor, "WAVE", 3)
    monkeypatch.setattr(executor, "WAVE_PER_SLOT", 1)
    monkeypatch.setattr(executor, "DriverProcess", Made)
    return Made


def run(recorder: Recorder, said: list[str], address: str | None = None) -> None:
    by_ray = RayExecutor(address)
    with by_ray.start(said.append):
        by_ray.run(JOBS, recorder)  # type: ignore[arg-type]


def test_tune_gets_so_many_trials_at_once_in_order(process: type[Process]) -> None:
    recorder = Recorder()
    run(recorder, [])
    assert recorder.unfinished == {}
    assert [len(wave) for wave in process.given] == [3, 3, 1]
    ids = [job.trial_id for job in JOBS]
    assert [trial_id for wave in process.given for trial_id in wave] == ids
    assert recorder.started_ones == ids
    (made,) = process.made
    assert (made.starts, made.closes, made.stops) == (1, 1, 0)


def test_a_signal_in_one_wave_ends_them_all(process: type[Process]) -> None:
    """The first one: trials are told to save a checkpoint, and a person is told so."""
    process.stop_in = 1
    recorder, said = Recorder(), list[str]()
    run(recorder, said)
    assert len(process.given) == 1
    assert list(recorder.unfinished) == [job.trial_id for job in JOBS[2:]]
    assert process.made[0].stops == 1
    assert "saves a checkpoint" in said[0]


def test_a_signal_when_the_last_trial_of_a_wave_has_ended_is_not_lost(
    process: type[Process],
) -> None:
    process.late_in, before = 2, signal.getsignal(signal.SIGINT)
    recorder = Recorder()
    run(recorder, [])
    assert len(process.given) == 2
    assert list(recorder.unfinished) == [job.trial_id for job in JOBS[6:]]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_limit_that_is_reached_ends_all_as_a_signal_does(process: type[Process]) -> None:
    """Also where nothing is heard of the trials."""

    class Limited(Recorder):
        def reported(self, report: Report) -> None:
            super().reported(report)
            self.stop = len(self.unfinished) < 6

    recorder = Limited()
    run(recorder, [])
    assert len(process.given) == 1
    assert process.made[0].stops == 1


def test_what_a_person_cancels_is_passed_on_once(process: type[Process]) -> None:
    class Cancelling(Recorder):
        def is_cancelled(self, trial_id: str) -> bool:
            if trial_id == JOBS[1].trial_id:
                self.unfinished.pop(trial_id, None)
            return trial_id == JOBS[1].trial_id

    recorder = Cancelling()
    recorder.any_cancelled = True
    run(recorder, [])
    assert recorder.unfinished == {}
    assert process.made[0].cancelled == [JOBS[1].trial_id]


def test_a_ray_of_this_machine_that_dies_is_started_again_with_what_is_left(
    process: type[Process],
) -> None:
    process.lost = {1: 1, 3: 2}
    recorder, said = Recorder(), list[str]()
    run(recorder, said)
    assert recorder.unfinished == {}
    assert [len(wave) for wave in process.given] == [3, 2, 3, 1, 1]
    assert process.made[0].starts == process.made[0].closes == 3
    again = "Ray died (its raylet ended with code -9): it is started again, "
    assert [sentence.startswith(again) for sentence in said] == [True, True]
    # What ran is not taken to run on meanwhile.
    assert recorder.stopped_ones == [JOBS[1].trial_id, JOBS[5].trial_id]


def test_a_ray_that_dies_too_often_is_one_sentence(process: type[Process]) -> None:
    process.lost = dict.fromkeys(range(1, 100), 0)
    recorder = Recorder()
    with pytest.raises(ResourceError, match=rf"^Ray died {RESTARTS + 1} times on this machine"):
        run(recorder, [])
    assert len(process.given) == RESTARTS + 1
    assert process.made[0].closes == RESTARTS + 1
    assert len(recorder.unfinished) == len(JOBS)


def test_a_cluster_that_dies_is_one_sentence_at_once(process: type[Process]) -> None:
    process.lost = {2: 1}
    recorder = Recorder()
    with pytest.raises(ResourceError, match=r"^Ray at head:6379 is lost \(its raylet .*continues$"):
        run(recorder, [], "head:6379")
    assert len(process.given) == 2
    assert process.made[0].starts == process.made[0].closes == 1
    assert len(recorder.unfinished) == 3


def test_a_ray_that_dies_of_the_signal_is_not_started_again(process: type[Process]) -> None:
    """Who ends a whole group of processes ends Ray's, too."""

    class Dying(Process):
        made, given, lost = process.made, process.given, {}

        def run(self, jobs: Sequence[Job], max_concurrent: int) -> Iterator[tuple[Any, ...]]:
            self.given.append([])
            os.kill(os.getpid(), signal.SIGTERM)
            yield "started", jobs[0].trial_id
            raise RayLostError("its raylet ended with code -15")

    executor.DriverProcess = Dying  # type: ignore[misc]  # the fixture puts it back
    recorder, said = Recorder(), list[str]()
    run(recorder, said)
    assert (len(process.given), process.made[0].starts) == (1, 1)
    assert len(recorder.unfinished) == len(JOBS)


def test_other_errors_are_not_taken_for_a_stop(process: type[Process]) -> None:
    class Broken(Recorder):
        def reported(self, report: Report) -> None:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run(Broken(), [])


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


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (0.5, "cuda"), (1, "cuda")])
def test_a_trial_is_sent_to_the_device_that_it_has(
    gpus: float, device: str, process: type[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node without a GPU for it may see those of others, and one that has some may have lost
    its driver: neither is left to guess."""
    sent: list[Job] = []

    def run(_: Process, jobs: Sequence[Job], most: int) -> Iterator[tuple[Any, ...]]:
        sent.extend(jobs)
        for job in jobs:
            yield "started", job.trial_id
            yield "reported", Report(job.trial_id, outcome="done").to_json()

    monkeypatch.setattr(process, "start", lambda _: Cluster([{"CPU": 2.0, "GPU": 2.0}]))
    monkeypatch.setattr(process, "run", run)
    runner = RayExecutor(gpus=gpus)
    with runner.start(lambda _: None):
        runner.run(JOBS[:1], Recorder())  # type: ignore[arg-type]
    assert [job.execution["device"] for job in sent] == [device]
    assert [job.gpus for job in sent] == [gpus]
