"""For all tests: one thread a process, the same random numbers, one Ray at a time.

The last lines of a run name the tests that were skipped, and what they need.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mlflow_tables import copy_from_now_on

if TYPE_CHECKING:
    from tests.trainables.data.originals import Originals

# Before torch is imported: tests run side by side, and sums are ordered by thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# As a command sets it before it imports MLflow: here another test may have imported it already.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")

# With all of torch, Ray and MLflow in memory, looking for cycles after every 700 new objects is a
# tenth of the time.
gc.set_threshold(20_000, 10, 10)

# One for all processes of a run, the commands that they start among them; not the user's own.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="flatsweep-cache-")
    os.environ["FLATSWEEP_CACHE"] = _cache.name


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Which tests run one after the other in one process of `pytest -n` with ``--dist loadgroup``.

    Those that use Ray (mark ``ray``, or its fixture), as they share a Ray, and two that start at
    once on a busy machine give up on their processes; and those of a file that share what it sets
    up once, which each process would set up again. First of all it is seen whether Ray's private
    names are where they were: if not, much else fails.
    """
    items.sort(key=lambda item: item.path.stem != "test_ray_private")
    for item in items:
        if "ray_address" in getattr(item, "fixturenames", ()) or item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("ray"))
        elif _shares_its_files_setup(item) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _shares_its_files_setup(item: pytest.Item) -> bool:
    known = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    return any(fixture.scope == "module" for found in known.values() for fixture in found)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: that with the tests of Ray mostly waits for Ray's own."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.fixture
def originals(monkeypatch: pytest.MonkeyPatch) -> Iterator[Originals]:
    """Makes small originals of every data set; afterwards nothing of them is remembered."""
    from tests.trainables.data.originals import Originals
    from trainables import data

    data.forget()
    yield Originals(monkeypatch)
    data.forget()


@pytest.fixture(autouse=True)
def empty_databases() -> None:
    """Those of MLflow are copies of one, which the first test that needs one makes."""
    copy_from_now_on(Path(os.environ["FLATSWEEP_CACHE"]))


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """What a test draws without a seed of its own does not depend on the tests before it."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which tests were skipped, by what they need (`tests/needs.py`)."""
    wanting: dict[str, list[str]] = {}
    for report in terminalreporter.getreports("skipped"):
        _, _, reason = report.longrepr
        wanting.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    if wanting:
        terminalreporter.write_line("skipped, for want of")
    for reason, tests in sorted(wanting.items()):
        terminalreporter.write_line(f"  {reason} ({len(tests)})")
        terminalreporter.write_line(f"    {' '.join(sorted(tests))}")
