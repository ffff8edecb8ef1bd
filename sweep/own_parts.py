"""Parts of a person's own, as the commands take them: also papers and formats of tables.

They come from installed packages that say so (entry points of the group `GROUP`), from the
environment (`VARIABLE`), from ``--import``, and from ``import:`` in a sweep's file. A module of
theirs may have, beside what it registers, ``PAPER``, a `search_spaces.spec.Paper`, and ``FORMATS``,
names of formats with the functions that write a `sweep.tables.Table` in them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import search_spaces
from trainables import own_parts
from trainables.errors import UsageError

GROUP = "flatsweep"
VARIABLE = "FLATSWEEP_IMPORT"
"""Files, folders and modules, separated as those of PATH are."""


def load(names: Iterable[str] = (), folder: Path = Path()) -> None:
    """Import ``names`` (`trainables.own_parts.load_parts`) and what every command imports.

    Args:
        folder: In which their relative paths begin.

    Raises:
        UsageError: there is no such file, folder or module, it fails, or a name is taken.
    """
    own_parts.load_modules(_installed())
    own_parts.load_parts(filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)))
    own_parts.load_parts(names, folder)
    search_spaces.add(own_parts.modules())
    formats()


@cache
def _installed() -> tuple[str, ...]:
    """Modules of installed packages, by their entry points."""
    return tuple(dict.fromkeys(point.module for point in metadata.entry_points(group=GROUP)))


def formats() -> dict[str, Callable[[Any], str]]:
    """The formats of tables that are a person's own, by name.

    Raises:
        UsageError: a name is taken.
    """
    found: dict[str, Callable[[Any], str]] = {}
    for module in own_parts.modules():
        for name, render in getattr(module, "FORMATS", {}).items():
            if name in found or name in BUILT_IN:
                raise UsageError(
                    f"{module.__file__}: there is a format of tables {name!r} already: give yours "
                    "another name"
                )
            found[name] = render
    return found


BUILT_IN = frozenset(
    path.stem for path in (Path(__file__).parent / "tables" / "formats").glob("[!_]*.py")
)
"""The formats of this package; known without importing one of them."""


__all__ = ["BUILT_IN", "GROUP", "VARIABLE", "formats", "load"]
