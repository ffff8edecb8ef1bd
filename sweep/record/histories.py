"""Curves of runs from before they were attached as files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun


@dataclass(frozen=True)
class Histories(Mapping[str, Sequence[float]]):
    """Curves of a run, by metric: a call for each, when it is looked at.

    Attributes:
        fetch: MLflow's metric history of a run's id and a metric's name.
        run: The run.
    """

    fetch: Any
    run: MlflowRun

    def __getitem__(self, name: str) -> list[float]:
        _ = self.run.data.metrics[name]  # KeyError: it has no such metric
        by_epoch = {point.step: point.value for point in self.fetch(self.run.info.run_id, name)}
        return [by_epoch.get(epoch, math.nan) for epoch in range(1, max(by_epoch, default=0) + 1)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.run.data.metrics)

    def __len__(self) -> int:
        return len(self.run.data.metrics)


__all__ = ["Histories"]
