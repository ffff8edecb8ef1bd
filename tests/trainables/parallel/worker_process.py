"""One worker of a pair of gloo processes, for tests; kept apart so that a process can import it."""

from __future__ import annotations

import importlib
import os
import pickle
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.distributed as dist

from trainables.config import TrialConfig
from trainables.parallel.group import DistributedGroup
from trainables.ports import use_loopback
from trainables.storage.files import Storage
from trainables.train import Execution, Trial


def main(address: str, rank: int, jobs: Connection) -> None:
    """Train what comes through ``jobs``, and answer with weights, history and counts."""
    torch.set_num_threads(1)
    use_loopback()
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    while True:
        try:
            job = jobs.recv()
        except EOFError:
            return
        try:
            answer = train(job)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        jobs.send_bytes(pickle.dumps(answer))


def train(job: dict[str, Any]) -> dict[str, Any]:
    """``save_after``, ``die_after``: epochs after which to save, and the second worker dies;
    ``drift_after``: one after which the second worker's last bias moves by 1e-9; ``parts``: the
    module whose ``register`` makes parts known."""
    if "parts" in job:
        importlib.import_module(job["parts"]).register()
    group = DistributedGroup("cpu")
    storage = Storage(job["storage"]) if "storage" in job else None
    trial = Trial(TrialConfig(**job["config"]), Execution(device="cpu"), storage, group)
    while not trial.finished:
        trial.run_epoch()
        if job.get("save_after") == trial.epoch:
            trial.save()
        if job.get("die_after") == trial.epoch and group.rank == 1:
            os._exit(1)
        if job.get("drift_after") == trial.epoch and group.rank == 1:
            with torch.no_grad():
                list(trial.model.parameters())[-1][0] += 1e-9
    trial.finish()
    weights = dict(trial.model.state_dict())
    return {"weights": weights, "history": trial.history, "reductions": group.reductions}
