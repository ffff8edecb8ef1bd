"""What tests of the sweep share: one Ray for all that need it, at ordinary priority."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import search_spaces
from search_spaces.spec import Artifact, Paper
from sweep.ray_executor import RayExecutor
from tests.nodes import ENVIRONMENT, Nodes
from tests.sweep.cases import TINY


@pytest.fixture(autouse=True, scope="session")
def _environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        # A server that is down is asked as often as ever, and nobody waits in between.
        patch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        patch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
        yield


@pytest.fixture(scope="session")
def ray_address(_environment: None) -> Iterator[str]:
    """A running Ray of two CPUs: starting one costs more than most tests."""
    with Nodes(cpus=2) as nodes:
        yield nodes.address


@pytest.fixture(scope="session")
def by_ray(ray_address: str) -> RayExecutor:
    """Where Ray is what is tested; `cases.sweep` needs no executor elsewhere."""
    return RayExecutor(ray_address)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> None:
    """TINY is among the known artifacts."""
    paper = Paper("test", "a test", "nowhere", (TINY,))
    everything = (*search_spaces.papers(), paper)
    monkeypatch.setattr(search_spaces, "papers", lambda: everything)
    known: tuple[Artifact, ...] = (*search_spaces.artifacts(), TINY)
    monkeypatch.setattr(search_spaces, "artifacts", lambda: known)
