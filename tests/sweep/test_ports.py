"""Nothing that a local sweep or `sweep ui` starts can be reached from another machine or user."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from sweep.record.mlflow_store import Tracker, default_uri
from tests.nodes import Nodes
from trainables.ports import LOOPBACK, free_ports

pytestmark = pytest.mark.timeout(1200)  # on a busy machine all of it may take minutes to start

ROOT = Path(__file__).parents[2]
SWEEP = """
from pathlib import Path
from search_spaces.spec import Stage
from sweep.ray_executor import RayExecutor
from tests.sweep.cases import TINY, sweep
long = {"workers": 2, "epochs": 100_000}
one = {"cells": TINY.experiment.cells[:1], "stages": (Stage("train", seeds=1),)}
base = {**TINY.experiment.base, **long}
sweep(TINY.with_experiment(base=base, **one), Path(), RayExecutor())
"""
CALL = """
import sys
from trainables.ray_private.start import GcsClient
print(len(GcsClient(address=sys.argv[1]).get_all_node_info(timeout=60)))
"""


def tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):  # it may just have ended
        return " ".join(process.cmdline())
    return ""


def listening(process: psutil.Process) -> list[tuple[str, int]]:
    """Addresses at which it takes TCP connections, and those at which it hears UDP."""
    with contextlib.suppress(psutil.Error):  # it may just have ended
        return [
            (c.laddr.ip, c.laddr.port)
            for c in process.net_connections("inet")
            if c.status == psutil.CONN_LISTEN or c.type == socket.SOCK_DGRAM
        ]
    return []


def beyond(processes: list[psutil.Process]) -> list[tuple[str, str, int]]:
    """Sockets of ``processes`` that can be reached from another machine."""
    found = []
    for process in processes:
        for ip, port in listening(process):
            address = ipaddress.ip_address(ip)
            inner = getattr(address, "ipv4_mapped", None) or address
            if not inner.is_loopback:
                found.append((process.name(), ip, port))
    return found


def outside() -> tuple[str, str] | None:
    """An interface of this machine that is not loopback, and its address."""
    for name, found in psutil.net_if_addrs().items():
        for address in found:
            if address.family == socket.AF_INET and not address.address.startswith("127."):
                return name, address.address
    return None


def environment(home: Path, **changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))}
    own = {"HOME": str(home), "PYTHONPATH": str(ROOT), "RAY_worker_niceness": "0"}
    return {**kept, **own, **changes}


@contextlib.contextmanager
def running(words: list[str], folder: Path, changes: dict[str, str]) -> Iterator[psutil.Process]:
    process = subprocess.Popen(
        [sys.executable, *words], cwd=folder, env=environment(folder, **changes)
    )
    started = psutil.Process(process.pid)
    try:
        yield started
    finally:
        left = tree(started) if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        for other in left:
            with contextlib.suppress(psutil.Error):
                other.kill()
        process.wait()


def wait_for(what: Callable[[], Any]) -> Any:
    for _ in range(9000):
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come")


def workers(started: psutil.Process) -> list[psutil.Process]:
    """Both workers of the trial, once gloo listens in them beside Ray."""
    assert started.status() != psutil.STATUS_ZOMBIE, "it ended"
    found = [p for p in tree(started) if "RayTrainWorker" in command(p)]
    return found if len(found) == 2 and all(len(listening(p)) >= 2 for p in found) else []


def of_ray(started: psutil.Process) -> psutil.Process:
    """The process that has joined Ray for the sweep."""
    return next(p for p in tree(started) if "sweep.ray_executor.driver" in command(p))


@pytest.fixture(scope="module")
def local_sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psutil.Process]:
    """A sweep in the middle of a trial of two workers, on a Ray of its own.

    gloo is told to use an outside interface, as where the machine's name stands for one.
    """
    found = outside()
    changes = {"GLOO_SOCKET_IFNAME": found[0]} if found else {}
    with running(["-c", SWEEP], tmp_path_factory.mktemp("sweep"), changes) as started:
        wait_for(lambda: workers(started))
        yield started


@pytest.mark.ray
def test_all_that_a_local_sweep_starts_listens_on_loopback(local_sweep: psutil.Process) -> None:
    processes = tree(local_sweep)
    names = {process.name() for process in processes if listening(process)}
    assert {"gcs_server", "raylet", local_sweep.name()} <= names
    assert beyond(processes) == []
    assert not any("monitor.py" in command(process) for process in processes)  # they have no use


@pytest.fixture
def channels() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as found:
        yield found


def run_code(port: int, service: str, channels: contextlib.ExitStack) -> grpc.Future:
    """A call that runs code, under way: what listens at a port that is not Ray's never answers."""
    method = "GetNodeStats" if service == "NodeManager" else "PushTask"
    channel = channels.enter_context(grpc.insecure_channel(f"{LOOPBACK}:{port}"))
    return channel.unary_unary(f"/ray.rpc.{service}Service/{method}").future(b"", timeout=20)


