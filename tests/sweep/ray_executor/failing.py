"""A trial that fails by its seed, and by how often and where it has been started, without a GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path

import ray

from trainables.job import Job, Report
from trainables.storage.result import TrialResult
from trainables.storage.trial_folder import write_result
from trainables.tune import TrialTrainable

DEVICE, MEMORY, CODE, DEAD, STUBBORN = 0, 1, 2, 3, 4
"""Seeds. ``DEVICE`` and the next ones of `SICK` fail on the first node that runs one of them."""

SICK = (DEVICE, 5, 6)


class Failing(TrialTrainable):
    """Notes each start (seed, node, process, CPUs, time) in the storage's folder ``starts``."""

    def reports(self, job: Job) -> Generator[Report]:
        context = ray.get_runtime_context()
        node, cpus = context.get_node_id(), context.get_assigned_resources().get("CPU", 0)
        seed, starts = job.config["seed"], Path(job.storage, "starts")
        starts.mkdir(exist_ok=True)
        before = len(list(starts.glob(f"{seed}-*")))
        (starts / f"{seed}-{before}").write_text(f"{node} {os.getpid()} {cpus:g} {time.time()}")
        try:
            if seed in SICK and node == _sick_node(starts, node):
                raise RuntimeError("CUDA error: device-side assert triggered\nand a trace")
            if seed == STUBBORN:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            if seed == MEMORY and cpus < 2:
                raise MemoryError("none left")
            if seed == CODE:
                raise ValueError("of the code")
            if seed == DEAD and before < 2:
                os._exit(1)
        except Exception as error:
            yield Report.of_failure(job, error)
            return
        write_result(job.folder, TrialResult(job.trial_id, "done", dict(job.config), {}, {}))
        yield Report(job.trial_id, outcome="done")


def _sick_node(starts: Path, node: str) -> str:
    """The first that asks is it."""
    try:
        with (starts / "sick").open("x") as file:
            file.write(node)
    except FileExistsError:
        pass
    return (starts / "sick").read_text()
