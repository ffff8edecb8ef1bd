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

from trainables.data.base import About, DataError, Dataset, MissingDataError, about, registry
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
    lambda directory: [file for file, _ in _cifar_files(directory, "cifar10")],
)
about["cifar100"] = About(
    "CIFAR-100: 50,000 + 10,000 of 32x32 RGB, 100 classes",
    "unpack cifar-100-python.tar.gz (cs.toronto.edu/~kriz/cifar.html) in the data directory",
    ("cifar-100-python", "cifar100/cifar-100-python"),
    _downloader("CIFAR100"),
    lambda directory: _read_cifar(directory, "cifar100"),
    lambda directory: [file for file, _ in _cifar_files(directory, "cifar100")],
)
about["mnist"] = About(
    "MNIST: 60,000 + 10,000 of 28x28 gray, 10 classes",
    "put its four *-ubyte.gz files (yann.lecun.com/exdb/mnist) in MNIST/raw/",
    ("MNIST/raw", "mnist/MNIST/raw", "mnist"),
    _downloader("MNIST"),
    lambda directory: _read_mnist(directory),
    lambda directory: [file for pair in _mnist_files(directory).values() for file in pair],
)
about["svhn"] = About(
    "SVHN (cropped): 73,257 + 26,032 of 32x32 RGB, 10 classes",
    "put train_32x32.mat and test_32x32.mat (ufldl.stanford.edu/housenumbers) in the data "
    "directory",
    ("train_32x32.mat", "svhn/train_32x32.mat", "SVHN/train_32x32.mat"),
    _downloader("SVHN"),
    lambda directory: _read_svhn(directory),
    lambda directory: [file for file, _ in _svhn_files(directory).values()],
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
    dataset = prepared(directory, "cifar10", lambda: _read_cifar(directory, "cifar10"))
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
    dataset = prepared(directory, "cifar100", lambda: _read_cifar(directory, "cifar100"))
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
    dataset = prepared(directory, "mnist", lambda: _read_mnist(directory))
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
    dataset = prepared(directory, "svhn", lambda: _read_svhn(directory))
    return variant(dataset, normalization=normalization, resize=resize)


def _cifar_kind(name: str) -> Any:
    from torchvision import datasets

    return datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100


def _cifar_files(directory: Path, name: str) -> list[tuple[Path, str]]:
    """The publisher's files with their MD5."""
    try:
        where = originals.locate(name, directory)
    except MissingDataError as error:
        if (directory / name / "train.parquet").is_file():
            hint = f"; its Parquet form is there, as data set parquet with set = {name!r}"
            raise MissingDataError(f"{error}{hint}") from None
        raise
    kind = _cifar_kind(name)
    listed = [(kind.meta["filename"], kind.meta["md5"]), *kind.train_list, *kind.test_list]
    return [(where / file, digest) for file, digest in listed]


def _read_cifar(directory: Path, name: str) -> Raw:
    # The checksums come first: only the publisher's own pickles are ever opened.
    files = [originals.checked_file(*listed) for listed in _cifar_files(directory, name)]
    kind, where = _cifar_kind(name), files[0].parent
    parts, classes = {}, ()
    for split in ("train", "test"):
        read = kind(str(where.parent), train=split == "train")
        classes, labels = tuple(read.classes), np.asarray(read.targets, np.int64)
        checked_labels(labels, len(classes), str(where / split), every_class=split == "train")
        parts[split] = _part(read.data.transpose(0, 3, 1, 2), labels)
    return Raw(parts, classes, "CIFAR-10" if name == "cifar10" else "CIFAR-100")


def _part(pixels: np.ndarray, labels: np.ndarray) -> RawSplit:
    shape = (pixels.shape[0], pixels.shape[1], pixels.shape[2], pixels.shape[3])
    return RawSplit(shape, labels, _pieces(pixels))


def _pieces(pixels: np.ndarray, size: int = 4096) -> Iterator[np.ndarray]:
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]


def _mnist_files(directory: Path) -> dict[str, tuple[Path, Path]]:
    """Images and labels of each split: packed, or unpacked where only that is there."""
    where = originals.locate("mnist", directory)
    return {
        split: (
            _unpacked_or_packed(where / f"{prefix}-images-idx3-ubyte.gz"),
            _unpacked_or_packed(where / f"{prefix}-labels-idx1-ubyte.gz"),
        )
        for split, prefix in (("train", "train"), ("test", "t10k"))
    }


def _unpacked_or_packed(packed: Path) -> Path:
    unpacked = packed.with_suffix("")
    return packed if packed.is_file() or not unpacked.is_file() else unpacked


def _read_mnist(directory: Path) -> Raw:
    from torchvision import datasets
    from torchvision.datasets.mnist import read_image_file, read_label_file

    # Its class MNIST reads nothing but unpacked files, in a folder that it chooses.
    digests = dict(datasets.MNIST.resources)  # of packed files; none is published of unpacked ones
    parts = {}
    for split, (images, targets) in _mnist_files(directory).items():
        for file in (images, targets):
            originals.checked_file(file, digests.get(file.name))
        pixels, labels = _idx(images, read_image_file)[:, None], _idx(targets, read_label_file)
        if len(pixels) != len(labels):
            raise DataError(
                f"{images} holds {len(pixels)} images but {targets} {len(labels)} labels: "
                "fetch both again"
            )
        checked_labels(labels, 10, str(targets), every_class=split == "train")
        parts[split] = _part(pixels, labels)
    return Raw(parts, tuple("0123456789"), "MNIST")


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


def _svhn_files(directory: Path) -> dict[str, tuple[Path, str]]:
    """The publisher's file of each split with its MD5."""
    where = originals.locate("svhn", directory).parent
    from torchvision import datasets

    listed = datasets.SVHN.split_list
    return {split: (where / listed[split][1], listed[split][2]) for split in ("train", "test")}


def _read_svhn(directory: Path) -> Raw:
    from torchvision import datasets

    parts = {}
    for split, (listed, digest) in _svhn_files(directory).items():
        file = originals.checked_file(listed, digest)
        read = datasets.SVHN(str(file.parent), split=split)
        checked_labels(read.labels, 10, str(file), every_class=split == "train")
        parts[split] = _part(read.data, read.labels)
    return Raw(parts, tuple("0123456789"), "SVHN")
