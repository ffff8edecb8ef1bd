"""What can be reproduced: five papers and our own comparison, as pure data.

Every module of this package that defines ``PAPER`` is a publication; adding a
paper is adding a file. Neither torch nor ray is imported here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from types import ModuleType

from search_spaces.presets import PRESETS, apply
from search_spaces.spec import Artifact, Paper
from trainables.errors import UsageError, unknown

_own: list[Paper] = []


@cache
def papers() -> tuple[Paper, ...]:
    """Every publication of this package, in the order of the files' names, then people's own."""
    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in _modules())
    return (*_of(modules), *_own)


def _modules() -> list[pkgutil.ModuleInfo]:
    return sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)


def _of(modules: Iterable[ModuleType]) -> list[Paper]:
    found = (getattr(module, "PAPER", None) for module in modules)
    return [paper for paper in found if isinstance(paper, Paper)]


def add(modules: Iterable[ModuleType]) -> None:
    """Let the papers of ``modules``, and of no others beside this package, be people's own.

    Raises:
        UsageError: two papers have one key.
    """
    found = _of(modules)
    if found == _own:
        return
    _own.clear()
    papers.cache_clear()
    artifacts.cache_clear()
    taken = {paper.key for paper in papers()}
    for paper in found:
        if paper.key in taken:
            raise UsageError(f"there is a paper {paper.key!r} already: give yours another key")
        taken.add(paper.key)
    _own.extend(found)
    papers.cache_clear()


@cache
def artifacts() -> tuple[Artifact, ...]:
    """Every table and figure of every paper."""
    return tuple(artifact for paper in papers() for artifact in paper.artifacts)


def own_artifacts() -> list[Artifact]:
    """Those of people's own papers."""
    return [artifact for paper in _own for artifact in paper.artifacts]


def paper_of(name: str) -> Paper | None:
    """The paper of this name; None: it names something else."""
    return next((paper for paper in papers() if paper.key == name), None)


def names() -> list[str]:
    """Of every paper, then of every table and figure."""
    return [*(paper.key for paper in papers()), *(artifact.id for artifact in artifacts())]


def find(artifact_id: str) -> Artifact:
    """The artifact called ``paper/name``.

    Raises:
        UsageError: there is none; the message lists all names, and the nearest, or those of the
            paper that is called so.
    """
    known = {artifact.id: artifact for artifact in artifacts()}
    if artifact_id in known:
        return known[artifact_id]
    if paper := paper_of(artifact_id):
        listed = ", ".join(artifact.id for artifact in paper.artifacts)
        raise UsageError(
            f"{artifact_id} is a whole paper; name one of its tables and figures: {listed}"
        )
    what = "artifact" if "/" in artifact_id else "paper or artifact"
    raise UsageError(unknown(what, artifact_id, names()))


__all__ = [
    "PRESETS",
    "add",
    "apply",
    "artifacts",
    "find",
    "names",
    "own_artifacts",
    "paper_of",
    "papers",
]
