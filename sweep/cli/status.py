"""How far sweeps are: the record, and what drivers say of those that run (`sweep.run.live`)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sweep.record.membership import sweep_name
from sweep.run.live import STATES, LiveSweep, LiveTrial, State, in_one_line
from trainables.masking import mask

if TYPE_CHECKING:
    from sweep.plan.expand import Plan, PlannedTrial
    from sweep.record.record import Record

ENDS = ("done", "diverged", "pruned", "failed", "outdated")
"""How a recorded trial ended, or that it was recorded with an older protocol."""

MOVING = ("running", "retrying")

SHOWN = (*MOVING, "failed")
"""States of the trials that have a line of their own."""


# -- all sweeps ------------------------------------------------------------------------------


def rows(record: Record, drivers: Sequence[LiveSweep]) -> list[dict[str, Any]]:
    """Per artifact, preset and variant: how many tracked trials ended how, and who runs more.

    ``drivers`` are those that have not ended; ``queued``, ``waiting``, ``running`` and
    ``retrying`` count the trials of those that are alive.
    """
    recorded = record.sweeps()
    working = [one for one in drivers if not one.ended]
    names = {*recorded, *((one.artifact, one.preset, one.variant) for one in working)}
    found = []
    for name in sorted(names):
        own = [one for one in working if (one.artifact, one.preset, one.variant) == name]
        now = Counter[str]()
        for one in own:
            now.update(one.counts if one.alive else {})
        found.append(
            dict(zip(("artifact", "preset", "variant"), name, strict=True))
            | {end: recorded[name][end] if name in recorded else 0 for end in ENDS}
            | {state: now[state] for state in ("queued", "waiting", *MOVING)}
            | {"drivers": [driver_as_dict(one) for one in own]}
        )
    return found


def rows_text(listed: list[dict[str, Any]], drivers: Sequence[LiveSweep]) -> str:
    """What `rows` gives as a table, one line per artifact, preset and variant; then who runs."""
    if not listed:
        return "no trials recorded yet; `sweep run ARTIFACT` starts some"
    width = max(len(row["artifact"]) for row in listed)
    head = f"{'artifact':{width}}  preset  " + "".join(f"{name:>10}" for name in ENDS)
    lines = [head]
    lines += [
        f"{row['artifact']:{width}}  {row['preset']:6}  "
        + "".join(f"{row[name]:>10}" for name in ENDS)
        + f"  {row['variant']}".rstrip()
        for row in listed
    ]
    if any(row["outdated"] for row in listed):
        lines.append("outdated: of an older protocol; they no longer count")
    for one in drivers:
        if one.alive:
            lines.append(f"{one.sweep} runs: {in_words(one.counts)}; {driver_in_words(one)}")
        elif not one.ended:
            lines.append(f"{one.sweep}: {driver_in_words(one)}")
    return "\n".join(lines)


def driver_as_dict(one: LiveSweep) -> dict[str, Any]:
    """A driver, for JSON."""
    return {
        "node": one.node,
        "pid": one.pid,
        "selection": one.selection,
        "started": _iso(one.started),
        "heard_of": _iso(one.written),
        "silent_seconds": round(one.silent(), 1),
        "alive": one.alive,
        "ended": one.ended,
        "max_concurrent": one.max_concurrent,
    }


def driver_in_words(one: LiveSweep) -> str:
    """A driver, in a line."""
    who = f"the driver on {one.node} (process {one.pid})"
    if one.ended:
        return f"{who} ended {_local(one.written)}: {one.ended}"
    if one.alive:
        at_once = f", {one.max_concurrent} at once" if one.max_concurrent else ""
        return f"{who} since {_local(one.started)}{at_once}, {one.heard()}"
    return f"{who} {one.heard()}"


# -- one sweep -------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrialStatus:
    """A trial of a plan, and what it is now.

    Attributes:
        trial: The trial.
        now: Its state; ``since`` 0 where that is not known.
        note: What else is to be known of it.
    """

    trial: PlannedTrial
    now: LiveTrial
    note: str = ""

    def line(self) -> str:
        """The trial in a line."""
        now = self.now
        parts = [f"{self.trial.trial_id}  {now.state}  {self.trial.name}"]
        if now.epochs and now.state in MOVING:
            parts.append(f"epoch {now.epoch} of {now.epochs}")
        parts += [f"on {now.node}"] if now.node else []
        parts += [f"since {_local(now.since)}"] if now.since else []
        parts += [self.note] if self.note else []
        parts += [mask(now.error)] if now.error else []
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The trial, for JSON."""
        now = self.now
        return {
            "trial_id": self.trial.trial_id,
            "name": self.trial.name,
            "stage": self.trial.stage,
            "seed": self.trial.seed,
            "state": now.state,
            "epoch": now.epoch,
            "epochs": self.trial.settings.epochs,
            "node": now.node,
            "since": _iso(now.since) if now.since else "",
            "error": mask(now.error),
            "cancelled": now.cancelled,
            "note": self.note,
        }


