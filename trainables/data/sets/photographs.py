"""Photographs in folders: prepared once at one size, so that they fit in memory as uint8.

All are resized to size x size by PIL (bilinear with antialiasing), whatever
their aspect: NSO's ``Resize(224)`` leaves sizes that cannot be batched.
"""

from __future__ import annotations

from pathlib import Path

from trainables.data.base import About, DataError, Dataset, about, registry
from trainables.data.prepare import originals
from trainables.data.prepare.listed import Listed, photographs
from trainables.data.prepare.store import Raw, prepared
from trainables.data.sets.options import Normalization, variant
from trainables.registry import Count


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
    files=lambda directory, size=224: _read_aircraft(directory, size).files,
)
about["caltech256"] = About(
    "Caltech-256: 30 + 20 + 20 photographs of each of 256 classes",
    "unpack 256_ObjectCategories.tar (data.caltech.edu/records/20087) in caltech256/",
    ("caltech256/256_ObjectCategories", "256_ObjectCategories"),
    _caltech_download,
    files=lambda directory, size=224, per_class=(30, 20, 20): (
        _read_caltech(directory, size, per_class).files
    ),
)
about["indoor67"] = About(
    "MIT Indoor-67: 5,360 + 1,340 photographs of 67 kinds of rooms",
    "unpack indoorCVPR_09.tar (web.mit.edu/torralba/www/indoor.html) in the data directory and "
    "put its lists TrainImages.txt and TestImages.txt in indoorCVPR_09/",
    ("indoorCVPR_09", "indoor67"),
    files=lambda directory, size=224: _read_indoor(directory, size).files,
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
    return variant(
        prepared(directory, "aircraft", lambda: _read_aircraft(directory, size), size=size),
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
    dataset = prepared(
        directory,
        "caltech256",
        lambda: _read_caltech(directory, size, per_class),
        size=size,
        per_class=per_class,
    )
    return variant(dataset, normalization=normalization)


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
    return variant(
        prepared(directory, "indoor67", lambda: _read_indoor(directory, size), size=size),
        normalization=normalization,
    )


def _read_aircraft(directory: Path, size: int) -> Raw:
    where = originals.locate("aircraft", directory)
    lists = [where / "variants.txt"]
    classes = originals.lines(lists[0])
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
            picture = originals.inside(where / "images" / f"{image}.jpg", where)
            entries.append((picture, number[name]))
        splits[split] = entries
        lists.append(file)
    source = f"FGVC-Aircraft ({size}x{size})"
    return photographs(splits, classes, where, source, size, lists=lists)


def _read_caltech(directory: Path, size: int, per_class: tuple[int, int, int]) -> Raw:
    where = originals.locate("caltech256", directory)
    skipped = originals.Skipped(where)
    found = originals.class_folders(where, skipped)
    folders = [folder for folder in found if not folder.name.startswith("257.")]
    splits: dict[str, list[tuple[Path, int]]] = {"train": [], "validation": [], "test": []}
    for label, folder in enumerate(folders):
        files = originals.image_files(folder, skipped, nested=False)
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
    source = f"Caltech-256 ({size}x{size})"
    return photographs(dict(splits), names, where, source, size, skipped=skipped)


def _read_indoor(directory: Path, size: int) -> Raw:
    where = originals.locate("indoor67", directory)
    pictures = next((p for p in (where / "Images", where) if p.is_dir()), where)
    classes = [folder.name for folder in originals.class_folders(pictures)]
    lists = []
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
            entries.append((originals.inside(pictures / line, where), number[name]))
        splits[split] = entries
        lists.append(where / listed)
    source = f"MIT Indoor-67 ({size}x{size})"
    return photographs(splits, classes, where, source, size, lists=lists)
