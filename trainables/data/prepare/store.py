"""Prepared data sets: decoded once into memory-mapped uint8 files, then read in milliseconds.

A prepared set is a folder ``<data directory>/prepared/<key>-v<version>`` with
``<split>.inputs.npy`` (N, C, H, W), ``<split>.targets.npy`` (N,) and
``manifest.json`` (sizes and SHA-256 of each file). It is built under a
temporary name, flushed to disk and renamed, under a file lock: whoever finds
the folder finds it whole, and several processes may ask for it at once. The
originals are not needed afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from trainables.data.base import DataError, Dataset, Images, channel_statistics

VERSION = 1
"""Raised when the layout of prepared files changes: older folders are then prepared anew."""


@dataclass(frozen=True)
class RawSplit:
    """One split of a data set as it is read from the publisher's files.

    Attributes:
        shape: (N, C, H, W), known before anything is decoded.
        targets: N class labels.
        chunks: The images, uint8 (n, C, H, W) at a time.
    """

    shape: tuple[int, int, int, int]
    targets: np.ndarray
    chunks: Iterable[np.ndarray]


@dataclass(frozen=True)
class Raw:
    """A data set as its publisher's files have it, read lazily.

    Attributes:
        parts: By split: ``train`` and, where published, ``validation`` and ``test``.
        class_names: In label order.
        source: What a table's footnote calls it.
        files: The publisher's files, for the record of what was prepared.
    """

    parts: Mapping[str, RawSplit]
    class_names: tuple[str, ...]
    source: str
    files: tuple[Path, ...] = ()


ProgressCallback = Callable[[str, int, int], None]
"""Called as report(split, images done, images in all) while a set is prepared."""

_report: ContextVar[ProgressCallback | None] = ContextVar("report", default=None)


@contextlib.contextmanager
def reporting(report: ProgressCallback) -> Iterator[None]:
    """Within the block, call ``report`` with the progress of every preparation."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


def prepared_folder(directory: Path, key: str) -> Path:
    """The folder in which data set ``key`` is, or will be, prepared."""
    return directory / "prepared" / f"{key}-v{VERSION}"


def is_prepared(directory: Path, key: str) -> bool:
    """Whether data set ``key`` has been prepared in ``directory``: its manifest is written last."""
    return (prepared_folder(directory, key) / "manifest.json").is_file()


def prepared(directory: Path, key: str, name: str, read: Callable[[], Raw]) -> Dataset:
    """Data set ``key`` from its prepared folder, which is made from ``read()`` if it is not there.

    Args:
        directory: The data directory.
        key: Name of the folder: the data set and the options that change its content.
        name: The data set's registered name.
        read: Reads the publisher's files.

    Raises:
        DataError: originals missing or damaged, the directory not writable, the disk full,
            or prepared files damaged.
    """
    if not is_prepared(directory, key):
        prepare(directory, key, name, read)
    return _open(prepared_folder(directory, key), name)


def prepare(directory: Path, key: str, name: str, read: Callable[[], Raw]) -> None:
    """Decode and write data set ``key``, unless another process has done so meanwhile."""
    target = prepared_folder(directory, key)
    try:
        raw = read()  # before anything is written: most complaints are about the originals
    except OSError as error:
        raise DataError(
            f"{error.filename or directory} cannot be read ({error.strerror or error}): "
            "correct that, or name another data directory"
        ) from None
    with _writable(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / f".{target.name}.lock"):
            if is_prepared(directory, key):
                return
            _remove_leftovers(target)
            building = target.parent / f".{target.name}.{os.getpid()}"
            building.mkdir()
            try:
                _write(building, name, raw)
                building.rename(target)
                _flush_folder(target.parent)
            finally:
                shutil.rmtree(building, ignore_errors=True)


