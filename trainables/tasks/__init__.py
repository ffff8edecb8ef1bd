"""Tasks by name: what a configuration's ``loss`` names.

    task = tasks.get("cross_entropy")
    value = task(model(inputs), targets)    # 0-d, the mean over the batch

Importing the package imports every file in it, so that adding a task is adding a file.
"""

from __future__ import annotations

from trainables.registry import import_all
from trainables.tasks.base import Task, registry

import_all(__name__)


def names() -> list[str]:
    """Every registered task."""
    return registry.names()


def get(name: str) -> Task:
    """Task ``name``. Raises UsageError that lists the known names."""
    task: Task = registry.build(name)
    return task


__all__ = ["Task", "get", "names", "registry"]
