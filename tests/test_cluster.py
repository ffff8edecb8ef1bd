"""A real cluster on one machine: a head and raylets on their own ports, which ask for a token.

The head has no CPUs, as in cluster.yaml, so that every trial runs on another node.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
AGENTS = (
    "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent", "metrics-export"
)  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Distinct ones: all are held while they are looked for."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class Nodes:
    """A head, and raylets that join it with its token."""

    def __init__(self, folder: Path, dashboard: bool) -> None:
        self.folder = folder
        token = folder / "token"
        token.write_text("a" * 64)
        token.chmod(0o600)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))},
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
            "RAY_raylet_start_wait_time_s": "120",
            "OMP_NUM_THREADS": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        # Ray starts processes through a shell without quoting, and a checkout may lie in a path
        # with a space; sys.prefix by another name has none.
        (folder / "python").symlink_to(sys.prefix)
        self.processes: list[subprocess.Popen[bytes]] = []
        # Enough for every node; one socket after another would find some of them twice.
        self.ports = free_ports(30)
        port, self.dashboard = self.ports.pop(), self.ports.pop()
        self.address = f"127.0.0.1:{port}"
        shown = (
            [
                "--include-dashboard=true", "--dashboard-host=127.0.0.1",
                f"--dashboard-port={self.dashboard}",
            ]
            if dashboard
            else ["--include-dashboard=false"]
        )  # fmt: skip
        self.start(
            "--head",
            f"--port={port}",
            "--num-cpus=0",
            f"--temp-dir={folder / 'ray'}",
            f"--ray-client-server-port={self.ports.pop()}",
            *shown,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"node{len(self.processes)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [
                    str(self.folder / "python" / "bin" / "python"), "-m", "ray.scripts.scripts",
                    "start", "--block", "--num-gpus=0", *arguments,
                    # Usual ports are the other nodes' too; and for an agent that chooses its
                    # own a raylet waits 15 seconds, not enough on a busy machine.
                    *(f"--{agent}-port={self.ports.pop()}" for agent in AGENTS),
                ],
                env=self.environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        for _ in range(1800):
            assert process.poll() is None, log.read_text()
            if "Ray runtime started" in log.read_text():
                return process
            time.sleep(0.1)
        raise TimeoutError(log.read_text())

    def join(self, cpus: int = 1) -> subprocess.Popen[bytes]:
        return self.start(f"--address={self.address}", f"--num-cpus={cpus}")

    def command(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in (self.environment | changes).items() if v}
        return subprocess.run(
            list(words), env=environment, cwd=self.folder, text=True, capture_output=True,
            timeout=500, check=False,
        )  # fmt: skip

    def sweep(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return self.command(str(BIN / "sweep"), *words, **changes)

    def close(self) -> None:
        for process in reversed(self.processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)


@pytest.fixture
def nodes(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    # The path of a socket has at most 107 characters, so not below pytest's folder.
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        cluster = Nodes(Path(folder), dashboard=getattr(request, "param", False))
        try:
            yield cluster
        finally:
            cluster.close()


@pytest.mark.slow
def test_a_sweep_runs_on_another_node_of_a_cluster_that_asks_for_a_token(nodes: Nodes) -> None:
    nodes.join(cpus=2)
    refused = nodes.sweep(
        "run", "amp/figure6", "--address", nodes.address, "--storage", "s", "--cpus", "3"
    )
    assert refused.returncode == 1, refused.stderr
    assert "a trial asks for 3 CPUs and the cluster has 2" in refused.stderr
    done = nodes.sweep("run", "infomcr/claim_time", "--address", nodes.address, "--storage", "s")
    assert done.returncode == 0, done.stderr
    status = nodes.sweep("status", "--storage", "s", "--format", "json")
    assert [row["failed"] for row in json.loads(status.stdout)] == [0]
    results = list((nodes.folder / "s" / "trials").glob("*/result.json"))
    assert len(results) == 2
    assert {json.loads(path.read_text())["status"] for path in results} == {"done"}


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [True], indirect=True)
def test_a_job_submitted_from_outside_outlives_a_node(nodes: Nodes) -> None:
    """Two raylets; the job's driver runs on the head; one raylet is killed in the middle."""
    mortal = nodes.join()
    nodes.join()
    submit = [
        str(BIN / "ray"), "job", "submit", f"--address=http://127.0.0.1:{nodes.dashboard}",
        "--submission-id=walk", "--entrypoint-num-cpus=0", "--no-wait", "--",
        str(BIN / "sweep"), "reproduce", "amp/claim_cost", "--address", nodes.address,
        "--storage", str(nodes.folder / "s"), "--format", "csv",
    ]  # fmt: skip
    unauthorized = nodes.command(*submit, RAY_AUTH_MODE="disabled", RAY_AUTH_TOKEN_PATH="")
    assert unauthorized.returncode != 0
    submitted = nodes.command(*submit)
    assert submitted.returncode == 0, submitted.stderr + submitted.stdout
    job = [str(BIN / "ray"), "job"]
    where = f"--address=http://127.0.0.1:{nodes.dashboard}"
    killed = False
    for _ in range(400):
        state = nodes.command(*job, "status", where, "walk").stdout
        if not killed and list((nodes.folder / "s" / "trials").glob("*/result.json")):
            os.killpg(mortal.pid, signal.SIGKILL)
            killed = True
        if "SUCCEEDED" in state or "FAILED" in state:
            break
        time.sleep(1)
    logs = nodes.command(*job, "logs", where, "walk").stdout
    assert "SUCCEEDED" in state, logs
    assert killed
    assert "amp/claim_cost" in nodes.sweep("status", "--storage", "s").stdout
    assert "AMP" in logs.upper()
