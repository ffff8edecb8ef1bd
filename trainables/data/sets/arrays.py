"""Images or features as NumPy writes them: ``.npz`` files, with names of arrays that are usual."""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainables.data.base import (
    About,
    DataError,
    Dataset,
    Images,
    MissingDataError,
    about,
    registry,
)
from trainables.data.prepare import decode, originals
from trainables.data.prepare.labels import checked_labels
from trainables.data.prepare.store import Raw, RawSplit, is_prepared, prepared, prepared_folder
from trainables.data.sets.options import Normalization, SetName, TestSet, variant
from trainables.errors import reason
from trainables.registry import Count, Index

INPUTS = ("images", "x", "data", "features", "inputs")
LABELS = ("labels", "y", "targets", "target", "label")
"""Names of arrays, whatever their case; beside them a split's, as in x_train or train_images."""

about["arrays"] = About(
    "images or features in .npz files: arrays images (or x, features) and labels (or y)",
    "put them in the data directory, with numpy.savez, as NAME.npz (x_train, y_train, x_test, "
    "y_test, or images, labels) or as NAME/train.npz and NAME/test.npz, and give set=NAME",
    ("arrays.npz", "arrays"),
    files=lambda directory, **of: _find(directory, of["set"]).values(),
)

Arrays = tuple[np.ndarray, np.ndarray]
"""Inputs and labels of a split."""


@registry.register("arrays")
def arrays(
    *,
    directory: Path,
    set: SetName = "arrays",  # noqa: A002
    size: Count | None = None,
    test_set: TestSet = "published",
    confusion: Index = 0,
    normalization: Normalization = "train",
) -> Dataset:
    """``<set>.npz``, or ``<set>/train.npz`` and, if they are there, validation and test.

    Images are uint8, N x H x W (gray), N x H x W x 3 or N x 3 x H x W. Features are numbers N x D,
    which are standardized with the training part's mean and std. Labels are whole numbers from 0,
    or names of classes, which are numbered in their order.

    Args:
        directory: The data directory.
        set: Name of the file or folder.
        size: Prepare every image at size x size; None: as they are. Features have no size.
        test_set, confusion, normalization: See `options.variant`.

    Raises:
        DataError: files or arrays missing or damaged, shapes that do not fit, labels that leave a
            class empty.
    """
    if is_prepared(prepared_folder(directory, "arrays", set=set, size=size)) or _are_images(
        splits := _read(directory, set)
    ):
        dataset = prepared(
            directory,
            "arrays",
            lambda: _images(_read(directory, set), set, size),
            set=set,
            size=size,
        )
    elif size is not None or normalization != "train":
        raise DataError(f"{set!r} holds features, which have no size and no {normalization!r}")
    else:
        dataset = _features(splits, set)
    return variant(dataset, test_set=test_set, confusion=confusion, normalization=normalization)


def _find(directory: Path, name: str) -> dict[str, Path]:
    """The file of each split, or one of all as ``""``."""
    one, folder = directory / f"{name}.npz", directory / name
    if one.is_file():
        return {"": originals.inside(one, directory)}
    files = {path.stem: path for path in sorted(folder.glob("*.npz"))}
    splits = originals.by_split(list(files), folder)
    if not splits:
        raise MissingDataError(f"no {one} and no {folder / 'train.npz'}: {about['arrays'].get}")
    return {split: originals.inside(files[file], folder) for split, file in splits.items()}


def _read(directory: Path, name: str) -> dict[str, Arrays]:
    """The arrays of each split."""
    splits: dict[str, Arrays] = {}
    for split, file in _find(directory, name).items():
        found = _load(file)
        if split:
            splits[split] = _pair(found, "", file)
            continue
        beside = {part: found_as for part in originals.ROLES if (found_as := _named(found, part))}
        if "validation" in beside and "test" not in beside and _named(found, "val"):
            beside["test"] = beside.pop("validation")
        if not beside:
            splits["train"] = _pair(found, "", file)
        elif "train" not in beside:
            raise DataError(f"{file} has no array of training images: name one x_train")
        else:
            splits |= {part: _pair(found, alias, file) for part, alias in beside.items()}
    shapes = {inputs.shape[1:] for inputs, _ in splits.values()}
    if len(shapes) > 1:
        raise DataError(f"the splits of {name!r} have inputs of shapes {sorted(shapes)}: make one")
    return splits


def _named(found: Mapping[str, np.ndarray], split: str) -> str:
    """The name of ``split`` that arrays in ``found`` have beside their own; "" if none."""
    aliases = (a for a in originals.ROLES.get(split, (split,)) if any(_keys(found, INPUTS, a)))
    return next(aliases, "")


def _keys(found: Mapping[str, Any], bases: tuple[str, ...], split: str) -> Iterator[str]:
    for key in found:
        for base in bases:
            names = (f"{base}_{split}", f"{split}_{base}", f"{split}{base}") if split else (base,)
            if key.lower() in names:
                yield key


def _pair(found: Mapping[str, np.ndarray], split: str, file: Path) -> Arrays:
    pair = []
    for bases in (INPUTS, LABELS):
        keys = list(_keys(found, bases, split))
        if len(keys) != 1:
            what = f"of {split} " if split else ""
            raise DataError(
                f"{file} has {len(keys) or 'no'} arrays {what}called {' or '.join(bases)} among "
                f"{', '.join(sorted(found)) or 'none'}: name one so"
            )
        pair.append(found[keys[0]])
    inputs, labels = pair[0], np.squeeze(pair[1], 1) if pair[1].shape[1:] == (1,) else pair[1]
    if labels.ndim != 1 or inputs.ndim < 2 or len(inputs) != len(labels) or len(labels) == 0:
        raise DataError(
            f"{file} has inputs of shape {inputs.shape} and labels of shape {labels.shape}: needed "
            "are N inputs and N labels"
        )
    return inputs, labels