@dataclass(frozen=True)
class SweepStatus:
    """A sweep now.

    Attributes:
        plan: Its trials.
        drivers: Of this sweep, ended ones too.
        trials: Every trial, once, those that wait for a winner among them.
        cells: The trials of each cell, by its name; a trial that several need is in each.
        hours_spent: Device hours of training that its trials took, those that run among them.
        hours_left: Those that are left; None: not known before trials are recorded.
    """

    plan: Plan
    drivers: tuple[LiveSweep, ...]
    trials: tuple[TrialStatus, ...]
    cells: dict[str, list[TrialStatus]]
    hours_spent: float
    hours_left: float | None

    @property
    def counts(self) -> Counter[str]:
        """How many trials are in each state."""
        return Counter(one.now.state for one in self.trials)


def of_sweep(planned: Plan, record: Record, found: Sequence[LiveSweep]) -> SweepStatus:
    """The status of a planned sweep.

    Args:
        found: The drivers of all sweeps of the storage: they may share trials.
    """
    from sweep.plan.cost import estimate

    name = sweep_name(planned.artifact.id, planned.preset, planned.selection.name, planned.variant)
    drivers = tuple(one for one in found if one.sweep == name)
    runs = any(one.alive for one in drivers)
    known = {t.trial_id: _status(t, record, found, runs) for t in planned.trials}
    waiting = [TrialStatus(trial, LiveTrial("waiting", 0)) for trial in planned.expected]
    cells: dict[str, list[TrialStatus]] = {}
    for stage in planned.stages:
        for trial in stage.trials:
            of = known[trial.trial_id]
            cells.setdefault(_cell(trial), []).append(TrialStatus(trial, of.now, of.note))
        for trial in stage.expected:
            cells.setdefault(_cell(trial), []).append(TrialStatus(trial, LiveTrial("waiting", 0)))
    moving = {t: one.now for t, one in known.items() if one.now.state in MOVING}
    begun = {t: now.epoch / now.epochs for t, now in moving.items() if now.epochs}
    cost = estimate(planned, record, begun=begun)
    return SweepStatus(
        planned,
        drivers,
        (*known.values(), *waiting),
        cells,
        _hours_spent(planned, record, moving.values()),
        cost.device_hours if cost.from_trials or not cost.unknown_trials else None,
    )


def _cell(trial: PlannedTrial) -> str:
    return " / ".join(map(trial.cell.label, trial.cell.key))


def _hours_spent(planned: Plan, record: Record, moving: Iterable[LiveTrial]) -> float:
    from sweep.plan.cost import hours_spent

    running = sum(max(0.0, time.time() - now.since) for now in moving if now.state == "running")
    return hours_spent((t.trial_id for t in planned.trials), record) + running / 3600


