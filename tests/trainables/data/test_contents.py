"""What is read is what the publishers' files hold: each reader beside an independent one."""

import gzip
import io
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import loadmat

import trainables.data as data
from tests.needs import needs_data
from trainables.config import Data
from trainables.data.base import channel_statistics
from trainables.data.splits import split


def by_hand(name: str, directory: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, C, H, W) and labels of a publisher's files, read without torchvision."""
    if name == "svhn":
        content = loadmat(directory / f"{split}_32x32.mat")
        return content["X"].transpose(3, 2, 0, 1), content["y"].ravel() % 10  # 10 is the digit 0
    if name == "mnist":
        root, prefix = directory / "MNIST" / "raw", {"train": "train", "test": "t10k"}[split]
        images, labels = (
            np.frombuffer(gzip.decompress((root / f"{prefix}-{kind}.gz").read_bytes()), np.uint8)
            for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        return images[16:].reshape(-1, 1, 28, 28), labels[8:]
    root = directory / {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[name]
    numbered = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}[split]
    batches = [
        pickle.loads((root / file).read_bytes())
        for file in (numbered if name == "cifar10" else [split])
    ]
    labels = [y for b in batches for y in b["labels" if name == "cifar10" else "fine_labels"]]
    return np.concatenate([b["data"] for b in batches]).reshape(-1, 3, 32, 32), np.array(labels)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "svhn"])
def test_small_sets_hold_what_their_files_do(name, tmp_path, originals):
    originals.make(name, tmp_path)
    ours = data.load(name, tmp_path)
    for kind, part in (("train", ours.train), ("test", ours.test)):
        pixels, labels = by_hand(name, tmp_path, kind)
        assert np.array_equal(part.inputs, pixels)
        assert np.array_equal(part.targets, labels)


def test_mnist_reads_unpacked_files_too(tmp_path, originals):
    originals.make("mnist", tmp_path)
    packed = data.load("mnist", tmp_path).train.inputs
    other = tmp_path / "other"
    (other / "MNIST" / "raw").mkdir(parents=True)
    for file in (tmp_path / "MNIST" / "raw").glob("*.gz"):
        unpacked = other / "MNIST" / "raw" / file.stem
        unpacked.write_bytes(gzip.decompress(file.read_bytes()))
    assert torch.equal(data.load("mnist", other).train.inputs, packed)


def test_parquet_reads_as_pandas_and_pillow_read_it(tmp_path, originals):
    import pandas

    originals.make("parquet", tmp_path)
    ours = data.load("parquet", tmp_path)
    for split_name, part in (("train", ours.train), ("test", ours.test)):
        frame = pandas.read_parquet(tmp_path / "cifar10" / f"{split_name}.parquet")
        for row, (image, label) in enumerate(zip(frame["img"], frame["label"], strict=True)):
            expected = np.array(Image.open(io.BytesIO(image["bytes"])).convert("RGB"))
            assert np.array_equal(part.inputs[row].permute(1, 2, 0).numpy(), expected)
            assert part.targets[row] == label
    assert ours.source == "CIFAR-10 (JPEG)"
    assert ours.class_names[3] == "cat"


def test_photographs_are_resized_by_pillow(tmp_path, originals):
    originals.make("folder", tmp_path)
    ours = data.load("folder", tmp_path, size=16)
    assert ours.class_names == ("cat", "dog")
    files = sorted((tmp_path / "images" / "train").glob("*/*.jpg"))
    for row, file in enumerate(files):
        image = Image.open(file).convert("RGB").resize((16, 16), Image.Resampling.BILINEAR)
        assert np.array_equal(ours.train.inputs[row].permute(1, 2, 0).numpy(), np.array(image))
        assert ours.class_names[ours.train.targets[row]] == file.parent.name


