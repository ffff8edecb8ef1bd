"""Examples that are no array: dicts, pairs, ragged data, files; in batches, splits and digests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.trainables.tasks import stand_ins
from trainables.data import augment
from trainables.data.base import DataError, Dataset, Images, content
from trainables.data.loader import BatchLoader, resident
from trainables.data.splits import split
from trainables.data.stream import ImageFiles
from trainables.errors import UsageError
from trainables.fields import Data
from trainables.structures import batch_size, join, take, tensors

MADE = {
    "dict": stand_ins.texts,
    "pair": stand_ins.pairs,
    "ragged": stand_ins.graphs,
    "dict of sentences": stand_ins.sentences,
}
NUMBER = stand_ins.N


@pytest.fixture(params=MADE)
def images(request) -> Images:
    return MADE[request.param]().train


def same(one, other) -> bool:
    pairs = list(zip(one, other, strict=True))
    return bool(pairs) and all(
        len(tensors(a)) == len(tensors(b))
        and all(torch.equal(x, y) for x, y in zip(tensors(a), tensors(b), strict=True))
        for a, b in pairs
    )


def raw(images: Images, rows: list[int]):
    """Examples as the data have them, one by one."""
    return [images.take(torch.tensor([row])).inputs for row in rows]


def test_a_batch_is_the_rows_of_its_order(images: Images) -> None:
    """Also of a part of the set; pixels, which are normalized, are compared below."""
    part = images.take(torch.arange(3, 40))
    batches = BatchLoader(part, 8, seed=2, dtype=torch.float64)
    order = batches.order(1).split(8)
    assert sorted(torch.cat(order).tolist()) == list(range(37))
    for (inputs, targets), at in zip(batches.epoch(1), order, strict=True):
        expected = join(raw(part, at.tolist()))
        for found, wanted in zip(tensors(inputs), tensors(expected), strict=True):
            assert len(found) == len(at)
            if wanted.dtype != torch.uint8:
                real = wanted.is_floating_point()
                assert found.dtype == (torch.float64 if real else wanted.dtype)
                assert torch.equal(found, wanted.to(found.dtype))
        for found, wanted in zip(tensors(targets), tensors(part.targets), strict=True):
            assert torch.equal(found, wanted[at])


def test_any_batch_can_be_made_alone(images: Images) -> None:
    whole = list(BatchLoader(images, 7, seed=3).epoch(4))
    for start in (1, 6):
        assert same(whole[start:], BatchLoader(images, 7, seed=3).epoch(4, start=start))
    assert not same(whole, BatchLoader(images, 7, seed=4).epoch(4))


def test_the_head_of_a_set_in_its_own_batches(images: Images) -> None:
    whole = BatchLoader(images, 5, shuffle=False)
    head = whole.head(9, 4)
    assert [batch_size(targets) for _, targets in head] == [4, 4, 1]
    found, expected = join(list(head)), take(join(list(whole)), slice(9))
    assert same([found[1]], [expected[1]])
    if not isinstance(images.base, stand_ins.Graphs):  # shorter ones are padded to less
        assert same([found], [expected])


def test_pixels_in_a_structure_are_those_of_images() -> None:
    made = stand_ins.pairs()
    pixels = made.train.base[0]
    alone = BatchLoader(Images(pixels, made.train.targets), 8, (), (0.4,), (0.3,), seed=1)
    paired = BatchLoader(made.train, 8, (), (0.4,), (0.3,), seed=1)
    for (inputs, targets), (expected, labels) in zip(paired, alone, strict=True):
        assert torch.equal(inputs[0], expected)
        assert torch.equal(targets, labels)


def test_tensors_of_a_structure_are_kept_on_the_device_once() -> None:
    base = stand_ins.pairs().train.base
    there = resident(base, "meta")
    assert [t.device.type for t in tensors(there)] == ["meta", "meta"]
    again = resident(base, "meta")
    assert all(a is b for a, b in zip(tensors(there), tensors(again), strict=True))
    ragged = stand_ins.graphs().train.base
    assert resident(ragged, "meta") is ragged
    assert resident({"a": ragged, "b": base[0]}, "meta")["a"] is ragged


def test_ragged_data_are_padded_to_the_longest_of_the_batch() -> None:
    images = stand_ins.graphs().train
    lengths = images.base.sizes
    for (inputs, _), at in zip(
        BatchLoader(images, 4, shuffle=False), torch.arange(NUMBER).split(4), strict=True
    ):
        assert inputs["nodes"].shape == (4, int(lengths[at].max()))
        assert torch.equal(inputs["nodes"].sum(1), lengths[at])


def test_files_are_read_in_a_structure(tmp_path: Path) -> None:
    """An image folder with captions: decoded as alone, cropped in the middle."""
    names = [f"{i}.png" for i in range(5)]
    for i, name in enumerate(names):
        Image.new("RGB", (6 + i, 6), (40 * i, 9, 0)).save(tmp_path / name)
    files = ImageFiles(tmp_path, names, 4)
    captions = torch.arange(10).view(5, 2)
    images = Images({"image": files, "tokens": captions}, torch.arange(5))
    alone = BatchLoader(Images(files, torch.arange(5)), 2, seed=1)
    found = list(BatchLoader(images, 2, seed=1))
    assert [batch_size(t) for _, t in found] == [2, 2, 1]
    for (inputs, targets), (expected, labels) in zip(found, alone, strict=True):
        assert torch.equal(inputs["image"], expected)
        assert torch.equal(targets, labels)
        assert torch.equal(inputs["tokens"], captions[targets])


def test_augmentation_is_of_images() -> None:
    with pytest.raises(DataError, match="augmentation needs images; this data set has other"):
        BatchLoader(stand_ins.pairs().train, 8, [augment.build("flip")])


def test_every_part_has_a_row_per_example() -> None:
    with pytest.raises(UsageError, match="one row per example; they have 3, 4"):
        Images({"a": torch.zeros(3), "b": torch.zeros(4)}, torch.zeros(3))
    with pytest.raises(UsageError, match="4 targets for 3 inputs"):
        Images({"a": torch.zeros(3)}, {"b": torch.zeros(4)})
    with pytest.raises(UsageError, match="these have the shapes"):
        Images({"a": torch.zeros(3)}, {"b": torch.zeros(3), "c": torch.zeros(4)})
    with pytest.raises(UsageError, match="one row per example; they have none"):
        Images({}, torch.zeros(0))


def parts(dataset: Dataset, **fields):
    made = split(dataset, Data(**{"split_seed": 0, "validation": 0.25, **fields}), seed=0)
    return made.train, made.validation, made.test


@pytest.mark.parametrize("name", MADE)
def test_splits_share_nothing_and_the_base(name: str) -> None:
    made = MADE[name]()
    rows = [part.rows.tolist() for part in parts(made, subset=40)]
    assert len(set().union(*rows)) == sum(map(len, rows)) == 40
    assert all(part.base is made.train.base for part in parts(made))


def test_classes_are_held_out_in_proportion_and_others_uniformly() -> None:
    graphs = stand_ins.graphs()
    _, _, test = parts(graphs)
    share = graphs.train.targets.double().mean()
    assert abs(float(test.targets.double().mean() - share)) <= 1 / len(test)
    pairs = stand_ins.pairs()
    base = pairs.train.base
    numbered = Dataset("numbered", Images(base, torch.arange(NUMBER)), None, 0)
    _, _, test = parts(numbered)
    # by captions' numbers in proportion it would be the first of them
    assert sorted(test.targets.tolist()) != list(range(len(test)))


def test_the_content_is_that_of_every_tensor() -> None:
    seen = {content(made()) for made in MADE.values()}
    assert len(seen) == len(MADE)
    made = stand_ins.texts()
    assert content(made) == content(stand_ins.texts())
    for structure in (made.train.base, made.train.targets):
        for tensor in structure.values():
            kept = tensor[0, 0].clone()
            tensor[0, 0] = 1 - kept if tensor.dtype != torch.bool else ~kept
            assert content(made) != content(stand_ins.texts())
            tensor[0, 0] = kept
    assert content(made) == content(stand_ins.texts())


def test_a_structure_has_no_shape_and_no_statistics() -> None:
    made = stand_ins.graphs()
    assert made.input_shape == ()
    assert not made.train.is_array
    assert not made.train.is_pixels
    assert made.mean == made.std == ()
