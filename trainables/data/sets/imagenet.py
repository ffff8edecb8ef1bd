"""ImageNet (ILSVRC-2012) from its folders, streamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from trainables.data.base import About, DataError, Dataset, Images, about, registry
from trainables.data.prepare import originals
from trainables.data.prepare.labels import checked_labels
from trainables.data.sets.options import IMAGENET_MEAN, IMAGENET_STD
from trainables.data.stream import ImageFiles
from trainables.registry import Count

about["imagenet"] = About(
    "ImageNet (ILSVRC-2012): 1,281,167 + 50,000 photographs, 1,000 classes; streamed",
    "put (or link) its folders train/<class>/ and val/<class>/ in imagenet/; they are to be had "
    "from image-net.org",
    ("imagenet", "ILSVRC/Data/CLS-LOC"),
)


@registry.register("imagenet")
def imagenet(*, directory: Path, size: Count = 224) -> Dataset:
    """ILSVRC-2012, decoded while training; its validation images are the test set.

    Training images pass through ``random_resized_crop`` if that is the first augmentation, else
    (and for evaluation) the central square of 224/256 of the short side is taken.

    Args:
        directory: The data directory, with ``imagenet/train`` and ``imagenet/val``.
        size: Edge of the images (NRS: 224; InfoMCR, Table 2: 128).
    """
    root = originals.locate("imagenet", directory)
    for split in ("train", "val"):
        if not (root / split).is_dir():
            raise DataError(f"{root / split} is missing: {about['imagenet'].get}")
    skipped = originals.Skipped(root)
    classes = [folder.name for folder in originals.class_folders(root / "train")]
    return Dataset(
        name="imagenet",
        train=_split(root / "train", classes, size, skipped),
        test=_split(root / "val", classes, size, skipped),
        num_classes=len(classes),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        class_names=tuple(classes),
        source=f"ImageNet ({size}x{size})",
        notes=skipped.notes(),
    )


def _split(root: Path, classes: list[str], size: int, skipped: originals.Skipped) -> Images:
    names: list[str] = []
    labels: list[int] = []
    if root.is_symlink():
        skipped = originals.Skipped(root, skipped.kinds)
    for label, folder in enumerate(classes):
        if not (root / folder).is_dir():
            raise DataError(f"{root} has no folder {folder!r}, which the training images have")
        found = originals.image_files(root / folder, skipped)
        names += [str(file)[len(str(root)) + 1 :] for file in found]
        labels += [label] * len(found)
    checked_labels(np.array(labels, np.int64), len(classes), str(root))
    # An ImageFiles has the shape, dtype and length of the tensor it stands for.
    return Images(ImageFiles(root, names, size), torch.tensor(labels))
