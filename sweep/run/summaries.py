"""Mean ± std over seeds where people look: a run in MLflow for each cell and grid point.

Its numbers are those of tables (`sweep.aggregate.summarize`), to the last bit, under names of their
own: ``test_error mean``, ``test_error std``, ``test_error n``. So MLflow's columns stand side by
side, and what it averages itself over runs is not averaged again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import TYPE_CHECKING

from sweep.aggregate import moments, summarize
from sweep.record.connection import TrackingError
from sweep.record.curves import thinned
from sweep.record.notes import Note, Point
from sweep.record.record import Record
from sweep.record.runs import as_table
from sweep.record.summary_runs import Curve, Summary
from sweep.record.sync import Difference
from sweep.run.sharing import RECORD

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.mlflow_store import Tracker
    from trainables.storage.lease import Leases

POINTS = 50
"""Epochs of a mean curve that are shown."""

ENDING = " · mean ± std"
"""Ends the name of a summary's run."""

LISTED = 150
"""Runs of seeds that a tag names: a tag has room for so many."""


def points_of(plan: Plan) -> tuple[Point, ...]:
    """Every cell of a plan at every point of a stage's grid that can run."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for stage in plan.stages:
        for trial in stage.trials:
            name = trial.name.removesuffix(f" · seed {trial.seed}")
            cell = " / ".join(trial.cell.key.values())
            found.setdefault((name, stage.name, cell), []).append(trial.trial_id)
    return tuple(Point(*place, tuple(trials)) for place, trials in found.items())


def summaries(note: Note, record: Record) -> list[Summary]:
    """What MLflow is to say of the points of a sweep of which a trial is recorded."""
    recorded = [
        (point, [trial_id for trial_id in point.trials if record.status(trial_id) != "missing"])
        for point in note.points
    ]
    groups = [(point, trials) for point, trials in recorded if trials]
    metrics = _metrics([trials for _, trials in groups], record)
    return [
        _summary(note, point, trials, found, record)
        for (point, trials), found in zip(groups, metrics, strict=True)
    ]


def keep(
    tracker: Tracker, parent: str, note: Note, leases: Leases, notify: Callable[[str], None]
) -> None:
    """Bring the summaries of a sweep up to date. That it failed is said, and ends nothing.

    Args:
        parent: The sweep's own run; empty: it is looked for, and without one there are none.
        note: Of the sweep.
    """
    try:
        with leases.alone(RECORD):
            if parent := parent or tracker.find_sweep(note.name):
                tracker.summaries(parent).write(summaries(note, tracker.load()))
    except TrackingError as error:
        notify(f"{error}; mean and std are as they were there until the next run, or sweep sync")


def differences(
    tracker: Tracker, notes: Iterable[Note], found: Iterable[Difference] = ()
) -> list[Difference]:
    """What MLflow's summaries do not say as the runs of their trials have it; nothing is written.

    Args:
        notes: Of the sweeps.
        found: Differences of trials: what is over those is not looked at.
    """
    notes = [note for note in notes if note.points]
    if not notes:
        return []
    record = Record.of_table(as_table(tracker.ended(0)), tracker.curves)
    wrong = {difference.subject for difference in found}
    return [each for note in notes for each in _of_sweep(tracker, note, record, wrong)]


def _of_sweep(
    tracker: Tracker, note: Note, record: Record, wrong: Set[str]
) -> Iterator[Difference]:
    parent = tracker.find_sweep(note.name)
    if not parent or note.name in wrong:
        return
    touched = {point.name for point in note.points if wrong & {*point.trials}}
    for name, says in tracker.summaries(parent).differences(summaries(note, record)):
        if name.removesuffix(ENDING) not in touched:
            yield Difference("summary", f"{note.name}, {name}", says)


def mend(tracker: Tracker, notes: Sequence[Note], notify: Callable[[str], None]) -> None:
    """Make MLflow's summaries say what the runs of their trials say; ``notify`` is told which."""
    found = differences(tracker, notes)
    record = tracker.load() if found else None
    for note in notes:
        ours = [each for each in found if each.subject.startswith(f"{note.name}, ")]
        if ours and record is not None:
            tracker.summaries(tracker.find_sweep(note.name)).write(summaries(note, record))
            for difference in ours:
                notify(f"mended: {difference}")


def _metrics(groups: Sequence[Sequence[str]], record: Record) -> list[dict[str, float]]:
    """Of each group of trials mean, std and n of all that any of them has, by name."""
    ids = [trial_id for group in groups for trial_id in group]
    found: list[dict[str, float]] = [{} for _ in groups]
    for name in record.metric_names(ids):
        for into, summary in zip(
            found, summarize(groups, record, record.values(ids, name)), strict=True
        ):
            if summary.mean is not None:
                into |= {f"{name} mean": summary.mean, f"{name} n": float(summary.n)}
            if summary.std is not None:
                into[f"{name} std"] = summary.std
    return found


def _summary(
    note: Note, point: Point, trials: Sequence[str], metrics: Mapping[str, float], record: Record
) -> Summary:
    done = [trial_id for trial_id in trials if record.status(trial_id) == "done"]
    settings = {n: v for n, v in record.settings(trials[0]).items() if n != "seed"}
    runs = [record.run_id(trial_id) for trial_id in trials]
    more = f" and {len(runs) - LISTED} more" if len(runs) > LISTED else ""
    return Summary(
        point=" | ".join((point.stage, point.cell, point.name)),
        tags={
            "mlflow.runName": f"{point.name}{ENDING}",
            "paper": note.paper,
            "artifact": note.artifact,
            "preset": note.preset,
            "selection": note.selection,
            "variant": note.variant,
            "stage": point.stage,
            "cell": point.cell,
            "method": settings.get("method.name", ""),
            "runs": " ".join(runs[:LISTED]) + more,
        },
        params=settings,
        metrics=metrics,
        seeds=len(done),
        curves=partial(mean_curves, done, record),
    )


def mean_curves(trial_ids: Sequence[str], record: Record) -> dict[str, Curve]:
    """``test_error mean`` and ``test_error std`` by epoch, of trials that are done.

    At the epochs at which all of them have measured, thinned to `POINTS`.
    """
    import numpy as np

    histories = [record.curves(trial_id) for trial_id in trial_ids]
    n, found = len(histories), dict[str, Curve]()
    for name in sorted(set.intersection(*map(set, histories)) if histories else ()):
        epochs = min(len(each[name]) for each in histories)
        x = np.array([each[name][:epochs] for each in histories], dtype=np.float64).T
        known = np.isfinite(x).all(axis=1)
        mean, std = moments(x[known].ravel(), np.full(int(known.sum()), n))
        for word, values in (("mean", mean), ("std", std)):
            curve = np.full(epochs, math.nan)
            curve[known] = values
            if points := thinned(curve.tolist(), POINTS):
                found[f"{name} {word}"] = points
    return found


__all__ = ["differences", "keep", "mean_curves", "mend", "points_of", "summaries"]
