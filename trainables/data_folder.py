"""The folder of the data sets, and which contents were prepared in it; found without torch."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainables.parse_json import parse_json

PREPARED_VERSION = 2
"""Raised when the layout of prepared files, or what is made of an image, changes: older folders are
then prepared anew."""


COPIES = {"cifar10": "CIFAR-10 (JPEG)"}
"""Folder of Parquet files -> what tables and figures call its images: of those that are not
bit-identical to the original's."""


def data_directory(directory: str | os.PathLike[str] | None = None) -> Path:
    """``directory``, or $FLATSWEEP_DATA, or ~/.cache/flatsweep/data."""
    chosen = directory or os.environ.get("FLATSWEEP_DATA") or Path("~/.cache/flatsweep/data")
    return Path(chosen).expanduser()


def copied(source: Mapping[str, Any]) -> str:
    """Whose copy a data set is, of `COPIES`; empty: of none.

    Args:
        source: Its name and options, as a configuration gives them.
    """
    folder = source.get("set", "cifar10")  # which the data set takes where none is given
    return COPIES.get(folder, "") if source["name"] == "parquet" else ""


def digest(content: Any) -> str:
    """SHA-256 of what JSON makes of ``content``."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def prepared_content(
    name: str, options: Mapping[str, Any], directory: Path
) -> tuple[Path, str] | None:
    """Where a data set is prepared, and the digest of its content as results have it.

    Args:
        options: All of the data set; those that the folder was not prepared by are of no account.
    """
    for folder, manifest in _prepared(name, options, directory):
        if "files" in manifest:
            return folder, digest(manifest["files"])[:16]
    return None


def prepared_notes(name: str, options: Mapping[str, Any], directory: Path) -> tuple[str, ...]:
    """What a person should know of how a data set was read when it was prepared.

    Args:
        options: As of `prepared_content`.
    """
    for _, manifest in _prepared(name, options, directory):
        notes = manifest.get("notes")
        return tuple(map(str, notes)) if isinstance(notes, list) else ()
    return ()


def _prepared(
    name: str, options: Mapping[str, Any], directory: Path
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folders in which a data set is prepared with these options, each with its manifest."""
    for file in _manifests(name, directory):
        try:
            manifest = parse_json(file.read_bytes())
            made_by, version = manifest["options"], manifest["version"]
            if version == PREPARED_VERSION and _agree(made_by, options):
                yield file.parent, manifest
        except (AttributeError, OSError, ValueError, LookupError, TypeError):
            continue  # damaged: who loads it says so


def _manifests(name: str, directory: Path) -> Iterator[Path]:
    prepared = directory / "prepared"
    for pattern in (f"{glob.escape(name)}-v*", f"{glob.escape(name)},*-v*"):
        yield from sorted(prepared.glob(f"{pattern}/manifest.json"))


def _agree(made_by: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether the options by which a set was prepared are among those of a trial."""
    return all(
        option in options and json.dumps(options[option]) == json.dumps(value)
        for option, value in made_by.items()
    )


__all__ = [
    "COPIES",
    "PREPARED_VERSION",
    "copied",
    "data_directory",
    "digest",
    "prepared_content",
    "prepared_notes",
]
