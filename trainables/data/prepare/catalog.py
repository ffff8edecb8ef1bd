"""Which data sets there are, which can be loaded from a directory, and how to get the others."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from trainables.data.base import DataError, about, how_to_get, registry
from trainables.data.prepare import store
from trainables.errors import reason


class Availability(StrEnum):
    """Whether a data set can be loaded from a directory, and from what."""

    BUILT_IN = "built in"
    PREPARED = "prepared"
    ORIGINALS = "originals"
    INCOMPLETE = "incomplete"
    MISSING = "missing"


@dataclass(frozen=True)
class CatalogEntry:
    """A data set, and what there is of it in a directory.

    Attributes:
        name: Its registered name.
        title: Name, size and kind, in one line.
        state: ``built in`` (nothing is needed), ``prepared``, ``originals`` (there, and prepared
            when first used), ``incomplete`` (some of them), or ``missing``.
        prepared: Its prepared folders, one for each size or set.
        get: How to obtain the originals; "" where nothing is needed.
        downloads: Whether `download` can fetch it.
    """

    name: str
    title: str
    state: Availability
    prepared: tuple[Path, ...]
    get: str
    downloads: bool


def status(name: str, directory: Path) -> CatalogEntry:
    """What there is of data set ``name`` in ``directory``. Raises UsageError for unknown names."""
    registry.get(name)
    known = about[name]
    found = tuple(folders(directory, name))
    if not known.originals:
        state = Availability.BUILT_IN
    elif found:
        state = Availability.PREPARED
    elif any((directory / original).exists() for original in known.originals):
        complete = known.download is None or _complete(name, directory)
        state = Availability.ORIGINALS if complete else Availability.INCOMPLETE
    else:
        state = Availability.MISSING
    return CatalogEntry(
        name, known.title, state, found, how_to_get(name), known.download is not None
    )


def _complete(name: str, directory: Path) -> bool:
    """Whether every file is there that the publisher of ``name`` lists; none is read."""
    listing = about[name].files
    assert listing is not None, "what can be downloaded can be listed"
    try:
        return all(file.is_file() and file.stat().st_size > 0 for file in listing(directory))
    except DataError:
        return False


def folders(directory: Path, name: str | None = None) -> list[Path]:
    """Prepared folders of the present version, sorted: all, or those of data set ``name``."""
    found = []
    for path in sorted((directory / "prepared").glob(f"[!.]*-v{store.VERSION}")):
        if name is None or _named(path) == name:
            found.append(path)
    return found


def _named(path: Path) -> str | None:
    try:
        return str(store.read_manifest(path)["name"])
    except DataError:
        return None  # damaged: `verify`, which asks for all folders, says so


def download(name: str, directory: Path) -> None:
    """Fetch the originals of ``name`` into ``directory``, with torchvision's downloader.

    Raises:
        DataError: it cannot be fetched; the message says how to get it by hand.
    """
    fetch = about[name].download
    if fetch is None:
        raise DataError(
            f"{name!r} is not downloaded for you: {about[name].get or 'it needs no download'}"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _archives_stay_inside():
            fetch(directory)
    except (OSError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(
            f"cannot download {name!r} into {directory} ({reason(error)}): {about[name].get}"
        ) from None


@contextmanager
def _archives_stay_inside() -> Iterator[None]:
    """Within it, nothing in a tar archive is unpacked outside its folder, or as a link or device
    that leads there (Python does so by itself from 3.14 on)."""
    before = tarfile.TarFile.extraction_filter
    tarfile.TarFile.extraction_filter = staticmethod(tarfile.data_filter)
    try:
        yield
    finally:
        tarfile.TarFile.extraction_filter = before
