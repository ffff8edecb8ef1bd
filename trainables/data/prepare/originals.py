"""Finding and checking the files of a data set as its publisher, or a person, left them."""

from __future__ import annotations

import codecs
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainables.data.base import DataError, MissingDataError, about, how_to_get
from trainables.data.prepare import decode


def locate(name: str, directory: Path) -> Path:
    """The first path in `About.originals` of data set ``name`` that exists in ``directory``.

    Raises:
        MissingDataError: none does; the message says how to get the originals.
    """
    for candidate in about[name].originals:
        if (directory / candidate).exists():
            return directory / candidate
    wanted = directory / about[name].originals[0]
    raise MissingDataError(f"data set {name!r} is missing, looked for {wanted}: {how_to_get(name)}")


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


def each_exists(files: Iterable[Path]) -> None:
    """Raise DataError naming the first of ``files`` that is missing or empty."""
    for file in files:
        checked_file(file)


def inside(path: Path, root: Path) -> Path:
    """``path``, after the check that it, or what it is a link to, lies in folder ``root``.

    Raises:
        DataError: it does not. (``root`` itself may be a link.)
    """
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(
            f"{path} leads out of {root}, to {path.resolve()}: copy that file there "
            "(a folder may be linked as a whole)"
        )
    return path


SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif", ".ppm", ".pgm"),
        *(".pbm", ".pnm", ".tif", ".tiff", ".webp", ".avif", ".jp2"),
    }
)
"""Endings of the names of image files, in lower case."""

_OF_SYSTEMS = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is a system's own: ``._a.png``, ``__MACOSX``, ..."""
    return name.startswith(".") or name in _OF_SYSTEMS


@dataclass
class Skipped:
    """What of the folders of a data set is no image of it, counted by kind.

    Attributes:
        root: The folder of the data set; no link below it may lead out of it.
    """

    root: Path
    kinds: Counter[str] = field(default_factory=Counter)

    def notes(self) -> tuple[str, ...]:
        """One sentence, or none if nothing was skipped."""
        if not self.kinds:
            return ()
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        return (f"in {self.root} there were skipped: {kinds}",)


def class_folders(where: Path, skipped: Skipped | None = None) -> list[Path]:
    """The folders in ``where``, one for each class, sorted by name.

    Raises:
        DataError: there are none, or one is a link out of the data set.
    """
    skipped = skipped or Skipped(where)
    folders = []
    for path in sorted(where.iterdir()):
        if is_hidden(path.name):
            skipped.kinds["hidden"] += 1
        elif path.is_dir():
            folders.append(inside(path, skipped.root) if path.is_symlink() else path)
        else:
            skipped.kinds["files beside the folders of classes"] += 1
    if not folders:
        raise DataError(f"{where} has no class folders: put the images in one folder per class")
    return folders


def image_files(where: Path, skipped: Skipped | None = None, nested: bool = True) -> list[Path]:
    """The image files in folder ``where`` and (``nested``) the folders below, sorted by name.

    Args:
        skipped: Counts what is no image.

    Raises:
        DataError: there are none: an empty class; or one is a link out of the data set.
    """
    skipped = skipped or Skipped(where)
    before = Counter(skipped.kinds)
    files = list(_images(where, skipped, nested))
    if not files:
        others = Skipped(where, skipped.kinds - before).notes()
        raise DataError(
            f"class folder {where} holds no image{''.join(f' ({note})' for note in others)}: "
            "add its images, or remove the folder"
        )
    return files


def _images(folder: Path, skipped: Skipped, nested: bool) -> Iterator[Path]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path, suffix = folder / entry.name, os.path.splitext(entry.name)[1].lower()
        if is_hidden(entry.name):
            skipped.kinds["hidden"] += 1
        elif entry.is_dir():
            if not nested:
                skipped.kinds["folders"] += 1
            elif entry.is_symlink():
                raise DataError(
                    f"{path} is a link to a folder: put its images in {folder} themselves"
                )
            else:
                yield from _images(path, skipped, nested)
        elif suffix in SUFFIXES or (not suffix and _is_image(path)):
            yield inside(path, skipped.root) if entry.is_symlink() else path
        else:
            skipped.kinds[suffix or "without an ending"] += 1


def _is_image(path: Path) -> bool:
    """Whether a file without an ending starts as an image does."""
    try:
        decode.peek_shape(checked_file(path), str(path))
    except DataError:
        return False
    return True


ROLES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""Names that folders and files of a split have; case does not matter."""


def by_split(names: Sequence[str], where: Path) -> dict[str, str]:
    """By split, which of ``names`` it has: of ``train`` and ``val`` alone, ``val`` is the test set,
    as ImageNet's is; beside ``test`` it is held out.

    Raises:
        DataError: a split has two names, or there is one beside no training images.
    """
    found: dict[str, str] = {}
    for name in sorted(names):
        for split, known in ROLES.items():
            if name.lower() in known:
                if split in found:
                    raise DataError(
                        f"{where} has both {found[split]!r} and {name!r}: which is meant as "
                        f"{split} cannot be known; rename or remove one"
                    )
                found[split] = name
    if "train" not in found and found and len(found) == len(names):
        raise DataError(
            f"{where} has {' and '.join(map(repr, found.values()))}, but no 'train': "
            "name what is to be trained on so"
        )
    if found.get("validation", "").lower() == "val" and "test" not in found:
        found["test"] = found.pop("validation")
    return found if "train" in found else {}


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 (a byte-order mark is read past) or in UTF-16 with such a mark.

    Raises:
        DataError: it is missing, empty, or in another encoding.
    """
    content = checked_file(path).read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path} is not UTF-8 text (line {line}): save it as UTF-8, or fetch it again"
        ) from None
    if "\0" in text:
        raise DataError(f"{path} is not a text file: save it as UTF-8, or fetch it again")
    return text


def lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty, stripped. Raises DataError."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
