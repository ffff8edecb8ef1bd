"""A sweep from Python: loaded, planned, run and shown, as the command ``sweep`` does it.

    from sweep import experiment

    study = experiment.load("my_sweep.yaml")
    print(study.plan().size)  # how many trials it needs
    study.run(executor="serial")  # those that the record lacks
    table = study.table()  # shown as HTML in a notebook
    table.pandas()  # or .arrow(): one row per number
    study.trials()  # its trials in Arrow: settings, provenance and metrics as columns
    study.record().numbers()  # all that is recorded, of other sweeps, too: trial, metric, value

One trial alone is trained by `trainables.fit`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import search_spaces
from search_spaces import presets
from sweep import files, own_parts
from sweep.plan.changed import CHOICES
from sweep.plan.expand import Plan
from sweep.plan.places import places
from sweep.record import export
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.run import Sweep, progress, run
from sweep.run.attached import attachments
from sweep.run.executor import executor as executor_of
from sweep.run.limits import Limits
from sweep.selection import selection as rule_of
from sweep.tables import Table, render, table_of
from sweep.tables.fields import fields
from trainables.errors import UsageError, unknown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ShownTable:
    """A table of results.

    Attributes:
        table: What it shows, arranged in rows and columns.
    """

    table: Table

    def __str__(self) -> str:
        return render(self.table, "terminal", width=100, color=False)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return render(self.table, "html")

    def arrow(self) -> pa.Table:
        """One row per number: labels, ``metric``, ``mean``, ``std``, ``n`` and the rest.

        ``point`` is the winner's settings as JSON, ``values`` are those of the seeds.
        """
        import pyarrow as pa

        return pa.Table.from_pylist(
            [
                {
                    **dict(zip(self.table.row_labels, row, strict=True)),
                    **dict(zip(self.table.column_labels, column, strict=True)),
                    **fields(cell),
                    "point": json.dumps(dict(cell.result.point or {})),
                    "values": list(cell.summary.values),
                    "trial_ids": list(cell.result.trial_ids),
                }
                for row, column, cell in self.table.cells
            ]
        )

    def pandas(self) -> pd.DataFrame:
        """`arrow` as a data frame."""
        return self.arrow().to_pandas()


@dataclass(frozen=True)
class Study:
    """A sweep, and where its results and their record are.

    Attributes:
        sweep: What is run, at which preset, and where its results go.
        tracking_uri: The MLflow store.
    """

    sweep: Sweep
    tracking_uri: str

    def record(self) -> Record:
        """What is known of trials, those of other sweeps among them."""
        return Tracker(self.tracking_uri).load()

    def plan(self) -> Plan:
        """The trials that it needs, as far as the record determines them."""
        return self.sweep.plan(self.record())

    def run(
        self,
        executor: str = "ray",
        execution: Mapping[str, Any] | None = None,
        changed: str = "stop",
        limits: Limits | None = None,
        **resources: Any,
    ) -> Study:
        """Run what the record lacks; safe to stop and to repeat.

        Args:
            executor: ``ray``, or ``serial``: one trial at a time, in this process.
            execution: Options of `trainables.train.Execution`, such as ``device`` and ``data_dir``.
            changed: What is done with results whose code or data was another: ``stop``,
                ``accept`` or ``retrain``.
            limits: How far this goes, and in which order; None: to the end.
            resources: ``address``, ``cpus``, ``gpus``, ``concurrency`` and ``trial_timeout`` of
                `sweep.run.executor.executor`.

        Raises:
            trainables.errors.FlatsweepError: in one sentence, what a person can remedy.
        """
        if changed not in CHOICES:
            raise UsageError(unknown("value of changed", changed, CHOICES))
        chosen = executor_of(executor, **resources)
        options = {**self.sweep.execution, **(execution or {})}
        sweep = replace(self.sweep, execution=options, changed=changed)
        with contextlib.closing(progress.observer(live=not chosen.in_process)) as observer:
            run(
                sweep,
                tracker=Tracker(self.tracking_uri),
                observer=observer,
                executor=chosen,
                attachments=attachments,
                limits=limits,
            )
        return self

    def trials(self, curves: bool = False, layout: str = "wide") -> pa.Table:
        """The recorded trials in Arrow: labels of their cells, settings, provenance and numbers.

        Args:
            curves: With the numbers of every epoch.
            layout: ``wide``: a row per trial; ``long``: a row per number.
        """
        record = self.record()
        found = list(places(self.sweep.plan(record), record))
        return export.table(record, curves, layout, found)

    def table(self, all_points: bool = False) -> ShownTable:
        """The table of what is recorded.

        Args:
            all_points: Each point of a search has a row of its own, not the winner alone.
        """
        record = self.record()
        return ShownTable(table_of(self.sweep.plan(record), record, all_points))

    def figures(self, kind: str | None = None) -> list[Figure]:
        """The figures of what is recorded.

        Args:
            kind: ``printed``, ``cost``, ``curves`` or ``grid``; None: its own.
        """
        from sweep.figures import figures_of

        record = self.record()
        return figures_of(self.sweep.plan(record), record, kind)


def load(
    name: str | Path,
    preset: str = "",
    selection: str = "paper",
    storage: str = "results",
    tracking_uri: str | None = None,
    imports: Iterable[str] = (),
    where: Mapping[str, str] | None = None,
) -> Study:
    """The sweep in a file, or the one called ``PAPER/NAME``.

    Args:
        name: A file that ends in .yaml or .yml, or the name of a table or figure.
        preset: Empty: ``full`` of a file, else ``smoke``.
        selection: How hyper-parameters are chosen; ``paper``: as the file or the paper says.
        storage: Folder or URI of results.
        tracking_uri: MLflow store; None: SQLite beside the results.
        imports: Files, folders and modules with parts of one's own, as ``--import`` takes them.
        where: Label -> entry of the cells that are meant; None: all.

    Raises:
        trainables.errors.UsageError: in one sentence; of a file with its line.
    """
    own_parts.load(imports)
    in_a_file = str(name).endswith(files.SUFFIXES)
    artifact = files.load(name) if in_a_file else search_spaces.find(str(name))
    preset = preset or presets.default(artifact)
    shrunk, rule = search_spaces.apply(artifact, preset), rule_of(selection)
    sweep = Sweep(shrunk, preset, rule, storage, where=dict(where or {}))
    return Study(sweep, tracking_uri or default_uri(storage))


__all__ = ["ShownTable", "Study", "load"]
