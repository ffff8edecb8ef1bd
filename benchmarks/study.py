"""A study as large as one likes, its record, and `sweep` commands on both.

    python -m benchmarks.study 10000 plan bench/study --storage FOLDER

A study of N trials has N / 100 cells; for each the best of 10 learning rates is sought, over 10
seeds. Its record is written as the mirror of a real SQLite store that is empty: what is read is
read as from any mirror, and 100,000 trials need not be tracked for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import search_spaces
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Metric,
    Notes,
    Paper,
    Stage,
    TableView,
)
from sweep.plan.expand import Plan, PlannedTrial, plan
from sweep.record.membership import Membership
from sweep.record.mirror import Fingerprint, Mirror, fingerprint, folder_of
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.selection import selection

ID = "bench/study"
PRESET = "paper"
POINTS = SEEDS = 10
RATES = tuple(0.01 * (i + 1) for i in range(POINTS))
CURVES = (
    "running_train_loss", "running_train_error", "test_loss", "test_error", "test_nll", "test_ece",
    "test_brier", "validation_loss", "validation_error", "lr", "grad_norm", "seconds",
)  # fmt: skip
TOTALS = {"epochs_run": 200.0, "training_seconds": 5.0, "parameters": 1e6}
PROVENANCE = {"commit": "0" * 40, "torch": "2", "hardware": "none", "data": "digits"}


def study(trials: int) -> Artifact:
    """The artifact of so many trials, a multiple of 100."""
    cells = tuple(
        Cell({"decay": f"{i}"}, {"optimizer.weight_decay": 1e-6 * i})
        for i in range(trials // (POINTS * SEEDS))
    )
    return Artifact(
        id=ID,
        experiment=Experiment(
            cells=cells, stages=(Stage("train", grid={"optimizer.lr": RATES}, seeds=SEEDS),)
        ),
        view=TableView(
            rows=("decay",), metrics=(Metric("test_error", "test error %", shown="percent"),)
        ),
        notes=Notes(title=f"a study of {trials:,} trials"),
    )


def planned(artifact: Artifact) -> Plan:
    """Its plan on an empty record."""
    return plan(artifact, PRESET, selection("paper"), Record.from_runs([]))


def numbers(trial: PlannedTrial) -> dict[str, float]:
    """What a trial that has twelve curves records, its numbers made up."""
    last = dict.fromkeys(CURVES, 0.1 + int(trial.trial_id[:4], 16) / 1e6)
    return {**last, **{f"best_test/{name}": value for name, value in last.items()}, **TOTALS}


@dataclass(frozen=True)
class Recorded:
    """A `sweep.record.mirror.Source` whose file is real and whose runs are those of a plan."""

    file: Path
    trials: Iterable[PlannedTrial]

    def fingerprint(self) -> Fingerprint | None:
        return fingerprint(self.file)

    def ended(self, since: int) -> Iterator[Run]:
        now = int(time.time() * 1000)
        for trial in self.trials:
            yield Run(
                trial.trial_id, "done", numbers(trial), None,
                run_id=f"{trial.trial_id:0>32}", protocol=trial.config.protocol, ended=now,
                memberships=(Membership(ID, PRESET, "paper", trial.stage),),
                provenance=PROVENANCE, labels={"seed": str(trial.seed), "method": "erm"},
                settings={name: str(value) for name, value in trial.config.flat().items()},
            )  # fmt: skip

    def named(self, run_ids: Sequence[str]) -> Iterator[Run]:
        return iter(())

    def curves(self, run_id: str) -> Mapping[str, Sequence[float]]:
        return {}


def record(trials: int, recorded: int, folder: Path) -> None:
    """The record of the first ``recorded`` trials of the study, as the mirror of a store."""
    folder.mkdir(parents=True)
    uri = default_uri(str(folder))
    make = f"from sweep.record.mlflow_store import Tracker; Tracker({uri!r}).connect()"
    subprocess.run([sys.executable, "-c", make], check=True)
    known = islice(planned(study(trials)).trials, recorded)
    source = Recorded(folder / "mlflow.db", known)
    assert len(Mirror(folder_of(uri), source).record()) == recorded
    assert len(Tracker(uri).load()) == recorded


def main() -> None:
    """Run a `sweep` command with a study of the given size among the artifacts."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    size, *command = sys.argv[1:]
    paper = Paper("bench", "a study", "nowhere", (study(int(size)),))
    papers, artifacts = search_spaces.papers(), search_spaces.artifacts()
    search_spaces.papers = lambda: (*papers, paper)  # type: ignore[assignment]
    search_spaces.artifacts = lambda: (*artifacts, *paper.artifacts)  # type: ignore[assignment]
    from sweep.cli import main as cli

    sys.argv[1:] = command
    cli()


if __name__ == "__main__":
    main()
