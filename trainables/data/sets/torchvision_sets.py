"""CIFAR-10, CIFAR-100, MNIST and SVHN, from the files that torchvision also reads."""

from __future__ import annotations

import gzip
import math
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np

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
    """SVHN, cropped digits without the extra images (Netzer et al. 2011; AMP, Section 4.1)."""
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
    meta = where / kind.meta["filename"]
    originals.checked_file(meta, kind.meta["md5"])
    classes = tuple(_unpickle(meta)[kind.meta["key"]])
    parts, files = {}, [meta]
    for split, listed in (("train", kind.train_list), ("test", kind.test_list)):
        batches = []
        for file, digest in listed:
            # The checksum comes first: only the publisher's own pickle is ever opened.
            files.append(originals.checked_file(where / file, digest))
            batches.append(_unpickle(where / file))
        pixels = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
        key = "labels" if "labels" in batches[0] else "fine_labels"
        labels = np.concatenate([np.asarray(batch[key], np.int64) for batch in batches])
        checked_labels(labels, len(classes), str(where / split), every_class=split == "train")
        parts[split] = _part(pixels, labels)
    title = "CIFAR-10" if name == "cifar10" else "CIFAR-100"
    return Raw(parts, classes, title, tuple(files))


def _unpickle(path: Path) -> dict[str, Any]:
    with open(path, "rb") as handle:
        return pickle.load(handle, encoding="latin1")


def _part(pixels: np.ndarray, labels: np.ndarray) -> RawSplit:
    shape = (pixels.shape[0], pixels.shape[1], pixels.shape[2], pixels.shape[3])
    return RawSplit(shape, labels, _pieces(pixels))


def _pieces(pixels: np.ndarray, size: int = 4096) -> Iterator[np.ndarray]:
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]


def _read_mnist(directory: Path) -> Raw:
    where = originals.locate("mnist", directory)
    from torchvision import datasets

    digests = dict(datasets.MNIST.resources)
    parts, files = {}, []
    for split, prefix in (("train", "train"), ("test", "t10k")):
        arrays = []
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            file = where / f"{prefix}-{kind}.gz"
            if not file.is_file() and (where / file.stem).is_file():
                file = originals.checked_file(where / file.stem)  # unpacked: no published checksum
            else:
                originals.checked_file(file, digests[file.name])
            files.append(file)
            arrays.append(_idx(file))
        pixels, labels = arrays[0][:, None], arrays[1].astype(np.int64)
        if len(pixels) != len(labels):
            raise DataError(
                f"{files[-2]} holds {len(pixels)} images but {files[-1]} {len(labels)} labels: "
                "fetch both again"
            )
        checked_labels(labels, 10, str(files[-1]), every_class=split == "train")
        parts[split] = _part(pixels, labels)
    return Raw(parts, tuple("0123456789"), "MNIST", tuple(files))


def _idx(path: Path) -> np.ndarray:
    """An array in MNIST's IDX format: bytes 0, 0, 8 (uint8), dimensions, sizes, data."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{path} cannot be unpacked: it is damaged; fetch it again") from None
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise DataError(f"{path} is not an IDX file of bytes: fetch it again")
    dimensions = data[3]
    start = 4 + 4 * dimensions
    shape = np.frombuffer(data[4:start].ljust(start - 4, b"\0"), ">i4").tolist()
    if len(data) - start != math.prod(shape):
        raise DataError(f"{path} is truncated or too long for its header: fetch it again")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _read_svhn(directory: Path) -> Raw:
    where = originals.locate("svhn", directory).parent
    from scipy.io import loadmat
    from torchvision import datasets

    parts, files = {}, []
    for split in ("train", "test"):
        _, file, digest = datasets.SVHN.split_list[split]
        path = originals.checked_file(where / file, digest)
        content = loadmat(str(path))
        labels = content["y"].astype(np.int64).ravel() % 10  # the publisher's 10 is the digit 0
        checked_labels(labels, 10, str(path), every_class=split == "train")
        parts[split] = _part(content["X"].transpose(3, 2, 0, 1), labels)
        files.append(path)
    return Raw(parts, tuple("0123456789"), "SVHN", tuple(files))
