"""A folder of images with a table of their labels, as of retina photographs with grades."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from trainables.data.base import About, DataError, Dataset, MissingDataError, about, registry
from trainables.data.prepare import decode, originals
from trainables.data.prepare.listed import photographs
from trainables.data.prepare.store import Raw, prepared
from trainables.data.sets.options import Normalization, SetName, variant
from trainables.registry import Count

about["retina"] = About(
    "retina photographs with grades, e.g. Messidor-2: 5 classes, from your own folder",
    "put the images in retina/images/ and a table with columns image, label (and, if you have "
    "one, split) in retina/labels.csv",
    ("retina",),
    files=lambda directory, **of: (
        _read_table(directory / of["set"], of["size"], of["num_classes"]).files
    ),
)


@registry.register("retina")
def retina(
    *,
    directory: Path,
    set: SetName = "retina",  # noqa: A002
    size: Count = 224,
    num_classes: Count = 5,
    normalization: Normalization = "train",
) -> Dataset:
    """A folder of images with a table of labels (NSO's diabetic retinopathy grades).

    ``<set>/labels.csv`` (commas, semicolons or tabs; UTF-8, or UTF-16 with a byte-order mark) has
    columns ``image`` (file name in ``<set>/images``, with or without its ending),
    ``label`` and, if the split is given, ``split`` (train, validation, test); without that
    column the splits are drawn from the seed. Images keep their aspect: the longest side
    becomes ``size``, the rest is black (NSO's code, for Messidor).

    Args:
        directory: The data directory.
        set: Folder name.
        size: Edge that images are prepared at (NSO: 224).
        num_classes: Labels are 0 to num_classes - 1.
        normalization: See `options.variant` (NSO's code: the set's own).
    """
    where = directory / set
    dataset = prepared(
        directory,
        "retina",
        lambda: _read_table(where, size, num_classes),
        set=set,
        size=size,
        num_classes=num_classes,
    )
    return variant(dataset, normalization=normalization)


_SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def _read_table(where: Path, size: int, num_classes: int) -> Raw:
    table = where / "labels.csv"
    if not table.is_file():
        raise MissingDataError(f"no {table}: {about['retina'].get}")
    skipped = originals.Skipped(where)
    pictures = _Pictures(where / "images", skipped)
    splits: dict[str, list[tuple[Path, int]]] = {}
    seen: dict[Path, tuple[int, str, int]] = {}
    for line, row in _rows(table):
        split = _SPLITS.get((row.get("split") or "train").strip().lower())
        if split is None:
            raise DataError(
                f"line {line} of {table} has split {row['split']!r}: "
                "allowed are train, validation and test"
            )
        try:
            label = int(row["label"])
        except ValueError:
            label = -1
        if not 0 <= label < num_classes:
            raise DataError(
                f"line {line} of {table} has label {row['label']!r}: "
                f"allowed are the whole numbers 0 to {num_classes - 1}"
            )
        file = pictures.named(row["image"], f"line {line} of {table}")
        before, *said = seen.setdefault(file, (line, split, label))
        if said != [split, label]:
            raise DataError(
                f"lines {before} and {line} of {table} have {file.name} with two labels or in two "
                "splits: remove one"
            )
        splits.setdefault(split, []).append((file, label))
    if "train" not in splits:
        raise DataError(f"{table} lists no training image: add rows, or check its column split")
    if unlisted := pictures.count - len(seen):
        skipped.kinds["images that labels.csv does not name"] += unlisted
    source, classes = f"{where.name} ({size}x{size})", tuple(map(str, range(num_classes)))
    resize = decode.letterbox(size)
    return photographs(splits, classes, where, source, size, resize, skipped, lists=[table])


def _rows(table: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of a table, each with the number of its line; names of columns in lower case."""
    text = originals.read_text(table)
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)  # of equal counts the first: a comma
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        if not {"image", "label"} <= set(columns):
            raise DataError(
                f"{table} has columns {', '.join(columns) or 'none'}: it needs image and label"
            )
        for row in reader:
            if any(row):
                cells = [cell.strip() for cell in row]
                yield reader.line_num, dict(zip(columns, cells + [""] * len(columns), strict=False))
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num} of {table} cannot be read ({error}): correct it"
        ) from None


class _Pictures:
    """The images of a folder, by name with or without its ending, whatever its case."""

    def __init__(self, folder: Path, skipped: originals.Skipped) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise DataError(f"{folder} is missing: {about['retina'].get}")
        files = originals.image_files(folder, skipped)
        self.count = len(files)
        self._files: dict[str, list[Path]] = {}
        for file in files:
            name = file.relative_to(folder)
            for key in {self._key(str(name)), self._key(str(name.with_suffix("")))}:
                self._files.setdefault(key, []).append(file)

    @staticmethod
    def _key(name: str) -> str:
        """Equal for names that systems take for one: macOS decomposes accents."""
        return unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()

    def named(self, name: str, said_by: str) -> Path:
        """The file called ``name``. Raises DataError if there is none, or more than one."""
        found = self._files.get(self._key(name), [])
        exact = [file for file in found if str(file.relative_to(self.folder)) == name]
        if len(exact or found) > 1:
            others = " and ".join(str(file.relative_to(self.folder)) for file in found)
            raise DataError(f"{said_by} names image {name!r}, which may be {others}: say which")
        if not found:
            raise DataError(
                f"{said_by} names image {name!r}, which is not in {self.folder}: "
                "add it, or remove the line"
            )
        return (exact or found)[0]
