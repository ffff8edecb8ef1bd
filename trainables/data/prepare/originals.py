"""Finding and checking the files of a data set as its publisher distributes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from trainables.data.base import DataError, about, how_to_get


def locate(name: str, directory: Path) -> Path:
    """The first path in `About.originals` of data set ``name`` that exists in ``directory``.

    Raises:
        DataError: none does; the message says how to get the originals.
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
    """``path``, after the check that it is a file, not empty, and of the MD5 ``expected``.

    Args:
        expected: Hexadecimal MD5 that the publisher states; None: not compared.

    Raises:
        DataError: naming the file and what is wrong with it.
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
    """The folders in ``where``, one for each class, sorted by name.

    Raises:
        DataError: there are none.
    """
    folders = sorted(p for p in where.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not folders:
        raise DataError(f"{where} has no class folders: put the images in one folder per class")
    return folders


SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tif", ".tiff", ".webp"})
"""Endings of the names of image files, in lower case."""


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
    """The lines of a text file that are not empty, stripped. Raises DataError."""
    try:
        text = checked_file(path).read_text()
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file: fetch the data set again") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def each_exists(files: Iterable[Path]) -> None:
    """Raise DataError naming the first of ``files`` that is missing or empty."""
    for file in files:
        checked_file(file)
