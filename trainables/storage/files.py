"""Where results, checkpoints and weights live: a folder, or any URI that fsspec opens.

A write is atomic: a reader sees the old file or the new one, never half of one.
On a local disk (or NFS) that is write, fsync, rename; object stores publish an
object only when its upload is complete.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import fsspec

from trainables.errors import FlatsweepError
from trainables.masking import has_secret, mask


class StorageError(FlatsweepError):
    """A path cannot be read or written; the message says which, and what to do."""


class Storage:
    """Files below ``root`` (a local path or a URI such as ``s3://bucket/prefix``)."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root).rstrip("/") or "/"
        if "://" not in self.root:
            self.root = str(Path(self.root).expanduser().resolve())
        try:
            self._fs, self._base = fsspec.core.url_to_fs(self.root)
        except (ImportError, ValueError) as error:
            raise _unusable(self.root, f"cannot be opened: {error}") from self._cause(error)
        self.local = "file" in _protocols(self._fs)

    def _cause(self, error: Exception) -> Exception | None:
        """The error that a traceback may show; None where the URI has a secret, as it may then."""
        return None if has_secret(self.root) else error

    def below(self, folder: str) -> Storage:
        """The storage whose root is ``folder`` in this one."""
        return Storage(f"{self.root}/{folder}")

    def path(self, name: str) -> str:
        """Where file ``name`` is, for the file system and for messages."""
        return f"{self._base}/{name}"

    def exists(self, name: str) -> bool:
        """Whether file ``name`` is there."""
        return bool(self._fs.exists(self.path(name)))

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError."""
        # Object stores cache listings; another process may have written since.
        self._fs.invalidate_cache()
        return bytes(self._fs.cat_file(self.path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write the file atomically, making folders as needed. Raises StorageError."""
        try:
            if self.local:
                _write_local(Path(self.path(name)), content)
            else:
                self._fs.pipe_file(self.path(name), content)
        except OSError as error:
            reason = f"cannot be written ({error.strerror or error})"
            remedy = "free it or name another with --storage"
            raise _unusable(self.root, f"{reason}; {remedy}") from self._cause(error)

    def delete(self, name: str) -> None:
        """Remove the file if it is there."""
        if self.exists(name):
            self._fs.rm_file(self.path(name))

    def names(self, pattern: str) -> list[str]:
        """Names of the files that match a glob below the root, sorted."""
        self._fs.invalidate_cache()
        prefix = len(self._base) + 1
        return sorted(path[prefix:] for path in self._fs.glob(self.path(pattern)))

    def check_writable(self) -> None:
        """Write and delete a small file, so that StorageError is raised before any work is done."""
        probe = f".probe-{uuid.uuid4().hex}"
        self.write(probe, b"")
        self.delete(probe)


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _unusable(root: str, what: str) -> StorageError:
    return StorageError(mask(f"storage {root!r} {what}", root))


def _write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make a rename survive a power cut (some network file systems refuse: then it is theirs)."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)
