"""What every augmentation promises."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainables.conformance.cases import equal, generator, global_seed
from trainables.data import augment

SHAPES = ((4, 1, 8, 8), (3, 3, 32, 32), (1, 3, 8, 8))


def build(name: str) -> Any:
    """With its defaults."""
    return augment.build(name)


def images(shape: tuple[int, ...], part: Any) -> Tensor:
    """A batch: uint8, or normalized where it is called after that."""
    pixels = torch.randint(0, 256, shape, generator=generator(1), dtype=torch.uint8)
    return pixels.float() / 128 - 1 if part.after_normalization else pixels


def shapes(name: str) -> str:
    """A batch of images."""
    for shape in SHAPES:
        part = build(name)
        given = images(shape, part)
        before = given.clone()
        found = part(given, generator(0))
        if found.shape != given.shape or found.dtype != given.dtype:
            return f"of {given.dtype} {tuple(shape)} it makes {found.dtype} {tuple(found.shape)}"
        if not equal(given, before):
            return "it changes the images that it is given: they may be those of the data set"
    return ""


def noise(name: str) -> str:
    """Two calls with one generator."""
    found = []
    for seed in (1, 2):
        with global_seed(seed):
            part = build(name)
            found.append(part(images(SHAPES[0], part), generator(0)))
    if equal(*found):
        return ""
    return "its noise is not drawn from the generator: two calls with the same one differ"


def state(name: str) -> str:
    """A restart."""
    old, new = build(name), build(name)
    given = images(SHAPES[0], old)
    old(given, generator(0))
    if equal(old(given, generator(1)), new(given, generator(1))):
        return ""
    return "what it does depends on earlier batches, which a restart forgets"


CHECKS = (shapes, noise, state)

__all__ = ["CHECKS"]
