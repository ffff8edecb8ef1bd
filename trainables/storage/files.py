"""Where results, checkpoints and weights live: a folder, or any URI that fsspec opens.

A write is atomic: a reader sees the old file or the new one, never half of one.
On a local disk (or NFS) that is write, fsync, rename; object stores publish an
object only when its upload is complete.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from trainables.deadline import ANSWER_SECONDS, NoAnswerError, in_time
from trainables.errors import FlatsweepError
from trainables.masking import has_secret, mask

T = TypeVar("T")

HALF_WRITTEN = re.compile(r"\..+\.[0-9a-f]{32}\.tmp|\.probe-[0-9a-f]{32}")
"""Name of a file that is being written (`replacing`, `Storage.check_writable`), or whose writer was
killed."""

SET_ASIDE = re.compile(r".+\.bad-[0-9a-f]{8}\..+")
"""Name of a file that `Storage.set_aside` has kept."""


class StorageError(FlatsweepError):
    """A path cannot be read or written; the message says which, and what to do."""


class Storage:
    """Files below ``root`` (a local path or a URI such as ``s3://bucket/prefix``).

    A local path is taken as it is, whatever characters it has. What cannot be read, written or
    reached is a `StorageError` with the path.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root).rstrip("/") or "/"
        if "://" not in self.root:
            self.root = str(Path(self.root).expanduser().resolve())
            self.local = True
            self._fs, self._base = LocalFileSystem(), self.root
        else:
            self.local = False
            with self._said("opened"):
                self._fs, self._base = self._in_time(lambda: fsspec.core.url_to_fs(self.root))
            self.local = "file" in _protocols(self._fs)  # file:// and local://

    @contextlib.contextmanager
    def _said(self, done: str, name: str = "") -> Iterator[None]:
        """Within, something is ``done`` to a file: whatever a store raises becomes one sentence."""
        try:
            yield
        except StorageError:
            raise
        except Exception as error:
            if done == "read" and isinstance(error, FileNotFoundError):
                raise
            if self.local and not isinstance(error, OSError):  # other stores raise what they like
                raise
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            reason = " ".join(reason.split())[:200]
            cause = None if has_secret(self.root) else error  # a traceback would show it
            raise self._unusable(f"cannot be {done} ({reason})", name) from cause

    def _unusable(self, what: str, name: str) -> StorageError:
        where = f"{self.root}/{name}" if name else self.root
        remedy = "free it or name another with --storage"
        return StorageError(mask(f"storage {where!r} {what}; {remedy}", self.root))

    def _in_time(self, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises; StorageError if it takes `ANSWER_SECONDS`."""
        try:
            return in_time(call, ANSWER_SECONDS)
        except NoAnswerError:
            raise self._unusable(f"does not answer within {ANSWER_SECONDS:g} s", "") from None

    def below(self, folder: str) -> Storage:
        """The storage whose root is ``folder`` in this one."""
        return Storage(f"{self.root}/{folder}")

    def path(self, name: str) -> str:
        """Where file ``name`` is, for the file system and for messages."""
        return f"{self._base}/{name}"

    def exists(self, name: str) -> bool:
        """Whether file ``name`` is there."""
        with self._said("read", name):
            return bool(self._fs.exists(self.path(name)))

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError if there is none."""
        with self._said("read", name):
            # Object stores cache listings; another process may have written since.
            self._fs.invalidate_cache()
            return bytes(self._fs.cat_file(self.path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write the file atomically, making folders as needed."""
        with self._said("written", name):
            self._put(name, content)

    def _put(self, name: str, content: bytes) -> None:
        if self.local:
            _write_local(Path(self.path(name)), content)
        else:
            self._fs.pipe_file(self.path(name), content)

    def delete(self, name: str) -> None:
        """Remove the file if it is there."""
        with self._said("removed", name), contextlib.suppress(FileNotFoundError):
            if self.exists(name):
                self._fs.rm_file(self.path(name))

    def set_aside(self, name: str, content: bytes) -> str:
        """Keep the file, whose ``content`` is given, under another name; returns its path."""
        stem, _, suffix = name.rpartition(".")
        aside = f"{stem}.bad-{hashlib.sha256(content).hexdigest()[:8]}.{suffix}"
        self.write(aside, content)
        self.delete(name)
        return self.path(aside)

    def names(self, pattern: str) -> list[str]:
        """Names of the files that match a glob below the root, sorted.

        Only ``pattern`` is a glob: the root may have brackets, stars and question marks.
        """
        fixed, _, _ = pattern.rpartition("/") if "*" not in pattern else pattern.partition("*")
        with self._said("listed"):
            if self.local:
                return sorted(
                    p.relative_to(self._base).as_posix() for p in Path(self._base).glob(pattern)
                )
            self._fs.invalidate_cache()
            prefix, deep = len(self._base) + 1, pattern.count("/") - fixed.count("/") + 1
            found = self._fs.find(self.path(fixed).rstrip("/"), maxdepth=deep)
            return sorted(path[prefix:] for path in found if _matches(path[prefix:], pattern))

    def size(self, name: str) -> int:
        """Bytes of the file."""
        with self._said("read", name):
            return int(self._fs.size(self.path(name)) or 0)

    def age(self, name: str) -> float:
        """Seconds since the file was written."""
        with self._said("read", name):
            written = self._fs.modified(self.path(name))
            return time.time() - float(written.timestamp())

    def check_writable(self) -> None:
        """Write and delete a small file, so that StorageError is raised before any work is done.

        A store that does not answer is left after `ANSWER_SECONDS`.
        """
        probe = f".probe-{uuid.uuid4().hex}"
        with self._said("written"):
            self._in_time(lambda: self._probe(probe))

    def _probe(self, name: str) -> None:
        self._put(name, b"")
        self._fs.rm_file(self.path(name))


def _matches(name: str, pattern: str) -> bool:
    """Whether ``name`` matches part by part: a star stands for no slash."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Within, write the file that is given: at the end it takes the place of ``path``, at once.

    Where that fails, ``path`` is as it was and nothing is left beside it.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
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
