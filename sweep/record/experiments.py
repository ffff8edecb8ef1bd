"""The experiments that a record is in: one a paper, known by its tag whatever a person calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sweep.record.connection import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

PREFIX = "flatsweep/"
TAG = "flatsweep.paper"
"""Of an experiment: the paper. Those from before there was the tag are known by their names."""
PAGE = 1000

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tag of an experiment by which MLflow shows runs of trainings first, not the pages for language
models."""

VIEW = "flatsweep"
"""Key of the view of runs that `sweep ui` opens: a tag of the experiment has what it shows."""

COLUMNS = {
    "metrics.`test_error mean`": 140,
    "metrics.`test_error std`": 130,
    "metrics.`test_error n`": 110,
    "metrics.`test_error`": 120,
    "metrics.`train_error`": 120,
    "tags.`artifact`": 130,
    "tags.`preset`": 80,
}
"""Of that view, with their widths in pixels. It is ordered by names: MLflow then lists the runs
below a sweep's own without a click, mean and std right before their seeds."""

WIDTHS = {"attributes.`Run Name`": 290, **COLUMNS, "runDateAndNestInfo": 150, "duration": 80}
"""Of all columns, from left to right: MLflow shows some always."""

OURS = {
    f"mlflow.sharedViewState.{VIEW}": json.dumps(
        {
            "orderByKey": "tags.`mlflow.runName`",
            "orderByAsc": True,
            "selectedColumns": [*COLUMNS],
            "columnOrder": [*WIDTHS],
            "columnWidths": WIDTHS,
        }
    )
}
"""Tag of an experiment that has the view."""


class Experiments:
    """Finds, restores and makes experiments.

    Args:
        client: Of the store.
        call: Calls one of its functions; raises TrackingError.
    """

    def __init__(self, client: MlflowClient, call: Any) -> None:
        self._client, self._call = client, call

    def ids(self) -> list[str]:
        """Of those that are not deleted."""
        return list(self.names())

    def names(self) -> dict[str, str]:
        """Id -> name of those that are not deleted."""
        from mlflow.entities import ViewType

        return {e.experiment_id: e.name for e in self._all(ViewType.ACTIVE_ONLY) if _paper(e)}

    def open(self, paper: str, artifacts: str | None) -> tuple[str, bool]:
        """The experiment of ``paper``: found, restored if it was deleted, or made.

        Args:
            artifacts: Where files of a new one are attached; None: the server's place.

        Returns:
            Its id, and whether it was restored.
        """
        if found := self._found(paper):
            return found
        try:
            tags = {TAG: paper, **KIND, **OURS}
            made = self._call(self._client.create_experiment, f"{PREFIX}{paper}", artifacts, tags)
        except TrackingError:
            if found := self._found(paper):  # another driver was quicker
                return found
            raise
        return str(made), False

    def _found(self, paper: str) -> tuple[str, bool] | None:
        from mlflow.entities import ViewType

        same = [e for e in self._all(ViewType.ALL) if _paper(e) == paper]
        if not same:
            return None
        first = min(same, key=lambda e: (e.lifecycle_stage == "deleted", e.creation_time or 0))
        deleted = first.lifecycle_stage == "deleted"
        if deleted:
            self._call(self._client.restore_experiment, first.experiment_id)
        # A person may have chosen another kind; the view of this key is ours.
        for tag, value in ({TAG: paper} | KIND | first.tags | OURS).items():
            if first.tags.get(tag) != value:
                self._call(self._client.set_experiment_tag, first.experiment_id, tag, value)
        return str(first.experiment_id), deleted

    def _all(self, view: int) -> Iterator[Experiment]:
        token = None
        while True:
            page = self._call(
                self._client.search_experiments, view_type=view, max_results=PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def _paper(experiment: Experiment) -> str:
    """The paper that an experiment is of; empty: it is not ours."""
    by_name = experiment.name.removeprefix(PREFIX) if experiment.name.startswith(PREFIX) else ""
    return str(experiment.tags.get(TAG) or by_name)


__all__ = ["PREFIX", "TAG", "VIEW", "Experiments"]
