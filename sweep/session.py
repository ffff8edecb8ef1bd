"""Join or start Ray, quietly, and leave it again."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from sweep.placement import Cluster, ResourceError, present

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_raylet_start_wait_time_s": "120",
}

PATIENCE = 10.0
"""Seconds in which a cluster's head must take a connection."""


def address_of(given: str | None) -> str | None:
    """The cluster to join: the one ``given``, else RAY_ADDRESS's; None: none, start Ray here."""
    return given or os.environ.get("RAY_ADDRESS")


@contextlib.contextmanager
def session(given: str | None, said: Callable[[str], None]) -> Iterator[Cluster]:
    """Ray at ``given`` (see `address_of`), and what its cluster has.

    Raises:
        ResourceError: it cannot be reached, or not be started.
    """
    address = address_of(given)
    if address:
        _check_listening(address)
    # The first start after an installation is half a minute of silence.
    said(f"joining Ray at {address}" if address else "starting Ray on this machine")
    # Left unset, a token file from an earlier run would decide.
    mode = "token" if address and _has_token() else "disabled"
    for name, value in {**QUIET, "RAY_AUTH_MODE": mode}.items():
        os.environ.setdefault(name, value)
    import ray

    try:
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=_quoted_python(),
        )
    except Exception as error:  # Ray raises plain Exceptions too
        reason = str(error).strip().splitlines()[0]
        raise _unreachable(address or "this machine", reason) from error
    try:
        yield present()
    finally:
        ray.shutdown()


def _check_listening(address: str) -> None:
    """Ask once whether anything listens at ``address``: Ray would go on asking for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return  # "auto", or a name that Ray resolves
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, UnicodeError) as error:
        raise _unreachable(address, str(error)) from error


def _unreachable(address: str, reason: str) -> ResourceError:
    return ResourceError(
        f"Ray at {address} cannot be reached ({reason}); "
        "check --address, and RAY_AUTH_MODE on both sides"
    )


def _quoted_python() -> dict[str, str] | None:
    """Ray starts workers through a shell and does not quote Python's path: a space would end it."""
    quoted = shlex.quote(sys.executable)
    return None if quoted == sys.executable else {"py_executable": quoted}


def _has_token() -> bool:
    """Whether Ray would find a token: then the cluster is taken to ask for it."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or path.is_file()
