"""What a data set is: examples with targets, in memory once for all trials.

Letters in shapes: N examples, C channels, H x W pixels, D features.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.compatibility import Fitted
from trainables.data import structured
from trainables.errors import FlatsweepError, UsageError
from trainables.structures import batch_size, take, tensors

registry = Fitted("data set", given=("directory",))


@dataclass(frozen=True)
class About:
    """What a person needs to know to obtain a data set; shown by `sweep data list`.

    Attributes:
        title: Name, size and kind, in one line.
        get: How to obtain the originals by hand and where to put them, as a clause.
        originals: Paths under the data directory; if one of them exists, the originals are there.
            () for sets that are computed or come with a dependency.
        download: Fetches the originals into a directory; called only when a person asks for it.
        check: Reads the originals in a directory and compares them with the publisher's checksums;
            raises DataError.
        files: Called with a directory and the options that decide the content, lists the originals
            without reading them; raises MissingDataError if none are there. For prepared sets.
    """

    title: str
    get: str = ""
    originals: tuple[str, ...] = ()
    download: Callable[[Path], Any] | None = None
    check: Callable[[Path], Any] | None = None
    files: Callable[..., Iterable[Path]] | None = None


class _Abouts(dict[str, About]):
    def __missing__(self, name: str) -> About:
        """Of a set that says nothing, as a person's own may: the first line of its description."""
        description = inspect.getdoc(registry.get(name)) or name
        return About(description.splitlines()[0])


about: dict[str, About] = _Abouts()
"""An `About` for every registered data set, by its name."""


def how_to_get(name: str) -> str:
    """How to obtain the originals of data set ``name``, as a clause for messages."""
    known = about[name]
    return known.get + (
        f", or run `sweep data prepare {name} --download`" if known.download else ""
    )


class DataError(FlatsweepError):
    """Data that cannot be used: one sentence with the value at fault and the remedy."""


class MissingDataError(DataError):
    """Originals that are not there at all; what was prepared from them can be used without."""


@dataclass(frozen=True, eq=False)
class Images:
    """A set of examples: rows of one shared tensor, each with its target.

    Splits and subsets are rows of the same ``base``, so that many trials, each
    with its own split, hold the pixels only once.

    Attributes:
        base: uint8 images (N, C, H, W), or float features (N, D); on the CPU, maybe memory-mapped.
            Of other examples a structure (`trainables.structures`) of tensors with N rows each, or
            of objects with ``len(base)`` and ``base.batch(rows)``, which gives a structure of
            tensors with one row for each of ``rows`` (int64, on the CPU): ragged data are there
            padded with zeros to the longest of the batch.
        targets: int64 (n,) class labels, or float (n,) or (n, k) regression targets; or a structure
            of tensors, as the task has them (`trainables.tasks.base`).
        rows: int64 (n,), the rows of ``base`` that belong to this set; None: all, in order.
    """

    base: Any
    targets: Any
    rows: Tensor | None = None

    def __post_init__(self) -> None:
        expected = structured.size(self.base) if self.rows is None else len(self.rows)
        if len(self) != expected:
            raise UsageError(f"{len(self)} targets for {expected} inputs")

    def __len__(self) -> int:
        return batch_size(self.targets)

    @property
    def inputs(self) -> Any:
        """The examples themselves, (n, ...); a copy unless the set is the whole ``base``."""
        return structured.rows_of(self.base, self.rows)

    def take(self, positions: Tensor) -> Images:
        """The examples at these positions, in this order; shares ``base``."""
        rows = positions if self.rows is None else self.rows[positions]
        return Images(self.base, take(self.targets, positions), rows)

    @property
    def is_array(self) -> bool:
        """Whether the examples are one tensor, of images or features."""
        return hasattr(self.base, "dtype")

    @property
    def is_pixels(self) -> bool:
        """Whether the examples are uint8 images, and not features."""
        return self.is_array and self.base.dtype == torch.uint8

    @property
    def labels(self) -> Tensor | None:
        """The targets where they are class labels, int64 (n,); None: they are something else."""
        known = self.targets
        plain = isinstance(known, Tensor) and known.ndim == 1 and not known.is_floating_point()
        return known if plain else None


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as its publisher splits it.

    Attributes:
        name: Its name in the registry.
        train: Training examples.
        test: The published test set; None where there is none (then `splits.split` draws one).
        num_classes: Number of classes; for regression, of target values; 0 where there are none.
        mean: Per-channel mean of the training images, as a fraction of full intensity; () of what
            is no image. Where no
            test set is published, `splits.split` takes it from the images it does not draw as one.
        std: Per-channel standard deviation, likewise.
        class_names: In label order; () where the publisher names none.
        source: What a table's footnote calls it, e.g. ``"CIFAR-10 (JPEG)"``.
        validation: The published validation set, where there is one.
        confusion: Training images to add with random labels (InfoMCR, scenario I).
        stratified: Where a test set is drawn, it has each class in proportion.
        standardize: Mean and std are taken per feature from the training part of each split
            instead of from here.
        resize: Edge in pixels that batches are resized to on the device; None: not resized.
        fingerprint: SHA-256 of the prepared content; "" for sets that are computed. (Of a person's
            own set `trainables.data.load` makes it, where it is not given.)
        notes: What a person should know of how it was read, e.g. which files were skipped.
        extra: Further tensors that belong to the set, such as the solution of matrix sensing.
        spec: Of inputs that are no arrays, what a model has to know, such as ``{"vocabulary": 259,
            "length": 64}``.
    """

    name: str
    train: Images
    test: Images | None
    num_classes: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    class_names: tuple[str, ...] = ()
    source: str = ""
    validation: Images | None = None
    confusion: int = 0
    stratified: bool = True
    standardize: bool = False
    resize: int | None = None
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    extra: dict[str, Tensor] = field(default_factory=dict)
    spec: Mapping[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The beginning of ``fingerprint``, as results have it."""
        return self.fingerprint[:16]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example as a model sees it; () where it is no array."""
        if not self.train.is_array:
            return ()
        channels, *size = self.train.base.shape[1:]
        return (channels, *([self.resize] * len(size) if self.resize else size))


def content(dataset: Dataset) -> str:
    """SHA-256 of all examples and targets of a data set."""
    digest = hashlib.sha256()
    for part in (dataset.train, dataset.validation, dataset.test):
        for tensor in () if part is None else tensors((part.inputs, part.targets)):
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def channel_statistics(pixels: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and population standard deviation of each channel of uint8 (N, C, H, W), over 255.

    Sums are of integers, hence exact and the same on every machine; the results are
    rounded to six decimals (half a millionth of full intensity at most).
    """
    channels = pixels.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for chunk in pixels.split(4096):
        for channel in range(channels):
            counts[channel] += torch.bincount(chunk[:, channel].flatten(), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    frequencies = counts.double() / counts.sum(1, keepdim=True)
    mean = (frequencies * values).sum(1)
    std = (frequencies * (values - mean[:, None]) ** 2).sum(1).sqrt()
    return (
        tuple(round(x, 6) for x in mean.tolist()),
        tuple(round(x, 6) for x in std.tolist()),
    )
