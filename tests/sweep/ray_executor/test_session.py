"""How Ray is joined or started: which address, with a token or without, and when it says so."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import ray

from sweep.ray_executor import session
from sweep.run.resources import Cluster, ResourceError
from trainables import ports
from trainables.ray_private import start

TOKEN = {"RAY_AUTH_TOKEN": "t"}
MODES = [
    pytest.param("head:6379", TOKEN, "token", id="a token in the environment"),
    pytest.param("head:6379", {"RAY_AUTH_TOKEN_PATH": "{home}/t"}, "token", id="a token's file"),
    pytest.param("head:6379", {"RAY_AUTH_TOKEN_PATH": "{home}/none"}, "disabled", id="no token"),
    pytest.param(
        "h:1", {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "t"}, "disabled", id="said"
    ),
]


class Init:
    """In place of Ray: remembers how it was started, and in which environment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        self.options: dict[str, Any] = {}
        self.environment: dict[str, str] = {}
        self.left = 0
        for name in [name for name in os.environ if name.startswith(("RAY_", "TUNE_"))]:
            monkeypatch.delenv(name)
        for name in (*session.RAY_ENVIRONMENT, "RAY_AUTH_MODE"):  # undone afterwards
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setattr(ray, "init", self)
        monkeypatch.setattr(ray, "shutdown", self.shutdown)
        monkeypatch.setattr(ray, "is_initialized", lambda: False)
        monkeypatch.setattr(session, "_check_listening", lambda address: None)
        monkeypatch.setattr(session, "joined_cluster", lambda: Cluster([{"CPU": 2.0}]))

    def __call__(self, **options: Any) -> None:
        self.options, self.environment = options, dict(os.environ)

    def shutdown(self) -> None:
        self.left += 1


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Init:
    (tmp_path / "t").write_text("t")
    return Init(monkeypatch, tmp_path)