def test_retina_keeps_the_aspect_and_takes_a_split_from_the_table(tmp_path, originals):
    originals.make("retina", tmp_path)
    table = tmp_path / "retina" / "labels.csv"
    rows = table.read_text().splitlines()
    named = ["train"] * 15 + ["val"] * 5 + ["test"] * 5
    lines = [f"{row},{split}" for row, split in zip(rows[1:], named, strict=True)]
    table.write_text("\n".join(["image,label,split", *lines]))
    ours = data.load("retina", tmp_path, size=26)
    assert (len(ours.train), len(ours.validation), len(ours.test)) == (15, 5, 5)
    # photographs are 20 x 26: three black rows above and below
    assert ours.train.inputs[:, :, :3].max() == 0
    assert ours.train.inputs[:, :, -3:].max() == 0
    assert ours.train.inputs[:, :, 5:20].max() > 0


def test_caltech_is_cut_per_class_by_sorted_names(tmp_path, originals):
    originals.make("caltech256", tmp_path)
    ours = data.load("caltech256", tmp_path, size=8)
    assert ours.class_names == ("ak47", "american-flag")  # clutter is no class
    assert (len(ours.train), len(ours.validation), len(ours.test)) == (60, 40, 40)
    files = sorted((tmp_path / "caltech256/256_ObjectCategories/001.ak47").glob("*.jpg"))
    for row in range(30):
        expected = Image.open(files[row]).resize((8, 8), Image.Resampling.BILINEAR)
        assert np.array_equal(ours.train.inputs[row].permute(1, 2, 0).numpy(), np.array(expected))
    expected = Image.open(files[30]).resize((8, 8), Image.Resampling.BILINEAR)
    assert np.array_equal(ours.validation.inputs[0].permute(1, 2, 0).numpy(), np.array(expected))


def test_aircraft_and_indoor_take_the_publishers_lists(tmp_path, originals):
    originals.make("aircraft", tmp_path)
    originals.make("indoor67", tmp_path)
    aircraft = data.load("aircraft", tmp_path, size=16)
    assert [len(p) for p in (aircraft.train, aircraft.validation, aircraft.test)] == [3, 3, 3]
    assert aircraft.class_names == ("707-320", "A300B4", "DC-8")
    indoor = data.load("indoor67", tmp_path, size=16)
    assert (len(indoor.train), indoor.validation, len(indoor.test)) == (8, None, 4)


def test_table_of_fa(tmp_path, originals):
    originals.make("random_rbf", tmp_path)
    ours = data.load("random_rbf", tmp_path)
    assert ours.stratified
    assert not data.load("random_rbf", tmp_path, test_set="uniform").stratified
    arff = (tmp_path / "openml_159" / "dataset.arff").read_text()
    rows = arff.splitlines()[-50:]
    expected = np.array([[float(x) for x in row.split(",")[:10]] for row in rows], np.float32)
    assert np.array_equal(ours.train.inputs.numpy(), expected)
    assert ours.class_names == tuple(f"class{i}" for i in range(1, 6))
    parts = split(ours, Data(validation=0), 0)
    assert (len(parts.train), len(parts.test)) == (40, 10)
    standardized = (parts.train.inputs.double() - parts.mean) / parts.std
    # float64 sums of 40 numbers of order one: rounding below 1e-13
    assert standardized.mean(0).abs().max() < 1e-12
    assert (standardized.var(0, correction=0) - 1).abs().max() < 1e-12


def test_table_as_parquet_is_the_same(tmp_path, originals):
    import pyarrow as pa
    import pyarrow.parquet as pq

    originals.make("random_rbf", tmp_path)
    ours = data.load("random_rbf", tmp_path)
    file = tmp_path / "other" / "openml_159" / "dataset.parquet"
    file.parent.mkdir(parents=True)
    columns = {f"att{i}": ours.train.inputs[:, i].numpy() for i in range(10)}
    labels = [ours.class_names[label] for label in ours.train.targets]
    pq.write_table(pa.table({**columns, "class": labels}), file)
    again = data.load("random_rbf", tmp_path / "other")
    assert torch.equal(again.train.inputs, ours.train.inputs)
    assert torch.equal(again.train.targets, ours.train.targets)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    raw = load_digits()
    ours = data.load("digits")
    assert np.array_equal(ours.train.inputs[:, 0].numpy() / 15, raw.images)
    assert np.array_equal(ours.train.targets.numpy(), raw.target)


