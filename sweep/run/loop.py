"""A plan, run: what is missing goes to an executor, what finishes goes into the record.

The same command again continues: results are in storage before they are
reported and in MLflow right after, and both are looked at before anything
starts. Stages follow each other: as soon as the record knows a stage's
winners, the next one is planned.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from search_spaces import presets
from search_spaces.spec import Artifact
from sweep.aggregate import SelectionRule
from sweep.plan.budget import gradients_per_step
from sweep.plan.expand import OUTCOMES, Plan, PlannedTrial, plan
from sweep.record.membership import Membership, as_tags
from sweep.record.mlflow_store import Tracker, outdated_words
from sweep.record.record import Record
from sweep.run.recorder import ResultRecorder
from trainables.errors import FlatsweepError
from trainables.job import Job
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult
from trainables.storage.trial_folder import RESULT, read_result, trial_folder, trials_with

if TYPE_CHECKING:
    from sweep.run.executor import Executor


class StoppedError(FlatsweepError):
    """The sweep was interrupted; the message says how to go on."""


@dataclass(frozen=True)
class Settings:
    """How a sweep's trials are run, by whatever executor; nothing here changes their numbers.

    Attributes:
        storage: Folder or URI of results, checkpoints and weights.
        execution: Further options of `trainables.train.Execution`.
    """

    storage: str = "results"
    execution: Mapping[str, Any] = field(default_factory=dict)


class SweepObserver(Protocol):
    """What a sweep tells while it runs (`sweep.run.progress` shows it)."""

    def on_submit(
        self, plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int
    ) -> None: ...
    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int) -> None: ...
    def on_end(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None: ...
    def message(self, sentence: str) -> None: ...
    def close(self) -> None: ...


def run(
    artifact: Artifact,
    preset: str,
    selection: SelectionRule,
    tracker: Tracker,
    settings: Settings,
    observer: SweepObserver,
    executor: Executor,
    render: Callable[[Plan, Record], Mapping[str, str]] | None = None,
    grow: Callable[[Plan, Record], Artifact | None] | None = None,
) -> tuple[Plan, Record]:
    """Run every trial of ``artifact`` that the record lacks.

    Args:
        executor: Runs the trials; it is started when there is one to run.
        render: Gives the files (name -> text) that are attached to the sweep's MLflow run.
        grow: Asked when nothing is left to run: the artifact with more to run, or None.

    Returns:
        The plan as far as it got, and the record it is read from. A trial that failed stays
        missing in the record and is tried again by the next run; stages that start from a winner
        among it and others wait until then.

    Raises:
        UsageError, sweep.run.resources.ResourceError, trainables.storage.files.StorageError,
            sweep.record.mlflow_store.TrackingError: before any trial starts.
    """
    storage = Storage(settings.storage)
    storage.check_writable()
    attempted: set[tuple[str, frozenset[str]]] = set()
    with contextlib.ExitStack() as stack:
        parent, started = "", False
        while True:
            record = tracker.record()
            planned = plan(artifact, preset, selection, record)
            missing = planned.missing(record)
            for trial in missing:
                executor.refuse(trial.config)
            found = _unrecorded_results(planned, missing, storage)
            if (found or missing) and not parent:
                if outdated := tracker.outdated(artifact.id, preset):
                    observer.message(outdated_words(outdated, artifact.id))
                parent = tracker.start_sweep(artifact.id, preset, selection.name, artifact.title)
            tags = Tags(planned, parent)
            if found:
                for trial, result in found:
                    tracker.track(trial, result, tags.of(trial))
                observer.message(f"{len(found)} finished trials found in storage and recorded")
                continue
            todo = [trial for trial in missing if _asked(planned, trial) not in attempted]
            grown = grow(planned, record) if grow and not todo else None
            if grown is not None:
                artifact = grown
                continue
            if not todo:
                _join(planned, record, tracker, tags)
                if parent:
                    tracker.finish_sweep(parent, render(planned, record) if render else {})
                return planned, record
            if not started:
                if executor.local:
                    _check_data(todo, settings)
                stack.enter_context(executor.start(observer.message))
                started = True
            # Longest first, so that no slot waits for one late long trial.
            todo.sort(key=_expected_cost, reverse=True)
            jobs = [_job(planned, trial, settings) for trial in todo]
            max_concurrent = executor.max_concurrent(jobs)
            attempted |= {_asked(planned, trial) for trial in todo}
            observer.on_submit(planned, todo, max_concurrent, len(planned.trials) - len(missing))
            with ResultRecorder(todo, storage, tracker, tags, observer) as recorder:
                executor.run(jobs, recorder)
            if recorder.error is not None:
                raise recorder.error
            if recorder.unfinished:
                raise StoppedError(
                    f"stopped with {len(recorder.unfinished)} trials unfinished; "
                    "what is finished is recorded, the same command continues"
                )


@dataclass(frozen=True)
class Tags:
    """MLflow tags that say what a trial was run for."""

    plan: Plan
    parent: str

    def of(self, trial: PlannedTrial) -> dict[str, str]:
        planned, artifact = self.plan, self.plan.artifact
        member = Membership(artifact.id, planned.preset, planned.selection.name, trial.stage)
        tags = {
            "paper": artifact.paper,
            "cell": " / ".join(trial.cell.key.values()),
            "method": trial.config.method.name,
            "seed": str(trial.seed),
            **as_tags([member]),
        }
        return {**tags, "mlflow.parentRunId": self.parent} if self.parent else tags


def _asked(planned: Plan, trial: PlannedTrial) -> tuple[str, frozenset[str]]:
    """A trial and what is to be measured on it: a later stage may ask more of the same trial."""
    return trial.trial_id, frozenset(request.key for request in planned.measures_of(trial))


def _check_data(todo: Sequence[PlannedTrial], settings: Settings) -> None:
    """Load (and prepare, once) every data set here, so that what is missing is said at once.

    Not for a cluster: its nodes may have data that this machine has not.

    Raises:
        trainables.data.DataError: a data set is missing or damaged.
    """
    from trainables import data

    sources = [trial.config.data.source for trial in todo]
    for source in {source.model_dump_json(): source for source in sources}.values():
        data.load(source.name, settings.execution.get("data_dir"), **source.options)


def _unrecorded_results(
    planned: Plan, missing: Sequence[PlannedTrial], storage: Storage
) -> list[tuple[PlannedTrial, TrialResult]]:
    """Finished trials that the record does not know yet: the driver died before it tracked them."""
    with_result = trials_with(storage, RESULT) if missing else set()
    found = []
    for trial in missing:
        if trial.trial_id in with_result:
            folder = trial_folder(storage, trial.trial_id)
            result = read_result(folder, planned.measures_of(trial))
            if result is not None:
                found.append((trial, result))
    return found


def _join(planned: Plan, record: Record, tracker: Tracker, tags: Tags) -> None:
    """Trials that another artifact trained also get this one's tags."""
    for trial in planned.trials:
        if record.status(trial.trial_id) in OUTCOMES:
            tracker.join(trial, tags.of(trial))


def _job(planned: Plan, trial: PlannedTrial, settings: Settings) -> Job:
    return Job.of(
        trial.config,
        measures=tuple(planned.measures_of(trial)),
        storage=Storage(settings.storage).root,
        execution={
            "train_samples": presets.of(planned.artifact, planned.preset).train_samples,
            **settings.execution,
        },
    )


def _expected_cost(trial: PlannedTrial) -> float:
    return trial.config.epochs * gradients_per_step(trial.config)