@pytest.mark.parametrize(("address", "environment", "mode"), MODES)
def test_a_token_is_used_where_there_is_one_for_a_cluster(
    init: Init,
    address: str,
    environment: dict[str, str],
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    with session.session(address, lambda said: None):
        assert init.environment["RAY_AUTH_MODE"] == mode
        assert init.environment["RAY_USAGE_STATS_ENABLED"] == "0"


def test_the_token_of_the_home_folder_counts(init: Init, tmp_path: Path) -> None:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("t")
    with session.session("head:6379", lambda said: None):
        assert init.environment["RAY_AUTH_MODE"] == "token"


def test_the_address_given_goes_before_the_environments(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with session.session(None, said.append) as cluster:
        assert init.options["address"] == "local"
        assert cluster.total("CPU") == 2.0
    monkeypatch.setenv("RAY_ADDRESS", "head:1")
    with session.session(None, said.append):
        assert init.options["address"] == "head:1"
    with session.session("head:2", said.append):
        assert init.options["address"] == "head:2"
        assert init.left == 2
    assert init.left == 3
    assert said == [
        "starting Ray on this machine",
        "joining Ray at head:1",
        "joining Ray at head:2",
    ]


def test_ray_is_left_when_the_sweep_fails(init: Init) -> None:
    with pytest.raises(KeyError), session.session(None, lambda said: None):
        raise KeyError
    assert init.left == 1


def test_a_cluster_that_is_not_there_is_one_sentence(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: Any) -> None:
        raise ConnectionError("no head\n  at all")

    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(ResourceError, match=r"^Ray at head:1 cannot be reached \(no head at all\);"),
        session.session("head:1", lambda said: None),
    ):
        pass


def test_a_local_ray_has_a_token_of_its_own_each_time(
    init: Init, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user's are for clusters, and are as before when it has ended."""
    users = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "t", "RAY_AUTH_TOKEN_PATH": "/none"}
    tokens = set()
    for given in ({}, users):
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        with session.session(None, lambda said: None):
            assert init.environment["RAY_AUTH_MODE"] == "token"
            assert "RAY_AUTH_TOKEN_PATH" not in init.environment
            assert init.options["_node_ip_address"] == "127.0.0.1"
            tokens.add(init.environment["RAY_AUTH_TOKEN"])
        assert {name: os.environ[name] for name in users if name in os.environ} == given
    assert {len(token) for token in tokens} == {64}
    assert len(tokens) == 2
    assert not (tmp_path / ".ray").exists()


@pytest.mark.parametrize("deaths", [2, 3])
def test_a_start_that_failed_is_tried_again_and_not_for_ever(
    init: Init, deaths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(**options: Any) -> None:
        starts.append(options)
        if len(starts) <= deaths:
            raise RuntimeError("its raylet\n ended")

    starts: list[dict[str, Any]] = []
    said: list[str] = []
    monkeypatch.setattr(ray, "init", die)
    if deaths < 3:
        with session.session(None, said.append):
            pass
    else:
        with pytest.raises(ResourceError) as caught, session.session(None, said.append):
            pass
        assert str(caught.value).startswith(
            "Ray cannot be started on this machine (its raylet ended; tried 3 times); "
        )
        assert "--address" not in str(caught.value)
    assert len(starts) == 3
    assert init.left == 3
    assert said == [
        "starting Ray on this machine",
        *["Ray did not start (its raylet ended): trying again"] * 2,
    ]


def test_a_ray_that_this_process_has_joined_is_left_alone(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    with (
        pytest.raises(ResourceError, match=r"ray\.shutdown\(\)"),
        session.session(None, lambda said: None),
    ):
        pass
    assert init.left == 0


def test_a_head_on_loopback_alone_is_asked_there(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray would ask at the outside address; a head that listens there too is joined as before."""
    from trainables.ray_private import start

    taken = []
    monkeypatch.setattr(ray, "init", lambda **_: taken.append(start.outside("127.0.0.1")))
    monkeypatch.setattr(start.services, "resolve_ip_for_localhost", lambda host: "127.0.0.2")
    with socket.create_server(("127.0.0.1", 0)) as head:
        port = head.getsockname()[1]
        with session.session(f"127.0.0.1:{port}", lambda said: None):
            pass
        with (
            socket.create_server(("127.0.0.2", port)),
            session.session(f"localhost:{port}", lambda said: None),
        ):
            pass
    assert taken == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_where_nothing_listens_ray_is_not_asked(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself goes on asking for minutes."""
    monkeypatch.setattr(ray, "init", lambda **options: pytest.fail("Ray was asked"))
    with socket.socket() as closed:  # bound, so that nobody else takes it, and not listening
        closed.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{closed.getsockname()[1]}"
        said: list[str] = []
        with (
            pytest.raises(ResourceError, match=rf"^Ray at {address} cannot be reached \(.*refused"),
            session.session(address, said.append),
        ):
            pass
        assert said == []


@pytest.fixture
def head() -> Iterator[str]:
    """What speaks as a cluster's head does."""
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_who_speaks_as_ray_does_is_asked(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session._check_listening(head)
    session._check_listening(f"ray://{head}")
    monkeypatch.setattr(start, "resolved", {"auto": head}.__getitem__)
    session._check_listening("auto")


def test_who_takes_connections_and_is_no_ray_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stale address, at which another program listens now."""
    monkeypatch.setattr(session, "SPEAKING_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ResourceError, match=r"is no Ray\); no cluster is there now: start it"):
            session._check_listening(address)


@pytest.mark.parametrize(
    ("address", "fix"),
    [
        ("no..name:6379", "nobody knows that host and port: check them"),
        ("no_port", "nobody knows that host and port: check them"),
        ("auto", "no cluster is there now: start it"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_a_stale_address_is_said_with_a_fix_that_fits(
    address: str, fix: str, named: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(start.services, "find_gcs_addresses", set)
    monkeypatch.setattr(start.services, "find_bootstrap_address", lambda _: None)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if named:
        monkeypatch.setenv("RAY_ADDRESS", address)
    otherwise = "unset RAY_ADDRESS, which names it" if named else "or leave it away"
    with pytest.raises(ResourceError, match=f"{fix}; .*{otherwise} to run on this machine"):
        session._check_listening(address)


def test_who_does_not_answer_at_all_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lookup of a name is waited for no longer than a connection."""
    hangs = threading.Event()
    monkeypatch.setattr(ports, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(ports.socket, "create_connection", lambda *_: hangs.wait())
    with pytest.raises(ResourceError, match=r"no answer within .* a firewall or VPN is between"):
        session._check_listening("head:6379")
    hangs.set()


def test_pythons_path_is_quoted_for_the_shell(init: Init, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray starts its workers through a shell."""
    monkeypatch.setattr(sys, "executable", "/a b/python")
    with session.session(None, lambda said: None):
        assert init.options["runtime_env"] == {"py_executable": shlex.quote("/a b/python")}
    monkeypatch.setattr(sys, "executable", "/ab/python")
    with session.session(None, lambda said: None):
        assert init.options["runtime_env"] is None


def test_the_address_of_rays_jobs_is_none_of_a_cluster(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    with (
        pytest.raises(ResourceError, match=r"127\.0\.0\.1:8265 is an address of Ray's jobs"),
        session.session(None, print),
    ):
        raise AssertionError("joined")