def test_spirals_lie_on_their_curves():
    ours = data.load("spirals", noise=0.0)
    radius = ours.train.inputs.double().norm(dim=1)
    angle = torch.linspace(0, 4 * torch.pi, 100, dtype=torch.float64)
    expected = torch.cat([angle, angle + torch.pi])
    # stored in single precision: relative error 2^-24, radius at most 16
    assert (radius - expected).abs().max() < 16 * 2**-22
    noisy = data.load("spirals")
    shift = noisy.train.inputs - ours.train.inputs
    assert shift.min() >= -1e-5
    assert shift.max() <= 1 + 1e-5
    assert not torch.equal(data.load("spirals", draw=1).train.inputs, noisy.train.inputs)


def test_matrix_measurements_are_of_the_solution():
    ours = data.load("matrix_sensing", size=6, rank=2, measurements=40)
    solution = ours.extra["solution"]
    eigenvalues = torch.linalg.eigvalsh(solution)
    assert int((eigenvalues.abs() > 1e-9).sum()) == 2
    for part in (ours.train, ours.test):
        matrices = part.inputs.double()
        assert torch.equal(matrices, matrices.transpose(1, 2))
        expected = torch.einsum("nij,ij->n", matrices, solution)
        # 36 products of order 10: rounding below 36 * 10 * 2^-53 each, in another order
        assert (part.targets - expected).abs().max() < 1e-11
    assert not torch.equal(ours.train.inputs, ours.test.inputs)


def test_channel_statistics_are_exact():
    pixels = torch.randint(256, (50, 3, 7, 5), generator=torch.Generator().manual_seed(0))
    mean, std = channel_statistics(pixels.to(torch.uint8))
    scaled = pixels.double().transpose(0, 1).flatten(1) / 255
    # the results are rounded to six decimals
    assert torch.tensor(mean).double().sub(scaled.mean(1)).abs().max() < 6e-7
    assert torch.tensor(std).double().sub(scaled.std(1, correction=0)).abs().max() < 6e-7


def test_options_shared_by_image_sets(tmp_path, originals):
    originals.make("parquet", tmp_path)
    plain = data.load("parquet", tmp_path)
    drawn = {how: data.load("parquet", tmp_path, test_set=how) for how in ("split", "uniform")}
    assert all(made.test is None for made in drawn.values())
    assert (drawn["split"].stratified, drawn["uniform"].stratified) == (True, False)
    assert data.load("parquet", tmp_path, normalization="imagenet").mean == (0.485, 0.456, 0.406)
    assert data.load("parquet", tmp_path, resize=40).input_shape == (3, 40, 40)
    assert data.load("parquet", tmp_path, confusion=3).confusion == 3
    prepared = Path(tmp_path / "prepared")
    assert [p.name for p in prepared.iterdir() if p.is_dir()] == ["parquet,set=cifar10-v2"]
    assert data.load("parquet", tmp_path, size=8).input_shape == (3, 8, 8)
    assert plain.input_shape == (3, 32, 32)


@needs_data("cifar10/test.parquet")
def test_the_real_cifar10(tmp_path):
    (tmp_path / "cifar10").mkdir()
    # its test images alone, as training images: a fifth of the time
    published = Path(os.environ["FLATSWEEP_DATA"]) / "cifar10" / "test.parquet"
    shutil.copyfile(published, tmp_path / "cifar10" / "train.parquet")
    ours = data.load("parquet", tmp_path)
    assert ours.test is None
    assert ours.train.base.shape == (10_000, 3, 32, 32)
    assert ours.train.targets.bincount().tolist() == [1_000] * 10
    # the mean of CIFAR-10's test images is 0.4942, 0.4851, 0.4504; JPEG moves it by a thousandth
    known = torch.tensor([0.4942, 0.4851, 0.4504])
    assert (torch.tensor(ours.mean) - known).abs().max() < 2e-3
