"""A trial as MLflow has it: parameters, metrics and tags, there and back.

A number has the name in MLflow that it has in the record. A curve is shown apart, under `CURVES`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sweep.record import curves
from sweep.record.membership import from_tags
from sweep.record.runs import Run
from trainables.masking import mask

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric
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
KIND = "kind"
"""Tag of a run: ``trial``, ``summary`` or ``sweep``."""
CURVES = "Curves/"
"""Begins the names of thinned curves, which MLflow draws and the record has not. MLflow orders
groups of charts by these beginnings, capitals first, and shows what has none last."""
ENDINGS = {"failed": "FAILED", "pruned": "KILLED"}
"""Outcome -> how MLflow says that a run has ended, where it does not say FINISHED."""


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


@dataclass(frozen=True)
class Entry:
    """What is written of a trial that has ended.

    Attributes:
        trial_id, name: The hash of its configuration; for people.
        outcome: How it ended.
        params: Its configuration, the protocol first.
        numbers: Recorded name -> value.
        history: Name -> its curve; entry i belongs to epoch i + 1.
        tags: What it was run for, and where its numbers come from.
        source: The data set's description, as JSON.
    """

    trial_id: str
    name: str
    outcome: str
    params: Mapping[str, str]
    numbers: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    @classmethod
    def of(cls, trial: Recordable, result: TrialResult, tags: Mapping[str, str]) -> Entry:
        """That of a trial with a result; ``tags`` say what it was run for."""
        return cls(
            trial.trial_id,
            trial.name,
            result.status,
            params(trial),
            numbers(result),
            result.history,
            {**tags, **{f"{PROVENANCE}{k}": mask(v) for k, v in result.provenance.items()}},
            trial.config.data.source.model_dump_json(),
        )

    @property
    def seconds(self) -> float:
        """That its training took."""
        return self.numbers.get("training_seconds", 0.0)


def params(trial: Recordable) -> dict[str, str]:
    """Its configuration, the protocol first."""
    flat = [(name, mask(str(value))) for name, value in trial.config.flat().items()]
    return dict(flat[:PARAMS_PER_CALL])


def dataset(entry: Entry) -> DatasetInput:
    """The data set as MLflow shows it: its name, and the digest of what was trained on."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    part = entry.params.get("data.source.name", "data")
    used = Dataset(
        name=entry.tags.get(f"{PROVENANCE}data") or part,
        digest=entry.tags.get(f"{PROVENANCE}data_digest") or part,  # of 36 characters at most
        source_type="flatsweep",
        source=mask(entry.source),
    )
    return DatasetInput(used, [InputTag("mlflow.data.context", "training")])


def numbers(result: TrialResult) -> dict[str, float]:
    """What the record has of a result: of a curve what was measured last, also if it diverged."""
    ends = {name: curves.thinned(values) for name, values in result.history.items()}
    others = {n: v for n, v in result.metrics.items() if n not in result.history}
    return {name: points[-1][1] for name, points in ends.items() if points} | others


def metric_entities(
    numbers: Mapping[str, float], history: Mapping[str, Sequence[float]], now: int
) -> list[Metric]:
    """The curves, thinned, and the numbers, which are of no epoch: MLflow draws bars of them."""
    from mlflow.entities import Metric

    shown = [
        Metric(f"{CURVES}{name}", value, now, epoch)
        for name, values in history.items()
        for epoch, value in curves.thinned(values)
    ]
    return shown + [Metric(name, value, now, 0) for name, value in numbers.items()]


def recorded(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Of a run's metrics those that the record has."""
    return {
        name: value
        for name, value in metrics.items()
        if isinstance(value, int | float) and not name.startswith(CURVES)
    }


def as_run(run: MlflowRun) -> Run:
    """A complete run of a trial, without its curves."""
    tags, params = _texts(run.data.tags), _texts(run.data.params)
    protocol = params.get("protocol", "")
    return Run(
        trial_id=tags["trial_id"],
        status=tags["outcome"],  # type: ignore[arg-type]
        metrics=recorded(run.data.metrics),
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
    "CURVES",
    "DIGEST",
    "ENDINGS",
    "KIND",
    "LABELS",
    "PARENT",
    "PROVENANCE",
    "STORAGE",
    "Entry",
    "Recordable",
    "as_run",
    "dataset",
    "digest",
    "edited_words",
    "encoded",
    "is_edited",
    "latest",
    "metric_entities",
    "numbers",
    "params",
    "recorded",
]
