"""Several workers per trial: what starting them costs, and what averaging gradients costs.

    python -m benchmarks.distributed [startup | gradients] [--rounds 5] [--save]

``startup``: the wall seconds of a trial with two workers and next to nothing to train, the first
one and those after it, beside stock Ray: TorchTrainer in a Tune function, the same training in
it. To reach: later trials under 1 s.

``gradients``: a step of plain training of ResNet-20 (batches of 64, 32 a worker) on two gloo
processes, with this package's one message a step and with torch's DistributedDataParallel,
interleaved step by step. To reach: 1.15 times DDP. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import publish
from tests.nodes import ENVIRONMENT

ONE_THREAD = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "OMP_NUM_THREADS": "1"}
TRIAL = {"model": {"name": "mlp", "widths": [16]}, "epochs": 1, "data": {"subset": 256}}
ENDS: list[float] = []


# -- start-up ---------------------------------------------------------------------------------


def stock(option: dict[str, Any]) -> None:
    """A Tune function that starts Ray Train for its trial, as its documentation shows."""
    from ray import train, tune
    from ray.train.torch import TorchTrainer

    with tempfile.TemporaryDirectory() as scratch:
        TorchTrainer(
            stock_worker,
            train_loop_config={"job": option["job"]},
            scaling_config=train.ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1}),
            run_config=train.RunConfig(name="stock", storage_path=scratch),
        ).fit()
    tune.report({"over": 1})


def stock_worker(settings: dict[str, Any]) -> None:
    from trainables.job import Job
    from trainables.parallel.group import DistributedGroup
    from trainables.train import Execution, fit

    config = Job.from_json(settings["job"]).checked_config()
    fit(config, Execution(device="cpu"), group=DistributedGroup("cpu"))


def startup(rounds: int) -> list[dict[str, Any]]:
    """Wall seconds of the first trial, and the median of the later ones."""
    from ray import tune

    from sweep.ray_executor.session import local_ray
    from trainables.config import TrialConfig
    from trainables.job import Job
    from trainables.tune import JOB, TrialTrainable, reservation

    class Ear(tune.Callback):
        def on_trial_complete(
            self, iteration: int, trials: list[Any], trial: Any, **_: Any
        ) -> None:
            ENDS.append(time.perf_counter())

    def job(seed: int, storage: str) -> str:
        config = TrialConfig(**TRIAL, seed=seed, workers=2)
        return Job.of(config, storage=storage, execution={"device": "cpu"}).to_json()

    rows = []
    os.environ.update(ENVIRONMENT | ONE_THREAD)
    # Three CPUs are said to be there: a stock trial holds one and its two workers one each.
    for name, trainable, trials in (
        ("this package", tune.with_resources(TrialTrainable, reservation), rounds + 1),
        ("stock TorchTrainer in Tune", stock, min(rounds, 2) + 1),
    ):
        ENDS.clear()
        with local_ray(print, num_cpus=3), tempfile.TemporaryDirectory() as scratch:
            began = time.perf_counter()
            tune.Tuner(
                trainable,
                param_space={
                    JOB: tune.grid_search(
                        [job(seed, f"{scratch}/storage") for seed in range(trials)]
                    )
                },
                tune_config=tune.TuneConfig(max_concurrent_trials=1, reuse_actors=True),
                run_config=tune.RunConfig(
                    name="startup", storage_path=scratch, callbacks=[Ear()], verbose=0
                ),
            ).fit()
            left = len(list(Path(scratch).glob("storage/trials/*/result.json")))
            assert trainable is stock or left == trials, f"{left} of {trials} left a result"
        times = [b - a for a, b in zip([began, *ENDS], ENDS, strict=False)]
        later = statistics.median(times[1:])
        rows.append(
            {"trials by": name, "first (s)": round(times[0], 1), "later (s)": round(later, 2),
             "n later": len(times) - 1}
        )  # fmt: skip
    return rows


# -- gradients --------------------------------------------------------------------------------


def gradients(rounds: int) -> list[dict[str, Any]]:
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        address = f"file://{folder}/meeting"
        processes = [
            context.Process(target=_time_steps, args=(address, rank, 10 * rounds, results))
            for rank in (0, 1)
        ]
        for process in processes:
            process.start()
        rows: list[dict[str, Any]] = results.get()
        for process in processes:
            process.join()
    return rows


def _time_steps(address: str, rank: int, rounds: int, results: Any) -> None:
    import torch
    import torch.distributed as dist
    from torch import nn

    from trainables import methods, models
    from trainables.parallel.group import DistributedGroup
    from trainables.ports import use_loopback

    torch.set_num_threads(1)
    use_loopback()
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    group = DistributedGroup("cpu")
    torch.manual_seed(0)
    ours = models.build("resnet20", num_classes=10, input_shape=(3, 32, 32))
    wrapped = nn.parallel.DistributedDataParallel(
        models.build("resnet20", num_classes=10, input_shape=(3, 32, 32)),
        forward_sync_buffers=False,
    )
    whole, labels = torch.randn(64, 3, 32, 32), torch.randint(0, 10, (64,))
    inputs, targets = group.shard(whole, labels)
    method = methods.build("erm")
    optimizers = [
        torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, foreach=True)
        for model in (ours, wrapped)
    ]

    def alone() -> None:
        method.gradient(ours, nn.functional.cross_entropy, inputs, targets, generator=None)
        optimizers[0].step()

    def averaged() -> None:
        method.gradient(ours, nn.functional.cross_entropy, inputs, targets, generator=None)
        group.mean_([p.grad for p in ours.parameters() if p.grad is not None])
        optimizers[0].step()

    def by_ddp() -> None:
        optimizers[1].zero_grad()
        nn.functional.cross_entropy(wrapped(inputs), targets).backward()
        optimizers[1].step()

    steps: dict[str, Callable[[], None]] = {
        "no averaging": alone, "this package": averaged, "DistributedDataParallel": by_ddp,
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in steps}
    for index in range(rounds + 3):
        for name, step in steps.items():
            dist.barrier()
            began = time.perf_counter()
            step()
            dist.barrier()
            if index >= 3:
                times[name].append(time.perf_counter() - began)
    if rank == 0:
        ddp = times["DistributedDataParallel"]
        results.put(
            [
                {"step": name, "median (ms)": round(1000 * statistics.median(seconds), 1),
                 "ratio to DDP": round(statistics.median(
                     a / b for a, b in zip(seconds, ddp, strict=True)), 3)}
                for name, seconds in times.items()
            ]
        )  # fmt: skip
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["startup", "gradients"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", action="store_true", help="keep the tables in benchmarks/results")
    options = parser.parse_args()
    if options.what != "startup":
        publish(
            "gradients",
            "A step of plain training on two gloo processes, ResNet-20",
            gradients(options.rounds),
            "torch",
            notes=[f"{10 * options.rounds} rounds, interleaved; to reach: 1.15 times DDP"],
            save=options.save,
        )
    if options.what != "gradients":
        publish(
            "startup",
            "Wall time of a trial with two workers and almost nothing to train",
            startup(options.rounds),
            "ray", "torch",
            notes=["one run; the first trial includes starting Tune's actor; to reach: 1 s later"],
            save=options.save,
        )  # fmt: skip


if __name__ == "__main__":
    main()
