"""A plan, run: what is missing goes to an executor, what finishes goes into the record.

The same command again continues: results are in storage before they are
reported and in MLflow right after, and both are looked at before anything
starts. Stages follow each other: as soon as the record knows a stage's
winners, the next one is planned.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from search_spaces import presets
from search_spaces.spec import Artifact
from sweep.aggregate import SelectionRule
from sweep.plan.expand import OUTCOMES, Plan, PlannedTrial, plan
from sweep.plan.where import only
from sweep.record.membership import Membership, as_tags
from sweep.record.mlflow_store import Tracker, outdated_words
from sweep.record.record import Record
from sweep.run.announcer import Announcer
from sweep.run.changed import Retraining
from sweep.run.limits import Limits
from sweep.run.recorder import ResultRecorder
from trainables.errors import FlatsweepError
from trainables.job import Job
from trainables.own_parts.used import to_send
from trainables.scratch import collect
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult
from trainables.storage.trial_folder import RESULT, read_result, tidy, trial_folder, trials_with

if TYPE_CHECKING:
    from sweep.run.executor import Executor


class StoppedError(FlatsweepError):
    """The sweep was interrupted; the message says how to go on."""


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
    """

    artifact: Artifact
    preset: str
    selection: SelectionRule
    storage: str = "results"
    execution: Mapping[str, Any] = field(default_factory=dict)
    changed: str = "stop"
    where: Mapping[str, str] = field(default_factory=dict)
    only_failed: bool = False

    def plan(self, record: Record) -> Plan:
        """The trials that it needs, as far as ``record`` determines them."""
        found = plan(self.artifact, self.preset, self.selection, record)
        return only(found, self.where) if self.where else found

    def missing(self, planned: Plan, record: Record) -> list[PlannedTrial]:
        """The trials of its plan that it is to run."""
        missing = planned.missing(record)
        if self.only_failed:
            return [trial for trial in missing if record.status(trial.trial_id) == "failed"]
        return missing


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
            outcome: ``done``, ``diverged``, ``cancelled``, or ``failed: `` and the error.
            result: None where it failed or was cancelled.
        """

    def message(self, sentence: str) -> None:
        """Something that a person should know."""

    def close(self) -> None:
        """Nothing more will be told."""


class Attachments(Protocol):
    """Makes the files that are attached to a sweep's MLflow run at its end: name -> text."""

    def __call__(self, plan: Plan, record: Record) -> Mapping[str, str]: ...


class Extension(Protocol):
    """Asked when nothing is left to run: the artifact with more to run, or None at the end."""

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
    attempted: set[tuple[str, frozenset[str]]] = set()
    retraining = Retraining(executor.local, observer)
    with contextlib.ExitStack() as stack:
        observer = announcer = stack.enter_context(Announcer(sweep, storage, observer))
        parent, started, refresh = "", False, True
        while True:
            record = tracker.load(refresh)
            if refresh and tracker.fold(record):
                record = tracker.load()
            refresh = False
            planned, record = retraining.planned(sweep, record)
            missing = sweep.missing(planned, record)
            for trial in missing:
                executor.refuse(trial.config)
            found = _unrecorded_results(planned, missing, storage, observer)
            found = retraining.usable(sweep, planned, found)
            if (found or missing) and not parent:
                parent = _start(planned, record, tracker, observer)
            tags = Tags(planned, parent, retraining.memberships)
            if found:
                for trial, result in found:
                    tracker.write(trial, result, tags.of(trial))
                observer.message(f"{len(found)} finished trials found in storage and recorded")
                continue
            todo = [trial for trial in missing if _asked(planned, trial) not in attempted]
            extended = extension(planned, record) if extension and not todo else None
            if extended is not None:
                sweep = replace(sweep, artifact=extended)
                continue
            if todo and limits.reached:
                observer.message(limits.reached)
            todo = limits.next(todo)
            if not todo:
                tracker.join(record, _joining(planned, record))
                if parent:
                    whole = planned.whole or planned
                    files = attachments(whole, record) if attachments else {}
                    tracker.finish_sweep(parent, files)
                return planned, tracker.load()  # what was just written is in the mirror, too
            announcer.begin(planned, record, todo)
            if not started:
                if executor.local:
                    check_data(todo, sweep.execution)
                stack.enter_context(executor.start(observer.message))
                started = True
            jobs = [_job(sweep, planned, trial) for trial in todo]
            max_concurrent = executor.max_concurrent(jobs)
            attempted |= {_asked(planned, trial) for trial in todo}
            retraining.begin(todo, storage, tracker)
            observer.on_submit(planned, todo, max_concurrent, len(planned.trials) - len(missing))
            cancelled = announcer.cancelled
            with ResultRecorder(
                todo, storage, tracker, tags, observer, limits, cancelled
            ) as recorder:
                executor.run(jobs, recorder)
            if recorder.error is not None:
                raise recorder.error
            attempted -= {_asked(planned, trial) for trial in recorder.unfinished.values()}
            if (left := recorder.left) and (cancelled.whole or not limits.stop):
                word = "cancelled" if cancelled.whole else "stopped"
                raise StoppedError(
                    f"{word} with {left} trials unfinished; "
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

    def of(self, trial: PlannedTrial) -> dict[str, str]:
        """The tags of one trial's run."""
        tags = {
            "paper": self.plan.artifact.paper,
            "cell": " / ".join(trial.cell.key.values()),
            "method": trial.config.method.name,
            "seed": str(trial.seed),
            **as_tags(self._memberships(trial)),
        }
        return {**tags, "mlflow.parentRunId": self.parent} if self.parent else tags

    def _memberships(self, trial: PlannedTrial) -> list[Membership]:
        known = self.before.get(trial.trial_id, ())
        return [*dict.fromkeys((*known, _membership(self.plan, trial)))]


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


def _asked(planned: Plan, trial: PlannedTrial) -> tuple[str, frozenset[str]]:
    """A trial and what is to be measured on it: a later stage may ask more of the same trial."""
    return trial.trial_id, frozenset(request.key for request in planned.measures_of(trial))


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
    planned: Plan, missing: Sequence[PlannedTrial], storage: Storage, observer: SweepObserver
) -> list[tuple[PlannedTrial, TrialResult]]:
    """Finished trials that the record does not know yet: the driver died before it tracked them.

    Results that the record has are not read.
    """
    with_result = trials_with(storage, RESULT) if missing else set()
    found = []
    for trial in missing:
        if trial.trial_id in with_result:
            folder, asked = trial_folder(storage, trial.trial_id), planned.measures_of(trial)
            result = read_result(folder, trial.trial_id, asked, observer.message)
            if result is not None:
                tidy(folder)
                found.append((trial, result))
    return found


def _joining(planned: Plan, record: Record) -> dict[str, Membership]:
    """Recorded trials of the plan, and the place that each has in it."""
    return {
        trial.trial_id: _membership(planned, trial)
        for trial in planned.trials
        if record.status(trial.trial_id) in OUTCOMES
    }


def _membership(planned: Plan, trial: PlannedTrial) -> Membership:
    return Membership(
        planned.artifact.id, planned.preset, planned.selection.name, trial.stage, planned.variant
    )


def _job(sweep: Sweep, planned: Plan, trial: PlannedTrial) -> Job:
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
    )
