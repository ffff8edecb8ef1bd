"""A plan, run: what is missing goes through Ray Tune, what finishes goes into the record.

The same command again continues: results are in storage before they are
reported and in MLflow right after, and both are looked at before anything
starts. Stages follow each other: as soon as the record knows a stage's
winners, the next one is planned.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from search_spaces import presets
from search_spaces.spec import Artifact
from sweep.aggregate import SelectionRule
from sweep.budget import gradients_per_step
from sweep.membership import Membership, as_tags
from sweep.placement import Cluster, Patience, Request, free, present, reserved
from sweep.plan import OUTCOMES, Plan, PlannedTrial, plan
from sweep.record import Record
from sweep.reporter import Reporter
from sweep.session import address_of, session
from sweep.tracking import Tracker, outdated_words
from trainables.errors import FlatsweepError
from trainables.job import Job
from trainables.result import TrialResult
from trainables.storage import Storage
from trainables.stored import RESULT, read_result, trial_folder, trials_with

RETRIES = 2
"""How often a trial whose process died is started again (from its checkpoint)."""


class StoppedError(FlatsweepError):
    """The sweep was interrupted; the message says how to go on."""


@dataclass(frozen=True)
class Settings:
    """Where and how a sweep runs; nothing here changes a trial's numbers.

    Attributes:
        storage: Folder or URI of results, checkpoints and weights.
        address: Ray cluster to join; None starts a local one.
        cpus, gpus: Of each trial, or of each of its workers; fractions share a device.
            No ``gpus`` said: one where the cluster has any, else none.
        concurrency: Most trials at once; None: as many as fit.
        execution: Further options of `trainables.train.Execution`.
    """

    storage: str = "results"
    address: str | None = None
    cpus: float = 1
    gpus: float | None = None
    concurrency: int | None = None
    execution: Mapping[str, Any] = field(default_factory=dict)


class Watcher(Protocol):
    """What a sweep tells while it runs (`sweep.progress` shows it)."""

    def wave(self, plan: Plan, todo: Sequence[PlannedTrial], slots: int, recorded: int) -> None: ...
    def running(self, trial: PlannedTrial, epoch: int, epochs: int) -> None: ...
    def finished(self, trial: PlannedTrial, outcome: str, result: TrialResult | None) -> None: ...
    def said(self, sentence: str) -> None: ...
    def close(self) -> None: ...


def run(
    artifact: Artifact,
    preset: str,
    selection: SelectionRule,
    tracker: Tracker,
    settings: Settings,
    watcher: Watcher,
    render: Callable[[Plan, Record], Mapping[str, str]] | None = None,
    trainable: type | None = None,
    grow: Callable[[Plan, Record], Artifact | None] | None = None,
) -> tuple[Plan, Record]:
    """Run every trial of ``artifact`` that the record lacks.

    Args:
        render: Gives the files (name -> text) that are attached to the sweep's MLflow run.
        trainable: Instead of `trainables.tune.TrialTrainable` (benchmarks measure with one that
            does nothing).
        grow: Asked when nothing is left to run: the artifact with more to run, or None.

    Returns:
        The plan as far as it got, and the record it is read from. A trial that failed stays
        missing in the record and is tried again by the next run; stages that start from a winner
        among it and others wait until then.

    Raises:
        ResourceError, trainables.storage.StorageError, sweep.tracking.TrackingError: before any
            trial starts.
    """
    storage = Storage(settings.storage)
    storage.check_writable()
    attempted: set[tuple[str, frozenset[str]]] = set()
    with contextlib.ExitStack() as stack:
        parent = ""
        cluster: Cluster | None = None
        while True:
            record = tracker.record()
            planned = plan(artifact, preset, selection, record)
            missing = planned.missing(record)
            found = _in_storage(planned, missing, storage)
            if (found or missing) and not parent:
                if outdated := tracker.outdated(artifact.id, preset):
                    watcher.said(outdated_words(outdated, artifact.id))
                parent = tracker.start_sweep(artifact.id, preset, selection.name, artifact.title)
            tags = Tags(planned, parent)
            if found:
                for trial, result in found:
                    tracker.track(trial, result, tags.of(trial))
                watcher.said(f"{len(found)} finished trials found in storage and recorded")
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
            if cluster is None:
                _check_data(todo, settings)
                cluster = stack.enter_context(session(settings.address, watcher.said))
                if settings.gpus is None:
                    settings = replace(settings, gpus=1.0 if cluster.total("GPU") else 0.0)
            requests = [_request(trial, settings) for trial in todo]
            for request in set(requests):
                cluster.check(request)
            attempted |= {_asked(planned, trial) for trial in todo}
            slots = max(cluster.slots(request, settings.concurrency) for request in set(requests))
            watcher.wave(planned, todo, slots, len(planned.trials) - len(missing))
            patience = _patience(cluster, requests[0], watcher)
            with Reporter(todo, storage, tracker, tags, watcher, patience) as reporter:
                _tune(planned, todo, settings, slots, reporter, trainable)
            if reporter.error is not None:
                raise reporter.error
            if reporter.unfinished:
                raise StoppedError(
                    f"stopped with {len(reporter.unfinished)} trials unfinished; "
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
    return trial.trial_id, frozenset(request.key for request in planned.requests(trial))


def _check_data(todo: Sequence[PlannedTrial], settings: Settings) -> None:
    """Load (and prepare, once) every data set here, so that what is missing is said at once.

    Not for a cluster: its nodes may have data that this machine has not.

    Raises:
        trainables.data.DataError: a data set is missing or damaged.
    """
    if address_of(settings.address):
        return
    from trainables import data

    sources = [trial.config.data.source for trial in todo]
    for source in {source.model_dump_json(): source for source in sources}.values():
        data.load(source.name, settings.execution.get("data_dir"), **source.options)


def _in_storage(
    planned: Plan, missing: Sequence[PlannedTrial], storage: Storage
) -> list[tuple[PlannedTrial, TrialResult]]:
    """Finished trials that the record does not know yet: the driver died before it tracked them."""
    stored = trials_with(storage, RESULT) if missing else set()
    found = []
    for trial in missing:
        if trial.trial_id in stored:
            folder = trial_folder(storage, trial.trial_id)
            result = read_result(folder, planned.requests(trial))
            if result is not None:
                found.append((trial, result))
    return found


def _join(planned: Plan, record: Record, tracker: Tracker, tags: Tags) -> None:
    """Trials that another artifact trained also get this one's tags."""
    for trial in planned.trials:
        if record.status(trial.trial_id) in OUTCOMES:
            tracker.join(trial, tags.of(trial))