def _remove_leftovers(target: Path) -> None:
    """Remove what a killed process left behind; the lock is held, so nobody is at work on it."""
    for left in target.parent.glob(f".{target.name}.*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
    if target.is_dir():  # a folder without a manifest was never finished
        shutil.rmtree(target)


@contextlib.contextmanager
def _writable(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "the disk is full; free some space, or name another data directory"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            remedy = "it is not writable; make it so, or name another data directory"
        else:
            remedy = f"{error.strerror or error}; correct that, or name another data directory"
        raise DataError(f"cannot prepare {target.name!r} in {target.parent}: {remedy}") from None


def _write(building: Path, name: str, raw: Raw) -> None:
    splits = {}
    files = {}
    for split, part in raw.parts.items():
        inputs, targets = f"{split}.inputs.npy", f"{split}.targets.npy"
        files[inputs] = _write_images(building / inputs, split, part)
        files[targets] = _write_array(building / targets, part.targets.astype(np.int64))
        splits[split] = list(part.shape)
    pixels = torch.from_numpy(np.load(building / "train.inputs.npy", mmap_mode="c"))
    mean, std = channel_statistics(pixels)
    manifest = {
        "version": VERSION,
        "name": name,
        "source": raw.source,
        "class_names": list(raw.class_names),
        "mean": mean,
        "std": std,
        "splits": splits,
        "files": files,
        "originals": {file.name: file.stat().st_size for file in raw.files},
    }
    with open(building / "manifest.json", "w") as handle:
        json.dump(manifest, handle, indent=1)
        _flush(handle)
    _flush_folder(building)


def _write_images(path: Path, split: str, part: RawSplit) -> dict[str, Any]:
    """With write(), not through a memory map: a full disk is then an error, not a crash."""
    done, report = 0, _report.get()
    with _Hashed(path) as out:
        out.header(part.shape, np.dtype(np.uint8))
        for chunk in part.chunks:
            if chunk.shape[1:] != part.shape[1:] or chunk.dtype != np.uint8:
                raise ValueError(f"chunk {chunk.shape} {chunk.dtype} of split {part.shape}")
            out.write(np.ascontiguousarray(chunk).data)
            done += len(chunk)
            if report is not None:
                report(split, done, part.shape[0])
    if done != part.shape[0]:
        raise ValueError(f"{done} images written, {part.shape[0]} announced")
    return out.record


def _write_array(path: Path, array: np.ndarray) -> dict[str, Any]:
    with _Hashed(path) as out:
        out.header(array.shape, array.dtype)
        out.write(np.ascontiguousarray(array).data)
    return out.record


class _Hashed:
    """A file written in order, with its SHA-256 and size known at the end."""

    def __init__(self, path: Path) -> None:
        self._digest = hashlib.sha256()
        self._file = open(path, "wb")  # noqa: SIM115
        self._size = 0
        self.record: dict[str, Any] = {}

    def __enter__(self) -> _Hashed:
        return self

    def header(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        fields = {
            "shape": shape,
            "fortran_order": False,
            "descr": np.lib.format.dtype_to_descr(dtype),
        }
        np.lib.format.write_array_header_1_0(self, fields)

    def write(self, data: Any) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += memoryview(data).nbytes

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                _flush(self._file)
                self.record = {"sha256": self._digest.hexdigest(), "bytes": self._size}
        finally:
            with contextlib.suppress(OSError):  # the first error is the one to report
                self._file.close()


def _flush(handle: Any) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, name: str) -> Dataset:
    manifest = read_manifest(path)
    images = {split: _images(path, split, manifest) for split in manifest["splits"]}
    digest = hashlib.sha256(json.dumps(manifest["files"], sort_keys=True).encode())
    return Dataset(
        name=name,
        train=images["train"],
        validation=images.get("validation"),
        test=images.get("test"),
        num_classes=len(manifest["class_names"]),
        mean=tuple(manifest["mean"]),
        std=tuple(manifest["std"]),
        class_names=tuple(manifest["class_names"]),
        source=manifest["source"],
        fingerprint=digest.hexdigest(),
    )


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of prepared folder ``path``. Raises DataError if it is damaged."""
    try:
        manifest = json.loads((path / "manifest.json").read_text())
        for key in ("name", "files", "splits", "class_names", "mean", "std", "source"):
            manifest[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path / "manifest.json", str(error) or type(error).__name__) from None
    return manifest


def _images(path: Path, split: str, manifest: Mapping[str, Any]) -> Images:
    arrays = []
    for file in (path / f"{split}.inputs.npy", path / f"{split}.targets.npy"):
        size, expected = _size(file), manifest["files"][file.name]["bytes"]
        if size != expected:
            raise _damaged(file, f"it has {size} bytes rather than {expected}")
        try:
            arrays.append(np.load(file, mmap_mode="c"))  # copy on write: never written back
        except (OSError, ValueError) as error:
            raise _damaged(file, str(error)) from None
    pixels, targets = arrays
    return Images(torch.from_numpy(pixels), torch.from_numpy(np.array(targets)))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _damaged(file: Path, how: str) -> DataError:
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
        try:
            with open(path / file, "rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            raise _damaged(path / file, error.strerror or str(error)) from None
        if digest != record["sha256"]:
            raise _damaged(path / file, "its checksum does not match")
    return list(manifest["files"])


__all__ = [
    "ProgressCallback",
    "Raw",
    "RawSplit",
    "is_prepared",
    "prepare",
    "prepared",
    "prepared_folder",
    "reporting",
    "verify",
]
