"""Parts whose numbers are of another shape, size or kind than those of their kind have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from trainables.conformance import verdicts
from trainables.data.augment.moves import Augmentation
from trainables.data.base import Dataset, Images
from trainables.fields import registry_of


class Crops(Augmentation):
    """A row less."""

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return images[:, :, 1:]


def nothing(target: Any) -> dict[str, float]:
    """No number."""
    return {}


def pixels() -> Dataset:
    """40 gray images of two classes."""
    base = torch.arange(40 * 16).remainder(256).to(torch.uint8).view(40, 1, 4, 4)
    images = Images(base, torch.arange(40) % 2)
    return Dataset("of_numbers", images, None, num_classes=2, mean=(0.5,), std=(0.5,))


def infinite() -> Dataset:
    """Features, one of them infinite."""
    numbers = torch.ones(40, 3)
    numbers[7, 1] = torch.inf
    train = Images(numbers, torch.arange(40) % 2)
    return replace(pixels(), train=train, mean=(0.0,) * 3, std=(1.0,) * 3)


def three_names() -> Dataset:
    """Of two classes."""
    return replace(pixels(), class_names=("a", "b", "c"))


def three_channels() -> Dataset:
    """Of gray images."""
    return replace(pixels(), mean=(0.5,) * 3, std=(0.5,) * 3)


def without_tests() -> Dataset:
    """A test set that is there and empty."""
    train = pixels().train
    return replace(pixels(), test=Images(train.base[:0], train.targets[:0]))


@pytest.mark.parametrize(
    ("package", "part", "said"),
    [
        ("data.augment", Crops, "of torch.uint8 (4, 1, 8, 8) it makes torch.uint8 (4, 1, 7, 8)"),
        ("measures", nothing, "it gives no number"),
        ("data", infinite, "train has numbers that are not finite"),
        ("data", three_names, "it has 3 class_names and 2 classes"),
        ("data", three_channels, "mean and std have 3 and 3 of 1 channels"),
        ("data", without_tests, "test has no examples"),
    ],
)
def test_a_promise_about_numbers_that_is_broken_is_named(
    package: str, part: Callable[..., Any], said: str
) -> None:
    registry = registry_of(package)
    registry.register("of_numbers")(part)
    try:
        found = verdicts(package, "of_numbers")
    finally:
        registry.drop("of_numbers")
    assert [v.broken for v in found if v.words == said] == [True], found
