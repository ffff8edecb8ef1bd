"""Recorded trials whose code or data was another than it is now.

What a result's provenance says of its own parts (`trainables.own_parts.used`) and of its data is
compared with what was imported, and with what lies prepared. It never enters a trial's name: one
option of a run decides what is done (`CHOICES`), and a table says and marks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from trainables.data_folder import data_directory, prepared_content
from trainables.errors import FlatsweepError
from trainables.own_parts.used import ORIGIN, from_text, used

if TYPE_CHECKING:
    from sweep.plan.expand import Plan, PlannedTrial
    from sweep.record.record import Record
    from trainables.config import Component

CHOICES = ("stop", "accept", "retrain")

SHOWN = 8
"""So many trials are named in a sentence."""

Clauses = Mapping[str, str]
"""Trial -> what it was made with another version of: ``method my_method``, ``data photos``."""

DigestNow = Callable[["Component"], str]
"""The digest of a data source as it is now; empty: not known."""


class ChangedError(FlatsweepError):
    """Results were made with other code or data, and nobody has said what is to be done."""


def changed(
    plan: Plan, origins: Mapping[str, Mapping[str, str]], digest_now: DigestNow | None = None
) -> Clauses:
    """Those of the plan's trials that were made otherwise than they would be now.

    Args:
        origins: Trial -> provenance of its result.
        digest_now: None: of what lies prepared in the data folder.
    """
    data = _Data(digest_now or prepared_here)
    found: dict[str, str] = {}
    for trial in plan.trials if origins else ():
        origin = origins.get(trial.trial_id)
        if origin:
            clauses = [*_code(plan, trial, origin), *data.other(trial, origin)]
            if clauses:
                found[trial.trial_id] = " and ".join(clauses)
    return found


def origins_of(plan: Plan, record: Record) -> dict[str, Mapping[str, str]]:
    """Trial -> provenance, of the trials of a plan that are recorded and say something here."""
    origins = record.origins((ORIGIN, "data_digest"))
    return {t: origin for t, origin in origins.items() if t in plan.by_id} if origins else {}


def _code(plan: Plan, trial: PlannedTrial, origin: Mapping[str, str]) -> list[str]:
    known = from_text(origin.get(ORIGIN, ""))
    if not known:
        return []
    now = used(trial.config, plan.measures_of(trial))
    return [part for part, source in now.items() if known.get(part, source.digest) != source.digest]


class _Data:
    """Compares data; each source is looked at once, and of trials on the same content one."""

    def __init__(self, digest_now: DigestNow) -> None:
        self._digest_now = digest_now
        self._known: dict[str, str] = {}
        self._same: set[tuple[str, str]] = set()

    def other(self, trial: PlannedTrial, origin: Mapping[str, str]) -> list[str]:
        name, before = origin.get("data", ""), origin.get("data_digest", "")
        if not before or (name, before) in self._same:
            return []
        source = trial.config.data.source
        key = json.dumps(source.model_dump(mode="json"), sort_keys=True)
        if key not in self._known:
            self._known[key] = self._digest_now(source)
        now = self._known[key]
        if now in ("", before):
            self._same.add((name, before))
            return []
        return [f"data {name or source.name}"]


def prepared_here(source: Component) -> str:
    """The digest of what is prepared of a data set; empty: nothing is."""
    found = prepared_content(source.name, source.options, data_directory())
    return found[1] if found else ""


def sentence(clauses: Clauses) -> str:
    """``2 trials were made with another version of method mine (0123..., 4567...)``; or empty."""
    by_what: dict[str, list[str]] = {}
    for trial_id, what in clauses.items():
        by_what.setdefault(what, []).append(trial_id)
    said = [f"{_count(ids)} made with another version of {what} ({_named(ids)})"
            for what, ids in by_what.items()]  # fmt: skip
    return "; ".join(said)


def _count(ids: Iterable[str]) -> str:
    count = len(list(ids))
    return f"{count} trial{'s' if count > 1 else ''} {'were' if count > 1 else 'was'}"


def _named(ids: list[str]) -> str:
    more = f", and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(ids[:SHOWN]) + more


def refusal(clauses: Clauses) -> ChangedError:
    """The error of a run that is told nothing."""
    return ChangedError(
        f"{sentence(clauses)}: --changed accept takes the results as they are, --changed retrain "
        "trains again"
    )


__all__ = [
    "CHOICES",
    "ChangedError",
    "Clauses",
    "changed",
    "origins_of",
    "prepared_here",
    "refusal",
    "sentence",
]
