"""A tracking store that cannot be used, of every kind: said in time, with a fix that fits."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sweep.record import connection
from sweep.record.connection import TrackingError, connect, database, unusable
from tests.sweep.called import call


@contextmanager
def silent() -> Iterator[str]:
    """What takes connections and says nothing, as a server behind a stale tunnel does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def answering(code: int) -> Iterator[str]:
    """A server that answers everything with this status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(b"<html>")

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_who_takes_a_connection_and_says_nothing_is_left(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow  # noqa: F401 - to import it is none of the answer's time

    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.5)
    with (
        silent() as where,
        pytest.raises(TrackingError, match=r"no answer within 0\.5 s\); see whether it is up, and"),
    ):
        connect(f"{scheme}://{where}/db")


@pytest.mark.parametrize(
    ("code", "fix"),
    [(404, "it is no MLflow server: check its address"), (401, "check its user and password")],
)
def test_a_server_that_refuses_is_said_with_the_fix(code: int, fix: str) -> None:
    with answering(code) as where, pytest.raises(TrackingError, match=fix):
        connect(f"http://{where}")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://127.0.0.1:1", "nothing listens there: start the server, or check its port"),
        ("postgresql://127.0.0.1:1/db", "nothing listens there"),
        ("mysql://127.0.0.1:1/db", "nothing listens there"),
        ("http://no..name", "nobody knows that host: check its name"),
    ],
)
def test_where_nothing_is_nobody_is_asked(uri: str, says: str) -> None:
    with pytest.raises(TrackingError, match=says):
        connect(uri)


def test_a_driver_that_is_not_installed_is_named() -> None:
    with silent() as where, pytest.raises(TrackingError, match="check the beginning of the URI"):
        connect(f"mysql+nosuchdriver://{where}/db")
    lacking = ModuleNotFoundError("No module named 'psycopg2'", name="psycopg2")
    assert "pip install 'flatsweep[postgres]'" in str(unusable("postgresql://h/db", lacking))


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("(sqlite3.OperationalError) database is locked", "end the program that is writing to it"),
        ("database or disk is full", "free some space"),
        ("attempt to write a readonly database", "see that you may write there"),
        ('connection failed: FATAL: database "x" does not exist', "make that database"),
        ('FATAL: password authentication failed for user "a"', "check its user and password"),
        ("something else", "check that it is there and reachable"),
    ],
)
def test_the_fix_fits_what_a_database_says(said: str, fix: str) -> None:
    assert f"({said}); {fix}" in str(unusable("sqlite:////x/mlflow.db", RuntimeError(said)))


def test_all_that_a_library_says_is_shown_and_not_its_first_line_alone() -> None:
    said = "could not connect\n\tIs the server running on host a?\n(Background on this error at: x)"
    assert "(could not connect Is the server running on host a?);" in str(
        unusable("postgresql://a/db", RuntimeError(said))
    )


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match="cannot be used"):
        connect(f"sqlite:///{tmp_path}/file/mlflow.db")


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
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.5)
    with (
        listening(answer) as port,
        pytest.raises(TrackingError, match=r"cannot be used|is no (postgresql|mysql) server"),
    ):
        connect(f"{scheme}://user@127.0.0.1:{port}/db")


def test_a_database_that_answers_is_left_to_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(b"N") as port:
        connection._check_answering(f"postgresql://127.0.0.1:{port}/db")
        connection._check_answering(f"mysql://127.0.0.1:{port}/db")
