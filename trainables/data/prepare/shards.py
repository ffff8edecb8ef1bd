"""Images and labels in Parquet files: which files, which columns, and what is in a row.

Images are read a few rows at a time: a column of more than 2 GiB fits no Arrow array.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.base import DataError, MissingDataError
from trainables.data.prepare import decode
from trainables.data.prepare.originals import ROLES, by_split, inside
from trainables.parse_json import parse_json

IMAGES = ("img", "image", "images", "pixel_values", "pixels", "jpg")
LABELS = ("label", "labels", "fine_label", "target", "class")
"""Names of columns, as data hubs have them: the first that is there is used."""

ROWS = 64
"""Rows that are read at a time."""


def find(where: Path) -> dict[str, list[Path]]:
    """The files of each split in folder ``where``, in the order of their rows.

    Raises:
        MissingDataError: there is none of training images.
        DataError: a split lacks a part, is there in two forms, or is a link out of ``where``.
    """
    found: dict[str, list[Path]] = {}
    for folder in (where, where / "data"):
        for name in {name for known in ROLES.values() for name in known}:
            forms = (
                [path for path in [folder / f"{name}.parquet"] if path.is_file()],
                sorted(folder.glob(f"{name}-*.parquet")),
                sorted((folder / name).glob("*.parquet")),
            )
            for files in filter(None, forms):
                if name in found:
                    both = f"{found[name][0].relative_to(where)} and {files[0].relative_to(where)}"
                    raise DataError(f"{where} has {both}: remove the one that is not meant")
                found[name] = files
    splits = by_split(list(found), where)
    if not splits:
        raise MissingDataError(
            f"no {where / 'train.parquet'}: put the data set's Parquet files there (train.parquet, "
            "test.parquet), or name another data directory"
        )
    return {
        split: _complete([inside(file, where) for file in found[splits[split]]])
        for split in ROLES
        if split in splits
    }


_PART = re.compile(r"-(\d+)-of-(\d+)(?=[-.])")


def _complete(files: list[Path]) -> list[Path]:
    """``files``, after the check that none of ``...-of-N`` is missing."""
    numbers = [match for file in files if (match := _PART.search(file.name))]
    wanted = {int(match[2]) for match in numbers}
    there = [int(match[1]) for match in numbers]
    if numbers and (len(wanted) > 1 or sorted(there) != list(range(max(wanted)))):
        raise DataError(
            f"of {files[0].name} and the parts beside it there are {len(files)} where "
            f"{' or '.join(map(str, sorted(wanted)))} belong together: fetch them again"
        )
    return files


@dataclass(frozen=True)
class Columns:
    """Which columns to read, where a person named them, and the classes that are known before."""

    images: str | None
    labels: str | None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """The rows of one split: labels, and images that are read when asked for.

    Attributes:
        files: With the number of rows of each.
        labels: int64 (n,), or n names of classes.
        classes: Names that the files, or the one who asks, have for the numbers; () if none.
    """

    files: Sequence[tuple[Path, int]]
    column: str
    labels: np.ndarray
    classes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The files, for messages."""
        first, more = self.files[0][0], len(self.files) - 1
        return f"{first} and {more} more" if more else str(first)

    def describe(self, row: int) -> str:
        """Row ``row`` of the split, for messages: by its own file."""
        for file, rows in self.files:
            if row < rows:
                return f"row {row} of {file}"
            row -= rows
        return f"row {row} after the last of {self.name}"

    def numbered(self, classes: Sequence[str]) -> np.ndarray:
        """The labels as numbers. Raises DataError naming a row whose class is unknown."""
        if self.labels.dtype != object:
            return self.labels
        number = {name: index for index, name in enumerate(classes)}
        for row, name in enumerate(self.labels):
            if name not in number:
                raise DataError(
                    f"{self.describe(row)} has label {name!r}, which no training image has: "
                    "correct the labels"
                )
        return np.array([number[name] for name in self.labels], np.int64)

    def images(self) -> Iterator[decode.Encoded]:
        """The images, in order. Raises DataError naming a row that has none."""
        import pyarrow.parquet as pq

        row = 0
        for file, _ in self.files:
            with reading(file):
                for batch in pq.ParquetFile(file).iter_batches(ROWS, columns=[self.column]):
                    for value in batch.column(0):
                        yield _image(value.as_py(), self.describe(row))
                        row += 1


def read(files: Sequence[Path], wanted: Columns) -> Part:
    """The labels in ``files``, and where their images are.

    Raises:
        DataError: a file cannot be read or has no rows, lacks a column, or has one of another type.
    """
    import pyarrow.parquet as pq

    labels, counts, image = [], [], ""
    classes = wanted.classes
    for file in files:
        with reading(file):
            opened = pq.ParquetFile(file)
            schema = opened.schema_arrow
            image = _column(schema, wanted.images, IMAGES, file)
            label = _column(schema, wanted.labels, LABELS, file)
            _check_type(schema.field(image).type, image, file)
            classes = classes or _class_names(schema, label)
            column = opened.read(columns=[label]).column(label)
        if len(column) == 0:
            raise DataError(f"{file} has no rows: fetch it again")
        labels.append(_labels(column, label, file))
        counts.append((file, len(column)))
    if len({part.dtype for part in labels}) > 1:
        raise DataError(f"{files[0]} and the files beside it have labels of several types")
    return Part(counts, image, np.concatenate(labels), classes)


