"""Tells the storage how a sweep goes, for `sweep status`, and takes the requests to stop it."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from sweep.run import cancel
from sweep.run.live import (
    EVERY_SECONDS,
    STATES,
    Answer,
    LiveSweep,
    LiveTrial,
    State,
    in_one_line,
    read,
)
from trainables.errors import FlatsweepError
from trainables.masking import mask
from trainables.storage.files import Storage

if TYPE_CHECKING:
    from sweep.plan.expand import Plan, PlannedTrial
    from sweep.record.record import Record
    from sweep.run.loop import Sweep, SweepObserver
    from trainables.storage.result import TrialResult

REQUEST_SECONDS = 2.0
"""Between two looks for requests."""

UNFINISHED = ("queued", "running", "retrying")
"""Trials that can be cancelled."""

MOST_ENDED = 1000
"""Failed and cancelled trials that the file lists, the latest ones: it stays small."""


class Announcer:
    """Observes a sweep: passes all on to another observer and writes the driver's file.

    Nothing is written before there is a trial to run. Leaving the ``with`` block writes how the
    sweep ended. What cannot be written is said once, and costs no trial.

    Attributes:
        cancelled: What a person has asked to stop.
    """

    def __init__(self, sweep: Sweep, storage: Storage, observer: SweepObserver) -> None:
        now = time.time()
        self.cancelled = cancel.Cancellations()
        self._storage, self._observer = storage, observer
        self._file = LiveSweep(
            sweep.artifact.id,
            sweep.preset,
            sweep.selection.name,
            mask(str(sweep.artifact.variant)),
            driver=uuid.uuid4().hex[:12],
            node=platform.node(),
            pid=os.getpid(),
            started=now,
            written=now,
        )
        self._states: dict[str, State] = {}
        self._waiting = 0
        self._trials: dict[str, LiveTrial] = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="announcer", daemon=True)
        self._begun = self._said = False
        self._in_main = threading.current_thread() is threading.main_thread()

    # -- the driver's file -----------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._begun:
            self._stop.set()
            self._thread.join()
            self._file = replace(self._file, ended=self._how(error))
            self._write()

    def _how(self, error: BaseException | None) -> str:
        if self.cancelled.whole:
            return "cancelled"
        if error is None:
            return "finished"
        if isinstance(error, FlatsweepError | KeyboardInterrupt):
            return mask(f"stopped: {error}".removesuffix(": "), self._storage.root)
        return mask(f"stopped: {type(error).__name__}: {error}", self._storage.root)

    def begin(self, planned: Plan, record: Record, todo: Sequence[PlannedTrial]) -> None:
        """Say what the sweep is now: ``todo`` of the plan is run next."""
        with self._lock:
            ends = ((t.trial_id, record.status(t.trial_id)) for t in planned.trials)
            self._states = {trial_id: _state(end) for trial_id, end in ends}
            self._states |= dict.fromkeys([trial.trial_id for trial in todo], "queued")
            self._waiting = len(planned.expected)
        if not self._begun:
            with self._guarded():
                self._remove_ended()
            self._begun = True
            self._thread.start()
        self._write()

    def _remove_ended(self) -> None:
        """Of earlier drivers of this sweep there is nothing more to say."""
        gone = set()
        for name in self._storage.names(f"{self._file.folder}/*.json"):
            found = read(self._storage, name)
            if found is None or not found.alive:
                gone.add(name.partition(".")[0])
        for name in self._storage.names(f"{self._file.folder}/*"):
            if name.partition(".")[0] in gone:
                self._storage.delete(name)

    def _beat(self) -> None:
        due = time.monotonic() + EVERY_SECONDS
        while not self._stop.wait(REQUEST_SECONDS):
            requests: list[cancel.Request] = []
            with self._guarded():
                requests = cancel.take(self._storage, self._file)
            for request in requests:
                self._take(request)
            if requests or time.monotonic() >= due:
                self._write()
                due = time.monotonic() + EVERY_SECONDS

    def _write(self) -> None:
        with self._lock:
            counts = Counter[str](self._states.values())
            counts["waiting"] += self._waiting
            listed = sorted(self._trials.items(), key=lambda entry: entry[1].since)
            ended = [t for t, trial in listed if trial.state not in ("running", "retrying")]
            left_out = set(ended[:-MOST_ENDED])
            self._file = replace(
                self._file,
                written=time.time(),
                counts={state: counts[state] for state in STATES},
                trials={t: trial for t, trial in listed if t not in left_out},
            )
            text = self._file.to_json()
        with self._guarded():
            self._storage.write(self._file.file, text.encode())

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Within, the storage is used for what no trial needs."""
        try:
            yield
        except (FlatsweepError, OSError) as error:
            if not self._said:
                self._said = True
                self._observer.message(f"`sweep status` does not see this sweep: {error}")

    # -- requests --------------------------------------------------------------------------------

    def _take(self, request: cancel.Request) -> None:
        with self._lock:
            answer = self._cancel(request.trial_id) if request.trial_id else self._cancel_all()
            self._file = replace(self._file, answered={**self._file.answered, request.id: answer})
        self._observer.message(f"from another terminal: {answer.said}")

    def _cancel(self, beginning: str) -> Answer:
        meant = [trial_id for trial_id in self._states if trial_id.startswith(beginning)]
        if len(meant) != 1:
            several = f"{len(meant)} trials" if meant else "no trial"
            return Answer(False, f"{several} of {self._file.sweep} begin with {beginning!r}")
        (trial_id,) = meant
        state = self._states[trial_id]
        if state not in UNFINISHED:
            return Answer(False, f"trial {trial_id} has ended: {state}")
        self.cancelled.trials.add(trial_id)
        known = self._trials.get(trial_id, LiveTrial("queued", time.time()))
        self._trials[trial_id] = replace(known, cancelled=True)
        when = "" if state == "queued" else ", which ends with its epoch,"
        return Answer(True, f"trial {trial_id}{when} is cancelled; the next `sweep run` runs it")

    def _cancel_all(self) -> Answer:
        self.cancelled.whole = True
        left = sum(state in UNFINISHED for state in self._states.values())
        # Trials that run end at once, as on Ctrl-C. Where that is ignored they end their epoch.
        if self._in_main and callable(signal.getsignal(signal.SIGINT)):
            os.kill(os.getpid(), signal.SIGINT)
        return Answer(
            True,
            f"{self._file.sweep} is cancelled with {left} trials unfinished; the next `sweep run` "
            "continues",
        )

    # -- what is observed ------------------------------------------------------------------------

    def on_submit(
        self, plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int
    ) -> None:
        """Trials go to the executor."""
        with self._lock:
            self._file = replace(self._file, max_concurrent=max_concurrent)
        self._observer.on_submit(plan, todo, max_concurrent, recorded)

    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int, node: str = "") -> None:
        """An epoch is done, or the trial starts."""
        with self._lock:
            known = self._trials.get(trial.trial_id)
            if known is None or known.state != "running":
                known = LiveTrial("running", time.time())
            cancelled = trial.trial_id in self.cancelled.trials
            self._trials[trial.trial_id] = replace(
                known, epoch=epoch, epochs=epochs, node=node or known.node, cancelled=cancelled
            )
            self._states[trial.trial_id] = "running"
        self._observer.on_progress(trial, epoch, epochs, node)

    def on_retry(self, trial: PlannedTrial) -> None:
        """Its process died."""
        with self._lock:
            known = self._trials.get(trial.trial_id, LiveTrial("retrying", 0))
            retrying = replace(known, state="retrying", since=time.time(), node="")
            self._trials[trial.trial_id] = retrying
            self._states[trial.trial_id] = "retrying"
        self._observer.on_retry(trial)

    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None:
        """The trial has ended."""
        kind, _, error = outcome.partition(": ")
        with self._lock:
            known = self._trials.pop(trial.trial_id, LiveTrial("queued", 0))
            if kind == "cancelled":
                kind = "queued"
                known = replace(known, cancelled=True)
            self._states[trial.trial_id] = state = _state(kind)
            if state in ("queued", "failed"):
                self._trials[trial.trial_id] = replace(
                    known, state=state, since=time.time(), error=in_one_line(error), node=""
                )
        self._observer.on_end(trial, outcome, result)

    def on_unrecorded(self, count: int) -> None:
        """So many results wait for MLflow."""
        self._observer.on_unrecorded(count)

    def message(self, sentence: str) -> None:
        """Something that a person should know."""
        self._observer.message(sentence)

    def close(self) -> None:
        """Nothing more will be told."""
        self._observer.close()


def _state(status: str) -> State:
    """Of a trial that does not run now, from its status in the record."""
    return next((s for s in STATES if s == status and s != "running"), "queued")


__all__ = ["Announcer"]
