"""Small originals of every data set, in the format of their publishers."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.pair_originals import write_captioned, write_collab
from tests.trainables.data.text_originals import write_mrpc, write_rationales

Maker = Callable[[Path], None]


def random_images(count: int, height: int = 32, width: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


def write_parquet(
    file: Path,
    images: list[bytes | None],
    labels: list[int | None],
    columns: tuple[str, str] = ("img", "label"),
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": image, "path": f"{i}.png"} for i, image in enumerate(images)]
    table = pa.table({columns[0]: pa.array(rows, struct), columns[1]: pa.array(labels, pa.int64())})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def write_photographs(folder: Path, count: int, seed: int = 0, size: tuple[int, int] = (20, 26)):
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(random_images(count, *size, seed=seed)):
        (folder / f"{index:03d}.jpg").write_bytes(encoded(image, "JPEG"))


def make_parquet(directory: Path) -> None:
    for split, count in (("train", 40), ("test", 20)):
        images = [encoded(image) for image in random_images(count, seed=count)]
        write_parquet(
            directory / "cifar10" / f"{split}.parquet", images, [i % 10 for i in range(count)]
        )


class Originals:
    """Makes each data set's originals in a directory, with the publishers' checksums patched."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    def names(self) -> list[str]:
        return sorted(name[6:] for name in dir(self) if name.startswith("_make_"))

    def make(self, name: str, directory: Path) -> None:
        getattr(self, f"_make_{name}")(directory)

    def _make_digits(self, directory: Path) -> None: ...

    def _make_spirals(self, directory: Path) -> None: ...

    def _make_matrix_sensing(self, directory: Path) -> None: ...

    def _make_word_problems(self, directory: Path) -> None: ...

    def _make_paraphrases(self, directory: Path) -> None: ...

    def _make_commonsense_qa(self, directory: Path) -> None:
        write_rationales(directory, "commonsense_qa")

    def _make_strategy_qa(self, directory: Path) -> None:
        write_rationales(directory, "strategy_qa")

    def _make_mrpc(self, directory: Path) -> None:
        write_mrpc(directory)

    def _make_parquet(self, directory: Path) -> None:
        make_parquet(directory)

    def _cifar(self, directory: Path, name: str, classes: int) -> None:
        from torchvision import datasets

        kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
        root = directory / kind.base_folder
        root.mkdir(parents=True)
        key = "labels" if name == "cifar10" else "fine_labels"

        def write(file: str, content: dict, old: str) -> str:
            assert len(old) == 32
            raw = pickle.dumps(content)
            (root / file).write_bytes(raw)
            return md5(raw)

        for attribute, rows in (("train_list", 2 * classes), ("test_list", classes)):
            listed = []
            for number, (file, old) in enumerate(getattr(kind, attribute)):
                pixels = random_images(rows, seed=number).reshape(rows, -1)
                content = {"data": pixels, key: [i % classes for i in range(rows)]}
                listed.append([file, write(file, content, old)])
            self.patch.setattr(kind, attribute, listed)
        names = {kind.meta["key"]: [f"class {i}" for i in range(classes)]}
        digest = write(kind.meta["filename"], names, kind.meta["md5"])
        self.patch.setattr(kind, "meta", {**kind.meta, "md5": digest})

    def _make_cifar10(self, directory: Path) -> None:
        self._cifar(directory, "cifar10", 10)

    def _make_cifar100(self, directory: Path) -> None:
        self._cifar(directory, "cifar100", 100)

    def _make_mnist(self, directory: Path) -> None:
        from torchvision import datasets

        root = directory / "MNIST" / "raw"
        root.mkdir(parents=True)
        resources = []
        for file, _ in datasets.MNIST.resources:
            count = 30 if file.startswith("train") else 20
            array = random_images(count, 28, 28)[..., 0]
            if "labels" in file:
                array = (np.arange(count) % 10).astype(np.uint8)
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (root / file).write_bytes(gzip.compress(header + array.tobytes()))
            resources.append((file, md5((root / file).read_bytes())))
        self.patch.setattr(datasets.MNIST, "resources", resources)

    def _make_svhn(self, directory: Path) -> None:
        from scipy.io import savemat
        from torchvision import datasets

        listed = dict(datasets.SVHN.split_list)
        directory.mkdir(exist_ok=True)
        for split, count in (("train", 30), ("test", 20)):
            url, file, _ = listed[split]
            images = random_images(count, seed=count).transpose(1, 2, 3, 0)
            labels = (np.arange(count) % 10 + 1)[:, None].astype(np.uint8)
            savemat(directory / file, {"X": images, "y": labels})
            listed[split] = [url, file, md5((directory / file).read_bytes())]
        self.patch.setattr(datasets.SVHN, "split_list", listed)

    def _make_aircraft(self, directory: Path) -> None:
        root = directory / "fgvc-aircraft-2013b" / "data"
        write_photographs(root / "images", 9)
        (root / "variants.txt").write_text("707-320\nA300B4\nDC-8\n")
        variants = ["707-320", "A300B4", "DC-8"]
        for split, start in (("train", 0), ("val", 3), ("test", 6)):
            listed = [f"{start + i:03d} {name}" for i, name in enumerate(variants)]
            (root / f"images_variant_{split}.txt").write_text("\n".join(listed) + "\n")

    def _make_caltech256(self, directory: Path) -> None:
        root = directory / "caltech256" / "256_ObjectCategories"
        for number, name in ((1, "ak47"), (2, "american-flag"), (257, "clutter")):
            write_photographs(root / f"{number:03d}.{name}", 71, seed=number)
        (root / "001.ak47" / "RENAME2").write_text("a stray file of the publisher's")

    def _make_indoor67(self, directory: Path) -> None:
        root = directory / "indoorCVPR_09"
        for number, name in enumerate(("airport_inside", "bakery")):
            write_photographs(root / "Images" / name, 6, seed=number)
        for listed, rows in (("TrainImages.txt", range(4)), ("TestImages.txt", range(4, 6))):
            lines = [f"{name}/{i:03d}.jpg" for name in ("airport_inside", "bakery") for i in rows]
            (root / listed).write_text("\n".join(lines))

    def _make_retina(self, directory: Path) -> None:
        root = directory / "retina"
        write_photographs(root / "images", 25)
        with open(root / "labels.csv", "w", newline="") as handle:
            table = csv.writer(handle)
            table.writerow(["image", "label"])
            table.writerows([f"{i:03d}", i % 5] for i in range(25))

    def _make_folder(self, directory: Path) -> None:
        for split, count in (("train", 5), ("test", 2)):
            for number, name in enumerate(("cat", "dog")):
                write_photographs(directory / "images" / split / name, count, seed=number + count)

    def _make_arrays(self, directory: Path) -> None:
        rng = np.random.default_rng(0)
        x, y = random_images(30, 8, 9), np.arange(30) % 3
        directory.mkdir(parents=True, exist_ok=True)
        np.savez(
            directory / "arrays.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:]
        )
        np.savez(directory / "features.npz", features=rng.normal(size=(30, 5)), labels=y)

    def _make_imagenet(self, directory: Path) -> None:
        for split, count in (("train", 6), ("val", 3)):
            for number, name in enumerate(("n01440764", "n01443537")):
                folder = directory / "imagenet" / split / name
                write_photographs(folder, count, seed=number + count, size=(40, 50 + number))

    def _make_random_rbf(self, directory: Path) -> None:
        rng = np.random.default_rng(0)
        lines = ["% a comment", "@RELATION RandomRBF", ""]
        lines += [f"@ATTRIBUTE att{i} NUMERIC" for i in range(1, 11)]
        lines += ["@ATTRIBUTE class {class1,class2,class3,class4,class5}", "", "@DATA"]
        for row in range(50):
            numbers = ",".join(f"{x:.6f}" for x in rng.normal(size=10))
            lines.append(f"{numbers},class{row % 5 + 1}")
        file = directory / "openml_159" / "dataset.arff"
        file.parent.mkdir(parents=True)
        file.write_text("\n".join(lines) + "\n")

    def _make_captioned_digits(self, directory: Path) -> None: ...

    def _make_ego_graphs(self, directory: Path) -> None: ...

    def _make_collab(self, directory: Path) -> None:
        write_collab(directory)

    def _make_conceptual_captions(self, directory: Path) -> None:
        write_captioned(directory / "conceptual_captions", {"train": 12, "validation": 6})
