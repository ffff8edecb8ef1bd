"""A table and a figure are functions of an artifact and a record, and of nothing else."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

import search_spaces
from sweep.plan import PlannedTrial, plan
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.selection import selection

SHOW = """
import sys
for name in sys.argv[3].split():
    sys.modules[name] = None  # importing it is an error
import hashlib
from pathlib import Path
import search_spaces
from sweep import figures
from sweep.plan import plan
from sweep.record import Record
from sweep.selection import selection
from sweep.tables import render, table_of

record = Record.read(sys.argv[2])
artifact = search_spaces.apply(search_spaces.find(sys.argv[1]), "smoke")
found = plan(artifact, "smoke", selection("paper"), record)
print(render(table_of(found, record), "md"))
if {draws}:
    figures.save(figures.figure_of(found, record), sys.argv[4])
    print(hashlib.sha256(Path(sys.argv[4]).read_bytes()).hexdigest())
"""
ERRORS = ("error", "nll", "loss")
BLOCKED = "torch torchvision ray mlflow sklearn optuna"


def filled(artifact_id: str) -> Record:
    """A record in which every trial of an artifact has numbers and curves."""
    artifact = search_spaces.apply(search_spaces.find(artifact_id), "smoke")
    record, known = Record.from_runs([]), 0
    while True:  # until the winners of every stage are known
        found = plan(artifact, "smoke", selection("paper"), record)
        if len(found.trials) == known:
            return record
        known = len(found.trials)
        record = Record.from_runs(map(_run, found.trials))


def _run(trial: PlannedTrial) -> Run:
    level = int(hashlib.sha256(trial.trial_id.encode()).hexdigest()[:4], 16) / 2**16
    errors = [f"{split}_{what}" for split in ("test", "validation", "train") for what in ERRORS]
    names = [*errors, "running_train_loss", "hessian_trace", "gradient_evaluations"]
    curves = {name: [level + math.exp(-epoch) for epoch in range(4)] for name in names}
    return Run(
        trial.trial_id, "done", {name: curve[-1] for name, curve in curves.items()}, curves,
        provenance={"commit": "abc", "torch": "2.15"},
    )  # fmt: skip


def shown(artifact_id: str, file: Path, blocked: str, program: str = SHOW) -> str:
    draws = search_spaces.find(artifact_id).view.kind == "figure"
    program = program.replace("{draws}", str(draws))
    command = [sys.executable, "-c", program, artifact_id, str(file), blocked]
    done = subprocess.run([*command, str(file.with_suffix(".png"))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("artifact_id", ["nrs/table1", "amp/figure8", "nso/figure3"])
def test_from_a_file_of_a_record_alone(artifact_id: str, tmp_path: Path) -> None:
    """Without torch, Ray or MLflow; what parts answer was kept by a process that has them."""
    filled(artifact_id).write(tmp_path / "record.parquet")
    free = shown(artifact_id, tmp_path / "record.parquet", "")
    assert shown(artifact_id, tmp_path / "record.parquet", BLOCKED) == free
    assert "abc" in free
    assert re.search(r"\d \(\d\)", free)  # a mean and its n


def test_a_table_of_the_mirror_does_not_import_pandas(tmp_path: Path) -> None:
    """Which pyarrow does to make an array of a list: it takes longer than a small table."""
    filled("nrs/table1").write(tmp_path / "record.parquet")
    as_the_mirror = SHOW.replace(
        "Record.read(sys.argv[2])", "Record(runs.of_parquet([Path(sys.argv[2])]))"
    ).replace("import search_spaces", "import search_spaces\nfrom sweep.record import runs")
    told = as_the_mirror + 'print("pandas" in sys.modules)'
    assert shown("nrs/table1", tmp_path / "record.parquet", "", told).endswith("\nFalse\n")
