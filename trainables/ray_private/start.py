"""Starting a node of Ray: where it listens, with which token, and whether it lives."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from ray._private import parameter, services, worker
from ray._private.state import state
from ray._raylet import AuthenticationTokenLoader, Config, GcsClient  # type: ignore[attr-defined]

from trainables.ports import free_ports

AGENTS = (
    "dashboard_agent_listen_port", "metrics_agent_port", "metrics_export_port",
    "runtime_env_agent_port",
)  # fmt: skip
ALONE = {"no_monitor": True, "include_log_monitor": False}
"""A cluster of one node does not grow, and nobody reads its log elsewhere: two processes less."""

NEEDED = ("raylet", "gcs_server")
"""Kinds of a node's processes that nobody starts again."""

REGISTERED = 120.0
"""Seconds in which a node must be there, while all of its processes live."""


class DiedError(Exception):
    """A process of a node has ended while the node was starting."""


@contextlib.contextmanager
def _replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def loopback() -> contextlib.AbstractContextManager[None]:
    """Within the block a node can have the address 127.0.0.1, which Ray otherwise replaces."""
    return _replaced(services, "resolve_ip_for_localhost", lambda host: host)


def outside(host: str) -> str:
    """The address that Ray uses for ``host``: the machine's outside one, if ``host`` is local."""
    return str(services.resolve_ip_for_localhost(host))


def resolved(address: str) -> str:
    """HOST:PORT of the cluster that ``auto`` stands for now; empty: of none, one is to be started.

    Raises ConnectionError if there is none, ValueError for what is no address.
    """
    return str(services.canonicalize_bootstrap_address(address) or "")


def read_authentication() -> None:
    """Take RAY_AUTH_MODE and the token from the environment, as importing Ray did once."""
    # In this order: a thread of an earlier session that is still ending would look for its token.
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def watched(**settings: Any) -> Iterator[None]:
    """Within the block a node that this process starts fails as soon as one of its processes dies.

    Ray itself waits minutes for the dead process. A start that fails leaves no process behind.

    Args:
        settings: Of the node, such as `ALONE`.

    Raises:
        DiedError: a process has ended before the node was there.
    """
    started: list[tuple[str, subprocess.Popen[bytes]]] = []
    start_process, get_node, make = (
        services.start_ray_process, services.get_node, parameter.RayParams
    )  # fmt: skip
    ports = dict(zip(AGENTS, free_ports(len(AGENTS)), strict=True))

    def start(command: list[str], process_type: str, *arguments: Any, **options: Any) -> Any:
        if process_type == "raylet":
            # It dies after 15 seconds of waiting for an agent that chooses its own port, which is
            # not enough on a busy machine; and Ray does not tell it this one.
            command = [*command, f"--{AGENTS[0]}={ports[AGENTS[0]]}"]
        info = start_process(command, process_type, *arguments, **options)
        started.append((process_type, info.process))
        return info

    def wait(address: str, node_id: str) -> Any:
        nodes, deadline = GcsClient(address=address), time.monotonic() + REGISTERED
        while node_id not in {node.hex() for node in nodes.get_all_node_info(timeout=REGISTERED)}:
            for kind, process in started:
                if process.poll() is not None:
                    raise DiedError(f"its {kind} ended with code {process.returncode}")
            if time.monotonic() > deadline:
                raise DiedError(f"its raylet is silent for {REGISTERED:g} seconds")
            time.sleep(0.1)
        return get_node(address, node_id)

    with (
        _replaced(services, "start_ray_process", start),
        _replaced(services, "get_node", wait),
        _replaced(
            parameter, "RayParams", lambda **options: make(**{**options, **ports, **settings})
        ),
    ):
        try:
            yield
        except BaseException:
            for _, process in reversed(started):
                process.kill()
                process.wait()
            raise


def largest() -> Mapping[str, float] | None:
    """The resources that an autoscaling cluster can grow to; None if it does not grow."""
    found: Mapping[str, float] | None = state.get_max_resources_from_cluster_config()
    return found


def dead_processes() -> list[tuple[str, int]]:
    """(kind, code) of the processes without which the node that this process has started is none,
    and that have ended."""
    node: Any = worker._global_node
    dead = node.dead_processes() if node is not None else []
    return [(kind, process.poll()) for kind, process in dead if kind in NEEDED]
