"""SQLite's settings once a connection, not in each of the sessions that MLflow opens.

MLflow opens a dozen sessions to write a trial and sets three pragmas in each: a fifth of what it
costs to track one. They hold for a connection as long as that lives. MLflow has no option for it,
so this reaches inside; where its inside looks different, all stays as MLflow made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

PRAGMAS = ("foreign_keys = ON", "busy_timeout = 20000", "case_sensitive_like = true")
"""MLflow's own."""


def set_once(client: MlflowClient) -> bool:
    """Have the client's SQLite store set its pragmas when it connects; whether that was possible.

    A store that has two engines (a replica to read from) is left alone.
    """
    from sqlalchemy import event
    from sqlalchemy.orm import sessionmaker

    try:
        from mlflow.store.db import utils

        store, sessions_of = client._tracking_client.store, utils._get_managed_session_maker
        engine, further = store.engine, store.read_engine
    except (ImportError, AttributeError):
        return False
    if further is not None or not hasattr(store, "ManagedSessionMaker"):
        return False
    if not event.contains(engine, "connect", _set):
        event.listen(engine, "connect", _set)
        engine.dispose()  # those that are open have what a session set; the next have it at once
    # Of any kind of database but SQLite MLflow sets nothing.
    store.ManagedSessionMaker = sessions_of(sessionmaker(bind=engine), "settled")  # type: ignore[no-untyped-call]
    return True


def _set(connection: Any, record: Any) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


__all__ = ["PRAGMAS", "set_once"]
