"""What is in a prepared folder: its name, its manifest, and its files' checksums."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trainables.data.base import DataError
from trainables.data_folder import PREPARED_VERSION, digest
from trainables.parse_json import parse_json

VERSION = PREPARED_VERSION


def folder_name(name: str, options: Mapping[str, Any]) -> str:
    """Of data set ``name`` prepared with ``options``: no two have the same, as no option's value
    holds a comma. Options that are None are left out."""
    chosen = (f",{key}={_plain(value)}" for key, value in options.items() if value is not None)
    return f"{name}{''.join(chosen)}-v{VERSION}"


def _plain(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of prepared folder ``path``. Raises DataError if it is damaged."""
    file = path / "manifest.json"
    try:
        manifest = parse_json(file.read_bytes())
        expected = manifest.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise damaged(file, str(error) or type(error).__name__) from None
    if digest(manifest) != expected:
        raise damaged(file, "its checksum does not match")
    if wrong := _wrong_form(manifest):
        raise damaged(file, wrong)
    if folder_name(manifest["name"], manifest["options"]) != path.name.lstrip("."):
        raise damaged(file, f"it is of {manifest['name']!r} with {manifest['options']}")
    return dict(manifest)


_FORM: dict[str, tuple[type, ...]] = {
    "version": (int,), "name": (str,), "options": (dict,), "originals": (dict,),
    "source": (str,), "class_names": (list, str), "mean": (list, int, float),
    "std": (list, int, float), "splits": (dict, list), "files": (dict, dict),
    "notes": (list, str),
}  # fmt: skip
"""Of each entry its type, and the types of what is in it."""
_FACTS = {"bytes": int, "sha256": str}


def _wrong_form(manifest: Mapping[str, Any]) -> str:
    """Why this cannot be a manifest; "" if it can."""
    for name, (kind, *inside) in _FORM.items():
        value: Any = manifest.get(name)
        if not isinstance(value, kind):
            return f"its {name} is {value!r}"
        if inside and not all(isinstance(item, tuple(inside)) for item in _items(value)):
            return f"its {name} are {value!r}"
    for name, files in (("files", manifest["files"]), ("originals", manifest["originals"])):
        for file, facts in files.items():
            kinds = _FACTS | ({"mtime_ns": int} if name == "originals" else {})
            if not isinstance(facts, dict) or any(
                not isinstance(facts.get(fact), kind) for fact, kind in kinds.items()
            ):
                return f"of {file} it has {facts!r}"
    splits, kinds_of_file = manifest["splits"], ("inputs", "targets")
    parts = {f"{split}.{kind}.npy" for split in splits for kind in kinds_of_file}
    if parts != set(manifest["files"]) or "train" not in splits:
        return f"its splits are {sorted(splits)}"
    return ""


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


_verified: set[tuple[str, int, int, int]] = set()
"""Path, inode, size and time of the files that this process has compared with their checksums."""


def verify_once(path: Path, manifest: Mapping[str, Any]) -> None:
    """Compare the files in ``path`` with their checksums, unless this process has done so.

    Raises DataError naming the first that does not match.
    """
    for file, record in manifest["files"].items():
        found = _stat(path / file)
        if found.st_size != record["bytes"]:
            raise damaged(
                path / file, f"it has {found.st_size} bytes rather than {record['bytes']}"
            )
        seen = (str(path / file), found.st_ino, found.st_size, found.st_mtime_ns)
        if seen not in _verified:
            _check(path / file, record["sha256"])
            _verified.add(seen)


def _stat(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except OSError as error:
        raise damaged(file, error.strerror or str(error)) from None


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``manifest.json`` atomically, with its own checksum."""
    temporary = folder / f".manifest.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as handle:
        json.dump({**manifest, "sha256": digest(manifest)}, handle, indent=1)
        flush(handle)
    temporary.replace(folder / "manifest.json")


def flush(handle: Any) -> None:
    """Force what was written to disk."""
    handle.flush()
    os.fsync(handle.fileno())


def flush_folder(path: Path) -> None:
    """Force the names in a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def damaged(file: Path, how: str) -> DataError:
    """The error that prepared ``file`` is not as it was written."""
    return DataError(
        f"prepared file {file} is damaged ({how}): remove the folder {file.parent} "
        "and prepare the data set again"
    )


def verify(path: Path) -> list[str]:
    """The names of the prepared files in ``path``, each checked against its SHA-256.

    Raises:
        DataError: naming the first file that does not match.
    """
    manifest = read_manifest(path)
    for file, record in manifest["files"].items():
        _check(path / file, record["sha256"])
    return list(manifest["files"])


def _check(file: Path, expected: str) -> None:
    try:
        with open(file, "rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise damaged(file, error.strerror or str(error)) from None
    if found != expected:
        raise damaged(file, "its checksum does not match")
