"""Other fields in some cells of NSO's artifacts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from search_spaces.spec import Override


def on(label: str, entries: Iterable[str], **fields: Any) -> tuple[Override, ...]:
    """``fields`` (with __ for .) in the cells with one of these entries under ``label``."""
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return tuple(Override({label: entry}, named) for entry in entries)


def everywhere(**fields: Any) -> tuple[Override, ...]:
    """``fields`` (with __ for .) in all cells."""
    return (Override({}, {name.replace("__", "."): value for name, value in fields.items()}),)
