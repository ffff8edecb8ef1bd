"""A Ray cluster on one machine, on loopback: a head and raylets with ports of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from trainables.ports import LOOPBACK, free_ports

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    # Ray lowers its workers' priority, which starves them when anything runs beside them.
    "RAY_worker_niceness": "0",
    # Whether it wants a token it decides by files that earlier programs left, unless it is told.
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "120",
}


class Nodes:
    """A head, and raylets that join it: ``with Nodes(cpus=0) as nodes: nodes.join()``.

    Args:
        cpus: Of the head.
        dashboard: Whether it has one.
        environment: Changes of the nodes' environment.
        prefix: Of the Python whose Ray and packages they have; a folder in PYTHONPATH comes first.

    Attributes:
        address: Of the head, for ``ray.init`` and ``--address``.
        dashboard: Port of the head's dashboard.
        folder: Theirs, without a space in its path.
        processes: One a node; the node's are below it.
    """

    def __init__(
        self,
        cpus: int = 2,
        dashboard: bool = False,
        environment: dict[str, str] | None = None,
        prefix: str = sys.prefix,
    ) -> None:
        # The path of a socket has at most 107 characters, so not below the caller's folder.
        self._temporary = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.environment = {
            **os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT), **(environment or {})
        }  # fmt: skip
        # Ray starts processes through a shell without quoting, and the path may have a space.
        (self.folder / "python").symlink_to(prefix)
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            self._start_head(cpus, dashboard)
        except BaseException:
            self.close()
            raise

    def _start_head(self, cpus: int, dashboard: bool, attempts: int = 3) -> None:
        """On a busy machine Ray gives its processes up before they have started: once more then."""
        port, client, self.dashboard = free_ports(3)
        self.address = f"{LOOPBACK}:{port}"
        shown = ["--dashboard-host=127.0.0.1", f"--dashboard-port={self.dashboard}"]
        try:
            self._start(
                "--head", f"--port={port}", f"--num-cpus={cpus}",
                f"--temp-dir={self.folder / f'ray{attempts}'}",
                f"--ray-client-server-port={client}",
                "--no-monitor", f"--include-dashboard={str(dashboard).lower()}",
                *(shown if dashboard else []),
            )  # fmt: skip
        except RuntimeError:
            if attempts == 1:
                raise
            self._kill(self.processes.pop())
            self._start_head(cpus, dashboard, attempts - 1)

    def join(self, cpus: int = 1) -> subprocess.Popen[bytes]:
        """One raylet more; a signal to its process group ends it."""
        return self._start(f"--address={self.address}", f"--num-cpus={cpus}")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"node{len(self.processes)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [
                    str(self.folder / "python" / "bin" / "python"), "-m", "trainables.ray_private",
                    "start", "--block", "--num-gpus=0", "--include-log-monitor=false", *arguments,
                ],
                env=self.environment, cwd=self.folder, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        for _ in range(1800):
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            if "Ray runtime started" in log.read_text():
                return process
            time.sleep(0.1)
        raise TimeoutError(log.read_text())

    def close(self) -> None:
        """At once: asked kindly, a node would drain for half a minute."""
        for process in reversed(self.processes):
            self._kill(process)
        self._temporary.cleanup()

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
