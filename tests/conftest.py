"""For all tests: one thread a process, and one Ray for all that need it."""

from __future__ import annotations

import os

import pytest

# Before torch is imported: tests run side by side, and sums are ordered by thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a Ray run in one process (`pytest -n` with ``--dist loadgroup``)."""
    for item in items:
        if "ray_address" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("ray"))
