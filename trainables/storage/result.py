"""The result of a trial: its numbers, their history, and where they come from; as JSON."""

from __future__ import annotations

import json
import math
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from trainables.metric_name import MetricName, best, of_split

Status = Literal["done", "diverged"]
"""How a trial that has a result ended."""

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


@dataclass(frozen=True)
class TrialResult:
    """The outcome of one trial.

    Attributes:
        status: ``done``, or ``diverged``: the loss stopped being finite. A diverged trial has
            no final metrics, only ``epochs_run`` and what was spent.
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
        """Strict JSON; a value that is not finite becomes null."""
        return json.dumps(_finite(asdict(self)), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> TrialResult:
        """The result that `to_json` wrote; null becomes NaN."""
        fields = json.loads(text)
        fields["metrics"] = {
            name: math.nan if value is None else value for name, value in fields["metrics"].items()
        }
        fields["history"] = {
            name: [math.nan if value is None else value for value in values]
            for name, values in fields["history"].items()
        }
        return cls(**fields)


def best_epoch(history: dict[str, list[float]], judge: str) -> dict[str, float]:
    """The numbers of the epoch with the lowest error on split ``judge``, as ``best_<judge>/...``.

    Of epochs with equal errors it is the one with the lowest loss (as in AMP's code), and then the
    first. ``best_<judge>/epoch`` counts from 1. Only what was measured in every epoch has a number
    here; without such a split the result is empty.
    """
    if not any(of_split(judge, name) in history for name in ("error", "loss")):
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
    names = [of_split(judge, criterion) for criterion in ("error", "nll", "loss")]
    criteria = [history[name] for name in names if name in history]
    keys = list(zip(*criteria, strict=True))
    return sorted(range(len(keys)), key=keys.__getitem__)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def provenance(device: str, precision: str, threads: int) -> dict[str, str]:
    """Commit, versions, hardware and precision that a number comes from, as texts."""
    return {
        **_environment(),
        "hardware": _hardware(device),
        "device": device,
        "precision": precision,
        "threads": str(threads),
    }


@cache
def _environment() -> dict[str, str]:
    import torch

    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "flatsweep": _version("flatsweep"),
        "host": platform.node(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _commit() -> str:
    """The checkout's commit, with ``-dirty`` when tracked files differ from it."""
    root = Path(__file__).resolve().parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


@cache
def _hardware(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
