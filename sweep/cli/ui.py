"""`sweep ui`: the MLflow UI on this machine, over the record."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys

from sweep.record.experiments import VIEW
from sweep.record.mlflow_store import Tracker
from trainables.errors import UsageError
from trainables.masking import mask
from trainables.ports import LOOPBACK


def serve(uri: str, port: int) -> int:
    """Serve MLflow's UI until Ctrl-C. A tracking server has one of its own: say where.

    Args:
        uri: Of the MLflow store.
        port: On 127.0.0.1.

    Returns:
        The exit code.

    Raises:
        UsageError: the port is taken.
        sweep.record.mlflow_store.TrackingError: the store cannot be used.
    """
    if uri.startswith(("http://", "https://")):
        print(f"the tracking server has its own UI: {mask(uri)}")
        return 0
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise UsageError(f"port {port} is taken; name another with --port") from error
    tracker = Tracker(uri)
    tracker.connect()  # makes or checks the database before several processes open it at once
    command = [
        sys.executable, "-m", "mlflow", "server",
        "--host", LOOPBACK, "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": uri,  # not on the command line, which everybody can read
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    print(
        f"MLflow UI: http://{LOOPBACK}:{port} (ready in some seconds; Ctrl-C ends it)", flush=True
    )
    for link in links(tracker, f"http://{LOOPBACK}:{port}"):
        print(link, flush=True)
    # A session of its own: the server has children that its parent's end would leave behind.
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)


def links(tracker: Tracker, server: str) -> list[str]:
    """Where each experiment's runs are: of trainings, which MLflow does not open with by itself,
    and with columns worth reading.

    Args:
        server: Of the UI, such as ``http://127.0.0.1:5000``.
    """
    query = f"workflowType=machine_learning&viewStateShareKey={VIEW}"
    return [
        f"  {name}: {server}/#/experiments/{number}/runs?{query}"
        for number, name in sorted(tracker.experiments().items(), key=lambda found: found[1])
    ]
