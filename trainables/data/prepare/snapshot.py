"""What originals were when something was prepared from them, and whether they still are that."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trainables.data.base import DataError

Snapshot = Mapping[str, Mapping[str, Any]]
"""By path below the data directory: ``bytes``, ``mtime_ns`` and ``sha256`` of each file."""


def take(files: Iterable[Path], directory: Path) -> Snapshot:
    """Size, time and SHA-256 of each file. Raises DataError naming one that cannot be read."""
    taken = {}
    for file in files:
        found = _facts(file)
        if found is None:
            raise DataError(f"{file} is missing: fetch the data set again, or restore that file")
        taken[os.path.relpath(file, directory)] = found | {"sha256": _sha256(file)}
    return taken


def difference(before: Snapshot, files: Iterable[Path], directory: Path) -> str:
    """How ``files`` differ in names or content from those of which ``before`` was taken.

    Only a file of the same size and another time is read.

    Returns:
        A clause that counts them and names the first; "" if they are the same.
    """
    now = {os.path.relpath(file, directory): file for file in files}
    added = [name for name in now if name not in before]
    gone = [name for name in before if name not in now or not now[name].is_file()]
    changed = [
        name
        for name, file in now.items()
        if name in before and name not in gone and _changed(before[name], file)
    ]
    clauses = [
        f"{len(names)} of its files {'was' if len(names) == 1 else 'were'} {what} ({names[0]}"
        + (", ...)" if len(names) > 1 else ")")
        for names, what in ((added, "added"), (gone, "removed"), (changed, "changed"))
        if names
    ]
    return ", ".join(clauses)


def renewed(before: Snapshot, directory: Path) -> Snapshot | None:
    """``before`` with the times that the files have now, if these are others; else None."""
    now = {name: dict(facts) | (_facts(directory / name) or {}) for name, facts in before.items()}
    return now if now != before else None


def _facts(file: Path) -> dict[str, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def _changed(before: Mapping[str, Any], file: Path) -> bool:
    now = _facts(file) or {}
    if now.get("bytes") != before["bytes"]:
        return True
    return now["mtime_ns"] != before["mtime_ns"] and _sha256(file) != before["sha256"]


def _sha256(file: Path) -> str:
    try:
        with open(file, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): correct that") from None
