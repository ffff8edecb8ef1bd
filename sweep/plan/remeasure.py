"""`sweep measure`: one more quantity, measured on trials that are already trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Artifact, Measure
from trainables.errors import UsageError

if TYPE_CHECKING:
    from sweep.plan.expand import Plan
    from sweep.record.record import Record


def with_measure(
    artifact: Artifact, name: str, options: Mapping[str, Any], samples: int | None
) -> Artifact:
    """``artifact`` with one more measure on its trials.

    Args:
        name, options: Of the measure, as `trainables.measures` has it.
        samples: Measure on the first so many training images; None: on all.

    Raises:
        UsageError: an unknown measure or option.
    """
    from trainables import measures

    measures.registry.resolve(name, options)
    added = Measure(name, dict(options), samples=samples)
    others = tuple(m for m in artifact.experiment.measures if (m.label or m.name) != name)
    return artifact.with_experiment(measures=(*others, added))


def check_weights(planned: Plan, record: Record, storage: str) -> None:
    """Refuse a plan that would train trials again because their weights were not kept.

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