@pytest.mark.ray
def test_who_has_no_token_is_refused(
    local_sweep: psutil.Process, tmp_path: Path, channels: contextlib.ExitStack
) -> None:
    """At the door of the cluster, and at that of each process which runs code for it."""
    gcs = next(p for p in tree(local_sweep) if p.name() == "gcs_server")
    address = f"{LOOPBACK}:{listening(gcs)[0][1]}"
    raylet = next(p for p in tree(local_sweep) if p.name() == "raylet")
    token = raylet.environ()["RAY_AUTH_TOKEN"]
    assert len(token) == 64

    code, services = [raylet, of_ray(local_sweep), *workers(local_sweep)], {raylet: "NodeManager"}
    asked = [
        (process, run_code(port, services.get(process, "CoreWorker"), channels))
        for process in code
        for _, port in listening(process)
    ]

    def join(**authentication: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", CALL, address], env=environment(tmp_path, **authentication),
            text=True, capture_output=True, check=False,
        )  # fmt: skip

    allowed = join(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token)
    assert (allowed.returncode, allowed.stdout) == (0, "1\n"), allowed.stderr
    wrong = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for authentication in ({"RAY_AUTH_MODE": "disabled"}, wrong):
        refused = join(**authentication)
        assert refused.returncode == 1
        assert "InvalidAuthToken" in refused.stderr

    answers: dict[psutil.Process, set[grpc.StatusCode]] = {}
    for process, call in asked:
        answers.setdefault(process, set()).add(call.exception().code())
    assert [*answers] == code
    assert all(grpc.StatusCode.UNAUTHENTICATED in found for found in answers.values()), answers


@pytest.mark.ray
def test_the_token_is_in_no_command_line_and_no_file(local_sweep: psutil.Process) -> None:
    processes = tree(local_sweep)
    token = next(p for p in processes if p.name() == "raylet").environ()["RAY_AUTH_TOKEN"]
    assert not any(token in command(process) for process in processes)
    session = f"_{of_ray(local_sweep).pid}/"
    words = command(next(p for p in processes if p.name() == "gcs_server")).split("=")
    folder = Path(next(word for word in words if session in word).split(session)[0] + session)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not any(token.encode() in path.read_bytes() for path in files)
    assert not (Path(local_sweep.environ()["HOME"]) / ".ray").exists()


@pytest.mark.ray
@pytest.mark.slow
def test_nodes_of_tests_and_benchmarks_listen_on_loopback() -> None:
    with Nodes(cpus=0, dashboard=True) as nodes:
        nodes.join()
        processes = [p for started in nodes.processes for p in tree(psutil.Process(started.pid))]
        assert sum(process.name() == "raylet" for process in processes) == 2
        assert beyond(processes) == []


def test_sweep_ui_listens_on_loopback_and_names_no_store_in_ps(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    Tracker(default_uri(str(tmp_path / "results"))).connect()
    with running(["-m", "sweep", "ui", "--port", str(port)], tmp_path, {}) as started:

        def answers() -> bool:
            with contextlib.suppress(OSError):
                return bool(urllib.request.urlopen(f"http://{LOOPBACK}:{port}/health").read())
            assert started.status() != psutil.STATUS_ZOMBIE
            return False

        wait_for(answers)
        processes = tree(started)
        assert [port] == sorted({p for process in processes for _, p in listening(process)})
        assert beyond(processes) == []
        assert not any("mlflow.db" in command(process) for process in processes)


DYING = """
import json, psutil, sys
from ray._private import services
from sweep.ray_executor import session
there, dead, said = services.RAYLET_EXECUTABLE, [], []
start = services.start_raylet
def dying(*arguments, **options):
    services.RAYLET_EXECUTABLE = "/bin/false" if len(dead) < int(sys.argv[1]) else there
    dead.append(None)
    return start(*arguments, **options)
services.start_raylet = dying
with session.local_ray(said.append):
    servers = [p for p in psutil.Process().children() if p.name() == "gcs_server"]
print(json.dumps([said, len(servers), [p.name() for p in psutil.Process().children()]]))
"""


@pytest.mark.ray
@pytest.mark.parametrize("deaths", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_raylet_that_died_is_seen_and_the_start_tried_again(tmp_path: Path, deaths: int) -> None:
    """Ray itself would say that the node timed out. Nothing is left of the starts that failed."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(deaths)], env=environment(tmp_path), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, servers, left = json.loads(done.stdout.splitlines()[-1])
    assert said == [
        "starting Ray on this machine",
        *["Ray did not start (its raylet ended with code 1): trying again"] * deaths,
    ]
    assert servers == 1
    assert left == []
