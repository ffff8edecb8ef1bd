"""The result of a trial: its numbers, their history, and where they come from; as JSON.

A file of it says which trial it is of, under which protocol, and the SHA-256 of itself, and none of
the three is taken on trust (`TrialResult.verified`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from trainables.config import PROTOCOL_VERSION, TrialConfig
from trainables.errors import FlatsweepError, UsageError
from trainables.metric_name import MetricName, best, of_split
from trainables.parse_json import NoJSONError, parse_json

Status = Literal["done", "diverged", "pruned"]
"""How a trial that has a result ended; ``pruned``: a search has stopped it, and may go on."""

FINAL: tuple[Status, ...] = ("done", "diverged")
"""Of them those after which there is nothing left to train."""

TOTALS = (
    "epochs_run",
    "training_seconds",
    "device_seconds",
    "step_seconds",
    "gradient_evaluations",
    "parameters",
    "train_images",
)
"""Metrics of the training as a whole, which no single epoch has."""


class ResultError(FlatsweepError):
    """What is kept as a trial's result is not one; the message says why."""


class OutdatedError(ResultError):
    """It is the result of an older protocol."""


@dataclass(frozen=True)
class TrialResult:
    """The outcome of one trial.

    Attributes:
        status: ``done``, or ``diverged``: the loss stopped being finite. A diverged trial has
            no final metrics, only ``epochs_run`` and what was spent. ``pruned``: its numbers are
            of the epochs so far.
        metrics: Final numbers: errors as fractions, NLL in nats, times in seconds. Plain names
            are read at the last epoch; ``best_test/...`` and ``best_validation/...`` at the epoch
            with the lowest test or validation error (an optimistic choice in the first case).
        history: The same numbers per epoch; entry i belongs to epoch i + 1.
        provenance: Commit, versions, hardware, precision and data that the numbers come from.
    """

    trial_id: str
    status: Status
    config: dict[str, Any]
    metrics: dict[str, float]
    history: dict[str, list[float]]
    provenance: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Strict JSON with ``protocol`` and ``sha256``; a value that is not finite becomes null."""
        whole = {**_finite(asdict(self)), "protocol": PROTOCOL_VERSION}
        return _as_json({**whole, "sha256": _checksum(whole)})

    @classmethod
    def from_json(cls, text: str | bytes) -> TrialResult:
        """The result that `to_json` wrote, as it stands; null becomes NaN."""
        return _as_result(json.loads(text))

    @classmethod
    def verified(
        cls, content: bytes, trial_id: str, statuses: Sequence[Status] = FINAL
    ) -> tuple[TrialResult, bool]:
        """The result of trial ``trial_id`` in a file, if it is that and nobody has changed it.

        Args:
            statuses: Those that it may have.

        Returns:
            The result, and whether the file has all that vouches for it. One from before there was
            a checksum is told by its configuration and the protocol in that.

        Raises:
            OutdatedError: it is of an older protocol.
            ResultError: it is damaged, edited, or another trial's.
        """
        try:
            read = parse_json(content)
        except NoJSONError as error:
            raise ResultError(f"it is no JSON ({error})") from None
        if wrong := _wrong_shape(read, statuses):
            raise ResultError(wrong)
        if read["trial_id"] != trial_id:
            raise ResultError(f"it is of trial {read['trial_id']}")
        protocol = read.get("protocol", read["config"].get("protocol"))
        if protocol != PROTOCOL_VERSION:
            raise OutdatedError(f"it is of protocol {protocol}, not {PROTOCOL_VERSION}")
        vouched = "protocol" in read and "sha256" in read
        if not vouched:
            _check_configuration(read["config"], trial_id)
        if read.pop("sha256", None) not in (None, _checksum(read)):
            raise ResultError("its checksum is another one: it was damaged or edited")
        return _as_result(read), vouched


def _as_result(read: dict[str, Any]) -> TrialResult:
    known = {field.name: read[field.name] for field in fields(TrialResult) if field.name in read}
    known["metrics"] = {name: _number(value) for name, value in read["metrics"].items()}
    known["history"] = {name: [*map(_number, v)] for name, v in read["history"].items()}
    return TrialResult(**known)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _wrong_shape(read: Any, statuses: Sequence[Status]) -> str:
    """Why what was read cannot be a result; empty if it can."""
    if not isinstance(read, dict):
        return "it is no JSON object"
    kinds = {"trial_id": str, "config": dict, "metrics": dict, "history": dict}
    for name, kind in kinds.items():
        if not isinstance(read.get(name), kind):
            return f"it has no {name}"
    if read.get("status") not in statuses:
        return f"its status is {read.get('status')!r}, not {' or '.join(statuses)}"
    for name, value in read["metrics"].items():
        if not _is_number(value):
            return f"its {name} is {value!r}, which is no number"
    for name, values in read["history"].items():
        if not isinstance(values, list) or not all(map(_is_number, values)):
            return f"its history of {name} is no list of numbers"
    return ""


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _check_configuration(config: dict[str, Any], trial_id: str) -> None:
    """Raise ResultError if ``config`` is not that of trial ``trial_id``."""
    try:
        found = TrialConfig(**config).trial_id
    except UsageError as error:
        raise ResultError(f"its configuration is none ({error})") from None
    if found != trial_id:
        raise ResultError(f"its configuration is that of trial {found}")


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(_as_json(fields).encode()).hexdigest()


def _as_json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True)


CRITERIA = ("error", "nll", "loss")
"""Numbers of a split by which epochs are judged, the first that is there first."""


def best_epoch(history: dict[str, list[float]], judge: str) -> dict[str, float]:
    """The numbers of the epoch with the lowest error on split ``judge``, as ``best_<judge>/...``.

    Of epochs with equal errors it is the one with the lowest loss (as in AMP's code), and then the
    first. ``best_<judge>/epoch`` counts from 1. Only what was measured in every epoch has a number
    here; without such a split the result is empty.
    """
    if not any(of_split(judge, name) in history for name in CRITERIA):
        return {}
    order = best_first(history, judge)
    first, then = order[0], best(judge)
    return {MetricName("epoch").at_epoch(then): first + 1} | {
        MetricName(name).at_epoch(then): values[first]
        for name, values in history.items()
        if len(values) == len(order) and all(map(math.isfinite, values))
    }


def best_first(history: dict[str, list[float]], judge: str) -> list[int]:
    """All epochs, counted from 0, the best first: by error on split ``judge``, loss, and time."""
    names = [of_split(judge, criterion) for criterion in CRITERIA]
    criteria = [history[name] for name in names if name in history]
    keys = list(zip(*criteria, strict=True))
    return sorted(range(len(keys)), key=keys.__getitem__)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
