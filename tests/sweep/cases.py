"""Small real sweeps: a few trials of a second or less, and MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search_spaces.spec import Artifact, Cell, Experiment, Metric, Notes, Stage, TableView
from sweep.aggregate import SELECTIONS
from sweep.plan.expand import Plan, PlannedTrial
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.run.executor import Executor
from sweep.run.loop import Attachments, Sweep, run
from sweep.run.serial import SerialExecutor


class Witness:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.waves: list[int] = []
        self.outcomes: dict[str, str] = {}
        self.sentences: list[str] = []
        self.started: list[str] = []
        self.waiting: list[int] = []

    def on_submit(
        self, plan: Plan, todo: Sequence[PlannedTrial], max_concurrent: int, recorded: int
    ) -> None:
        self.waves.append(len(todo))

    def on_progress(self, trial: PlannedTrial, epoch: int, epochs: int, node: str = "") -> None:
        if epoch == 0:
            self.started.append(trial.trial_id)

    def on_retry(self, trial: PlannedTrial) -> None:
        pass

    def on_end(self, trial: PlannedTrial, outcome: str, result: Any) -> None:
        self.outcomes[trial.trial_id] = outcome

    def on_unrecorded(self, count: int) -> None:
        self.waiting.append(count)

    def message(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def close(self) -> None:
        pass


TINY = Artifact(
    id="test/tiny",
    experiment=Experiment(
        base={"epochs": 2, "batch_size": 64, "data.subset": 200, "model": {"name": "mlp_tiny"}},
        cells=tuple(Cell({"method": name}, {"method": {"name": name}}) for name in ("erm", "sam")),
        stages=(Stage("train", seeds=2),),
    ),
    view=TableView(
        rows=("method",), metrics=(Metric("test_error", "test error %", shown="percent"),)
    ),
    notes=Notes("Two methods on a few digits"),
)

EQUAL_ROWS = TINY.with_experiment(
    cells=tuple(
        Cell({"method": name, "row": row}, {"method": {"name": name}})
        for name in ("erm", "sam")
        for row in "ab"
    ),
    stages=(
        Stage("erm", {"method": "erm"}, grid={"optimizer.lr": (0.1, 0.2)}, seeds=1),
        Stage("sam", {"method": "sam"}, after="erm", match=(), inherit=("optimizer.lr",)),
    ),
).with_view(rows=("method", "row"))
"""Two rows of equal settings, twice: a search, and what waits for its winner."""


def sweep(
    artifact: Artifact,
    folder: Path,
    executor: Executor | None = None,
    attachments: Attachments | None = None,
    **execution: Any,
) -> tuple[Plan, Record, Witness]:
    """Run ``artifact``, with storage and record below ``folder``.

    Args:
        executor: None: one trial at a time, in this process.
        attachments: Makes files that are attached to the sweep's run.
        execution: Options of `trainables.train.Execution`.
    """
    storage = str(folder / "results")
    options = {"device": "cpu", **execution}
    witness = Witness()
    plan, record = run(
        Sweep(artifact, "smoke", SELECTIONS["paper"], storage, options),
        tracker=Tracker(default_uri(storage)),
        observer=witness,
        executor=executor or SerialExecutor(),
        attachments=attachments,
    )
    return plan, record, witness
