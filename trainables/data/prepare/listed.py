"""A data set of photographs that are listed by split: decoded to one size when it is prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from trainables.data.prepare import decode, originals
from trainables.data.prepare.labels import checked_labels
from trainables.data.prepare.store import Raw, RawSplit

Listed = Sequence[tuple[Path, int]]
"""Files of images, each with the number of its class."""


def photographs(
    splits: Mapping[str, Listed],
    classes: Sequence[str],
    where: Path,
    source: str,
    size: int,
    resize: decode.Resize | None = None,
    skipped: originals.Skipped | None = None,
    lists: Sequence[Path] = (),
) -> Raw:
    """A data set of the files in ``splits``, at size x size.

    Args:
        where: The folder they are in, for messages.
        source: What a table's footnote calls it.
        resize: None: squeezed to a square.
        skipped: What in the folder is no part of it.
        lists: The files that say which images there are.

    Raises:
        DataError: a file is missing or empty, or a class has no training image.
    """
    resize = resize or decode.square(size)
    parts = {}
    for split, listed in splits.items():
        originals.each_exists(file for file, _ in listed)
        parts[split] = _decoded(listed, size, resize)
        every_class = split == "train"
        checked_labels(parts[split].targets, len(classes), f"{where} ({split})", every_class)
    files = (*lists, *(file for listed in splits.values() for file, _ in listed))
    notes = skipped.notes() if skipped else ()
    return Raw(parts, tuple(classes), source, files, notes)


def _decoded(listed: Listed, size: int, resize: decode.Resize) -> RawSplit:
    files = [file for file, _ in listed]
    labels = np.array([label for _, label in listed], np.int64)
    chunks = decode.decode_images(files, lambda row: str(files[row]), (3, size, size), resize)
    return RawSplit((len(files), 3, size, size), labels, chunks)
