"""Finding and checking publishers' files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from trainables.data.base import DataError, about, how_to_get


def locate(name: str, directory: Path) -> Path:
    """The first of ``name``'s originals that is there (see `About.originals`).

    Raises:
        DataError: none is; how to get them.
    """
    for candidate in about[name].originals:
        if (directory / candidate).exists():
            return directory / candidate
    wanted = directory / about[name].originals[0]
    raise DataError(f"data set {name!r} is missing, looked for {wanted}: {how_to_get(name)}")


def md5(path: Path) -> str:
    """Hexadecimal MD5 of a file: the checksum most publishers of these sets give."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def checked_file(path: Path, expected: str | None = None) -> Path:
    """``path``, if it is there, not empty, and has the publisher's MD5 ``expected``.

    Raises:
        DataError: it is not; fetch it again.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: fetch the data set again, or restore that file")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it was not downloaded fully; fetch it again")
    if expected is not None and (found := md5(path)) != expected:
        raise DataError(
            f"{path} has MD5 {found} and not the publisher's {expected}: "
            "it is damaged or half downloaded; fetch it again"
        )
    return path


def class_folders(where: Path) -> list[Path]:
    """The folders in ``where``, one a class, sorted by name.

    Raises:
        DataError: there are none.
    """
    folders = sorted(p for p in where.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise DataError(f"{where} has no class folders: put the images in one folder a class")
    return folders


SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tif", ".tiff", ".webp"})


def image_files(where: Path) -> list[Path]:
    """The image files in folder ``where``, sorted by name.

    Raises:
        DataError: there are none: an empty class.
    """
    files = sorted(p for p in where.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise DataError(
            f"class folder {where} holds no image: add its images, or remove the folder"
        )
    return files


def lines(path: Path) -> list[str]:
    """The lines of a publisher's list that are not empty."""
    try:
        text = checked_file(path).read_text()
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file: fetch the data set again") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def each_exists(files: Iterable[Path]) -> None:
    """Raises DataError naming the first of ``files`` that is missing or empty."""
    for file in files:
        checked_file(file)
