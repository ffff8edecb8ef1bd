"""What a run does with results whose code or data was another (`sweep.plan.changed`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.plan import changed
from trainables.storage.trial_folder import CHECKPOINT, RESULT, WEIGHTS, trial_folder

if TYPE_CHECKING:
    from sweep.plan.expand import Plan, PlannedTrial
    from sweep.record.membership import Membership
    from sweep.record.mlflow_store import Tracker
    from sweep.record.record import Record
    from sweep.run.loop import Sweep, SweepObserver
    from trainables.config import Component
    from trainables.storage.files import Storage
    from trainables.storage.result import TrialResult


class Retraining:
    """The trials of a run that are trained again, though they have a result.

    They keep it until they are handed to the executor. Then their files are set aside and their
    runs are deleted, which MLflow can undo; whatever ends the sweep from there on, the next one
    finds them missing.

    Args:
        local: Whether trials run on this machine: its data is then what they are trained on. A
            cluster's nodes may have data that it has not, or has otherwise.

    Attributes:
        memberships: Of the trials whose runs were deleted: theirs in other sweeps.
    """

    def __init__(self, local: bool, observer: SweepObserver) -> None:
        self._local, self._observer = local, observer
        self._runs: dict[str, str] = {}
        self.memberships: dict[str, list[Membership]] = {}

    def planned(self, sweep: Sweep, record: Record) -> tuple[Plan, Record]:
        """The plan, and the record that it goes by: without the trials that are trained again.

        Raises:
            sweep.plan.changed.ChangedError: some were made otherwise, and nobody has said what is
                to be done.
        """
        plan = sweep.plan(record)
        for trial_id in self._decide(sweep, plan, changed.origins_of(plan, record)):
            self._runs[trial_id] = record.run_id(trial_id)
            self.memberships[trial_id] = record.memberships(trial_id)
        if not self._runs:
            return plan, record
        others = record.without(self._runs)
        return sweep.plan(others), others

    def usable(
        self, sweep: Sweep, plan: Plan, found: Sequence[tuple[PlannedTrial, TrialResult]]
    ) -> list[tuple[PlannedTrial, TrialResult]]:
        """Those of the results that are in storage and not recorded which count."""
        origins = {trial.trial_id: result.provenance for trial, result in found}
        for trial_id in self._decide(sweep, plan, origins):
            self._runs.setdefault(trial_id, "")
        return [(trial, result) for trial, result in found if trial.trial_id not in self._runs]

    def begin(self, todo: Sequence[PlannedTrial], storage: Storage, tracker: Tracker) -> None:
        """Of those among ``todo``, set the files aside and delete the runs."""
        again = [trial.trial_id for trial in todo if trial.trial_id in self._runs]
        for trial_id in again:
            folder = trial_folder(storage, trial_id)
            if folder.exists(RESULT):
                folder.set_aside(RESULT, folder.read(RESULT))
            for name in (CHECKPOINT, WEIGHTS):
                folder.delete(name)
        if runs := [run for run in map(self._runs.pop, again) if run]:
            tracker.retire(runs)

    def _decide(
        self, sweep: Sweep, plan: Plan, origins: Mapping[str, Mapping[str, str]]
    ) -> list[str]:
        """Trials that are trained again, those aside of which that is known."""
        fresh = {t: origin for t, origin in origins.items() if t not in self._runs}
        now = _digest_now(sweep.execution) if self._local else _unknown
        clauses = changed.changed(plan, fresh, now)
        if not clauses or sweep.changed == "accept":
            return []
        if sweep.changed == "stop":
            raise changed.refusal(clauses)
        self._observer.message(f"{changed.sentence(clauses)}: trained again")
        return list(clauses)


def _unknown(source: Component) -> str:
    return ""


def _digest_now(execution: Mapping[str, Any]) -> changed.DigestNow:
    def of(source: Component) -> str:
        from trainables import data

        return data.digest_now(source.name, execution.get("data_dir"), **source.options)

    return of


__all__ = ["Retraining"]
