"""A sweep's own run in MLflow: those of its trials lie below it, its table is its description."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.record.membership import Membership
from sweep.record.mlflow_runs import KIND, PARENT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

DESCRIPTION = "mlflow.note.content"
"""Tag of a run whose Markdown MLflow shows above all else."""

DESCRIBED = "described"
"""Tag of a sweep's run: `_digest` of the description that was written last. One that a person has
written since is left alone."""

TABLE = "table.md"
"""Of the attached files the one that is the description, too."""

LONGEST = 5000
"""Characters of a tag that every tracking store takes."""


class SweepRuns:
    """Finds, restores, makes and describes sweeps' own runs.

    Args:
        client: Of the store.
        call: Calls one of its functions; raises TrackingError.
        search: As `sweep.record.mlflow_store.Tracker.search`.
    """

    def __init__(
        self, client: MlflowClient, call: Any, search: Callable[..., Iterator[MlflowRun]]
    ) -> None:
        self._client, self._call, self._search = client, call, search

    def find(self, name: str, experiments: Sequence[str] | None = None, view: int = 1) -> list[str]:
        """Ids of the runs of the sweep that is called ``name``, the oldest first.

        Args:
            experiments: To look in; None: all.
            view: MLflow's ViewType.
        """
        # Not by their name: a filter of MLflow's cannot hold every text.
        found = self._search("tags.sweep != ''", experiments, view)
        same = [run.info for run in found if run.data.tags["sweep"] == name]
        return [i.run_id for i in sorted(same, key=lambda i: (i.start_time or 0, i.run_id))]

    def start(self, experiment: str, sweep: Membership, title: str) -> str:
        """The run of a sweep, made at its first start and found again later.

        One that was deleted is restored. Of several, made by drivers at once, the first stays.

        Args:
            experiment: Id of the one that it is in.
            sweep: Whose stage does not matter.
            title: For people.
        """
        from mlflow.entities import ViewType

        name = sweep.sweep
        if not (found := self.find(name, [experiment])):
            if deleted := self.find(name, [experiment], ViewType.DELETED_ONLY):
                self._call(self._client.restore_run, deleted[0])
            else:
                tags = {
                    KIND: "sweep",
                    "sweep": name,
                    "mlflow.runName": name,
                    DESCRIPTION: title,
                    DESCRIBED: _digest(title),
                    "paper": sweep.artifact.partition("/")[0],
                    "artifact": sweep.artifact,
                    "preset": sweep.preset,
                    "selection": sweep.selection,
                    "variant": sweep.variant,
                }
                self._call(self._client.create_run, experiment, tags=tags)
            found = self.find(name, [experiment])
        first, *others = found
        for other in others:
            for child in self._search(f"tags.{PARENT} = '{other}'"):
                self._call(self._client.set_tag, child.info.run_id, PARENT, first)
            self._call(self._client.delete_run, other)
        return first

    def describe(self, run: MlflowRun, files: Mapping[str, str]) -> None:
        """Show the table among the ``files`` attached to a sweep's run as its description.

        A person's own words stay.
        """
        from mlflow.entities import RunTag

        table, tags = files.get(TABLE), run.data.tags
        before, known = tags.get(DESCRIPTION, ""), tags.get(DESCRIBED)
        ours = known == _digest(before) if known else "\n" not in before
        said = {KIND: "sweep"} if tags.get(KIND) != "sweep" else {}
        if table is not None and ours:
            description = _shortened(table)
            said |= {DESCRIPTION: description, DESCRIBED: _digest(description)}
        if said:
            self._call(
                self._client.log_batch, run.info.run_id, tags=[RunTag(*tag) for tag in said.items()]
            )


def _shortened(text: str) -> str:
    """Whole lines of ``text``, as many as a tag has room for."""
    if len(text) <= LONGEST:
        return text
    more = f"\n\nThe rest is in {TABLE}, among the artifacts of this run."
    return text[: LONGEST - len(more)].rpartition("\n")[0] + more


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


__all__ = ["SweepRuns"]
