"""What is wrong with a tracking URI, or with what it leads to, is one sentence within seconds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sweep.record import connection
from sweep.record.connection import TrackingError, connect, database
from tests.sweep.called import call


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:///", "names no file"),
        ("sqlite:////", "names no file"),
        ("sqlite:///?mode=ro", "names no file"),
        ("sqlite:///a%00b", "names no file"),
        ("postgresql://[", "cannot be used"),
        ("http://[::1", "cannot be used"),
    ],
)
def test_a_uri_that_leads_nowhere(uri: str, said: str) -> None:
    code, out, error = call("status", "--tracking-uri", uri)
    assert (code, out) == (1, "")
    assert said in error
    assert repr(uri)[1:-1] in error


def test_a_uri_of_a_file_is_its_file() -> None:
    assert str(database("sqlite:///a/b%3Fc.db?x=y")) == "a/b?c.db"
    assert database("http://there") is None


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A port of this machine that takes connections, and says this to each, or closes it (None)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    one, _ = server.accept()
                except OSError:
                    return
                taken.append(one)
                if answer is None:
                    one.close()
                elif answer:
                    one.sendall(answer)

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]
        for one in taken:
            one.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "mysql+pymysql"])
@pytest.mark.parametrize("answer", [b"", None], ids=["silent", "closed"])
def test_what_takes_connections_and_is_no_database(
    scheme: str, answer: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy, or a port that something else has: the driver would wait for ever."""
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.3)
    with (
        listening(answer) as port,
        pytest.raises(TrackingError, match=r"cannot be used|is no (postgresql|mysql) server"),
    ):
        connect(f"{scheme}://user@127.0.0.1:{port}/db")


def test_a_database_that_answers_is_left_to_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(b"N") as port:
        connection._check_answering(f"postgresql://127.0.0.1:{port}/db")
        connection._check_answering(f"mysql://127.0.0.1:{port}/db")
