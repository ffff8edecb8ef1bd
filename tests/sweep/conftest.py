"""What every test of the sweep shares: one Ray for all of them, at ordinary priority."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.nodes import ENVIRONMENT, Nodes


@pytest.fixture(autouse=True, scope="session")
def _environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="session")
def ray_address(_environment: None) -> Iterator[str]:
    """A running Ray of two CPUs: starting one costs more than most tests."""
    with Nodes(cpus=2) as nodes:
        yield nodes.address
