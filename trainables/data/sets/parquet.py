"""Image data sets published as Parquet: columns ``img`` {bytes, path} and ``label``.

``<data directory>/<set>/train.parquet`` and, if they are there, ``validation.parquet`` and
``test.parquet``; also as data hubs name the parts of a split (``train-00000-of-00002.parquet``,
``train/0000.parquet``, all of it in ``data/`` or in the folder itself) and their columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from trainables.data.base import About, Dataset, about, registry
from trainables.data.prepare import decode, shards
from trainables.data.prepare.labels import checked_labels
from trainables.data.prepare.store import Raw, RawSplit, prepared
from trainables.data.sets.options import Normalization, SetName, TestSet, variant
from trainables.data_folder import COPIES
from trainables.registry import Count, Index

ColumnName = Annotated[str, Field(min_length=1, pattern=r"^[^,/\x00-\x1f]+$")]

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
    files=lambda directory, **of: (
        file for files in shards.find(directory / of["set"]).values() for file in files
    ),
)


@registry.register("parquet", added={"images": None, "labels": None})
def parquet(
    *,
    directory: Path,
    set: SetName = "cifar10",  # noqa: A002
    size: Count | None = None,
    images: ColumnName | None = None,
    labels: ColumnName | None = None,
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
        images: The column of images: files' bytes, {bytes, path}, or pixels as nested lists of
            whole numbers 0 to 255, H x W, H x W x 3 or 3 x H x W. None: the first of
            `shards.IMAGES` that is there.
        labels: The column of labels: whole numbers from 0, or names of classes. None: likewise.
        test_set, confusion, normalization, resize: See `options.variant`.

    Raises:
        DataError: files missing, truncated or without the columns; a corrupt image, by row;
            labels that are negative or leave a class empty.
    """
    dataset = prepared(
        directory,
        "parquet",
        lambda: read(directory / set, set, size, images, labels),
        set=set,
        size=size,
        images=images,
        labels=labels,
    )
    return variant(
        dataset,
        test_set=test_set,
        confusion=confusion,
        normalization=normalization,
        resize=resize,
    )


def read(
    where: Path,
    name: str,
    size: int | None,
    images: str | None = None,
    labels: str | None = None,
) -> Raw:
    """The Parquet files in folder ``where``, checked but not yet decoded."""
    columns = shards.Columns(images, labels, _CLASSES.get(name, ()))
    splits = {split: shards.read(files, columns) for split, files in shards.find(where).items()}
    classes = shards.classes(splits["train"])
    shape = shards.shape(splits)
    if size:
        shape = (shape[0], size, size)
    parts = {}
    for split, part in splits.items():
        numbers = part.numbered(classes)
        checked_labels(numbers, len(classes), part.name, every_class=split == "train")
        resize = decode.square(size) if size else None
        chunks = decode.decode_images(part.images(), part.describe, shape, resize)
        parts[split] = RawSplit((len(numbers), *shape), numbers, chunks)
    return Raw(parts, classes, COPIES.get(name, f"{name} (Parquet)"))
