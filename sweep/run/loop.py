"""A plan, run: what is missing goes to an executor, what finishes goes into the record.

The same command again continues: results are in storage before they are
reported and in MLflow right after, and both are looked at before anything
starts. Stages follow each other: as soon as the record knows a stage's
winners, the next one is planned.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from search_spaces import presets
from search_spaces.spec import Artifact
from sweep.aggregate import SelectionRule
from sweep.plan.expand import OUTCOMES, Plan, PlannedTrial, plan
from sweep.plan.where import only
from sweep.record.membership import Membership, as_tags
from sweep.record.mlflow_runs import PARENT, STORAGE
from sweep.record.mlflow_store import Tracker, TrackingError, outdated_words
from sweep.record.record import Record
from sweep.run.announcer import Announcer
from sweep.run.changed import Retraining
from sweep.run.limits import Limits
from sweep.run.noting import note
from sweep.run.recorder import ResultRecorder
from sweep.run.sharing import (
    RECORD,
    apart,
    folded,
    looked_through,
    record_found,
    wait_for_others,
)
from sweep.run.summaries import keep, points_of
from trainables.errors import FlatsweepError
from trainables.job import Job
from trainables.masking import mask
from trainables.own_parts.used import to_send
from trainables.scratch import collect
from trainables.storage.files import Storage
from trainables.storage.lease import driving
from trainables.storage.result import TrialResult
from trainables.storage.trial_folder import (
    PRUNED,
    RESULT,
    read_pruned,
    read_result,
    tidy,
    trial_folder,
    trials_with,
)

if TYPE_CHECKING:
    from sweep.run.executor import Executor


class StoppedError(FlatsweepError):
    """The sweep was interrupted; the message says how to go on."""


def without_pauses(plan: Plan) -> Mapping[str, int]:
    """No trial of a plan is stopped on its way."""
    return {}


@dataclass(frozen=True)
class Sweep:
    """What is to be run, and where its results go.

    Attributes:
        artifact: The table or figure whose trials are run, as ``preset`` has shrunk it.
        preset: Name of the preset.
        selection: How hyper-parameters are chosen.
        storage: Folder or URI of results, checkpoints and weights.
        execution: Further options of `trainables.train.Execution`; none changes a number.
        changed: What is done with results whose code or data was another: ``stop``, ``accept`` or
            ``retrain`` (`sweep.plan.changed`).
        where: Label -> entry of the cells that are meant; empty: all. They make no other sweep.
        only_failed: Of what is missing, run those trials alone that the record has as failed.
        pauses: Trial of a plan -> the epoch after which it is stopped for now (`sweep.run.search`).
    """

    artifact: Artifact
    preset: str
    selection: SelectionRule
    storage: str = "results"
    execution: Mapping[str, Any] = field(default_factory=dict)
    changed: str = "stop"
    where: Mapping[str, str] = field(default_factory=dict)
    only_failed: bool = False
    pauses: Callable[[Plan], Mapping[str, int]] = without_pauses

    def plan(self, record: Record) -> Plan:
        """The trials that it needs, as far as ``record`` determines them."""
        found = plan(self.artifact, self.preset, self.selection, record)
        return only(found, self.where) if self.where else found

    def missing(self, planned: Plan, record: Record) -> list[PlannedTrial]:
        """The trials of its plan that it is to run."""
        missing, pauses = planned.missing(record), self.pauses(planned)
        if self.only_failed:
            return [trial for trial in missing if record.status(trial.trial_id) == "failed"]
        return [t for t in missing if not _is_paused(t.trial_id, pauses, record)]


def _is_paused(trial_id: str, pauses: Mapping[str, int], record: Record) -> bool:
    """Whether the record has a trial as far as it is to go for now."""
    lasted = record.value(trial_id, "epochs_run") or 0
    return trial_id in pauses and lasted >= pauses[trial_id]


class SweepObserver(Protocol):
    """What a sweep tells while it runs (`sweep.run.progress` shows it)."""

    def on_submit(
        self, plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int
    ) -> None:
        """Trials go to the executor.

        Args:
            todo: Those that are run now, of all that ``plan`` has.
            max_concurrent: How many of them run at once.
            recorded: How many others the record has.
        """

    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int, node: str = "") -> None:
        """``epoch`` of ``epochs`` is done, on this ``node``; 0: the trial starts."""

    def on_retry(self, trial: PlannedTrial) -> None:
        """The trial's process died; it goes on when another one has started."""

    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None:
        """The trial has ended and is recorded.

        Args:
            outcome: ``done``, ``diverged``, ``pruned``, ``cancelled``, or ``failed: `` and the
                error.
            result: None where it failed or was cancelled.
        """

    def on_unrecorded(self, count: int) -> None:
        """So many results are in storage and not in MLflow yet: it is slow, locked or away."""

    def message(self, sentence: str) -> None:
        """Something that a person should know."""

    def close(self) -> None:
        """Nothing more will be told."""


class Attachments(Protocol):
    """Makes the files that are attached to a sweep's MLflow run at its end: name -> text."""

    def __call__(self, plan: Plan, record: Record) -> Mapping[str, str]: ...


