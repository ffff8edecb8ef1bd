"""A trial as MLflow has it: parameters, metrics and tags, there and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sweep.record import curves
from sweep.record.membership import from_tags
from sweep.record.runs import Run
from trainables.masking import mask

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param
    from mlflow.entities import Run as MlflowRun

    from trainables.config import TrialConfig
    from trainables.storage.result import TrialResult

PARAMS_PER_CALL = 100
DIGEST = "digest"
"""Tag of a run: what it said when it was written (`digest`)."""
CLIPPED = 500
PROVENANCE = "provenance."
"""Begins the tags that say where a run's numbers come from."""
LABELS = ("paper", "cell", "method", "seed")
"""Tags for people: what a run is in the sweep that trained it."""
PARENT = "mlflow.parentRunId"
"""Tag of a trial's run: its sweep's own run, below which MLflow shows it."""
STORAGE = "storage"
"""Tag of a run: where its result was written, without passwords."""


class Recordable(Protocol):
    """What is recorded of a trial that its result does not say."""

    @property
    def trial_id(self) -> str:
        """The hash of its configuration."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def config(self) -> TrialConfig:
        """All that decides its numbers."""


def params(trial: Recordable) -> list[Param]:
    """Its configuration, the protocol first."""
    from mlflow.entities import Param

    flat = trial.config.flat().items()
    return [Param(name, mask(str(value))) for name, value in flat][:PARAMS_PER_CALL]


def dataset(trial: Recordable, origin: Mapping[str, str]) -> DatasetInput:
    """The data set as MLflow shows it: its name, and the digest of what was trained on.

    Args:
        origin: The result's provenance.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    component = trial.config.data.source
    used = Dataset(
        name=origin.get("data", component.name),
        digest=origin.get("data_digest") or component.name,
        source_type="flatsweep",
        source=mask(component.model_dump_json()),
    )
    return DatasetInput(used, [InputTag("mlflow.data.context", "training")])


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


def digest(
    outcome: str, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str]
) -> str:
    """SHA-256 of what a complete run says: of its tags, those that a trial alone decides.

    Numbers count to 12 digits: a database may round the last of a float's 16. Texts count to
    `CLIPPED` characters: MLflow cuts long ones.
    """
    ours = {
        name: value[:CLIPPED]
        for name, value in tags.items()
        if name in (*LABELS, "trial_id", curves.TAG) or name.startswith(PROVENANCE)
    }
    numbers = {
        name: f"{value:.12g}" if isinstance(value, int | float) else repr(value)
        for name, value in metrics.items()  # SQLite holds what somebody wrote there
    }
    values = {name: value[:CLIPPED] for name, value in params.items()}
    text = json.dumps([outcome, values, numbers, ours], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_edited(run: MlflowRun) -> bool:
    """Whether a run says something else than when it was written. One without a digest does not:
    it is from before there was any."""
    data = run.data
    tags = _texts(data.tags)
    expected = tags.get(DIGEST)
    return expected is not None and expected != digest(
        tags.get("outcome", ""), _texts(data.params), data.metrics, tags
    )


def edited_words(trials: Sequence[str]) -> str:
    """What a command says of ``trials`` whose runs are edited."""
    named = ", ".join([*trials[:3], *(["..."] if len(trials) > 3 else [])])
    return (
        f"{len(trials)} runs were edited in MLflow (trials {named}); sweep sync writes them again"
    )


def latest(points: Sequence[Metric]) -> dict[str, float]:
    """The value of each metric at the last of its epochs, which MLflow shows as the run's."""
    return {point.key: point.value for point in sorted(points, key=lambda point: point.step)}


def encoded(history: Mapping[str, Sequence[float]]) -> bytes:
    """A trial's curves as they are attached to its run."""
    return curves.encode(dict(sorted(history.items())))


__all__ = [
    "DIGEST",
    "LABELS",
    "PARENT",
    "PROVENANCE",
    "STORAGE",
    "Recordable",
    "as_run",
    "dataset",
    "digest",
    "edited_words",
    "encoded",
    "is_edited",
    "latest",
    "metric_entities",
    "params",
]
