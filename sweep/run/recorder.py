"""What an executor hears of its trials, carried into the record and onto the screen."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from sweep.run.cancel import Cancellations
from sweep.run.limits import Limits
from trainables.storage.files import StorageError
from trainables.storage.trial_folder import ignore, read_pruned, read_result, trial_folder
from trainables.storage.trial_log import append, opening

if TYPE_CHECKING:
    from sweep.plan.expand import PlannedTrial
    from sweep.record.mlflow_store import Tracker
    from sweep.run.loop import SweepObserver, Tags
    from trainables.job import Report
    from trainables.storage.files import Storage


RETRY = 5.0
"""Seconds between two tries to reach a tracking store that is away."""

SLOW = 10
"""So many results that are to be written, and a store is called slow."""

PATIENCE = 60.0
"""Seconds that a sweep waits for it when all is trained; then the next one records what waits."""

Write = Callable[[], None]


class ResultRecorder:
    """Reads results from storage, tracks and shows them.

    It does so in one thread of its own: a slow tracking store keeps no free slot waiting for
    its next trial, and one that is away is tried again. Leaving the ``with`` block waits until all
    is written, or for `PATIENCE` seconds.

    Attributes:
        unfinished: Id -> trial, of those whose end was not reported.
        elsewhere: Ids of those that were not run: another driver is at them.
        error: What the tracking store raised last, while results wait for it; None: none does.

    Args:
        cancelled: What a person has cancelled; an executor asks `is_cancelled`.
        release: Called with the id of a trial whose run is written, or that is cancelled.
    """

    def __init__(
        self,
        todo: Sequence[PlannedTrial],
        storage: Storage,
        tracker: Tracker,
        tags: Tags,
        observer: SweepObserver,
        limits: Limits | None = None,
        cancelled: Cancellations | None = None,
        release: Callable[[str], None] = ignore,
    ) -> None:
        self.unfinished = {trial.trial_id: trial for trial in todo}
        self.elsewhere: set[str] = set()
        self.error: Exception | None = None
        self._storage, self._tracker, self._tags = storage, tracker, tags
        self._observer, self._limits = observer, limits or Limits()
        self._cancelled = Cancellations() if cancelled is None else cancelled
        self._given_up = 0
        self._release = release
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._running: set[str] = set()
        self._said: set[str] = set()
        self._raised: BaseException | None = None
        self._waiting: deque[tuple[Write, PlannedTrial]] = deque()
        self._queued, self._not_before = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._track_rest()
        if self._raised is not None:
            raise self._raised

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the trials that a process is at work on."""
        return tuple(self._running)

    @property
    def stop(self) -> bool:
        """Whether a limit is reached that trials which run do not outlive."""
        return bool(self._limits.stop)

    @property
    def left(self) -> int:
        """How many trials the sweep was stopped with: those unfinished, or cancelled with it."""
        return len(self.unfinished) + (self._given_up if self._cancelled.whole else 0)

    @property
    def any_cancelled(self) -> bool:
        """Whether `is_cancelled` may be true of one."""
        return bool(self._cancelled)

    def is_cancelled(self, trial_id: str) -> bool:
        """Whether a person has cancelled the trial. Then it must not run (on): it has ended."""
        trial = self.unfinished.get(trial_id)
        if trial_id in self._cancelled and trial is not None:
            self._given_up += 1
            self._ended(trial, self._cancel, trial)
        return trial_id in self._cancelled

    def started(self, trial_id: str) -> None:
        """Note that a process has begun with the trial."""
        trial = self.unfinished.get(trial_id)
        if trial is not None:
            self._running.add(trial_id)
            self._observer.on_progress(trial, 0, trial.config.epochs)

    def reported(self, report: Report) -> None:
        """Note what a trial reports: an epoch, or its end."""
        for sentence in report.notes:
            if sentence not in self._said:  # of the data that they share, every trial says the same
                self._said.add(sentence)
                self._observer.message(sentence)
        trial = self.unfinished.get(report.trial_id)
        if trial is None:
            return
        if not report.ended:
            self._observer.on_progress(trial, report.epoch, report.epochs, report.host)
        elif report.outcome == "waiting":
            self.elsewhere.add(trial.trial_id)
            del self.unfinished[trial.trial_id]
            self._running.discard(trial.trial_id)
            self._observer.on_end(trial, "waiting", None)
        elif report.outcome == "failed":
            self.failed(trial.trial_id, report.error, report.traceback)
        else:
            self._ended(trial, self._finished, trial, report.outcome == "pruned")

    def failed(self, trial_id: str, error: str, traceback: str = "") -> None:
        """Note that the trial raised ``error``, or that its process died too often."""
        trial = self.unfinished.get(trial_id)
        if trial is not None:
            self._limits.note_failure()
            self._ended(trial, self._failed, trial, error, traceback)

    def stopped(self, trial_id: str, why: str = "") -> None:
        """Note that the trial's process died; it goes on when another one has started."""
        self._running.discard(trial_id)
        trial = self.unfinished.get(trial_id)
        if trial is not None:
            self._observer.on_retry(trial)
            self._thread.submit(self._log, trial_id, f"{why or 'Ray died'}; it is tried again")
        if trial is not None and why:
            self._observer.message(f"{trial.name}: {why}; it is tried again from its checkpoint")

    def _ended(self, trial: PlannedTrial, write: Callable[..., None], *arguments: Any) -> None:
        del self.unfinished[trial.trial_id]
        self._running.discard(trial.trial_id)
        self._queued += 1
        self._thread.submit(write, *arguments).add_done_callback(self._written)

    def _written(self, end: Future[None]) -> None:
        """Note that one less is to be written, and keep the first error.

        The ends themselves would become as many as there are trials.
        """
        self._queued -= 1
        self._raised = self._raised or end.exception()

    def _log(self, trial_id: str, text: str) -> None:
        """Into the trial's own log, as far as that can be written."""
        with suppress(StorageError):
            folder = trial_folder(self._storage, trial_id)
            append(folder, f"{opening()}{text.rstrip()}\n")

    def _cancel(self, trial: PlannedTrial) -> None:
        self._release(trial.trial_id)  # another driver may run it
        self._observer.on_end(trial, "cancelled", None)

    def _failed(self, trial: PlannedTrial, error: str, traceback: str = "") -> None:
        self._log(trial.trial_id, traceback or error)
        tags = self._tags.of(trial)
        self._track(partial(self._tracker.write_failure, trial, error, tags), trial)
        self._observer.on_end(trial, f"failed: {error}", None)

    def _finished(self, trial: PlannedTrial, pruned: bool) -> None:
        folder, notes = trial_folder(self._storage, trial.trial_id), list[str]()
        if pruned:
            result = read_pruned(folder, trial.trial_id)
        else:
            result = read_result(folder, trial.trial_id, notify=notes.append)
        if result is None and notes:  # damaged since it was written
            self._failed(trial, notes[0])
            return
        if result is None:
            raise FileNotFoundError(f"trial {trial.trial_id} reported an end but left no result")
        self._track(partial(self._tracker.write, trial, result, self._tags.of(trial)), trial)
        self._observer.on_end(trial, result.status, result)

    def _track(self, write: Write, trial: PlannedTrial) -> None:
        """Write to the tracking store, or keep it for later: training goes on, and storage has it.

        While the store is away it is asked every `RETRY` seconds, not for every trial.
        """
        self._waiting.append((write, trial))
        self._track_waiting()

    def _track_waiting(self) -> None:
        """Write what waits, one after the other; what fails comes last at the next try."""
        if time.monotonic() < self._not_before:
            self._show_waiting()
            return
        had = len(self._waiting)
        while self._waiting:
            write, trial = self._waiting[0]
            try:
                write()
            except Exception as error:
                self._waiting.rotate(-1)
                self._not_before = time.monotonic() + RETRY
                self._away(error)
                break
            self._waiting.popleft()
            self._release(trial.trial_id)
        self._show_waiting()
        if not self._waiting and self.error is not None:
            self.error = None
            self._observer.message(f"MLflow is back: {had} results that waited are recorded")

    def _show_waiting(self) -> None:
        behind = self._queued if self._queued >= SLOW else 0
        self._observer.on_unrecorded(len(self._waiting) + behind)

    def _away(self, error: Exception) -> None:
        if self.error is None:
            self._observer.message(f"{error}; training goes on, and results wait in storage")
        self.error = error

    def _track_rest(self) -> None:
        """At the end, wait for a store that is away, unless the sweep was interrupted."""
        patience = 0.0 if self.unfinished else PATIENCE
        until = time.monotonic() + patience
        while self._waiting:
            self._not_before = 0.0
            self._track_waiting()
            if not self._waiting or time.monotonic() >= until:
                break
            time.sleep(min(RETRY, patience))
