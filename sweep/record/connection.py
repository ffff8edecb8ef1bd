"""A connection to MLflow, or one sentence on why there is none."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sweep.record.sqlite_sessions import set_once
from trainables.errors import FlatsweepError
from trainables.masking import has_secret, mask
from trainables.ports import CONNECT_TIMEOUT

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Their usual ports."""


SQLITE = "sqlite:///"

MAKING_SECONDS = 120.0
"""Seconds to wait for another process that makes the tables of a SQLite store."""


class TrackingError(FlatsweepError):
    """The tracking store does not answer or cannot be used; the message says what to do."""


def default_uri(storage: str) -> str:
    """``$MLFLOW_TRACKING_URI``, else SQLite beside the results (or in the working folder)."""
    folder = Path("results" if "://" in storage else storage).expanduser().resolve()
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(folder / "mlflow.db")


def sqlite_uri(file: Path) -> str:
    """The URI of a SQLite file; `database` is its inverse."""
    return SQLITE + str(file).replace("%", "%25").replace("?", "%3F")


def database(uri: str) -> Path | None:
    """The file of a SQLite store; None: the store is no file. Raises TrackingError."""
    if not uri.startswith(SQLITE):
        return None
    file = Path(unquote(uri.removeprefix(SQLITE).partition("?")[0]))
    if not file.name or "\0" in str(file):
        raise TrackingError(f"tracking URI {uri!r} names no file: write sqlite:///path/mlflow.db")
    return file


def absent(uri: str) -> str:
    """``no record at FILE, give --storage``; empty: there is a file, or a server to be asked."""
    file = database(uri)
    return f"no record at {file}, give --storage" if file and not file.exists() else ""


def connect(uri: str) -> MlflowClient:
    """MLflow's client of the store at ``uri``; a SQLite file is made if it is not there.

    Raises:
        TrackingError: in one sentence, if the store cannot be used.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # A server that is down is said within seconds, not after minutes of retries.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    _check(uri)
    from mlflow import MlflowClient

    try:
        with _alone(uri):
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)
            if database(uri) is not None:
                set_once(client)
    except Exception as error:
        raise unusable(uri, error) from cause(uri, error)
    return client


@contextlib.contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Within, no other process makes the tables of the same SQLite file: MLflow locks nothing.

    Where no lock can be had (a folder that is only read) it goes on without.
    """
    import filelock

    file = database(uri)
    with contextlib.ExitStack() as held:
        if file is not None:
            with contextlib.suppress(OSError, filelock.Timeout):
                held.enter_context(
                    filelock.FileLock(mirror_of(file) / ".making", timeout=MAKING_SECONDS)
                )
        yield


def mirror_of(file: Path) -> Path:
    """The folder beside a SQLite file of what is made from it."""
    return file.with_name(f"{file.name}.mirror")


def _check(uri: str) -> None:
    try:
        scheme = urlsplit(uri).scheme
    except ValueError as error:
        raise unusable(uri, error) from cause(uri, error)
    file = database(uri)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):
                mirror_of(file).mkdir(exist_ok=True)
        except OSError as error:
            raise unusable(uri, error) from error
    elif scheme.partition("+")[0] in DATABASES:
        _check_answering(uri)
    elif scheme in ("", "file"):
        raise TrackingError(
            f"tracking URI {mask(uri)!r} is a plain folder, which MLflow no longer supports; "
            "name a database (sqlite:///path/mlflow.db) or a server (http://host:5000)"
        )


def _check_answering(uri: str) -> None:
    """Ask once whether a database's server is there: MLflow would go on asking for minutes."""
    try:
        url = urlsplit(uri)
        host, port = url.hostname, url.port or DATABASES[url.scheme.partition("+")[0]]
    except ValueError:
        return  # several hosts, or a password that is not percent-encoded: the driver's to read
    if not host:
        return  # a socket in a folder
    try:
        with socket.create_connection((host, port), CONNECT_TIMEOUT) as reached:
            _check_speaking(reached, url.scheme.partition("+")[0])
    except (OSError, UnicodeError) as error:
        raise unusable(uri, error) from cause(uri, error)


def _check_speaking(reached: socket.socket, scheme: str) -> None:
    """Raise OSError if what was reached says nothing, as a proxy may: drivers would wait for ever.

    PostgreSQL answers one byte to the question whether it speaks TLS; MySQL speaks first.
    """
    if scheme == "postgresql":
        reached.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))
    if scheme in ("postgresql", "mysql") and not reached.recv(1):
        raise TrackingError(f"what is there is no {scheme} server")


def cause(uri: str, error: BaseException) -> BaseException | None:
    """What a traceback shows of ``error``: nothing, where it may have a password in it."""
    return None if has_secret(uri) else error


def unusable(uri: str, error: BaseException) -> TrackingError:
    """One line from whatever MLflow, SQLAlchemy or the network raised."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if _newer_schema(str(error)):
        fix = "a newer MLflow wrote it: install that or a later one here (pip install -U mlflow)"
    elif "out-of-date database schema" in str(error):
        fix = f"back it up, then run: mlflow db upgrade {uri}"
    elif "file is not a database" in str(error) or "malformed" in str(error):
        fix = "restore a backup, or name another database with --tracking-uri"
    else:
        fix = "check that it is there and reachable, or name another with --tracking-uri"
    sentence = f"tracking store {uri!r} cannot be used ({reason[:300]}); {fix}"
    return TrackingError(mask(sentence, uri))


def _newer_schema(message: str) -> bool:
    """Whether it is of a database whose schema the installed MLflow does not know.

    MLflow calls that out of date, too; its migrations have the names of all that it knows.
    """
    found = re.search(r"out-of-date database schema \(found version (\w+)", message)
    if not found:
        return "Can't locate revision" in message
    import mlflow

    known = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    return not list(known.glob(f"{found[1]}_*.py"))


__all__ = [
    "TrackingError",
    "absent",
    "cause",
    "connect",
    "database",
    "default_uri",
    "mirror_of",
    "sqlite_uri",
    "unusable",
]