def classes(train: Part) -> tuple[str, ...]:
    """The names of the classes, in the order of their numbers."""
    if train.labels.dtype == object:
        return tuple(sorted(set(train.labels)))
    if train.classes:
        return train.classes
    highest = int(train.labels.max())
    if highest >= len(train.labels):
        raise DataError(
            f"{train.name} has label {highest} but only {len(train.labels)} rows: number the "
            "classes without gaps"
        )
    return tuple(map(str, range(max(1, highest + 1))))


def shape(splits: Mapping[str, Part]) -> tuple[int, int, int]:
    """(C, H, W): the first image's size, and three channels if any image is not gray."""
    first: tuple[int, int, int] | None = None
    for part in splits.values():
        for row, image in enumerate(part.images()):
            found = decode.peek_shape(image, part.describe(row))
            first = first or found
            if found[0] == 3:
                return (3, *first[1:])
    assert first is not None, "every split has rows"
    return first


@contextlib.contextmanager
def reading(file: Path) -> Iterator[None]:
    """Within it, what Arrow says of a broken file is one sentence."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = re.sub(r"\s+", " ", str(error)).split(". ")[0]
        raise DataError(
            f"{file} cannot be read ({reason}): it may be half downloaded; fetch it again"
        ) from None


def _column(schema: Any, chosen: str | None, known: Sequence[str], file: Path) -> str:
    names = [chosen] if chosen else known
    for name in names:
        if name in schema.names:
            if schema.names.count(name) > 1:
                raise DataError(f"{file} has two columns {name!r}: rename one")
            return name
    raise DataError(
        f"{file} has no column {' or '.join(map(repr, names))}; its columns are "
        f"{', '.join(schema.names)}"
    )


def _check_type(kind: Any, name: str, file: Path) -> None:
    """Raise DataError for a column that holds no images: text is no file to be opened."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        if kind.get_field_index("bytes") < 0:
            raise DataError(f"{file}: column {name!r} has no field 'bytes' with the image files")
        kind = kind.field("bytes").type
    while isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType):
        kind = kind.value_type
        if pa.types.is_integer(kind):
            return
    if not (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    ):
        raise DataError(
            f"{file}: column {name!r} holds {kind}, and must hold the images themselves (bytes, "
            "{bytes, path}, or pixels 0 to 255 as nested lists); no file is opened that it names"
        )


def _image(value: Any, describe: str) -> decode.Encoded:
    if isinstance(value, dict):
        if value["bytes"] is None and value.get("path"):
            raise DataError(
                f"{describe} names a file ({value['path']!r}) in place of its bytes: write the "
                "Parquet file again with the images in it"
            )
        value = value["bytes"]
    if isinstance(value, list):
        return _pixels(value, describe)
    return value or b""


def _pixels(value: list[Any], describe: str) -> np.ndarray:
    try:
        pixels = np.array(value)
    except ValueError:  # ragged
        pixels = np.empty(0)
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3) and pixels.shape[0] in (1, 3):
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    whole = np.issubdtype(pixels.dtype, np.integer) and pixels.size > 0
    if not whole or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise DataError(
            f"{describe} has pixels of shape {' x '.join(map(str, pixels.shape))}: allowed are "
            "whole numbers in lists of H x W, H x W x 3 or 3 x H x W"
        )
    if pixels.min() < 0 or pixels.max() > 255:
        raise DataError(f"{describe} has a pixel outside 0 to 255: write them so")
    return np.ascontiguousarray(pixels.astype(np.uint8))


def _labels(column: Any, name: str, file: Path) -> np.ndarray:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if column.null_count or not (pa.types.is_integer(kind) or text):
        raise DataError(
            f"{file}: column {name!r} must hold whole numbers, or names of classes, none missing"
        )
    if text:
        return np.array([*column.to_pylist(), None], object)[:-1]
    if pa.types.is_uint64(kind) and column.to_numpy().max() > np.iinfo(np.int64).max:
        raise DataError(f"{file}: column {name!r} has a number that no class has")
    return column.to_numpy().astype(np.int64)


def _class_names(schema: Any, label: str) -> tuple[str, ...]:
    """The names that Hugging Face's ``datasets`` writes beside the columns; () if there are none
    that fit."""
    try:
        described = parse_json((schema.metadata or {})[b"huggingface"])
        names = described["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return ()
    sound = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    return tuple(names) if sound and len(set(names)) == len(names) else ()
