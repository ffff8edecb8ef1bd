"""SQLite's pragmas are set when MLflow's store connects, and in none of its sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event, text

from sweep.record.connection import connect, sqlite_uri
from sweep.record.sqlite_sessions import PRAGMAS

ON = {"foreign_keys": 1, "busy_timeout": 20000}


def test_every_connection_has_the_settings_and_no_session_sets_them(tmp_path: Path) -> None:
    client = connect(sqlite_uri(tmp_path / "mlflow.db"))
    store = client._tracking_client.store
    said: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *call: said.append(call[2]))

    run = client.create_run("0").info.run_id
    client.log_metric(run, "test_error", 0.5)
    client.set_terminated(run)
    assert any(line.startswith("INSERT") for line in said)
    assert not [line for line in said if "PRAGMA" in line]

    store.engine.dispose()
    with store.ManagedSessionMaker() as session:
        for name, value in ON.items():
            assert session.execute(text(f"PRAGMA {name}")).scalar() == value
        # There is no asking for this one.
        assert session.execute(text("SELECT 'a' LIKE 'A'")).scalar() == 0


def test_they_are_the_settings_that_mlflow_itself_sets(tmp_path: Path) -> None:
    from mlflow.store.db import utils
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    engine = create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    with utils._get_managed_session_maker(sessionmaker(bind=engine), "sqlite")():
        pass
    assert said == [f"PRAGMA {pragma};" for pragma in PRAGMAS]


def test_a_store_is_set_up_once_however_often_it_is_opened(tmp_path: Path) -> None:
    uri = sqlite_uri(tmp_path / "mlflow.db")
    first, second = connect(uri), connect(uri)
    engine = second._tracking_client.store.engine
    assert first._tracking_client.store.engine is engine
    engine.dispose()
    said: list[str] = []

    def trace(connection: Any, record: object) -> None:
        connection.set_trace_callback(said.append)

    event.listen(engine, "connect", trace, insert=True)
    second.search_experiments()
    assert [line for line in said if "PRAGMA" in line] == [f"PRAGMA {p}" for p in PRAGMAS]
