"""Image data sets published as Parquet: columns ``img`` {bytes, path} and ``label``.

``<data directory>/<set>/train.parquet`` and, if there is one, ``test.parquet``.
Data hubs also call the columns ``image`` and ``labels``, ``fine_label``; the first found is used.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from trainables.data.base import About, DataError, Dataset, about, registry
from trainables.data.prepare import decode
from trainables.data.prepare.labels import checked_labels
from trainables.data.prepare.store import Raw, RawSplit, prepared
from trainables.data.sets.options import Normalization, TestSet, variant
from trainables.registry import Count, Index

SetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

_IMAGES = ("img", "image")
_LABELS = ("label", "labels", "fine_label")

# Names for the footnotes of sets whose Parquet form is not bit-identical to the original.
_SOURCES = {"cifar10": "CIFAR-10 (JPEG)"}
_CLASSES = {
    "cifar10": (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
}

about["parquet"] = About(
    "any image set as Parquet (columns img {bytes, path}, label), e.g. CIFAR-10 as JPEG",
    "put train.parquet and test.parquet in a folder of the data directory and name that folder "
    "with the option set",
    ("cifar10/train.parquet",),
)


@registry.register("parquet")
def parquet(
    *,
    directory: Path,
    set: SetName = "cifar10",  # noqa: A002
    size: Count | None = None,
    test_set: TestSet = "published",
    confusion: Index = 0,
    normalization: Normalization = "train",
    resize: Count | None = None,
) -> Dataset:
    """Images from Parquet files in the folder ``set`` of the data directory.

    Args:
        directory: The data directory.
        set: Folder name; it names the data set in the trial's identity, its path does not.
        size: Prepare every image at size x size; None: all have one size already.
        test_set, confusion, normalization, resize: See `options.variant`.

    Raises:
        DataError: files missing, truncated or without the columns; a corrupt image, by row;
            labels that are negative or leave a class empty.
    """
    key = f"parquet-{set}" + (f"-{size}" if size else "")
    return variant(
        prepared(directory, key, "parquet", lambda: read(directory / set, set, size)),
        test_set=test_set,
        confusion=confusion,
        normalization=normalization,
        resize=resize,
    )


def read(where: Path, name: str, size: int | None) -> Raw:
    """The Parquet files in folder ``where``, checked but not yet decoded."""
    train = where / "train.parquet"
    if not train.is_file():
        raise DataError(
            f"no {train}: put the data set's Parquet files there (train.parquet, test.parquet), "
            "or name another data directory"
        )
    files = {"train": train}
    if (where / "test.parquet").is_file():
        files["test"] = where / "test.parquet"
    tables = {split: _table(file) for split, file in files.items()}
    known = _CLASSES.get(name, ())
    count = len(known) or int(tables["train"][1].max()) + 1
    shape: tuple[int, int, int] | None = None
    parts = {}
    for split, (encoded, labels) in tables.items():
        file = files[split]
        checked_labels(labels, count, str(file), every_class=split == "train")
        if shape is None:
            found = decode.peek_shape(encoded[0], f"row 0 of {file}")
            shape = (found[0], size, size) if size else found
        parts[split] = RawSplit((len(labels), *shape), labels, _decoded(encoded, file, shape, size))
    return Raw(
        parts=parts,
        class_names=tuple(known) or tuple(map(str, range(count))),
        source=_SOURCES.get(name, f"{name} (Parquet)"),
        files=tuple(files.values()),
    )


def _decoded(encoded: Any, file: Path, shape: tuple[int, int, int], size: int | None) -> Any:
    resize = decode.square(size) if size else None
    return decode.decode_images(encoded, lambda row: f"row {row} of {file}", shape, resize)


class _Bytes:
    """The image column, as a sequence of bytes without a copy of the whole."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: int) -> bytes:
        return self._column[row].as_py() or b""


def _table(file: Path) -> tuple[Any, np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        reason = re.sub(r"\s+", " ", str(error)).split(". ")[0]
        raise DataError(
            f"{file} cannot be read ({reason}): it may be half downloaded; fetch it again"
        ) from None
    image, label = (_column(table, names, file) for names in (_IMAGES, _LABELS))
    column = table[image].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    if pa.types.is_struct(column.type):
        if column.type.get_field_index("bytes") < 0:
            raise DataError(f"{file}: column {image!r} has no field 'bytes' with the image files")
        column = column.field("bytes")
    if len(table) == 0:
        raise DataError(f"{file} has no rows: fetch it again")
    if table[label].null_count or not pa.types.is_integer(table[label].type):
        raise DataError(f"{file}: column {label!r} must hold whole numbers, none missing")
    return _Bytes(column), table[label].to_numpy().astype(np.int64)


def _column(table: Any, names: tuple[str, ...], file: Path) -> str:
    for name in names:
        if name in table.column_names:
            return name
    raise DataError(
        f"{file} has no column {' or '.join(map(repr, names))}; its columns are "
        f"{', '.join(table.column_names)}"
    )
