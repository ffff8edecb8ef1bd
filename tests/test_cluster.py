"""A real cluster on one machine: a head and raylets on their own ports, which ask for a token.

The head has no CPUs, as in cluster.yaml, so that every trial runs on another node.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.cli import main
from tests.forked import forked
from tests.nodes import Nodes
from tests.sweep.called import call

pytestmark = pytest.mark.ray

BIN = Path(sys.executable).parent


class Cluster(Nodes):
    """Its head has no CPUs, and it asks for a token."""

    def __init__(self, folder: Path, dashboard: bool) -> None:
        self.home = folder
        token = folder / "token"
        token.write_text("a" * 64)
        token.chmod(0o600)
        super().__init__(
            cpus=0,
            dashboard=dashboard,
            environment={
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(token),
                "OMP_NUM_THREADS": "1",
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
        )

    def command(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in (self.environment | changes).items() if v}
        return subprocess.run(
            list(words), env=environment, cwd=self.home, text=True, capture_output=True,
            timeout=500, check=False,
        )  # fmt: skip

    def swept(self, *words: str) -> tuple[int | None, str]:
        """Exit code of ``sweep``, and what it says, in a fork of this process."""

        def run() -> None:
            os.chdir(self.home)
            os.environ.clear()
            os.environ.update(self.environment)
            sys.argv = ["sweep", *words]
            main()

        with forked(run, self.home / "said") as driver:
            return (driver.wait(500), driver.process.exitcode)[::-1]

    def sweep(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return self.command(str(BIN / "sweep"), *words, **changes)


@pytest.fixture
def nodes(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    for name in [name for name in os.environ if name.startswith(("RAY_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    with Cluster(tmp_path, dashboard=getattr(request, "param", False)) as cluster:
        yield cluster


def test_a_sweep_runs_on_another_node_of_a_cluster_that_asks_for_a_token(nodes: Cluster) -> None:
    nodes.join(cpus=2)
    joining = ("--address", nodes.address, "--storage", "s")
    code, said = nodes.swept("run", "amp/figure6", *joining, "--cpus", "3")
    assert code == 1, said
    assert "a trial asks for 3 CPUs and the cluster has 2" in said
    code, said = nodes.swept("run", "infomcr/claim_time", *joining)
    assert code == 0, said
    code, said, _ = call("status", "--storage", str(nodes.home / "s"), "--format", "json")
    assert [row["failed"] for row in json.loads(said)] == [0]
    results = list((nodes.home / "s" / "trials").glob("*/result.json"))
    assert len(results) == 2
    assert {json.loads(path.read_text())["status"] for path in results} == {"done"}


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [True], indirect=True)
def test_a_job_submitted_from_outside_outlives_a_node(nodes: Cluster) -> None:
    """Two raylets; the job's driver runs on the head; one raylet is killed in the middle."""
    mortal = nodes.join()
    nodes.join()
    submit = [
        str(BIN / "ray"), "job", "submit", f"--address=http://127.0.0.1:{nodes.dashboard}",
        "--submission-id=walk", "--entrypoint-num-cpus=0", "--no-wait", "--",
        str(BIN / "sweep"), "reproduce", "amp/claim_cost", "--address", nodes.address,
        "--storage", str(nodes.home / "s"), "--format", "csv",
    ]  # fmt: skip
    unauthorized = nodes.command(*submit, RAY_AUTH_MODE="disabled", RAY_AUTH_TOKEN_PATH="")
    assert unauthorized.returncode != 0
    submitted = nodes.command(*submit)
    assert submitted.returncode == 0, submitted.stderr + submitted.stdout
    for _ in range(3000):
        if list((nodes.home / "s" / "trials").glob("*/result.json")):
            break
        time.sleep(0.1)
    os.killpg(mortal.pid, signal.SIGKILL)  # other trials are left to do
    job = [str(BIN / "ray"), "job"]
    where = f"--address=http://127.0.0.1:{nodes.dashboard}"
    for _ in range(200):
        told = nodes.command(*job, "status", where, "walk")
        state = (told.stdout + told.stderr).lower()
        if "succeeded" in state or "failed" in state:
            break
        time.sleep(1)
    logs = nodes.command(*job, "logs", where, "walk").stdout
    assert "succeeded" in state, logs
    assert "amp/claim_cost" in nodes.sweep("status", "--storage", "s").stdout
    assert "AMP" in logs.upper()
