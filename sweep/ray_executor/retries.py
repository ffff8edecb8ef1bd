"""Which trials Tune starts again, how often, and on which nodes: by the cause of their failure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray
from ray.tune import PlacementGroupFactory

from sweep.ray_executor.scheduler import CancellingScheduler
from trainables import tune
from trainables.causes import TRIES_AGAIN, Cause, explained
from trainables.job import Job, Report
from trainables.tune import JOB, reservation

if TYPE_CHECKING:
    from sweep.ray_executor.driver import Events

NODE_LABEL = "ray.io/node-id"
"""Every node of Ray has it."""

FAULTY = 2
"""Trials to which a node's device did it, until the node is left out."""


class Retries:
    """What a sweep knows of the failures of its trials.

    Tune itself starts a trial again as long as its ``max_failures`` allow, which are one number for
    all causes; here they are counted by cause, and Tune is told.

    Args:
        notify: Told, in a sentence, of a node that is left out.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._counts: dict[str, Counter[Cause]] = {}
        self._reported: dict[str, Report] = {}
        self._reasons: dict[str, str] = {}
        self._failed_on: dict[str, set[str]] = {}
        """Node -> trials to which its device did it."""
        self.left_out: set[str] = set()

    def note(self, report: Report) -> None:
        """A trial reports a failure after which it is tried again."""
        self._reported[report.trial_id] = report

    def recover(self, trial: Any) -> None:
        """Tune is about to start ``trial`` (its own class) again: say where it may, and with what.

        When it ran out of memory it gets a whole node, and the GPU for itself; where its device
        failed, another node, if there is one.
        """
        job = Job.from_json(trial.config[JOB])
        cause, error, node = self._why(trial, job)
        self._reasons[job.trial_id] = explained(cause, error)
        counts = self._counts.setdefault(job.trial_id, Counter())
        counts[cause] += 1
        spent = tuple(kind for kind, count in counts.items() if count >= TRIES_AGAIN[kind])
        trial.config[JOB] = replace(job, retried=spent).to_json()
        trial.max_failures = -1
        if cause in spent and cause != "device":  # a device's next failure is reported as the last
            trial.max_failures, trial.run_metadata.num_failures = 0, 1
        away = {node} if cause == "device" else set[str]()
        if cause == "device":
            self._blame(node, job.trial_id)
        trial.update_resources(self.placed(trial.config, away, alone=counts["memory"] > 0))

    def reason(self, trial_id: str) -> str:
        """Why the trial is started again, in words."""
        return self._reasons.pop(trial_id, "")

    def last(self, trial: Any) -> str:
        """Why Tune does not start ``trial`` again, in words."""
        job = Job.from_json(trial.config[JOB])
        cause, error, _ = self._why(trial, job)
        times = sum(self._counts.get(job.trial_id, Counter()).values()) + 1
        return f"{explained(cause, error)}; it was started {times} times"

    def absolve(self, trial_id: str) -> None:
        """The trial's device failed wherever it ran: the fault is the trial's, not the nodes'."""
        for node, trials in self._failed_on.items():
            trials.discard(trial_id)
            if node in self.left_out and len(trials) < FAULTY:
                self.left_out.discard(node)
                self._notify(f"node {_address(node)} is used again: the trial was at fault")

    def __call__(self, config: Mapping[str, Any]) -> PlacementGroupFactory:
        """What Tune reserves for a trial that it has not started yet."""
        return self.placed(config)

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune sends it to its actors, which ask for nothing.
        return getattr, (tune, "reservation")

    def placed(
        self, config: Mapping[str, Any], away: Set[str] = frozenset(), alone: bool = False
    ) -> PlacementGroupFactory:
        """What a trial reserves (`trainables.tune.reservation`), on no node that is left out.

        Args:
            away: Further nodes that it is not to run on, if there are others.
            alone: Each worker has the CPUs of a node, and a whole GPU if it has a part of one.
        """
        usual = reservation(config)
        if not (self.left_out or away or alone):
            return usual
        nodes = [node for node in ray.nodes() if node["Alive"]]
        own = [dict(bundle) for bundle in usual.bundles if bundle]
        bundles = [_alone(bundle, nodes) if alone else bundle for bundle in own]
        head = [{"CPU": 0.0}] if usual.head_bundle_is_empty else []
        out = self._avoided(nodes, away, own)
        label = {NODE_LABEL: f"!in({','.join(sorted(out))})"}
        options = {"bundle_label_selector": [label] * len(bundles)} if out else {}
        return PlacementGroupFactory([*head, *bundles], strategy=usual.strategy, **options)

    def _avoided(
        self, nodes: Sequence[Any], away: Set[str], bundles: Sequence[Mapping[str, float]]
    ) -> Set[str]:
        """Nodes to stay away from, as long as another one has room for what is reserved."""
        fit = {
            node["NodeID"] for node in nodes
            if all(node["Resources"].get(k, 0.0) >= v for b in bundles for k, v in b.items())
        }  # fmt: skip
        for out in (self.left_out | away, self.left_out):
            if fit - out:
                return out
        return set()

    def _blame(self, node: str, trial_id: str) -> None:
        trials = self._failed_on.setdefault(node, set())
        trials.add(trial_id)
        if len(trials) < FAULTY or node in self.left_out:
            return
        failed = f"its device failed in {len(trials)} trials"
        if sum(n["Alive"] for n in ray.nodes()) <= len(self.left_out) + 1:
            self._notify(f"node {_address(node)} is the only one, and {failed}: see to its GPU")
            return
        self.left_out.add(node)
        self._notify(f"node {_address(node)} is left out from now on: {failed}")

    def _why(self, trial: Any, job: Job) -> tuple[Cause, str, str]:
        """Cause, error and node of the trial's last failure: as it reported, or Ray says."""
        report = self._reported.pop(job.trial_id, None)
        if report is not None:
            return report.cause, report.error, report.node
        return (*cause_of_death(trial.get_pickled_error()), "")