class Extension(Protocol):
    """Asked when nothing is left to run: the artifact with more to run, or None at the end.

    With the same artifact, pauses (`Sweep.pauses`) are other ones."""

    def __call__(self, plan: Plan, record: Record) -> Artifact | None: ...


class Runner(Protocol):
    """`run`, or what runs more than the sweep says, such as a search."""

    def __call__(
        self,
        sweep: Sweep,
        *,
        tracker: Tracker,
        observer: SweepObserver,
        executor: Executor,
        attachments: Attachments | None = None,
        limits: Limits | None = None,
    ) -> tuple[Plan, Record]: ...


def run(
    sweep: Sweep,
    *,
    tracker: Tracker,
    observer: SweepObserver,
    executor: Executor,
    attachments: Attachments | None = None,
    extension: Extension | None = None,
    limits: Limits | None = None,
) -> tuple[Plan, Record]:
    """Run every trial of ``sweep`` that the record lacks.

    Args:
        tracker: Where the record is read and written.
        observer: Told what happens.
        executor: Runs the trials; it is started when there is one to run.
        attachments: Makes the files that are attached to the sweep's MLflow run.
        extension: Asked for more to run when nothing is left.
        limits: How far this goes, and in which order; None: to the end.

    Returns:
        The plan as far as it got, and the record it is read from. A trial that failed stays
        missing in the record and is tried again by the next run; stages that start from a winner
        among it and others wait until then. What a limit has left out is missing, too.

    Raises:
        UsageError, sweep.run.resources.ResourceError, trainables.storage.files.StorageError,
            sweep.record.mlflow_store.TrackingError, sweep.plan.changed.ChangedError: before any
            trial starts.
    """
    limits = limits or Limits()
    storage = Storage(sweep.storage)
    storage.check_writable()
    collect()  # what killed commands have left on this machine
    tracker.notify = observer.message
    tracker.open(sweep.artifact.paper)
    attempted: set[tuple[str, int, frozenset[str]]] = set()
    retraining = Retraining(executor.local, observer)
    with contextlib.ExitStack() as stack:
        leases = stack.enter_context(driving(storage))
        observer = announcer = stack.enter_context(Announcer(sweep, storage, observer))
        parent, started, first = "", False, True
        while True:
            record = looked_through(tracker, leases, observer.message) if first else tracker.load()
            first = False
            planned, record = retraining.planned(sweep, record)
            pauses = sweep.pauses(planned)
            asked = partial(_asked, planned, pauses)
            missing = sweep.missing(planned, record)
            for trial in missing:
                executor.refuse(trial.config)
            free, others = apart(leases, missing)
            found = _unrecorded_results(planned, free, pauses, storage, observer)
            found = retraining.usable(sweep, planned, found)
            if (found or missing) and not parent:
                with leases.alone(RECORD):
                    parent = _start(planned, record, tracker, observer)
            tags = Tags(planned, parent, retraining.memberships, storage.root)
            if found:
                if recorded := record_found(found, leases, tracker, tags):
                    observer.message(f"{recorded} finished trials found in storage and recorded")
                continue
            todo = [trial for trial in free if asked(trial) not in attempted]
            others = [trial for trial in others if asked(trial) not in attempted]
            if others and not (todo or limits.reached):
                if not wait_for_others(leases, others, observer.message):
                    raise _stopped(len(others))
                continue
            extended = extension(planned, record) if extension and not todo else None
            if extended is not None:
                sweep = replace(sweep, artifact=extended)
                continue
            if todo and limits.reached:
                observer.message(limits.reached)
            todo = limits.next(todo)
            if not todo:
                with leases.alone(RECORD):
                    tracker.join(record, _joining(planned, record))
                whole = planned.whole or planned
                files = attachments(whole, record) if parent and attachments else {}
                noted = note(storage, planned, files, points_of(whole))
                if parent:
                    tracker.finish_sweep(parent, files)
                keep(tracker, parent, noted, leases, observer.message)
                return planned, folded(tracker.load(), tracker, leases)  # also in the mirror
            announcer.begin(planned, record, todo)
            if not started:
                if executor.local:
                    check_data(todo, sweep.execution)
                stack.enter_context(executor.start(observer.message))
                started = True
            jobs = [_job(sweep, planned, trial, leases.owner, pauses) for trial in todo]
            max_concurrent = executor.max_concurrent(jobs)
            retraining.begin(todo, storage, tracker)
            note(storage, planned)
            observer.on_submit(planned, todo, max_concurrent, len(planned.trials) - len(missing))
            cancelled = announcer.cancelled
            with ResultRecorder(
                todo, storage, tracker, tags, observer, limits, cancelled, leases.release
            ) as recorder:
                executor.run(jobs, recorder)
            if recorder.error is not None:
                raise _unrecorded(recorder.error)
            again = recorder.unfinished.keys() | recorder.elsewhere
            attempted |= {asked(trial) for trial in todo if trial.trial_id not in again}
            if (left := recorder.left) and (cancelled.whole or not limits.stop):
                points = points_of(planned.whole or planned)
                keep(tracker, parent, note(storage, planned, points=points), leases, tracker.notify)
                raise _stopped(left, "cancelled" if cancelled.whole else "stopped")


