"""How many trials some plans need, have and lack, each counted once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.record import Record


def counts(planned: Iterable[tuple[Plan, Record]]) -> Mapping[str, int]:
    """``trials``, ``done``, ``missing`` and ``waiting``, a trial of several sweeps counted once."""
    planned = list(planned)
    ready = {trial.trial_id for plan, _ in planned for trial in plan.trials}
    missing = {trial.trial_id for plan, record in planned for trial in plan.missing(record)}
    waiting = {(t.trial_id, t.awaits) for plan, _ in planned for t in plan.expected}
    return {
        "trials": len(ready) + len(waiting),
        "done": len(ready - missing),
        "missing": len(missing),
        "waiting": len(waiting),
    }


__all__ = ["counts"]