def _tune(
    planned: Plan,
    todo: Sequence[PlannedTrial],
    settings: Settings,
    slots: int,
    reporter: Reporter,
    trainable: type | None,
) -> None:
    from ray import tune

    from sweep.listener import Listener
    from trainables.tune import JOB, TrialTrainable, reservation

    # What Tune would print of a failure is in the reporter's one sentence.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    longest_first = sorted(todo, key=_expected_cost, reverse=True)
    jobs = [_job(planned, trial, settings) for trial in longest_first]
    space = {JOB: tune.grid_search([job.to_json() for job in jobs])}
    scratch = tempfile.mkdtemp(prefix="flatsweep-")
    try:
        tune.Tuner(
            tune.with_resources(trainable or TrialTrainable, reservation),
            param_space=space,
            tune_config=tune.TuneConfig(max_concurrent_trials=slots, reuse_actors=True),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=scratch,
                callbacks=[Listener(reporter)],
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _job(planned: Plan, trial: PlannedTrial, settings: Settings) -> Job:
    gpus = settings.gpus or 0.0
    return Job.of(
        trial.config,
        measures=tuple(planned.requests(trial)),
        storage=Storage(settings.storage).root,
        execution={
            "shared_device": 0 < gpus < 1,
            "train_samples": presets.of(planned.artifact, planned.preset).train_samples,
            **settings.execution,
        },
        cpus=settings.cpus,
        gpus=gpus,
    )


def _request(trial: PlannedTrial, settings: Settings) -> Request:
    return Request(trial.config.workers.count, settings.cpus, settings.gpus or 0.0)


def _patience(cluster: Cluster, request: Request, watcher: Watcher) -> Patience:
    """What a sweep says when its trials get no room: others hold it, or nodes are still coming."""

    def sentence() -> str | None:
        now, unheld = present(), free()
        idle = all(0 < now.total(kind) <= unheld.get(kind, 0.0) for kind in request.bundle)
        if reserved(request) or (idle and now.room(request)):
            return None  # it is starting, not waiting
        return replace(cluster, nodes=now.nodes).waiting(request, unheld)

    return Patience(sentence, watcher.said)


def _expected_cost(trial: PlannedTrial) -> float:
    """Longest first, so that no slot waits for one late long trial."""
    return trial.config.epochs * gradients_per_step(trial.config)
