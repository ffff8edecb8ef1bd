"""Weak scaling of a sweep over the nodes of a cluster, on one machine.

1, 2 and 4 raylets with one CPU each, and as many trials that sleep as make each node work
equally long: efficiency is the time of one raylet over that of n. Sleeping leaves the
processors to Ray, so this measures the sweep's own cost of distributing.

    python -m benchmarks.scaling [--seconds 2] [--trials 10] [--raylets 1 2 4] [--save]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import publish

ENVIRONMENT = {
    "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "120",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
}
AGENTS = (
    "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent", "metrics-export"
)  # fmt: skip
"""Processes of a node whose ports must be its own, since the nodes share a machine."""


def _free_ports(count: int) -> list[int]:
    """Distinct ones: all are held while they are looked for."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class Raylets:
    """A head without CPUs and ``count`` raylets of one CPU, on ports of their own."""

    def __init__(self, count: int) -> None:
        self._ports = _free_ports(2 + len(AGENTS) * (count + 1))
        self.address = f"127.0.0.1:{self._ports.pop()}"
        self._folder = tempfile.TemporaryDirectory(prefix="ray-")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start(
            "--head", f"--port={self.address.rpartition(':')[2]}", "--num-cpus=0",
            "--include-dashboard=false", f"--temp-dir={self._folder.name}",
            f"--ray-client-server-port={self._ports.pop()}",
        )  # fmt: skip
        for _ in range(count):
            self._start(f"--address={self.address}", "--num-cpus=1")

    def _start(self, *arguments: str) -> None:
        log = Path(self._folder.name) / f"start{len(self._processes)}.log"
        ray = str(Path(sys.executable).with_name("ray"))
        with log.open("w") as out:
            process = subprocess.Popen(
                [
                    ray, "start", "--block", "--num-gpus=0", *arguments,
                    *(f"--{agent}-port={self._ports.pop()}" for agent in AGENTS),
                ],
                env={**os.environ, **ENVIRONMENT},
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        while "Ray runtime started" not in log.read_text():
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.1)

    def close(self) -> None:
        for process in reversed(self._processes):
            os.killpg(process.pid, 9)
            process.wait()
        self._folder.cleanup()


def sweep(address: str, trials: int, seconds: float) -> float:
    """Seconds from the first trial's start to the last one's end."""
    import ray
    from ray import tune

    from trainables.tune import TrialTrainable, reservation

    class Sleeper(TrialTrainable):
        """A trial of which only the time is left."""

        def step(self) -> dict[str, Any]:
            began = time.time()
            time.sleep(seconds)
            return {"began": began, "ended": time.time(), "done": True}

    class Ear(tune.Callback):
        def on_trial_result(
            self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
        ) -> None:
            SPANS.append((result["began"], result["ended"]))

    SPANS.clear()
    option = {"config": {"workers": {"count": 1}}}
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            tune.Tuner(
                tune.with_resources(Sleeper, reservation),
                param_space={
                    "trial": tune.grid_search(
                        [json.dumps({**option, "number": n}) for n in range(trials)]
                    ),
                    "worker": {"cpus": 1, "gpus": 0},
                },
                tune_config=tune.TuneConfig(reuse_actors=True),
                run_config=tune.RunConfig(
                    name="scaling", storage_path=scratch, callbacks=[Ear()], verbose=0
                ),
            ).fit()
    finally:
        ray.shutdown()
    return max(end for _, end in SPANS) - min(start for start, _ in SPANS)


SPANS: list[tuple[float, float]] = []
"""Filled by Tune's callback, which is pickled on its way and so holds nothing itself."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each trial")
    parser.add_argument("--trials", type=int, default=10, help="for each raylet")
    parser.add_argument("--raylets", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results")
    options = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    rows = []
    for count in options.raylets:
        raylets = Raylets(count)
        try:
            seconds = sweep(raylets.address, options.trials * count, options.seconds)
        finally:
            raylets.close()
        ideal = options.trials * options.seconds
        rows.append(
            {
                "raylets": count,
                "trials": options.trials * count,
                "seconds": round(seconds, 2),
                "efficiency": round(ideal / seconds, 3),
            }
        )
    publish(
        "scaling",
        "Weak scaling of a sweep over raylets on one machine",
        rows,
        "ray",
        notes=[
            f"one run; {options.trials} trials of {options.seconds:g} s sleep for each raylet of "
            "one CPU; from the first trial's start to the last one's end",
            "efficiency: the sleep of one raylet's trials over the time; to reach: 0.9 at 4",
        ],
        save=options.save,
    )


if __name__ == "__main__":
    main()