def _status(
    trial: PlannedTrial, record: Record, drivers: Sequence[LiveSweep], runs: bool
) -> TrialStatus:
    """What a trial is: by a driver that is alive, else by the record, else by one that ended."""
    said = [(one, one.trials[trial.trial_id]) for one in drivers if trial.trial_id in one.trials]
    for one, now in reversed(said):
        if one.alive and now.state in MOVING:
            note = "cancelled: it ends with its epoch" if now.cancelled else ""
            return TrialStatus(trial, now, note)
    end, since = record.status(trial.trial_id), record.ended(trial.trial_id) / 1000
    if end in ("done", "diverged"):
        return TrialStatus(trial, LiveTrial(_state(end), since))
    for one, now in reversed(said):
        if now.cancelled:
            cancelled = LiveTrial("queued", now.since, now.epoch, now.epochs, cancelled=True)
            return TrialStatus(trial, cancelled, "cancelled; the next `sweep run` runs it")
        if now.state in MOVING:
            how = "was stopped" if one.ended else one.heard()
            left = LiveTrial("queued", one.written, now.epoch, now.epochs)
            return TrialStatus(trial, left, f"at epoch {now.epoch} when its driver {how}")
        if now.state == "failed":
            return TrialStatus(trial, now)
    if end == "failed" and not runs:  # a driver that runs tries it again
        error = in_one_line(record.error(trial.trial_id))
        return TrialStatus(trial, LiveTrial("failed", since, error=error))
    if end == "pruned" and not runs:
        return TrialStatus(trial, LiveTrial("pruned", since))
    return TrialStatus(trial, LiveTrial("queued", 0))


def _state(status: str) -> State:
    return next(state for state in STATES if state == status)


def as_dict(status: SweepStatus) -> dict[str, Any]:
    """A sweep's status, for JSON."""
    planned = status.plan
    return {
        "artifact": planned.artifact.id,
        "preset": planned.preset,
        "selection": planned.selection.name,
        "variant": planned.variant,
        "size": planned.size,
        "counts": {state: status.counts[state] for state in STATES},
        "hours_spent": round(status.hours_spent, 4),
        "hours_left": status.hours_left,
        "drivers": [driver_as_dict(one) for one in status.drivers],
        "cells": [
            {
                "cell": dict(listed[0].trial.cell.key),
                "counts": dict(Counter(one.now.state for one in listed)),
                "trials": [one.as_dict() for one in listed],
            }
            for listed in status.cells.values()
        ],
    }


def as_text(status: SweepStatus, every: bool = False) -> str:
    """A line per cell, with those of its trials that run, failed or were cancelled.

    Args:
        every: With all of its trials.
    """
    return "\n".join(_lines(status, every))


def _lines(status: SweepStatus, every: bool) -> Iterator[str]:
    planned = status.plan
    name = sweep_name(planned.artifact.id, planned.preset, planned.selection.name, planned.variant)
    yield f"{name}: {planned.size} trials: {in_words(status.counts)}"
    yield from map(driver_in_words, status.drivers)
    unfinished = planned.size > status.counts["done"] + status.counts["diverged"]
    if unfinished and not any(one.alive for one in status.drivers):
        yield "nobody runs it now; `sweep run` continues"
    left = "not known yet" if status.hours_left is None else f"about {status.hours_left:.2f}"
    yield f"device hours of training: {status.hours_spent:.2f} spent, {left} left"
    yield ""
    width = max(map(len, status.cells), default=0)
    for cell, listed in status.cells.items():
        yield f"{cell:{width}}  {in_words(Counter(one.now.state for one in listed))}"
        yield from (
            f"    {one.line()}" for one in listed if every or one.now.state in SHOWN or one.note
        )


def in_words(counts: Counter[str] | dict[str, int] | Any) -> str:
    """``2 running, 1 done``: how many trials are in each state."""
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts.get(state)) or "none"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


__all__ = ["ENDS", "SweepStatus", "TrialStatus", "as_dict", "as_text", "of_sweep", "rows"]
