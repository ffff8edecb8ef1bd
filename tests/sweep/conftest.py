"""What every test of the sweep shares."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray lowers its workers' priority, which starves them when other tests run beside them."""
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
