"""Photographs in folders: prepared once at one size, so that they fit in memory as uint8.

All are resized to size x size by PIL (bilinear with antialiasing), whatever
their aspect: NSO's ``Resize(224)`` leaves sizes that cannot be batched.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainables.data.base import About, DataError, Dataset, about, registry
from trainables.data.prepare import decode, originals
from trainables.data.prepare.labels import checked_labels
from trainables.data.prepare.store import Raw, RawSplit, prepared
from trainables.data.sets.options import Normalization, TestSet, variant
from trainables.data.sets.parquet import SetName
from trainables.registry import Count, Index

Listed = Sequence[tuple[Path, int]]


def _aircraft_download(directory: Path) -> None:
    from torchvision import datasets

    datasets.FGVCAircraft(str(directory), download=True)


def _caltech_download(directory: Path) -> None:
    from torchvision import datasets

    datasets.Caltech256(str(directory), download=True)


about["aircraft"] = About(
    "FGVC-Aircraft: 3,334 + 3,333 + 3,333 photographs, 100 variants",
    "unpack fgvc-aircraft-2013b.tar.gz (robots.ox.ac.uk/~vgg/data/fgvc-aircraft) in the data "
    "directory",
    ("fgvc-aircraft-2013b/data", "aircraft/fgvc-aircraft-2013b/data"),
    _aircraft_download,
)
about["caltech256"] = About(
    "Caltech-256: 30 + 20 + 20 photographs of each of 256 classes",
    "unpack 256_ObjectCategories.tar (data.caltech.edu/records/20087) in caltech256/",
    ("caltech256/256_ObjectCategories", "256_ObjectCategories"),
    _caltech_download,
)
about["indoor67"] = About(
    "MIT Indoor-67: 5,360 + 1,340 photographs of 67 kinds of rooms",
    "unpack indoorCVPR_09.tar (web.mit.edu/torralba/www/indoor.html) in the data directory and "
    "put its lists TrainImages.txt and TestImages.txt in indoorCVPR_09/",
    ("indoorCVPR_09", "indoor67"),
)
about["retina"] = About(
    "retina photographs with grades, e.g. Messidor-2: 5 classes, from your own folder",
    "put the images in retina/images/ and a table with columns image, label (and, if you have "
    "one, split) in retina/labels.csv",
    ("retina",),
)
about["folder"] = About(
    "any images in one folder per class, with or without train/, validation/, test/ above",
    "name the folder with the option set, e.g. set=photos for photos/ in the data directory",
    ("images",),
)


@registry.register("aircraft")
def aircraft(
    *, directory: Path, size: Count = 224, normalization: Normalization = "imagenet"
) -> Dataset:
    """FGVC-Aircraft, 100 variants, the publisher's train, validation and test lists (NSO).

    Args:
        directory: The data directory.
        size: Edge that images are prepared at (NSO: 224).
        normalization: See `options.variant`.
    """
    key = f"aircraft-{size}"
    return variant(
        prepared(directory, key, "aircraft", lambda: _read_aircraft(directory, size)),
        normalization=normalization,
    )


@registry.register("caltech256")
def caltech256(
    *,
    directory: Path,
    size: Count = 224,
    per_class: tuple[Count, Count, Count] = (30, 20, 20),
    normalization: Normalization = "imagenet",
) -> Dataset:
    """Caltech-256 without clutter, cut per class from sorted file names (NSO's code).

    Args:
        directory: The data directory.
        size: Edge that images are prepared at (NSO: 224).
        per_class: Training, validation and test images of each class: the first, the next
            and those after (NSO, Table 3: 7,680 training images). The authors take the order
            of os.listdir, which differs from machine to machine; here names are sorted.
        normalization: See `options.variant`.
    """
    key = f"caltech256-{size}-" + "-".join(map(str, per_class))
    return variant(
        prepared(directory, key, "caltech256", lambda: _read_caltech(directory, size, per_class)),
        normalization=normalization,
    )


@registry.register("indoor67")
def indoor67(
    *, directory: Path, size: Count = 224, normalization: Normalization = "imagenet"
) -> Dataset:
    """MIT Indoor-67, the publisher's training and test lists (NSO: minus 10 % validation).

    Args:
        directory: The data directory.
        size: Edge that images are prepared at (NSO: 224).
        normalization: See `options.variant`.
    """
    key = f"indoor67-{size}"
    return variant(
        prepared(directory, key, "indoor67", lambda: _read_indoor(directory, size)),
        normalization=normalization,
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

    ``<set>/labels.csv`` has columns ``image`` (file name, with or without its ending),
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
    key = f"retina-{set}-{size}-{num_classes}"
    where = directory / set
    return variant(
        prepared(directory, key, "retina", lambda: _read_table(where, size, num_classes)),
        normalization=normalization,
    )


@registry.register("folder")
def folder(
    *,
    directory: Path,
    set: SetName = "images",  # noqa: A002
    size: Count = 224,
    test_set: TestSet = "published",
    confusion: Index = 0,
    normalization: Normalization = "train",
) -> Dataset:
    """Any images in one folder per class: ``<set>/<class>/*`` or ``<set>/train/<class>/*``.

    Args:
        directory: The data directory.
        set: Folder name.
        size: Edge that images are prepared at.
        test_set, confusion, normalization: See `options.variant`.
    """
    key, where = f"folder-{set}-{size}", directory / set
    return variant(
        prepared(directory, key, "folder", lambda: _read_folder(where, size)),
        test_set=test_set,
        confusion=confusion,
        normalization=normalization,
    )


def _photographs(listed: Listed, size: int, resize: decode.Resize) -> RawSplit:
    files = [file for file, _ in listed]
    labels = np.array([label for _, label in listed], np.int64)
    chunks = decode.decode_images(files, lambda row: str(files[row]), (3, size, size), resize)
    return RawSplit((len(files), 3, size, size), labels, chunks)


def _raw(
    splits: dict[str, Listed],
    classes: Sequence[str],
    where: Path,
    source: str,
    size: int,
    resize: decode.Resize | None = None,
) -> Raw:
    resize = resize or decode.square(size)
    parts = {}
    for split, listed in splits.items():
        originals.each_exists(file for file, _ in listed)
        parts[split] = _photographs(listed, size, resize)
        every_class = split == "train"
        checked_labels(parts[split].targets, len(classes), f"{where} ({split})", every_class)
    return Raw(parts, tuple(classes), source)


def _read_aircraft(directory: Path, size: int) -> Raw:
    where = originals.locate("aircraft", directory)
    classes = originals.lines(where / "variants.txt")
    number = {name: index for index, name in enumerate(classes)}
    splits: dict[str, Listed] = {}
    for split, listed in (("train", "train"), ("validation", "val"), ("test", "test")):
        file = where / f"images_variant_{listed}.txt"
        entries = []
        for line in originals.lines(file):
            image, _, name = line.partition(" ")
            if name not in number:
                raise DataError(
                    f"{file} names variant {name!r}, which variants.txt does not: "
                    "fetch the data set again"
                )
            entries.append((where / "images" / f"{image}.jpg", number[name]))
        splits[split] = entries
    return _raw(splits, classes, where, f"FGVC-Aircraft ({size}x{size})", size)


def _read_caltech(directory: Path, size: int, per_class: tuple[int, int, int]) -> Raw:
    where = originals.locate("caltech256", directory)
    folders = [f for f in originals.class_folders(where) if not f.name.startswith("257.")]
    splits: dict[str, list[tuple[Path, int]]] = {"train": [], "validation": [], "test": []}
    for label, folder in enumerate(folders):
        files = originals.image_files(folder)
        if len(files) < sum(per_class):
            raise DataError(
                f"class folder {folder} holds {len(files)} images where per_class = {per_class} "
                f"needs {sum(per_class)}: fetch the data set again, or ask for fewer"
            )
        start = 0
        for split, count in zip(splits, per_class, strict=True):
            splits[split] += [(file, label) for file in files[start : start + count]]
            start += count
    names = [folder.name.partition(".")[2] or folder.name for folder in folders]
    return _raw(dict(splits), names, where, f"Caltech-256 ({size}x{size})", size)


def _read_indoor(directory: Path, size: int) -> Raw:
    where = originals.locate("indoor67", directory)
    pictures = next((p for p in (where / "Images", where) if p.is_dir()), where)
    classes = [folder.name for folder in originals.class_folders(pictures)]
    number = {name: index for index, name in enumerate(classes)}
    splits: dict[str, Listed] = {}
    for split, listed in (("train", "TrainImages.txt"), ("test", "TestImages.txt")):
        entries = []
        for line in originals.lines(where / listed):
            name = line.split("/")[0]
            if name not in number:
                raise DataError(
                    f"{where / listed} names {line!r} but {pictures} has no folder {name!r}: "
                    "unpack the images again"
                )
            entries.append((pictures / line, number[name]))
        splits[split] = entries
    return _raw(splits, classes, where, f"MIT Indoor-67 ({size}x{size})", size)


def _read_folder(where: Path, size: int) -> Raw:
    if not where.is_dir():
        raise DataError(f"no folder {where}: {about['folder'].get}")
    named = {"train": ("train",), "validation": ("validation", "valid"), "test": ("test", "val")}
    found = {
        split: next((where / name for name in names if (where / name).is_dir()), None)
        for split, names in named.items()
    }
    if found["train"] is None:
        found = {"train": where}
    classes = [f.name for f in originals.class_folders(found["train"] or where)]
    splits: dict[str, Listed] = {}
    for split, root in found.items():
        if root is not None:
            splits[split] = _by_class(root, classes)
    return _raw(splits, classes, where, f"{where.name} ({size}x{size})", size)


def _by_class(root: Path, classes: Sequence[str]) -> Listed:
    number = {name: index for index, name in enumerate(classes)}
    entries = []
    for folder in originals.class_folders(root):
        if folder.name not in number:
            raise DataError(
                f"{folder} is a class that the training images do not have: "
                "add images of it there, or remove the folder"
            )
        entries += [(file, number[folder.name]) for file in originals.image_files(folder)]
    return entries


_SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_ENDINGS = ("", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".PNG", ".JPG", ".TIF")


def _read_table(where: Path, size: int, num_classes: int) -> Raw:
    table = where / "labels.csv"
    if not table.is_file():
        raise DataError(f"no {table}: {about['retina'].get}")
    splits: dict[str, list[tuple[Path, int]]] = {}
    with open(table, newline="") as handle:
        reader = csv.DictReader(handle)
        if not {"image", "label"} <= set(reader.fieldnames or ()):
            raise DataError(
                f"{table} has columns {', '.join(reader.fieldnames or ()) or 'none'}: "
                "it needs image and label"
            )
        for line, row in enumerate(reader, start=2):
            split = _SPLITS.get((row.get("split") or "train").strip())
            if split is None:
                raise DataError(
                    f"line {line} of {table} has split {row['split']!r}: "
                    "allowed are train, validation and test"
                )
            try:
                label = int(row["label"])
            except (TypeError, ValueError):
                raise DataError(
                    f"line {line} of {table} has label {row['label']!r}: "
                    f"allowed are the whole numbers 0 to {num_classes - 1}"
                ) from None
            splits.setdefault(split, []).append((_image(where, row["image"], line), label))
    if "train" not in splits:
        raise DataError(f"{table} lists no training image: add rows, or check its column split")
    classes = tuple(map(str, range(num_classes)))
    source = f"{where.name} ({size}x{size})"
    return _raw(dict(splits), classes, where, source, size, decode.letterbox(size))


def _image(where: Path, name: str, line: int) -> Path:
    for ending in _ENDINGS:
        if (file := where / "images" / f"{name}{ending}").is_file():
            return file
    raise DataError(
        f"line {line} of {where / 'labels.csv'} names image {name!r}, which is not in "
        f"{where / 'images'}: add it, or remove the line"
    )
