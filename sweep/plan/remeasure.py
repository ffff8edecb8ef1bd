"""`sweep measure`: one more quantity, measured on trials that are already trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Artifact, Measure
from trainables.errors import UsageError

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.record import Record


def with_measure(
    artifact: Artifact, name: str, options: Sequence[str], samples: int | None
) -> Artifact:
    """``artifact`` with one more measure. Raises ValueError for an unknown measure or option."""
    from trainables import measures

    given = dict(map(_option, options))
    measures.registry.resolve(name, given)
    added = Measure(name, given, samples=samples)
    others = tuple(m for m in artifact.measures if (m.label or m.name) != name)
    return artifact.replace(measures=(*others, added))


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"option {text!r} is not of the form name=value")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def check_weights(planned: Plan, record: Record, storage: str) -> None:
    """Refuse to train in silence.

    Raises:
        UsageError: a trial to be measured is not finished or kept no weights.
    """
    from trainables.storage.files import Storage
    from trainables.storage.trial_folder import WEIGHTS, trials_with

    kept = trials_with(Storage(storage), WEIGHTS)
    bare = [trial for trial in planned.missing(record) if trial.trial_id not in kept]
    if bare:
        raise UsageError(
            f"{len(bare)} of {len(planned.trials)} trials have no kept weights to measure on; "
            "run the sweep with --keep-weights last, or train them again with --retrain"
        )
