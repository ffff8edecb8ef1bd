"""Join or start Ray, quietly, and leave it again."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sweep.ray_executor.cluster import joined_cluster
from sweep.run.resources import Cluster, ResourceError
from trainables.deadline import ANSWER_SECONDS, NoAnswerError, in_time
from trainables.errors import reason
from trainables.masking import mask
from trainables.ports import LOOPBACK, check_listening

RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_raylet_start_wait_time_s": "120",
}

AUTHENTICATION = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")

LOGGING: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}

SPEAKING_SECONDS = 8.0
"""In which what listens at a cluster's address must answer as Ray does; less than the time in which
all that is asked must."""

TRIES = 3
"""How often Ray is started on this machine before that is an error."""


def address_of(given: str | None) -> str | None:
    """The cluster to join: ``given``, else RAY_ADDRESS. None: none, Ray is started here."""
    return given or os.environ.get("RAY_ADDRESS")


@contextlib.contextmanager
def session(
    given: str | None,
    notify: Callable[[str], None],
    folder: str | None = None,
    parts: str | None = None,
) -> Iterator[Cluster]:
    """Within it, this process has joined Ray; the value is what the cluster has.

    Args:
        given: The cluster's address (see `address_of`).
        notify: Told what a person waits for.
        folder: Where the files of a Ray are that is started here; None: where Ray puts them.
        parts: What `trainables.own_parts.shipped.pack` has written, to be sent to every node.

    Raises:
        ResourceError: it cannot be reached, or not be started.
    """
    address = address_of(given)
    if address and address.startswith(("http://", "https://")):
        raise ResourceError(
            f"{mask(address)} is an address of Ray's jobs (RAY_ADDRESS of `ray job`), not "
            "of a cluster to join: give --address HOST:6379, or --address auto on one of its nodes"
        )
    options = {"_temp_dir": folder} if folder else {}
    with _joined(address, notify, parts) if address else local_ray(notify, parts, **options):
        yield joined_cluster()


@contextlib.contextmanager
def local_ray(
    notify: Callable[[str], None], parts: str | None = None, **options: Any
) -> Iterator[None]:
    """Within it, this process has a Ray of its own, on this machine.

    It listens on 127.0.0.1 alone and asks for a token, which is in the environment of its
    processes and nowhere else.

    Args:
        notify: Told what a person waits for.
        parts: As `session`.
        options: Further ones of ``ray.init``.

    Raises:
        ResourceError: it cannot be started.
    """
    # The first start after an installation is half a minute of silence.
    notify("starting Ray on this machine")
    _set_ray_environment()
    with _own_token():
        _start(notify, parts, options)
        import ray

        try:
            yield
        finally:
            ray.shutdown()


def _start(notify: Callable[[str], None], parts: str | None, options: dict[str, Any]) -> None:
    """``ray.init``, again where a process of Ray did not survive it: a busy machine kills some."""
    import ray

    from trainables.ray_private.start import ALONE, loopback, watched

    if ray.is_initialized():
        raise ResourceError("this process has joined a Ray already: leave it with ray.shutdown()")
    for left in reversed(range(TRIES)):
        try:
            with loopback(), watched(**ALONE):
                ray.init(
                    address="local", _node_ip_address=LOOPBACK, include_dashboard=False,
                    runtime_env=_runtime_environment(parts), **LOGGING, **options,
                )  # fmt: skip
            return
        except Exception as error:  # Ray raises plain Exceptions too
            ray.shutdown()
            if not left:
                raise ResourceError(
                    f"Ray cannot be started on this machine ({reason(error)}; tried {TRIES} "
                    "times); see whether it lacks memory or room in its temporary folder"
                ) from error
            notify(f"Ray did not start ({reason(error)}): trying again")


@contextlib.contextmanager
def _own_token() -> Iterator[None]:
    """Within: Ray asks for a token that nobody else has. A user's own is for a cluster."""
    before = {name: os.environ.pop(name, None) for name in AUTHENTICATION}
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Only now: importing Ray reads them, and a process that had imported it reads them again.
    from trainables.ray_private.start import read_authentication

    read_authentication()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        read_authentication()


