"""Batches: order and augmentation from (seed, epoch, batch); one shared copy; any batch alone."""

import gc
import weakref

import pytest
import torch

from trainables.data import augment
from trainables.data.base import DataError, Images
from trainables.data.loader import BatchLoader, resident
from trainables.seeding import generator

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


def images(count=50, size=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(count))


def augmentations():
    return [augment.build("pad_crop"), augment.build("flip"), augment.build("cutout", size=3)]


def same(one, other):
    pairs = list(zip(one, other, strict=True))
    return bool(pairs) and all(
        torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs
    )


def test_each_image_once_an_epoch_in_a_new_order():
    batches = BatchLoader(images(), 8, seed=1)
    assert len(batches) == 7
    epochs = [torch.cat([targets for _, targets in batches.epoch(e)]) for e in range(3)]
    for order in epochs:
        assert sorted(order.tolist()) == list(range(50))
    assert len({tuple(order.tolist()) for order in epochs}) == 3


def test_an_incomplete_last_batch():
    assert [len(t) for _, t in BatchLoader(images(), 8)] == [8] * 6 + [2]
    dropped = BatchLoader(images(), 8, drop_last=True)
    assert len(dropped) == 6
    assert [len(t) for _, t in dropped] == [8] * 6
    with pytest.raises(DataError, match="50 images give no batch of 64"):
        BatchLoader(images(), 64, drop_last=True)


def test_evaluation_is_in_order():
    batches = BatchLoader(images(), 8, shuffle=False)
    assert torch.cat([t for _, t in batches.epoch(5)]).tolist() == list(range(50))


def test_the_same_seed_and_epoch_give_the_same_bits_whatever_came_before():
    one, other = (BatchLoader(images(), 8, augmentations(), MEAN, STD, seed=3) for _ in range(2))
    list(one.epoch(0)), torch.rand(17)
    next(one.epoch(1))
    assert same(one.epoch(2), other.epoch(2))
    assert not same(one.epoch(2), one.epoch(3))
    assert not same(one.epoch(2), BatchLoader(images(), 8, augmentations(), MEAN, STD).epoch(2))


@pytest.mark.parametrize("start", [1, 3, 6])
def test_an_epoch_can_start_at_any_batch(start):
    batches = BatchLoader(images(), 8, augmentations(), MEAN, STD, seed=3)
    whole = list(batches.epoch(4))
    assert same(whole[start:], batches.epoch(4, start=start))
    assert list(batches.epoch(4, start=7)) == []


def test_the_global_generator_is_not_touched():
    batches = BatchLoader(images(), 8, augmentations(), MEAN, STD)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(batches.epoch(0))
    assert torch.equal(torch.rand(3), expected)


def test_normalization_is_torchvisions():
    from torchvision.transforms.v2 import functional

    whole = images()
    (inputs, _), *_ = BatchLoader(whole, 50, (), MEAN, STD, shuffle=False)
    scaled = functional.to_dtype(whole.inputs, torch.float32, scale=True)
    expected = functional.normalize(scaled, list(MEAN), list(STD))
    # (255 x - 255 m) / (255 s) rather than (x - m) / s: a few roundings of values below 4
    assert (inputs - expected).abs().max() < 4 * 4 * 2**-23
    (double, _), *_ = BatchLoader(whole, 50, (), MEAN, STD, shuffle=False, dtype=torch.float64)
    mean, std = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in (MEAN, STD))
    assert (double - (whole.inputs.double() / 255 - mean) / std).abs().max() < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_inputs_have_the_type_asked_for(dtype):
    (inputs, _), *_ = BatchLoader(images(), 50, (), MEAN, STD, dtype=dtype, shuffle=False)
    assert inputs.dtype == dtype
    single, *_ = BatchLoader(images(), 50, (), MEAN, STD, shuffle=False)
    if dtype == torch.bfloat16:  # normalised in single precision, then rounded once
        assert torch.equal(inputs, single[0].bfloat16())


def test_augmentation_comes_before_normalization_unless_it_fills_with_the_mean():
    white = Images(torch.full((64, 3, 8, 8), 255, dtype=torch.uint8), torch.zeros(64))
    levels = {"zero": 0.0, "gray": 128 / 255}
    for fill in ("zero", "gray", "mean"):
        cutout = [augment.build("cutout", size=3, fill=fill)]
        (inputs, _), *_ = BatchLoader(white, 64, cutout, MEAN, STD)
        for channel in range(3):
            hole = 0.0 if fill == "mean" else (levels[fill] - MEAN[channel]) / STD[channel]
            full = (1 - MEAN[channel]) / STD[channel]
            found = inputs[:, channel].unique()
            expected = torch.tensor(sorted([hole, full]))
            assert found.shape == (2,)
            assert (found - expected).abs().max() < 1e-6
            if fill == "mean":
                assert 0.0 in found


