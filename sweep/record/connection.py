"""A connection to MLflow, or one sentence on why there is none."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sweep.record.sqlite_sessions import set_once
from trainables.deadline import ANSWER_SECONDS, in_time
from trainables.errors import FlatsweepError, reason
from trainables.masking import has_secret, mask
from trainables.ports import check_listening

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
PORTS = {**DATABASES, "http": 80, "https": 443}
"""The usual ports of what is asked over the network."""

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
    os.environ.setdefault("PGCONNECT_TIMEOUT", f"{ANSWER_SECONDS:.0f}")
    _check(uri)
    from mlflow import MlflowClient

    def asked() -> MlflowClient:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
        return client

    try:
        if database(uri):
            with _alone(uri):
                client = asked()
                set_once(client)
                return client
        if _kind(uri) not in DATABASES:
            return in_time(asked, ANSWER_SECONDS)
        in_time(partial(_connect_once, uri), ANSWER_SECONDS)
        return asked()  # where it is new it makes its tables, which takes as long as it takes
    except Exception as error:
        raise unusable(uri, error) from cause(uri, error)


def _kind(uri: str) -> str:
    return urlsplit(uri).scheme.partition("+")[0]


def _connect_once(uri: str) -> None:
    """Connect to a database as MLflow will, which tries ten times, in silence, for minutes."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    create_engine(uri, poolclass=NullPool).connect().close()


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
    elif scheme.partition("+")[0] in PORTS:
        _check_answering(uri)
    elif scheme in ("", "file"):
        raise TrackingError(
            f"tracking URI {mask(uri)!r} is a plain folder, which MLflow no longer supports; "
            "name a database (sqlite:///path/mlflow.db) or a server (http://host:5000)"
        )


def _check_answering(uri: str) -> None:
    """Ask once whether a server is there: MLflow would go on asking for minutes."""
    try:
        url = urlsplit(uri)
        host, port = url.hostname, url.port or PORTS[_kind(uri)]
    except ValueError:
        return  # several hosts, or a password that is not percent-encoded: the driver's to read
    if not host:
        return  # a socket in a folder
    try:
        check_listening(host, port)
    except (OSError, UnicodeError) as error:
        raise unusable(uri, error) from cause(uri, error)


def cause(uri: str, error: BaseException) -> BaseException | None:
    """What a traceback shows of ``error``: nothing, where it may have a password in it."""
    return None if has_secret(uri) else error


def unusable(uri: str, error: BaseException) -> TrackingError:
    """One line from whatever MLflow, SQLAlchemy or the network raised."""
    if _newer_schema(str(error)):
        fix = "a newer MLflow wrote it: install that or a later one here (pip install -U mlflow)"
    elif "out-of-date database schema" in str(error):
        fix = f"back it up, then run: mlflow db upgrade {uri}"
    elif "file is not a database" in str(error) or "malformed" in str(error):
        fix = "restore a backup, or name another database with --tracking-uri"
    else:
        fix = f"{_remedy(uri, error)}, or name another with --tracking-uri"
    sentence = f"tracking store {uri!r} cannot be used ({reason(error)}); {fix}"
    return TrackingError(mask(sentence, uri))


REMEDIES = (
    ("is locked", "end the program that is writing to it"),
    ("is full|No space left", "free some space"),
    ("readonly|read-only|Permission denied|unable to open", "see that you may write there"),
    ("refused", "nothing listens there: start the server, or check its port"),
    (
        "not known|getaddrinfo|nodename|resolve|label empty|label too long|idna",
        "nobody knows that host: check its name",
    ),
    (
        "no answer|timed out|timeout|unreachable|No route",
        "see whether it is up, and whether a firewall or VPN is between",
    ),
    ("password|authenticat|Access denied|401|403", "check its user and password"),
    ("does not exist|Unknown database", "make that database, or check its name"),
    ("load plugin|Unsupported", "check the beginning of the URI, or install its driver"),
    ("404|405|JSON|HTML|Expecting value", "it is no MLflow server: check its address"),
)
"""What a library says, as a pattern, and what a person can do about it."""


def _remedy(uri: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        postgres = _kind(uri) == "postgresql"
        package = "'flatsweep[postgres]'" if postgres else error.name
        return f"install its driver (pip install {package})"
    said = (fix for pattern, fix in REMEDIES if re.search(pattern, str(error), re.IGNORECASE))
    return next(said, "check that it is there and reachable")


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
