"""A trial as MLflow has it: parameters, metrics and tags, there and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.record import curves
from sweep.record.membership import from_tags
from sweep.record.runs import Run
from trainables.masking import mask

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param
    from mlflow.entities import Run as MlflowRun

    from sweep.plan.expand import PlannedTrial
    from trainables.storage.result import TrialResult

PARAMS_PER_CALL = 100
PROVENANCE = "provenance."
"""Begins the tags that say where a run's numbers come from."""
LABELS = ("paper", "cell", "method", "seed")
"""Tags for people: what a run is in the sweep that trained it."""


def params(trial: PlannedTrial) -> list[Param]:
    """Its configuration, the protocol first."""
    from mlflow.entities import Param

    flat = trial.config.flat().items()
    return [Param(name, mask(str(value))) for name, value in flat][:PARAMS_PER_CALL]


def metric_entities(result: TrialResult, now: int) -> list[Metric]:
    """Its curves, thinned, and the numbers that have none, at the epochs they belong to."""
    from mlflow.entities import Metric

    shown = [
        Metric(name, value, now, epoch)
        for name, values in result.history.items()
        for epoch, value in curves.thinned(values)
    ]
    last = int(result.metrics.get("epochs_run", 0))
    return shown + [
        Metric(name, value, now, last)
        for name, value in result.metrics.items()
        if name not in result.history
    ]


def as_run(run: MlflowRun) -> Run:
    """A complete run of a trial, without its curves."""
    tags, params = _texts(run.data.tags), _texts(run.data.params)
    protocol = params.get("protocol", "")
    return Run(
        trial_id=tags["trial_id"],
        status=tags["outcome"],  # type: ignore[arg-type]
        metrics={n: v for n, v in run.data.metrics.items() if isinstance(v, int | float)},
        history=None,
        error=tags.get("error", ""),
        run_id=run.info.run_id,
        protocol=int(protocol) if protocol.isdecimal() else None,
        memberships=tuple(from_tags(tags)),
        provenance={
            name.removeprefix(PROVENANCE): value
            for name, value in tags.items()
            if name.startswith(PROVENANCE)
        },
        labels={name: tags[name] for name in LABELS if name in tags},
        settings=dict(params),
        ended=run.info.end_time or 0,
    )


def _texts(found: Mapping[str, Any]) -> dict[str, str]:
    """SQLite holds whatever somebody wrote into a column, of texts too: bytes, numbers, nothing."""
    return {str(name): str(value) for name, value in found.items() if value is not None}


def encoded(history: Mapping[str, Sequence[float]]) -> bytes:
    """A trial's curves as they are attached to its run."""
    return curves.encode(dict(sorted(history.items())))


__all__ = ["LABELS", "PROVENANCE", "as_run", "encoded", "metric_entities", "params"]
