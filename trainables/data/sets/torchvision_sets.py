"""CIFAR-10, CIFAR-100, MNIST and SVHN, read by torchvision.

The publisher's files are checked first, so that what is missing or damaged is said in one sentence
and no file is opened that is not the publisher's.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from torch import Tensor

from trainables.data.base import About, DataError, Dataset, about, registry
from trainables.data.prepare import originals
from trainables.data.prepare.labels import checked_labels
from trainables.data.prepare.store import Raw, RawSplit, prepared
from trainables.data.sets.options import Normalization, TestSet, resized, variant
from trainables.registry import Count, Index


def _downloader(name: str, **arguments: Any) -> Any:
    """torchvision's own download of data set class ``name``; called on request only."""

    def download(directory: Path) -> None:
        from torchvision import datasets

        splits = ("train", "test") if name == "SVHN" else (None,)
        for split in splits:
            options = arguments if split is None else {**arguments, "split": split}
            getattr(datasets, name)(str(directory), download=True, **options)

    return download


about["cifar10"] = About(
    "CIFAR-10: 50,000 + 10,000 of 32x32 RGB, 10 classes",
    "unpack cifar-10-python.tar.gz (cs.toronto.edu/~kriz/cifar.html) in the data directory",
    ("cifar-10-batches-py", "cifar10/cifar-10-batches-py"),
    _downloader("CIFAR10"),
    lambda directory: _read_cifar(directory, "cifar10"),
)
about["cifar100"] = About(
    "CIFAR-100: 50,000 + 10,000 of 32x32 RGB, 100 classes",
    "unpack cifar-100-python.tar.gz (cs.toronto.edu/~kriz/cifar.html) in the data directory",
    ("cifar-100-python", "cifar100/cifar-100-python"),
    _downloader("CIFAR100"),
    lambda directory: _read_cifar(directory, "cifar100"),
)
about["mnist"] = About(
    "MNIST: 60,000 + 10,000 of 28x28 gray, 10 classes",
    "put its four *-ubyte.gz files (yann.lecun.com/exdb/mnist) in MNIST/raw/",
    ("MNIST/raw", "mnist/MNIST/raw", "mnist"),
    _downloader("MNIST"),
    lambda directory: _read_mnist(directory),
)
about["svhn"] = About(
    "SVHN (cropped): 73,257 + 26,032 of 32x32 RGB, 10 classes",
    "put train_32x32.mat and test_32x32.mat (ufldl.stanford.edu/housenumbers) in the data "
    "directory",
    ("train_32x32.mat", "svhn/train_32x32.mat", "SVHN/train_32x32.mat"),
    _downloader("SVHN"),
    lambda directory: _read_svhn(directory),
)


@registry.register("cifar10")
def cifar10(
    *,
    directory: Path,
    test_set: TestSet = "published",
    confusion: Index = 0,
    normalization: Normalization = "train",
    resize: Annotated[Count | None, resized(32)] = None,
) -> Dataset:
    """CIFAR-10 (Krizhevsky 2009). Options: `options.variant`."""
    dataset = prepared(directory, "cifar10", "cifar10", lambda: _read_cifar(directory, "cifar10"))
    return variant(
        dataset,
        test_set=test_set,
        confusion=confusion,
        normalization=normalization,
        resize=resize,
    )


@registry.register("cifar100")
def cifar100(
    *,
    directory: Path,
    test_set: TestSet = "published",
    confusion: Index = 0,
    normalization: Normalization = "train",
    resize: Annotated[Count | None, resized(32)] = None,
) -> Dataset:
    """CIFAR-100, fine labels (Krizhevsky 2009). Options: `options.variant`."""
    dataset = prepared(
        directory, "cifar100", "cifar100", lambda: _read_cifar(directory, "cifar100")
    )
    return variant(
        dataset,
        test_set=test_set,
        confusion=confusion,
        normalization=normalization,
        resize=resize,
    )


@registry.register("mnist")
def mnist(
    *,
    directory: Path,
    normalization: Normalization = "train",
    resize: Annotated[Count | None, resized(28)] = None,
) -> Dataset:
    """MNIST (LeCun, Cortes & Burges). Options: `options.variant`."""
    dataset = prepared(directory, "mnist", "mnist", lambda: _read_mnist(directory))
    return variant(dataset, normalization=normalization, resize=resize)