def _unrecorded(error: Exception) -> TrackingError:
    return TrackingError(
        f"{error}; what is finished is in storage, and recorded by the same command or sweep sync"
    )


def _stopped(unfinished: int, word: str = "stopped") -> StoppedError:
    return StoppedError(
        f"{word} with {unfinished} trials unfinished; "
        "what is finished is recorded, the same command continues"
    )


@dataclass(frozen=True)
class Tags:
    """MLflow tags that say what a trial was run for.

    Attributes:
        before: Trial -> other memberships that it has already.
    """

    plan: Plan
    parent: str
    before: Mapping[str, Sequence[Membership]] = field(default_factory=dict)
    storage: str = ""

    def of(self, trial: PlannedTrial) -> dict[str, str]:
        """The tags of one trial's run."""
        tags = {
            "paper": self.plan.artifact.paper,
            "cell": " / ".join(trial.cell.key.values()),
            "method": trial.config.method.name,
            "seed": str(trial.seed),
            **as_tags(self._memberships(trial)),
        }
        more = {PARENT: self.parent, STORAGE: mask(self.storage)}
        return tags | {name: value for name, value in more.items() if value}

    def _memberships(self, trial: PlannedTrial) -> list[Membership]:
        known = self.before.get(trial.trial_id, ())
        return [*dict.fromkeys((*known, *memberships(self.plan, trial)))]


def _start(planned: Plan, record: Record, tracker: Tracker, observer: SweepObserver) -> str:
    """The sweep's own run in MLflow."""
    artifact = planned.artifact
    if outdated := record.outdated(artifact.id, planned.preset, planned.variant):
        observer.message(outdated_words(outdated, artifact.id))
    return tracker.start_sweep(
        artifact.id,
        planned.preset,
        planned.selection.name,
        artifact.notes.title,
        planned.variant,
    )


def _asked(
    planned: Plan, pauses: Mapping[str, int], trial: PlannedTrial
) -> tuple[str, int, frozenset[str]]:
    """A trial, how far it is to go and what is to be measured on it: more may be asked later."""
    measures = frozenset(request.key for request in planned.measures_of(trial))
    return trial.trial_id, pauses.get(trial.trial_id, 0), measures


def check_data(todo: Sequence[PlannedTrial], execution: Mapping[str, Any]) -> None:
    """Load (and prepare, once) every data set here, so that what is missing is said at once.

    Not for a cluster: its nodes may have data that this machine has not.

    Raises:
        trainables.data.DataError: a data set is missing or damaged.
    """
    from trainables import data

    sources = [trial.config.data.source for trial in todo]
    for source in {source.model_dump_json(): source for source in sources}.values():
        data.load(source.name, execution.get("data_dir"), **source.options)


def _unrecorded_results(
    planned: Plan,
    missing: Sequence[PlannedTrial],
    pauses: Mapping[str, int],
    storage: Storage,
    observer: SweepObserver,
) -> list[tuple[PlannedTrial, TrialResult]]:
    """Finished trials that the record does not know yet: the driver died before it tracked them.

    Results that the record has are not read.
    """
    with_result = trials_with(storage, RESULT) if missing else set()
    stopped = trials_with(storage, PRUNED) if pauses and missing else set()
    found = []
    for trial in missing:
        if trial.trial_id in with_result:
            folder, asked = trial_folder(storage, trial.trial_id), planned.measures_of(trial)
            result = read_result(folder, trial.trial_id, asked, observer.message)
            if result is not None:
                tidy(folder)
                found.append((trial, result))
        elif trial.trial_id in stopped and trial.trial_id in pauses:
            result = read_pruned(trial_folder(storage, trial.trial_id), trial.trial_id)
            if result is not None and result.metrics["epochs_run"] >= pauses[trial.trial_id]:
                found.append((trial, result))
    return found


def _joining(planned: Plan, record: Record) -> dict[str, list[Membership]]:
    """Recorded trials of the plan, and the places that each has in it."""
    return {
        trial.trial_id: memberships(planned, trial)
        for trial in planned.trials
        if record.status(trial.trial_id) in OUTCOMES
    }


def memberships(planned: Plan, trial: PlannedTrial) -> list[Membership]:
    """The places of a trial in a plan: the first stage that needs it, and of a search every row."""
    id_, rule = planned.artifact.id, planned.selection.name
    return [
        Membership(id_, planned.preset, rule, stage, planned.variant)
        for stage in dict.fromkeys([trial.stage, *planned.searching.get(trial.trial_id, ())])
    ]


def _job(
    sweep: Sweep, planned: Plan, trial: PlannedTrial, driver: str, pauses: Mapping[str, int]
) -> Job:
    measures = tuple(planned.measures_of(trial))
    return Job.of(
        trial.config,
        measures=measures,
        sources=to_send(trial.config, measures),
        storage=Storage(sweep.storage).root,
        execution={
            "train_samples": presets.of(planned.artifact, planned.preset).train_samples,
            **sweep.execution,
        },
        driver=driver,
        until=pauses.get(trial.trial_id, 0),
    )