def _load(file: Path) -> dict[str, np.ndarray]:
    """The arrays in a file; Python objects are never unpickled."""
    try:
        with np.load(originals.checked_file(file), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except _BROKEN as error:
        raise DataError(
            f"{file} cannot be read as arrays ({reason(error)}): save it again with numpy.savez"
        ) from None


_BROKEN = (
    *(OSError, ValueError, TypeError, LookupError, EOFError, MemoryError, OverflowError),
    *(AttributeError, NotImplementedError, SyntaxError, RuntimeError),
    *(struct.error, zlib.error, zipfile.BadZipFile),
)
"""What NumPy and zipfile raise of files that are no archives of arrays."""


def _are_images(splits: Mapping[str, Arrays]) -> bool:
    return splits["train"][0].ndim > 2


def _classes(splits: Mapping[str, Arrays], name: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Names of the classes, and of each split the labels as their numbers."""
    train = splits["train"][1]
    kinds = {labels.dtype.kind for _, labels in splits.values()}
    if kinds <= set("U"):
        classes = tuple(sorted(set(train.tolist())))
        number = {label: index for index, label in enumerate(classes)}
        labels = {}
        for split, (_, named) in splits.items():
            if unknown := sorted(set(named.tolist()) - set(classes)):
                raise DataError(
                    f"{split} of {name!r} has class {unknown[0]!r}, which train has not"
                )
            labels[split] = np.array([number[label] for label in named.tolist()], np.int64)
        return classes, labels
    if not kinds <= set("iu"):
        raise DataError(f"labels of {name!r} must be whole numbers from 0, or names of classes")
    if int(train.max()) >= len(train):
        raise DataError(
            f"labels of {name!r} go up to {train.max()} in {len(train)} rows: number "
            "the classes without gaps"
        )
    classes = tuple(map(str, range(max(1, int(train.max()) + 1))))
    return classes, {
        split: checked_labels(
            numbers.astype(np.int64), len(classes), f"{split} of {name!r}", split == "train"
        )
        for split, (_, numbers) in splits.items()
    }


def _images(splits: Mapping[str, Arrays], name: str, size: int | None) -> Raw:
    classes, labels = _classes(splits, name)
    parts = {}
    for split, (inputs, _) in splits.items():
        if not _are_images(splits) or inputs.dtype != np.uint8:
            raise DataError(
                f"images of {name!r} are {inputs.dtype} {inputs.shape}: save them as uint8, 0 to "
                "255, N x H x W, N x H x W x 3 or N x 3 x H x W"
            )
        images = _last(inputs, name)
        height, width = (size, size) if size else images.shape[1:3]
        shape = (1 if images.ndim == 3 else 3, height, width)
        resize = decode.square(size) if size else None
        describe = partial("image {2} of {0} of {1!r}".format, split, name)
        chunks = decode.decode_images(images, describe, shape, resize)
        parts[split] = RawSplit((len(images), *shape), labels[split], chunks)
    return Raw(parts, classes, f"{name} (arrays)")


def _last(inputs: np.ndarray, name: str) -> np.ndarray:
    """(N, H, W) if gray, else (N, H, W, 3)."""
    if inputs.ndim == 4 and inputs.shape[3] not in (1, 3) and inputs.shape[1] in (1, 3):
        inputs = np.moveaxis(inputs, 1, 3)
    if inputs.ndim == 4 and inputs.shape[3] == 1:
        inputs = inputs[..., 0]
    if not (inputs.ndim == 3 or (inputs.ndim == 4 and inputs.shape[3] == 3)) or 0 in inputs.shape:
        raise DataError(
            f"images of {name!r} have shape {inputs.shape}: allowed are N x H x W, N x H x W x 3 "
            "and N x 3 x H x W"
        )
    return np.ascontiguousarray(inputs)


def _features(splits: Mapping[str, Arrays], name: str) -> Dataset:
    classes, labels = _classes(splits, name)
    digest, parts = hashlib.sha256(), {}
    for split, (inputs, _) in sorted(splits.items()):
        if inputs.dtype.kind not in "fiub" or inputs.shape[1] == 0:
            raise DataError(f"features of {name!r} are {inputs.dtype} {inputs.shape}: give numbers")
        with np.errstate(over="ignore"):
            numbers = np.ascontiguousarray(inputs.astype(np.float32))
        bad = np.argwhere(~np.isfinite(numbers))
        if bad.size:
            row, column = bad[0]
            raise DataError(
                f"row {row} of {split} of {name!r} has no finite number in column {column}"
            )
        for array in (numbers, labels[split]):
            digest.update(f"{split} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
        parts[split] = Images(torch.from_numpy(numbers), torch.from_numpy(labels[split]))
    columns = parts["train"].base.shape[1]
    return Dataset(
        name="arrays",
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        num_classes=len(classes),
        mean=(0.0,) * columns,
        std=(1.0,) * columns,
        class_names=classes,
        source=f"{name} (arrays)",
        standardize=True,
        fingerprint=digest.hexdigest(),
    )