@registry.register("svhn")
def svhn(
    *,
    directory: Path,
    normalization: Normalization = "train",
    resize: Annotated[Count | None, resized(32)] = None,
) -> Dataset:
    """SVHN, cropped digits without the extra images (Netzer et al. 2011; AMP, Section 4.1).

    Options: `options.variant`.
    """
    dataset = prepared(directory, "svhn", "svhn", lambda: _read_svhn(directory))
    return variant(dataset, normalization=normalization, resize=resize)


def _read_cifar(directory: Path, name: str) -> Raw:
    try:
        where = originals.locate(name, directory)
    except DataError as error:
        if (directory / name / "train.parquet").is_file():
            hint = f"; its Parquet form is there, as data set parquet with set = {name!r}"
            raise DataError(f"{error}{hint}") from None
        raise
    from torchvision import datasets

    kind = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
    listed = [(kind.meta["filename"], kind.meta["md5"]), *kind.train_list, *kind.test_list]
    # The checksums come first: only the publisher's own pickles are ever opened.
    files = tuple(originals.checked_file(where / file, digest) for file, digest in listed)
    parts, classes = {}, ()
    for split in ("train", "test"):
        read = kind(str(where.parent), train=split == "train")
        classes, labels = tuple(read.classes), np.asarray(read.targets, np.int64)
        checked_labels(labels, len(classes), str(where / split), every_class=split == "train")
        parts[split] = _part(read.data.transpose(0, 3, 1, 2), labels)
    return Raw(parts, classes, "CIFAR-10" if name == "cifar10" else "CIFAR-100", files)


def _part(pixels: np.ndarray, labels: np.ndarray) -> RawSplit:
    shape = (pixels.shape[0], pixels.shape[1], pixels.shape[2], pixels.shape[3])
    return RawSplit(shape, labels, _pieces(pixels))


def _pieces(pixels: np.ndarray, size: int = 4096) -> Iterator[np.ndarray]:
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]


def _read_mnist(directory: Path) -> Raw:
    where = originals.locate("mnist", directory)
    from torchvision import datasets
    from torchvision.datasets.mnist import read_image_file, read_label_file

    # Its class MNIST reads nothing but unpacked files, in a folder that it chooses.
    digests = dict(datasets.MNIST.resources)
    parts, files = {}, []
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = _unpacked_or_packed(where / f"{prefix}-images-idx3-ubyte.gz", digests)
        targets = _unpacked_or_packed(where / f"{prefix}-labels-idx1-ubyte.gz", digests)
        pixels, labels = _idx(images, read_image_file)[:, None], _idx(targets, read_label_file)
        if len(pixels) != len(labels):
            raise DataError(
                f"{images} holds {len(pixels)} images but {targets} {len(labels)} labels: "
                "fetch both again"
            )
        checked_labels(labels, 10, str(targets), every_class=split == "train")
        parts[split] = _part(pixels, labels)
        files += [images, targets]
    return Raw(parts, tuple("0123456789"), "MNIST", tuple(files))


def _unpacked_or_packed(packed: Path, digests: dict[str, str]) -> Path:
    """The packed file, or the unpacked one beside it, for which no checksum is published."""
    if not packed.is_file() and (unpacked := packed.with_suffix("")).is_file():
        return originals.checked_file(unpacked)
    return originals.checked_file(packed, digests[packed.name])


def _idx(path: Path, read: Callable[[str], Tensor]) -> np.ndarray:
    """What torchvision's ``read`` makes of a file in MNIST's IDX format, packed or not."""
    from torchvision.datasets.utils import extract_archive

    with tempfile.TemporaryDirectory() as folder:
        try:
            plain = extract_archive(str(path), folder) if path.suffix == ".gz" else path
        except (OSError, EOFError, zlib.error):
            raise DataError(f"{path} cannot be unpacked: it is damaged; fetch it again") from None
        try:
            return read(str(plain)).numpy()
        except (AssertionError, LookupError, RuntimeError, TypeError, ValueError):
            raise DataError(
                f"{path} is not an IDX file of bytes, or is truncated or too long for its header: "
                "fetch it again"
            ) from None


def _read_svhn(directory: Path) -> Raw:
    where = originals.locate("svhn", directory).parent
    from torchvision import datasets

    parts, files = {}, []
    for split in ("train", "test"):
        _, file, digest = datasets.SVHN.split_list[split]
        files.append(originals.checked_file(where / file, digest))
        read = datasets.SVHN(str(where), split=split)
        checked_labels(read.labels, 10, str(files[-1]), every_class=split == "train")
        parts[split] = _part(read.data, read.labels)
    return Raw(parts, tuple("0123456789"), "SVHN", tuple(files))
