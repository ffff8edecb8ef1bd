"""Any images in one folder per class, with or without folders of splits above."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainables.data.base import About, DataError, Dataset, MissingDataError, about, registry
from trainables.data.prepare import originals
from trainables.data.prepare.listed import Listed, photographs
from trainables.data.prepare.store import Raw, prepared
from trainables.data.sets.options import Normalization, SetName, TestSet, variant
from trainables.registry import Count, Index

about["folder"] = About(
    "any images in one folder per class, with or without train/, validation/, test/ above",
    "name the folder with the option set, e.g. set=photos for photos/ in the data directory",
    ("images",),
    files=lambda directory, **of: _read_folder(directory / of["set"], of["size"]).files,
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

    Images in folders below a class's are its images too. Beside ``train`` (or ``training``) there
    may be ``validation`` (``valid``, ``val``, ``dev``) and ``test`` (``testing``); ``val`` without
    ``test`` is the test set, as ImageNet's is. Without ``train`` a test set is drawn from the seed.

    Args:
        directory: The data directory.
        set: Folder name.
        size: Edge that images are prepared at.
        test_set, confusion, normalization: See `options.variant`.
    """
    where = directory / set
    return variant(
        prepared(directory, "folder", lambda: _read_folder(where, size), set=set, size=size),
        test_set=test_set,
        confusion=confusion,
        normalization=normalization,
    )


def _read_folder(where: Path, size: int) -> Raw:
    if not where.is_dir():
        raise MissingDataError(f"no folder {where}: {about['folder'].get}")
    skipped = originals.Skipped(where)
    shown = [p.name for p in where.iterdir() if p.is_dir() and not originals.is_hidden(p.name)]
    found = originals.by_split(shown, where)
    if found:
        others = sorted(set(shown) - set(found.values()))
        skipped.kinds.update({f"folder {name!r} beside 'train'": 1 for name in others})
    roots = {split: where / found[split] for split in originals.ROLES if split in found}
    roots = roots or {"train": where}
    classes = [folder.name for folder in originals.class_folders(roots["train"])]
    splits = {split: _by_class(root, classes, skipped) for split, root in roots.items()}
    source = f"{where.name} ({size}x{size})"
    return photographs(splits, classes, where, source, size, skipped=skipped)


def _by_class(root: Path, classes: Sequence[str], skipped: originals.Skipped) -> Listed:
    if root.is_symlink():
        skipped = originals.Skipped(root, skipped.kinds)
    number = {name: index for index, name in enumerate(classes)}
    entries = []
    for folder in originals.class_folders(root, skipped):
        if folder.name not in number:
            raise DataError(
                f"{folder} is a class that the training images do not have: "
                "add images of it there, or remove the folder"
            )
        entries += [(file, number[folder.name]) for file in originals.image_files(folder, skipped)]
    return entries
