"""Executors are interchangeable, and the serial one is of this process alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from search_spaces.spec import Cell, Measure
from sweep.cli import commands
from sweep.ray_executor import RayExecutor
from sweep.run.executor import executor
from sweep.run.resources import ResourceError
from sweep.run.serial import SerialExecutor
from tests.sweep.called import call
from tests.sweep.cases import TINY, sweep
from trainables.config import TrialConfig
from trainables.job import Job, Report
from trainables.storage.files import Storage
from trainables.storage.trial_folder import RESULT, WEIGHTS, read_weights, trial_folder, trials_with

ROOT = Path(__file__).parents[3]
SMALL = "infomcr/claim_time"


def numbers(folder: Path) -> dict[str, Any]:
    """What every trial left in storage, but for when and where it ran."""
    storage, found = Storage(folder / "results"), {}
    for name in storage.names(f"trials/*/{RESULT}"):
        result = json.loads(storage.read(name))
        del result["sha256"]  # of the times as well
        del result["provenance"]
        result["metrics"] = {n: v for n, v in result["metrics"].items() if "seconds" not in n}
        found[result["trial_id"]] = result
    return found


def weights(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The kept ones of every trial."""
    storage, found = Storage(folder / "results"), {}
    for trial_id in trials_with(storage, WEIGHTS):
        kept = read_weights(trial_folder(storage, trial_id))
        assert kept is not None
        found[trial_id] = kept[1]
    return found


