"""A Ray cluster on one machine: a head and raylets with ports of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

ENVIRONMENT = {
    # Ray lowers its workers' priority, which starves them when anything runs beside them.
    "RAY_worker_niceness": "0",
    # Whether it wants a token it decides by files that earlier programs left, unless it is told.
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "120",
}
AGENTS = (
    "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent", "metrics-export"
)  # fmt: skip
"""Usual ports are the other nodes' too; and for an agent that chooses its own a raylet waits 15
seconds, not enough on a busy machine."""
MOST_NODES = 6


class Nodes:
    """A head, and raylets that join it: ``with Nodes(cpus=0) as nodes: nodes.join()``.

    Attributes:
        address: Of the head, for ``ray.init`` and ``--address``.
        dashboard: Port of the head's dashboard.
        folder: Theirs, without a space in its path.
    """

    def __init__(
        self, cpus: int = 2, dashboard: bool = False, environment: dict[str, str] | None = None
    ) -> None:
        # The path of a socket has at most 107 characters, so not below the caller's folder.
        self._temporary = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.environment = {**os.environ, **ENVIRONMENT, **(environment or {})}
        # Ray starts processes through a shell without quoting, and sys.prefix may have a space.
        (self.folder / "python").symlink_to(sys.prefix)
        self._ports = _free_ports(3 + len(AGENTS) * MOST_NODES)
        port, self.dashboard = self._ports.pop(), self._ports.pop()
        self.address = f"127.0.0.1:{port}"
        self._processes: list[subprocess.Popen[bytes]] = []
        shown = ["--dashboard-host=127.0.0.1", f"--dashboard-port={self.dashboard}"]
        try:
            self._start(
                "--head", f"--port={port}", f"--num-cpus={cpus}",
                f"--temp-dir={self.folder / 'ray'}",
                f"--ray-client-server-port={self._ports.pop()}",
                f"--include-dashboard={str(dashboard).lower()}", *(shown if dashboard else []),
            )  # fmt: skip
        except BaseException:
            self.close()
            raise

    def join(self, cpus: int = 1) -> subprocess.Popen[bytes]:
        """One raylet more; a signal to its process group ends it."""
        return self._start(f"--address={self.address}", f"--num-cpus={cpus}")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"node{len(self._processes)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [
                    str(self.folder / "python" / "bin" / "python"), "-m", "ray.scripts.scripts",
                    "start", "--block", "--num-gpus=0", *arguments,
                    *(f"--{agent}-port={self._ports.pop()}" for agent in AGENTS),
                ],
                env=self.environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        for _ in range(1800):
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            if "Ray runtime started" in log.read_text():
                return process
            time.sleep(0.1)
        raise TimeoutError(log.read_text())

    def close(self) -> None:
        """At once: asked kindly, a node would drain for half a minute."""
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)
        self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _free_ports(count: int) -> list[int]:
    """Distinct ones: all are held while they are looked for."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
