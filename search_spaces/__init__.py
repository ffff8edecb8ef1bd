"""What can be reproduced: five papers and our own comparison, as pure data.

Every module of this package that defines ``PAPER`` is a publication; adding a
paper is adding a file. Neither torch nor ray is imported here.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from search_spaces.presets import PRESETS, apply
from search_spaces.spec import Artifact, Paper
from trainables.errors import UsageError, unknown


@cache
def papers() -> tuple[Paper, ...]:
    """Every publication of this package, in the order of the files' names."""
    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in _modules())
    return tuple(
        module.PAPER for module in modules if isinstance(getattr(module, "PAPER", None), Paper)
    )


def _modules() -> list[pkgutil.ModuleInfo]:
    return sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)


@cache
def artifacts() -> tuple[Artifact, ...]:
    """Every table and figure of every paper."""
    return tuple(artifact for paper in papers() for artifact in paper.artifacts)


def find(artifact_id: str) -> Artifact:
    """The artifact called ``paper/name``.

    Raises:
        UsageError: there is none; the message lists all, and the one with the nearest name.
    """
    known = {artifact.id: artifact for artifact in artifacts()}
    if artifact_id in known:
        return known[artifact_id]
    raise UsageError(unknown("artifact", artifact_id, known))


__all__ = ["PRESETS", "apply", "artifacts", "find", "papers"]
