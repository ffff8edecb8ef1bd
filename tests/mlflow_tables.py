"""MLflow's tables are made once by MLflow itself, in some fifty migrations, and then copied.

A database of one's own costs a test two seconds otherwise, and most of those that run a sweep need
one. Processes that a test starts make theirs as a user's do.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

NAME = "empty-mlflow.db"


def copy_from_now_on(folder: Path) -> None:
    """Whatever makes MLflow's tables in this process copies them from a database in ``folder``.

    Nothing is imported for it: as long as MLflow is not, there is nothing to do.
    """
    utils = sys.modules.get("mlflow.store.db.utils")
    if utils is None or getattr(utils._initialize_tables, "copies", False):
        return
    original: Callable[[Engine], None] = utils._initialize_tables

    def initialize(engine: Engine) -> None:
        if engine.dialect.name != "sqlite" or not engine.url.database:
            original(engine)
        elif (folder / NAME).exists():
            _copy(folder / NAME, Path(engine.url.database))
        else:
            original(engine)
            _keep(Path(engine.url.database), folder / NAME)

    initialize.copies = True  # type: ignore[attr-defined]
    utils._initialize_tables = initialize  # type: ignore[attr-defined]
    # Which migration is the last one: all of them are loaded anew for every store that is opened.
    utils._get_latest_schema_revision = cache(utils._get_latest_schema_revision)  # type: ignore[attr-defined]


def _keep(database: Path, at: Path) -> None:
    """At once, as tests run side by side."""
    at.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=at.parent)
    os.close(handle)
    _copy(database, Path(name))
    os.replace(name, at)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
