"""Two gloo processes that train what one trains, for tests that compare them."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import pickle
import tempfile
from typing import Any

import pytest
import torch

from tests.trainables.parallel.worker_process import main
from trainables.config import TrialConfig
from trainables.train import Execution, Trial

EXECUTION = Execution(device="cpu")
BASE: dict[str, Any] = {
    "data": {"source": "digits", "subset": 256, "validation": 64, "split_seed": 0},
    "model": {"name": "mlp", "widths": [16]},
    "optimizer": {"lr": 0.05},
    "epochs": 2,
    "batch_size": 32,
    "precision": "float64",
    "seed": 3,
}


class Pair:
    """Two worker processes that train one job after another."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["trainables.train"])  # torch is imported once for all
        self.folder = tempfile.TemporaryDirectory()
        address = f"file://{self.folder.name}/meeting"
        self.ends, self.processes = [], []
        for rank in (0, 1):
            ours, theirs = context.Pipe()
            process = context.Process(target=main, args=(address, rank, theirs), daemon=True)
            process.start()
            theirs.close()
            self.ends.append(ours)
            self.processes.append(process)

    def run(self, fields: dict[str, Any], **job: Any) -> list[dict[str, Any]]:
        """The answers of both workers; a dead one has none."""
        for end in self.ends:
            end.send({"config": fields, **job})
        answers = []
        for end in self.ends:
            with contextlib.suppress(EOFError):
                answers.append(pickle.loads(end.recv_bytes()))
        return answers

    def close(self) -> None:
        for end, process in zip(self.ends, self.processes, strict=True):
            end.close()
            process.kill()
            process.join()
        self.folder.cleanup()


def alone(fields: dict[str, Any]) -> Trial:
    trial = Trial(TrialConfig(**fields), EXECUTION)
    while not trial.finished:
        trial.run_epoch()
    return trial


def compare(answers: list[dict[str, Any]], trial: Trial, tolerance: float) -> None:
    """Weights and history of both workers are equal, and within ``tolerance`` of one's."""
    assert [a.get("error") for a in answers] == [None, None]
    first, second = answers
    assert json.dumps(first["history"]) == json.dumps(second["history"])  # NaN equals NaN
    for name, value in trial.model.state_dict().items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        torch.testing.assert_close(
            first["weights"][name],
            value,
            rtol=tolerance,
            atol=tolerance,
            msg=lambda m, n=name: f"{n}: {m}",
        )
    for name, curve in trial.history.items():
        assert first["history"][name] == pytest.approx(
            curve, rel=10 * tolerance, abs=10 * tolerance, nan_ok=True
        )


def on_two(changes: dict[str, Any]) -> dict[str, Any]:
    fields = {**BASE, **changes}
    return {**fields, "workers": {**changes.get("workers", {}), "count": 2}}