@contextlib.contextmanager
def _joined(address: str, notify: Callable[[str], None], parts: str | None) -> Iterator[None]:
    _check_listening(address)
    notify(mask(f"joining Ray at {address}"))
    _set_ray_environment()
    # Left unset, a token file from an earlier run would decide.
    os.environ.setdefault("RAY_AUTH_MODE", "token" if _has_token() else "disabled")
    import ray

    try:
        with _through_loopback_if_needed(address):
            ray.init(address=address, runtime_env=_runtime_environment(parts), **LOGGING)
    except Exception as error:  # Ray raises plain Exceptions too
        raise _unreachable(address, reason(error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _set_ray_environment() -> None:
    for name, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def _through_loopback_if_needed(address: str) -> contextlib.AbstractContextManager[None]:
    """Within it, ``ray.init`` asks for a head on 127.0.0.1 there, if it listens there alone.

    Ray takes the machine's outside address in place of 127.0.0.1.
    """
    host, port = _host_and_port(address)
    if host not in ("127.0.0.1", "localhost") or not port:
        return contextlib.nullcontext()
    from trainables.ray_private.start import loopback, outside

    with contextlib.suppress(OSError):
        check_listening(outside(host), port)
        return contextlib.nullcontext()
    return loopback()


def _host_and_port(address: str) -> tuple[str, int]:
    """Both of ``host:port``; no port in "auto", or in a name that Ray resolves."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdecimal() else (address, 0)


def _check_listening(address: str) -> None:
    """Ask once whether a Ray listens at ``address``: it would go on asking for minutes."""
    host, port = _host_and_port(address)
    try:
        if not port:
            from trainables.ray_private.start import resolved

            host, port = _host_and_port(resolved(address))
        if port:
            check_listening(host, port)
            in_time(partial(_check_speaking, host, port), ANSWER_SECONDS)
    except (OSError, UnicodeError, ValueError) as error:
        raise _unreachable(address, reason(error)) from error


def _check_speaking(host: str, port: int) -> None:
    """Raise NoAnswerError unless what listens speaks Ray's language, which is gRPC's."""
    import grpc

    if os.environ.get("RAY_USE_TLS", "0") == "1":
        return
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with grpc.insecure_channel(where, (("grpc.enable_http_proxy", 0),)) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=SPEAKING_SECONDS)
        except grpc.FutureTimeoutError:
            raise NoAnswerError("what listens there is no Ray") from None


REMEDIES = (
    ("refused|no running|any running Ray|is no Ray", "no cluster is there now: start it"),
    ("no answer|timed out|unreachable|No route", "see whether a firewall or VPN is between"),
    (
        "not known|getaddrinfo|nodename|resolve|label empty|label too long|idna|Invalid address",
        "nobody knows that host and port: check them",
    ),
    ("version", "install the same Ray and Python there and here"),
    ("token|auth", "check RAY_AUTH_MODE, and the token, on both sides"),
)
"""What Ray or the network says, as a pattern, and what a person can do about it."""


def _unreachable(address: str, said: str) -> ResourceError:
    fits = (fix for pattern, fix in REMEDIES if re.search(pattern, said, re.IGNORECASE))
    fix = next(fits, "check RAY_AUTH_MODE on both sides")
    if os.environ.get("RAY_ADDRESS") == address:
        otherwise = "give another --address, or unset RAY_ADDRESS, which names it"
    else:
        otherwise = "check --address, or leave it away"
    return ResourceError(
        mask(f"Ray at {address} cannot be reached ({said}); {fix}; ", address)
        + f"{otherwise} to run on this machine"
    )


def _runtime_environment(parts: str | None) -> dict[str, Any] | None:
    """What Ray does on each node before it starts a process of ours; None: nothing.

    Parts of a person's own are sent (``py_modules``: through the head's memory, at most 512 MiB).
    They are Python files alone, so that no data and no results are among them.
    """
    return {**_quoted_python(), **({"py_modules": [parts]} if parts else {})} or None


def _quoted_python() -> dict[str, str]:
    """Ray starts workers through a shell and does not quote Python's path: a space would end it."""
    quoted = shlex.quote(sys.executable)
    return {} if quoted == sys.executable else {"py_executable": quoted}


def _has_token() -> bool:
    """Whether Ray would find a token: then the cluster is taken to ask for it."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or path.is_file()
