"""Streamed sets: the same bits whatever the threads; faults named; nothing read before its turn."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image

import trainables.data as data
from trainables.config import Data
from trainables.data import augment
from trainables.data.loader import BatchLoader
from trainables.data.splits import split
from trainables.data.stream import decoded


@pytest.fixture
def parts(tmp_path, originals):
    originals.make("imagenet", tmp_path)
    dataset = data.load("imagenet", tmp_path, size=16)
    return split(dataset, Data(validation=0), 0)


def batches(parts, seed=0):
    chain = [augment.build("random_resized_crop"), augment.build("flip")]
    return BatchLoader(parts.train, 5, chain, parts.mean, parts.std, seed=seed)


def test_order_and_crops_come_from_seed_epoch_and_batch_not_from_the_threads(parts, monkeypatch):
    monkeypatch.setenv("FLATSWEEP_DECODE_THREADS", "1")
    one = list(batches(parts).epoch(2))
    monkeypatch.setenv("FLATSWEEP_DECODE_THREADS", "7")
    many = list(batches(parts).epoch(2))
    assert [len(t) for _, t in one] == [5, 5, 2]
    for (a, s), (b, t) in zip(one, many, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(s, t)
    resumed = list(batches(parts).epoch(2, start=1))
    assert torch.equal(resumed[0][0], one[1][0])
    assert not torch.equal(next(batches(parts).epoch(3))[0], one[0][0])


def test_each_image_is_the_crop_of_its_own_file(parts):
    """Image by image with torchvision and Pillow, from the batch's own draws."""
    from torchvision.transforms.v2 import functional

    from trainables.seeding import generator

    crop = augment.build("random_resized_crop")
    loop = BatchLoader(parts.train, 5, [crop], None, None, seed=4)
    order = loop.order(1)
    inputs, targets = next(loop.epoch(1))
    draws = crop.draw(5, generator(4, "augment", 1, 0))
    for i, row in enumerate(order[:5].tolist()):
        image = Image.open(parts.train.base.path(row)).convert("RGB")
        box = crop.box(draws[i], image.height, image.width)
        expected = functional.pil_to_tensor(functional.resized_crop(image, *box, [16, 16]))
        assert torch.equal(inputs[i], expected / 255)
        assert targets[i] == ("n01440764", "n01443537").index(
            parts.train.base.path(row).parent.name
        )


def test_evaluation_takes_the_central_square(parts):
    inputs, targets = next(iter(BatchLoader(parts.test, 6, shuffle=False)))
    assert targets.tolist() == [0, 0, 0, 1, 1, 1]
    image = Image.open(parts.test.base.path(0)).convert("RGB")  # 40 x 50
    edge = 35  # 224/256 of 40
    square = image.crop(
        ((50 - edge) // 2, (40 - edge) // 2, (50 - edge) // 2 + edge, (40 - edge) // 2 + edge)
    )
    expected = np.asarray(square.resize((16, 16), Image.Resampling.BILINEAR))
    assert np.array_equal((inputs[0] * 255).round().byte().permute(1, 2, 0).numpy(), expected)


def test_a_corrupt_photograph_is_named(parts):
    file = parts.train.base.path(3)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(data.DataError, match=f"{file} is not a readable image"):
        list(batches(parts).epoch(0))
    file.unlink()
    with pytest.raises(data.DataError, match=f"{file} is not a readable image"):
        list(batches(parts).epoch(0))


def test_leaving_an_epoch_early_stops_the_threads(parts):
    before = threading.active_count()
    epoch = batches(parts).epoch(0)
    next(epoch)
    assert threading.active_count() > before
    epoch.close()
    assert threading.active_count() == before


def test_only_a_few_batches_are_ahead(parts):
    asked = []

    def requests():
        for number in range(50):
            asked.append(number)
            yield torch.tensor([number % 12]), None

    stream = decoded(parts.train.base, requests(), None, threads=1)
    next(stream)
    assert len(asked) <= 5
    stream.close()


def test_missing_folders_and_classes_are_named(tmp_path, originals):
    originals.make("imagenet", tmp_path)
    root = tmp_path / "imagenet"
    for file in (root / "val" / "n01443537").iterdir():
        file.unlink()
    with pytest.raises(data.DataError, match=r"val/n01443537 holds no image"):
        data.load("imagenet", tmp_path)
    (root / "val" / "n01443537").rmdir()
    with pytest.raises(data.DataError, match="val has no folder 'n01443537'"):
        data.load("imagenet", tmp_path)
    (root / "val").rename(root / "validation")
    with pytest.raises(data.DataError, match="val is missing"):
        data.load("imagenet", tmp_path)