def test_an_augmentation_of_pixels_cannot_follow_one_after_normalization():
    late = [augment.build("pad_crop", fill="mean"), augment.build("cutout", fill="gray")]
    with pytest.raises(DataError, match="Cutout works on pixels and cannot follow"):
        BatchLoader(images(), 8, late)
    BatchLoader(images(), 8, late[::-1])
    BatchLoader(images(), 8, [late[0], augment.build("flip")])


def test_features_are_normalised_and_not_augmented():
    features = Images(torch.arange(12.0).view(6, 2), torch.arange(6.0))
    (inputs, targets), *_ = BatchLoader(features, 6, (), [1.0, 2.0], [2.0, 4.0], shuffle=False)
    assert torch.equal(
        inputs,
        (torch.arange(12.0).view(6, 2) - torch.tensor([1.0, 2.0])) / torch.tensor([2.0, 4.0]),
    )
    assert targets.dtype == torch.float32
    (_, double), *_ = BatchLoader(features, 6, (), dtype=torch.float64)
    assert double.dtype == torch.float64
    with pytest.raises(DataError, match="feature vectors"):
        BatchLoader(features, 6, augmentations())
    assert torch.equal(features.base, torch.arange(12.0).view(6, 2))


def test_rows_select_from_the_base():
    whole = images()
    part = whole.take(torch.tensor([7, 3, 40]))
    (inputs, targets), *_ = BatchLoader(part, 3, shuffle=False)
    (everything, _), *_ = BatchLoader(whole, 50, shuffle=False)
    assert torch.equal(inputs, everything[[7, 3, 40]])
    assert targets.tolist() == [7, 3, 40]


def test_images_are_resized_on_the_device():
    (inputs, _), *_ = BatchLoader(images(), 4, augmentations(), MEAN, STD, resize=13)
    assert inputs.shape == (4, 3, 13, 13)


def test_one_copy_per_device_for_all_trials():
    """The meta device stands for an accelerator: a device that is not the CPU."""
    one, other = images().base, images().base
    first, second = (resident(one, "meta") for _ in range(2))
    assert first is second
    assert first.device.type == "meta"
    assert resident(other, "meta") is not first  # by identity, not by content
    assert resident(one, "cpu") is one
    copy = weakref.ref(first)
    del one, first, second
    gc.collect()
    assert copy() is None  # dropped with the data set


def test_processes_that_share_a_device_keep_no_copy_on_it():
    """The meta device stands for a GPU: what arrives is there, what is stored is not."""
    every = images()
    held = BatchLoader(every, 8, [augment.build("flip")], MEAN, STD, device="meta")
    assert held._base.device.type == "meta"
    sharing = BatchLoader(every, 8, [augment.build("flip")], MEAN, STD, device="meta", hold=False)
    assert sharing._base is every.base
    assert {inputs.device.type for inputs, _ in sharing} == {"meta"}
    here = BatchLoader(every, 8, augmentations(), MEAN, STD, hold=False)
    assert same(here, BatchLoader(every, 8, augmentations(), MEAN, STD))


def test_the_head_of_a_set_in_its_own_batches():
    whole = BatchLoader(images(), 8, (), MEAN, STD, shuffle=False)
    head = whole.head(10, batch_size=4)
    assert [len(targets) for _, targets in head] == [4, 4, 2]
    inputs = torch.cat([inputs for inputs, _ in head])
    assert torch.equal(inputs, torch.cat([inputs for inputs, _ in whole])[:10])
    assert torch.cat([targets for _, targets in head]).tolist() == list(range(10))
    assert len(whole.head(None)) == len(whole.head(10_000)) == len(whole) == 7


@pytest.mark.parametrize(
    "names",
    [
        ("pad_crop", "flip", "cutout"),  # which draw before the images are there
        ("flip", "random_resized_crop", "cutout"),
        ("autoaugment", "pad_crop"),
    ],
)
def test_a_batch_is_what_its_own_generator_makes_of_its_images(names):
    whole = images()
    chain = [augment.build(name) for name in names]
    for start in (0, 5):
        batches = BatchLoader(whole, 8, chain, seed=3).epoch(4, start=start)
        for batch, (inputs, labels) in enumerate(batches, start):
            expected, draws = whole.base[labels], generator(3, "augment", 4, batch)
            for part in chain:
                expected = part(expected, draws)
            assert torch.equal(inputs, expected.float() / 255)
