"""Files that are attached to runs: beside a SQLite database, also after that was moved."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from sweep.record.connection import database
from sweep.record.experiments import PREFIX

FOLDER = "mlartifacts"
"""Beside a SQLite database. A server has a place of its own."""


def location(store: str, paper: str) -> str | None:
    """URI of where the files of a paper's runs are; None: the server at ``store`` decides."""
    file = database(store)
    return (file.parent / FOLDER / PREFIX / paper).resolve().as_uri() if file else None


def attach(store: str, artifacts: str, name: str, content: bytes) -> None:
    """Attach a file to a run. Raises whatever the place of its files does.

    Args:
        store: URI of the tracking store.
        artifacts: URI of the run's files, as the store has it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        # The client's `log_artifact` would look the run up, to know where its files are.
        _files(store, _beside(store, artifacts)).log_artifact(str(path))


def read(store: str, artifacts: str, name: str) -> bytes | None:
    """The content of an attached file; None: it cannot be had."""
    for place in dict.fromkeys((_beside(store, artifacts), artifacts)):
        try:
            with tempfile.TemporaryDirectory() as folder:
                return Path(_files(store, place).download_artifacts(name, folder)).read_bytes()
        except Exception:
            continue
    return None


def _files(store: str, artifacts: str) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(artifacts, tracking_uri=store)


def _beside(store: str, artifacts: str) -> str:
    """``artifacts`` beside the database as it lies now: MLflow keeps the path of where it was."""
    file = database(store)
    _, ours, below = artifacts.rpartition(f"/{FOLDER}/")
    return f"{(file.parent / FOLDER).resolve().as_uri()}/{below}" if file and ours else artifacts


__all__ = ["FOLDER", "attach", "location", "read"]