def test_the_same_sweep_by_either_is_the_same_to_the_last_bit(
    tmp_path: Path, by_ray: RayExecutor, ray_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers, weights, record and what a person is told, a trial that fails included.

    Ray runs two waves of three trials, and one that fails does not end the first.
    """
    monkeypatch.setattr("sweep.ray_executor.executor.WAVE", 4)
    monkeypatch.setattr("sweep.ray_executor.executor.WAVE_PER_SLOT", 1)
    measured = TINY.with_experiment(
        cells=(*TINY.experiment.cells, Cell({"method": "broken"}, {"batch_size": 5000})),
        measures=(Measure("hessian_trace", {"num_samples": 2}, samples=50),),
    )
    told = []
    for name, by in (("serial", SerialExecutor()), ("ray", by_ray)):
        plan, record, witness = sweep(measured, tmp_path / name, by, keep_weights="last")
        status = {t.trial_id: (record.status(t.trial_id), witness.outcomes[t.trial_id])
                  for t in plan.trials}  # fmt: skip
        failed = {t: record.error(t) for t, (ended, _) in status.items() if ended == "failed"}
        assert len(failed) == 2
        told.append((status, failed, witness.waves, sorted(witness.started)))
        assert witness.sentences == ([f"joining Ray at {ray_address}"] if name == "ray" else [])
    assert told[0] == told[1]
    one, other = numbers(tmp_path / "serial"), numbers(tmp_path / "ray")
    assert len(one) == 4
    assert all("hessian_trace" in result["metrics"] for result in one.values())
    assert one == other
    kept, others = weights(tmp_path / "serial"), weights(tmp_path / "ray")
    assert len(kept) == 4
    assert kept.keys() == others.keys()
    for trial, state in kept.items():
        assert all(torch.equal(value, others[trial][name]) for name, value in state.items())


WITHOUT_RAY = """
import sys
sys.modules["ray"] = None  # importing it is an ImportError
from sweep.cli import app
try:
    app(sys.argv[1:])
finally:
    assert not [name for name in sys.modules if name.startswith("ray.")]
"""


def without_ray(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, *words], cwd=ROOT, text=True, capture_output=True,
        check=False,
    )  # fmt: skip


def test_the_serial_one_needs_no_ray_and_runs_nothing_twice(tmp_path: Path) -> None:
    words = ("reproduce", SMALL, "--executor", "serial", "--storage", str(tmp_path / "s"))
    first = without_ray(*words)
    assert first.returncode == 0, first.stderr
    assert "2 to run, 1 at once" in first.stderr
    code, out, said = call(*words)
    assert (code, out) == (0, first.stdout)
    assert "to run" not in said


def test_every_command_that_runs_trials_offers_it() -> None:
    offered = typer.main.get_command(commands.app).commands
    joining = {name for name in offered if "--address" in call(name, "--help")[1]}
    assert {"run", "reproduce", "search", "measure"} <= joining
    for name in joining:
        assert "--executor" in call(name, "--help")[1], name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--address auto", "joins no cluster"),
        ("--gpus 0.5", "--gpus 0.5: --executor serial gives a trial one whole GPU or none"),
        ("--gpus 2", "--gpus 2: --executor serial gives a trial one whole GPU or none"),
        ("--concurrency 2", "--executor serial runs one trial at a time"),
        ("--workers 2", "is for 2 workers and --executor serial has one"),
    ],
)
@pytest.mark.usefixtures("offer")
def test_what_the_serial_one_cannot_do_is_refused_before_work_starts(
    tmp_path: Path, words: str, said: str
) -> None:
    storage = ("--storage", str(tmp_path))
    for command in ("run", "reproduce"):
        asked = (command, "test/tiny", "--executor", "serial", *words.split(), *storage)
        code, out, error = call(*asked)
        assert (code, out) == (2, "")
        assert said in error
        assert error.count("\n") == 1
        assert "--executor ray" in error
    assert not (tmp_path / "trials").exists()
    assert json.loads(call("status", *storage, "--format", "json")[1]) == []


@pytest.mark.parametrize("name", ["serial", pytest.param("ray", marks=pytest.mark.ray)])
def test_more_than_the_machine_has_is_refused_with_the_numbers(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue("ray_address") if name == "ray" else None
    with pytest.raises(ResourceError, match="asks for 512 CPUs and the cluster has"):
        sweep(TINY, tmp_path, executor(name, address, cpus=512))
    if torch.cuda.device_count() == 0:
        with pytest.raises(ResourceError, match="asks for 1 GPUs and the cluster has 0"):
            sweep(TINY, tmp_path, executor(name, address, gpus=1))


@pytest.mark.parametrize(("gpus", "device"), [(None, "auto"), (0, "cpu"), (1, "cuda")])
def test_a_serial_trial_is_sent_to_the_device_that_was_asked_for(
    gpus: float | None, device: str
) -> None:
    job = Job.of(TrialConfig())
    assert SerialExecutor(gpus=gpus)._placed(job).execution == {"device": device}


STOPPING = """
import sys
from trainables.train import Trial
train = Trial.run_epoch
def run_epoch(self):
    breakpoint()
    return train(self)
Trial.run_epoch = run_epoch
from sweep.cli import main
main()
"""


def test_a_debugger_stops_inside_a_trial(tmp_path: Path) -> None:
    """At a terminal, as a person has one; leaving the debugger stops the sweep, not the trial."""
    import pty

    # A Ray that ran in this process has put a debugger of its own there.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONBREAKPOINT"}
    words = ["run", SMALL, "--executor", "serial", "--storage", str(tmp_path)]
    ours, theirs = pty.openpty()
    sweeping = subprocess.Popen(
        [sys.executable, "-c", STOPPING, *words], cwd=ROOT, stdin=theirs, stdout=theirs,
        stderr=theirs, close_fds=True, env=environment,
    )  # fmt: skip
    os.close(theirs)

    def until(text: str) -> str:
        seen = ""
        while text not in seen:
            try:
                piece = os.read(ours, 4096).decode()
            except OSError:  # its end is closed: it has ended
                piece = ""
            assert piece, seen
            seen += piece
        return seen

    def ask(line: str) -> str:
        os.write(ours, f"{line}\n".encode())
        return until("(Pdb) ")

    until("(Pdb) ")
    assert "(0, False)" in ask("self.epoch, self.finished")
    assert "run_job" in ask("where")
    os.write(ours, b"quit\n")
    assert "sweep: stopped with 2 trials unfinished" in until("the same command continues")
    assert sweeping.wait(60) == 1
    os.close(ours)
    assert Storage(tmp_path).names(f"trials/*/{RESULT}") == []
    assert json.loads(call("status", "--storage", str(tmp_path), "--format", "json")[1]) == []


def test_an_interrupt_whose_exception_is_lost_stops_the_serial_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python drops what is raised in a destructor, such as those of a trial that has ended."""
    told: list[Report] = []
    said: list[str] = []

    class ResultRecorder:
        stop = False
        started = staticmethod(lambda trial_id: None)
        is_cancelled = staticmethod(lambda trial_id: False)
        reported = staticmethod(told.append)

    def losing(job: Job) -> Iterator[Report]:
        for epoch in range(3):
            if epoch == 1:
                with contextlib.suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
            yield Report(job.trial_id, epoch, 3)

    monkeypatch.setattr("sweep.run.serial.run_job", losing)
    before = signal.getsignal(signal.SIGINT)
    jobs = [Job.of(TrialConfig())] * 2
    executor = SerialExecutor()
    with executor.start(said.append):
        executor.run(jobs, ResultRecorder())  # type: ignore[arg-type]
    assert [report.epoch for report in told] == [0, 1]
    assert len(said) == 1
    assert signal.getsignal(signal.SIGINT) is before
