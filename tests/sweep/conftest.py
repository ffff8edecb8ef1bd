"""What every test of the sweep shares: one Ray for all of them, at ordinary priority."""

from __future__ import annotations

import contextlib
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

# Ray lowers its workers' priority, which starves them when other tests run beside them; and
# whether it wants a token it decides by files that earlier programs left, unless it is told.
ENVIRONMENT = {
    "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "120",
}


AGENTS = (
    "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent", "metrics-export"
)  # fmt: skip


@pytest.fixture(autouse=True, scope="session")
def _environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


def _free_ports(count: int) -> list[int]:
    """Distinct ones: all are held while they are looked for."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@pytest.fixture(scope="session")
def ray_address(_environment: None) -> Iterator[str]:
    """A running Ray of two CPUs: starting one costs more than most tests."""
    ports = _free_ports(2 + len(AGENTS))
    address = f"127.0.0.1:{ports.pop()}"
    # The path of a socket has at most 107 characters, so not below pytest's folder.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        # Ray starts processes through a shell without quoting, and a checkout may lie in a path
        # with a space; sys.prefix by another name has none.
        prefix = Path(folder) / "python"
        prefix.symlink_to(sys.prefix)
        log = Path(folder) / "start.log"
        with log.open("w") as out:
            head = subprocess.Popen(
                [
                    str(prefix / "bin" / "python"), "-m", "ray.scripts.scripts",
                    "start", "--head", "--block", f"--port={address.rpartition(':')[2]}",
                    "--num-cpus=2", "--num-gpus=0", "--include-dashboard=false",
                    f"--temp-dir={folder}",
                    # Usual ports may be another Ray's; and for an agent that chooses its own a
                    # raylet waits 15 seconds, not enough on a busy machine.
                    *(f"--{agent}-port={ports.pop()}" for agent in AGENTS),
                    f"--ray-client-server-port={ports.pop()}",
                ],
                env={**os.environ, **ENVIRONMENT},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )  # fmt: skip
        try:
            _wait(head, log)
            yield address
        finally:
            os.killpg(head.pid, signal.SIGKILL)  # it would drain for half a minute first
            head.wait(timeout=60)


def _wait(head: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1800):
        assert head.poll() is None, log.read_text()
        if "Ray runtime started" in log.read_text():
            return
        time.sleep(0.1)
    raise TimeoutError(log.read_text())
