"""Each augmentation on a batch has the same bits as a slow one, image by image, with its draws."""

import numpy as np
import pytest
import torch

from trainables.data import augment
from trainables.data.augment import moves


def batch(count=37, channels=3, height=12, width=9, dtype=torch.uint8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(
        256, (count, channels, height, width), generator=generator, dtype=torch.uint8
    )
    return images if dtype == torch.uint8 else images.to(dtype) / 255 - 0.5


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


def slow_pad_crop(image, padding, mode, down, right):
    """NumPy's own padding, then a slice."""
    widths = [(0, 0), (padding, padding), (padding, padding)]
    level = {"zero": 0, "mean": 0, "gray": 128}.get(mode)
    array = image.numpy()
    padded = (
        np.pad(array, widths, mode="reflect")
        if level is None
        else np.pad(array, widths, constant_values=level)
    )
    height, width = array.shape[1:]
    return torch.from_numpy(padded[:, down : down + height, right : right + width].copy())


def slow_cutout(image, size, level, row, column):
    """DeVries & Taylor's own way: corners clipped to the image, then a slice assignment."""
    height, width = image.shape[1:]
    image = image.clone()
    top, bottom = (min(max(row + s, 0), height) for s in (-(size // 2), size - size // 2))
    left, right = (min(max(column + s, 0), width) for s in (-(size // 2), size - size // 2))
    image[:, top:bottom, left:right] = level
    return image


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("padding", [1, 4])
@pytest.mark.parametrize("fill", ["zero", "gray", "reflect", "mean"])
def test_pad_crop(fill, padding, shared):
    crop = augment.build("pad_crop", padding=padding, fill=fill, shared=shared)
    images = batch(dtype=torch.float32 if fill == "mean" else torch.uint8)
    result = crop(images, generator())
    count = 1 if shared else len(images)
    offsets = torch.randint(2 * padding + 1, (2, count, 1), generator=generator())
    down, right = offsets.expand(2, len(images), 1)[..., 0].tolist()
    for i, image in enumerate(images):
        assert torch.equal(result[i], slow_pad_crop(image, padding, fill, down[i], right[i]))
    assert crop.after_normalization == (fill == "mean")


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_flip(probability):
    images = batch()
    result = augment.build("flip", probability=probability)(images, generator())
    mirrored = torch.rand((len(images), 1), generator=generator())[:, 0] < probability
    for i, image in enumerate(images):
        expected = torch.from_numpy(image.numpy()[..., ::-1].copy()) if mirrored[i] else image
        assert torch.equal(result[i], expected)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("size", [1, 4, 5, 40])
@pytest.mark.parametrize("fill", ["zero", "gray", "mean"])
def test_cutout(fill, size, shared):
    cutout = augment.build("cutout", size=size, fill=fill, shared=shared)
    images = batch(dtype=torch.float32 if fill == "mean" else torch.uint8)
    result = cutout(images, generator())
    count = 1 if shared else len(images)
    same = generator()
    rows = torch.randint(12, (count, 1), generator=same).expand(len(images), 1)[:, 0].tolist()
    columns = torch.randint(9, (count, 1), generator=same).expand(len(images), 1)[:, 0].tolist()
    for i, image in enumerate(images):
        level = 128 if fill == "gray" else 0
        assert torch.equal(result[i], slow_cutout(image, size, level, rows[i], columns[i]))


MOVES = [("pad_crop", {"padding": 3, "fill": fill}) for fill in ("zero", "gray", "reflect")]


@pytest.mark.parametrize(("name", "options"), MOVES)
@pytest.mark.parametrize("flip_first", [False, True])
@pytest.mark.parametrize("table", [moves.TABLE, 0])
def test_fused_moves_are_the_moves_one_after_the_other(
    name, options, flip_first, table, monkeypatch
):
    """Whether the table is of whole images, or has too many places and is of rows and columns."""
    monkeypatch.setattr(moves, "TABLE", table)
    parts = [augment.build(name, **options), augment.build("flip")]
    if flip_first:
        parts.reverse()
    images, alone = batch(), batch()
    (fused,) = augment.fuse(parts)
    together = fused(images, generator())
    draws = generator()
    for move in parts:
        alone = move(alone, draws)
    assert torch.equal(together, alone)
    assert torch.equal(images, batch())  # the stored images are not written to


def test_the_frame_is_kept_from_batch_to_batch_and_gives_the_same():
    (kept,) = augment.fuse([augment.build("pad_crop", fill="gray"), augment.build("flip")])
    shapes = [(37, 3, 12, 9), (9, 3, 12, 9), (40, 3, 12, 9), (5, 1, 12, 9), (5, 3, 9, 12)]
    for seed, shape in enumerate(shapes):
        images = batch(*shape, seed=seed)
        (fresh,) = augment.fuse([augment.build("pad_crop", fill="gray"), augment.build("flip")])
        assert torch.equal(kept(images, generator()), fresh(images, generator()))


def test_what_is_fused():
    crop, flip, cut = (augment.build(name) for name in ("pad_crop", "flip", "cutout"))
    late = augment.build("pad_crop", fill="mean")
    assert [type(a).__name__ for a in augment.fuse([crop, flip])] == ["Moves"]
    assert [type(a).__name__ for a in augment.fuse([crop, cut, flip])] == [
        "Moves",
        "Cutout",
        "Moves",
    ]
    assert [len(a.moves) for a in augment.fuse([flip, crop, late])] == [2, 1]


@pytest.mark.parametrize("policy", ["cifar10", "svhn", "imagenet"])
def test_autoaugment_is_torchvisions_on_each_image(policy, monkeypatch):
    from torchvision.transforms import AutoAugment, AutoAugmentPolicy

    images = batch(count=60, height=32, width=32)
    result = augment.build("autoaugment", policy=policy)(images, generator())
    theirs = AutoAugment(AutoAugmentPolicy(policy), fill=128)
    same = generator()
    chosen = torch.randint(25, (60,), generator=same)
    chances = torch.rand((60, 2), generator=same)
    signs = torch.randint(2, (60, 2), generator=same)
    changed = 0
    for i, image in enumerate(images):
        draws = (int(chosen[i]), chances[i], signs[i])
        monkeypatch.setattr(theirs, "get_params", lambda _, draws=draws: draws)
        expected = theirs(image)
        assert torch.equal(result[i], expected)
        changed += not torch.equal(expected, image)
    assert changed > 30


def test_every_operation_of_autoaugment_is_torchvisions():
    """Each operation on a batch is the operation on each of its images, in every policy."""
    from torchvision.transforms import AutoAugment, AutoAugmentPolicy

    from trainables.data.augment.autoaugment import _operate

    images = batch(count=5, height=32, width=32)
    reference = AutoAugment(AutoAugmentPolicy.CIFAR10)
    for name, (magnitudes, signed) in reference._augmentation_space(10, (32, 32)).items():
        values = magnitudes.flatten().tolist()
        for value in values + [-v for v in values] * signed:
            together = _operate(images, name, float(value), 128, 3)
            alone = [_operate(image[None], name, float(value), 128, 3)[0] for image in images]
            assert torch.equal(together, torch.stack(alone)), (name, value)


def test_random_resized_crop_is_torchvisions_on_each_image():
    from torchvision.transforms.v2 import functional

    images = batch(count=12, height=20, width=16)
    crop = augment.build("random_resized_crop")
    result = crop(images, generator())
    draws = crop.draw(12, generator())
    for i, image in enumerate(images):
        top, left, height, width = crop.box(draws[i], 20, 16)
        part = image[:, top : top + height, left : left + width]
        assert torch.equal(result[i], functional.resize(part, [20, 16], antialias=True))


class Fed:
    """torch's random functions, fed with given uniform numbers (tries, 4)."""

    def __init__(self, numbers):
        self.numbers, self.calls, self.placed = numbers, 0, 0

    def uniform_(self, _tensor, low, high):
        value = float(self.numbers[self.calls // 2, self.calls % 2])
        self.calls += 1
        return torch.tensor([low + (high - low) * value])

    def randint(self, _low, high, **_):
        value = float(self.numbers[(self.calls - 1) // 2, 2 + self.placed])
        self.placed += 1
        return torch.tensor([int(value * high)])


@pytest.mark.parametrize("size", [(40, 50), (50, 40), (10, 90)])
def test_boxes_are_torchvisions(size, monkeypatch):
    """The same uniform numbers give the box of torchvision's own function."""
    from torchvision.transforms import RandomResizedCrop

    crop = augment.build("random_resized_crop")
    image = torch.empty(3, *size)
    for numbers in crop.draw(60, generator()):
        fed = Fed(numbers)
        with monkeypatch.context() as patch:
            patch.setattr(
                torch.Tensor, "uniform_", lambda self, *ends, fed=fed: fed.uniform_(self, *ends)
            )
            patch.setattr(torch, "randint", lambda *ends, fed=fed, **_: fed.randint(*ends))
            theirs = RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3])
        assert crop.box(numbers, *size) == theirs


def test_names_and_mistakes():
    assert augment.names() == ["autoaugment", "cutout", "flip", "pad_crop", "random_resized_crop"]
    with pytest.raises(ValueError, match="padding = 0"):
        augment.build("pad_crop", padding=0)
    with pytest.raises(ValueError, match="unknown option of augmentation 'cutout' 'width'"):
        augment.build("cutout", width=3)
    with pytest.raises(ValueError, match="padding = 9 must be below the image edge 9"):
        augment.build("pad_crop", padding=9, fill="reflect")(batch(), generator())
    with pytest.raises(ValueError, match=r"max_aspect = 0\.5 must be at least 1"):
        augment.build("random_resized_crop", max_aspect=0.5)


OTHERS = {  # a value other than the default of every option
    "autoaugment": {"policy": "svhn", "fill": 0},
    "cutout": {"size": 2, "fill": "gray", "shared": True},
    "flip": {"probability": 1.0},
    "pad_crop": {"padding": 1, "fill": "reflect", "shared": True},
    "random_resized_crop": {"min_area": 0.9, "max_aspect": 1.0},
}


@pytest.mark.parametrize("name", augment.names())
def test_every_option_changes_the_images(name: str) -> None:
    images = torch.randint(256, (16, 3, 12, 12), dtype=torch.uint8)

    def made(**options: object) -> torch.Tensor:
        return augment.build(name, **options)(images, torch.Generator().manual_seed(0))

    assert OTHERS[name].keys() == augment.registry.schema(name).model_fields.keys()
    for option, value in OTHERS[name].items():
        assert not torch.equal(made(**{option: value}), made()), option


def test_one_draw_for_a_batch_of_one_image_is_refused() -> None:
    from trainables.config import TrialConfig

    crop = {"name": "pad_crop", "shared": True}
    with pytest.raises(ValueError, match="shared = True would have no effect: it needs batch_size"):
        TrialConfig(data={"augmentation": [crop]}, batch_size=1)


@pytest.mark.parametrize(("name", "edge"), [("cifar10", 32), ("mnist", 28), ("svhn", 32)])
def test_resizing_to_the_images_own_size_is_refused(name: str, edge: int) -> None:
    """It would give the same images, to the rounding of single precision."""
    from trainables import data

    with pytest.raises(ValueError, match=f"resize = {edge} would have no effect"):
        data.registry.resolve(name, {"resize": edge})
    images = torch.rand(2, 3, edge, edge)
    again = torch.nn.functional.interpolate(images, (edge, edge), mode="bilinear", antialias=True)
    torch.testing.assert_close(again, images, rtol=0, atol=1e-6)
