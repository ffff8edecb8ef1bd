"""Prepared data sets: decoded once into memory-mapped uint8 files, then read in milliseconds.

A prepared set is a folder ``<data directory>/prepared/<name>,<option>=<value>...-v<version>`` with
``<split>.inputs.npy`` (N, C, H, W), ``<split>.targets.npy`` (N,) and
``manifest.json`` (sizes and SHA-256 of each file, of what it was made of, and of itself). It is
built under a temporary name, flushed to disk and renamed, under a file lock: whoever finds the
folder finds it whole, and several processes may ask for it at once. The originals are not needed
afterwards; where they are there and are others than those it was made of, it is made anew.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from trainables.data.base import (
    DataError,
    Dataset,
    Images,
    MissingDataError,
    about,
    channel_statistics,
)
from trainables.data.prepare import snapshot
from trainables.data.prepare.manifest import (
    VERSION,
    damaged,
    digest,
    flush,
    flush_folder,
    folder_name,
    read_manifest,
    verify_once,
    write_manifest,
)


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
        files: The publisher's files that it is read from.
        notes: What a person should know of how it was read, in sentences.
    """

    parts: Mapping[str, RawSplit]
    class_names: tuple[str, ...]
    source: str
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


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


def prepared_folder(directory: Path, name: str, **options: Any) -> Path:
    """The folder in which data set ``name`` with these options is, or will be, prepared."""
    return directory / "prepared" / folder_name(name, options)


def is_prepared(folder: Path) -> bool:
    """Whether a data set has been prepared in ``folder``: its manifest is written last."""
    return (folder / "manifest.json").is_file()


def prepared(directory: Path, name: str, read: Callable[[], Raw], **options: Any) -> Dataset:
    """A data set from its prepared folder, which is made from ``read()`` if it is not there, or was
    made from originals that are not those that are there now.

    Args:
        directory: The data directory.
        name: The data set's registered name; its `About.files` lists the originals.
        read: Reads the publisher's files.
        options: Those that decide the content.

    Raises:
        DataError: originals missing or damaged, the directory not writable, the disk full,
            or prepared files damaged.
    """
    folder, changed = prepared_folder(directory, name, **options), ""
    if is_prepared(folder) and not (changed := changes(folder, directory, renew=True)):
        return open_prepared(folder)
    try:
        prepare(directory, name, read, **options)
    except DataError as error:
        if changed:
            raise DataError(
                f"{error} (since {name!r} was prepared, {changed}: restore that; the copy that was "
                "prepared is used only where all of the originals are gone)"
            ) from None
        raise
    dataset = open_prepared(folder)
    note = (f"{name!r} was prepared anew: {changed}",) if changed else ()
    return replace(dataset, notes=(*dataset.notes, *note))


def changes(folder: Path, directory: Path, renew: bool = False) -> str:
    """How the originals in ``directory`` differ from those that ``folder`` was prepared from.

    Args:
        renew: Where times alone differ, as after a copy, note the new ones: files are then not
            compared byte by byte again.

    Returns:
        A clause; "" if they do not, or are gone. Raises DataError for a damaged manifest.
    """
    manifest = read_manifest(folder)
    try:
        files = _originals(manifest["name"], directory, manifest["options"])
    except MissingDataError:
        return ""
    except DataError:
        return "its files have changed"  # so that they cannot be listed: reading them says how
    found = snapshot.difference(manifest["originals"], files, directory)
    times = snapshot.renewed(manifest["originals"], directory) if renew and not found else None
    if times is not None:
        with contextlib.suppress(OSError):  # where nothing can be written, it is compared again
            write_manifest(folder, {**manifest, "originals": times})
    return found


def _originals(name: str, directory: Path, options: Mapping[str, Any]) -> list[Path]:
    """The originals as they are listed now; of sets whose originals nobody lists, none."""
    known = about.get(name)
    if known is None or known.files is None:
        return []
    with _readable(directory):
        return list(known.files(directory, **options))


@contextlib.contextmanager
def _readable(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename or directory} cannot be read ({error.strerror or error}): "
            "correct that, or name another data directory"
        ) from None


def prepare(directory: Path, name: str, read: Callable[[], Raw], **options: Any) -> None:
    """Decode and write a data set, unless another process has done so meanwhile."""
    target = prepared_folder(directory, name, **options)
    with _readable(directory):
        raw = read()  # before anything is written: most complaints are about the originals
    with _writable(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / f".{target.name}.lock"):
            if is_prepared(target) and not changes(target, directory):
                return
            _remove_leftovers(target)
            building = target.parent / f".{target.name}.{os.getpid()}"
            building.mkdir()
            try:
                before = snapshot.take(_originals(name, directory, options), directory)
                described = {"name": name, "options": options, "originals": before}
                _write(building, raw, described)
                if changed := snapshot.difference(
                    before, _originals(name, directory, options), directory
                ):
                    raise DataError(f"while {name!r} was prepared, {changed}: prepare it again")
                _put(building, target)
                flush_folder(target.parent)
            finally:
                shutil.rmtree(building, ignore_errors=True)


def _put(building: Path, target: Path) -> None:
    """Rename ``building`` to ``target``; who has open what was there keeps it."""
    if target.is_dir():
        old = target.with_name(f".{target.name}.{os.getpid()}.old")
        target.rename(old)
        building.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        building.rename(target)


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


def _write(building: Path, raw: Raw, described: Mapping[str, Any]) -> None:
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
        **described,
        "source": raw.source,
        "class_names": list(raw.class_names),
        "mean": mean,
        "std": std,
        "splits": splits,
        "files": files,
        "notes": list(raw.notes),
    }
    write_manifest(building, manifest)
    flush_folder(building)


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
        self.digest = hashlib.sha256()
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
        self.digest.update(data)
        self._size += memoryview(data).nbytes

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                flush(self._file)
                self.record = {"sha256": self.digest.hexdigest(), "bytes": self._size}
        finally:
            with contextlib.suppress(OSError):  # the first error is the one to report
                self._file.close()


def open_prepared(path: Path) -> Dataset:
    """The data set in prepared folder ``path``, whose files are first compared with their
    checksums, once in a process. Raises DataError if one does not match."""
    manifest = read_manifest(path)
    verify_once(path, manifest)
    images = {split: _images(path, split, manifest) for split in manifest["splits"]}
    return Dataset(
        name=manifest["name"],
        train=images["train"],
        validation=images.get("validation"),
        test=images.get("test"),
        num_classes=len(manifest["class_names"]),
        mean=tuple(manifest["mean"]),
        std=tuple(manifest["std"]),
        class_names=tuple(manifest["class_names"]),
        source=manifest["source"],
        fingerprint=digest(manifest["files"]),
        notes=tuple(manifest["notes"]),
    )


def _images(path: Path, split: str, manifest: Mapping[str, Any]) -> Images:
    arrays = []
    for file in (path / f"{split}.inputs.npy", path / f"{split}.targets.npy"):
        try:
            arrays.append(np.load(file, mmap_mode="c"))  # copy on write: never written back
        except (OSError, ValueError) as error:
            raise damaged(file, str(error)) from None
    pixels, targets = arrays
    return Images(torch.from_numpy(pixels), torch.from_numpy(np.array(targets)))


__all__ = [
    "ProgressCallback",
    "Raw",
    "RawSplit",
    "changes",
    "is_prepared",
    "open_prepared",
    "prepare",
    "prepared",
    "prepared_folder",
    "reporting",
]
