"""A search of the rows of a table, each with as many points: the grid's, and others by Optuna.

The grid's points are tried first, as many as there may be. Their numbers are what the first
proposals rest on (`sweep.plan.proposals`). What was tried is a stage of an artifact of its own
(`sweep.plan.searched_rows`), so that storage, record and table are those of every sweep. All rows
go on together, and only when nothing is left to run: what is proposed, and what goes on after a
rung (`sweep.plan.halving`), follows from the recorded numbers and curves alone. The same command
again, however it was ended, decides the same and finds it in the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search_spaces.spec import Artifact
from sweep.plan.expand import Plan
from sweep.plan.searched_rows import Ranges, SearchedRow, search_artifact, searched_rows
from sweep.record.mlflow_store import Tracker
from sweep.record.record import Record
from sweep.run.executor import Executor
from sweep.run.limits import Limits
from sweep.run.loop import Attachments, Sweep, SweepObserver, memberships, run
from sweep.run.row_search import Budget, RowSearch
from sweep.tables.cells import competing_label
from trainables.errors import UsageError
from trainables.storage.files import Storage
from trainables.storage.trial_folder import CHECKPOINT, trial_folder

JOINED = ("done", "diverged", "pruned")
"""Ends of the trials that a search is noted for."""


def search(
    sweep: Sweep,
    *,
    budget: Budget,
    ranges: Ranges | None = None,
    tracker: Tracker,
    observer: SweepObserver,
    executor: Executor,
    attachments: Attachments | None = None,
    limits: Limits | None = None,
) -> tuple[Plan, Record]:
    """Search the rows of the sweep's artifact, those that its ``where`` chooses.

    Nothing is proposed for a row, and nothing of it stopped, as long as one of its trials is
    failed: what that would rest on may still change.

    Args:
        budget: Of each row.
        ranges: Wider ones than those of the grids and parts, or of further fields.
        tracker, observer, executor, attachments, limits: As `sweep.run.loop.run` takes them.

    Returns:
        The plan whose artifact has the points of each row, the best first and none that was
        pruned, and its record.

    Raises:
        UsageError: nothing is searched in the rows, or the trials do not record what the sweep
            selects on.
    """
    rows = searched_rows(sweep.artifact, ranges)
    _refuse(sweep, [row for row in rows if _is_chosen(row, sweep)])
    searching = _Search(sweep, rows, budget, observer)
    planned, record = run(
        searching.sweep,
        tracker=tracker,
        observer=observer,
        executor=executor,
        attachments=attachments,
        extension=searching.extended,
        limits=limits,
    )
    searching.leave(tracker, record, Storage(sweep.storage))
    return planned, record


def _is_chosen(row: SearchedRow, sweep: Sweep) -> bool:
    return sweep.where.items() <= row.cell.key.items()


def _refuse(sweep: Sweep, rows: Sequence[SearchedRow]) -> None:
    """Raise UsageError where nothing is searched in any of the rows that are meant."""
    if rows and not any(row.axes for row in rows):
        together = next((row for row in rows if row.stage.settings), None)
        if together is not None:
            raise UsageError(
                f"{sweep.artifact.id} tries settings that go together there "
                f"({' / '.join(together.cell.key.values())}, points); a search moves along the "
                "axes of a grid"
            )
        raise UsageError(
            f"{sweep.artifact.id} has no grid to search there at preset {sweep.preset}, and its "
            "methods declare no range; --range FIELD=LOW:HIGH names one"
        )


class _Search:
    """The rows of a search as they get more points, and at last have their best first."""

    def __init__(
        self, sweep: Sweep, rows: Sequence[SearchedRow], budget: Budget, observer: SweepObserver
    ) -> None:
        self._artifact, self._budget, self._observer = sweep.artifact, budget, observer
        self._rule = sweep.selection.criterion(sweep.artifact)
        self._every = [RowSearch(row, budget) for row in rows]
        self._rows = {each.row.name: each for each in self._every if _is_chosen(each.row, sweep)}
        self._tried: Plan | None = None
        self.sweep = replace(sweep, artifact=self._made(), pauses=self.pauses)

    def _made(self) -> Artifact:
        return search_artifact(self._artifact, [(each.row, each.points) for each in self._every])

    def pauses(self, plan: Plan) -> dict[str, int]:
        """Trial -> the epoch after which it is stopped for now, of those that are.

        A trial that several need goes as far as one of them needs it.
        """
        whole = {t.trial_id: t.settings.epochs for stage in plan.stages for t in stage.trials}
        far: dict[str, int] = {}
        for stage in filter(lambda stage: stage.trials, plan.stages):
            row = self._rows.get(stage.name)
            until = row.pauses(row.trials(stage.trials)) if row else whole
            for trial in stage.trials:
                far[trial.trial_id] = max(until[trial.trial_id], far.get(trial.trial_id, 0))
        return {name: epoch for name, epoch in far.items() if epoch < whole[name]}

    def extended(self, plan: Plan, record: Record) -> Artifact | None:
        """The artifact with further points, or at last with those that count; None after that."""
        if self._tried is not None:
            return None
        trials = {
            stage.name: self._rows[stage.name].trials(stage.trials)
            for stage in plan.stages
            if stage.trials and stage.name in self._rows
        }
        moved = [self._rows[name].advance(own, record, self._rule) for name, own in trials.items()]
        if any(moved):
            return self._made()
        self._tried = plan
        label = competing_label(self._artifact.view, self._artifact.experiment)
        said = [self._budget.words(), *_ranges([row.row for row in self._rows.values()], label)]
        if waiting := sum(row.waiting for row in self._rows.values()):
            self._observer.message(f"{waiting} further points wait for the trials that failed")
            said.append(f"{waiting} more points wait for the trials that failed")
        said = [f"searched: {sentence}" for sentence in said]
        said += [
            f"spent: {self._rows[name].name}: {self._rows[name].spent(own, record)}"
            for name, own in trials.items()
        ]
        ranked = search_artifact(
            self._artifact,
            [
                (each.row, each.ranked() if each.row.name in self._rows else each.points)
                for each in self._every
            ],
        )
        return ranked.with_notes(changes=(*self._artifact.notes.changes, *said))

    def leave(self, tracker: Tracker, record: Record, storage: Storage) -> None:
        """Note all trials as the search's and, if it is at its end, remove what it kept for those
        that it has stopped: they could have gone on so far."""
        if self._tried is None:
            return
        trials = self._tried.by_id
        ends = dict(zip(trials, record.statuses(trials), strict=True))
        kept = {name: trial for name, trial in trials.items() if ends[name] in JOINED}
        tracker.join(record, {t: memberships(self._tried, trial) for t, trial in kept.items()})
        if all(row.finished for row in self._rows.values()):
            for name in trials:
                if ends[name] == "pruned":
                    trial_folder(storage, name).delete(CHECKPOINT)


def _ranges(rows: Sequence[SearchedRow], label: str) -> list[str]:
    """``rho 0.01 to 0.05, the authors' scripts: SAM``: what may be proposed, and where.

    Args:
        label: Whose entries rows are called by.
    """
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, axis in row.axes.items():
            source = f", {axis.source}" if axis.source and axis.ends is None else ""
            said = f"{name.rpartition('.')[2]} {axis.words()}{source}"
            found.setdefault(said, {})[row.cell.label(label)] = None
    return [f"{said}: {', '.join(names)}" for said, names in found.items()]


__all__ = ["Budget", "search"]
