"""A real sweep that `benchmarks.chaos` disturbs: its file, its commands, its processes, its traces.

``python -m benchmarks.chaos_sweep FILE STORAGE URI EXECUTOR`` is the command that it kills: what
``sweep run`` does, with a checkpoint every second.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos_parts import NOTES, PAUSE, SITE
from trainables.scratch import PREFIX

ROOT = Path(__file__).parents[1]
MARK = "CHAOS_SWEEP"
"""Environment of all processes of one sweep: its folder."""

SWEEP = """
name: chaos
base:
  data.source: digits
  data.subset: 300
  model: mlp_tiny
  batch_size: 64
  epochs: {epochs}
  workers: {workers}
compare:
  slow: {{method: erm, grid: {{optimizer.lr: [0.05, 0.1]}}}}
  fast: {{method: erm, optimizer.lr: 0.2}}
seeds: {seeds}
metrics: [test_error, test_nll, gradient_evaluations]
"""

KINDS = {
    "actor": lambda name, line: line.startswith("ray::") and "Trainable" in line,
    "train worker": lambda name, line: "RayTrainWorker" in line,
    "raylet": lambda name, line: name == "raylet",
    "gcs": lambda name, line: name == "gcs_server",
    "Ray's driver": lambda name, line: "sweep.ray_executor.driver" in line,
}
"""Kinds of the processes of a sweep beside its own: by name and command line."""


class Disturbed:
    """One sweep in a folder of its own, which may be run by several commands.

    Attributes:
        storage: Where its results go.
        uri: Its MLflow store.
        commands: Those that run, and have run.
    """

    def __init__(
        self, folder: Path, seeds: int = 2, epochs: int = 12, workers: int = 1,
        pause: float = 0.3, executor: str = "ray", uri: str = "", storage: Path | None = None,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.executor = folder, executor
        self.storage = storage or folder / "results"
        self.uri = uri or f"sqlite:///{folder}/record/mlflow.db"
        self.file, self.notes = folder / "chaos.yaml", folder / "notes"
        self.temporary = Path(tempfile.mkdtemp(prefix="c-", dir="/tmp"))  # sockets: short paths
        (folder / "sitecustomize.py").write_text(SITE)
        self.file.write_text(SWEEP.format(epochs=epochs, workers=workers, seeds=seeds))
        self.notes.touch()
        self._environment = {
            NOTES: str(self.notes), PAUSE: str(pause), MARK: str(folder),
            "TMPDIR": str(self.temporary), "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }  # fmt: skip
        self.commands: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command, once more."""
        Path(self.folder, "record").mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "benchmarks.chaos_sweep", str(self.file),
                       str(self.storage), self.uri, self.executor]  # fmt: skip
            environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
            self.commands.append(
                subprocess.Popen(
                    command,
                    env=environment | self._environment,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    start_new_session=True,
                )
            )
        return self.commands[-1]

    def finish(self, seconds: float, starts: int = 6) -> bool:
        """Run the command, again where it fails, until it succeeds; whether it did in that time."""
        deadline = time.monotonic() + seconds
        for _ in range(starts):
            running = [c for c in self.commands if c.poll() is None] or [self.start()]
            for command in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    command.wait(max(1.0, deadline - time.monotonic()))
            if running[-1].poll() == 0:
                return True
            if time.monotonic() > deadline:
                break
        return False

    # -- what it does ------------------------------------------------------------------------

    def noted(self) -> list[tuple[str, str, int]]:
        """Its notes so far: (trial, epoch or saved, number)."""
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        return [(line[0], line[1], int(line[2])) for line in lines if len(line) == 3]

    def await_training(self, command: subprocess.Popen[bytes], seconds: float = 300) -> bool:
        """Wait until an epoch begins that has not begun yet; False if the command ends first."""
        before, deadline = self.notes.stat().st_size, time.monotonic() + seconds
        while time.monotonic() < deadline and command.poll() is None:
            if self.notes.stat().st_size > before:
                return True
            time.sleep(0.05)
        return False

    def processes(self) -> Iterator[psutil.Process]:
        """All that belong to it, on this machine."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == str(self.folder):
                    yield process

    def of_kind(self, kind: str) -> list[psutil.Process]:
        """Its processes of a kind."""
        if kind == "driver":
            return [psutil.Process(c.pid) for c in self.commands if c.poll() is None]
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if KINDS[kind](process.name(), " ".join(process.cmdline())):
                    found.append(process)
        return found

    # -- what it leaves ----------------------------------------------------------------------

    def results(self) -> dict[str, Any]:
        """Trial -> its numbers and curves, but those of time."""
        found = {}
        for file in self.storage.glob("trials/*/result.json"):
            read = json.loads(file.read_text())
            found[read["trial_id"]] = {
                part: {name: value for name, value in read[part].items() if "seconds" not in name}
                for part in ("metrics", "history")
            }
        return found

    def cells(self) -> list[tuple[str, list[float]]]:
        """The table's numbers, but those of time: (row and metric, its seeds' values)."""
        from sweep import experiment

        study = experiment.load(self.file, storage=str(self.storage), tracking_uri=self.uri)
        table = study.table().arrow().to_pylist()
        return sorted((f"{row['method']} {row['metric']}", row["values"]) for row in table)

    def remove(self) -> None:
        """What it has made outside its folder."""
        with contextlib.suppress(OSError):
            self.temporary.rmdir()


# -- checks ---------------------------------------------------------------------------------------


def wrong(sweep: Disturbed, expected: Disturbed, repeated: bool = False) -> list[str]:
    """What is not as it should be after a sweep that was disturbed.

    Args:
        expected: The same sweep, undisturbed.
        repeated: Whether epochs may have been trained twice: their checkpoints were removed.
    """
    found = [*_runs(sweep), *_left(sweep), *([] if repeated else _epochs(sweep))]
    if not repeated and sweep.results() != expected.results():
        found.append("results differ from those of the undisturbed sweep")
    if sweep.cells() != expected.cells():
        found.append("cells differ from those of the undisturbed sweep")
    return found


def _runs(sweep: Disturbed) -> Iterator[str]:
    """One run a trial, none running."""
    from mlflow import MlflowClient

    client, seen = MlflowClient(sweep.uri), dict[str, int]()
    experiments = [each.experiment_id for each in client.search_experiments()]
    for run in client.search_runs(experiments, max_results=5000):
        if run.info.status == "RUNNING":
            yield f"MLflow's run {run.data.tags.get('mlflow.runName')} is RUNNING"
        trial = run.data.tags.get("trial_id")
        if trial and run.data.tags.get("kind", "trial") == "trial":
            seen[trial] = seen.get(trial, 0) + 1
    yield from (f"trial {trial} has {count} runs" for trial, count in seen.items() if count > 1)
    from sweep import experiment

    study = experiment.load(sweep.file, storage=str(sweep.storage), tracking_uri=sweep.uri)
    planned = {trial.trial_id for trial in study.plan().trials}
    yield from (f"trial {trial} has no run" for trial in planned - seen.keys())


def _epochs(sweep: Disturbed) -> Iterator[str]:
    """A process that takes a trial over begins where the last checkpoint ended, or later.

    A trial's next epoch follows the one before, or another process has it now.
    """
    last: dict[str, int] = {}
    saved: dict[str, int] = {}
    for trial, what, number in sweep.noted():
        if what == "saved":
            saved[trial] = max(number, saved.get(trial, 0))
            continue
        follows = number == last.get(trial, -1) + 1
        if not follows and number < saved.get(trial, 0):
            yield f"trial {trial} began with epoch {number} after a checkpoint of {saved[trial]}"
        last[trial] = number


def _left(sweep: Disturbed) -> Iterator[str]:
    """No process, lock or temporary file is left, a few seconds after the end."""
    deadline = time.monotonic() + 20
    while (alive := list(sweep.processes())) and time.monotonic() < deadline:
        time.sleep(0.5)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            yield f"process {process.pid} is left: {' '.join(process.cmdline())[:100]}"
    yield from (f"{path} is left" for path in sweep.temporary.glob(f"*{PREFIX}*"))
    for path in sweep.storage.rglob("*"):
        if path.name.endswith((".tmp", ".lock", "checkpoint.pt")) or ".probe-" in path.name:
            yield f"{path.relative_to(sweep.storage)} is left"


def main() -> None:
    """The command that is killed."""
    from sweep import experiment
    from sweep.run.interrupts import like_ctrl_c
    from trainables.errors import print_error

    file, storage, uri, executor = sys.argv[1:]
    resources: Mapping[str, Any] = {} if executor == "serial" else {"concurrency": 2}
    try:
        with like_ctrl_c():
            study = experiment.load(file, storage=storage, tracking_uri=uri)
            study.run(executor, {"checkpoint_every": 1.0, "device": "cpu"}, **resources)
        sys.exit(bool(study.plan().missing(study.record())))
    except Exception as error:
        sys.exit(print_error(error, "sweep"))


if __name__ == "__main__":
    main()