class RetryScheduler(CancellingScheduler):
    """As that, and tells `Retries` before a trial that failed is started again."""

    def __init__(self, recorder: Events, retries: Retries) -> None:
        super().__init__(recorder)
        self._retries = retries

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """The trial has failed; Tune has not yet noted what it will ask for."""
        if trial.should_recover():
            self._retries.recover(trial)


def cause_of_death(error: BaseException | None) -> tuple[Cause, str]:
    """Why a trial's process died, by what Ray raises of it, and what Ray says."""
    causes = [error]
    if isinstance(error, ray.exceptions.RayTaskError):
        causes.append(error.cause)
    said = next((line for line in str(error or "").splitlines() if line.strip()), "")[:200]
    for each in causes:
        if isinstance(each, ray.exceptions.OutOfMemoryError):
            return "memory", ""
        if getattr(each, "preempted", False):
            return "preemption", ""
        text = str(each)
        if (
            isinstance(each, ray.exceptions.NodeDiedError)
            or "node has died" in text
            or ("node was terminated" in text)
        ):
            return "node", ""
        if "Workers running low on memory" in text or "memory pressure" in text:
            return "memory", ""
    return "process", "" if isinstance(error, ray.exceptions.RayActorError) else said


def _address(node: str) -> str:
    """Of a node, by its id."""
    known = {n["NodeID"]: n["NodeManagerAddress"] for n in ray.nodes()}
    return str(known.get(node, node))


def _alone(bundle: Mapping[str, float], nodes: list[Any]) -> dict[str, float]:
    """``bundle`` with all CPUs of the largest node, and whole GPUs."""
    most = max((node["Resources"].get("CPU", 0.0) for node in nodes), default=0.0)
    alone = {"CPU": max(most, bundle.get("CPU", 0.0))}
    if gpus := bundle.get("GPU", 0.0):
        alone["GPU"] = float(math.ceil(gpus))
    return {**bundle, **alone}


__all__ = ["FAULTY", "Retries", "RetryScheduler", "cause_of_death"]
