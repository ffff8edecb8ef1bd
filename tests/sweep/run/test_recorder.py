"""What a recorder knows of the trials that run, and what it keeps of those that have ended."""

from __future__ import annotations

import gc
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from sweep.run import recorder as module
from sweep.run.recorder import ResultRecorder
from trainables.job import Report

TODO = [SimpleNamespace(trial_id=f"t{i}", config=SimpleNamespace(epochs=2)) for i in range(50)]


class Store:
    """Observer, tracker and tags in one: all is well, and nothing is kept."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.waiting: list[int] = []
        self.said: list[str] = []
        self.away = 0
        self.refused = ""
        self.answers = threading.Event()
        self.answers.set()

    def write(self, trial: Any, *_: object) -> None:
        self.answers.wait(60)
        self.away -= 1
        if self.away >= 0 or trial.trial_id == self.refused:
            raise OSError("MLflow is away")
        self.written.append(trial.trial_id)

    write_failure = write

    def of(self, trial: Any) -> dict[str, str]:
        return {}

    def on_progress(self, *_: object) -> None:
        pass

    on_end = on_retry = on_progress

    def on_unrecorded(self, count: int) -> None:
        self.waiting.append(count)

    def message(self, sentence: str) -> None:
        self.said.append(sentence)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> ResultRecorder:
    monkeypatch.setattr(module, "trial_folder", lambda storage, trial_id: trial_id)
    monkeypatch.setattr(module, "append", lambda folder, text: None)
    lost = {"t3": None, "t7": None}
    done = SimpleNamespace(status="done")
    monkeypatch.setattr(module, "read_result", lambda folder, *_, **__: lost.get(folder, done))
    monkeypatch.setattr(module, "RETRY", 0.0)
    store = Store()
    released: list[str] = []
    made = ResultRecorder(TODO, None, store, store, store, release=released.append)  # type: ignore[arg-type]
    made.store, made.released = store, released  # type: ignore[attr-defined]
    return made


def test_it_knows_whether_a_trial_runs(recorder: ResultRecorder) -> None:
    seen = [bool(recorder.running)]
    with recorder:
        for tell in (
            lambda: recorder.started("t0"),
            lambda: recorder.started("t1"),
            lambda: recorder.reported(Report("t0", 1, 2)),
            lambda: recorder.reported(Report("t0", outcome="done")),
            lambda: recorder.stopped("t1"),  # its process died; it is started again
            lambda: recorder.started("t1"),
            lambda: recorder.failed("t1", "out of memory"),
        ):
            tell()
            seen.append(bool(recorder.running))
    assert seen == [False, True, True, True, True, False, True, False]
    assert recorder.unfinished.keys() == {trial.trial_id for trial in TODO[2:]}


def test_the_first_error_of_a_write_is_raised_and_ends_do_not_pile_up(
    recorder: ResultRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, ends = recorder._thread.submit, weakref.WeakSet[Any]()
    left: list[int] = []

    def noted(*work: Any) -> Any:
        end = submit(*work)
        ends.add(end)
        return end

    def everything_ends() -> None:
        with recorder:
            for trial in TODO:
                recorder.started(trial.trial_id)
                recorder.reported(Report(trial.trial_id, outcome="done"))
            submit(lambda: None).result()  # all others are over
            gc.collect()
            left.append(len(ends))

    monkeypatch.setattr(recorder._thread, "submit", noted)
    with pytest.raises(FileNotFoundError, match="trial t3 reported an end but left no result"):
        everything_ends()
    assert left[0] <= 2  # those that raised, which their errors' tracebacks keep
    assert recorder.unfinished == {}
    assert len(recorder._tracker.written) == len(TODO) - 2  # type: ignore[attr-defined]


def end(recorder: ResultRecorder, trials: list[Any]) -> None:
    with recorder:
        for trial in trials:
            recorder.reported(Report(trial.trial_id, outcome="done"))


def test_results_wait_while_the_store_is_away_and_are_written_when_it_is_back(
    recorder: Any,
) -> None:
    """What fails comes last: one result that the store refuses keeps no other waiting."""
    recorder.store.away = 3
    ended = [TODO[i] for i in (0, 1, 2, 4, 5)]
    end(recorder, ended)
    ids = {trial.trial_id for trial in ended}
    assert set(recorder.store.written) == set(recorder.released) == ids
    assert len(recorder.store.written) == len(recorder.released) == 5
    assert recorder.error is None
    assert recorder.store.waiting[:3] == [1, 2, 3]
    assert recorder.store.waiting[-1] == 0
    assert recorder.store.said == [
        "MLflow is away; training goes on, and results wait in storage",
        "MLflow is back: 4 results that waited are recorded",
    ]


def test_a_result_that_the_store_refuses_keeps_no_other_waiting(recorder: Any) -> None:
    recorder.store.refused = "t0"
    end(recorder, [TODO[i] for i in (0, 1, 2, 4)])
    assert recorder.store.written == recorder.released == ["t1", "t2", "t4"]
    assert str(recorder.error) == "MLflow is away"


def test_a_store_that_is_slow_is_said_to_have_results_waiting(recorder: Any) -> None:
    recorder.store.answers.clear()
    with recorder:
        for trial in TODO[10 : 10 + module.SLOW + 2]:
            recorder.reported(Report(trial.trial_id, outcome="done"))
        recorder.store.answers.set()
    assert recorder.store.waiting[:3] == [module.SLOW + 2, module.SLOW + 1, module.SLOW]
    assert set(recorder.store.waiting[3:]) == {0}


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_store_that_stays_away_is_waited_for_at_the_end_but_not_after_ctrl_c(
    recorder: Any, interrupted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that waits is released: no other driver may take it for unrecorded meanwhile."""
    slept: list[float] = []
    clock = iter(range(10_000))
    monkeypatch.setattr(
        module, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=slept.append)
    )
    recorder.store.away = 10_000
    if not interrupted:
        recorder.unfinished = {t.trial_id: t for t in TODO[:1]}
    end(recorder, TODO[:1])
    assert str(recorder.error) == "MLflow is away"
    assert recorder.store.written == recorder.released == []
    assert bool(slept) != interrupted
